//! What an evaluation may use: rules that try to use more, and how it is told.

use serde_json::{Value as Json, json};

use super::{limited, on_off, resolve, set, trace, variant};
use crate::config::FlagLimits;
use crate::config::FractionalVersion::{V2, V3};
use crate::flag::Limit::{self, Bytes, Steps};
use crate::flag::{Context, Document, ErrorCode, FlagSet, Format, JsonContext, Slot, Step, Value};

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

#[test]
fn a_trace_ends_where_it_would_fill_the_memory() {
    let rule = json!({"if": [{"all": [{"var": "many"}, {"var": ""}]}, "on", "off"]});
    let set = limited(&on_off(rule), V3, &FlagLimits { steps: 1_000_000, ..FlagLimits::default() });
    // Ten thousand, and what it all came to.
    let many: Json = (1..20_000).collect();
    assert_eq!(trace(&set, "flag", &json!({"many": many})).len(), 10_001);
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
        // Texts of one length are read, others are told apart by it.
        (json!({"in": [{"var": "long"}, ["short"]]}), 8, 0),
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

/// A context in which finding an attribute takes looking through so many bytes.
struct Searched(usize);

impl Context for Searched {
    fn targeting_key(&self) -> Option<&str> {
        None
    }

    fn attribute(&self, _: Slot) -> Value<'_> {
        "text".into()
    }

    fn search(&self, _: Option<Slot>) -> usize {
        self.0
    }

    fn computed(&self, _: &str) -> Value<'_> {
        Value::Null
    }

    fn whole(&self) -> Json {
        Json::Null
    }

    fn timestamp(&self) -> i64 {
        0
    }
}

#[test]
fn looking_for_attributes_costs_steps() {
    let reads: Vec<Json> = (0..100).map(|at| json!({"==": [{"var": format!("cookie.{at}")}, "x"]})).collect();
    let computed: Vec<Json> = (0..100).map(|at| json!({"var": {"cat": ["cookie.", at]}})).collect();
    let arms: Vec<Json> = reads.iter().flat_map(|read| [read.clone(), json!("on")]).collect();
    for rule in [
        json!({"if": [{"or": reads}, "on", "off"]}),
        json!({"if": arms}),
        json!({"if": [computed, "on", "off"]}),
    ] {
        let set = set(&on_off(rule), V3);
        let id = set.find("flag").expect("it exists");
        for (bytes, over) in [(0, None), (20 * 256, None), (100 * 256, Some(Steps))] {
            let resolution = set.evaluate(id, &Searched(bytes));
            assert_eq!(resolution.error.and_then(ErrorCode::limit), over, "{bytes}");
            assert_eq!(set.trace(id, &Searched(bytes)).0, resolution);
        }
    }
}

#[test]
fn every_limit_of_loading_holds_and_the_next_greater_one_lets_in() {
    let rule = json!({"!": {"!": {"!": [{"var": "a"}, {"$ref": "e"}]}}});
    let flag = json!({"state": "ENABLED", "variants": {"true": 1}, "targeting": rule});
    let text = json!({"$evaluators": {"e": {"!": [1]}}, "flags": {"one": flag, "two": flag}}).to_string();
    type Set = fn(&mut FlagLimits, usize);
    let table: [(Set, &str); 5] = [
        (|limits, to| limits.document_bytes = to, "`limits.document`"),
        (|limits, to| limits.flags = to, "`limits.flags`"),
        (|limits, to| limits.values = to, "`limits.values`"),
        (|limits, to| limits.rule_depth = to, "`limits.rule_depth`"),
        (|limits, to| limits.rule_nodes = to, "`limits.rule_nodes`"),
    ];
    for (set, names) in table {
        let parse = |to| {
            let mut limits = FlagLimits::default();
            set(&mut limits, to);
            Document::parse("flags.json", &text, Format::Json, &limits)
        };
        let is_good = |to: &usize| {
            parse(*to).is_ok_and(|document| document.flags.into_iter().all(|(_, flag)| flag.is_ok()))
        };
        let enough = (1..=text.len()).find(is_good).expect("no limit is greater than the text");
        assert!(is_good(&(enough + 1)));
        let problems = match parse(enough - 1) {
            Err(problems) => problems,
            Ok(document) => document.flags.into_iter().filter_map(|(_, flag)| flag.err()).flatten().collect(),
        };
        let told = |text: &Option<String>| text.iter().any(|text| text.contains(names));
        assert!(
            problems.iter().any(|one| one.found.contains(names) || told(&one.expected)),
            "{names}: {problems:?}"
        );
    }
}
