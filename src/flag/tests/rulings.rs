//! What was ruled, by name: where flagd's engines differ from each other, and edges that only one of them has.

mod comparing;

use serde_json::{Value as Json, json};

use super::{on_off, resolve, set, variant};
use crate::config::FlagLimits;
use crate::config::FractionalVersion::{V2, V3};
use crate::flag::{Document, ErrorCode, Format, Reason};

/// Every condition holds, of the context and with `if` written either way.
fn hold(rulings: &[(&str, Json)]) {
    let context = json!({
        "targetingKey": "user-1", "empty": "", "null": null, "zero": 0, "one": 1, "yes": true, "text": "abc", "none": [],
        "list": [1, 2], "object": {"n": 1.0, "big": 1e21, "": {"": "deep"}}, "bare": {}, "dotted.name": "never", "$flagd": {"flagKey": "claimed"},
    });
    for (name, condition) in rulings {
        for form in ["if", "?:"] {
            let rule = json!({form: [condition, "on", "off"]});
            assert_eq!(variant(&set(&on_off(rule), V3), "flag", &context), "on", "{name}: {condition}");
        }
    }
}

/// Every expression has exactly this value: a scalar by `===`, which tells null from 0 and false.
fn give(rulings: &[(&str, Json, Json)]) {
    let same = rulings.iter().map(|(name, expression, value)| (*name, json!({"===": [expression, value]})));
    hold(&same.collect::<Vec<_>>());
}

#[test]
fn texts() {
    give(&[
        ("cat with a missing var adds nothing", json!({"cat": ["a", {"var": "missing"}, "b"]}), json!("ab")),
        ("cat with null adds nothing", json!({"cat": ["a", null, {"var": "null"}]}), json!("a")),
        ("cat of nothing", json!({"cat": []}), json!("")),
        ("cat of a boolean", json!({"cat": [true, false]}), json!("truefalse")),
        ("cat of a list", json!({"cat": [{"var": "list"}]}), json!("1,2")),
        ("cat of an empty list", json!({"cat": ["<", {"var": "none"}, ">"]}), json!("<>")),
        ("cat of an empty object", json!({"cat": [{"var": "bare"}]}), json!("{}")),
        (
            "cat of an object has the same numbers",
            json!({"cat": [{"var": "object"}]}),
            json!(r#"{"":{"":"deep"},"big":1e+21,"n":1}"#),
        ),
        ("cat of a whole float", json!({"cat": [1.0]}), json!("1")),
        ("cat keeps quotes and spaces", json!({"cat": [" \"a\" "]}), json!(" \"a\" ")),
        ("cat of one number is a text", json!({"cat": 1}), json!("1")),
        ("substr past the end", json!({"substr": ["abc", 9]}), json!("")),
        ("substr of a negative start past the beginning", json!({"substr": ["abc", -9, 2]}), json!("ab")),
        ("substr of length 0", json!({"substr": ["abc", 1, 0]}), json!("")),
        ("substr of length null", json!({"substr": ["abc", 1, null]}), json!("bc")),
        ("substr of a broken length", json!({"substr": ["abc", 1, 1.5]}), json!("b")),
        ("substr without a start", json!({"substr": ["abc"]}), json!("abc")),
        ("substr of a number", json!({"substr": [12345, 1, 2]}), json!("23")),
        ("substr counts code points", json!({"substr": ["\u{1f600}a\u{1f600}", -1]}), json!("\u{1f600}")),
        ("substr of what cat made", json!({"substr": [{"cat": ["a\u{e9}", "bc"]}, 1, 2]}), json!("\u{e9}b")),
        ("substr of nothing", json!({"substr": []}), json!(null)),
        ("starts_with of three", json!({"starts_with": ["abc", "a", "b"]}), json!(null)),
        ("ends_with of a number", json!({"ends_with": [11, "1"]}), json!(null)),
        ("ends_with nothing", json!({"ends_with": ["", ""]}), json!(true)),
        ("starts_with more than there is", json!({"starts_with": ["a", "ab"]}), json!(false)),
    ]);
}

#[test]
fn numbers() {
    let none = |name, expression: Json| {
        let compared = json!({"or": [{"<": [expression, 5]}, {">=": [expression, 5]}, {"==": [expression, expression]}, {"!!": [expression]}]});
        hold(&[(name, json!({"!": compared}))]);
        let set = set(&on_off(json!({"if": [true, expression]})), V3);
        assert_eq!(resolve(&set, "flag", &json!({})).reason, Reason::Default, "{name}: null at the end");
    };
    none("x/0", json!({"/": [1, 0]}));
    none("0/0", json!({"/": [0, 0]}));
    none("1%0", json!({"%": [1, 0]}));
    none("a text that is no number", json!({"+": ["x", 1]}));
    none("its negation", json!({"-": "x"}));
    none("a list", json!({"*": [[1], 2]}));
    none("an object", json!({"-": [{"var": ""}, 1]}));
    none("max of nothing", json!({"max": []}));
    none("min of nothing", json!({"min": []}));
    none("max with no number among them, wherever", json!({"max": [1, "x", 2]}));
    none("min with no number among them, wherever", json!({"min": ["x", 1, 2]}));
    none("the quotient of one", json!({"/": [1]}));
    none("the remainder of one", json!({"%": [1]}));
    none("what no float holds", json!({"*": [1e300, 1e300]}));
    give(&[
        ("+ of null", json!({"+": [null, 5]}), json!(5)),
        ("+ of a boolean", json!({"+": [true, 5, false]}), json!(6)),
        ("+ of a missing var", json!({"+": [{"var": "missing"}, 1]}), json!(1)),
        ("+ casts", json!({"+": "3"}), json!(3)),
        ("+ of texts", json!({"+": ["3", "4"]}), json!(7)),
        ("+ of nothing", json!({"+": []}), json!(0)),
        ("* of nothing", json!({"*": []}), json!(1)),
        ("* of one casts", json!({"*": ["3"]}), json!(3)),
        ("- of nothing", json!({"-": []}), json!(0)),
        ("- of one negates", json!({"-": ["3"]}), json!(-3)),
        ("- takes all the rest away", json!({"-": [5, 2, 1]}), json!(2)),
        ("/ goes on", json!({"/": [12, 3, 2]}), json!(2)),
        ("% takes two", json!({"%": [7, 4, 2]}), json!(3)),
        ("% has the dividend's sign", json!({"%": [-7, 3]}), json!(-1)),
        ("% with a negative divisor", json!({"%": [7, -3]}), json!(1)),
        ("max of one", json!({"max": "3"}), json!(3)),
        ("max counts null as 0", json!({"max": [-1, null]}), json!(0)),
        ("no minus 0", json!({"*": [0, -1]}), json!(0)),
    ]);
}

#[test]
fn lists() {
    hold(&[
        ("in of two empty texts", json!({"in": ["", ""]})),
        ("the empty text is in every text", json!({"in": ["", "abc"]})),
        ("a number is in no text", json!({"!": {"in": [1, "1"]}})),
        ("null is in no text", json!({"!": {"in": [null, "abc"]}})),
        ("a boolean is in no text", json!({"!": {"in": [true, "true"]}})),
        (
            "nothing is in null",
            json!({"!": {"or": [{"in": [null, null]}, {"in": ["a", {"var": "missing"}]}, {"in": ["", null]}]}}),
        ),
        (
            "nothing is in a number or an object",
            json!({"!": {"or": [{"in": [1, 11]}, {"in": ["n", {"var": "object"}]}]}}),
        ),
        ("null is in a list of it", json!({"in": [null, [1, null]]})),
        (
            "membership is strict",
            json!({"!": {"or": [{"in": ["1", [1]]}, {"in": [0, [false, null, ""]]}, {"in": [null, [0]]}]}}),
        ),
        ("no list is in a list", json!({"!": {"in": [[1], [[1]]]}})),
        ("in of one argument", json!({"!": {"in": ["a"]}})),
        ("all of a missing list", json!({"!": {"all": [{"var": "missing"}, true]}})),
        ("all of an empty list", json!({"!": {"all": [[], true]}})),
        ("none of a missing list", json!({"none": [{"var": "missing"}, true]})),
        ("none of an empty list", json!({"none": [[], true]})),
        ("some of a missing list", json!({"!": {"some": [{"var": "missing"}, true]}})),
        ("some of an empty list", json!({"!": {"some": [[], true]}})),
        (
            "a text is no list",
            json!({"!": {"or": [{"all": ["abc", true]}, {"some": ["abc", true]}, {"map": ["abc", 1]}]}}),
        ),
        ("all with a truth and a falsehood", json!({"!": {"all": [[1, 0], {"var": ""}]}})),
        ("missing of null", json!({"in": ["null", {"missing": ["null"]}]})),
        ("missing of the empty text", json!({"in": ["empty", {"missing": ["empty"]}]})),
        ("0 and false are not missing", json!({"!": {"missing": ["zero", "object.n", "$flagd.timestamp"]}})),
        ("a number names a place", json!({"in": [7, {"missing": [7]}]})),
        ("names in a list", json!({"in": ["nope", {"missing": [["one", "nope"]]}]})),
        ("a name alone", json!({"in": ["nope", {"missing": "nope"}]})),
        ("computed names", json!({"in": ["nope", {"missing": {"merge": [["one"], "nope"]}}]})),
        ("enough of them", json!({"!": {"missing_some": [1, ["one", "nope"]]}})),
        ("not enough of them", json!({"in": ["nope", {"missing_some": [2, ["one", "nope"]]}]})),
        ("none needed", json!({"!": {"missing_some": [0, ["nope"]]}})),
        ("merge of nothing", json!({"!": {"merge": []}})),
        ("merge opens one level", json!({"===": [{"cat": {"merge": [1, [2, [3]]]}}, "1,2,3"]})),
        ("merge keeps null", json!({"in": [null, {"merge": [null]}]})),
        ("map of a literal list", json!({"in": [3, {"map": [[1, 2], {"+": [{"var": ""}, 1]}]}]})),
        (
            "reduce of a missing list is its start",
            json!({"===": [{"reduce": [{"var": "missing"}, 1, "start"]}, "start"]}),
        ),
        ("reduce without a start", json!({"===": [{"reduce": [[1], {"var": "accumulator"}]}, null]})),
    ]);
}

#[test]
fn bodies_see_their_element_alone() {
    hold(&[
        ("map", json!({"in": [null, {"map": [[1], {"var": "one"}]}]})),
        ("filter", json!({"!": {"filter": [[1], {"var": "one"}]}})),
        ("all", json!({"!": {"all": [[1], {"var": "one"}]}})),
        ("some", json!({"!": {"some": [[1], {"var": "one"}]}})),
        ("none", json!({"none": [[1], {"var": "one"}]})),
        ("no targeting key", json!({"!": {"some": [[1], {"var": "targetingKey"}]}})),
        ("no computed path out", json!({"!": {"some": [[1], {"var": {"cat": "one"}}]}})),
        ("reduce", json!({"===": [{"reduce": [[1], {"var": "one"}, 5]}, null]})),
        ("reduce has no name for both", json!({"===": [{"reduce": [[1], {"var": ""}, 5]}, null]})),
        (
            "a body in a body",
            json!({"in": [2, {"map": [[[1, 2]], {"reduce": [{"var": ""}, {"var": "current"}, 0]}]}]}),
        ),
        ("a path into the element", json!({"some": [[{"a": {"b": 1}, "c": 0}], {"var": "a.b"}]})),
        ("the outer context is back after it", json!({"and": [{"none": [[1], false]}, {"var": "one"}]})),
    ]);
}

#[test]
fn paths() {
    give(&[
        ("a default for null", json!({"var": ["null", 7]}), json!(7)),
        ("no default for 0", json!({"var": ["zero", 7]}), json!(0)),
        ("no default for the empty text", json!({"var": ["empty", 7]}), json!("")),
        ("a null default", json!({"var": ["missing", null]}), json!(null)),
        ("a number indexes a list", json!({"var": "list.1"}), json!(2)),
        ("past the list", json!({"var": "list.2"}), json!(null)),
        ("from the end of a list", json!({"var": "list.-1"}), json!(null)),
        ("a list has no length", json!({"var": "list.length"}), json!(null)),
        ("a text has no parts", json!({"var": "text.0"}), json!(null)),
        ("a name with a dot is out of reach", json!({"var": "dotted.name"}), json!(null)),
        ("an empty part is a name", json!({"var": "object.."}), json!("deep")),
        ("an empty part that is no name", json!({"var": "list."}), json!(null)),
        ("a claimed $flagd", json!({"var": "$flagd.flagKey"}), json!("flag")),
        ("a claimed $flagd, computed", json!({"var": {"cat": ["$flagd.", "flagKey"]}}), json!("flag")),
        ("the time is whole", json!({"cat": [{"var": "$flagd.timestamp"}]}), json!("1800000000")),
        ("the targeting key", json!({"var": "targetingKey"}), json!("user-1")),
    ]);
    hold(&[
        ("the empty path is the whole context", json!({"some": [[{"var": ""}], {"var": "one"}]})),
        ("no path is, too", json!({"some": [[{"var": []}], {"var": "one"}]})),
        (
            "the whole context has the true $flagd",
            json!({"some": [[{"var": ""}], {"==": [{"var": "$flagd.flagKey"}, "flag"]}]}),
        ),
    ]);
}

#[test]
fn a_targeting_key_that_splits_nobody_can_still_be_read() {
    for (key, is) in [(json!(""), json!("")), (json!(5), json!(5)), (json!(null), json!(null))] {
        let read = json!({"if": [{"===": [{"var": "targetingKey"}, is]}, "on", "off"]});
        let split = json!({"fractional": [["on", 1]]});
        let context = json!({"targetingKey": key});
        for version in [V2, V3] {
            assert_eq!(variant(&set(&on_off(read.clone()), version), "flag", &context), "on", "{key}");
            assert_eq!(
                resolve(&set(&on_off(split.clone()), version), "flag", &context).reason,
                Reason::Default,
                "{key}"
            );
        }
    }
}

#[test]
fn versions() {
    let null = json!(null);
    give(&[
        ("four arguments", json!({"sem_ver": ["1.0.0", "=", "1.0.0", 1]}), null.clone()),
        ("an operator that is no text", json!({"sem_ver": ["1.0.0", 1, "1.0.0"]}), null.clone()),
        ("a boolean", json!({"sem_ver": [true, "=", "1.0.0"]}), null.clone()),
        ("a list", json!({"sem_ver": [["1.0.0"], "=", "1.0.0"]}), null.clone()),
        ("a whole float", json!({"sem_ver": [1.0, "=", "1.0.0"]}), json!(true)),
        ("a partial version with a prerelease", json!({"sem_ver": ["1.2-rc", "<", "1.2.0"]}), null.clone()),
        ("a partial version with build metadata", json!({"sem_ver": ["1.2+a", "=", "1.2.0"]}), null.clone()),
        (
            "parts beyond 64 bits",
            json!({"sem_ver": ["18446744073709551616.0.0", ">", "1.0.0"]}),
            null.clone(),
        ),
        (
            "parts within 64 bits",
            json!({"sem_ver": ["18446744073709551615.0.0", ">", "18446744073709551614.0.0"]}),
            json!(true),
        ),
        ("a trailing space", json!({"sem_ver": ["1.0.0 ", "=", "1.0.0"]}), null.clone()),
        ("v alone", json!({"sem_ver": ["v", "=", "1.0.0"]}), null.clone()),
        (
            "a longer text than any version",
            json!({"sem_ver": [format!("1.0.0-{}", "a".repeat(300)), "<", "1.0.0"]}),
            null,
        ),
        (">= of equals", json!({"sem_ver": ["1.0.0", ">=", "1.0.0"]}), json!(true)),
        ("<= of equals", json!({"sem_ver": ["1.0.0", "<=", "1.0.0"]}), json!(true)),
        ("~ of another major", json!({"sem_ver": ["2.1.0", "~", "1.1.0"]}), json!(false)),
        ("> of equals", json!({"sem_ver": ["1.0.0", ">", "1.0.0"]}), json!(false)),
        ("< of equals", json!({"sem_ver": ["1.0.0", "<", "1.0.0"]}), json!(false)),
        ("!= of equals", json!({"sem_ver": ["1.0.0", "!=", "1.0.0+b"]}), json!(false)),
    ]);
}

#[test]
fn results() {
    for (name, rule, error) in [
        ("a list", json!({"merge": ["on"]}), ErrorCode::General),
        ("a literal list", json!({"if": [true, ["on"]]}), ErrorCode::General),
        ("an object", json!({"var": ""}), ErrorCode::General),
        ("an empty text", json!({"if": [true, ""]}), ErrorCode::General),
        ("another case", json!({"if": [true, "ON"]}), ErrorCode::General),
        ("a name in quotes", json!({"cat": ["\"on\""]}), ErrorCode::General),
    ] {
        let resolution = resolve(&set(&on_off(rule), V3), "flag", &json!({}));
        assert_eq!((resolution.variant, resolution.error), (None, Some(error)), "{name}");
    }
}

#[test]
fn a_unit_that_is_no_number_splits_nobody() {
    for unit in [json!({"/": [1, 0]}), json!({"+": ["x"]})] {
        for version in [V2, V3] {
            let set = set(&on_off(json!({"fractional": [unit, ["on", 1]]})), version);
            assert_eq!(
                resolve(&set, "flag", &json!({"targetingKey": "u"})).reason,
                Reason::Default,
                "{unit}"
            );
        }
    }
}

#[test]
fn an_unknown_operator_is_refused_wherever_it_stands() {
    let unknown = json!({"frob": [1]});
    for rule in [
        json!({"if": [true, "on", unknown]}),
        json!({"or": [true, unknown]}),
        json!({"var": ["a", unknown]}),
        json!({"var": ["a", null, unknown]}),
        json!({"map": [[], unknown]}),
        json!({"map": [[], 1, unknown]}),
        json!({"in": ["a", ["b", unknown]]}),
        json!({"in": ["a", "b", unknown]}),
        json!({"reduce": [[], 1, 2, unknown]}),
        json!({"missing": [["a"], unknown]}),
        json!({"missing_some": [1, ["a"], unknown]}),
        json!({"fractional": [["on", 1], [unknown, 0]]}),
    ] {
        let document =
            Document::parse("f", &on_off(rule.clone()).to_string(), Format::Json, &FlagLimits::default());
        let flags = document.expect("the document is good").flags;
        let problems = flags.into_iter().next().expect("there is one").1.expect_err("it is refused");
        assert_eq!(problems[0].found, "unknown operator \"frob\"", "{rule}");
    }
}
