//! A report for people, in 80 columns: the verdict first, then what it rests on.

use std::fmt::Write;

use super::fields;
use super::figures::{count, share, time};
use crate::cli::output::text::{cut, plain, wrap};
use crate::cli::output::{BAD, FAINT, GOOD, STRONG, WARN, paint};
use crate::compare::ShadowReport;
use crate::compare::report::{Latency, Quantiles};

/// Columns that everything keeps to.
pub const WIDTH: usize = 80;
/// Where a value stands behind its name.
const VALUE: usize = 13;

/// The whole text.
pub fn render(reports: &[ShadowReport]) -> String {
    if reports.is_empty() {
        return "there is no shadow to tell of: no route has `shadows: [{flag: ..}]`, or no variant names a version\n".to_owned();
    }
    let mut out = String::new();
    for report in reports {
        if !out.is_empty() {
            out.push('\n');
        }
        // Writing to a String cannot fail.
        let _ = write(report, &mut out);
    }
    out
}

/// Whose verdict it is, and the verdict as a line.
pub fn verdict(report: &ShadowReport) -> (String, String) {
    let ShadowReport { route, flag, original, service, version, .. } = report;
    let whose = format!("{route:?} {flag:?} {original:?} {service:?} {version:?}");
    (whose, format!("{}: {}\n", plain(route), plain(&report.verdict)))
}

fn write(report: &ShadowReport, out: &mut String) -> std::fmt::Result {
    let style = match report {
        ShadowReport { differing: 1.., .. } => BAD,
        ShadowReport { compared: 0, .. } | ShadowReport { undecided: 1.., .. } => WARN,
        _ => GOOD,
    };
    for line in wrap(&report.verdict, WIDTH) {
        writeln!(out, "{}", paint(style.bold(), line))?;
    }
    writeln!(out)?;
    write_counts(report, out)?;
    fields::write_differences(report, out)?;
    fields::write_noise(report, out)?;
    report.latency.as_ref().map_or(Ok(()), |latency| write_latency(report, latency, out))
}

fn write_counts(report: &ShadowReport, out: &mut String) -> std::fmt::Result {
    let ShadowReport { route, flag, original, service, version, since, .. } = report;
    line(out, "route", &format!("{route}, as the flag {flag} decides"))?;
    line(out, "copies", &format!("{original} -> {version} of {service}, since {}", seconds(since)))?;
    let twins = match report.twins {
        0 => String::new(),
        n => format!("; {} also with another answer of {original}", count(n)),
    };
    line(out, "sent", &format!("{}, answered {}", count(report.sent), count(report.answered)))?;
    line(out, "compared", &format!("{}{twins}", count(report.compared)))?;
    let parts = [
        ("equal", report.equal, GOOD),
        ("only noise", report.noise, GOOD),
        ("undecided", report.undecided, WARN),
        ("differing", report.differing, BAD),
    ];
    for (what, n, style) in parts.iter().filter(|_| report.compared > 0) {
        let style = if *n > 0 { *style } else { FAINT };
        let part = share(*n as f64 / report.compared as f64);
        writeln!(out, "    {} {:>11} {part:>9}", paint(style, format_args!("{what:<10}")), count(*n))?;
    }
    let reasons =
        [("failed", &report.failed), ("not sent", &report.dropped), ("uncompared", &report.uncompared)];
    for (what, by_reason) in reasons {
        let counted = by_reason.iter().filter(|(_, n)| **n > 0);
        let parts: Vec<String> = counted.map(|(reason, n)| format!("{reason} {}", count(*n))).collect();
        if !parts.is_empty() {
            line(out, what, &parts.join(", "))?;
        }
    }
    if report.resting {
        line(out, "rests", &format!("{version} failed too often, and gets no copies for a while"))?;
    }
    Ok(())
}

fn write_latency(report: &ShadowReport, latency: &Latency, out: &mut String) -> std::fmt::Result {
    let heads = ["p50", "p95", "p99"].map(|head| format!("{head:>10}")).concat();
    writeln!(out, "\n{}{}", paint(STRONG, format_args!("{:<20}", "latency")), paint(FAINT, heads))?;
    let mut row = |name: &str, Quantiles { p50, p95, p99, .. }: &Quantiles| {
        let times = [p50, p95, p99].map(|seconds| format!("{:>10}", time(*seconds))).concat();
        writeln!(out, "  {:<18}{times}", cut(name, 18))
    };
    row(&report.original, &latency.original)?;
    row(&report.version, &latency.shadow)?;
    writeln!(out, "  slower by more than {}: {}", time(latency.slower_by), share(latency.slower))
}

/// A time of RFC 3339, to the second.
fn seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}

/// A name and its value, which may take several lines.
pub fn line(out: &mut String, what: &str, value: &str) -> std::fmt::Result {
    let mut name = what;
    for part in wrap(value, WIDTH - VALUE) {
        writeln!(out, "  {}{part}", paint(FAINT, format_args!("{name:<0$}", VALUE - 2)))?;
        name = "";
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::output::text::columns;

    fn field(path: &str, kind: &str, count: u64, twin: Option<f64>, examples: &[Value]) -> Value {
        json!({"path": path, "kind": kind, "count": count, "rate": count as f64 / 14_233.0, "interval": [0.0011, 0.0024],
            "twin_count": 0, "twin_rate": twin, "first_seen": "", "last_seen": "", "examples": examples})
    }

    fn seen(original: Value, shadow: Value) -> Value {
        json!({"time": "", "request_id": "r", "method": "GET", "path": "/cart/17", "at": "/price/total",
            "original": original, "shadow": shadow})
    }

    fn report() -> ShadowReport {
        serde_json::from_value(json!({
            "route": "checkout", "flag": "checkout-shadow", "original": "stable", "service": "shop", "version": "v2",
            "since": "2026-11-22T12:00:00.123Z",
            "verdict": "v2 answered 14,205 of 14,233 requests like stable; 23 differ, most at /price/total; p95 is 12 ms slower.",
            "sent": 14_300, "answered": 14_290, "failed": {"connect": 2, "timeout": 8}, "dropped": {"method": 120, "queue": 0},
            "resting": true, "compared": 14_233, "equal": 14_000, "noise": 205, "undecided": 5, "differing": 23,
            "uncompared": {"encoding": 57}, "twins": 1423,
            "latency": {"slower_by": 0.1, "slower": 0.003, "original": {"p50": 0.0081, "p90": 0.02, "p95": 0.034, "p99": 0.056},
                "shadow": {"p50": 0.0092, "p90": 0.03, "p95": 0.046, "p99": 1.2}},
            "differences": [
                field("/price/total", "changed", 23, Some(0.0), &[seen(json!("12.34"), json!("12.35"))]),
                field("/generated_at", "format", 3, Some(0.0), &[seen(json!("\"12:00Z\""), json!("\"12:00+01:00\""))]),
                field("/a/rather/long/path/*/to/a/field/that/is/gone", "missing", 2, None, &[seen(json!("\"\u{1b}[2J\""), json!(null))]),
            ],
            "noisy": [
                field("/generated_at", "changed", 14_233, Some(1.0), &[]),
                field("/request, id", "changed", 14_233, Some(1.0), &[]),
                field("header:date", "changed", 200, Some(0.01), &[]),
            ],
            "unsettled": [field("/stock", "type", 5, Some(0.0), &[seen(json!(null), json!(null))])],
            "other": 4,
        }))
        .unwrap()
    }

    const REPORT: &str = r#"v2 answered 14,205 of 14,233 requests like stable; 23 differ, most at
/price/total; p95 is 12 ms slower.

  route      checkout, as the flag checkout-shadow decides
  copies     stable -> v2 of shop, since 2026-11-22T12:00:00Z
  sent       14,300, answered 14,290
  compared   14,233; 1,423 also with another answer of stable
    equal           14,000    98.4 %
    only noise         205    1.44 %
    undecided            5    0.04 %
    differing           23    0.16 %
  failed     connect 2, timeout 8
  not sent   method 120
  uncompared encoding 57
  rests      v2 failed too often, and gets no copies for a while

differences                          how         count     rate  95 % interval
  /price/total                       changed        23   0.16 %  0.11 to 0.24 %
      12.34 -> 12.35  GET /cart/17
  /generated_at                      format          3   0.02 %  0.11 to 0.24 %
      "12:00Z" -> "12:00+01:00"  GET /cart/17
  /a/rather/long/path/*/to/a/field/that/is/gone
                                     missing         2   0.01 %  0.11 to 0.24 %
      "\u{1b}[2J" -> nothing  GET /cart/17

undecided                            how         count     rate  95 % interval
  /stock                             type            5   0.04 %  0.11 to 0.24 %
      not recorded  GET /cart/17

4 more differences are in fields beyond `shadows.max_fields`

noise                                how         count     rate  against itself
  /generated_at                      changed    14,233  100.0 %  100.0 %
  /request, id                       changed    14,233  100.0 %  100.0 %
  header:date                        changed       200   1.41 %  1.00 %
  to leave it out for good, under the shadow's `compare`:
    ignore: ["/request, id", "header:date"]

latency                    p50       p95       p99
  stable                8.1 ms     34 ms     56 ms
  v2                    9.2 ms     46 ms    1.20 s
  slower by more than 100 ms: 0.30 %
"#;

    fn shown(report: ShadowReport) -> String {
        anstream::adapter::strip_str(&render(&[report])).to_string()
    }

    #[test]
    fn a_report_reads_from_the_verdict_to_what_it_rests_on() {
        assert_eq!(shown(report()), REPORT);
    }

    #[test]
    fn a_shadow_without_copies_says_so_and_nothing_else() {
        let empty = ShadowReport {
            verdict: "no copy was sent yet".to_owned(),
            sent: 0,
            answered: 0,
            compared: 0,
            failed: [].into(),
            dropped: [].into(),
            uncompared: [].into(),
            resting: false,
            twins: 0,
            latency: None,
            differences: Vec::new(),
            noisy: Vec::new(),
            unsettled: Vec::new(),
            other: 0,
            ..report()
        };
        assert_eq!(
            shown(empty),
            "no copy was sent yet\n\n\
             \x20 route      checkout, as the flag checkout-shadow decides\n\
             \x20 copies     stable -> v2 of shop, since 2026-11-22T12:00:00Z\n\
             \x20 sent       0, answered 0\n\
             \x20 compared   0\n"
        );
        assert!(render(&[]).starts_with("there is no shadow"));
    }

    #[test]
    fn nothing_leaves_80_columns_or_moves_the_cursor_whoever_names_it() {
        let hostile = "\u{1b}]0;evil\u{7}漢\u{202e}".repeat(30);
        let mut wide = report();
        for text in
            [&mut wide.route, &mut wide.flag, &mut wide.original, &mut wide.version, &mut wide.verdict]
        {
            text.push_str(&hostile);
        }
        for field in wide.differences.iter_mut().chain(&mut wide.noisy).chain(&mut wide.unsettled) {
            field.path.push_str(&hostile);
            field.kind.push_str(&hostile);
            for example in &mut field.examples {
                example.original = Some(hostile.clone());
                example.path.push_str(&hostile);
            }
        }
        wide.dropped.insert(hostile.clone(), u64::MAX);
        for line in shown(wide).lines() {
            assert!(columns(line) <= WIDTH, "{line}");
            assert!(line.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{line:?}");
        }
    }

    #[test]
    fn a_verdict_alone_is_one_line() {
        let (_, line) = verdict(&ShadowReport { verdict: "a\nb".to_owned(), ..report() });
        assert_eq!(line, "checkout: a\\nb\n");
    }
}
