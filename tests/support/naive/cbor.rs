//! RFC 8949, section 4.2.1: the one deterministic encoding that version 3 of the bucketing hashes.

use super::number::Number;
use super::value::Value;

/// The encoding of a value; `None` when it has a number in it that is none.
pub fn encode(value: &Value) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    write(value, &mut out)?;
    Some(out)
}

fn write(value: &Value, out: &mut Vec<u8>) -> Option<()> {
    match value {
        Value::Bool(false) => out.push(0xf4),
        Value::Bool(true) => out.push(0xf5),
        Value::Null => out.push(0xf6),
        Value::Number(Number::Whole(whole)) if *whole >= 0 => head(0, u64::try_from(*whole).ok()?, out),
        Value::Number(Number::Whole(whole)) => head(1, u64::try_from(-1 - *whole).ok()?, out),
        Value::Number(Number::Real(real)) => float(*real, out),
        Value::Number(Number::None) => return None,
        Value::Text(text) => write_text(text, out),
        Value::List(items) => {
            head(4, items.len() as u64, out);
            items.iter().try_for_each(|item| write(item, out))?;
        }
        Value::Object(members) => {
            let mut encoded = Vec::new();
            for (name, value) in members {
                let mut key = Vec::new();
                write_text(name, &mut key);
                encoded.push((key, encode(value)?));
            }
            encoded.sort();
            head(5, encoded.len() as u64, out);
            for (name, value) in encoded {
                out.extend(name);
                out.extend(value);
            }
        }
    }
    Some(())
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    head(3, text.len() as u64, out);
    out.extend(text.as_bytes());
}

/// Major type and argument, in the fewest bytes.
fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    match argument {
        0..24 => out.push(major | argument as u8),
        24..0x100 => out.extend([major | 24, argument as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend((argument as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend((argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend(argument.to_be_bytes());
        }
    }
}

/// In the shortest of the three widths that loses nothing.
fn float(real: f64, out: &mut Vec<u8>) {
    if let Some(half) = half(real) {
        out.push(0xf9);
        out.extend(half.to_be_bytes());
    } else if f64::from(real as f32) == real {
        out.push(0xfa);
        out.extend((real as f32).to_be_bytes());
    } else {
        out.push(0xfb);
        out.extend(real.to_be_bytes());
    }
}

/// The half float of exactly this value, found by looking at every one of them.
fn half(real: f64) -> Option<u16> {
    (0..=u16::MAX).find(|bits| {
        let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
        let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
        match exponent {
            0 => sign * fraction * 2f64.powi(-24) == real,
            31 => false,
            _ => sign * (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15) == real,
        }
    })
}
