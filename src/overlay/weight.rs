//! Giving a variant another share of everyone: an edit of the one literal `fractional` of a rule.
//!
//! All else of the rule stays, parts keep their order, and what is given is taken from the default variant's part. So a part
//! grows towards the default's, and widening one variant moves nobody out of it; of several widened at once, one may push
//! another along. The sum of weights stays, too, unless a share is no whole part of it: then all weights are multiplied by
//! the smallest factor that makes it one, which moves nobody, as only ratios count.

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

#[cfg(test)]
mod tests {
    use super::super::fixture::{definition, flag, ruled};
    use super::super::{refusal::Refusal, share::shares};
    use super::*;

    fn weighed(flag: &Json, asked: &str) -> Result<Json, String> {
        let shares = shares(asked).expect("they are shares");
        match reweigh(&definition("x", flag), &shares) {
            Ok(definition) => Ok(definition.to_json()["targeting"].take()),
            Err(why) => Err(Refusal { flag: "x".to_owned(), why }.to_string()),
        }
    }

    #[test]
    fn a_share_is_taken_from_the_default_and_given_back() {
        for (parts, asked, expected) in [
            (json!([["canary", 1], ["stable", 99]]), "canary=5%", json!([["canary", 5], ["stable", 95]])),
            (json!([["canary", 5], ["stable", 95]]), "canary=1%", json!([["canary", 1], ["stable", 99]])),
            (json!([["stable", 99], ["canary", 1]]), "canary=5%", json!([["stable", 95], ["canary", 5]])),
            (json!([["canary", 1], ["stable", 99]]), "canary=0%", json!([["canary", 0], ["stable", 100]])),
            (json!([["canary", 1], ["stable", 99]]), "canary=100%", json!([["canary", 100], ["stable", 0]])),
            (
                json!([["canary", 2], ["beta", 3], ["stable", 5]]),
                "canary=70%",
                json!([["canary", 7], ["beta", 3], ["stable", 0]]),
            ),
            (
                json!([["canary", 2], ["beta", 3], ["stable", 5]]),
                "canary=10%,beta=40%",
                json!([["canary", 1], ["beta", 4], ["stable", 5]]),
            ),
            // The sum stays.
            (
                json!([["canary", 0], ["stable", 1000]]),
                "canary=0.5%",
                json!([["canary", 5], ["stable", 995]]),
            ),
            // All are multiplied by the smallest factor that makes them whole.
            (json!([["canary", 1], ["stable", 99]]), "canary=0.5%", json!([["canary", 1], ["stable", 199]])),
            (
                json!([["canary", 1], ["stable", 99]]),
                "canary=12.5%",
                json!([["canary", 25], ["stable", 175]]),
            ),
            (
                json!([["canary"], ["beta"], ["stable"]]),
                "canary=50%",
                json!([["canary", 3], ["beta", 2], ["stable"]]),
            ),
            (
                json!([["canary", 1], ["beta", 1], ["stable", 98]]),
                "canary=0.5%,beta=0.2%",
                json!([["canary", 5], ["beta", 2], ["stable", 993]]),
            ),
            // What does not change stays as it is written.
            (json!([["canary"], ["stable", 1.0]]), "canary=50%", json!([["canary"], ["stable", 1.0]])),
            (
                json!([["beta"], ["canary", 1e0], ["stable", 2]]),
                "canary=50%",
                json!([["beta"], ["canary", 2], ["stable", 1]]),
            ),
            // What is split.
            (
                json!([{"var": "email"}, ["canary", 1], ["stable", 99]]),
                "canary=5%",
                json!([{"var": "email"}, ["canary", 5], ["stable", 95]]),
            ),
            (
                json!(["salt", ["canary", 1], ["stable", 99]]),
                "canary=5%",
                json!(["salt", ["canary", 5], ["stable", 95]]),
            ),
        ] {
            let rule = |parts: &Json| json!({"fractional": parts});
            assert_eq!(weighed(&ruled(rule(&parts)), asked), Ok(rule(&expected)), "{parts} {asked}");
        }
    }

    #[test]
    fn the_rest_of_the_rule_stays() {
        let rule = |canary: u32| {
            json!({"if": [
                {"==": [{"var": "header.x-canary"}, "always"]}, "canary",
                {"in": [{"var": "country"}, ["AT", "DE"]]}, {"fractional": [["canary", canary], ["stable", 100 - canary]]},
                null,
            ]})
        };
        assert_eq!(weighed(&ruled(rule(1)), "canary=5%"), Ok(rule(5)));
    }

    #[test]
    fn what_cannot_be_weighed_is_told_with_what_to_do_instead() {
        let split = |parts: Json| ruled(json!({"fractional": parts}));
        let half = || json!({"fractional": [["canary", 1], ["stable", 1]]});
        let set_or_kill = "use `flags set`, or `flags kill` to send everyone to one variant";
        let computed = format!(
            "the split of `x` is computed: not all its parts are [variant, whole number]; {set_or_kill}"
        );
        let no_default = |default: &str, parts: Json| {
            flag(json!({
                "variants": {"stable": 1, "canary": 2, "beta": 3}, "defaultVariant": default,
                "targeting": {"fractional": parts},
            }))
        };
        let table = [
            (flag(json!({})), "canary=5%", "`x` has no rule, so there is no split to change; give it a rule with a `fractional` by `flags set`, or use `flags kill` to send everyone to one variant".to_owned()),
            (ruled(json!({"if": [true, "canary"]})), "canary=5%", "the rule of `x` has no split (`fractional`); give it a rule with a `fractional` by `flags set`, or use `flags kill` to send everyone to one variant".to_owned()),
            (ruled(json!({"a": half(), "b": 1})), "canary=5%", "the rule of `x` has no split (`fractional`); give it a rule with a `fractional` by `flags set`, or use `flags kill` to send everyone to one variant".to_owned()),
            (ruled(json!({"if": [{"var": "a"}, half(), half()]})), "canary=5%", format!("the rule of `x` has two splits; {set_or_kill}")),
            (ruled(json!({"if": [{"var": "a"}, half(), {"var": "b"}, half(), half()]})), "canary=5%", format!("the rule of `x` has 3 splits; {set_or_kill}")),
            (split(json!([[half(), 1], ["stable", 1]])), "canary=5%", format!("the rule of `x` has two splits; {set_or_kill}")),
            (split(json!([["canary", {"var": "a"}], ["stable", 1]])), "canary=5%", computed.clone()),
            (split(json!([["canary", 1], [{"var": "a"}, 1], ["stable", 1]])), "canary=5%", computed.clone()),
            (split(json!([["canary", 1], ["stable", 1], {"var": "a"}])), "canary=5%", computed.clone()),
            (split(json!([["canary", 1.5], ["stable", 1]])), "canary=5%", computed.clone()),
            (split(json!([["canary", -1], ["stable", 1]])), "canary=5%", computed.clone()),
            (split(json!([[true, 1], ["stable", 1]])), "canary=5%", computed.clone()),
            (split(json!([["canary", 1, 1], ["stable", 1]])), "canary=5%", computed.clone()),
            (split(json!({"var": "a"})), "canary=5%", computed.clone()),
            (split(json!([])), "canary=5%", computed),
            (split(json!([["canary", 0], ["stable", 0]])), "canary=5%", "the weights of `x` add up to 0, so nobody falls into any part; give it other weights with `flags set`".to_owned()),
            (split(json!([["canary", 1], ["stable", 2147483647]])), "canary=5%", "the weights of `x` add up to 2147483648, which is too much, so nobody falls into any part; give it other weights with `flags set`".to_owned()),
            (split(json!([["canary", 1], ["stable", 1]])), "canray=5%", "`x` has no variant `canray`; did you mean `canary`?".to_owned()),
            (split(json!([["canary", 1], ["stable", 1]])), "beta=5%", "the split of `x` has no part for `beta`; name a variant that has a part, or add a part with `flags set`".to_owned()),
            (split(json!([["canary", 1], ["stable", 1], ["canary", 1]])), "canary=5%", "the split of `x` has several parts for `canary`; give it one part a variant with `flags set`".to_owned()),
            (split(json!([["canary", 1], ["stable", 1]])), "stable=5%", "`stable` is the default variant of `x`: it gets what the others leave; give the shares of the others".to_owned()),
            (no_default("", json!([["canary", 1], ["stable", 1]])), "canary=5%", "`x` has no default variant that could give the share; give it a default variant with `flags set`".to_owned()),
            (no_default("beta", json!([["canary", 1], ["stable", 1]])), "canary=5%", "the split of `x` has not one part for its default variant `beta`, which should give the share; give it one part a variant with `flags set`".to_owned()),
            (no_default("stable", json!([["canary", 1], ["stable", 1], ["stable", 1]])), "canary=5%", "the split of `x` has not one part for its default variant `stable`, which should give the share; give it one part a variant with `flags set`".to_owned()),
            (split(json!([["canary", 1], ["beta", 10], ["stable", 89]])), "canary=91%", "canary=91% and the 10 of 100 that other variants keep are more than all of `x`; ask for less, or lower the others in the same command".to_owned()),
            (split(json!([["canary", 1], ["beta", 10], ["stable", 89]])), "canary=91%,beta=10%", "beta=10% and canary=91% is more than all of `x`; ask for less, or lower the others in the same command".to_owned()),
            (split(json!([["canary", 1], ["stable", 99]])), "canary=0.00000001%", "0.00000001% is too fine for the weights of `x`; use fewer decimals, or give it other weights with `flags set`".to_owned()),
        ];
        for (flag, asked, told) in table {
            assert_eq!(weighed(&flag, asked), Err(told), "{flag} {asked}");
        }
    }

    #[test]
    fn a_sum_grows_up_to_what_a_split_can_have() {
        let split = |sum: u64| ruled(json!({"fractional": [["canary", 0], ["stable", sum]]}));
        // 2 is the factor for half a share of an odd sum.
        let most = json!({"fractional": [["canary", 1073741823], ["stable", 1073741823]]});
        assert_eq!(weighed(&split(1_073_741_823), "canary=50%"), Ok(most));
        let refused = weighed(&split(1_073_741_825), "canary=50%").expect_err("twice that is too much");
        assert!(refused.starts_with("50% is too fine"), "{refused}");
        assert!(weighed(&split(MAX_SUM), "canary=100%").is_ok());
    }
}
