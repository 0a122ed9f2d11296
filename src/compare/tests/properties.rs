//! What holds of any two answers.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use super::generator::{Dice, mutate, shuffle, value, written};
use super::*;

fn told_between(original: &str, other: &str, rules: &CompareRules) -> BTreeSet<String> {
    let (original, other) = (json(original.to_owned()), json(other.to_owned()));
    told_of(&original, &other, rules).expect("they can be compared").into_iter().collect()
}

/// What is told the other way round.
fn mirrored(told: &BTreeSet<String>) -> BTreeSet<String> {
    let swaps = [("missing", "added"), ("added", "missing"), ("shorter", "longer"), ("longer", "shorter")];
    let mirrored = told.iter().map(|told| {
        let (path, kind) = told.rsplit_once(' ').expect("a path and a kind");
        let kind = swaps.iter().find(|(from, _)| *from == kind).map_or(kind, |(_, to)| to);
        format!("{path} {kind}")
    });
    mirrored.collect()
}

/// Rules that reach some of the generated values.
fn some_rules() -> impl Strategy<Value = CompareRules> {
    let path = prop_oneof!["(/[abc*]){1,3}", "/id", "/\\*/id"].prop_map(|text| path(&text));
    let some = || prop::collection::vec(path.clone(), 0..3);
    (some(), some(), some(), 0..2u8).prop_map(|(ignore, arrays, tolerance, far)| CompareRules {
        ignore,
        arrays: arrays.into_iter().map(|path| (path, "id".into())).collect(),
        tolerance: tolerance.into_iter().map(|path| (path, f64::from(far))).collect(),
        ..rules()
    })
}

/// Elements that tell themselves apart by `id`, with a price that changes.
fn goods() -> impl Strategy<Value = Vec<(String, u8, u8, u8)>> {
    prop::collection::vec((any::<u8>(), any::<u8>(), 0..4u8), 1..100).prop_map(|goods| {
        goods
            .into_iter()
            .enumerate()
            .map(|(id, (price, other, kind))| (format!("g{id}"), price, other, kind))
            .collect()
    })
}

proptest! {
    #[test]
    fn a_value_is_equal_to_itself_however_it_is_written(value in value(), one: u64, two: u64, rules in some_rules()) {
        let (one, two) = (written(&value, &mut Dice(one)), written(&value, &mut Dice(two)));
        prop_assert_eq!(told_between(&one, &two, &rules), BTreeSet::new(), "{} {}", one, two);
    }

    #[test]
    fn one_change_is_told_at_its_path_and_nothing_else(value in value(), place: Index, way in 0..1000usize, seed: u64) {
        let mut other = value.clone();
        if let Some(expected) = mutate(&mut other, place, way) {
            let (one, two) = (written(&value, &mut Dice(seed)), written(&other, &mut Dice(!seed)));
            prop_assert_eq!(told_between(&one, &two, &rules()), BTreeSet::from([expected]), "{} {}", one, two);
        }
    }

    #[test]
    fn lists_in_another_order_differ_in_nothing_but_that(value in value(), seed: u64) {
        let flat = |value: &Value| match value {
            Value::Array(list) => list.iter().all(|element| !element.to_string().contains('[')),
            _ => false,
        };
        let mut other = value.clone();
        shuffle(&mut other, &mut Dice(seed));
        let told = told_between(&value.to_string(), &other.to_string(), &rules());
        if flat(&value) {
            prop_assert!(told.iter().all(|told| told == "body order"), "{:?}", told);
        }
        prop_assert_eq!(told.is_empty(), value == other || same_numbers(&value, &other));
    }

    #[test]
    fn a_list_in_random_order_whose_elements_changed_is_known_again(goods in goods(), seed: u64, cut: bool) {
        let list = |price: fn(&(String, u8, u8, u8)) -> u8| -> Value {
            goods.iter().map(|good| serde_json::json!({"id": good.0, "name": format!("n-{}", good.0), "kind": good.3, "price": price(good)})).collect()
        };
        let (one, mut two) = (list(|good| good.1), list(|good| good.2));
        shuffle(&mut two, &mut Dice(seed));
        if let (true, Some(two)) = (cut, two.as_array_mut()) {
            two.pop();
        }
        let mut told = told_between(&one.to_string(), &two.to_string(), &rules());
        prop_assert_eq!(told.remove("body shorter"), cut);
        told.retain(|told| told != "body order" && told != "/*/price changed");
        prop_assert!(told.is_empty(), "{:?} {} {}", told, one, two);
    }

    #[test]
    fn the_other_way_round_the_same_fields_differ(value in value(), unlike in value(), changes in prop::collection::vec((any::<Index>(), 0..1000usize), 0..6), seed: u64, related: bool, rules in some_rules()) {
        let mut other = if related { value.clone() } else { unlike };
        shuffle(&mut other, &mut Dice(seed));
        for (place, way) in changes {
            mutate(&mut other, place, way);
        }
        let (one, two) = (value.to_string(), other.to_string());
        let told = told_between(&one, &two, &rules);
        prop_assert_eq!(told_between(&two, &one, &rules), mirrored(&told), "{} {}", one, two);
    }

    #[test]
    fn no_bytes_panic_and_nothing_unseen_is_shown(
        bodies in (any_body(), any_body()),
        types in (media(), media()),
        codings in (coding(), coding()),
        cuts in (0..2000usize, 0..2000usize),
        rules in some_rules(),
        max_body in prop_oneof![0..64usize, Just(1 << 16)],
    ) {
        let made = |body: Vec<u8>, media: String, coding: String, cut: usize| {
            let mut answer = answer(&[("content-type", &media), ("content-encoding", &coding)], "");
            let (front, back) = body.split_at(cut.min(body.len()));
            let mut capture = super::super::Capture::new(max_body);
            [front, back].into_iter().for_each(|piece| capture.push(&Bytes::copy_from_slice(piece)));
            answer.body = capture.finish();
            answer
        };
        let original = made(bodies.0, types.0, codings.0, cuts.0);
        let other = made(bodies.1, types.1, codings.1, cuts.1);
        let rules = CompareRules { max_body, ..rules };
        prop_assert_eq!(told_of(&original, &original, &rules), Ok(Vec::new()));
        if let Ok(comparison) = compare(&original, &other, &rules) {
            for found in &comparison.differences {
                let values = [&found.original, &found.other].into_iter().flatten();
                prop_assert!(values.clone().all(|value| value.len() <= 256), "{:?}", found);
                let texts = values.chain([&found.path, &found.at]);
                prop_assert!(texts.clone().all(|text| !text.contains(char::is_control)), "{:?}", found);
                prop_assert!(found.path.len() < 1024 && found.at.len() < 1024, "{:?}", found);
            }
        }
        prop_assert_eq!(compare(&original, &other, &rules).is_ok(), compare(&other, &original, &rules).is_ok());
    }
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let text = value().prop_map(|value| value.to_string().into_bytes());
    let plain = prop_oneof![
        text,
        prop::collection::vec(any::<u8>(), 0..100),
        "[\\[\\]{},:\"0-9 ]{0,40}".prop_map(String::into_bytes)
    ];
    (plain, 0..10usize, any::<Index>(), any::<Option<u8>>()).prop_map(|(plain, writer, place, byte)| {
        let mut body = match ["gzip", "deflate", "raw", "br", "zstd"].get(writer) {
            Some(coding) => bodies::encoded(coding, &plain),
            None => plain,
        };
        if let (Some(byte), false) = (byte, body.is_empty()) {
            let at = place.index(body.len());
            body[at] = byte;
        }
        body
    })
}

fn media() -> impl Strategy<Value = String> {
    prop_oneof![Just("application/json".to_owned()), Just("text/plain".to_owned()), "[ -~]{0,20}"]
}

fn coding() -> impl Strategy<Value = String> {
    prop_oneof![4 => "(identity|gzip|deflate|br|zstd)", 1 => "((gzip|deflate|br|zstd),){0,5}", 1 => "[ -~]{0,12}"]
}

/// Whether two values differ at most in how their numbers are written.
fn same_numbers(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || (one.as_f64() == other.as_f64() && (one.is_f64() || other.is_f64()))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_numbers(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.keys().eq(other.keys())
                && one.values().zip(other.values()).all(|(one, other)| same_numbers(one, other))
        }
        (one, other) => one == other,
    }
}
