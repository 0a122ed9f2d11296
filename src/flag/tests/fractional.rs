//! `fractional` against flagd's own engines (tests/golden), and its rules for units, weights and buckets.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{on_off, resolve, set, variant};
use crate::config::FractionalVersion::{self, V2, V3};
use crate::flag::Reason;

/// One flag and who falls into which of its buckets.
#[derive(Deserialize)]
struct Golden {
    flag: String,
    weights: Weights,
    unit: Option<String>,
    pairs: Vec<(Json, usize)>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Weights {
    Even(usize),
    Each(Vec<i64>),
}

impl Weights {
    fn list(&self) -> Vec<i64> {
        match self {
            Weights::Even(count) => vec![1; *count],
            Weights::Each(weights) => weights.clone(),
        }
    }
}

fn check(golden: &str, version: FractionalVersion, at_least: usize) {
    let golden: Vec<Golden> = serde_json::from_str(golden).expect("golden vectors are JSON");
    assert!(golden.iter().map(|one| one.pairs.len()).sum::<usize>() >= at_least);
    for Golden { flag, weights, unit, pairs } in golden {
        let weights = weights.list();
        let buckets = weights.iter().enumerate().map(|(index, weight)| json!([index.to_string(), weight]));
        let explicit = unit.iter().map(|unit| json!({"var": unit}));
        let variants: serde_json::Map<_, _> =
            (0..weights.len()).map(|index| (index.to_string(), json!("value"))).collect();
        let rule = json!({"fractional": explicit.chain(buckets).collect::<Vec<_>>()});
        let set = set(
            &json!({"flags": {&flag: {"state": "ENABLED", "variants": variants, "targeting": rule}}}),
            version,
        );
        for (key, winner) in pairs {
            let context = match &unit {
                Some(unit) => json!({"targetingKey": "nobody", unit: key}),
                None => json!({"targetingKey": key}),
            };
            assert_eq!(variant(&set, &flag, &context), winner.to_string(), "{flag}: {key}");
        }
    }
}

#[test]
fn buckets_equal_those_of_the_npm_engine() {
    check(include_str!("../../../tests/golden/fractional_v2.json"), V2, 1000);
}

#[test]
fn buckets_beyond_ascii_equal_those_of_the_python_engine_in_v2() {
    check(include_str!("../../../tests/golden/fractional_v2_unicode.json"), V2, 150);
}

#[test]
fn buckets_equal_those_of_the_python_engine_in_v3() {
    check(include_str!("../../../tests/golden/fractional_v3.json"), V3, 1000);
}

#[test]
fn the_testbeds_shorthand_vectors_hold() {
    let document = json!({"flags": {"fractional-flag-shorthand": {
        "state": "ENABLED", "variants": {"heads": "heads", "tails": "tails"}, "defaultVariant": "heads",
        "targeting": {"fractional": [["heads"], ["tails", 1]]},
    }}});
    for (key, v2, v3) in [("jon@company.com", "heads", "tails"), ("jane@company.com", "tails", "tails")] {
        let context = json!({"targetingKey": key});
        assert_eq!(variant(&set(&document, V2), "fractional-flag-shorthand", &context), v2);
        assert_eq!(variant(&set(&document, V3), "fractional-flag-shorthand", &context), v3);
    }
}

#[test]
fn the_testbeds_edge_hashes_fall_on_their_side() {
    let set = set(&on_off(json!({"fractional": [{"var": "key"}, ["on", 50], ["off", 50]]})), V2);
    for (key, side) in
        [("ejOoVL", "on"), ("bY9fO-", "on"), ("SI7p-", "on"), ("6LvT0", "off"), ("ceQdGm", "off")]
    {
        assert_eq!(variant(&set, "flag", &json!({"key": key})), side, "{key}");
    }
}

/// A rule over the variants on and off, and what it gives `user-1` in v2 and v3: `default` for null.
#[test]
fn what_makes_no_sense_gives_the_default() {
    for (rule, v2, v3) in [
        (json!([]), "default", "default"),
        (json!([["on", 1]]), "on", "on"),
        (json!([["on"]]), "on", "on"),
        (json!([["on", 50.0]]), "on", "on"),
        (json!([["on", 0], ["off", 0]]), "default", "default"),
        (json!([["on", -5], ["off", 1]]), "off", "off"),
        (json!([["on", 1.5], ["off", 1]]), "default", "default"),
        (json!([["on", "50"], ["off", 1]]), "default", "default"),
        (json!([["on", true], ["off", 1]]), "default", "default"),
        (json!([["on", null], ["off", 1]]), "default", "default"),
        (json!([["on", 1, 1]]), "default", "default"),
        (json!([[]]), "default", "default"),
        (json!([[null, 1]]), "default", "default"),
        (json!([[["on"], 1]]), "default", "default"),
        (json!([["on", 2147483647], ["off", 0]]), "on", "on"),
        (json!([["on", 2147483647], ["off", 1]]), "default", "default"),
        (json!(["fixed", ["on", 1]]), "on", "on"),
        (json!(["", ["on", 1]]), "on", "on"),
        (json!("fixed"), "default", "default"),
        // Only v3 hashes what is no text.
        (json!([5, ["on", 1]]), "default", "on"),
        (json!([true, ["on", 1]]), "default", "on"),
        (json!([{"var": "object"}, ["on", 1]]), "default", "on"),
        // v2 falls back to the implicit unit, v3 does not.
        (json!([{"var": "missing"}, ["on", 1]]), "on", "default"),
        // The first argument turns out to be a bucket.
        (json!([{"var": "bucket"}, ["off", 0]]), "on", "on"),
        (json!([{"var": "bucket"}, ["off", {"+": [0]}]]), "on", "on"),
        (json!([{"var": "list"}, ["off", 1]]), "default", "default"),
        // Computed parts.
        (json!([["on", {"var": "one"}], ["off", {"-": [1, 1]}]]), "on", "on"),
        (json!([["on", {"var": "missing"}], ["off", 1]]), "default", "default"),
        (json!([["on", {"var": "text"}], ["off", 1]]), "default", "default"),
        (json!([["on", {"-": [0, 9]}], ["off", 1]]), "off", "off"),
        (json!([[{"if": [true, "on"]}, 1]]), "on", "on"),
        (json!([[{"var": "missing"}, 1]]), "default", "default"),
        (json!([[{"fractional": [["on", 1]]}, 1], ["off", 0]]), "on", "on"),
        (json!([{"if": [true, ["on", 1]]}, ["off", 0]]), "on", "on"),
        (json!([["off", 0], {"var": "bucket"}]), "on", "on"),
        (json!([["off", 0], {"var": "one"}]), "default", "default"),
        // Inside a list's body there is no targeting key.
        (json!([[{"reduce": [[1], {"fractional": [["on", 1]]}, "on"]}, 1]]), "default", "default"),
    ] {
        let context = json!({
            "targetingKey": "user-1", "one": 1, "text": "1", "object": {"a": 1}, "bucket": ["on", 1], "list": [["on"], 1],
        });
        for (version, expected) in [(V2, v2), (V3, v3)] {
            let set = set(&on_off(json!({"fractional": rule})), version);
            let resolution = resolve(&set, "flag", &context);
            let got = if resolution.reason == Reason::Default {
                "default"
            } else {
                variant(&set, "flag", &context)
            };
            assert_eq!(got, expected, "{version:?} {rule}");
        }
    }
}

#[test]
fn without_a_targeting_key_the_default_serves() {
    for rule in [json!([["on", 1]]), json!([["on", {"+": 1}]]), json!([{"var": "missing"}, ["on", 1]])] {
        for context in [
            json!({}),
            json!({"targetingKey": ""}),
            json!({"targetingKey": 5}),
            json!({"targetingKey": null}),
        ] {
            for version in [V2, V3] {
                let set = set(&on_off(json!({"fractional": rule})), version);
                assert_eq!(resolve(&set, "flag", &context).reason, Reason::Default, "{rule} {context}");
            }
        }
    }
}

#[test]
fn booleans_and_numbers_name_variants() {
    let document = json!({"flags": {"flag": {
        "state": "ENABLED", "variants": {"true": "yes", "7": "seven"},
        "targeting": {"if": [{"var": "flip"}, {"fractional": [[true, 1]]}, {"fractional": [[7.0, 1]]}]},
    }}});
    let set = set(&document, V3);
    assert_eq!(variant(&set, "flag", &json!({"targetingKey": "u", "flip": 1})), "true");
    assert_eq!(variant(&set, "flag", &json!({"targetingKey": "u"})), "7");
}

#[test]
fn a_ramp_over_time_widens_from_nobody_to_all() {
    let rule = json!({"fractional": [
        ["on", {"-": [{"var": "$flagd.timestamp"}, 1_000]}], ["off", {"-": [2_000, {"var": "$flagd.timestamp"}]}],
    ]});
    let set = set(&on_off(rule), V3);
    let share = |timestamp| {
        let on = (0..1000).filter(|user| {
            let attributes = json!({"targetingKey": format!("user-{user}")});
            let context = crate::flag::JsonContext { paths: set.paths(), attributes: &attributes, timestamp };
            let id = set.find("flag").expect("it exists");
            let chosen =
                set.evaluate(id, &context).variant.and_then(|variant| set.get(id).variant_name(variant));
            chosen.is_some_and(|name| &**name == "on")
        });
        on.count()
    };
    assert_eq!((share(0), share(1_000), share(2_000), share(3_000)), (0, 0, 1000, 1000));
    let half = share(1_500);
    assert!((440..560).contains(&half), "{half}");
}

/// Buckets that are made while the rule runs split as those that are written do.
#[test]
fn computed_buckets_are_those_that_are_written() {
    let written = json!({"fractional": [["on", 50], ["off", 25], [null, 25]]});
    let halves = json!({"fractional": [["on", 1], ["off", 1]]});
    for (rule, same) in [
        (json!({"fractional": [{"var": "bucket"}, ["off", 25], [null, 25]]}), &written),
        (json!({"fractional": [[{"cat": ["on"]}, 50], ["off", 25], [null, 25]]}), &written),
        (json!({"fractional": [[{"cat": ["on"]}], ["off", 1]]}), &halves),
        (json!({"fractional": [["on", {"+": [0, 1]}], ["off"]]}), &halves),
    ] {
        for version in [V2, V3] {
            let (set, same) =
                (set(&on_off(rule.clone()), version), self::set(&on_off(same.clone()), version));
            for user in 0..200 {
                let context = json!({"targetingKey": format!("user-{user}"), "bucket": ["on", 50]});
                assert_eq!(
                    resolve(&set, "flag", &context),
                    resolve(&same, "flag", &context),
                    "{rule}, {user}"
                );
            }
        }
    }
}

#[test]
fn a_constant_unit_reads_no_targeting_key() {
    for (unit, version, reads) in [
        (json!("everybody"), V2, false),
        (json!("everybody"), V3, false),
        (Json::Null, V2, true),
        (json!({"var": "team"}), V2, true),
        (json!({"var": "team"}), V3, false),
    ] {
        let set = set(&on_off(json!({"fractional": [unit, ["on", 1]]})), version);
        let flag = set.find("flag").map(|id| set.get(id));
        assert_eq!(flag.map(|flag| flag.reads.targeting_key), Some(reads), "{unit} in {version:?}");
    }
}
