//! `sem_ver`: versions by Semantic Versioning 2, with flagd's leniency: a leading `v`, partial versions.

use std::borrow::Cow;
use std::cmp::Ordering;

use semver::Version;

use crate::flag::Value;

/// Longest text that is read as a version, in bytes.
const MAX_VERSION_TEXT: usize = 256;

/// `[version, operator, version]`; none for anything else.
pub fn compare(args: &[Value]) -> Option<bool> {
    let [left, Value::Text(operator), right] = args else { return None };
    let (left, right) = (version(left)?, version(right)?);
    // Build metadata has no part in precedence.
    let order = left.cmp_precedence(&right);
    Some(match &**operator {
        "=" => order == Ordering::Equal,
        "!=" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        ">=" => order != Ordering::Less,
        "^" => left.major == right.major,
        "~" => left.major == right.major && left.minor == right.minor,
        _ => return None,
    })
}

/// A number is a version as it is written: 1.2 is `1.2`.
fn version(value: &Value) -> Option<Version> {
    match value {
        Value::Text(text) => parse(text),
        Value::Number(number) => parse(&number.to_string()),
        _ => None,
    }
}

/// `v1` and `1.2` are `1.0.0` and `1.2.0`; a partial version has neither prerelease nor build.
fn parse(text: &str) -> Option<Version> {
    if text.len() > MAX_VERSION_TEXT {
        return None;
    }
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let whole = if text.contains(['-', '+']) {
        Cow::Borrowed(text)
    } else {
        match text.matches('.').count() {
            0 => Cow::Owned(format!("{text}.0.0")),
            1 => Cow::Owned(format!("{text}.0")),
            _ => Cow::Borrowed(text),
        }
    };
    Version::parse(&whole).ok()
}
