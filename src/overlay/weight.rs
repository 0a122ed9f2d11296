//! Giving a variant another share of everyone: an edit of the one literal `fractional` of a rule.
//!
//! All else of the rule stays, parts keep their order, and what is given is taken from the default variant's part. A part
//! only grows or shrinks towards the default's, so that widening one variant moves nobody out of it. The sum of weights
//! stays, too, unless a share is no whole part of it: then all weights are multiplied by one factor first, which moves nobody,
//! as only ratios count.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::refusal::Why;
use super::share::Share;
use crate::flag::Definition;

/// Greatest sum of weights that a split can have.
const MAX_SUM: u64 = i32::MAX as u64;

/// The definition in which these variants get these shares.
pub fn reweigh(definition: &Definition, shares: &BTreeMap<String, Share>) -> Result<Definition, Why> {
    let mut definition = definition.clone();
    let default = definition.default_variant.and_then(|id| definition.variants.get(id.0 as usize));
    let default = default.map(|(name, _)| name.clone());
    for variant in shares.keys() {
        if !definition.variants.iter().any(|(name, _)| **name == **variant) {
            return Err(Why::no_variant(variant, &definition));
        }
    }
    let rule = definition.targeting.as_mut().ok_or(Why::NoRule)?;
    match count(rule) {
        0 => return Err(Why::NoSplit),
        1 => {}
        several => return Err(Why::Splits(several)),
    }
    let parts = find(rule).and_then(parts).ok_or(Why::Computed)?;
    let before: Vec<(&str, u64)> = parts.iter().filter_map(literal).collect();
    if before.is_empty() || before.len() < parts.len() {
        return Err(Why::Computed);
    }
    let after = weights(&before, default.as_deref(), shares)?;
    let edited = before.iter().zip(after).enumerate();
    let edited: Vec<_> = edited
        .filter(|(_, ((_, before), after))| before != after)
        .map(|(at, ((name, _), after))| (at, json!([name, after])))
        .collect();
    for (at, part) in edited {
        parts[at] = part;
    }
    Ok(definition)
}

/// How many splits a rule has, wherever they stand.
fn count(rule: &Json) -> usize {
    match rule {
        // An object with more keys is a constant.
        Json::Object(map) if map.len() == 1 => {
            usize::from(map.contains_key("fractional")) + map.values().map(count).sum::<usize>()
        }
        Json::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    }
}

/// The arguments of the first split.
fn find(rule: &mut Json) -> Option<&mut Json> {
    match rule {
        Json::Object(map) if map.len() == 1 => {
            if map.contains_key("fractional") {
                return map.get_mut("fractional");
            }
            map.values_mut().find_map(find)
        }
        Json::Array(items) => items.iter_mut().find_map(find),
        _ => None,
    }
}

/// The parts of a split: all arguments but what is split, if that stands first.
fn parts(args: &mut Json) -> Option<&mut [Json]> {
    let args = args.as_array_mut()?;
    let skip = usize::from(args.first().is_some_and(|first| !first.is_array()));
    args.get_mut(skip..)
}

/// A part that is a name and a weight; without one it weighs 1.
fn literal(part: &Json) -> Option<(&str, u64)> {
    match part.as_array()?.as_slice() {
        [name] => Some((name.as_str()?, 1)),
        [name, weight] => {
            let whole = |number: &f64| number.fract() == 0.0 && (0.0..=MAX_SUM as f64).contains(number);
            let weight =
                weight.as_u64().or_else(|| weight.as_f64().filter(whole).map(|number| number as u64));
            Some((name.as_str()?, weight?))
        }
        _ => None,
    }
}

/// The new weight of each part.
fn weights(
    parts: &[(&str, u64)],
    default: Option<&str>,
    shares: &BTreeMap<String, Share>,
) -> Result<Vec<u64>, Why> {
    let sum = parts.iter().fold(0_u64, |sum, (_, weight)| sum.saturating_add(*weight));
    if sum == 0 || sum > MAX_SUM {
        return Err(Why::Sum(sum));
    }
    let default = default.ok_or(Why::NoDefault)?;
    let of = |variant: &str| parts.iter().filter(|(name, _)| *name == variant).count();
    for variant in shares.keys() {
        match of(variant) {
            _ if variant == default => return Err(Why::IsDefault(variant.clone())),
            0 => return Err(Why::NoPart(variant.clone())),
            1 => {}
            _ => return Err(Why::Parts(variant.clone())),
        }
    }
    if of(default) != 1 {
        return Err(Why::DefaultPart(default.to_owned()));
    }
    // Below 2^31 times 2^37.
    let asked = |share: Share| u128::from(sum) * u128::from(share.of_whole());
    let whole = u128::from(Share::WHOLE);
    let mut factor = 1;
    for share in shares.values() {
        // Divides the whole, as all of them do: their least common multiple does, too.
        let own = whole / gcd(asked(*share), whole);
        factor = factor / gcd(factor, own) * own;
        if factor * u128::from(sum) > u128::from(MAX_SUM) {
            return Err(Why::TooFine(*share));
        }
    }
    let weights = parts.iter().map(|(name, weight)| match shares.get(*name) {
        Some(share) => asked(*share) * factor / whole,
        None => u128::from(*weight) * factor,
    });
    // None is above the sum times the factor, which is below 2^31.
    let mut weights: Vec<u64> = weights.map(|weight| weight as u64).collect();
    let of_default = parts.iter().position(|(name, _)| *name == default).unwrap_or_default();
    weights[of_default] = 0;
    let others = weights.iter().sum::<u64>();
    match (sum * factor as u64).checked_sub(others) {
        Some(left) => weights[of_default] = left,
        None => {
            let kept = parts.iter().filter(|(name, _)| *name != default && !shares.contains_key(*name));
            let asked: Vec<_> = shares.iter().map(|(variant, share)| format!("{variant}={share}")).collect();
            let kept = (kept.map(|(_, weight)| weight).sum(), sum);
            return Err(Why::NotEnough { asked: asked.join(" and "), kept });
        }
    }
    Ok(weights)
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
