//! Exact edges of what a document may be: this much is fine, one more is not.

use serde_json::{Value as Json, json};

use crate::config::FlagLimits;
use crate::flag::{Document, Format};

/// What is wrong first with each flag of a document, by key; empty when nothing is.
fn wrong(document: &Json, limits: &FlagLimits) -> Vec<String> {
    let document = Document::parse("f", &document.to_string(), Format::Json, limits).expect("it is a document");
    let first = |flag: Result<_, Vec<crate::config::Problem>>| flag.err().map_or(String::new(), |why| why[0].found.clone());
    document.flags.into_values().map(first).collect()
}

/// A document of one flag with this rule.
fn rule(rule: Json) -> Json {
    json!({"flags": {"f": flag(rule)}})
}

fn flag(rule: Json) -> Json {
    json!({"state": "ENABLED", "variants": {"on": 1}, "targeting": rule})
}

#[test]
fn a_rule_may_be_exactly_so_deep() {
    let limits = FlagLimits { rule_depth: 3, ..FlagLimits::default() };
    for deep in [json!({"!": {"!": {"!": 1}}}), json!({"!": [{"!": [{"!": [1]}]}]}), json!({"merge": [[[1]]]})] {
        assert_eq!(wrong(&rule(deep.clone()), &limits), [""], "{deep}");
        let deeper = json!({"!": deep});
        let why = "the rule is nested more than 3 operators deep";
        assert_eq!(wrong(&rule(deeper.clone()), &limits), [why], "{deeper}");
    }
    assert_eq!(wrong(&rule(json!({"merge": [[[[1]]]]})), &limits)[0], "the rule is nested more than 3 operators deep");
}

#[test]
fn a_rule_may_have_exactly_so_many_values() {
    // The operator, its list and what is in it.
    let sum = rule(json!({"+": [1, 2, 3]}));
    assert_eq!(wrong(&sum, &FlagLimits { rule_nodes: 5, ..FlagLimits::default() }), [""]);
    let why = "the rule has more than 4 values with its `$ref`s put in";
    assert_eq!(wrong(&sum, &FlagLimits { rule_nodes: 4, ..FlagLimits::default() }), [why]);
}

#[test]
fn all_rules_together_may_have_exactly_so_many_values() {
    // 102 values, and one for the reference to it.
    let document = json!({
        "$evaluators": {"large": {"+": vec![1; 100]}},
        "flags": {"a": flag(json!({"$ref": "large"})), "b": flag(json!({"$ref": "large"})), "c": flag(json!({"$ref": "large"}))},
    });
    assert_eq!(wrong(&document, &FlagLimits { values: 309, ..FlagLimits::default() }), ["", "", ""]);
    let why = "all rules of this document together are too large with their `$ref`s put in";
    assert_eq!(wrong(&document, &FlagLimits { values: 308, ..FlagLimits::default() }), ["", "", why]);
}
