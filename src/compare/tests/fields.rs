//! JSON bodies: what is told of a change.

use super::*;

/// Original, other, what is told; what is told the other way round follows.
fn check(table: &[(&str, &str, &str)], rules: &CompareRules) {
    let swap = |told: &str| match told.rsplit_once(' ') {
        Some((path, "missing")) => format!("{path} added"),
        Some((path, "added")) => format!("{path} missing"),
        Some((path, "shorter")) => format!("{path} longer"),
        Some((path, "longer")) => format!("{path} shorter"),
        _ => told.to_owned(),
    };
    for (original, other, expected) in table {
        assert_eq!(between(original, other, rules), *expected, "{original} -> {other}");
        let mut mirrored: Vec<_> = expected.split(", ").map(swap).collect();
        let mut found: Vec<_> = between(other, original, rules).split(", ").map(str::to_owned).collect();
        mirrored.sort();
        found.sort();
        assert_eq!(found, mirrored, "{other} -> {original}");
    }
}

#[test]
fn a_field_is_told_by_its_path_and_how_it_differs() {
    check(
        &[
            (r#"{"a":1,"b":[true,null]}"#, " {\"b\": [true, null],\n\"a\": 1.0}", ""),
            (r#"{"a":1}"#, r#"{"a":2}"#, "/a changed"),
            (r#"{"a":1}"#, r#"{"a":"1"}"#, "/a type"),
            (r#"{"a":true}"#, r#"{"a":false}"#, "/a changed"),
            (r#"{"a":true}"#, r#"{"a":1}"#, "/a type"),
            (r#"{"a":{"b":{"c":1}}}"#, r#"{"a":{"b":{"c":2}}}"#, "/a/b/c changed"),
            (r#"{"a":1,"b":2}"#, r#"{"a":1}"#, "/b missing"),
            (r#"{"a":null}"#, r#"{"a":1}"#, "/a type"),
            (r#"{"a":null}"#, "{}", "/a missing"),
            (r#"{"a":{"b":1,"c":2}}"#, r#"{"a":null}"#, "/a type"),
            (r#"{"a":[]}"#, r#"{"a":{}}"#, "/a type"),
            (r#"{"a/b":{"~":1}}"#, r#"{"a/b":{"~":2}}"#, "/a~1b/~0 changed"),
            (r#"{"":{"":1}}"#, r#"{"":{"":2}}"#, "// changed"),
            (r#"{"a":1,"b":1,"c":1}"#, r#"{"a":2,"b":1,"d":1}"#, "/a changed, /c missing, /d added"),
            ("1", "2", "body changed"),
            ("[]", "{}", "body type"),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#, ""),
            (r#"{"a":9007199254740993}"#, r#"{"a":9007199254740992}"#, "/a changed"),
            (r#"{"a":9007199254740993}"#, r#"{"a":9007199254740992.0}"#, "/a changed"),
            (r#"{"a":18446744073709551615}"#, r#"{"a":18446744073709551614}"#, "/a changed"),
            (r#"{"a":-0.0,"b":1e2,"c":0.1}"#, r#"{"a":0,"b":100,"c":1e-1}"#, ""),
        ],
        &rules(),
    );
}

#[test]
fn a_text_of_another_form_is_told_from_one_of_another_content() {
    check(
        &[
            (r#""2026-03-01T10:00:00Z""#, r#""2027-12-31T23:59:59Z""#, "body changed"),
            (r#""2026-03-01T10:00:00Z""#, r#""2026-03-01T11:00:00+01:00""#, "body format"),
            (r#""12.50 EUR""#, r#""7.10 USD""#, "body changed"),
            (r#""12.50 EUR""#, r#""12,50 EUR""#, "body format"),
            (r#""ada""#, r#""Grace""#, "body changed"),
            (r#""Zoë""#, r#""Ada""#, "body changed"),
            (r#""ada""#, r#""""#, "body format"),
        ],
        &rules(),
    );
}

#[test]
fn elements_of_an_array_are_paired_by_what_they_hold() {
    check(
        &[
            ("[1,2,3]", "[3,1,2]", "body order"),
            ("[1,2,3]", "[1,2]", "body shorter"),
            ("[1,2,2]", "[2,1]", "body order, body shorter"),
            ("[1,2,3]", "[1,2,4]", "/* changed"),
            ("[1,2,3]", "[4,1,2]", "/* changed"),
            ("[1,2,3]", "[4,5,6]", "/* changed"),
            ("[1,2]", "[1,2,2]", "body longer"),
            ("[1,2]", "[1,1,2]", "body longer"),
            ("[[1],[2]]", "[[2],[1]]", "body order"),
            (
                r#"{"l":[{"id":1,"p":1},{"id":2,"p":2}]}"#,
                r#"{"l":[{"id":2,"p":3},{"id":1,"p":4}]}"#,
                "/l order, /l/*/p changed",
            ),
            (
                r#"[{"id":1,"p":1},{"id":2,"p":2},{"id":3,"p":3}]"#,
                r#"[{"id":3,"p":9},{"id":1,"p":1}]"#,
                "/*/p changed, body order, body shorter",
            ),
            // A price that another one had before is no sign of being that one.
            (
                r#"[{"id":1,"p":1},{"id":2,"p":2},{"id":3,"p":3}]"#,
                r#"[{"id":3,"p":1},{"id":2,"p":4},{"id":1,"p":2}]"#,
                "/*/p changed, body order",
            ),
            (
                r#"[{"p":{"id":1,"n":5},"q":1},{"p":{"id":2,"n":6},"q":1}]"#,
                r#"[{"p":{"id":2,"n":8},"q":1},{"p":{"id":1,"n":7},"q":1}]"#,
                "/*/p/n changed, body order",
            ),
            (r#"[{"id":1},1,null]"#, r#"[{"id":1},1,"x"]"#, "/* type"),
            (
                r#"[{"id":1,"t":"a"},{"id":2,"t":"b"}]"#,
                r#"[{"id":1,"t":"c"},{"id":2,"t":"b"},{"id":2,"t":"b"}]"#,
                "/*/t changed, body longer",
            ),
            // The newest first: one came, the last one went.
            (
                r#"[{"id":2,"c":"E"},{"id":1,"c":"E"}]"#,
                r#"[{"id":3,"c":"E"},{"id":2,"c":"E"}]"#,
                "/*/id changed",
            ),
        ],
        &rules(),
    );
}

#[test]
fn any_number_of_elements_in_another_order_with_another_field_each_are_known_again() {
    for count in [2, 10, 64, 65, 500] {
        let item =
            |id: usize, price: usize| format!(r#"{{"id":"i{id}","kind":"{}","price":{price}}}"#, id % 3);
        let original: Vec<_> = (0..count).map(|id| item(id, id + 7)).collect();
        let other: Vec<_> = (0..count).map(|at| count - 1 - at).map(|id| item(id, id + 8)).collect();
        let body = |items: &[String]| format!(r#"{{"items":[{}]}}"#, items.join(","));
        assert_eq!(
            between(&body(&original), &body(&other), &rules()),
            "/items order, /items/*/price changed",
            "{count}"
        );
        assert_eq!(
            between(&body(&original), &body(&other[1..]), &rules()),
            if count == 2 {
                "/items shorter, /items/*/price changed"
            } else {
                "/items order, /items shorter, /items/*/price changed"
            },
            "{count}"
        );
    }
}

#[test]
fn elements_are_known_by_the_fields_that_agree_with_most_others() {
    // Four fields say which one it is; three say where it stands, and tell elements apart as well.
    let names = ["id", "line", "name", "rank", "row", "sku", "url"];
    for turn in 0..names.len() {
        let stands = |field: usize| (field + turn) % names.len() < 3;
        let item = |id: usize, at: usize| {
            let value = |field| if stands(field) { at } else { id };
            let fields: Vec<_> =
                names.iter().zip(0..).map(|(name, field)| format!(r#""{name}":{}"#, value(field))).collect();
            format!("{{{}}}", fields.join(","))
        };
        let list = |items: Vec<String>| format!("[{}]", items.join(","));
        for count in [10, 100] {
            let original = list((0..count).map(|at| item(at, at)).collect());
            let other = list((0..count).map(|at| item(count - 1 - at, at)).collect());
            let changed = names.iter().zip(0..).filter(|(_, field)| stands(*field));
            let told: String = changed.map(|(name, _)| format!("/*/{name} changed, ")).collect();
            assert_eq!(between(&original, &other, &rules()), told + "body order", "{count}");
        }
    }
}

#[test]
fn elements_with_a_key_are_matched_by_it_in_any_order() {
    let mut rules = rules();
    rules.arrays = vec![(path("/l"), "id".into()), (path("/l/*/tags"), "k".into())];
    let list = |elements: &str| format!(r#"{{"l":[{elements}]}}"#);
    let table = [
        (r#"{"id":1,"p":1},{"id":2,"p":2}"#, r#"{"id":2,"p":2},{"id":1,"p":1}"#, ""),
        (r#"{"id":1,"p":1},{"id":2,"p":2}"#, r#"{"id":2,"p":2},{"id":1,"p":3}"#, "/l/*/p changed"),
        (r#"{"id":1,"p":1},{"id":2,"p":2}"#, r#"{"id":2,"p":2}"#, "/l shorter"),
        (r#"{"id":1,"p":1},{"id":2,"p":2}"#, r#"{"id":2,"p":2},{"id":3,"p":1}"#, "/l shorter, /l longer"),
        (r#"{"id":1,"p":1}"#, r#"{"id":1,"p":1},{"id":1,"p":1}"#, "/l longer"),
        (r#"{"id":1,"p":1},{"p":2},7"#, r#"7,{"p":3},{"id":1,"p":1}"#, "/l/*/p changed"),
        (r#"{"id":1,"tags":[{"k":1},{"k":2}]}"#, r#"{"id":1,"tags":[{"k":2},{"k":1}]}"#, ""),
        (
            r#"{"id":1,"tags":[{"k":1,"v":1},{"k":2}]}"#,
            r#"{"id":1,"tags":[{"k":2},{"k":1,"v":2}]}"#,
            "/l/*/tags/*/v changed",
        ),
    ];
    let table = table.map(|(original, other, expected)| (list(original), list(other), expected));
    let table: Vec<_> = table.iter().map(|(one, two, told)| (one.as_str(), two.as_str(), *told)).collect();
    check(&table, &rules);

    // The order that does not count within an element does not make it another one.
    rules.arrays = vec![(path("/*"), "k".into())];
    let (original, other) =
        (r#"[[{"k":1},{"k":2}],[{"k":3},{"k":4}]]"#, r#"[[{"k":4},{"k":3}],[{"k":2},{"k":1}]]"#);
    check(&[(original, other, "body order")], &rules);
}

#[test]
fn what_is_ignored_is_not_there() {
    let mut rules = rules();
    rules.ignore = paths(&["/at", "/l/*/at", "/a/b", "/m/0", "/n/*"]);
    check(
        &[
            (r#"{"at":1,"x":1}"#, r#"{"at":{"y":2},"x":1}"#, ""),
            (r#"{"at":1,"x":1}"#, r#"{"x":2}"#, "/x changed"),
            (r#"{"a":{"b":{"c":1},"d":1}}"#, r#"{"a":{"d":1}}"#, ""),
            // Elements that differ in nothing else are equal: order and number are told without doubt.
            (
                r#"{"l":[{"id":1,"at":1},{"id":2,"at":2}]}"#,
                r#"{"l":[{"id":2,"at":3},{"id":1,"at":4}]}"#,
                "/l order",
            ),
            (r#"{"m":[1,2]}"#, r#"{"m":[{},2]}"#, ""),
            (r#"{"m":[1]}"#, r#"{"m":[]}"#, ""),
            (r#"{"m":[1,2]}"#, r#"{"m":[1,3]}"#, "/m/* changed"),
            (r#"{"n":[1,2]}"#, r#"{"n":[3]}"#, ""),
            (r#"{"n":[1,2]}"#, r#"{"n":1}"#, "/n type"),
        ],
        &rules,
    );
}

#[test]
fn numbers_within_a_tolerance_are_equal() {
    let mut rules = rules();
    rules.tolerance = vec![(path("/p"), 0.01), (path("/p/exact"), 0.0), (path("/l/*/n"), 1.0)];
    check(
        &[
            (r#"{"p":1.10}"#, r#"{"p":1.09}"#, ""),
            (r#"{"p":1.10}"#, r#"{"p":1.08}"#, "/p changed"),
            (r#"{"p":1.10}"#, r#"{"p":"1.10"}"#, "/p type"),
            (r#"{"p":{"a":[1.10]}}"#, r#"{"p":{"a":[1.11]}}"#, ""),
            (r#"{"p":{"exact":1.10}}"#, r#"{"p":{"exact":1.11}}"#, "/p/exact changed"),
            (r#"{"l":[{"n":1},{"n":5},{"n":9}]}"#, r#"{"l":[{"n":10},{"n":1},{"n":4}]}"#, "/l order"),
            (r#"{"l":[{"n":1},{"n":5},{"n":9}]}"#, r#"{"l":[{"n":6},{"n":9}]}"#, "/l shorter"),
            (
                r#"{"l":[{"n":1,"i":1},{"n":5,"i":2}]}"#,
                r#"{"l":[{"n":1,"i":1},{"n":7,"i":2}]}"#,
                "/l/*/n changed",
            ),
        ],
        &rules,
    );
}

#[test]
fn what_is_redacted_differs_without_a_value() {
    let mut rules = rules();
    rules.redact = paths(&["/user/email", "/cards/*", "/by/0/e"]);
    let secrets = ["ada@", "eve@", "4111", "5500"];
    for (original, other, told) in [
        (r#"{"user":{"email":"ada@a"}}"#, r#"{"user":{"email":"eve@a"}}"#, "/user/email changed"),
        (r#"{"user":{"email":"ada@a","n":1}}"#, r#"{"user":null}"#, "/user type"),
        (r#"{"user":{"email":"ada@a","n":1}}"#, r#"{}"#, "/user missing"),
        (r#"{"cards":["4111","5500"]}"#, r#"{"cards":["5500","4111"]}"#, "/cards order"),
        (r#"{"cards":["4111","5500"]}"#, r#"{"cards":["4111"]}"#, "/cards shorter"),
        (r#"{"cards":[{"n":"4111"}]}"#, r#"{"cards":[{"n":"5500"}]}"#, "/cards/*/n changed"),
        (r#"{"user":{"email":"ada@a"}}"#, r#"{"user":{"email":"eve@"#, "body type"),
        // Redacted where it stands in one of the answers.
        (
            r#"{"by":[{"i":1,"e":"x"},{"i":2,"e":"y"}]}"#,
            r#"{"by":[{"i":2,"e":"eve@a"},{"i":1,"e":"x"}]}"#,
            "/by order, /by/*/e format",
        ),
    ] {
        let found = compare(&json(original), &json(other), &rules).expect("they can be compared");
        assert_eq!(self::told(&found).join(", "), told);
        let values = found.differences.iter().flat_map(|found| [&found.original, &found.other]);
        let shown = values.flatten().find(|value| secrets.iter().any(|secret| value.contains(secret)));
        assert_eq!(shown, None, "{original} -> {other}");
    }
}

#[test]
fn an_example_shows_both_values_and_where_they_stand() {
    let example = |original: &str, other: &str| {
        let found = compare(&json(original.to_owned()), &json(other.to_owned()), &rules());
        let found = found.expect("they can be compared").differences.remove(0);
        let value = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        format!("{}: {} | {}", found.at, value(found.original), value(found.other))
    };
    for (original, other, shown) in [
        (r#"{"a":[{"b":1},{"b":2}]}"#, r#"{"a":[{"b":1},{"b":2.5}]}"#, "/a/1/b: 2 | 2.5"),
        (r#"{"a":{"b":["x"],"c":null}}"#, "{}", r#"/a: {"b":["x"],"c":null} | -"#),
        (r#"{"a":[1,2]}"#, r#"{"a":[1,2,{"x":"y"}]}"#, r#"/a/2: - | {"x":"y"}"#),
        (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#, "/a: [1,2] | [2,1]"),
        (r#"["a"]"#, r#"["a\n\u001b[2J\u202e\"é"]"#, r#"/0: "a" | "a\n\u001b[2J\u202e\"é""#),
    ] {
        assert_eq!(example(original, other), shown);
    }
    let long = example(r#"["a"]"#, &format!(r#"["{}"]"#, "é".repeat(500)));
    let shown = long.split_once(" | ").expect("two values").1;
    assert!((250..=256).contains(&shown.len()) && shown.ends_with('…'), "{} {shown}", shown.len());
}
