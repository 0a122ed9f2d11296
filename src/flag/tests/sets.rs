//! Flag sets: equal keys side by side, which of them counts, and what a selector selects.

use serde_json::{Value as Json, json};

use crate::config::{FlagLimits, FractionalVersion::V3, Severity};
use crate::flag::{Definitions, Document, Entry, FlagSet, Format, Identity, Selector, Stated};

fn parse(document: &Json) -> Document {
    Document::parse("flags.json", &document.to_string(), Format::Json, &FlagLimits::default())
        .expect("it is a document")
}

/// A flag of a list, whose variant's value tells which one it is.
fn flag(key: &str, value: u32, metadata: Json) -> Json {
    json!({"key": key, "state": "ENABLED", "variants": {"v": value}, "metadata": metadata})
}

/// The definitions of a document that one source states.
fn stated(document: &Json, source: &str) -> Definitions {
    let flags = parse(document).flags.into_iter().map(|(identity, flag)| {
        let flag = flag.map_or_else(|problems| Entry::Broken(problems[0].found.as_str().into()), Entry::Good);
        Stated { identity, source: source.into(), flag }
    });
    flags.collect()
}

fn set(sources: impl IntoIterator<Item = Definitions>) -> FlagSet {
    let all = sources.into_iter().flat_map(|source| source.iter().cloned().collect::<Vec<_>>());
    FlagSet::compile(&all.collect(), V3, &FlagLimits::default())
}

/// `set.key=value`, of those that are selected.
fn selected(set: &FlagSet, selector: &str) -> Vec<String> {
    let selector = Selector::parse(selector).expect("it is a selector");
    let told = set.select(&selector).map(|(_, flag)| {
        let value = flag.variants().first().map_or(Json::Null, |(_, value)| value.clone());
        format!("{}.{}={value}", flag.set_id().unwrap_or_default(), flag.key)
    });
    told.collect()
}

#[test]
fn a_flag_is_in_the_set_that_its_merged_metadata_names() {
    for (of_document, own, expected) in [
        (json!(null), json!(null), ""),
        (json!({"flagSetId": "shop"}), json!(null), "shop"),
        (json!({"flagSetId": "shop"}), json!({"owner": "ann"}), "shop"),
        (json!({"flagSetId": "shop"}), json!({"flagSetId": "cart"}), "cart"),
        (json!({"flagSetId": "shop"}), json!({"flagSetId": ""}), ""),
        (json!({"flagSetId": "shop"}), json!({"flagSetId": null}), "shop"),
        (json!({"flagSetId": "shop"}), json!({"flagSetId": ["cart"]}), "shop"),
        (json!({"flagSetId": "shop"}), json!({"flagSetId": 7}), ""),
        (json!({"flagSetId": true}), json!(null), ""),
        (json!([]), json!({"flagSetId": "cart"}), "cart"),
    ] {
        let identity = Identity { set: expected.into(), ..Identity::from("f") };
        let good = json!({"metadata": of_document, "flags": [flag("f", 1, own.clone())]});
        let definition =
            parse(&good).flags.at(&identity).expect("it is in its set").clone().expect("it is good");
        assert_eq!(definition.identity(), identity, "the definition says so, too: {good}");
        let mut broken = good.clone();
        broken["flags"][0]["state"] = "ON".into();
        assert!(parse(&broken).flags.at(&identity).is_some_and(Result::is_err), "broken or not: {broken}");
    }
}

#[test]
fn one_that_is_cut_off_is_known_all_the_same() {
    let mut large = flag("f", 1, json!({"flagSetId": "cart"}));
    // Before its key and its metadata.
    large["a"] = vec![1; 50_000].into();
    let identity = Identity { set: "cart".into(), ..Identity::from("f") };
    let document = parse(&json!({"flags": [large, flag("g", 1, json!({}))]}));
    let problems =
        document.flags.at(&identity).expect("it is in its set").clone().expect_err("it is too large");
    assert_eq!(problems[0].found, "the flag is larger than 40000 values");
    assert_eq!(problems[0].key, "flags.f", "told by its key");
    assert!(document.flags["g"].is_ok());
}

#[test]
fn equal_keys_live_side_by_side_and_the_last_one_counts() {
    let document = json!({"metadata": {"flagSetId": "shop"}, "flags": [
        flag("f", 1, json!({"flagSetId": "cart"})), flag("f", 2, json!({})), flag("f", 3, json!({"flagSetId": ""})),
        flag("f", 4, json!({"flagSetId": "cart"})),
    ]});
    let parsed = parse(&document);
    let told: Vec<_> = parsed.warnings.iter().map(|warning| (&*warning.key, &*warning.found)).collect();
    assert_eq!(told, [("flags.f", "the flag \"f\" stands here more than once; the last one counts")]);
    let set = set([stated(&document, "flags.json")]);
    assert_eq!(selected(&set, ""), [".f=3", "cart.f=4", "shop.f=2"], "by set, then key");
    let value = |selector: &str| {
        let id = set.find_by(&Selector::parse(selector).expect("it is one"), "f");
        id.map(|id| set.get(id).variants()[0].1.clone())
    };
    assert_eq!(set.get(set.find("f").expect("it counts")).variants()[0].1, 4);
    for (selector, expected) in [
        ("", Some(json!(4))),
        ("flagSetId=cart", Some(json!(4))),
        ("flagSetId=shop", Some(json!(2))),
        ("flagSetId=", Some(json!(3))),
        ("flagSetId=Shop", None),
        ("source=flags.json", Some(json!(4))),
        ("flags.json", Some(json!(4))),
        ("source=file:flags.json", None),
    ] {
        assert_eq!(value(selector), expected, "{selector}");
    }
}

#[test]
fn of_equal_flags_the_last_source_wins_and_is_the_one_that_is_selected() {
    let cart = |value| json!({"metadata": {"flagSetId": "cart"}, "flags": [flag("f", value, json!({}))]});
    let more = json!({"flags": {"g": {"state": "ON"}, "h": {"state": "ENABLED", "variants": {"v": 5}}}});
    let set = set([stated(&cart(1), "a.json"), stated(&cart(2), "b.json"), stated(&more, "a.json")]);
    assert_eq!(
        selected(&set, "source=a.json"),
        [".g=null", ".h=5"],
        "a flag that never was good has a source, too"
    );
    assert_eq!(selected(&set, "source=b.json"), ["cart.f=2"]);
    assert_eq!(selected(&set, "source="), [""; 0]);
    assert_eq!(selected(&set, ""), [".g=null", ".h=5", "cart.f=2"]);
}

#[test]
fn a_flag_set_that_is_no_text_is_told() {
    let document =
        parse(&json!({"metadata": {"flagSetId": 1}, "flags": [flag("f", 1, json!({"flagSetId": true}))]}));
    let told: Vec<_> = document.warnings.iter().map(|warning| (&*warning.key, &*warning.found)).collect();
    assert_eq!(
        told,
        [
            ("metadata.flagSetId", "a `flagSetId` that is a number, which names no flag set"),
            ("flags.f.metadata.flagSetId", "a `flagSetId` that is a boolean, which names no flag set"),
        ]
    );
    assert!(document.warnings.iter().all(|warning| warning.severity == Severity::Warning));
}
