//! JSON Logic, operator by operator: the value of an expression is told by comparing it inside a rule.

use serde_json::{Value as Json, json};

use super::{on_off, set, variant};
use crate::config::FractionalVersion::V3;

/// Whether a rule sends this context to `on`.
fn holds(condition: &Json, context: &Json) -> bool {
    let rule = json!({"if": [condition, "on", "off"]});
    variant(&set(&on_off(rule), V3), "flag", context) == "on"
}

fn context() -> Json {
    json!({
        "targetingKey": "user-1", "text": "hello", "empty": "", "zero": 0, "one": 1, "yes": true, "no": false, "null": null,
        "list": [1, 2, 3], "none": [], "object": {"x": {"y": "deep"}}, "bare": {}, "people": [{"age": 20}, {"age": 40}],
    })
}

/// Each expression gives a value that is strictly equal to the one beside it, read back by `in [value]`, or by truth.
#[test]
fn expressions_have_these_values() {
    let table = [
        // var
        (json!({"var": "text"}), json!("hello")),
        (json!({"var": ["missing", "other"]}), json!("other")),
        (json!({"var": ["null", "other"]}), json!("other")),
        (json!({"var": ["zero", "other"]}), json!(0)),
        (json!({"var": "object.x.y"}), json!("deep")),
        (json!({"var": "list.1"}), json!(2)),
        (json!({"var": "list.length"}), Json::Null),
        (json!({"var": "text.x"}), Json::Null),
        (json!({"var": "targetingKey"}), json!("user-1")),
        (json!({"var": "$flagd.flagKey"}), json!("flag")),
        (json!({"var": "$flagd.timestamp"}), json!(1_800_000_000)),
        (json!({"var": "$flagd.color"}), Json::Null),
        (json!({"var": {"cat": ["te", "xt"]}}), json!("hello")),
        (json!({"var": {"cat": ["$flagd.", "flagKey"]}}), json!("flag")),
        (json!({"var": ["missing", {"+": [1, 1]}]}), json!(2)),
        // if
        (json!({"if": [false, "a", true, "b", "c"]}), json!("b")),
        (json!({"?:": [false, "a", "c"]}), json!("c")),
        (json!({"if": [false, "a"]}), Json::Null),
        (json!({"if": []}), Json::Null),
        (json!({"if": ["a"]}), json!("a")),
        // and, or give the deciding value
        (json!({"and": [1, "", 2]}), json!("")),
        (json!({"and": [1, "x"]}), json!("x")),
        (json!({"or": [0, "x", 1]}), json!("x")),
        (json!({"or": [0, ""]}), json!("")),
        (json!({"and": []}), Json::Null),
        (json!({"or": []}), Json::Null),
        // arithmetic
        (json!({"+": ["3", 4]}), json!(7)),
        (json!({"+": "3"}), json!(3)),
        (json!({"+": []}), json!(0)),
        (json!({"+": [null, true]}), json!(1)),
        (json!({"-": 3}), json!(-3)),
        (json!({"-": [5, 2, 1]}), json!(2)),
        (json!({"*": [2, "3", 4]}), json!(24)),
        (json!({"/": [8, 2]}), json!(4)),
        (json!({"%": [-7, 3]}), json!(-1)),
        (json!({"max": [1, "5", 3]}), json!(5)),
        (json!({"min": [1, -5, 3]}), json!(-5)),
        // texts
        (json!({"cat": ["a", null, 1.0, true, {"var": "missing"}, 1.5]}), json!("a1true1.5")),
        (json!({"cat": [[1, [2, null]]]}), json!("1,2,")),
        (json!({"cat": {"var": "object"}}), json!(r#"{"x":{"y":"deep"}}"#)),
        (json!({"substr": ["jsonlogic", 4]}), json!("logic")),
        (json!({"substr": ["jsonlogic", -5]}), json!("logic")),
        (json!({"substr": ["jsonlogic", 1, 3]}), json!("son")),
        (json!({"substr": ["jsonlogic", 4, -2]}), json!("log")),
        (json!({"substr": ["\u{1f600}\u{e9}x", 1, 1]}), json!("\u{e9}")),
        (json!({"substr": ["abc", 9]}), json!("")),
        (json!({"substr": ["abc", 2, -9]}), json!("")),
        (json!({"starts_with": ["abc", "ab"]}), json!(true)),
        (json!({"starts_with": ["abc", ""]}), json!(true)),
        (json!({"starts_with": ["abc", 1]}), Json::Null),
        (json!({"starts_with": ["abc"]}), Json::Null),
        (json!({"ends_with": ["abc", "ab"]}), json!(false)),
        (json!({"ends_with": ["abc", "bc"]}), json!(true)),
    ];
    for (expression, value) in table {
        assert!(holds(&json!({"in": [expression, [value]]}), &context()), "{expression} is not {value}");
    }
}

#[test]
fn conditions_hold() {
    let table = [
        // == coerces numbers, nothing else
        json!({"==": ["1.0", 1]}),
        json!({"==": ["1e3", 1000]}),
        json!({"==": [0, false]}),
        json!({"==": [1, true]}),
        json!({"==": [null, null]}),
        json!({"==": [{"var": "missing"}, null]}),
        json!({"!=": ["abc", 5]}),
        json!({"!=": ["true", true]}),
        json!({"!=": [null, false]}),
        json!({"!=": [null, 0]}),
        json!({"!=": ["", 0]}),
        json!({"!=": [{"var": "list"}, {"var": "list"}]}),
        json!({"!=": [{"var": "object"}, {"var": "object"}]}),
        json!({"===": [1, 1.0]}),
        json!({"!==": [0, false]}),
        json!({"!==": ["1", 1]}),
        // "e" with an accent, composed and not
        json!({"!=": ["\u{e9}", "e\u{301}"]}),
        // order
        json!({"<": ["10", "9"]}),
        json!({">": ["10", 9]}),
        json!({"<": [null, 1]}),
        json!({"<": [1, 2, 3]}),
        json!({"<=": [1, 1, 3]}),
        json!({"!": {"<": [1, 5, 3]}}),
        json!({"!": {"<": ["abc", 1]}}),
        json!({"!": {">": ["abc", 1]}}),
        json!({">": [3, 2, 1]}),
        json!({"!": {">": [3, 2, 2]}}),
        // truth
        json!({"!": [[]]}),
        json!({"!": {"var": "bare"}}),
        json!({"!": {"var": "empty"}}),
        json!({"!": []}),
        json!({"!!": "0"}),
        json!({"!!": " "}),
        json!({"!!": [[0]]}),
        json!({"!!": "false"}),
        json!({"!!": {"var": "object"}}),
        // in
        json!({"in": ["ell", {"var": "text"}]}),
        json!({"in": ["", ""]}),
        json!({"in": [2, {"var": "list"}]}),
        json!({"!": {"in": ["2", {"var": "list"}]}}),
        json!({"!": {"in": [1, "a1"]}}),
        json!({"!": {"in": [null, "abc"]}}),
        json!({"!": {"in": ["a", {"var": "missing"}]}}),
        json!({"in": ["k", ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"]]}),
        json!({"!": {"in": ["x", ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"]]}}),
        json!({"!": {"in": [1, ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "1"]]}}),
        // what has no number compares with nothing
        json!({"!": {"<": [{"/": [1, 0]}, 5]}}),
        json!({"!": {">": [{"/": [1, 0]}, 5]}}),
        json!({"!": {"==": [{"%": [1, 0]}, {"%": [1, 0]}]}}),
        json!({"!": {"+": ["x", 1]}}),
        json!({"!": {"max": []}}),
        // lists
        json!({"==": [{"reduce": [{"var": "list"}, {"+": [{"var": "current"}, {"var": "accumulator"}]}, 10]}, 16]}),
        json!({"==": [{"reduce": [{"var": "people"}, {"+": [{"var": "current.age"}, {"var": "accumulator"}]}, 0]}, 60]}),
        json!({"==": [{"reduce": [{"var": "missing"}, 1, 7]}, 7]}),
        json!({"in": [6, {"map": [{"var": "list"}, {"*": [{"var": ""}, 2]}]}]}),
        json!({"!": {"map": [{"var": "missing"}, 1]}}),
        json!({"==": [{"cat": [{"filter": [{"var": "list"}, {">": [{"var": ""}, 1]}]}]}, "2,3"]}),
        json!({"all": [{"var": "people"}, {">": [{"var": "age"}, 18]}]}),
        json!({"!": {"all": [{"var": "none"}, true]}}),
        json!({"!": {"all": [{"var": "missing"}, true]}}),
        json!({"some": [{"var": "people"}, {">": [{"var": "age"}, 30]}]}),
        json!({"!": {"some": [{"var": "none"}, true]}}),
        json!({"none": [{"var": "none"}, true]}),
        json!({"none": [{"var": "people"}, {">": [{"var": "age"}, 50]}]}),
        // the body sees the element alone
        json!({"none": [{"var": "people"}, {"var": "text"}]}),
        json!({"==": [{"cat": [{"merge": [1, [2], [[3, 4]]]}]}, "1,2,3,4"]}),
        // missing: null and "" are
        json!({"==": [{"cat": [{"missing": ["text", "null", "empty", "nope", "zero"]}]}, "null,empty,nope"]}),
        json!({"==": [{"cat": [{"missing": [["text", "nope"]]}]}, "nope"]}),
        json!({"==": [{"cat": [{"missing": {"merge": ["text", ["nope"]]}}]}, "nope"]}),
        json!({"!": {"missing": ["text", "targetingKey", "$flagd.flagKey"]}}),
        json!({"!": {"missing_some": [1, ["text", "nope"]]}}),
        json!({"==": [{"cat": [{"missing_some": [2, ["text", "nope"]]}]}, "nope"]}),
        // the whole context
        json!({"==": [{"reduce": [[{"var": ""}], {"var": "current.text"}, 0]}, "hello"]}),
        json!({"==": [{"reduce": [[{"var": ""}], {"var": "current.$flagd.flagKey"}, 0]}, "flag"]}),
    ];
    for condition in table {
        assert!(holds(&condition, &context()), "{condition}");
    }
}

#[test]
fn versions_compare_by_semantic_versioning_with_flagds_leniency() {
    let null = Json::Null;
    for (left, operator, right, result) in [
        (json!("1.2.3"), "=", json!("1.2.3"), json!(true)),
        (json!("1.2.3"), "!=", json!("1.2.4"), json!(true)),
        (json!("1.10.0"), ">", json!("1.9.0"), json!(true)),
        (json!("1.0.0-rc.1"), "<", json!("1.0.0"), json!(true)),
        (json!("1.0.0-alpha"), "<", json!("1.0.0-alpha.1"), json!(true)),
        (json!("1.0.0-2"), "<", json!("1.0.0-10"), json!(true)),
        (json!("1.0.0+a"), "=", json!("1.0.0+b"), json!(true)),
        (json!("1.0.0+a"), "<=", json!("1.0.0"), json!(true)),
        (json!("v1.2.3"), "=", json!("V1.2.3"), json!(true)),
        (json!("1"), "=", json!("1.0.0"), json!(true)),
        (json!(1), "=", json!("1.0.0"), json!(true)),
        (json!(1.2), "=", json!("1.2.0"), json!(true)),
        (json!("1.9.9"), "^", json!("1.0.0"), json!(true)),
        (json!("2.0.0"), "^", json!("1.0.0"), json!(false)),
        (json!("1.2.9"), "~", json!("1.2.0"), json!(true)),
        (json!("1.3.0"), "~", json!("1.2.0"), json!(false)),
        // No "at least" in it.
        (json!("1.2.0"), "^", json!("1.9.0"), json!(true)),
        (json!("1.2-rc"), "=", json!("1.2.0"), null.clone()),
        (json!("01.2.3"), "=", json!("1.2.3"), null.clone()),
        (json!("1.2.3.4"), "=", json!("1.2.3"), null.clone()),
        (json!("1.x"), "=", json!("1.0.0"), null.clone()),
        (json!(""), "=", json!("1.0.0"), null.clone()),
        (json!(" 1.0.0"), "=", json!("1.0.0"), null.clone()),
        (json!("vv1.0.0"), "=", json!("1.0.0"), null.clone()),
        (json!(null), "=", json!("1.0.0"), null.clone()),
        (json!("1.0.0"), "==", json!("1.0.0"), null.clone()),
    ] {
        let expression = json!({"sem_ver": [left, operator, right]});
        assert!(holds(&json!({"in": [expression, [result]]}), &context()), "{expression} is not {result}");
    }
    let short = json!({"in": [{"sem_ver": ["1.0.0", "="]}, [null]]});
    assert!(holds(&short, &context()));
}
