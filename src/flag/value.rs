//! A value while a rule runs: borrowed from the request or the rule wherever that is possible.
//!
//! The coercions of JSON Logic live here, as flagd's engines agree on them; where they do not, a rule never fails: it
//! gets false, null or a number that compares with nothing.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

/// A JSON value. Numbers are `f64`, as in every JSON Logic; NaN stands for "no number" and acts as null at the end.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value<'a> {
    /// Null, and whatever is absent.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A number; never infinite.
    Number(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// A list of the rule or of a context given as JSON.
    Array(&'a [Json]),
    /// A list that a rule made.
    List(Vec<Value<'a>>),
    /// An object of the rule or of a context given as JSON.
    Object(&'a Map<String, Json>),
}

/// Longest text that is read as a number, in bytes: no `f64` needs more digits to be told apart.
const MAX_NUMBER_TEXT: usize = 1024;

impl<'a> Value<'a> {
    /// What a dotted path names in a JSON value; numbers index lists, the empty path is the value itself.
    pub fn at(json: &'a Json, path: &str) -> Value<'a> {
        let mut here = json;
        for part in path.split('.').filter(|_| !path.is_empty()) {
            let next = match here {
                Json::Object(map) => map.get(part),
                Json::Array(list) => part.parse::<usize>().ok().and_then(|index| list.get(index)),
                _ => None,
            };
            let Some(next) = next else { return Value::Null };
            here = next;
        }
        Value::from(here)
    }

    /// [`Value::at`], for a value in hand.
    pub(super) fn path(&self, path: &str) -> Value<'a> {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        match self {
            _ if path.is_empty() => self.clone(),
            Value::Object(map) => map.get(first).map_or(Value::Null, |json| Value::at(json, rest)),
            Value::Array(_) | Value::List(_) => {
                first.parse().ok().and_then(|index| self.item(index)).map_or(Value::Null, |v| v.path(rest))
            }
            _ => Value::Null,
        }
    }

    /// Number of items, for a list.
    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Value::Array(list) => Some(list.len()),
            Value::List(list) => Some(list.len()),
            _ => None,
        }
    }

    /// An item of a list.
    pub(super) fn item(&self, index: usize) -> Option<Value<'a>> {
        match self {
            Value::Array(list) => list.get(index).map(Value::from),
            Value::List(list) => list.get(index).cloned(),
            _ => None,
        }
    }

    /// False for false, null, 0, NaN, "", [] and {}; true for the rest, "0" and "false" too.
    pub fn truthy(&self) -> bool {
        match self {
            Value::Null => false,
            Value::Bool(value) => *value,
            Value::Number(number) => *number != 0.0 && !number.is_nan(),
            Value::Text(text) => !text.is_empty(),
            Value::Array(list) => !list.is_empty(),
            Value::List(list) => !list.is_empty(),
            Value::Object(map) => !map.is_empty(),
        }
    }

    /// As a number: null is 0, true is 1, a numeric text its number; anything else NaN.
    pub(super) fn number(&self) -> f64 {
        match self {
            Value::Null => 0.0,
            Value::Bool(value) => f64::from(u8::from(*value)),
            Value::Number(number) => *number,
            Value::Text(text) => number_of(text),
            Value::Array(_) | Value::List(_) | Value::Object(_) => f64::NAN,
        }
    }

    /// As `cat` writes it: null is nothing, whole numbers have no point, list items are joined with commas.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Value::Null => Cow::Borrowed(""),
            Value::Bool(true) => Cow::Borrowed("true"),
            Value::Bool(false) => Cow::Borrowed("false"),
            Value::Number(number) => Cow::Owned(text_of(*number)),
            Value::Text(text) => Cow::Borrowed(text),
            Value::Array(_) | Value::List(_) => {
                let items = (0..self.len().unwrap_or(0)).filter_map(|index| self.item(index));
                Cow::Owned(items.map(|item| item.text().into_owned()).collect::<Vec<_>>().join(","))
            }
            Value::Object(map) => Cow::Owned(serde_json::to_string(map).unwrap_or_default()),
        }
    }

    /// What it takes to walk or copy it, in steps of an evaluation's budget. A list within a list counts double, level by
    /// level, so that no rule nests its lists until a walk exhausts the stack.
    pub(super) fn weight(&self) -> usize {
        match self {
            Value::Text(text) => text.len() / 16,
            Value::Array(list) => list.len(),
            Value::List(list) => {
                let weights = list.iter().map(|item| item.weight().saturating_mul(2).saturating_add(1));
                weights.fold(0, usize::saturating_add)
            }
            Value::Object(map) => map.len(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
    }
}

/// A text's number. Neither the empty text nor `inf` and `nan` are numbers.
fn number_of(text: &str) -> f64 {
    let text = text.trim_ascii();
    let numeric = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    if !numeric || text.len() > MAX_NUMBER_TEXT {
        return f64::NAN;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite()).unwrap_or(f64::NAN)
}

/// A number as JavaScript writes it, so that `cat` builds the same split keys everywhere; NaN is nothing.
pub(super) fn text_of(number: f64) -> String {
    let size = number.abs();
    if number.is_nan() {
        String::new()
    } else if number == 0.0 {
        "0".to_owned()
    } else if size >= 1e21 {
        format!("{number:e}").replacen('e', "e+", 1)
    } else if size < 1e-6 {
        format!("{number:e}")
    } else {
        format!("{number}")
    }
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
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

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Value::Text(text)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
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
    use super::*;

    #[test]
    fn only_decimal_texts_are_numbers() {
        for (text, number) in [("1", 1.0), (" 1e3 ", 1000.0), ("-.5", -0.5), ("0", 0.0)] {
            assert_eq!(Value::from(text).number(), number, "{text:?}");
        }
        for text in ["", " ", "0x10", "inf", "NaN", "1_0", "abc", "1e999", "1 2"] {
            assert!(Value::from(text).number().is_nan(), "{text:?}");
        }
    }

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        for (number, text) in [
            (1.0, "1"),
            (-0.0, "0"),
            (0.1, "0.1"),
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (1e-7, "1e-7"),
        ] {
            assert_eq!(text_of(number), text);
        }
        assert_eq!(text_of(f64::NAN), "");
    }

    #[test]
    fn paths_go_through_objects_and_lists_and_end_in_null() {
        let json = serde_json::json!({"a": {"b": [10, {"c": "x"}]}, "": 1});
        assert_eq!(Value::at(&json, "a.b.1.c"), Value::from("x"));
        assert_eq!(Value::at(&json, "a.b.0"), Value::from(10.0));
        assert_eq!(Value::at(&json, ""), Value::from(&json));
        for path in ["a.b.2", "a.b.length", "a.x", "a.b.1.c.d", "b"] {
            assert_eq!(Value::at(&json, path), Value::Null, "{path}");
            assert_eq!(Value::from(&json).path(path), Value::Null, "{path}");
        }
        assert_eq!(Value::from(&json).path("a.b.1.c"), Value::from("x"));
    }
}
