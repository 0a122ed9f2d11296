//! A value while a rule runs: borrowed from the request or the rule wherever that is possible.
//!
//! The coercions of JSON Logic live here, as flagd's engines agree on them; where they do not, a rule never fails: it
//! gets false, null or a number that compares with nothing.

use std::borrow::Cow;
use std::str::Split;

use serde_json::{Map, Value as Json};

use super::Number;

/// A JSON value. [`Number::NONE`] acts as null at the end of a rule.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value<'a> {
    /// Null, and whatever is absent.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A number, or none.
    Number(Number),
    /// A text.
    Text(Cow<'a, str>),
    /// A list of the rule or of a context given as JSON.
    Array(&'a [Json]),
    /// A list that a rule made.
    List(Vec<Value<'a>>),
    /// An object of the rule or of a context given as JSON.
    Object(&'a Map<String, Json>),
}

impl<'a> Value<'a> {
    /// What a dotted path names in a JSON value; numbers index lists, the empty path is the value itself.
    pub fn at(json: &'a Json, path: &str) -> Value<'a> {
        match path {
            "" => Value::from(json),
            // Most paths have one part.
            _ if !path.as_bytes().contains(&b'.') => part(json, path).map_or(Value::Null, Value::from),
            _ => Value::down(json, path.split('.')),
        }
    }

    fn down(json: &'a Json, mut parts: Split<char>) -> Value<'a> {
        parts.try_fold(json, part).map_or(Value::Null, Value::from)
    }

    /// [`Value::at`], for a value in hand; what lies in it is not copied.
    pub(super) fn path<'s>(&'s self, path: &str) -> Cow<'s, Value<'a>> {
        if path.is_empty() { Cow::Borrowed(self) } else { self.parts(path.split('.')) }
    }

    /// What the parts of a path lead to, one after the other; an empty part is a name, too.
    pub(super) fn parts<'s>(&'s self, mut parts: Split<char>) -> Cow<'s, Value<'a>> {
        let Some(first) = parts.next() else { return Cow::Borrowed(self) };
        let json = match self {
            Value::List(list) => {
                let item = index(first).and_then(|index| list.get(index));
                return item.map_or(Cow::Owned(Value::Null), |item| item.parts(parts));
            }
            Value::Object(map) => map.get(first),
            Value::Array(list) => index(first).and_then(|index| list.get(index)),
            _ => None,
        };
        Cow::Owned(json.map_or(Value::Null, |json| Value::down(json, parts)))
    }

    /// Number of items, for a list.
    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Value::Array(list) => Some(list.len()),
            Value::List(list) => Some(list.len()),
            _ => None,
        }
    }

    /// The items of a list; anything else is one item.
    pub(super) fn into_items(self) -> Items<'a> {
        match self {
            Value::Array(list) => Items::Json(list.iter()),
            Value::List(list) => Items::Made(list.into_iter()),
            one => Items::One(Some(one)),
        }
    }

    /// False for false, null, 0, no number, "", [] and {}; true for the rest, "0" and "false" too.
    pub fn truthy(&self) -> bool {
        match self {
            Value::Null => false,
            Value::Bool(value) => *value,
            Value::Number(number) => *number != Number::from(0_i64) && !number.is_none(),
            Value::Text(text) => !text.is_empty(),
            Value::Array(list) => !list.is_empty(),
            Value::List(list) => !list.is_empty(),
            Value::Object(map) => !map.is_empty(),
        }
    }

    /// As a number: null is 0, true is 1, a decimal text its number; anything else none.
    pub(super) fn number(&self) -> Number {
        match self {
            Value::Null => Number::from(0_i64),
            Value::Bool(value) => Number::from(i64::from(*value)),
            Value::Number(number) => *number,
            Value::Text(text) => Number::parse(text.trim_ascii()).unwrap_or(Number::NONE),
            Value::Array(_) | Value::List(_) | Value::Object(_) => Number::NONE,
        }
    }
}

/// The items of a list, in order, not copied.
pub(super) enum Items<'a> {
    Json(std::slice::Iter<'a, Json>),
    Made(std::vec::IntoIter<Value<'a>>),
    One(Option<Value<'a>>),
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        match self {
            Items::Json(list) => list.next().map(Value::from),
            Items::Made(list) => list.next(),
            Items::One(one) => one.take(),
        }
    }
}

/// What one part of a path leads to.
fn part<'a>(json: &'a Json, part: &str) -> Option<&'a Json> {
    match json {
        Json::Object(map) => map.get(part),
        Json::Array(list) => list.get(index(part)?),
        _ => None,
    }
}

/// The index that a part of a path is: digits alone, without a sign.
fn index(part: &str) -> Option<usize> {
    part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => Value::Number(number.into()),
            Json::String(text) => Value::Text(Cow::Borrowed(text)),
            Json::Array(list) => Value::Array(list),
            Json::Object(map) => Value::Object(map),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Cow::Owned(text))
    }
}

impl From<Number> for Value<'_> {
    fn from(number: Number) -> Self {
        Value::Number(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_have_these_numbers() {
        for (json, number) in [
            (json!(null), 0),
            (json!(false), 0),
            (json!(true), 1),
            (json!(" 1e3 "), 1000),
            (json!("\t-7\n"), -7),
            (json!(2.0), 2),
        ] {
            assert_eq!(Value::from(&json).number(), Number::from(i64::from(number)), "{json}");
        }
        for json in [json!(""), json!(" "), json!("x"), json!([1]), json!([]), json!({})] {
            assert!(Value::from(&json).number().is_none(), "{json}");
        }
    }

    #[test]
    fn paths_go_through_objects_and_lists_and_end_in_null() {
        let json = json!({"a": {"b": [10, {"c": "x"}]}, "": 1});
        assert_eq!(Value::at(&json, "a.b.1.c"), Value::from("x"));
        assert_eq!(Value::at(&json, "a.b.0"), Value::from(Number::from(10_i64)));
        assert_eq!(Value::at(&json, ""), Value::from(&json));
        for path in ["a.b.2", "a.b.length", "a.x", "a.b.1.c.d", "b", "a.b.1.", "a.b.+0"] {
            assert_eq!(Value::at(&json, path), Value::Null, "{path}");
            assert_eq!(*Value::from(&json).path(path), Value::Null, "{path}");
        }
        assert_eq!(*Value::from(&json).path("a.b.1.c"), Value::from("x"));
        let made = Value::List(vec![Value::Null, Value::from(&json)]);
        assert_eq!(*made.path("1.a.b.1.c"), Value::from("x"));
        assert_eq!(*made.path(""), made);
        let list = json!([10]);
        assert_eq!(*Value::List(vec![Value::from(&list)]).path("0.0"), Value::from(Number::from(10_i64)));
        for path in ["2", "x", "-1", "length", "0.a"] {
            assert_eq!(*made.path(path), Value::Null, "{path}");
        }
    }
}
