//! Flags of any names and values: what a service is told is a dictionary by RFC 9651 that says the same, and fields that can be sent.
//!
//! An input is a JSON object, `{"key": {"variant": value}}`; any other text is a key, a variant and a value itself.

#![no_main]

use std::path::Path;
use std::sync::Arc;

use flagway::config::{Config, Injection};
use flagway::context::{RawRequest, RequestFacts};
use flagway::decide::decide;
use flagway::snapshot::Snapshot;
use flagway::snapshot::wire::dictionary_key;
use http::{HeaderMap, Method};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value as Json, json};
use sfv::{BareItem, Dictionary, ListEntry};

mod support;

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let flags = match serde_json::from_str(&text) {
        Ok(Json::Object(flags)) => flags,
        _ => Map::from_iter([(text.to_string(), json!({ (text.to_string()): text }))]),
    };
    let flags: Map<_, _> = flags.into_iter().filter(|(key, _)| !key.is_empty()).take(8).collect();
    let Some(snapshot) = build(&flags) else { return };
    let headers = HeaderMap::new();
    let raw = RawRequest {
        method: &Method::GET,
        path: "/",
        query: None,
        headers: &headers,
        authority: None,
        tls: false,
        secured: None,
        peer: [192, 0, 2, 1].into(),
        listener: "main",
    };
    let facts = RequestFacts::new(raw, &snapshot.config.context, snapshot.config.paths).expect("a path");
    let decision = decide(&snapshot, &facts, 1_790_000_000, 7);
    let sent = support::told(&snapshot, &decision, &headers);
    let dictionary =
        sent.get("flag-decisions").expect("there is always a revision").to_str().expect("it is ASCII");
    let dictionary = sfv::Parser::new(dictionary).parse::<Dictionary>().expect("it is a dictionary");

    let injected = &snapshot.plans[0].forward.as_ref().expect("it forwards").injections.flags;
    let mut members = 1;
    for injected in injected {
        let flag = &snapshot.plans[0].flags[injected.flag];
        // A name that is too long, say.
        if flag.id.is_none_or(|id| snapshot.flags.get(id).definition.is_none()) {
            continue;
        }
        let key = &*flag.key;
        let Some((variant, value)) = flags[key].as_object().and_then(|variants| variants.iter().next())
        else {
            continue;
        };
        let member = dictionary.get(dictionary_key(&Injection::fold(key)).as_str());
        let Some(ListEntry::Item(item)) = member else {
            assert!(member.is_none(), "a list was never sent");
            assert!(!matches!(value, Json::Bool(_) | Json::String(_)), "{value} can be told");
            continue;
        };
        members += 1;
        let same = match (&item.bare_item, value) {
            (BareItem::Boolean(told), Json::Bool(value)) => told == value,
            (BareItem::String(told), Json::String(value)) => told.as_str() == value,
            (BareItem::DisplayString(told), Json::String(value)) => told == value,
            (BareItem::Integer(told), Json::Number(value)) => Some(i64::from(*told) as f64) == value.as_f64(),
            (BareItem::Decimal(told), Json::Number(value)) => Some(f64::from(*told)) == value.as_f64(),
            _ => false,
        };
        assert!(same, "{value} is told as {:?}", item.bare_item);
        let told = match item.params.get("v") {
            Some(BareItem::String(told)) => told.as_str(),
            Some(BareItem::DisplayString(told)) => told,
            other => panic!("the variant {variant:?} is told as {other:?}"),
        };
        assert_eq!(told, variant);
    }
    assert_eq!(dictionary.len(), members, "something else is told");
});

/// A world whose one route tells all these flags; none if the configuration cannot name them.
fn build(flags: &Map<String, Json>) -> Option<Snapshot> {
    let names: Vec<&String> = flags.keys().collect();
    let config = format!(
        "listeners: [{{bind: '127.0.0.1:8080'}}]
flags: {{sources: [{{file: flags.json}}]}}
injection: {{as: [headers, dictionary, baggage], max_bytes: 64KiB}}
services: {{shop: {{default: stable, versions: {{stable: {{endpoints: ['127.0.0.1:9001']}}}}}}}}
routes: [{{name: shop, match: {{path_prefix: /}}, service: shop, inject: {}}}]
",
        json!(names)
    );
    let config = Config::parse("flagway.yaml", &config, Path::new("/"), &|_| None).ok()?;
    let definition = |variants: &Json| {
        let first = variants.as_object().and_then(|variants| variants.keys().next());
        json!({"state": "ENABLED", "variants": variants, "defaultVariant": first})
    };
    let flags: Map<_, _> = flags.iter().map(|(key, variants)| (key.clone(), definition(variants))).collect();
    Some(support::snapshot(Arc::new(config), &json!({ "flags": flags }).to_string()))
}
