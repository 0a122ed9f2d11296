//! YAML as a tree that knows its lines.
//!
//! [`parse`] turns one YAML document into [`Node`]s, each with its [`Place`]. A scalar stays as it was written, with
//! whether it was quoted; only who reads it decides what it must be, and [`Scalar::value`] types it by the core schema of YAML 1.2.
//! Aliases count as what they stand for, so that no document grows beyond its [`Limits`]. There are no merge keys, no tags
//! but `!!str`, and no second document.

mod builder;
mod lines;
mod syntax;

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Number, Value};

use super::{Place, Problem, ProblemKind};

/// What a document may cost. All of them count aliased parts as often as they are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the text, and bytes of all scalars.
    pub bytes: usize,
    /// Nesting of lists and maps.
    pub depth: usize,
    /// Scalars, lists and maps.
    pub nodes: usize,
}

impl Limits {
    /// For configuration files: 1 MiB, 32 levels, 100,000 nodes.
    pub const CONFIG: Limits = Limits { bytes: 1 << 20, depth: 32, nodes: 100_000 };
}

/// A document, and the keys in it that stand twice.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The document's value; of an empty document, null.
    pub root: Node,
    /// One problem for each repeated key; the tree has the first.
    pub duplicates: Vec<Problem>,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    /// Of a list or map, where it begins.
    pub place: Place,
    /// What it is.
    pub content: Content,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum Content {
    /// Text, a number, a boolean or null.
    Scalar(Scalar),
    /// In order.
    List(Vec<Node>),
    /// In order, each key once.
    Map(Vec<Entry>),
}

/// One key of a map with its value. The key's content is always a scalar.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Always a scalar.
    pub key: Node,
    /// Anything.
    pub value: Node,
}

/// A scalar as it was written, without its quotes.
#[derive(Clone, PartialEq, Eq)]
pub struct Scalar {
    /// With the environment put in, if it was.
    pub text: Arc<str>,
    /// Not quoted, not a block: it may be null, a boolean or a number.
    pub plain: bool,
    /// The text in the file when the environment was put into it. Messages show this, never `text`.
    pub written: Option<Arc<str>>,
}

/// Reads one YAML document. `Err`: it is no YAML, or over a limit; then nothing else can be said about it.
pub fn parse(file: &str, text: &str, kind: ProblemKind, limits: &Limits) -> Result<Tree, Box<Problem>> {
    builder::build(file, text, kind, limits)
}

/// The JSON that a node stands for. Keys are taken as text; of a number that JSON does not have, its text.
pub fn to_json(node: &Node) -> Value {
    match &node.content {
        Content::Scalar(scalar) => scalar.value(),
        Content::List(items) => Value::Array(items.iter().map(to_json).collect()),
        Content::Map(entries) => {
            let mut object = Map::new();
            for entry in entries {
                object.insert(entry.key.text().to_owned(), to_json(&entry.value));
            }
            Value::Object(object)
        }
    }
}

impl Node {
    /// The text of a scalar; of a list or map, the empty text.
    pub fn text(&self) -> &str {
        self.scalar().map_or("", |scalar| &scalar.text)
    }

    /// The scalar, if it is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.content {
            Content::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub fn list(&self) -> Option<&[Node]> {
        match &self.content {
            Content::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, if it is a map.
    pub fn map(&self) -> Option<&[Entry]> {
        match &self.content {
            Content::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The entry of a map's key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.map()?.iter().find(|entry| entry.key.text() == key)
    }

    /// What it is, for messages: `a number`, `a list`.
    pub fn what(&self) -> &'static str {
        match &self.content {
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
            Content::Scalar(scalar) => match scalar.value() {
                Value::Null => "nothing",
                Value::Bool(_) => "a boolean",
                Value::Number(_) => "a number",
                _ => "text",
            },
        }
    }
}

impl Scalar {
    /// Typed by YAML's core schema: plain `null`, `~` and nothing, `true`, `1`, `0x1f`, `1.5e3`; anything else is text.
    pub fn value(&self) -> Value {
        if !self.plain {
            return Value::String(self.text.to_string());
        }
        match &*self.text {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            text => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
        }
    }

    /// As the file has it, for messages.
    pub fn shown(&self) -> &str {
        self.written.as_deref().unwrap_or(&self.text)
    }
}

/// Without what the environment put in: that may be a secret.
impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", if self.plain { "" } else { "quoted " }, self.shown())
    }
}

/// A number of the core schema, if the text is one and JSON can hold it.
fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+')).map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().filter(|_| !digits.starts_with('+')).map(Number::from);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let starts = unsigned.strip_prefix('.').unwrap_or(unsigned).starts_with(|c: char| c.is_ascii_digit());
    if !starts || !text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) {
        return None;
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    let integer = text.parse::<u64>().map(Number::from).or_else(|_| text.parse::<i64>().map(Number::from));
    integer.ok().or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn tree(text: &str) -> Result<Tree, Box<Problem>> {
        parse("test.yaml", text, ProblemKind::Config, &Limits::CONFIG)
    }

    fn as_json(text: &str) -> Value {
        to_json(&tree(text).expect("it is YAML").root)
    }

    #[test]
    fn scalars_are_typed_by_the_core_schema() {
        let table = [
            ("1", json!(1)),
            ("-7", json!(-7)),
            ("+7", json!(7)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("1e3", json!(1000.0)),
            ("true", json!(true)),
            ("False", json!(false)),
            ("~", json!(null)),
            ("null", json!(null)),
            ("", json!(null)),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("1.2.3", json!("1.2.3")),
            ("10.0.0.1:80", json!("10.0.0.1:80")),
            ("1-2", json!("1-2")),
            ("0x", json!("0x")),
            ("e5", json!("e5")),
            (".inf", json!(".inf")),
            ("\"1\"", json!("1")),
            ("'true'", json!("true")),
            ("!!str 5", json!("5")),
        ];
        for (text, expected) in table {
            assert_eq!(as_json(&format!("k: {text}\n"))["k"], expected, "{text}");
        }
    }

    #[test]
    fn places_point_at_what_was_written() {
        let tree = tree("\u{feff}a: 1\nlist:\n  - name: é\n    flow: {x: [1, 2]}\n").expect("it is YAML");
        let list = &tree.root.entry("list").expect("it is there").value;
        let name = list.list().expect("a list")[0].entry("name").expect("it is there");
        assert_eq!((name.key.place.line, name.key.place.column, name.key.place.width), (3, 5, 4));
        assert_eq!((name.value.place.line, name.value.place.column, name.value.place.width), (3, 11, 1));
        assert_eq!(&*name.value.place.text, "  - name: é");
        let flow = &list.list().expect("a list")[0].entry("flow").expect("it is there").value;
        assert_eq!((flow.place.line, flow.place.column, flow.place.width), (4, 11, 11));
    }

    #[test]
    fn aliases_stand_for_what_they_name() {
        assert_eq!(as_json("a: &x {n: [1]}\nb: *x\n"), json!({"a": {"n": [1]}, "b": {"n": [1]}}));
    }

    #[test]
    fn doubling_aliases_die_at_a_named_limit() {
        let mut text = "a0: &a0 [x, x]\n".to_owned();
        for level in 1..30 {
            let below = level - 1;
            text.push_str(&format!("a{level}: &a{level} [*a{below}, *a{below}]\n"));
        }
        let problem = tree(&text).expect_err("it is too much");
        assert!(problem.found.contains("nodes"), "{problem:?}");
    }

    #[test]
    fn aliases_cannot_build_a_tower() {
        let mut text = "a0: &a0 [x]\n".to_owned();
        for level in 1..100 {
            text.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
        }
        let problem = tree(&text).expect_err("it is too deep");
        assert!(problem.found.contains("deeper"), "{problem:?}");
    }

    #[test]
    fn repeated_large_texts_count_each_time() {
        let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a , ".repeat(20));
        assert!(tree(&text).expect_err("it is too much").found.contains("bytes"));
    }

    #[test]
    fn depth_and_size_are_bounded() {
        assert!(tree(&"- ".repeat(5000)).expect_err("it is too deep").found.contains("deeper"));
        assert!(tree(&"[".repeat(5000)).expect_err("it is too deep").found.contains("deeper"));
        assert!(tree(&" ".repeat(2 << 20)).expect_err("it is too long").found.contains("bytes"));
    }

    #[test]
    fn keys_that_look_alike_but_differ_in_type_are_two_keys() {
        let tree = tree("true: a\n\"true\": b\n").expect("it is YAML");
        assert!(tree.duplicates.is_empty());
        assert_eq!(tree.root.map().map(<[Entry]>::len), Some(2));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-a-c0-2:,{}\\[\\]&*!|>'\"%@#?~ \t\r\n\u{85}\u{feff}é$]{0,80}") {
            let _ = tree(&text);
        }

        #[test]
        fn any_text_at_all_does_not_panic(text in any::<String>()) {
            let _ = tree(&text);
        }

        #[test]
        fn json_is_yaml(items in proptest::collection::vec((".{0,8}", any::<i64>()), 0..6)) {
            let value = json!(items);
            prop_assert_eq!(as_json(&value.to_string()), value);
        }
    }
}
