//! What stands, for whoever reads it without asking the keeper: what the sources say, and the overlay above.

use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::last_good::LastGood;
use super::sight::Sight;
use crate::config::FlagLimits;
use crate::flag;
use crate::overlay::{self, Overlay};
use crate::snapshot::Definitions;

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
    pub name: String,
    /// Its path.
    pub path: PathBuf,
    /// What it says now.
    pub text: Sight,
    /// What of it serves.
    pub good: LastGood,
}

impl Standing {
    /// The flag's ETag.
    pub fn etag(&self, flag: &str) -> String {
        etag(self.definitions.get(flag), self.overlay.of(flag))
    }

    /// What runs of a flag.
    pub fn running(&self, flag: &str) -> Option<Arc<flag::Definition>> {
        match self.overlay.apply_to(flag, self.definitions.get(flag), &self.limits).0 {
            Some(flag::Entry::Good(definition)) => Some(definition),
            Some(flag::Entry::Broken(_)) | None => None,
        }
    }
}

/// 16 hex digits of a hash of what the sources say of a flag and of its entries: another one, as soon as either is another.
pub fn etag(source: Option<&flag::Entry>, entries: &[overlay::Entry]) -> String {
    let source = match source {
        Some(flag::Entry::Good(definition)) => definition.canonical(),
        Some(flag::Entry::Broken(_)) => "broken".to_owned(),
        None => "none".to_owned(),
    };
    let mut hash = Sha256::new_with_prefix(source);
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
            let flag = document.unwrap().flags.remove("f").unwrap();
            Some(flag::Entry::Good(flag.unwrap()))
        };
        let entry = |by: &str| -> overlay::Entry {
            let entry = json!({"flag": "f", "kind": "state", "state": "DISABLED", "by": by, "at": "2026-12-03T10:00:00Z"});
            serde_json::from_value(entry).unwrap()
        };
        let one = good(r#"{"state": "ENABLED", "variants": {"a": 1}}"#);
        let told = [
            etag(None, &[]),
            etag(Some(&flag::Entry::Broken("why".into())), &[]),
            etag(one.as_ref(), &[]),
            etag(good(r#"{"state": "ENABLED", "variants": {"a": 2}}"#).as_ref(), &[]),
            etag(one.as_ref(), &[entry("ann")]),
            etag(one.as_ref(), &[entry("bob")]),
            etag(None, &[entry("bob")]),
        ];
        let mut different = told.to_vec();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), told.len());
        assert!(told.iter().all(|etag| etag.len() == 16 && etag.bytes().all(|b| b.is_ascii_hexdigit())));
        assert_eq!(etag(good(r#"{"variants": {"a": 1}, "state": "ENABLED"}"#).as_ref(), &[]), told[2]);
    }
}
