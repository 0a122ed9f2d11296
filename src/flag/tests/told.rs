//! What flags and their evaluations are called, for operators and other programs: words, traces, what a set says of itself.

use serde_json::{Value as Json, json};

use super::{on_off, resolve, set, trace};
use crate::config::FlagLimits;
use crate::config::FractionalVersion::{self, V2, V3};
use crate::flag::{Definitions, Entry, ErrorCode, FlagSet, FlagState, Limit, Reason, VariantId};

#[test]
fn reasons_and_errors_have_the_words_of_openfeature() {
    let reasons = Reason::ALL.map(|reason| (reason.as_str(), reason.label()));
    assert_eq!(
        reasons,
        [
            ("STATIC", "static"),
            ("DEFAULT", "default"),
            ("TARGETING_MATCH", "targeting_match"),
            ("DISABLED", "disabled"),
            ("ERROR", "error"),
        ]
    );
    for (code, word) in [
        (ErrorCode::FlagNotFound, "FLAG_NOT_FOUND"),
        (ErrorCode::ParseError, "PARSE_ERROR"),
        (ErrorCode::TypeMismatch, "TYPE_MISMATCH"),
        (ErrorCode::TargetingKeyMissing, "TARGETING_KEY_MISSING"),
        (ErrorCode::InvalidContext, "INVALID_CONTEXT"),
        (ErrorCode::General, "GENERAL"),
        (ErrorCode::OverLimit(Limit::Steps), "GENERAL"),
        (ErrorCode::OverLimit(Limit::Bytes), "GENERAL"),
    ] {
        assert_eq!(code.as_str(), word);
    }
    assert_eq!((Limit::Steps.as_str(), Limit::Bytes.as_str()), ("steps", "bytes"));
    assert_eq!(ErrorCode::OverLimit(Limit::Bytes).limit(), Some(Limit::Bytes));
    assert_eq!(ErrorCode::General.limit(), None);
}

/// The first step of a rule: what is evaluated.
fn what(rule: Json) -> String {
    trace(&set(&on_off(rule), V3), "flag", &json!({}))[0].what.clone()
}

#[test]
fn every_expression_is_told_in_short() {
    let countries: Vec<_> = (0..20).map(|n| format!("c{n}")).collect();
    for (rule, told) in [
        (json!({"if": [{"var": "a"}, "on", "off"]}), r#"{"if": [var a, "on", "off"]}"#),
        (
            json!({"and": [{"var": "a"}, {"or": [1, {"var": "b"}]}]}),
            r#"{"and": [var a, {"or": [1, var b]}]}"#,
        ),
        (json!({"==": [{"var": ["a", "x"]}, 1.50]}), r#"{"==": [var a or "x", 1.5]}"#),
        (json!({"!": {"var": "targetingKey"}}), r#"{"!": [var targetingKey]}"#),
        (
            json!({"cat": [{"var": "$flagd.flagKey"}, {"var": "$flagd.timestamp"}, {"var": "$flagd.x"}, {"var": "$flagd"}, {"var": ""}]}),
            r#"{"cat": ["flag", var $flagd.timestamp, var (nothing), var $flagd, var (the whole context)]}"#,
        ),
        (json!({"!": {"var": {"cat": ["a", {"var": "b"}]}}}), r#"{"!": [var {"cat": ["a", var b]}]}"#),
        (json!({"in": [{"var": "a"}, countries]}), r#"{"in": [var a, a list of 20 texts]}"#),
        (json!({"in": [{"var": "a"}, &countries[..9]]}), r#"{"in": [var a, a list of 9 texts]}"#),
        (
            json!({"in": [{"var": "a"}, &countries[..8]]}),
            r#"{"in": [var a, ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"]]}"#,
        ),
        (json!({"missing": ["a", "b"]}), r#"{"missing": 2 names}"#),
        (json!({"missing": [{"var": "x"}, "b"]}), r#"{"missing": 2 names}"#),
        (
            json!({"filter": [{"var": "l"}, {">": [{"var": ""}, {"var": "x.y"}]}]}),
            r#"{"filter": [var l, {">": [var (the element), var x.y]}]}"#,
        ),
        (
            json!({"reduce": [{"var": "l"}, {"+": [{"var": "current"}, {"var": "accumulator"}]}, 0]}),
            r#"{"reduce": [var l, {"+": [var current, var accumulator]}, 0]}"#,
        ),
        (
            json!({"fractional": [{"var": "a"}, ["on", 10], ["off", 25], [null, 65]]}),
            r#"{"fractional": [var a, ["on", 10], ["off", 25], [null, 65]]}"#,
        ),
        (json!({"fractional": [["on", 1], ["off", 2]]}), r#"{"fractional": [["on", 1], ["off", 2]]}"#),
        (
            json!({"fractional": [["on", {"var": "w"}], ["off", 2]]}),
            r#"{"fractional": [["on", var w], ["off", 2]]}"#,
        ),
        (
            json!({"merge": [[], [1, [true, null]], {"var": "a"}]}),
            r#"{"merge": [[], [1, [true, null]], var a]}"#,
        ),
        (json!({"some": [[{"var": "a"}, 2], true]}), r#"{"some": [[var a, 2], true]}"#),
    ] {
        assert_eq!(what(rule), told);
    }
}

#[test]
fn a_long_expression_is_told_in_part() {
    let long = what(json!({"cat": vec![json!({"var": "abcdefgh"}); 30]}));
    assert_eq!(long.chars().count(), 201, "{long}");
    assert!(long.ends_with('…'), "{long}");
    // Twenty arguments and no more, however short.
    let many = what(json!({"+": (0..30).map(|n| json!({"var": format!("{}", n % 10)})).collect::<Vec<_>>()}));
    assert_eq!(many.matches("var ").count(), 20, "{many}");
    let split = what(json!({"fractional": vec![json!(["on", 1]); 30]}));
    assert_eq!(split.matches("[\"on\", 1]").count(), 16, "{split}");
}

/// What came out of the first step of a rule, in a context.
fn result(rule: Json, attributes: &Json) -> String {
    trace(&set(&on_off(rule), V3), "flag", attributes)[0].result.clone()
}

#[test]
fn every_value_is_told_in_short() {
    for (value, told) in [
        (json!(null), "null"),
        (json!(true), "true"),
        (json!(-1.5), "-1.5"),
        (json!("a\"b"), r#""a\"b""#),
        (json!([1, ["x"], {}]), r#"[1, ["x"], an object with 0 keys]"#),
        (json!({"a": 1, "b": 2}), "an object with 2 keys"),
    ] {
        assert_eq!(result(json!({"var": "v"}), &json!({"v": value})), told);
    }
    assert_eq!(result(json!({"/": [1, {"var": "zero"}]}), &json!({"zero": 0})), "no number");
    assert_eq!(result(json!({"merge": [{"var": "v"}, 1]}), &json!({"v": ["x"]})), r#"["x", 1]"#);
    let long = result(json!({"var": "v"}), &json!({"v": vec![vec!["abcdefgh"; 9]; 90]}));
    assert!(long.chars().count() <= 201 && long.ends_with('…'), "{long}");
    let long = result(json!({"var": "v"}), &json!({"v": "x".repeat(61)}));
    assert_eq!(long, format!("\"{}\"…", "x".repeat(60)));
}

#[test]
fn a_trace_ends_with_what_the_result_means() {
    let last = |set: &FlagSet| {
        let steps = trace(set, "flag", &json!({}));
        let last = steps.last().expect("there is one");
        assert_eq!(last.depth, 0);
        format!("{}: {}", last.what, last.result)
    };
    let flag = |state: &str, default: Json, rule: Json| {
        let flag =
            json!({"state": state, "variants": {"on": 1}, "defaultVariant": default, "targeting": rule});
        last(&set(&json!({"flags": {"flag": flag}}), V3))
    };
    assert_eq!(flag("ENABLED", json!("on"), Json::Null), "there is no targeting: variant \"on\", STATIC");
    assert_eq!(flag("ENABLED", Json::Null, Json::Null), "there is no targeting: no variant, DEFAULT");
    assert_eq!(flag("DISABLED", json!("on"), json!({"!": 1})), "the flag is disabled: no variant, DISABLED");
    let rule = json!({"if": [true, "on"]});
    assert_eq!(flag("ENABLED", Json::Null, rule), "the rule's result: variant \"on\", TARGETING_MATCH");
    let rule = json!({"cat": ["x", {"var": "y"}]});
    assert_eq!(flag("ENABLED", json!("on"), rule), "the rule's result: no variant, ERROR, GENERAL");
    let broken = Definitions::from_iter([("flag", Entry::Broken("it is odd".into()))]);
    let broken = FlagSet::compile(&broken, V3, &FlagLimits::default());
    assert_eq!(last(&broken), "there is no usable definition: it is odd: no variant, ERROR, PARSE_ERROR");
}

#[test]
fn depth_grows_with_each_expression_that_is_inside_another() {
    let steps = trace(
        &set(&on_off(json!({"if": [{"!": {"!": {"var": "a"}}}, "on", {"cat": [{"var": "b"}, "x"]}]})), V3),
        "flag",
        &json!({"b": "y"}),
    );
    let told: Vec<_> = steps.iter().map(|step| (step.depth, &*step.what, &*step.result)).collect();
    assert_eq!(
        told,
        [
            (
                0,
                r#"{"if": [{"!": [{"!": [var a]}]}, "on", {"cat": [var b, "x"]}]}"#,
                "names no variant (else)"
            ),
            (1, r#"{"!": [{"!": [var a]}]}"#, "false"),
            (2, r#"{"!": [var a]}"#, "true"),
            (3, "var a", "null"),
            (1, r#"{"cat": [var b, "x"]}"#, "\"yx\""),
            (2, "var b", "\"y\""),
            (0, "the rule's result", "no variant, ERROR, GENERAL"),
        ]
    );
}

#[test]
fn a_split_tells_unit_bucket_and_part() {
    let told = |rule: Json, version: FractionalVersion, attributes: &Json| {
        trace(&set(&on_off(rule), version), "flag", attributes)[0].result.clone()
    };
    let user = json!({"targetingKey": "user-1", "a": "x"});
    let halves = json!({"fractional": [["on", 1], ["off", 1]]});
    assert!(
        told(halves.clone(), V2, &user).contains("unit: flag key and targeting key \"user-1\"; bucket "),
        "{}",
        told(halves.clone(), V2, &user)
    );
    assert_eq!(told(halves, V2, &json!({})), "null (no targeting key)");
    let one = json!({"fractional": [{"var": "a"}, ["on", 5]]});
    for version in [V2, V3] {
        let told = told(one.clone(), version, &user);
        assert!(told.starts_with("variant \"on\" (unit \"x\"; bucket "), "{told}");
        assert!(told.ends_with(" of 5, part 1 of 1)"), "{told}");
    }
    assert_eq!(told(one.clone(), V3, &json!({})), "null (the unit is null)");
    let computed = json!({"fractional": [{"var": "a"}, ["off", {"var": "none"}], ["on", {"+": [2, 3]}]]});
    assert_eq!(told(computed, V3, &user), "null (unit \"x\")");
    let computed = json!({"fractional": [{"var": "a"}, ["off", {"-": [{"var": "n"}, 3]}], ["on", {"+": [{"var": "n"}, 3]}]]});
    let told_computed = told(computed.clone(), V3, &json!({"a": "x", "n": 2}));
    assert!(told_computed.ends_with(" of 5, part 2 of 2)"), "{told_computed}");
    let zero = told(computed, V3, &json!({"a": "x", "n": -3}));
    assert_eq!(zero, "null (unit \"x\"; the weights add up to 0)");
}

#[test]
fn a_set_tells_its_flags() {
    let document = json!({"flags": {
        "a": {"state": "ENABLED", "variants": {"on": 1, "off": [0]}, "defaultVariant": "off"},
        "b": {"state": "DISABLED", "variants": {"x": "y"}, "metadata": {"flagSetId": "s"}},
    }});
    let set = set(&document, V3);
    assert_eq!((set.len(), set.is_empty()), (2, false));
    let empty = FlagSet::compile(&Definitions::default(), V3, &FlagLimits::default());
    assert_eq!((empty.len(), empty.is_empty(), empty.iter().count()), (0, true, 0));
    let keys: Vec<_> = set.iter().map(|(id, flag)| (id.0, &*flag.key)).collect();
    assert_eq!(keys, [(0, "a"), (1, "b")]);
    assert_eq!(set.find("c"), None);
    let (a, b) = (set.get(set.find("a").expect("a")), set.get(set.find("b").expect("b")));
    assert_eq!(a.variants().len(), 2);
    for (id, name, value) in [(0, "off", json!([0])), (1, "on", json!(1))] {
        assert_eq!(a.variant(name), Some(VariantId(id)));
        assert_eq!(a.variant_name(VariantId(id)).map(|name| &**name), Some(name));
        assert_eq!(a.value(VariantId(id)), Some(&value));
    }
    assert_eq!((a.variant("x"), a.variant_name(VariantId(2)), a.value(VariantId(2))), (None, None, None));
    assert_eq!((a.state(), b.state()), (Some(FlagState::Enabled), Some(FlagState::Disabled)));
    assert_eq!((a.set_id(), b.set_id()), (None, Some("s")));
    assert_eq!((a.source(), a.why_broken()), ("", None));
    assert_eq!(resolve(&set, "b", &json!({})).reason, Reason::Disabled);
    let broken = Definitions::from_iter([("a", Entry::Broken("odd".into()))]);
    let broken = FlagSet::compile(&broken, V3, &FlagLimits::default());
    let (_, broken) = broken.iter().next().expect("there is one");
    assert_eq!((broken.state(), broken.why_broken(), broken.variants()), (None, Some("odd"), &[][..]));
}
