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
