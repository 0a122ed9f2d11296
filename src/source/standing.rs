//! What stands, for whoever reads it without asking the keeper: what the sources say, and the overlay above.

use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::sight::Sight;
use crate::config::FlagLimits;
use crate::flag::{self, Definitions, Stated};
use crate::overlay::{self, Overlay};

/// At one moment; never changed.
#[derive(Debug, Default)]
pub struct Standing {
    /// Of all sources together.
    pub definitions: Arc<Definitions>,
    /// Above them.
    pub overlay: Arc<Overlay>,
    /// That definitions are held to.
    pub limits: FlagLimits,
    /// One a source, in order.
    pub files: Vec<SourceFile>,
}

/// The file of a source.
#[derive(Debug)]
pub struct SourceFile {
    /// Relative to the folder of the configuration, where it is below it.
    pub name: Arc<str>,
    /// Its path.
    pub path: PathBuf,
    /// What it says now.
    pub text: Sight,
}

impl Standing {
    /// The flag's ETag.
    pub fn etag(&self, flag: &str) -> String {
        etag(self.definitions.of(flag), self.overlay.of(flag))
    }

    /// What runs of a flag.
    pub fn running(&self, flag: &str) -> Option<Arc<flag::Definition>> {
        match self.overlay.apply_to(flag, self.definitions.get(flag), &self.limits).0 {
            Some(flag::Entry::Good(definition)) => Some(definition),
            Some(flag::Entry::Broken(_)) | None => None,
        }
    }
}

/// 16 hex digits of a hash of what the sources say of the flags of a key and of its entries: another one, as soon as either is another.
pub fn etag(sources: &[Stated<flag::Entry>], entries: &[overlay::Entry]) -> String {
    let mut hash = Sha256::new();
    for source in sources {
        match &source.flag {
            flag::Entry::Good(definition) => hash.update(definition.canonical()),
            flag::Entry::Broken(_) => hash.update("broken"),
        }
    }
    for entry in entries {
        hash.update("\n");
        // All its keys are texts: it is JSON.
        hash.update(serde_json::to_string(entry).unwrap_or_default());
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flag::{Document, Format};
    use serde_json::json;

    #[test]
    fn an_etag_tells_definitions_and_entries_apart() {
        let good = |json: &str| {
            let text = format!(r#"{{"flags": {{"f": {json}}}}}"#);
            let document = Document::parse("flags.json", &text, Format::Json, &FlagLimits::default());
            document.unwrap().flags["f"].clone().unwrap()
        };
        let stated = |entry| Definitions::from_iter([("f", entry)]);
        let good = |json: &str| stated(flag::Entry::Good(good(json)));
        let broken = stated(flag::Entry::Broken("why".into()));
        let entry = |by: &str| -> overlay::Entry {
            let entry = json!({"flag": "f", "kind": "state", "state": "DISABLED", "by": by, "at": "2026-12-03T10:00:00Z"});
            serde_json::from_value(entry).unwrap()
        };
        let one = good(r#"{"state": "ENABLED", "variants": {"a": 1}}"#);
        let told = [
            etag(&[], &[]),
            etag(broken.of("f"), &[]),
            etag(one.of("f"), &[]),
            etag(good(r#"{"state": "ENABLED", "variants": {"a": 2}}"#).of("f"), &[]),
            etag(one.of("f"), &[entry("ann")]),
            etag(one.of("f"), &[entry("bob")]),
            etag(&[], &[entry("bob")]),
        ];
        let mut different = told.to_vec();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), told.len());
        assert!(told.iter().all(|etag| etag.len() == 16 && etag.bytes().all(|b| b.is_ascii_hexdigit())));
        assert_eq!(etag(good(r#"{"variants": {"a": 1}, "state": "ENABLED"}"#).of("f"), &[]), told[2]);
    }
}
