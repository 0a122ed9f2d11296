//! A report in one plain sentence, on one line: whether the shadow answers like the original, where not, and how fast.
//!
//! It judges nothing: whoever decides about a release reads the numbers too.

use std::collections::BTreeMap;

use super::ShadowReport;
use super::report::FieldReport;

/// The sentence: `v2 answered 14,210 of 14,233 requests like stable; 23 differ, all at /price/total; p95 is 12 ms slower.`
pub fn verdict(report: &ShadowReport) -> String {
    let clauses = [
        Some(if report.compared == 0 { silence(report) } else { alike(report) }),
        differing(report),
        undecided(report),
        pace(report),
        unanswered(report),
        uncompared(report),
        report.resting.then(|| format!("{} failed too often and has a rest", report.version)),
    ];
    let clauses: Vec<String> = clauses.into_iter().flatten().collect();
    format!("{}.", clauses.join("; "))
}

/// Why nothing was compared.
fn silence(report: &ShadowReport) -> String {
    let ShadowReport { version, sent, answered, failed, dropped, .. } = report;
    match (*sent, sum(dropped)) {
        (0, 0) => format!("No request was copied to {version} yet"),
        (0, all) => format!(
            "No copy was sent to {version}: {} ({})",
            counted(all, "was dropped", "were dropped"),
            reasons(dropped)
        ),
        _ if *answered == 0 && !failed.is_empty() => {
            format!("{version} answered none of {}: {}", counted(*sent, "copy", "copies"), reasons(failed))
        }
        _ => format!("Nothing is compared yet of {} to {version}", counted(*sent, "copy", "copies")),
    }
}

fn alike(report: &ShadowReport) -> String {
    let ShadowReport { version, original, compared, equal, noise, .. } = report;
    let like = equal + noise;
    let part = match like {
        0 => "none of ".to_owned(),
        _ if like == *compared && like > 1 => "all ".to_owned(),
        _ => format!("{} of ", number(like)),
    };
    let requests = counted(*compared, "request", "requests");
    let noisy = match *noise {
        0 => String::new(),
        noise if noise == like => ", but for noise".to_owned(),
        noise => format!(", {} of them but for noise", number(noise)),
    };
    format!("{version} answered {part}{requests} like {original}{noisy}")
}

fn differing(report: &ShadowReport) -> Option<String> {
    let all = report.differing;
    let places = Place::all(&report.differences);
    let differ = if all == 1 { "1 differs".to_owned() } else { format!("{} differ", number(all)) };
    let named = report.other == 0 || places.iter().map(|place| place.count).sum::<u64>() >= all;
    Some(match &places[..] {
        _ if all == 0 => return None,
        [only] if named && all == 1 => format!("{differ}, at {}", only.path),
        [only] if named => format!("{differ}, all at {}", only.path),
        [first, rest @ ..] if rest.len() > 2 => {
            let more = number(rest.len() as u64);
            format!("{differ}, most often at {}, and at {more} more fields", first.tell(all))
        }
        places => {
            let told = places.iter().map(|place| place.tell(all));
            let told = told.chain((!named).then(|| "fields that are not told apart".to_owned()));
            format!("{differ}: at {}", list(told.collect()))
        }
    })
}

/// A path with all its kinds.
struct Place {
    path: String,
    /// A request that differs in two kinds counts twice.
    count: u64,
}

impl Place {
    /// The most frequent first.
    fn all(fields: &[FieldReport]) -> Vec<Place> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for field in fields {
            *counts.entry(&field.path).or_default() += field.count;
        }
        let mut places: Vec<Place> =
            counts.into_iter().map(|(path, count)| Place { path: plain(path), count }).collect();
        places.sort_by_key(|place| std::cmp::Reverse(place.count));
        places
    }

    /// With its count, `all` at most.
    fn tell(&self, all: u64) -> String {
        format!("{} ({})", self.path, number(self.count.min(all)))
    }
}

/// A path fit for one line: names are a version's own and may have anything in them.
fn plain(path: &str) -> String {
    const LONGEST: usize = 80;
    let cut = path.chars().count() > LONGEST;
    let kept = path.chars().take(if cut { LONGEST - 1 } else { LONGEST });
    let kept = kept.map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
    kept.chain(cut.then_some('…')).collect()
}

fn undecided(report: &ShadowReport) -> Option<String> {
    let more = if report.differing > 0 { " more" } else { "" };
    let differ = if report.undecided == 1 { "differs" } else { "differ" };
    (report.undecided > 0)
        .then(|| format!("{}{more} {differ} where it is not yet told from noise", number(report.undecided)))
}

/// How fast it is. Within 1 ms or 5 % nobody can tell.
fn pace(report: &ShadowReport) -> Option<String> {
    let latency = report.latency.as_ref()?;
    let slower = latency.shadow.p95 - latency.original.p95;
    let apart = slower.abs();
    Some(match slower {
        _ if apart <= (0.05 * latency.original.p95).max(0.001) => "p95 is as fast".to_owned(),
        slower if slower > 0.0 => format!("p95 is {} slower", duration(apart)),
        _ => format!("p95 is {} faster", duration(apart)),
    })
}

/// Copies that failed, unless that is what the sentence began with.
fn unanswered(report: &ShadowReport) -> Option<String> {
    let failed = sum(&report.failed);
    (failed > 0 && report.answered > 0)
        .then(|| format!("{} had no answer: {}", counted(failed, "copy", "copies"), reasons(&report.failed)))
}

/// Answers that were not compared, when they are more than those that were.
fn uncompared(report: &ShadowReport) -> Option<String> {
    let left = sum(&report.uncompared);
    let answers = if left == 1 { "answer was" } else { "answers were" };
    (left > report.compared)
        .then(|| format!("{} {answers} not compared: {}", number(left), reasons(&report.uncompared)))
}

/// `a, b and c`
fn list(mut words: Vec<String>) -> String {
    let last = words.pop().unwrap_or_default();
    if words.is_empty() { last } else { format!("{} and {last}", words.join(", ")) }
}

/// `timeout`, or `400 timeout, 12 connect`.
fn reasons(counts: &BTreeMap<String, u64>) -> String {
    let mut counts: Vec<(&String, &u64)> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    match counts[..] {
        [(why, _)] => why.clone(),
        _ => {
            let each: Vec<String> =
                counts.into_iter().map(|(why, count)| format!("{} {why}", number(*count))).collect();
            each.join(", ")
        }
    }
}

fn sum(counts: &BTreeMap<String, u64>) -> u64 {
    counts.values().sum()
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// With commas between thousands.
fn number(n: u64) -> String {
    let digits = n.to_string();
    let comma = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    digits
        .chars()
        .enumerate()
        .flat_map(|(at, digit)| comma(at).then_some(',').into_iter().chain([digit]))
        .collect()
}

/// `1.4 ms`, `12 ms`, `1.2 s`.
fn duration(seconds: f64) -> String {
    match seconds * 1e3 {
        ms if ms < 9.95 => format!("{ms:.1} ms"),
        ms if ms < 999.5 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::report::{Latency, Quantiles};

    /// Of v2 beside stable: requests by what became of them.
    fn report(equal: u64, noise: u64, undecided: u64, differing: u64) -> ShadowReport {
        let compared = equal + noise + undecided + differing;
        ShadowReport {
            route: "checkout".to_owned(),
            flag: "checkout-shadow".to_owned(),
            original: "stable".to_owned(),
            service: "checkout".to_owned(),
            version: "v2".to_owned(),
            since: String::new(),
            verdict: String::new(),
            sent: compared,
            answered: compared,
            failed: BTreeMap::new(),
            dropped: BTreeMap::new(),
            resting: false,
            compared,
            equal,
            noise,
            undecided,
            differing,
            uncompared: BTreeMap::new(),
            twins: 0,
            latency: None,
            differences: Vec::new(),
            noisy: Vec::new(),
            unsettled: Vec::new(),
            other: 0,
        }
    }

    impl ShadowReport {
        fn at(mut self, path: &str, kind: &str, count: u64) -> Self {
            self.differences.push(FieldReport {
                path: path.to_owned(),
                kind: kind.to_owned(),
                count,
                rate: 0.0,
                interval: [0.0, 1.0],
                twin_count: 0,
                twin_rate: None,
                first_seen: String::new(),
                last_seen: String::new(),
                examples: Vec::new(),
            });
            self
        }

        fn p95(mut self, original: f64, shadow: f64) -> Self {
            let quantiles = |p95| Quantiles { p50: 0.0, p90: 0.0, p95, p99: 0.0 };
            let (original, shadow) = (quantiles(original), quantiles(shadow));
            self.latency = Some(Latency { original, shadow, slower_by: 0.1, slower: 0.0 });
            self
        }
    }

    fn why(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
        counts.iter().map(|(why, count)| ((*why).to_owned(), *count)).collect()
    }

    #[test]
    fn one_sentence_says_how_alike_two_versions_are() {
        for (report, expected) in [
            (
                report(14_210, 0, 0, 23).at("/price/total", "changed", 23).p95(0.1, 0.112),
                "v2 answered 14,210 of 14,233 requests like stable; 23 differ, all at /price/total; p95 is 12 ms slower.",
            ),
            (report(40, 0, 0, 0).p95(0.1, 0.1), "v2 answered all 40 requests like stable; p95 is as fast."),
            (report(1, 0, 0, 0), "v2 answered 1 of 1 request like stable."),
            (
                report(1_000_000, 312, 0, 0),
                "v2 answered all 1,000,312 requests like stable, 312 of them but for noise.",
            ),
            (report(0, 312, 0, 0), "v2 answered all 312 requests like stable, but for noise."),
            (
                report(10, 0, 4, 0),
                "v2 answered 10 of 14 requests like stable; 4 differ where it is not yet told from noise.",
            ),
            (
                report(10, 2, 1, 1).at("status", "changed", 1),
                "v2 answered 12 of 14 requests like stable, 2 of them but for noise; 1 differs, at status; \
                 1 more differs where it is not yet told from noise.",
            ),
            (
                report(0, 0, 0, 40).at("header:location", "missing", 40),
                "v2 answered none of 40 requests like stable; 40 differ, all at header:location.",
            ),
        ] {
            assert_eq!(verdict(&report), expected);
        }
    }

    #[test]
    fn fields_are_named_from_the_most_frequent_on() {
        let many = |count: u64| {
            (1..=count).fold(report(77, 0, 0, 23), |report, n| report.at(&format!("/f{n}"), "type", 24 - n))
        };
        for (report, expected) in [
            (
                report(77, 0, 0, 23).at("/price/total", "changed", 20).at("/items", "shorter", 3),
                "23 differ: at /price/total (20) and /items (3)",
            ),
            (
                report(77, 0, 0, 23).at("/a", "type", 12).at("/b", "type", 10).at("/c", "type", 1),
                "23 differ: at /a (12), /b (10) and /c (1)",
            ),
            (many(4), "23 differ, most often at /f1 (23), and at 3 more fields"),
            (many(8), "23 differ, most often at /f1 (23), and at 7 more fields"),
            // Kinds of one path are one field, and never more than all.
            (report(77, 0, 0, 23).at("/a", "type", 20).at("/a", "missing", 3), "23 differ, all at /a"),
            (
                report(77, 0, 0, 23).at("/b", "type", 21).at("/a", "order", 20).at("/a", "longer", 20),
                "23 differ: at /a (23) and /b (21)",
            ),
            // Beyond the bound.
            (
                ShadowReport { other: 99, ..report(77, 0, 0, 23) },
                "23 differ: at fields that are not told apart",
            ),
            (
                ShadowReport { other: 99, ..report(77, 0, 0, 23).at("/a", "type", 20) },
                "23 differ: at /a (20) and fields that are not told apart",
            ),
            (ShadowReport { other: 99, ..report(77, 0, 0, 23).at("/a", "type", 23) }, "23 differ, all at /a"),
        ] {
            assert_eq!(verdict(&report), format!("v2 answered 77 of 100 requests like stable; {expected}."));
        }
    }

    #[test]
    fn a_shadow_that_nothing_is_known_of_says_why() {
        let with = |change: fn(&mut ShadowReport)| {
            let mut report = report(0, 0, 0, 0);
            change(&mut report);
            verdict(&report)
        };
        for (found, expected) in [
            (with(|_| {}), "No request was copied to v2 yet."),
            (
                with(|report| report.dropped = why(&[("method", 12)])),
                "No copy was sent to v2: 12 were dropped (method).",
            ),
            (
                with(|report| {
                    report.dropped = why(&[("breaker", 2), ("queue", 1300)]);
                    report.resting = true;
                }),
                "No copy was sent to v2: 1,302 were dropped (1,300 queue, 2 breaker); v2 failed too often and has a rest.",
            ),
            (
                with(|report| (report.sent, report.failed) = (412, why(&[("connect", 412)]))),
                "v2 answered none of 412 copies: connect.",
            ),
            (with(|report| report.sent = 1), "Nothing is compared yet of 1 copy to v2."),
            (
                with(|report| {
                    (report.sent, report.answered) = (412, 12);
                    report.failed = why(&[("connect", 10), ("timeout", 390)]);
                    report.uncompared = why(&[("fallback", 12)]);
                }),
                "Nothing is compared yet of 412 copies to v2; 400 copies had no answer: 390 timeout, 10 connect; \
                 12 answers were not compared: fallback.",
            ),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn copies_without_an_answer_are_told_beside_those_with_one() {
        let mut report = report(100, 0, 0, 0);
        report.failed = why(&[("timeout", 1)]);
        report.uncompared = why(&[("memory", 100)]);
        assert_eq!(
            verdict(&report),
            "v2 answered all 100 requests like stable; 1 copy had no answer: timeout."
        );
        report.uncompared = why(&[("memory", 100), ("encoding", 1)]);
        report.failed = BTreeMap::new();
        report.resting = true;
        assert_eq!(
            verdict(&report),
            "v2 answered all 100 requests like stable; 101 answers were not compared: 100 memory, 1 encoding; \
             v2 failed too often and has a rest."
        );
    }

    #[test]
    fn a_pace_is_told_where_anyone_would_notice() {
        for (original, shadow, expected) in [
            (0.0004, 0.0013, "as fast"),
            (0.0004, 0.0018, "1.4 ms slower"),
            (0.1, 0.1049, "as fast"),
            (0.1, 0.106, "6.0 ms slower"),
            (0.1, 0.09, "10 ms faster"),
            (2.0, 0.6, "1.4 s faster"),
            (0.0, 2.0, "2.0 s slower"),
        ] {
            let found = verdict(&report(9, 0, 0, 0).p95(original, shadow));
            assert_eq!(found, format!("v2 answered all 9 requests like stable; p95 is {expected}."));
        }
    }

    #[test]
    fn no_name_of_a_version_s_own_breaks_the_line() {
        let path = format!("/\n\u{1b}[2J/{}", "ä".repeat(500));
        let found = verdict(&report(0, 0, 0, 2).at(&path, "type", 2));
        assert!(!found.contains(char::is_control), "{found:?}");
        assert!(found.contains("/\u{fffd}\u{fffd}[2J/ä") && found.ends_with("ä…."), "{found}");
        assert!(found.chars().count() < 200, "{found}");
    }
}
