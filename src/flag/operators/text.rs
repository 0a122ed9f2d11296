//! Operators on texts.

use std::borrow::Cow;

use crate::flag::Value;

/// `cat`: all arguments as one text.
pub fn cat<'a>(args: &[Value<'a>]) -> Value<'a> {
    match args {
        // A text alone stays as it is.
        [Value::Text(text)] => Value::Text(text.clone()),
        _ => {
            let parts: smallvec::SmallVec<[Cow<'_, str>; 4]> = args.iter().map(Value::text).collect();
            let mut text = String::with_capacity(parts.iter().map(|part| part.len()).sum());
            parts.iter().for_each(|part| text.push_str(part));
            text.into()
        }
    }
}

/// `substr`: text, start, length, counted in code points; negative ones count from the end.
pub fn substr<'a>(args: &[Value<'a>]) -> Value<'a> {
    let Some(source) = args.first() else { return Value::Null };
    let text = match source {
        Value::Text(text) => text.clone(),
        other => Cow::Owned(other.text().into_owned()),
    };
    let count = text.chars().count();
    let start = clamp(args.get(1), 0, count);
    let end = match args.get(2) {
        None | Some(Value::Null) => count,
        Some(length) => match length.number() {
            length if length < 0.0 => clamp(Some(&Value::Number(length)), 0, count),
            length => start.saturating_add(length as usize).min(count),
        },
    };
    let (from, to) = (byte(&text, start), byte(&text, end.max(start)));
    match text {
        Cow::Borrowed(text) => text[from..to].into(),
        Cow::Owned(text) => text[from..to].to_owned().into(),
    }
}

/// A position from 0 to `count`; a negative one counts from the end.
fn clamp(position: Option<&Value>, absent: usize, count: usize) -> usize {
    match position.map(Value::number) {
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
