//! Operators on lists.

use std::borrow::Borrow;

use super::compare::same;
use crate::flag::meter::Meter;
use crate::flag::{Limit, Value};

/// `in`: part of a text, or strictly equal to an item of a list. False for any other haystack.
pub fn contains(args: &[Value], meter: &mut Meter) -> Result<bool, Limit> {
    match args {
        [Value::Text(needle), Value::Text(haystack), ..] => Ok(within(needle, haystack)),
        [needle, Value::Array(list), ..] => any(list.iter().map(Value::from), needle, meter),
        [needle, Value::List(list), ..] => any(list.iter(), needle, meter),
        _ => Ok(false),
    }
}

/// Whether a text has another in it.
pub fn within(needle: &str, haystack: &str) -> bool {
    // It prepares nothing for a short text, where that takes longer than looking.
    memchr::memmem::find(haystack.as_bytes(), needle.as_bytes()).is_some()
}

fn any<'v>(
    items: impl Iterator<Item: Borrow<Value<'v>>>,
    needle: &Value,
    meter: &mut Meter,
) -> Result<bool, Limit> {
    for item in items {
        let item = item.borrow();
        meter.step(1)?;
        // Texts of different lengths are told apart without reading them.
        if let (Value::Text(one), Value::Text(other)) = (needle, item)
            && one.len() == other.len()
        {
            meter.read(one.len())?;
        }
        if same(needle, item) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `merge`: one list of all arguments, lists among them opened by one level.
pub fn merge<'a>(args: &mut [Value<'a>], meter: &mut Meter) -> Result<Value<'a>, Limit> {
    let mut merged = meter.list(args.iter().map(|arg| arg.len().unwrap_or(1)).sum())?;
    for arg in args {
        merged.extend(std::mem::take(arg).into_items());
    }
    Ok(Value::List(merged))
}
