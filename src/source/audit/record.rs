//! One line of the audit, and its bounds: what a client sends is cut before it is kept.

use serde::{Deserialize, Serialize};

/// One write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// From 1, without gaps over accepted and refused ones.
    pub seq: u64,
    /// RFC 3339, to the millisecond.
    pub time: String,
    /// `kill`, `weight`, `enable`, `disable`, `set`, `replace`, `release`, `expired`, `caught_up`.
    pub action: String,
    /// The flag.
    pub flag: String,
    /// The operator's name.
    pub by: String,
    /// `viewer`, `operator`, `admin`; `flagway` for what the gateway did by itself; empty: not known.
    pub role: String,
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// In their words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// RFC 3339: when the entry releases itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Whether it was done.
    pub accepted: bool,
    /// The status that was answered.
    pub status: u16,
    /// Why it was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The flag's entries before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<serde_json::Value>,
    /// The flag's entries after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<serde_json::Value>,
    /// Of the overlay that it made: what `overlay.json` has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<u64>,
    /// That was published by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The flag's, after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// Bytes that the texts of a record have at most.
const NAME: usize = 256;
const WORDS: usize = 2_000;
/// Bytes of JSON that the entries before, and those after, have at most.
const ENTRIES: usize = 64 << 10;

impl Record {
    /// The same, within its bounds: a text is cut, entries that are too long are left out with a note.
    pub(super) fn bounded(mut self) -> Record {
        let texts = [&mut self.action, &mut self.flag, &mut self.by, &mut self.role, &mut self.time];
        let optional = [&mut self.from, &mut self.until, &mut self.revision, &mut self.etag];
        for text in texts.into_iter().chain(optional.into_iter().flatten()).chain(&mut self.idempotency_key) {
            cut(text, NAME);
        }
        for text in std::iter::once(&mut self.why).chain(&mut self.problem) {
            cut(text, WORDS);
        }
        for entries in [&mut self.before, &mut self.after].into_iter().flatten() {
            let bytes = entries.to_string().len();
            if bytes > ENTRIES {
                *entries = serde_json::json!(format!("{bytes} bytes, left out"));
            }
        }
        self
    }
}

/// Keeps the longest beginning within `bytes` that ends on a character's border.
fn cut(text: &mut String, bytes: usize) {
    text.truncate(text.floor_char_boundary(bytes));
}
