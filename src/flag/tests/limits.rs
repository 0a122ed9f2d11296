//! What an evaluation may use: rules that try to use more, and how it is told.

use serde_json::{Value as Json, json};

use super::{limited, on_off, resolve, set, trace, variant};
use crate::config::FlagLimits;
use crate::config::FractionalVersion::{V2, V3};
use crate::flag::Limit::{self, Bytes, Steps};
use crate::flag::{ErrorCode, FlagSet, JsonContext, Step};

/// The limit that a rule goes over; an evaluation and its trace agree about it.
fn over(set: &FlagSet, attributes: &Json) -> Option<Limit> {
    let resolution = resolve(set, "flag", attributes);
    let context = JsonContext { paths: set.paths(), attributes, timestamp: 1_800_000_000 };
    assert_eq!(set.trace(resolution.flag, &context).0, resolution);
    let limit = resolution.error.and_then(ErrorCode::limit);
    assert_eq!(limit.is_some(), resolution.variant.is_none(), "over a limit there is no variant");
    limit
}

fn numbers(count: u32) -> Json {
    (0..count).collect()
}

#[test]
fn a_rule_that_goes_over_a_limit_is_an_error_and_not_a_long_wait() {
    let list = numbers(200);
    let long = "x".repeat(60_000);
    let accumulator = json!({"var": "accumulator"});
    for (bomb, limit) in [
        (json!({"map": [list, {"map": [list, {"map": [list, {"map": [list, 1]}]}]}]}), Bytes),
        (json!({"some": [list, {"some": [list, {"==": [{"var": ""}, "x"]}]}]}), Steps),
        (json!({"reduce": [list, {"cat": [accumulator, accumulator]}, "x"]}), Bytes),
        (json!({"reduce": [list, {"substr": [{"cat": [accumulator, accumulator]}, 1]}, "xyz"]}), Bytes),
        (json!({"reduce": [list, {"merge": [accumulator, accumulator]}, [1]]}), Bytes),
        (json!({"reduce": [list, [accumulator, accumulator], [1]]}), Bytes),
        (json!({"reduce": [list, [[[[[[[[accumulator]]]]]]]], [1]]}), Bytes),
        (json!({"map": [list, {"cat": [long, 1]}]}), Bytes),
        (json!({"map": [list, {"in": ["y", long]}]}), Steps),
        (json!({"map": [list, {"in": [long, [long.clone() + "y", long.clone()]]}]}), Steps),
        (json!({"map": [list, {"fractional": [long, ["on", 1]]}]}), Steps),
        (json!({"map": [list, {"starts_with": [long, "y"]}]}), Steps),
        (json!({"map": [list, {"<": [long, long]}]}), Steps),
        (json!({"filter": [{"var": "many"}, true]}), Bytes),
        (json!({"missing": {"var": "many"}}), Bytes),
        (json!({"cat": [{"var": "many"}]}), Steps),
        (json!({"cat": [{"var": "object"}]}), Bytes),
        (json!({"var": {"cat": [{"var": "object"}]}}), Bytes),
        (json!({"in": [-1, {"var": "many"}]}), Steps),
        (json!({"all": [{"var": "many"}, true]}), Steps),
        (json!({"merge": [{"var": "many"}, 1]}), Bytes),
    ] {
        let attributes = json!({"many": numbers(20_000), "object": {"a": numbers(20_000)}});
        for version in [V2, V3] {
            let set = set(&on_off(json!({"if": [bomb, "on", "off"]})), version);
            let told = bomb.to_string().chars().take(100).collect::<String>();
            assert_eq!(over(&set, &attributes), Some(limit), "{told}");
            let steps = trace(&set, "flag", &attributes);
            assert!(steps.len() <= 10_001);
            let words = match limit {
                Steps => "over the limit of 10000 steps)",
                Bytes => "over the limit of 65536 produced bytes)",
            };
            assert!(
                steps
                    .iter()
                    .any(|step| step.result.starts_with("not finished (") && step.result.ends_with(words)),
                "{told}"
            );
            let last = format!("no variant, ERROR, GENERAL (limit: {})", limit.as_str());
            assert_eq!(steps.last().map(|step| &*step.result), Some(&*last));
        }
    }
}

/// Each rule needs exactly so many steps and bytes: with one less of either it is over, and by that limit.
#[test]
fn rules_need_so_many_steps_and_bytes() {
    let text = "x".repeat(100);
    for (condition, steps, bytes) in [
        (json!(true), 2, 0),
        (json!({"==": [{"var": "a"}, "b"]}), 4, 0),
        (json!({"==": [{"var": "absent"}, "b"]}), 4, 0),
        // A hundred bytes are three steps.
        (json!({"==": [{"var": "long"}, "b"]}), 7, 0),
        (json!({"==": [{"var": "long"}, text]}), 10, 0),
        (json!({"===": [{"var": "one"}, "1"]}), 4, 0),
        (json!({"cat": ["a", "bc"]}), 4, 3),
        (json!({"cat": ["a"]}), 3, 0),
        (json!({"merge": [1, 2]}), 4, 64),
        (json!({"map": [{"var": "list"}, {"var": ""}]}), 7, 64),
        (json!({"filter": [{"var": "list"}, false]}), 7, 0),
        (json!({"in": [2, {"var": "list"}]}), 6, 0),
        (json!({"missing": ["a", "absent"]}), 4, 32),
        (json!([{"var": "a"}]), 3, 32),
        (json!({"reduce": [{"var": "list"}, {"cat": [{"var": "accumulator"}, "ab"]}, ""]}), 12, 8),
        (json!({"fractional": [{"var": "long"}, ["on", 1]]}), 6, 0),
    ] {
        let attributes = json!({"a": "b", "one": 1, "long": text, "list": [1, 2]});
        let rule = on_off(json!({"if": [condition, "on", "off"]}));
        let limits = |steps, produced_bytes| FlagLimits { steps, produced_bytes, ..FlagLimits::default() };
        let over = |steps, bytes| over(&limited(&rule, V2, &limits(steps, bytes)), &attributes);
        assert_eq!(over(steps, bytes), None, "{condition}");
        assert_eq!(over(steps - 1, bytes), Some(Steps), "{condition}");
        if bytes > 0 {
            assert_eq!(over(steps, bytes - 1), Some(Bytes), "{condition}");
        }
    }
}

#[test]
fn greater_limits_let_greater_rules_finish() {
    let rule = on_off(
        json!({"if": [{"map": [numbers(200), {"some": [numbers(30), {"<": [{"var": ""}, 0]}]}]}, "on", "off"]}),
    );
    let limits = |steps| FlagLimits { steps, ..FlagLimits::default() };
    assert_eq!(over(&limited(&rule, V3, &limits(10_000)), &Json::Null), Some(Steps));
    let set = limited(&rule, V3, &limits(100_000));
    assert_eq!(variant(&set, "flag", &Json::Null), "on");
    let told = |step: &Step| step.result.contains("limit");
    assert!(!trace(&set, "flag", &Json::Null).iter().any(told));
}
