//! From a flag's definition and a rule's result to variant, reason and error code.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{on_off, resolve, set, trace, variant};
use crate::config::{
    FlagLimits,
    FractionalVersion::{V2, V3},
};
use crate::flag::{Definition, Definitions, Entry, ErrorCode, FlagSet, FlagState, JsonContext, Reason};

fn flag(state: &str, default: Json, targeting: Json) -> Json {
    let variants = json!({"on": true, "true": 1, "1": 2, "": 3});
    let variants = if targeting == "" { variants } else { json!({"on": true, "true": 1, "1": 2}) };
    json!({"flags": {"flag": {
        "state": state, "variants": variants, "defaultVariant": default, "targeting": targeting,
    }}})
}

#[test]
fn results_mean_this() {
    let none = Json::Null;
    let on = json!("on");
    for (document, variant_name, reason, error) in [
        (flag("DISABLED", on.clone(), json!({"if": [true, "on"]})), "-", Reason::Disabled, None),
        (flag("ENABLED", on.clone(), none.clone()), "on", Reason::Static, None),
        (flag("ENABLED", on.clone(), json!({})), "on", Reason::Static, None),
        (flag("ENABLED", none.clone(), none.clone()), "-", Reason::Default, None),
        (flag("ENABLED", json!(""), none.clone()), "-", Reason::Default, None),
        (flag("ENABLED", on.clone(), json!({"if": [false, "on"]})), "on", Reason::Default, None),
        (flag("ENABLED", none.clone(), json!({"if": [false, "on"]})), "-", Reason::Default, None),
        (flag("ENABLED", none.clone(), json!({"if": [true, "on"]})), "on", Reason::TargetingMatch, None),
        (flag("ENABLED", on.clone(), json!({"==": [1, 1]})), "true", Reason::TargetingMatch, None),
        (flag("ENABLED", on.clone(), json!({"==": [1, 2]})), "-", Reason::Error, Some(ErrorCode::General)),
        (flag("ENABLED", on.clone(), json!({"+": [0.5, 0.5]})), "1", Reason::TargetingMatch, None),
        (flag("ENABLED", on.clone(), json!({"if": [true, 1.0]})), "1", Reason::TargetingMatch, None),
        (flag("ENABLED", on.clone(), json!({"/": [1, 0]})), "on", Reason::Default, None),
        (flag("ENABLED", on.clone(), json!({"merge": ["on"]})), "-", Reason::Error, Some(ErrorCode::General)),
        (flag("ENABLED", on.clone(), json!({"var": "name"})), "-", Reason::Error, Some(ErrorCode::General)),
        (flag("ENABLED", on.clone(), json!("on")), "on", Reason::TargetingMatch, None),
    ] {
        let set = set(&document, V3);
        let context = json!({"name": "no such variant"});
        let resolution = resolve(&set, "flag", &context);
        assert_eq!((resolution.reason, resolution.error), (reason, error), "{document}");
        assert_eq!(variant(&set, "flag", &context), variant_name, "{document}");
    }
}

#[test]
fn a_flag_that_never_was_good_is_a_parse_error() {
    let entries = Definitions::from_iter([("flag", Entry::Broken(Arc::from("unknown operator")))]);
    let set = FlagSet::compile(&entries, V2, &FlagLimits::default());
    let resolution = resolve(&set, "flag", &json!({}));
    assert_eq!((resolution.variant, resolution.error), (None, Some(ErrorCode::ParseError)));
    assert_eq!(trace(&set, "flag", &json!({}))[0].what, "there is no usable definition: unknown operator");
    assert!(set.get(resolution.flag).variants().is_empty());
}

#[test]
fn reads_are_known_for_every_branch() {
    let rule = json!({"if": [
        {"==": [{"var": "country"}, "DE"]}, {"fractional": [["on", 1], ["off", 1]]},
        {"<": [{"var": "$flagd.timestamp"}, 5]}, {"var": ["plan", {"var": "country"}]},
        {"some": [{"var": "list"}, {"var": "inner"}]}, "on",
    ]});
    let compiled = set(&on_off(rule), V3);
    let reads = &compiled.get(compiled.find("flag").expect("it exists")).reads;
    let names: Vec<_> = reads.slots.iter().map(|slot| &*compiled.paths()[slot.0 as usize]).collect();
    assert_eq!(names, ["country", "plan", "list"]);
    assert!(reads.targeting_key && reads.timestamp && !reads.everything);

    for (rule, key, everything) in [
        (json!({"fractional": [{"var": "email"}, ["on", 1], ["off", 1]]}), false, false),
        (json!({"fractional": [{"if": [true, ["on", 1], ["on", 2]]}, ["off", 1]]}), true, false),
        (json!({"fractional": ["fixed", ["on", 1], ["off", 1]]}), false, false),
        (json!({"fractional": [{"var": "targetingKey"}, ["on", 1], ["off", 1]]}), true, false),
        (json!({"var": {"cat": ["a", "b"]}}), false, true),
        (json!({"missing": {"var": "names"}}), false, true),
        (json!({"var": ""}), true, true),
        (json!({"missing": ["targetingKey"]}), true, false),
        (json!({"map": [[1], {"var": "targetingKey"}]}), false, false),
    ] {
        let compiled = set(&on_off(rule.clone()), V3);
        let reads = &compiled.get(compiled.find("flag").expect("it exists")).reads;
        assert_eq!((reads.targeting_key, reads.everything), (key, everything), "{rule}");
    }
}

#[test]
fn a_unit_that_is_null_needs_the_targeting_key_in_v2() {
    let rule = json!({"fractional": [{"var": "email"}, ["on", 1], ["off", 1]]});
    let compiled = set(&on_off(rule), V2);
    assert!(compiled.get(compiled.find("flag").expect("it exists")).reads.targeting_key);
}

#[test]
fn the_deepest_rule_runs_and_a_deeper_one_is_a_parse_error() {
    let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!({"!": [inner]}));
    let definition = |depth| Definition {
        key: "flag".into(),
        state: FlagState::Enabled,
        variants: vec![("true".into(), json!(1)), ("false".into(), json!(0))],
        default_variant: None,
        targeting: Some(nested(depth)),
        metadata: BTreeMap::new(),
        place: None,
    };
    for (depth, error) in [(190, None), (300, Some(ErrorCode::ParseError))] {
        let entries = Definitions::from_iter([("flag", Entry::Good(Arc::new(definition(depth))))]);
        let set = FlagSet::compile(&entries, V3, &FlagLimits::default());
        assert_eq!(resolve(&set, "flag", &json!({})).error, error);
        assert!(!trace(&set, "flag", &json!({})).is_empty());
    }
}

#[test]
fn a_disabled_flag_reads_nothing() {
    let compiled = set(&flag("DISABLED", Json::Null, json!({"var": "country"})), V3);
    assert!(compiled.paths().is_empty());
}

#[test]
fn a_trace_tells_operands_branch_unit_and_bucket() {
    let rule = json!({"if": [
        {"==": [{"var": "header.x-canary"}, "always"]}, "on",
        {"fractional": [["on", 1], ["off", 99]]},
    ]});
    let set = set(&on_off(rule), V3);
    let told = |context: &Json| -> Vec<String> {
        let steps = trace(&set, "flag", context);
        steps
            .iter()
            .map(|step| format!("{}{} = {}", "  ".repeat(step.depth), step.what, step.result))
            .collect()
    };
    assert_eq!(
        told(&json!({"header": {"x-canary": "always"}})),
        [
            "{\"if\": [{\"==\": [var header.x-canary, \"always\"]}, \"on\", {\"fractional\": [[\"on\", 1], [\"off\", 99]]}]} \
             = variant \"on\" (condition 1 of 1 holds)",
            "  {\"==\": [var header.x-canary, \"always\"]} = true",
            "    var header.x-canary = \"always\"",
            "the rule's result = variant \"on\", TARGETING_MATCH",
        ]
    );
    let told = told(&json!({"targetingKey": "user-1"}));
    assert!(told[0].ends_with(" = variant \"off\" (else)"), "{}", told[0]);
    assert_eq!(
        told[3],
        "  {\"fractional\": [[\"on\", 1], [\"off\", 99]]} = variant \"off\" \
         (unit: flag key and targeting key \"user-1\"; bucket 28 of 100, part 2 of 2)"
    );
}

#[test]
fn a_trace_and_an_evaluation_agree() {
    let set = set(&on_off(json!({"fractional": [["on", {"var": "w"}], ["off", 50]]})), V2);
    for user in 0..100 {
        let attributes = json!({"targetingKey": format!("user-{user}"), "w": user});
        let context = JsonContext { paths: set.paths(), attributes: &attributes, timestamp: 0 };
        let id = set.find("flag").expect("it exists");
        assert_eq!(set.trace(id, &context).0, set.evaluate(id, &context));
    }
}
