//! What a ledger tells of what it was told.

use std::collections::BTreeSet;
use std::time::UNIX_EPOCH;

use proptest::prelude::*;

use super::*;
use crate::compare::{Difference, Kind};
use crate::config::shadow::Share;

fn ledger(noise: f64, max_fields: usize) -> Ledger {
    let rules = CompareRules {
        sample: Share(1.0),
        noise: Share(noise),
        headers: Vec::new(),
        max_body: 1000,
        ignore: Vec::new(),
        arrays: Vec::new(),
        tolerance: Vec::new(),
        slower_by: Duration::from_millis(100),
        redact: Vec::new(),
        examples: 3,
    };
    let [route, flag, original, service, version] =
        ["checkout", "checkout-shadow", "stable", "checkout", "v2"].map(str::to_owned);
    Ledger::new(Subject { route, flag, original, service, version }, &rules, max_fields, second(0))
}

fn second(n: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + n)
}

fn difference((path, kind): (&str, Kind)) -> Difference {
    let at = path.replace('*', "0");
    Difference {
        path: path.to_owned(),
        at,
        kind,
        original: Some("1".to_owned()),
        other: Some("2".to_owned()),
    }
}

fn comparison(fields: &[(&str, Kind)]) -> Comparison {
    Comparison { differences: fields.iter().copied().map(difference).collect() }
}

fn observation(shadow: &[(&str, Kind)], twin: Option<&[(&str, Kind)]>) -> Observation {
    Observation {
        shadow: comparison(shadow),
        twin: twin.map(comparison),
        waited: (Duration::from_millis(10), Duration::from_millis(20)),
        at: second(1),
        request_id: "r-1".to_owned(),
        method: "GET".to_owned(),
        path: "/checkout".to_owned(),
    }
}

const PRICE: (&str, Kind) = ("/items/*/price", Kind::Changed);
const TIME: (&str, Kind) = ("/time", Kind::Changed);
const ZONE: (&str, Kind) = ("/time", Kind::Format);

fn times(n: u32, ledger: &Ledger, shadow: &[(&str, Kind)], twin: Option<&[(&str, Kind)]>) {
    (0..n).for_each(|_| ledger.observe(observation(shadow, twin)));
}

/// Equal, noise, undecided, differing.
fn tally(ledger: &Ledger) -> [u64; 4] {
    let report = ledger.report(false);
    assert_eq!(report.compared, report.equal + report.noise + report.undecided + report.differing);
    [report.equal, report.noise, report.undecided, report.differing]
}

fn names(fields: &[FieldReport]) -> Vec<(&str, &str, u64)> {
    fields.iter().map(|field| (field.path.as_str(), field.kind.as_str(), field.count)).collect()
}

#[test]
fn copies_are_counted_by_what_became_of_them() {
    let ledger = ledger(0.0, 10);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                (0..100).for_each(|_| ledger.sent());
                (0..20).for_each(|_| ledger.answered());
                Dropped::ALL.iter().for_each(|why| ledger.dropped(*why));
                Failed::ALL.iter().for_each(|why| ledger.failed(*why));
                Uncompared::ALL.iter().for_each(|why| ledger.uncompared(*why));
            });
        }
    });
    ledger.dropped(Dropped::NoEndpoint);
    ledger.failed(Failed::Timeout);
    let report = ledger.report(true);
    assert_eq!((report.sent, report.answered, report.resting), (400, 80, true));
    let sizes = [report.dropped.len(), report.failed.len(), report.uncompared.len()];
    assert_eq!(sizes, [Dropped::ALL.len(), Failed::ALL.len(), Uncompared::ALL.len()]);
    assert_eq!(
        [report.dropped["no_endpoint"], report.dropped["method"], report.failed["timeout"]],
        [5, 4, 5]
    );
    ledger.reset(second(60));
    let report = ledger.report(false);
    assert_eq!((report.sent, report.answered, report.since.as_str()), (0, 0, "2027-01-15T08:01:00.000Z"));
    assert!(report.dropped.is_empty() && report.failed.is_empty() && report.uncompared.is_empty());
}

#[test]
fn without_twins_every_difference_counts() {
    let ledger = ledger(0.0, 10);
    times(7, &ledger, &[], None);
    times(1, &ledger, &[PRICE], None);
    times(2, &ledger, &[ZONE, TIME], None);
    assert_eq!(tally(&ledger), [7, 0, 0, 3]);
    let report = ledger.report(false);
    let expected = [("/time", "changed", 2), ("/time", "format", 2), ("/items/*/price", "changed", 1)];
    assert_eq!(names(&report.differences), expected);
    let first = &report.differences[0];
    assert_eq!((first.rate, first.twin_count, first.twin_rate), (0.2, 0, None));
    assert!(first.interval[0] > 0.05 && first.interval[1] < 0.52, "{:?}", first.interval);
    assert_eq!(
        report.verdict.split("; p95").next().unwrap(),
        "v2 answered 7 of 10 requests like stable; 3 differ: at /time (3) and /items/*/price (1)"
    );
}

#[test]
fn what_is_learned_later_holds_for_what_was_seen_before() {
    let ledger = ledger(1.0, 10);
    times(5, &ledger, &[TIME], Some(&[]));
    times(2, &ledger, &[TIME, PRICE], Some(&[]));
    times(20, &ledger, &[], Some(&[]));
    assert_eq!(tally(&ledger), [20, 0, 7, 0]);
    // The clock's field is noise, and what differs at it alone was no difference.
    times(4, &ledger, &[TIME], Some(&[TIME]));
    assert_eq!(tally(&ledger), [20, 9, 2, 0]);
    times(20, &ledger, &[PRICE], Some(&[]));
    assert_eq!(tally(&ledger), [20, 9, 0, 22]);
    let report = ledger.report(false);
    assert_eq!(names(&report.differences), [("/items/*/price", "changed", 22)]);
    assert_eq!(names(&report.noisy), [("/time", "changed", 11)]);
    assert_eq!((report.noisy[0].twin_count, report.noisy[0].twin_rate), (4, Some(4.0 / 51.0)));
    assert_eq!(names(&report.unsettled), []);
}

#[test]
fn a_form_that_differs_shows_in_a_value_that_always_does() {
    let ledger = ledger(1.0, 10);
    times(50, &ledger, &[ZONE], Some(&[TIME]));
    assert_eq!(tally(&ledger), [0, 0, 0, 50]);
    let report = ledger.report(false);
    assert_eq!(names(&report.differences), [("/time", "format", 50)]);
    assert_eq!(names(&report.noisy), [("/time", "changed", 0)]);
}

#[test]
fn fields_beyond_the_bound_are_judged_as_one() {
    let fill = |twin: bool| {
        let ledger = ledger(1.0, 1);
        times(1, &ledger, &[TIME], Some(&[TIME]));
        for n in 0..40 {
            let [own, its] = ["shadow", "twin"].map(|who| format!("/{who}/{n}"));
            let its: &[(&str, Kind)] = if twin { &[(&its, Kind::Added)] } else { &[] };
            times(1, &ledger, &[(&own, Kind::Added), (&own, Kind::Missing)], Some(its));
        }
        (tally(&ledger), ledger.report(false))
    };
    // Names that are new in every answer, of either version: noise.
    let (counts, report) = fill(true);
    assert_eq!((counts, report.other), ([0, 41, 0, 0], 80));
    // Names that only the shadow makes up: a difference, if without a name.
    let (counts, report) = fill(false);
    assert_eq!((counts, report.other), ([0, 1, 0, 40], 80));
    assert!(report.verdict.contains("40 differ: at fields that are not told apart"), "{}", report.verdict);
    assert!(report.differences.is_empty());
}

#[test]
fn examples_tell_what_was_seen_and_when() {
    let ledger = ledger(1.0, 10);
    let mut seen = observation(&[PRICE, TIME], Some(&[TIME]));
    seen.shadow.differences[1].original = None;
    ledger.observe(seen);
    let lines = ledger.examples();
    let told: Vec<(&str, &str, &str)> = lines
        .iter()
        .map(|line| (line.class.as_str(), line.field.as_str(), line.example.at.as_str()))
        .collect();
    assert_eq!(told, [("unsettled", "/items/*/price", "/items/0/price"), ("noise", "/time", "/time")]);
    let json = serde_json::to_string(&lines[1]).unwrap();
    let expected = r#"{"route":"checkout","original_version":"stable","service":"checkout","version":"v2","field":"/time","kind":"changed","class":"noise","time":"2027-01-15T08:00:01.000Z","request_id":"r-1","method":"GET","path":"/checkout","at":"/time","original":null,"shadow":"2"}"#;
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_str::<ExampleLine>(&json).unwrap(), lines[1]);
}

#[test]
fn examples_of_all_fields_have_a_bound() {
    let ledger = ledger(0.0, 2000);
    let paths: Vec<String> = (0..2000).map(|n| format!("/{n}")).collect();
    let fields: Vec<(&str, Kind)> = paths.iter().map(|path| (path.as_str(), Kind::Added)).collect();
    times(3, &ledger, &fields, None);
    assert_eq!(ledger.examples().len(), 5000);
    ledger.reset(second(2));
    times(1, &ledger, &fields, None);
    assert_eq!(ledger.examples().len(), 2000);
}

#[test]
fn latency_is_told_for_both() {
    let ledger = ledger(0.0, 10);
    assert_eq!(ledger.report(false).latency, None);
    for n in 1..=100 {
        let waited = (Duration::from_millis(n), Duration::from_millis(2 * n));
        ledger.observe(Observation { waited, ..observation(&[], None) });
    }
    let waited = (Duration::ZERO, Duration::MAX);
    ledger.observe(Observation { waited, ..observation(&[("latency", Kind::Slower)], None) });
    let report = ledger.report(false);
    let latency = report.latency.unwrap();
    for (found, expected) in [
        (latency.original.p50, 0.05),
        (latency.original.p99, 0.099),
        (latency.shadow.p50, 0.102),
        (latency.shadow.p90, 0.182),
        (latency.shadow.p95, 0.192),
    ] {
        assert!((found - expected).abs() < 0.001 * expected, "{found} is not {expected}");
    }
    // Slower by 100 ms is not slower by more than that.
    assert_eq!((latency.slower_by, latency.slower), (0.1, 1.0 / 101.0));
    assert_eq!(names(&report.differences), [("latency", "slower", 1)]);
    ledger.reset(second(2));
    assert_eq!(ledger.report(false).latency, None);
}

#[test]
fn a_report_reads_as_it_was_written() {
    let ledger = ledger(1.0, 10);
    times(30, &ledger, &[PRICE], Some(&[]));
    times(3, &ledger, &[TIME], Some(&[TIME]));
    times(1, &ledger, &[ZONE], None);
    ledger.sent();
    ledger.failed(Failed::Closed);
    let report = ledger.report(true);
    assert_eq!([report.differences.len(), report.noisy.len(), report.unsettled.len()], [1, 1, 1]);
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<ShadowReport>(&json).unwrap(), report);
}

proptest! {
    /// Recounts every request from what the report itself calls a difference and noise.
    #[test]
    fn each_request_is_what_its_worst_field_is(
        noise in prop_oneof![Just(0.0), Just(1.0)],
        seen in prop::collection::vec((0u32..64, prop::option::weighted(0.7, 0u32..64)), 0..200),
        rare in 1u32..64,
    ) {
        const FIELDS: [(&str, Kind); 6] = [
            PRICE, TIME, ZONE, ("status", Kind::Changed), ("/items", Kind::Order), ("latency", Kind::Slower),
        ];
        let pick = |bits: u32| -> Vec<(&str, Kind)> {
            FIELDS.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1).map(|(_, field)| *field).collect()
        };
        let ledger = ledger(noise, 100);
        for (shadow, twin) in &seen {
            // Some fields never differ with twins.
            let twin = twin.map(|bits| pick(bits & rare));
            ledger.observe(observation(&pick(*shadow), twin.as_deref()));
        }
        let report = ledger.report(false);
        let set = |fields: &[FieldReport]| -> BTreeSet<(String, String)> {
            fields.iter().map(|field| (field.path.clone(), field.kind.clone())).collect()
        };
        let (differences, unsettled) = (set(&report.differences), set(&report.unsettled));
        let mut recount = [0; 4];
        for (shadow, _) in &seen {
            let fields: Vec<_> =
                pick(*shadow).iter().map(|(path, kind)| (path.to_string(), kind.label().to_owned())).collect();
            let class = match &fields[..] {
                [] => 0,
                fields if fields.iter().any(|field| differences.contains(field)) => 3,
                fields if fields.iter().any(|field| unsettled.contains(field)) => 2,
                _ => 1,
            };
            recount[class] += 1;
        }
        prop_assert_eq!(tally(&ledger), recount);
        prop_assert_eq!(report.compared, seen.len() as u64);
        prop_assert_eq!(report.twins, seen.iter().filter(|(_, twin)| twin.is_some()).count() as u64);
        for field in report.differences.iter().chain(&report.noisy).chain(&report.unsettled) {
            let here = FIELDS.iter().position(|(path, kind)| *path == field.path && kind.label() == field.kind).unwrap();
            let count = |bits: u32| u64::from(bits >> here & 1);
            prop_assert_eq!(field.count, seen.iter().map(|(shadow, _)| count(*shadow)).sum::<u64>());
            prop_assert_eq!(field.twin_count, seen.iter().filter_map(|(_, twin)| *twin).map(|bits| count(bits & rare)).sum::<u64>());
            prop_assert!(field.interval[0] <= field.rate && field.rate <= field.interval[1]);
        }
        for fields in [&report.differences, &report.noisy, &report.unsettled] {
            prop_assert!(fields.is_sorted_by_key(|field| (std::cmp::Reverse(field.count), field.path.clone())));
        }
    }
}
