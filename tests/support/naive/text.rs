//! Operators on texts.

use super::number::Number;
use super::value::Value;

/// A part of a text, counted in code points.
pub fn substr(source: &Value, start: &Value, length: &Value) -> Value {
    let chars: Vec<char> = source.text().chars().collect();
    let count = chars.len();
    let start = match Place::of(start) {
        Place::Ahead(start) => start.min(count),
        Place::FromEnd(start) => count.saturating_sub(start),
    };
    let end = match (length, Place::of(length)) {
        (Value::Null, _) => count,
        (_, Place::Ahead(length)) => start.saturating_add(length).min(count),
        (_, Place::FromEnd(end)) => count.saturating_sub(end),
    };
    Value::Text(chars[start..end.max(start)].iter().collect())
}

/// How many code points on, or back from the end; parts of one do not count.
enum Place {
    Ahead(usize),
    FromEnd(usize),
}

impl Place {
    /// No number is no way at all.
    fn of(value: &Value) -> Place {
        match value.number() {
            Number::Whole(whole) if whole < 0 => Place::FromEnd(whole.unsigned_abs() as usize),
            Number::Whole(whole) => Place::Ahead(whole as usize),
            Number::Real(real) if real < 0.0 => Place::FromEnd(-real as usize),
            Number::Real(real) => Place::Ahead(real as usize),
            Number::None => Place::Ahead(0),
        }
    }
}

/// `starts_with` and `ends_with`: exactly two texts, else null.
pub fn affix(values: &[Value], fits: impl Fn(&str, &str) -> bool) -> Value {
    match values {
        [Value::Text(text), Value::Text(affix)] => Value::Bool(fits(text, affix)),
        _ => Value::Null,
    }
}

/// A part of a text, or a member of a list.
pub fn contains(needle: &Value, haystack: &Value) -> bool {
    match (needle, haystack) {
        (Value::Text(part), Value::Text(text)) => text.contains(part.as_str()),
        (_, Value::List(items)) => items.iter().any(|item| super::compare::strictly_equal(needle, item)),
        _ => false,
    }
}
