//! Operators on lists.

use super::compare::same;
use crate::flag::Value;

/// `in`: part of a text, or strictly equal to an item of a list. False for any other haystack.
pub fn contains(args: &[Value]) -> bool {
    match args {
        [Value::Text(needle), Value::Text(haystack), ..] => haystack.contains(&**needle),
        [needle, haystack @ (Value::Array(_) | Value::List(_)), ..] => (0..haystack.len().unwrap_or(0))
            .any(|index| haystack.item(index).is_some_and(|item| same(needle, &item))),
        _ => false,
    }
}

/// `merge`: one list of all arguments, lists among them opened by one level.
pub fn merge<'a>(args: &[Value<'a>]) -> Value<'a> {
    let mut merged = Vec::new();
    for arg in args {
        match arg.len() {
            Some(len) => merged.extend((0..len).filter_map(|index| arg.item(index))),
            None => merged.push(arg.clone()),
        }
    }
    Value::List(merged)
}
