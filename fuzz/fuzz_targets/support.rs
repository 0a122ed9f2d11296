//! What the fuzz targets that have flags share.

#![allow(dead_code, reason = "each target uses a part")]

use std::sync::Arc;

use flagway::config::FractionalVersion::{V2, V3};
use flagway::config::{Config, FlagLimits, Problem};
use flagway::decide::Decision;
use flagway::decide::headers::{Attempt, decision_headers};
use flagway::flag::{Definitions, Document, Entry, FlagSet, Format, JsonContext};
use flagway::snapshot::Snapshot;
use http::HeaderMap;
use serde_json::Value as Json;

/// Limits that small inputs reach.
pub fn tight() -> FlagLimits {
    FlagLimits {
        flags: 4,
        values: 200,
        rule_depth: 5,
        rule_nodes: 40,
        steps: 30,
        produced_bytes: 64,
        ..FlagLimits::default()
    }
}

/// A document's flags and all its problems, or why it is refused.
pub fn load(
    text: &str,
    format: Format,
    limits: &FlagLimits,
) -> Result<(Definitions, Vec<Problem>), Vec<Problem>> {
    let document = Document::parse("flags", text, format, limits)?;
    let mut problems = document.warnings;
    let mut entry = |flag: Result<_, Vec<Problem>>| match flag {
        Ok(definition) => Entry::Good(definition),
        Err(why) => {
            let entry = Entry::Broken(why[0].found.as_str().into());
            problems.extend(why);
            entry
        }
    };
    let definitions = document.flags.into_iter().map(|(identity, flag)| (identity, entry(flag))).collect();
    Ok((definitions, problems))
}

/// Asks every flag by either hash, twice and with a trace.
pub fn ask(definitions: &Definitions, limits: &FlagLimits, attributes: &Json) {
    for version in [V2, V3] {
        let set = FlagSet::compile(definitions, version, limits);
        let context = JsonContext { paths: set.paths(), attributes, timestamp: 1_790_000_000 };
        for (id, flag) in set.iter() {
            let resolution = set.evaluate(id, &context);
            assert_eq!(resolution, set.evaluate(id, &context), "{} differs the second time", flag.key);
            let (traced, steps) = set.trace(id, &context);
            assert_eq!(resolution, traced, "the trace of {} tells something else", flag.key);
            assert!(!steps.is_empty());
            if let Some(variant) = resolution.variant {
                assert!(flag.value(variant).is_some());
            }
        }
    }
}

/// A configuration with a document's flags, broken ones too.
pub fn snapshot(config: Arc<Config>, document: &str) -> Snapshot {
    let (definitions, _) = load(document, Format::Json, &config.flags.limits).expect("it is a document");
    Snapshot::build(config, &definitions)
}

/// The fields that tell a decision, each of which can be sent.
pub fn told(snapshot: &Snapshot, decision: &Decision, received: &HeaderMap) -> HeaderMap {
    let mut sent = HeaderMap::new();
    let Some(target) = decision.target else { return sent };
    let attempt = Attempt { version: target.version, why: None, shadow: None };
    decision_headers(snapshot, decision, attempt, received, |name, value| {
        assert!(value.as_bytes().iter().all(|byte| (0x20..0x7f).contains(byte)), "{name}: {value:?}");
        assert!(sent.insert(name, value).is_none(), "{name} is told twice");
    });
    assert!(sent.get("baggage").is_none_or(|baggage| baggage.len() <= 8192));
    sent
}
