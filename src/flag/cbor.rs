//! Deterministic CBOR (RFC 8949, 4.2.1): the bytes that `fractional` hashes in its v3 form.
//!
//! Whole floats within [-2^63, 2^64-1] become integers and other floats take the shortest exact form, so that every
//! language hashes the same bytes. Written straight into the hash; only a map's keys are collected, to sort them.

use serde_json::{Map, Value as Json};

use super::murmur3::Murmur3;
use super::{Number, Value};

const TEXT: u8 = 3 << 5;
const ARRAY: u8 = 4 << 5;
const MAP: u8 = 5 << 5;

/// Where the bytes go.
pub trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Murmur3 {
    fn put(&mut self, bytes: &[u8]) {
        self.write(bytes);
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// The head of an array of so many items.
pub fn array(sink: &mut impl Sink, items: usize) {
    head(sink, ARRAY, items as u64);
}

/// A text.
pub fn text(sink: &mut impl Sink, text: &str) {
    head(sink, TEXT, text.len() as u64);
    sink.put(text.as_bytes());
}

/// Any value.
pub fn value(sink: &mut impl Sink, value: &Value) {
    match value {
        Value::Null => sink.put(&[0xf6]),
        Value::Bool(value) => boolean(sink, *value),
        Value::Number(value) => number(sink, *value),
        Value::Text(content) => text(sink, content),
        Value::Array(list) => {
            array(sink, list.len());
            list.iter().for_each(|item| self::value(sink, &item.into()));
        }
        Value::List(list) => {
            array(sink, list.len());
            list.iter().for_each(|item| self::value(sink, item));
        }
        Value::Object(content) => map(sink, content),
    }
}

/// Keys are sorted by their encodings, bytewise: a shorter text has the smaller head.
fn map(sink: &mut impl Sink, content: &Map<String, Json>) {
    let mut members: Vec<_> = content.iter().collect();
    members.sort_by_key(|(key, _)| (key.len(), key.as_bytes()));
    head(sink, MAP, members.len() as u64);
    for (key, item) in members {
        text(sink, key);
        value(sink, &item.into());
    }
}

fn boolean(sink: &mut impl Sink, value: bool) {
    sink.put(&[0xf4 + u8::from(value)]);
}

fn number(sink: &mut impl Sink, number: Number) {
    match number.whole() {
        Some(whole) => integer(sink, whole),
        None => float(sink, number.float()),
    }
}

/// From -2^63 to 2^64-1.
fn integer(sink: &mut impl Sink, whole: i128) {
    if whole >= 0 {
        head(sink, 0, whole as u64);
    } else {
        head(sink, 1 << 5, (-1 - whole) as u64);
    }
}

fn head(sink: &mut impl Sink, major: u8, argument: u64) {
    let wide = argument.to_be_bytes();
    match argument {
        0..=23 => sink.put(&[major + argument as u8]),
        24..=0xff => sink.put(&[major + 24, wide[7]]),
        0x100..=0xffff => sink.put(&[major + 25, wide[6], wide[7]]),
        0x1_0000..=0xffff_ffff => sink.put(&[major + 26, wide[4], wide[5], wide[6], wide[7]]),
        _ => {
            sink.put(&[major + 27]);
            sink.put(&wide);
        }
    }
}

fn float(sink: &mut impl Sink, number: f64) {
    if let Some(half) = half(number) {
        sink.put(&[0xf9]);
        sink.put(&half.to_be_bytes());
    } else if f64::from(number as f32) == number {
        sink.put(&[0xfa]);
        sink.put(&(number as f32).to_be_bytes());
    } else {
        sink.put(&[0xfb]);
        sink.put(&number.to_be_bytes());
    }
}

/// The half-precision float that is exactly this number, if there is one; NaN is 0x7e00. Infinity is no [`Number`].
fn half(number: f64) -> Option<u16> {
    if number.is_nan() {
        return Some(0x7e00);
    }
    let bits = number.to_bits();
    let sign = ((bits >> 48) & 0x8000) as u16;
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1023;
    let fraction = bits & ((1 << 52) - 1);
    match exponent {
        -14..=15 if fraction.trailing_zeros() >= 42 => {
            Some(sign + (((exponent + 15) as u16) << 10) + (fraction >> 42) as u16)
        }
        // Subnormal halves: multiples of 2^-24.
        -24..=-15 => {
            let significand = fraction + (1 << 52);
            let drop = (28 - exponent) as u32;
            (significand.trailing_zeros() >= drop).then(|| sign + (significand >> drop) as u16)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(json: &Json) -> String {
        let mut bytes = Vec::new();
        value(&mut bytes, &Value::from(json));
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn vectors_of_rfc_8949_appendix_a() {
        for (json, hex) in [
            ("0", "00"),
            ("23", "17"),
            ("24", "1818"),
            ("1000", "1903e8"),
            ("1000000", "1a000f4240"),
            ("1000000000000", "1b000000e8d4a51000"),
            ("-1", "20"),
            ("-1000", "3903e7"),
            ("1.1", "fb3ff199999999999a"),
            ("1.5", "f93e00"),
            ("3.4028234663852886e+38", "fa7f7fffff"),
            ("1.0e+300", "fb7e37e43c8800759c"),
            ("5.960464477539063e-8", "f90001"),
            ("0.00006103515625", "f90400"),
            ("-4.1", "fbc010666666666666"),
            ("false", "f4"),
            ("true", "f5"),
            ("null", "f6"),
            ("\"\"", "60"),
            ("\"IETF\"", "6449455446"),
            ("\"\u{fc}\"", "62c3bc"),
            ("[1,[2,3]]", "8201820203"),
            (r#"{"a":1,"b":[2,3]}"#, "a26161016162820203"),
        ] {
            assert_eq!(encoded(&serde_json::from_str(json).expect("a vector is JSON")), hex, "{json}");
        }
    }

    #[test]
    fn whole_floats_are_integers_and_keys_are_sorted_by_length_first() {
        for (json, hex) in [
            ("50.0", "1832"),
            ("-0.0", "00"),
            ("65504.0", "19ffe0"),
            ("18446744073709549568.0", "1bfffffffffffff800"),
            ("18446744073709551616.0", "fa5f800000"),
            ("-9223372036854775808.0", "3b7fffffffffffffff"),
            (r#"{"aa":1,"b":2}"#, "a2616202626161"),
        ] {
            let hex = if json.starts_with('{') { format!("{hex}01") } else { hex.to_owned() };
            assert_eq!(encoded(&serde_json::from_str(json).expect("a vector is JSON")), hex, "{json}");
        }
    }

    #[test]
    fn every_half_is_found_again() {
        for half in 0..=u16::MAX {
            let (exponent, fraction) = (i32::from(half >> 10 & 0x1f), f64::from(half & 0x3ff));
            let size = match exponent {
                0 => fraction * 2f64.powi(-24),
                // Infinities and NaN.
                31 => continue,
                _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
            };
            // Zero is an integer.
            if size == 0.0 {
                continue;
            }
            let number = if half & 0x8000 == 0 { size } else { -size };
            assert_eq!(super::half(number), Some(half), "{number}");
            assert_eq!(super::half(number + 2f64.powi(-30)), None, "beside {number}");
        }
    }
}
