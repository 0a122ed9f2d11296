//! Weights, asked of the evaluator itself: who gets what before and after.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::config::FlagLimits;
use crate::config::FractionalVersion::{self, V2, V3};
use crate::flag::Definition;
use crate::overlay::fixture::{definition, ruled, variants};
use crate::overlay::{Change, Refusal, Share, apply};

/// A rule with an opt-in, an opt-out and a split of these parts, some with what is split.
fn rule(parts: &[(String, u64)], unit: bool) -> Json {
    let unit = unit.then(|| json!({"var": "company"}));
    let parts = parts.iter().map(|(name, weight)| json!([name, weight]));
    json!({"if": [
        {"==": [{"var": "beta"}, "always"]}, "canary",
        {"==": [{"var": "beta"}, "never"]}, "stable",
        {"fractional": unit.into_iter().chain(parts).collect::<Vec<_>>()},
    ]})
}

/// The three variants in any order, with weights that are often round.
fn parts() -> impl Strategy<Value = Vec<(String, u64)>> {
    let weight = prop_oneof![4 => 0..=100_u64, 1 => 0..=5000_u64];
    let names = Just(["stable", "canary", "beta"].map(str::to_owned).to_vec()).prop_shuffle();
    (names, prop::collection::vec(weight, 3))
        .prop_map(|(names, weights)| names.into_iter().zip(weights).collect())
}

/// Mostly shares as people write them.
fn share() -> impl Strategy<Value = Share> {
    let text = prop_oneof![
        4 => (0..=100_u32).prop_map(|percent| format!("{percent}%")),
        2 => (0..1000_u32).prop_map(|tenths| format!("{}.{}%", tenths / 10, tenths % 10)),
        1 => (0..100_000_u32).prop_map(|thousandths| format!("{}.{:03}%", thousandths / 1000, thousandths % 1000)),
    ];
    text.prop_map(|text| text.parse().expect("it is a share"))
}

fn weigh(below: &Definition, shares: &[(&str, Share)]) -> Result<Definition, Refusal> {
    let shares: BTreeMap<_, _> = shares.iter().map(|(name, share)| ((*name).to_owned(), *share)).collect();
    apply(&Change::Weight(shares), "x", Some(below), &FlagLimits::default()).map(|applied| applied.definition)
}

/// The weights of the split.
fn weights(definition: &Definition) -> BTreeMap<String, u64> {
    let rule = definition.targeting.as_ref().expect("it has a rule");
    let parts = rule["if"][4]["fractional"].as_array().expect("it has a split").iter();
    let parts = parts.filter_map(|part| Some((part[0].as_str()?.to_owned(), part[1].as_u64()?)));
    parts.collect()
}

/// What each of these keys gets, by an opt-in or without.
fn all(
    definition: &Definition,
    version: FractionalVersion,
    keys: &[String],
    beta: Option<&str>,
) -> Vec<String> {
    let context = |key| json!({"targetingKey": key, "company": key, "beta": beta});
    variants(definition, version, keys.iter().map(context))
}

fn keys() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-z0-9@.-]{1,30}", 40)
}

proptest! {
    #[test]
    fn a_share_is_exact_and_the_others_keep_theirs(parts in parts(), unit: bool, share in share()) {
        let below = definition("x", &ruled(rule(&parts, unit)));
        let Ok(above) = weigh(&below, &[("canary", share)]) else { return Ok(()) };
        let (before, after) = (weights(&below), weights(&above));
        let sum = |weights: &BTreeMap<String, u64>| u128::from(weights.values().sum::<u64>());
        let (sum_before, sum_after) = (sum(&before), sum(&after));
        let part = |weight: u64, of: u128| u128::from(weight) * of;
        prop_assert_eq!(part(after["canary"], u128::from(Share::WHOLE)), u128::from(share.of_whole()) * sum_after);
        prop_assert_eq!(part(after["beta"], sum_before), part(before["beta"], sum_after));
        // The sum is the smallest multiple that holds the share.
        prop_assert_eq!(sum_after % sum_before, 0);
        let holds = |factor: u128| (u128::from(share.of_whole()) * sum_before * factor).is_multiple_of(u128::from(Share::WHOLE));
        prop_assert!((1..sum_after / sum_before).take(2000).all(|factor| !holds(factor)));
    }

    #[test]
    fn what_is_refused_is_too_much_or_too_fine(parts in parts(), share in share()) {
        let below = definition("x", &ruled(rule(&parts, false)));
        let before = weights(&below);
        let sum: u64 = before.values().sum();
        let whole = u128::from(Share::WHOLE);
        let fits = u128::from(share.of_whole()) * u128::from(sum) + whole * u128::from(before["beta"]) <= whole * u128::from(sum);
        prop_assert_eq!(weigh(&below, &[("canary", share)]).is_ok(), fits && sum > 0);
    }

    #[test]
    fn widening_moves_nobody_out(parts in parts(), unit: bool, share in share(), keys in keys()) {
        let below = definition("x", &ruled(rule(&parts, unit)));
        let Ok(above) = weigh(&below, &[("canary", share)]) else { return Ok(()) };
        let wider = {
            let (before, after) = (weights(&below), weights(&above));
            let sum = |weights: &BTreeMap<String, u64>| weights.values().sum::<u64>();
            after["canary"] * sum(&before) >= before["canary"] * sum(&after)
        };
        for version in [V2, V3] {
            let (before, after) = (all(&below, version, &keys, None), all(&above, version, &keys, None));
            for (before, after) in before.iter().zip(&after) {
                if wider {
                    prop_assert!(before != "canary" || after == "canary");
                } else {
                    // And narrowing moves nobody in.
                    prop_assert!(before == "canary" || after != "canary");
                }
            }
        }
    }

    #[test]
    fn more_weights_of_the_same_ratios_move_nobody(
        canary in 0..=60_u64, beta in 0..=40_u64, unit: bool, share in share(), keys in keys(),
    ) {
        let parts = [("canary", canary), ("beta", beta), ("stable", 100 - canary - beta)];
        let below = definition("x", &ruled(rule(&parts.map(|(name, weight)| (name.to_owned(), weight)), unit)));
        // To another share and back: only the sum may have grown.
        let exact: Share = format!("{canary}%").parse().expect("it is a share");
        let Ok(moved) = weigh(&below, &[("canary", share)]) else { return Ok(()) };
        let back = weigh(&moved, &[("canary", exact)]).expect("it was there before");
        prop_assert_eq!(weights(&back).values().sum::<u64>(), weights(&moved).values().sum::<u64>());
        for version in [V2, V3] {
            prop_assert_eq!(all(&below, version, &keys, None), all(&back, version, &keys, None));
        }
    }

    #[test]
    fn who_opted_in_or_out_stays(parts in parts(), unit: bool, share in share(), keys in keys()) {
        let below = definition("x", &ruled(rule(&parts, unit)));
        let Ok(above) = weigh(&below, &[("canary", share), ("beta", "0%".parse().expect("it is a share"))]) else {
            return Ok(());
        };
        for beta in ["always", "never"] {
            prop_assert_eq!(all(&below, V3, &keys, Some(beta)), all(&above, V3, &keys, Some(beta)));
        }
        prop_assert!(!all(&above, V3, &keys, None).contains(&"beta".to_owned()), "0% is nobody");
    }
}
