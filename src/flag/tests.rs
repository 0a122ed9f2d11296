//! Definitions in, resolutions out: what the parts of this module do together.

mod documents;
mod edges;
mod fractional;
mod identities;
mod limits;
mod numbers;
mod places;
mod properties;
mod reads;
mod resolving;
mod rulings;
mod semantics;
mod sets;
mod told;

use serde_json::{Value as Json, json};

use super::{Definitions, Document, Entry, FlagSet, Format, JsonContext, Resolution, Step};
use crate::config::{FlagLimits, FractionalVersion};

/// A set from a document whose flags are all good.
fn set(document: &Json, version: FractionalVersion) -> FlagSet {
    limited(document, version, &FlagLimits::default())
}

/// The same, within limits.
fn limited(document: &Json, version: FractionalVersion, limits: &FlagLimits) -> FlagSet {
    let document = Document::parse("flags.json", &document.to_string(), Format::Json, limits);
    let flags = document.expect("the document is good").flags;
    let entries: Definitions =
        flags.into_iter().map(|(key, flag)| (key, Entry::Good(flag.expect("the flag is good")))).collect();
    FlagSet::compile(&entries, version, limits)
}

/// What a flag of a set resolves to.
fn resolve(set: &FlagSet, key: &str, attributes: &Json) -> Resolution {
    let context = JsonContext { paths: set.paths(), attributes, timestamp: 1_800_000_000 };
    set.evaluate(set.find(key).expect("the flag exists"), &context)
}

/// The name of the variant a flag of a set resolves to; `-` without one.
fn variant<'s>(set: &'s FlagSet, key: &str, attributes: &Json) -> &'s str {
    let resolution = resolve(set, key, attributes);
    resolution.variant.and_then(|id| set.get(resolution.flag).variant_name(id)).map_or("-", |name| name)
}

/// The trace of a flag.
fn trace(set: &FlagSet, key: &str, attributes: &Json) -> Vec<Step> {
    let context = JsonContext { paths: set.paths(), attributes, timestamp: 1_800_000_000 };
    set.trace(set.find(key).expect("the flag exists"), &context).1
}

/// A document of one flag `flag` with the variants `on` and `off` (the default) and this rule.
fn on_off(rule: Json) -> Json {
    json!({"flags": {"flag": {
        "state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off", "targeting": rule,
    }}})
}
