//! The evaluator under test, asked as the naive one is.

use flagway::config::{FlagLimits, FractionalVersion};
use flagway::flag::{Document, Entry, ErrorCode, FlagSet, Format, JsonContext};
use serde_json::Value as Json;

use crate::naive::{Hash, Outcome, Question};

/// What a flag of a document resolves to; `None` when the evaluation went over a limit.
pub fn resolve(document: &Json, key: &str, question: Question) -> Option<Outcome> {
    let set = load(&document.to_string(), Format::Json, question.hash, &FlagLimits::default())
        .expect("it is a document");
    let Some(id) = set.find(key) else {
        return Some(Outcome {
            variant: None,
            reason: "ERROR",
            error: Some(ErrorCode::FlagNotFound.as_str()),
        });
    };
    let context = JsonContext { paths: set.paths(), attributes: question.context, timestamp: question.now };
    let resolution = set.evaluate(id, &context);
    assert_eq!(resolution, set.trace(id, &context).0, "a trace tells of another evaluation: {document}");
    let variant = resolution.variant.and_then(|id| set.get(resolution.flag).variants().get(id.0 as usize));
    match resolution.error {
        Some(ErrorCode::OverLimit(_)) => None,
        error => Some(Outcome {
            variant: variant.map(|(name, value)| (name.to_string(), value.clone())),
            reason: resolution.reason.as_str(),
            error: error.map(ErrorCode::as_str),
        }),
    }
}

/// The flags of a document, compiled; `None` when it is refused whole.
pub fn load(text: &str, format: Format, hash: Hash, limits: &FlagLimits) -> Option<FlagSet> {
    let flags = Document::parse("flags", text, format, limits).ok()?.flags;
    let entry = |flag: Result<_, Vec<_>>| flag.map_or_else(|_| Entry::Broken("broken".into()), Entry::Good);
    let entries = flags.into_iter().map(|(key, flag)| (key, entry(flag))).collect();
    let version = match hash {
        Hash::V2 => FractionalVersion::V2,
        Hash::V3 => FractionalVersion::V3,
    };
    Some(FlagSet::compile(&entries, version, limits))
}
