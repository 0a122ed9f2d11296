//! Equality and order.

use std::cmp::Ordering;

use crate::flag::Value;

/// `==`: as JavaScript, except that a text which is no number equals no number, and lists and objects equal nothing.
pub fn equal(args: &[Value]) -> bool {
    let [left, right, ..] = args else { return false };
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::Null, _) | (_, Value::Null) => false,
        // Lists and objects are no number, which equals nothing.
        _ => left.number() == right.number(),
    }
}

/// `===`: same type, same value.
pub fn strictly(args: &[Value]) -> bool {
    let [left, right, ..] = args else { return false };
    same(left, right)
}

/// Whether two scalars have the same type and value; lists and objects are the same as nothing.
pub fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Number(left), Value::Number(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => left == right,
        _ => false,
    }
}

/// `<` and its like: each argument against the next. Two texts by their bytes, anything else by number.
pub fn ordered(args: &[Value], holds: impl Fn(Ordering) -> bool) -> bool {
    args.len() > 1
        && args.windows(2).all(|pair| {
            let order = match (&pair[0], &pair[1]) {
                (Value::Text(left), Value::Text(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
                (left, right) => left.number().partial_cmp(&right.number()),
            };
            order.is_some_and(&holds)
        })
}
