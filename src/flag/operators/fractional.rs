//! `fractional`: who falls into which bucket.
//!
//! Both of flagd's live hashes: v2 hashes the text, v3 its deterministic CBOR. The bucket is the hash scaled to the sum of
//! weights, and the first bucket that ends above it wins, so that widening a bucket at its end moves nobody out of it.

use serde_json::Value as Json;

use crate::config::FractionalVersion;
use crate::flag::murmur3::Murmur3;
use crate::flag::{Value, cbor};

/// Greatest sum of weights: beyond it the result is null.
pub const MAX_SUM: u64 = i32::MAX as u64;

/// The state after all of the implicit unit that is constant: the flag's key.
pub fn prefix(version: FractionalVersion, flag_key: &str) -> Murmur3 {
    let mut hasher = Murmur3::default();
    match version {
        FractionalVersion::V2 => hasher.write(flag_key.as_bytes()),
        FractionalVersion::V3 => {
            cbor::array(&mut hasher, 2);
            cbor::text(&mut hasher, flag_key);
        }
    }
    hasher
}

/// The implicit unit, taken by a hash: the flag's key and the targeting key.
pub fn implicit(version: FractionalVersion, mut prefix: Murmur3, targeting_key: &str) -> Murmur3 {
    match version {
        FractionalVersion::V2 => prefix.write(targeting_key.as_bytes()),
        FractionalVersion::V3 => cbor::text(&mut prefix, targeting_key),
    }
    prefix
}

/// An explicit unit, taken by a hash; v2 knows texts only.
pub fn explicit(version: FractionalVersion, unit: &Value) -> Option<Murmur3> {
    match (version, unit) {
        (_, Value::Text(unit)) => Some(text(version, unit)),
        (FractionalVersion::V2, _) => None,
        // What has no number has no hash.
        (FractionalVersion::V3, Value::Number(number)) if number.is_none() => None,
        (FractionalVersion::V3, _) => {
            let mut hasher = Murmur3::default();
            cbor::value(&mut hasher, unit);
            Some(hasher)
        }
    }
}

/// An explicit unit that is a text.
pub fn text(version: FractionalVersion, unit: &str) -> Murmur3 {
    implicit(version, Murmur3::default(), unit)
}

/// The hash scaled to the sum of weights: a number below the sum.
pub fn bucket(hash: u32, sum: u32) -> u32 {
    // The product of two 32-bit numbers, shifted: it fits again.
    ((u64::from(hash) * u64::from(sum)) >> 32) as u32
}

/// A weight: a whole number, negative ones count as 0; none for anything else.
pub fn weight(value: &Value) -> Option<u64> {
    let Value::Number(number) = value else { return None };
    match number.whole() {
        // At most 2^64-1: it fits.
        Some(whole) => Some(whole.max(0) as u64),
        // The cast saturates, far above any sum.
        None => Some(number.float()).filter(|float| float.fract() == 0.0).map(|float| float as u64),
    }
}

/// Whether a value may stand as a bucket's variant.
pub fn nameable(value: &Value) -> bool {
    matches!(value, Value::Text(_) | Value::Bool(_) | Value::Number(_) | Value::Null)
}

/// A bucket that is a value: its variant and weight; none makes the whole `fractional` null.
pub fn part(bucket: Value) -> Option<(Value, u64)> {
    let count = bucket.len()?;
    let mut parts = bucket.into_items();
    let variant = parts.next().filter(nameable)?;
    let weight = match count {
        1 => 1,
        2 => weight(&parts.next()?)?,
        _ => return None,
    };
    Some((variant, weight))
}

/// A bucket that is a literal.
pub fn literal_part(bucket: &Json) -> Option<(&Json, u64)> {
    let variant = bucket.as_array()?.first()?;
    part(Value::from(bucket)).map(|(_, weight)| (variant, weight))
}
