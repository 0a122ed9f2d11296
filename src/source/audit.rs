//! The audit: one line of JSON for every write of an operator, accepted or refused, on disk before the answer.

use std::path::Path;

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

/// What is asked of the audit; an absent part asks for all.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Query {
    /// Of this flag.
    pub flag: Option<String>,
    /// By this operator.
    pub by: Option<String>,
    /// From this time on: RFC 3339, or a duration back from now such as `2h`.
    pub since: Option<String>,
    /// `accepted` or `refused`.
    pub outcome: Option<String>,
    /// The newest so many; default 100, at most 10,000.
    pub limit: Option<usize>,
}

/// The log: in a file under the state folder, or, without one, the newest in memory.
#[derive(Debug)]
pub struct Audit {
    _todo: (),
}

impl Audit {
    /// Opens the log; a last line that was torn by a crash is cut off. None: in memory.
    pub fn open(_state_dir: Option<&Path>) -> std::io::Result<Audit> {
        todo!()
    }

    /// Gives the record its number, appends it and waits until it is on disk.
    pub fn append(&mut self, _record: Record) -> std::io::Result<Record> {
        todo!()
    }
}
