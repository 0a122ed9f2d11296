//! Operators on texts.

use std::borrow::Cow;

use crate::flag::meter::Meter;
use crate::flag::{Limit, Value};

/// `cat`: all arguments as one text.
pub fn cat<'a>(args: &mut [Value<'a>], meter: &mut Meter) -> Result<Value<'a>, Limit> {
    // A text alone stays as it is.
    if let [text @ Value::Text(_)] = args {
        return Ok(std::mem::take(text));
    }
    let mut text = String::new();
    for arg in args {
        meter.write(&mut text, arg)?;
    }
    Ok(text.into())
}

/// `substr`: text, start, length, counted in code points; negative ones count from the end.
pub fn substr<'a>(args: &mut [Value<'a>], meter: &mut Meter) -> Result<Value<'a>, Limit> {
    let Some((source, rest)) = args.split_first_mut() else { return Ok(Value::Null) };
    let text = match std::mem::take(source) {
        Value::Text(text) => text,
        other => Cow::Owned(meter.text(&other)?.into_owned()),
    };
    let count = text.chars().count();
    let start = clamp(rest.first(), 0, count);
    let end = match rest.get(1) {
        None | Some(Value::Null) => count,
        Some(length) => match length.number().float() {
            length if length < 0.0 => count.saturating_sub(-length as usize),
            length => start.saturating_add(length as usize).min(count),
        },
    };
    let (from, to) = (byte(&text, start), byte(&text, end.max(start)));
    Ok(match text {
        Cow::Borrowed(text) => text[from..to].into(),
        Cow::Owned(mut text) => {
            text.truncate(to);
            text.drain(..from);
            text.into()
        }
    })
}

/// A position from 0 to `count`; a negative one counts from the end.
fn clamp(position: Option<&Value>, absent: usize, count: usize) -> usize {
    match position.map(|position| position.number().float()) {
        None => absent,
        Some(number) if number < 0.0 => count.saturating_sub((-number) as usize),
        Some(number) => (number as usize).min(count),
    }
}

/// The byte where the code point of that index starts.
fn byte(text: &str, index: usize) -> usize {
    text.char_indices().nth(index).map_or(text.len(), |(byte, _)| byte)
}

/// `starts_with` and `ends_with`: exactly two texts, else null.
pub fn edge<'a>(args: &[Value<'a>], holds: impl Fn(&str, &str) -> bool) -> Value<'a> {
    match args {
        [Value::Text(text), Value::Text(edge)] => holds(text, edge).into(),
        _ => Value::Null,
    }
}
