//! The compiled form and the naive evaluator give the same answer to everything that is asked.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value as Json, json};

use crate::generator::{context, expression};
use crate::naive::{self, Hash, Outcome, Question};
use crate::ours;

const NOW: i64 = 1_800_000_000;
const HASHES: [Hash; 2] = [Hash::V2, Hash::V3];

/// The same cases each time, unless `PROPTEST_RNG_SEED` says otherwise; `PROPTEST_CASES` (256) scales how many.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(5),
        fixed => fixed,
    };
    ProptestConfig { cases: config.cases * 8, rng_seed, failure_persistence: None, ..config }
}

/// A document of one flag with the variants `on`, `off` (the default) and one more.
fn document(rule: &Json, variant: &str) -> Json {
    json!({"flags": {"flag": {
        "state": "ENABLED", "variants": {"on": true, "off": false, variant: "found"}, "defaultVariant": "off", "targeting": rule,
    }}})
}

/// Asks both. `None`: a bomb, for which each has its own limits.
fn both(document: &Json, key: &str, question: Question) -> Option<(Outcome, Outcome)> {
    let (naive, meter) = naive::resolve(document, key, question);
    let ours = ours::resolve(document, key, question);
    // Far below the limits nothing is a bomb.
    assert!(ours.is_some() || meter.steps > 1_000 || meter.bytes > 8_192, "{meter:?}: {document}");
    ours.zip(naive.ok())
}

/// The value of an expression and its type, in one text: `[value, is it true, null, a number, a text, a boolean]`.
fn probe(expression: &Json) -> Json {
    let truth = json!({"!!": [expression]});
    json!({"cat": [
        "=", expression, "|", truth, {"==": [expression, null]}, {"===": [{"+": [expression]}, expression]},
        {"===": [{"cat": [expression]}, expression]}, {"===": [truth, expression]},
    ]})
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_rule_resolves_alike(rule in expression(), context in context()) {
        for hash in HASHES {
            let question = Question { context: &context, now: NOW, hash };
            if let Some((ours, naive)) = both(&document(&rule, "true"), "flag", question) {
                prop_assert_eq!(ours, naive, "{:?}, ours is left", hash);
            }
        }
    }

    /// What a rule gives is seen through the variant that it names; so the one that the naive evaluator expects is defined.
    #[test]
    fn every_expression_has_the_same_value(expression in expression(), context in context()) {
        let rule = probe(&expression);
        for hash in HASHES {
            let question = Question { context: &context, now: NOW, hash };
            let Some(expected) = naive::written(&rule, "flag", question) else { continue };
            if expected.len() > 256 || expected.chars().any(char::is_control) {
                continue;
            }
            if let Some((ours, naive)) = both(&document(&rule, &expected), "flag", question) {
                let name = ours.variant.as_ref().map(|(name, _)| name.as_str());
                prop_assert_eq!(name, Some(expected.as_str()), "{:?}, ours is left", hash);
                prop_assert_eq!(&ours, &naive);
            }
        }
    }
}
