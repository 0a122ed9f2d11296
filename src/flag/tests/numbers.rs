//! Numbers in rules: nothing is lost on the way from a document or a context to a result.

use serde_json::{Value as Json, json};

use super::{on_off, resolve, set, variant};
use crate::config::FractionalVersion::{V2, V3};
use crate::flag::Reason;

/// Beyond 2^53 neighbours are one `f64`; beyond 2^63 and 2^64 they are no `i64` and no `u64`.
const EDGES: [&str; 9] = [
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551614",
    "18446744073709551615",
    "1e300",
];

fn json(text: &str) -> Json {
    serde_json::from_str(text).expect("it is JSON")
}

fn holds(condition: Json, context: &Json) -> bool {
    variant(&set(&on_off(json!({"if": [condition, "on", "off"]})), V3), "flag", context) == "on"
}

#[test]
fn neighbours_beyond_what_floats_tell_apart_are_told_apart() {
    for (at, left) in EDGES.iter().enumerate() {
        for (index, right) in EDGES.iter().enumerate() {
            // As numbers and as texts, from the rule and from the context.
            for context in [json!({"x": json(left)}), json!({"x": left})] {
                let var = json!({"var": "x"});
                assert_eq!(
                    holds(json!({"==": [var, json(right)]}), &context),
                    at == index,
                    "{left} == {right}"
                );
                assert_eq!(
                    holds(json!({"!=": [{"+": [var]}, right]}), &context),
                    at != index,
                    "{left} != {right}"
                );
                let in_list = context["x"].is_number() && at == index;
                assert_eq!(
                    holds(json!({"in": [var, [json(right)]]}), &context),
                    in_list,
                    "{left} in [{right}]"
                );
                let less =
                    left.parse::<i128>().unwrap_or(i128::MAX) < right.parse::<i128>().unwrap_or(i128::MAX);
                assert_eq!(holds(json!({"<": [var, json(right)]}), &context), less, "{left} < {right}");
                assert_eq!(holds(json!({">": [{"+": [right]}, var]}), &context), less, "{right} > {left}");
            }
        }
    }
}

#[test]
fn whole_numbers_are_written_in_full_and_others_as_short_as_they_read_back() {
    for (number, text) in [
        ("9007199254740993", "9007199254740993"),
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551616", "18446744073709552000"),
        ("1.0", "1"),
        ("-0.0", "0"),
        ("1e2", "100"),
        ("0.1", "0.1"),
        ("1e-7", "1e-7"),
        ("1e21", "1e+21"),
        ("3.4028234663852886e38", "3.4028234663852886e+38"),
    ] {
        let context = json!({"x": json(number)});
        assert!(holds(json!({"===": [{"cat": [{"var": "x"}]}, text]}), &context), "{number} from a context");
        assert!(
            holds(json!({"===": [{"cat": ["<", json(number), ">"]}, format!("<{text}>")]}), &context),
            "{number}"
        );
    }
}

#[test]
fn whole_numbers_compute_exactly_while_they_fit_and_then_as_floats() {
    for (expression, text) in [
        (r#"{"+": [9007199254740992, 1]}"#, "9007199254740993"),
        (r#"{"+": ["9007199254740992", true]}"#, "9007199254740993"),
        (r#"{"-": [18446744073709551615, 18446744073709551614]}"#, "1"),
        (r#"{"-": -9223372036854775808}"#, "9223372036854775808"),
        (r#"{"*": [3037000500, 3037000500]}"#, "9223372037000250000"),
        (r#"{"*": [18446744073709551615, 2]}"#, "36893488147419103000"),
        (r#"{"/": [27021597764222979, 3]}"#, "9007199254740993"),
        (r#"{"/": [7, 2]}"#, "3.5"),
        (r#"{"%": [9007199254740993, 2]}"#, "1"),
        (r#"{"%": [-5, 3]}"#, "-2"),
        (r#"{"%": [5, -3]}"#, "2"),
        (r#"{"%": [5.5, 2]}"#, "1.5"),
        (r#"{"max": [9007199254740992, 9007199254740993, 0.5]}"#, "9007199254740993"),
        (r#"{"min": [-9007199254740992, "-9007199254740993"]}"#, "-9007199254740993"),
        (r#"{"+": [0.1, 0.2]}"#, "0.30000000000000004"),
        (r#"{"*": []}"#, "1"),
    ] {
        assert!(
            holds(json!({"===": [{"cat": [json(expression)]}, text]}), &Json::Null),
            "{expression} is not {text}"
        );
    }
}

#[test]
fn whole_results_name_variants_in_full() {
    let document = json!({"flags": {"flag": {
        "state": "ENABLED", "variants": {"9007199254740993": 1, "9007199254740992": 2, "1": 3}, "targeting": {"var": "x"},
    }}});
    let set = set(&document, V3);
    for (number, name) in
        [("9007199254740993", "9007199254740993"), ("9007199254740992", "9007199254740992"), ("1.0", "1")]
    {
        assert_eq!(variant(&set, "flag", &json!({"x": json(number)})), name);
    }
    let no_number = json!({"if": [true, {"/": [1, 0]}]});
    let set = super::set(&on_off(no_number), V3);
    assert_eq!(resolve(&set, "flag", &Json::Null).reason, Reason::Default, "no number is null");
}

#[test]
fn whole_numbers_are_hashed_as_what_they_are() {
    let split = |unit: &str, context: Json| {
        let buckets = (0..100).map(|at| json!([at, 1]));
        let args: Vec<Json> = std::iter::once(json(unit)).chain(buckets).collect();
        let rule = json!({"fractional": args});
        let variants: serde_json::Map<_, _> = (0..100).map(|at| (at.to_string(), json!(at))).collect();
        let flag = json!({"flags": {"flag": {"state": "ENABLED", "variants": variants, "targeting": rule}}});
        variant(&set(&flag, V3), "flag", &context).to_owned()
    };
    let unit = r#"{"var": "x"}"#;
    for text in EDGES {
        assert_eq!(split(text, Json::Null), split(unit, json!({"x": json(text)})), "{text}");
    }
    assert_ne!(split(EDGES[0], Json::Null), split(EDGES[1], Json::Null));
    assert_eq!(split("1.0", Json::Null), split("1", Json::Null));
    assert_eq!(split(r#"{"+": [9007199254740992, 1]}"#, Json::Null), split(EDGES[1], Json::Null));
}

#[test]
fn weights_are_whole_numbers_of_any_size() {
    let serves = |weight: Json, context: &Json| {
        let rule = json!({"fractional": [["on", weight], ["other", {"+": [{"var": "zero"}]}]]});
        let flag = json!({"flags": {"flag": {
            "state": "ENABLED", "variants": {"on": 1, "other": 2, "off": 3}, "defaultVariant": "off", "targeting": rule,
        }}});
        ["0", "1"].map(|zero| {
            let mut context = context.clone();
            context["zero"] = json(zero);
            let (v2, v3) = (set(&flag, V2), set(&flag, V3));
            assert_eq!(variant(&v2, "flag", &context), variant(&v3, "flag", &context));
            variant(&v2, "flag", &context).to_owned()
        })
    };
    for (weight, alone, beside) in [
        ("2147483646.0", "on", "on"),
        ("2147483647", "on", "off"),
        ("2147483648", "off", "off"),
        ("18446744073709551615", "off", "off"),
        ("1e300", "off", "off"),
        ("-1e300", "off", "other"),
        ("-9223372036854775808", "off", "other"),
        ("0.5", "off", "off"),
    ] {
        for given in [json(weight), json!({"var": "weight"})] {
            let context = json!({"targetingKey": "user-1", "weight": json(weight)});
            assert_eq!(serves(given.clone(), &context), [alone, beside], "{weight} {given}");
        }
    }
}
