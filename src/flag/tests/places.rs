//! Where the keys of a document stand: line, column and width of what a problem underlines.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value as Json;

use crate::config::ProblemKind;
use crate::config::tree::{self, Limits};
use crate::flag::locate::{Lines, Places};

const JSON: &str = r#"{
  "a": {"b": [10, "x\"]y", {"c": null}, [ ], {}], "ä": -1.5e3,"last":[[7],false]},
	"tab": "ä\\", "after" :  {
    "d" : 1}
, "e":1
}"#;

const YAML: &str = "a:
  b: [10, 'x', {c: ~}]
  ä: -1.5
list:
- 1
- d: x
";

/// `line:column+width` of a path, `-` for none.
fn place(places: &Places, path: &str) -> String {
    places.of(path).map_or("-".to_owned(), |place| format!("{}:{}+{}", place.line, place.column, place.width))
}

fn find<'t>(text: &'t str, paths: &[&str]) -> Places<'t> {
    Places::find(&Arc::from("f"), text, None, paths)
}

#[test]
fn every_key_and_item_of_json_is_found_where_it_stands() {
    let expected = [
        ("a", "2:3+3"),
        ("a.b", "2:9+3"),
        ("a.b[0]", "2:15+2"),
        ("a.b[1]", "2:19+7"),
        ("a.b[2]", "2:28+1"),
        ("a.b[2].c", "2:29+3"),
        ("a.b[3]", "2:41+1"),
        ("a.b[4]", "2:46+1"),
        ("a.ä", "2:51+3"),
        ("a.last", "2:63+6"),
        ("a.last[0]", "2:71+1"),
        ("a.last[0][0]", "2:72+1"),
        ("a.last[1]", "2:75+5"),
        ("tab", "3:2+5"),
        ("after", "3:16+7"),
        ("after.d", "4:5+3"),
        ("e", "5:3+3"),
    ];
    let paths = expected.map(|(path, _)| path);
    let together = find(JSON, &paths);
    for (path, expected) in expected {
        assert_eq!(place(&together, path), expected, "{path}");
        assert_eq!(place(&find(JSON, &[path]), path), expected, "{path} alone");
    }
}

#[test]
fn what_stands_nowhere_has_the_place_of_what_is_above_it() {
    for (path, above) in [
        ("a.b[9]", "a.b"),
        ("a.b[2].c.x[1]", "a.b[2].c"),
        ("a.nope.deeper", "a"),
        ("e.f", "e"),
        ("a.b[0][0]", "a.b[0]"),
    ] {
        let places = find(JSON, &[path]);
        assert_eq!(place(&places, path), place(&find(JSON, &[above]), above), "{path}");
    }
    assert_eq!(place(&find(JSON, &["nope"]), "nope"), "-");
    assert_eq!(place(&find(JSON, &["e"]), "a.b"), "-", "nobody asked for it");
}

#[test]
fn a_text_that_breaks_off_ends_the_walk() {
    for (text, path, expected) in [
        (r#"{"a": [1"#, "a[1]", "1:2+3"),
        (r#"{"a": {"b"#, "a.b", "1:2+3"),
        (r#"{"a": "x\"#, "a", "1:2+3"),
        (r#"{"a""#, "a", "1:2+3"),
        ("", "a", "-"),
    ] {
        assert_eq!(place(&find(text, &[path]), path), expected, "{text}");
    }
}

#[test]
fn every_key_and_item_of_yaml_is_found_where_it_stands() {
    let tree = tree::parse("f", YAML, ProblemKind::Document, &Limits { bytes: 1000, depth: 9, nodes: 99 });
    let tree = tree.expect("it is YAML");
    let expected = [
        ("a", "1:1+1"),
        ("a.b", "2:3+1"),
        ("a.b[0]", "2:7+2"),
        ("a.b[1]", "2:11+3"),
        ("a.b[2].c", "2:17+1"),
        ("a.ä", "3:3+1"),
        ("list", "4:1+4"),
        ("list[0]", "5:3+1"),
        ("list[1].d", "6:3+1"),
    ];
    let paths = expected.map(|(path, _)| path);
    let together = Places::find(&Arc::from("f"), YAML, Some(&tree.root), paths);
    for (path, expected) in expected {
        assert_eq!(place(&together, path), expected, "{path}");
        let alone = Places::find(&Arc::from("f"), YAML, Some(&tree.root), [path]);
        assert_eq!(place(&alone, path), expected, "{path} alone");
    }
    assert_eq!(place(&together, "list[1].nope"), "6:3+1", "the item");
}

#[test]
fn a_line_is_shown_as_it_is_written_unless_nobody_wrote_it() {
    let (fits, over) = ("x".repeat(400), "x".repeat(401));
    let cut = format!("{}ä", "x".repeat(400));
    let text = format!("one\r\n{fits}\n{over}\n{cut}\nlast");
    let mut lines = Lines::new(&Arc::from("f"), &text);
    // Backwards, too.
    for (line, shown) in
        [(1, "one"), (2, &*fits), (3, ""), (4, ""), (5, "last"), (6, ""), (2, &fits), (1, "one"), (5, "last")]
    {
        let place = lines.place(line, 2, 3);
        assert_eq!((&*place.file, place.line, place.column, place.width), ("f", line, 2, 3));
        assert_eq!(&*place.text, shown, "line {line}");
    }
    assert_eq!(lines.place(1, 1, 0).width, 1, "something is underlined");
}

#[test]
fn a_column_of_bytes_becomes_one_of_characters() {
    let text = "aäb\nx";
    let mut lines = Lines::new(&Arc::from("f"), text);
    // Inside the `ä` nothing better is known.
    for (line, byte, column) in
        [(1, 1, 1), (1, 2, 2), (1, 3, 3), (1, 4, 3), (1, 5, 4), (2, 1, 1), (2, 2, 2), (1, 0, 1), (1, 9, 9)]
    {
        let place = lines.place_by_byte(line, byte);
        assert_eq!((place.line, place.column, place.width), (line, column, 1), "byte {byte} of line {line}");
    }
}

/// Every path of a value, as a fault writes it.
fn paths(json: &Json, path: &str, all: &mut Vec<String>) {
    match json {
        Json::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                all.push(path.clone());
                paths(value, &path, all);
            }
        }
        Json::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                let path = format!("{path}[{at}]");
                all.push(path.clone());
                paths(value, &path, all);
            }
        }
        _ => {}
    }
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        "[a-z\"\\\\{}\\[\\],: ä]{0,6}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 30, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// However it is laid out, each place is where the text of the key, or of the item, begins.
    #[test]
    fn what_stands_at_a_place_is_what_was_asked_for(json in json(), pretty in any::<bool>()) {
        let text = if pretty { format!("{json:#}") } else { json.to_string() };
        let mut all = Vec::new();
        paths(&json, "", &mut all);
        // A list at the root has paths that begin with a bracket: no document has them.
        prop_assume!(json.is_object());
        let places = Places::find(&Arc::from("f"), &text, None, &all);
        for path in &all {
            let place = places.of(path).expect("it stands somewhere");
            let line = text.lines().nth(place.line as usize - 1).expect("there is such a line");
            let there: String = line.chars().skip(place.column as usize - 1).take(place.width as usize).collect();
            let (above, last) = path.rsplit_once(['.', '[']).unwrap_or(("", path));
            if let Some(index) = last.strip_suffix(']') {
                let index: usize = index.parse().expect("an index");
                let pointer = format!("/{}", above.replace(['.', '['], "/").replace(']', ""));
                let list = json.pointer(&pointer).expect("the list");
                match &list[index] {
                    Json::Array(_) => prop_assert_eq!(there, "["),
                    Json::Object(_) => prop_assert_eq!(there, "{"),
                    scalar => prop_assert_eq!(there, scalar.to_string()),
                }
            } else {
                prop_assert_eq!(there, format!("\"{last}\""));
            }
        }
    }
}
