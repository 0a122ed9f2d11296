//! Equality, loose and strict, and order.

use std::cmp::Ordering;

use super::value::Value;

/// `==`: numbers, truth and numeric texts are equal by number; lists and objects to nothing.
pub fn loosely_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::List(_) | Value::Object(_), _) | (_, Value::List(_) | Value::Object(_)) => false,
        (Value::Text(a), Value::Text(b)) => a == b,
        _ => a.number().compare(b.number()) == Some(Ordering::Equal),
    }
}

/// `===`, and membership in a list: of one type and equal.
pub fn strictly_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => a.compare(*b) == Some(Ordering::Equal),
        (Value::Text(a), Value::Text(b)) => a == b,
        _ => false,
    }
}

/// Texts by their code points, everything else by number. `None`: they have no order.
pub fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        _ => a.number().compare(b.number()),
    }
}

/// Whether each value stands to the next as `fits` says: `[1, 2, 3]` is between.
pub fn chained(values: &[Value], fits: impl Fn(Ordering) -> bool) -> bool {
    values.len() > 1 && values.windows(2).all(|pair| order(&pair[0], &pair[1]).is_some_and(&fits))
}
