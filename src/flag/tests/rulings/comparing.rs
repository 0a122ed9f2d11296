//! Equality, order and truth.

use serde_json::{Value as Json, json};

use super::{give, hold};

#[test]
fn equality() {
    let equal: [(&str, Json, Json); 10] = [
        ("a number and a text of it", json!(1), json!("1")),
        ("a number and a text of it, otherwise written", json!(1000), json!(" 1e3 ")),
        ("numbers otherwise written", json!(1), json!(1.0)),
        ("0 and false", json!(0), json!(false)),
        ("1 and true", json!(1), json!(true)),
        ("\"1\" and true", json!("1"), json!(true)),
        ("\"0\" and false", json!("0"), json!(false)),
        ("null and null", json!(null), json!(null)),
        ("null and what is absent", json!(null), json!({"var": "missing"})),
        ("minus 0 and 0", json!(-0.0), json!(0)),
    ];
    let unequal: [(&str, Json, Json); 20] = [
        ("a text that is no number and a number", json!("abc"), json!(5)),
        ("a text of the context and a number", json!({"var": "text"}), json!(5)),
        ("\"true\" and true", json!("true"), json!(true)),
        ("null and false", json!(null), json!(false)),
        ("null and 0", json!(null), json!(0)),
        ("null and the empty text", json!(null), json!("")),
        ("what is absent and 0", json!({"var": "missing"}), json!(0)),
        ("the empty text and 0", json!(""), json!(0)),
        ("the empty text and false", json!(""), json!(false)),
        ("a list and itself", json!({"var": "list"}), json!({"var": "list"})),
        ("a list and its text", json!({"var": "list"}), json!("1,2")),
        ("an empty list and the empty text", json!({"var": "none"}), json!("")),
        ("a list of one and the one", json!([1]), json!(1)),
        ("an object and itself", json!({"var": "object"}), json!({"var": "object"})),
        ("an object and null", json!({"var": "bare"}), json!(null)),
        ("2 and true", json!(2), json!(true)),
        ("texts in other letters", json!("ABC"), json!("abc")),
        ("texts of one number", json!("1"), json!("1.0")),
        ("no number and itself", json!({"/": [0, 0]}), json!({"/": [0, 0]})),
        ("no number and null", json!({"/": [1, 0]}), json!(null)),
    ];
    for (equals, table) in [(true, &equal[..]), (false, &unequal)] {
        for (name, left, right) in table {
            for (one, other) in [(left, right), (right, left)] {
                let (is, is_not) = if equals { ("==", "!=") } else { ("!=", "==") };
                hold(&[(name, json!({is: [one, other]})), (name, json!({"!": {is_not: [one, other]}}))]);
            }
        }
    }
}

#[test]
fn strict_equality() {
    let scalars = [
        json!(null),
        json!(false),
        json!(true),
        json!(0),
        json!(1),
        json!(""),
        json!("0"),
        json!("1"),
        json!("abc"),
    ];
    for (at, left) in scalars.iter().enumerate() {
        for (index, right) in scalars.iter().enumerate() {
            let (is, is_not) = if at == index { ("===", "!==") } else { ("!==", "===") };
            hold(&[
                ("type and value", json!({is: [left, right]})),
                ("type and value", json!({"!": {is_not: [left, right]}})),
            ]);
        }
        hold(&[
            ("a list is nothing's equal", json!({"!==": [left, []]})),
            ("nor is an object", json!({"!==": [{"var": "bare"}, left]})),
        ]);
    }
    hold(&[
        ("1 and 1.0", json!({"===": [1, 1.0]})),
        ("absent and null", json!({"===": [{"var": "missing"}, null]})),
        ("lists", json!({"!==": [{"var": "list"}, {"var": "list"}]})),
        ("of one argument", json!({"!": {"===": [1]}})),
        ("not of one argument", json!({"!==": [1]})),
    ]);
}

#[test]
fn order() {
    hold(&[
        ("texts by their letters", json!({"<": ["10", "9"]})),
        ("a text and a number by number", json!({"!": {"<": ["10", 9]}})),
        (
            "null is 0",
            json!({"and": [{"<": [null, 1]}, {">": [1, null]}, {"<=": [null, 0]}, {">=": [0, {"var": "missing"}]}]}),
        ),
        ("false is 0 and true 1", json!({"and": [{"<": [false, 1]}, {">=": [true, 1]}]})),
        (
            "a text that is no number",
            json!({"!": {"or": [{"<": ["abc", 1]}, {">=": ["abc", 1]}, {"<=": [1, "abc"]}]}}),
        ),
        ("the empty text is no number", json!({"!": {"or": [{"<": ["", 1]}, {">": ["", -1]}]}})),
        (
            "a list has no order",
            json!({"!": {"or": [{"<": [[], 1]}, {">=": [[], []]}, {"<=": [{"var": "object"}, 1]}]}}),
        ),
        (
            "between, open",
            json!({"and": [{"<": [1, 2, 3]}, {"!": {"<": [1, 1, 3]}}, {"!": {"<": [1, 3, 3]}}]}),
        ),
        ("between, closed", json!({"and": [{"<=": [1, 1, 3]}, {"<=": [1, 3, 3]}, {"!": {"<=": [1, 4, 3]}}]})),
        (
            "> is chained",
            json!({"and": [{">": [3, 2, 1]}, {"!": {">": [3, 2, 2]}}, {"!": {">": [3, 1, 2]}}]}),
        ),
        (">= is chained", json!({"and": [{">=": [3, 2, 2]}, {"!": {">=": [3, 2, 3]}}]})),
        ("of fewer than two", json!({"!": {"or": [{"<": [1]}, {">": []}, {"<=": [1]}, {">=": 0}]}})),
    ]);
}

#[test]
fn truth() {
    let falsy = [
        json!(false),
        json!(null),
        json!(0),
        json!(-0.0),
        json!(""),
        json!([]),
        json!({}),
        json!({"/": [1, 0]}),
        json!({"var": "missing"}),
        json!({"var": "bare"}),
    ];
    let truthy = [
        json!(true),
        json!("0"),
        json!(" "),
        json!([0]),
        json!([[]]),
        json!("false"),
        json!(-1),
        json!(0.1),
        json!("null"),
        json!({"a": 0, "b": 0}),
    ];
    for value in falsy {
        hold(&[
            ("falsy", json!({"!": [value]})),
            ("falsy", json!({"===": [{"!!": [value]}, false]})),
            ("falsy", json!({"if": [value, false, true]})),
        ]);
    }
    for value in truthy {
        hold(&[
            ("truthy", json!({"!!": [value]})),
            ("truthy", json!({"===": [{"!": [value]}, false]})),
            ("truthy", json!({"if": [value, true, false]})),
        ]);
    }
    give(&[
        ("and gives the value that decides", json!({"and": [1, "a", 0, false]}), json!(0)),
        ("or gives the value that decides", json!({"or": ["", 0, "a", 1]}), json!("a")),
        ("and of truths gives the last", json!({"and": [1, "a"]}), json!("a")),
        ("or of falsehoods gives the last", json!({"or": [null, ""]}), json!("")),
        ("and of nothing", json!({"and": []}), json!(null)),
        ("or of nothing", json!({"or": []}), json!(null)),
        ("not of nothing", json!({"!": []}), json!(true)),
        ("an else alone", json!({"if": [1]}), json!(1)),
        ("nothing holds", json!({"if": [0, 1, "", 2]}), json!(null)),
        ("an object of two keys is itself", json!({"if": [{"if": 1, "or": 2}, 1, 2]}), json!(1)),
    ]);
}
