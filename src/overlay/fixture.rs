//! Flags for the tests of this room.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::config::{FlagLimits, FractionalVersion};
use crate::flag::{self, Definition, Definitions, Document, FlagSet, Format, JsonContext};

/// An enabled flag with the variants `stable` (the default) and `canary`, overlaid by these members.
pub fn flag(members: Json) -> Json {
    let mut flag = json!({
        "state": "ENABLED", "variants": {"stable": "stable", "canary": "canary"}, "defaultVariant": "stable",
    });
    if let (Some(flag), Json::Object(members)) = (flag.as_object_mut(), members) {
        flag.extend(members);
    }
    flag
}

/// A flag of that rule, over `stable` (the default), `canary` and `beta`.
pub fn ruled(rule: Json) -> Json {
    let variants = json!({"stable": "stable", "canary": "canary", "beta": "beta"});
    flag(json!({"variants": variants, "targeting": rule}))
}

/// What a document says of a flag.
pub fn definition(key: &str, json: &Json) -> Definition {
    let text = json!({"flags": {key: json}}).to_string();
    let document = Document::parse("flags.json", &text, Format::Json, &FlagLimits::default());
    let document = document.expect("it is a document");
    Definition { place: None, ..Definition::clone(document.flags[key].as_ref().expect("the flag is good")) }
}

/// Definitions of flags by key; null: one that never was good.
pub fn definitions(flags: &Json) -> Definitions {
    let flags = flags.as_object().expect("flags by key").iter().map(|(key, json)| {
        let entry = match json {
            Json::Null => flag::Entry::Broken("no variants".into()),
            json => flag::Entry::Good(Arc::new(definition(key, json))),
        };
        (key.as_str(), entry)
    });
    flags.collect()
}

/// The variants that a definition gives in these contexts; `-`: none.
pub fn variants(
    definition: &Definition,
    version: FractionalVersion,
    contexts: impl Iterator<Item = Json>,
) -> Vec<String> {
    let entry = flag::Entry::Good(Arc::new(definition.clone()));
    let definitions = Definitions::from_iter([(definition.identity(), entry)]);
    let set = FlagSet::compile(&definitions, version, &FlagLimits::default());
    let id = set.find(&definition.key).expect("the set has this flag");
    let given = contexts.map(|attributes| {
        let context = JsonContext { paths: set.paths(), attributes: &attributes, timestamp: 1_800_000_000 };
        let variant = set.evaluate(id, &context).variant;
        variant.and_then(|variant| set.get(id).variant_name(variant)).map_or("-", |name| name).to_owned()
    });
    given.collect()
}
