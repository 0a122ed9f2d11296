//! Bodies that were made to be expensive.

use super::*;
use crate::compare::json::steps;

/// Steps for each byte of both bodies. What costs most: 64 elements of 64 fields each, all unlike all, one pair of bytes a field.
const STEPS: u64 = 100;

/// A body of about `size` bytes.
fn repeated(size: usize, open: &str, close: &str, item: impl Fn(usize) -> String) -> String {
    let mut body = open.to_owned();
    for at in 0.. {
        let item = item(at);
        if body.len() + item.len() + close.len() >= size {
            break;
        }
        body.extend((at > 0).then_some(','));
        body.push_str(&item);
    }
    body + close
}

/// As many items as asked for.
fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    format!("[{}]", (0..count).map(item).collect::<Vec<_>>().join(","))
}

/// A pair of bodies from what makes the one and the other from a number.
fn pair(size: usize, ends: (&str, &str), item: impl Fn(usize, usize) -> String) -> (String, String) {
    let body = |side| repeated(size, ends.0, ends.1, |at| item(side, at));
    (body(0), body(1))
}

#[test]
fn of_more_paths_than_are_told_apart_the_first_ones_stay() {
    let fields =
        |letter: char| -> String { (0..300).map(|name| format!(r#","{letter}{name:03}":1"#)).collect() };
    let original = format!(r#"[{{"id":1{}}},{{"id":2{}}}]"#, fields('b'), fields('a'));
    let other = r#"[{"id":1},{"id":2}]"#;
    let told =
        |kind: &str| (0..200).map(|name| format!("/*/a{name:03} {kind}")).collect::<Vec<_>>().join(", ");
    assert_eq!(between(&original, other, &rules()), told("missing"));
    assert_eq!(between(other, &original, &rules()), told("added"));
}

#[test]
fn no_two_bodies_take_more_than_so_many_steps_a_byte_and_tell_more_than_so_many_paths() {
    let size = 32 << 10;
    let array = ("[", "]");
    // Within a tolerance equality is found out anew at each level: here by the last number.
    let deep = |last: u8| {
        let (open, close) = ("{\"a\":".repeat(120) + "[", format!(",{last}]{}", "}".repeat(120)));
        repeated(size, &open, &close, |_| "1".to_owned())
    };
    let long = format!("{{\"{}\":{{", "n".repeat(size / 2));
    let table = [
        ("numbers, all unlike", pair(size, array, |side, at| (at * 2 + side).to_string())),
        ("digits", pair(size, array, |side, at| (at * (side * 6 + 1) % 11 % 10).to_string())),
        ("nothings", pair(size, array, |side, _| ["[]", "{}"][side].to_owned())),
        ("elements of one field", pair(size, array, |side, at| format!(r#"{{"":{}}}"#, at * 2 + side))),
        (
            "elements within elements",
            pair(size, array, |side, at| format!(r#"{{"a":{{"b":[{{"c":{}}}]}}}}"#, at * 2 + side)),
        ),
        ("names", pair(size, ("{", "}"), |side, at| format!(r#""{at}":{side}"#))),
        ("names below a long one", pair(size, (&long, "}}"), |side, at| format!(r#""{at}":{side}"#))),
        (
            "lists of 64",
            pair(size, array, |side, at| list(64, |i| format!(r#"{{"a":{},"b":{}}}"#, at + side, i + side))),
        ),
        (
            "tables of 64 by 64",
            pair(size, array, |side, at| {
                list(64, |i| list(64, |j| ((at + i * j + side * (j + 1)) % 10).to_string()))
            }),
        ),
        ("deep", (deep(1), deep(9))),
    ];
    let keyed = |key: &str| vec![(path("/*"), key.into()), (FieldPath::Body, key.into())];
    for rules in [
        rules(),
        CompareRules { tolerance: vec![(FieldPath::Body, 0.5)], ..rules() },
        CompareRules { arrays: keyed(""), ..rules() },
        CompareRules { arrays: keyed("b"), ignore: paths(&["/*/*/c"]), ..rules() },
    ] {
        for (name, (original, other)) in &table {
            let bytes = (original.len() + other.len()) as u64;
            assert!((size as u64..=2 * size as u64).contains(&bytes), "{name}: {bytes}");
            steps::taken();
            let told =
                told_of(&json(original.clone()), &json(other.clone()), &rules).expect("they can be compared");
            let steps = steps::taken();
            assert!(!told.is_empty() && told.len() <= 200, "{name}: {} told", told.len());
            assert!(steps <= STEPS * bytes, "{name}: {} steps a byte", steps / bytes);
        }
    }
}
