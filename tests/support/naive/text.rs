//! Operators on texts.

use super::number::Number;
use super::value::Value;

/// A part of a text, counted in code points.
pub fn substr(source: &Value, start: &Value, length: &Value) -> Value {
    let chars: Vec<char> = source.text().chars().collect();
    let count = chars.len() as i128;
    let start = match truncated(start) {
        from_end @ ..0 => (count + from_end).max(0),
        start => start.min(count),
    };
    let end = match length {
        Value::Null => count,
        length => match truncated(length) {
            from_end @ ..0 => count + from_end,
            length => start + length,
        },
    };
    let end = end.clamp(start, count);
    Value::Text(chars[start as usize..end as usize].iter().collect())
}

/// Towards zero; no number is zero.
fn truncated(value: &Value) -> i128 {
    match value.number() {
        Number::Whole(whole) => whole,
        // Far beyond the length of any text, yet safe to add to one.
        Number::Real(real) => real.clamp(-1e30, 1e30) as i128,
        Number::None => 0,
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
