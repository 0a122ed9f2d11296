//! One flag's value in each form that travels: a field value, a dictionary member, a baggage member.
//!
//! All of it is text made when a snapshot is built; a request only picks and joins.

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sfv::{BareItem, Decimal, Integer};

/// A value, ready to travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// Of the flag's own field; none for what a field value cannot carry: control characters, text beyond ASCII, blanks at an end.
    pub field: Option<HeaderValue>,
    /// Dictionary: key and value, `new-pricing` for true, `n=5`, `v="x"`; none for what a dictionary cannot carry.
    pub member: Option<Box<str>>,
    /// Baggage: `flag.new-pricing=on`.
    pub baggage: Box<str>,
}

impl Wire {
    /// The forms of a value.
    pub fn new(folded: &str, variant: &str, value: &Value) -> Wire {
        Wire {
            field: field(value),
            member: member(folded, value),
            baggage: format!("flag.{folded}={}", utf8_percent_encode(variant, BAGGAGE)).into(),
        }
    }
}

/// Bytes of a baggage value that need no percent-encoding: RFC 3986's unreserved ones.
const BAGGAGE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Scalars as text, objects as compact JSON with everything beyond ASCII escaped.
fn field(value: &Value) -> Option<HeaderValue> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => plain_number(number),
        other => ascii_json(&other.to_string()),
    };
    let sendable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && text.trim() == text;
    if sendable { HeaderValue::from_str(&text).ok() } else { None }
}

/// Whole floats without their `.0`: what JSON clients call the same number reads the same.
fn plain_number(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0 => {
            format!("{}", float as i64)
        }
        _ => number.to_string(),
    }
}

/// Escapes what is beyond ASCII as JSON does; it can only stand inside strings.
fn ascii_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            text.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

/// `key` or `key=item` of an RFC 9651 dictionary.
fn member(folded: &str, value: &Value) -> Option<Box<str>> {
    let key = dictionary_key(folded);
    match bare_item(value)? {
        BareItem::Boolean(true) => Some(key.into()),
        item => Some(format!("{key}={}", serialize(item)).into()),
    }
}

/// Dictionary keys start with a letter or `*`.
pub fn dictionary_key(folded: &str) -> String {
    if folded.starts_with(|c: char| c.is_ascii_lowercase()) {
        folded.to_owned()
    } else {
        format!("*{folded}")
    }
}

fn bare_item(value: &Value) -> Option<BareItem> {
    match value {
        Value::Bool(flag) => Some(BareItem::Boolean(*flag)),
        Value::Number(number) => bare_number(number.as_f64()?),
        Value::String(text) => Some(text_item(text)),
        _ => None,
    }
}

/// Integers within 10^15 - 1, decimals where three places are exact, nothing else.
fn bare_number(number: f64) -> Option<BareItem> {
    if number.fract() == 0.0 {
        return Integer::try_from(number as i64).ok().filter(|_| number.abs() < 1e15).map(BareItem::Integer);
    }
    let thousandths = (number * 1000.0).round();
    let exact = number.abs() < 1e12 && thousandths / 1000.0 == number;
    if exact { Decimal::try_from(number).ok().map(BareItem::Decimal) } else { None }
}

/// A string, or a display string when it has anything beyond printable ASCII.
fn text_item(text: &str) -> BareItem {
    match sfv::String::from_string(text.to_owned()) {
        Ok(string) => BareItem::String(string),
        Err(_) => BareItem::DisplayString(text.to_owned()),
    }
}

/// A text as a parameter's value: `"on"`.
pub fn serialize_text(text: &str) -> String {
    serialize(text_item(text))
}

fn serialize(item: BareItem) -> String {
    sfv::ItemSerializer::new().bare_item(&item).finish()
}
