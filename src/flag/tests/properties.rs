//! What holds for every input.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::{on_off, resolve, set, trace, variant};
use crate::config::FlagLimits;
use crate::config::FractionalVersion::{self, V2, V3};
use crate::flag::rule::{FORMS, OPS};
use crate::flag::{Document, Format};

/// JSON that is often a rule: objects with one key are mostly known operators.
fn rule() -> impl Strategy<Value = Json> {
    let path = prop::sample::select(vec![
        "a",
        "",
        "list",
        "list.0",
        "targetingKey",
        "$flagd.timestamp",
        "$flagd",
        "current",
        "accumulator",
        "x.y",
    ]);
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        any::<f64>().prop_map(|number| json!(number)),
        prop::sample::select(vec!["on", "off", "", "1", "v1.2.3", "=", "\u{1f600}"]).prop_map(Json::from),
        path.prop_map(|path| json!({"var": path})),
    ];
    let names: Vec<&str> =
        FORMS.into_iter().chain(OPS.map(|(name, _)| name)).chain(["$ref", "frob"]).collect();
    leaf.prop_recursive(6, 60, 5, move |inner| {
        let names = prop::sample::select(names.clone());
        let args = prop_oneof![
            4 => prop::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
            1 => inner.clone(),
        ];
        prop_oneof![
            6 => (names, args).prop_map(|(name, args)| Json::Object(Map::from_iter([(name.to_owned(), args)]))),
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            1 => prop::collection::btree_map("[a-z]{0,3}", inner, 0..3)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// Share of 100,000 keys that a bucket of so many of 1,000 gets, against the binomial distribution.
fn deviation(version: FractionalVersion, weight: u32) -> f64 {
    let set = set(&on_off(json!({"fractional": [["on", weight], ["off", 1000 - weight]]})), version);
    let on = (0..100_000)
        .filter(|user| variant(&set, "flag", &json!({"targetingKey": format!("user-{user}")})) == "on");
    let (keys, share) = (100_000.0, f64::from(weight) / 1000.0);
    (on.count() as f64 - keys * share).abs() / (keys * share * (1.0 - share)).sqrt()
}

#[test]
fn a_split_of_many_keys_is_within_four_standard_deviations() {
    for version in [V2, V3] {
        for weight in [10, 500] {
            let deviation = deviation(version, weight);
            assert!(deviation < 4.0, "{version:?}, {weight} of 1000: {deviation} standard deviations");
        }
    }
}

proptest! {
    #[test]
    fn no_rule_panics(rule in rule(), context in rule()) {
        let text = on_off(rule).to_string();
        let document = Document::parse("f", &text, Format::Json, &FlagLimits::default()).expect("it is a document");
        if document.flags["flag"].is_ok() {
            for version in [V2, V3] {
                let set = set(&serde_json::from_str(&text).expect("it is JSON"), version);
                for attributes in [&context, &json!({"targetingKey": "u", "a": context, "list": [context, 1, "on"]})] {
                    let resolution = resolve(&set, "flag", attributes);
                    prop_assert_eq!(resolution, resolve(&set, "flag", attributes));
                    prop_assert!(!trace(&set, "flag", attributes).is_empty());
                }
            }
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}", yaml in "[-\\[\\]{}:,&*!|>'\"# \n\ta-c0-9.]{0,120}") {
        for text in [&text, &yaml] {
            for format in [Format::Json, Format::Yaml] {
                let _ = Document::parse("f", text, format, &FlagLimits::default());
            }
        }
    }

    #[test]
    fn no_cut_or_changed_document_panics(rule in rule(), cut in any::<prop::sample::Index>(), byte in "[ -~\n]") {
        let text = on_off(rule).to_string();
        let at = (0..=cut.index(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let changed = format!("{}{byte}{}", &text[..at], text[at..].chars().skip(1).collect::<String>());
        for text in [&text[..at], &changed] {
            for format in [Format::Json, Format::Yaml] {
                let _ = Document::parse("f", text, format, &FlagLimits::default());
            }
        }
    }

    #[test]
    fn json_read_as_yaml_is_the_same(rule in rule()) {
        let text = on_off(rule).to_string();
        let flags = |format| {
            let document = Document::parse("f", &text, format, &FlagLimits::default()).expect("it is a document");
            let flag = document.flags["flag"].clone();
            flag.map(|definition| definition.canonical()).map_err(|problems| problems[0].found.clone())
        };
        prop_assert_eq!(flags(Format::Json), flags(Format::Yaml));
    }

    #[test]
    fn the_same_key_always_gets_the_same_variant(key in "\\PC{1,40}", weights in prop::collection::vec(0..1000u32, 1..6)) {
        let buckets: Vec<_> = weights.iter().enumerate().map(|(at, weight)| json!([if at % 2 == 0 { "on" } else { "off" }, weight])).collect();
        for version in [V2, V3] {
            let rule = on_off(json!({"fractional": buckets}));
            let (one, other) = (set(&rule, version), set(&rule, version));
            let context = json!({"targetingKey": key});
            prop_assert_eq!(resolve(&one, "flag", &context), resolve(&other, "flag", &context));
        }
    }

    #[test]
    fn widening_moves_nobody_out(low in 0..=100u32, high in 0..=100u32, keys in prop::collection::vec("[a-z0-9@.-]{1,30}", 50)) {
        let (low, high) = (low.min(high), low.max(high));
        for version in [V2, V3] {
            let at = |percent: u32| set(&on_off(json!({"fractional": [["on", percent], ["off", 100 - percent]]})), version);
            let (narrow, wide) = (at(low), at(high));
            for key in &keys {
                let context = json!({"targetingKey": key});
                if variant(&narrow, "flag", &context) == "on" {
                    prop_assert_eq!(variant(&wide, "flag", &context), "on", "{}", key);
                }
            }
        }
    }
}
