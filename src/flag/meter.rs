//! What one evaluation may still use: steps, and bytes of what the rule makes.
//!
//! Everything is charged before it is done: what is over a limit is never walked and never made. So no rule and no context, however
//! hostile, holds a request up or fills the memory.

use std::borrow::Cow;
use std::io;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::{Limit, Number, Value};
use crate::config::FlagLimits;

/// Bytes of text that are read for one step.
const READ: usize = 32;

/// Bytes that a context looks through for one step: it only searches for a few letters.
const SEARCH: usize = 256;

/// Bytes that an item of a list counts beside its own text.
const ITEM: usize = 32;

type Result<T> = std::result::Result<T, Limit>;

/// What is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meter {
    steps: usize,
    bytes: usize,
}

impl Meter {
    /// What every evaluation begins with.
    pub fn new(limits: &FlagLimits) -> Meter {
        Meter { steps: limits.steps, bytes: limits.produced_bytes }
    }

    /// A limit of a full meter in words.
    pub fn tell(&self, limit: Limit) -> String {
        match limit {
            Limit::Steps => format!("over the limit of {} steps", self.steps),
            Limit::Bytes => format!("over the limit of {} produced bytes", self.bytes),
        }
    }

    /// An expression, or so many items of a list.
    pub fn step(&mut self, count: usize) -> Result<()> {
        self.steps = self.steps.checked_sub(count).ok_or(Limit::Steps)?;
        Ok(())
    }

    /// So many bytes of text are walked: short ones cost nothing.
    pub fn read(&mut self, bytes: usize) -> Result<()> {
        self.step(bytes / READ)
    }

    /// So many bytes are looked through for an attribute.
    pub fn search(&mut self, bytes: usize) -> Result<()> {
        self.step(bytes / SEARCH)
    }

    /// So many bytes are made.
    pub fn make(&mut self, bytes: usize) -> Result<()> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Limit::Bytes)?;
        Ok(())
    }

    /// A list for so many items is made.
    pub fn list<T>(&mut self, items: usize) -> Result<Vec<T>> {
        self.make(items.saturating_mul(ITEM))?;
        Ok(Vec::with_capacity(items))
    }

    /// One more item for a list that grows.
    pub fn push<T>(&mut self, list: &mut Vec<T>, item: T) -> Result<()> {
        self.make(ITEM)?;
        list.push(item);
        Ok(())
    }

    /// A copy of a value; what is borrowed costs nothing.
    pub fn copy<'a>(&mut self, value: &Value<'a>) -> Result<Value<'a>> {
        self.make(weight(value))?;
        Ok(value.clone())
    }

    /// A value that a context gives: a text that was put together for the rule counts as made by it.
    #[inline]
    pub fn given<'a>(&mut self, value: Value<'a>) -> Result<Value<'a>> {
        // What is borrowed, nearly all, is not even weighed.
        if let Value::Text(Cow::Owned(_)) | Value::List(_) = value {
            self.make(weight(&value))?;
        }
        Ok(value)
    }

    /// A value as `cat` writes it.
    pub fn text<'v>(&mut self, value: &'v Value) -> Result<Cow<'v, str>> {
        match value {
            Value::Null => Ok(Cow::Borrowed("")),
            Value::Bool(value) => Ok(Cow::Borrowed(if *value { "true" } else { "false" })),
            Value::Text(text) => Ok(Cow::Borrowed(text)),
            _ => {
                let mut text = String::new();
                self.write(&mut text, value)?;
                Ok(Cow::Owned(text))
            }
        }
    }

    /// Writes a value as `cat` does: null is nothing, whole numbers have no point, list items are joined with commas, objects are
    /// compact JSON.
    pub fn write(&mut self, out: &mut String, value: &Value) -> Result<()> {
        match value {
            Value::Array(list) => self.join(out, list.iter().map(|item| Cow::Owned(item.into()))),
            Value::List(list) => self.join(out, list.iter().map(Cow::Borrowed)),
            Value::Object(map) => {
                let sink = Sink { meter: self, out };
                map.serialize(&mut Serializer::with_formatter(sink, Compact)).map_err(|_| Limit::Bytes)
            }
            // Of some twenty digits at most.
            Value::Number(number) => self.append(out, &number.to_string()),
            scalar => {
                let text = self.text(scalar)?;
                self.append(out, &text)
            }
        }
    }

    fn join<'v>(&mut self, out: &mut String, items: impl Iterator<Item = Cow<'v, Value<'v>>>) -> Result<()> {
        for (at, item) in items.enumerate() {
            self.step(1)?;
            self.append(out, if at == 0 { "" } else { "," })?;
            self.write(out, &item)?;
        }
        Ok(())
    }

    fn append(&mut self, out: &mut String, text: &str) -> Result<()> {
        self.make(text.len())?;
        out.push_str(text);
        Ok(())
    }
}

/// Bytes that a copy makes. A list within a list counts double, level by level, so that no rule nests its lists until a walk
/// exhausts the stack.
fn weight(value: &Value) -> usize {
    match value {
        Value::Text(Cow::Owned(text)) => text.len(),
        Value::List(list) => list.iter().fold(0, |sum: usize, item| {
            let levels = if let Value::List(_) = item { 2 } else { 1 };
            sum.saturating_add(ITEM).saturating_add(weight(item).saturating_mul(levels))
        }),
        _ => 0,
    }
}

/// Compact JSON with numbers as `cat` writes them.
struct Compact;

impl Formatter for Compact {
    fn write_f64<W: ?Sized + io::Write>(&mut self, out: &mut W, float: f64) -> io::Result<()> {
        write!(out, "{}", Number::from(float))
    }
}

/// Where an object is written, byte by byte within the limit.
struct Sink<'m> {
    meter: &'m mut Meter,
    out: &'m mut String,
}

impl io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // It comes in whole pieces of text.
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        self.meter.append(self.out, text).map_err(|limit| io::Error::other(limit.as_str()))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn meter(steps: usize, bytes: usize) -> Meter {
        Meter::new(&FlagLimits { steps, produced_bytes: bytes, ..FlagLimits::default() })
    }

    #[test]
    fn a_limit_is_reached_and_never_passed() {
        let mut meter = meter(3, 5);
        assert_eq!(
            (meter.step(2), meter.step(2), meter.step(1), meter.step(1)),
            (Ok(()), Err(Limit::Steps), Ok(()), Err(Limit::Steps))
        );
        assert_eq!(
            (meter.make(6), meter.make(5), meter.make(1)),
            (Err(Limit::Bytes), Ok(()), Err(Limit::Bytes))
        );
        assert_eq!((meter.read(READ - 1), meter.read(READ)), (Ok(()), Err(Limit::Steps)));
    }

    #[test]
    fn an_item_is_no_larger_than_it_counts() {
        assert!(size_of::<Value>() <= ITEM);
    }

    #[test]
    fn texts_are_never_longer_than_what_is_left() {
        let object = json!({"a": ["\u{e9}\n", {"b": null}], "c": 1.5});
        for (json, text) in [
            (json!([1, [2.0, null], "x", true]), "1,2,,x,true"),
            (object.clone(), &*object.to_string()),
            (json!(-1.5), "-1.5"),
            (json!("text"), "text"),
        ] {
            for room in 0..=text.len() {
                let mut out = String::new();
                let written = meter(100, room).write(&mut out, &Value::from(&json));
                assert_eq!(written, if room < text.len() { Err(Limit::Bytes) } else { Ok(()) }, "{json}");
                assert!(text.starts_with(&out) && out.len() <= room, "{json}: {out}");
            }
        }
        let nulls = json!([null, null, null]);
        assert_eq!(meter(2, 100).text(&Value::from(&nulls)), Err(Limit::Steps));
        assert_eq!(meter(3, 100).text(&Value::from(&nulls)).as_deref(), Ok(",,"));
    }

    #[test]
    fn copies_cost_what_they_make_and_nesting_costs_double() {
        let text = || Value::from("x".repeat(100));
        let nested = (0..30).fold(text(), |inner, _| Value::List(vec![inner]));
        for (value, bytes) in [
            (Value::from("borrowed"), 0),
            (text(), 100),
            (Value::List(vec![text(), Value::Null]), ITEM + 100 + ITEM),
            (Value::List(vec![Value::List(vec![text()])]), ITEM + 2 * (ITEM + 100)),
        ] {
            assert_eq!(meter(0, bytes).copy(&value).as_ref(), Ok(&value));
            if bytes > 0 {
                assert_eq!(meter(0, bytes - 1).copy(&value), Err(Limit::Bytes));
            }
        }
        assert_eq!(meter(0, 64 << 20).copy(&nested), Err(Limit::Bytes));
    }
}
