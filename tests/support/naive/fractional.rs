//! `fractional`: who falls into which bucket.

use super::Hash;
use super::cbor;
use super::number::Number;
use super::value::Value;

/// Weights add up to at most this.
const MOST: i128 = 2_147_483_647;

/// The variant of the bucket that a unit falls into; null for whatever makes no sense.
pub fn fractional(hash: Hash, values: &[Value], flag_key: &str, targeting_key: Option<&str>) -> Value {
    split(hash, values, flag_key, targeting_key).unwrap_or(Value::Null)
}

fn split(hash: Hash, values: &[Value], flag_key: &str, targeting_key: Option<&str>) -> Option<Value> {
    let implicit = || {
        let key = targeting_key.filter(|key| !key.is_empty())?;
        match hash {
            Hash::V2 => Some(format!("{flag_key}{key}").into_bytes()),
            Hash::V3 => cbor::encode(&Value::List(vec![
                Value::Text(flag_key.to_owned()),
                Value::Text(key.to_owned()),
            ])),
        }
    };
    let (unit, buckets) = match (hash, values.split_first()?) {
        (Hash::V2, (Value::Text(unit), rest)) => (unit.clone().into_bytes(), rest),
        (Hash::V2, (Value::Null, rest)) => (implicit()?, rest),
        (Hash::V2, _) => (implicit()?, values),
        (Hash::V3, (Value::List(_), _)) => (implicit()?, values),
        (Hash::V3, (Value::Null, _)) => return None,
        (Hash::V3, (unit, rest)) => (cbor::encode(unit)?, rest),
    };
    let buckets = buckets.iter().map(bucket).collect::<Option<Vec<_>>>()?;
    let sum: i128 = buckets.iter().map(|(_, weight)| weight).sum();
    if !(1..=MOST).contains(&sum) {
        return None;
    }
    let hashed = murmur3::murmur3_32(&mut unit.as_slice(), 0).expect("bytes in memory can be read");
    let place = (i128::from(hashed) * sum) >> 32;
    let mut end = 0;
    for (variant, weight) in buckets {
        end += weight;
        if place < end {
            return Some(variant);
        }
    }
    None
}

/// Variant and weight.
fn bucket(value: &Value) -> Option<(Value, i128)> {
    let Value::List(parts) = value else { return None };
    let (variant, weight) = match parts.as_slice() {
        [variant] => (variant, 1),
        [variant, Value::Number(weight)] => (variant, whole(*weight)?),
        _ => return None,
    };
    let scalar = !matches!(variant, Value::List(_) | Value::Object(_));
    scalar.then(|| (variant.clone(), weight))
}

/// A negative weight is none at all; one beyond what counts is too much, however much it is.
fn whole(weight: Number) -> Option<i128> {
    match weight {
        Number::Whole(weight) => Some(weight.max(0)),
        Number::Real(weight) if weight.fract() == 0.0 => Some(if weight < 0.0 { 0 } else { MOST + 1 }),
        Number::Real(_) | Number::None => None,
    }
}
