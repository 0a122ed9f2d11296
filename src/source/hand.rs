//! The operator's hand: asks the keeper to write an entry of the overlay, and reads what stands.
//!
//! A write is answered when it is on disk, in the audit and published: every decision after the answer is by the new rule. Who may
//! write is asked elsewhere.

use std::net::IpAddr;
use std::sync::Arc;

use crate::config::Problem;
use crate::overlay::{Change, Entry, Overlay, Refusal};

use super::audit::{Audit, Query, Record};
use super::events::Events;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The token's name; `anonymous` where none is needed; `flagway` for what the gateway does by itself.
    pub name: String,
    /// The token's role: `operator`, `admin`.
    pub role: &'static str,
    /// The other end of the connection; none for the gateway itself.
    pub from: Option<IpAddr>,
}

/// One write of one flag.
#[derive(Debug, Clone)]
pub struct Write {
    /// Its key.
    pub flag: Arc<str>,
    /// What is done.
    pub action: Action,
    /// Who does it.
    pub by: Operator,
    /// In their words; may be empty.
    pub why: String,
    /// When it releases itself, in Unix seconds.
    pub until: Option<i64>,
    /// What the flag's ETag has to be.
    pub condition: Condition,
    /// The client's idempotency key, with a hash of its request.
    pub once: Option<(String, u64)>,
}

/// What a write does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Everyone gets this variant. Its value is looked up by the keeper.
    Kill(String),
    /// Puts one entry in place of the one of its kind.
    Put(Change),
    /// Takes the kill out, or, where there is none, every entry.
    Release,
    /// Takes every entry out.
    ReleaseAll,
    /// Makes these all entries of the flag.
    Replace(Vec<Change>),
}

/// What the flag's ETag has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Anything.
    Any,
    /// One of these.
    Is(Vec<String>),
}

/// A write that was done.
#[derive(Debug, Clone)]
pub struct Written {
    /// Of the audit.
    pub seq: u64,
    /// The flag's, now.
    pub etag: String,
    /// That is published now.
    pub revision: String,
    /// Whether it survives the process: there is a `state_dir`.
    pub durable: bool,
    /// The flag's entries, now.
    pub entries: Vec<Entry>,
    /// Whether it was done before, by the same idempotency key.
    pub again: bool,
}

/// Why a write was not done. Nothing changed.
#[derive(Debug, Clone)]
pub enum Refused {
    /// No source and no entry defines the flag; the one that was perhaps meant.
    NoFlag(Option<String>),
    /// The flag's ETag is this one.
    Stale(String),
    /// It does not apply.
    Change(Refusal),
    /// There is nothing to release.
    Nothing,
    /// The flag, or what depends on it, would have these problems, which it has not now.
    Worse(Vec<Problem>),
    /// The idempotency key was used for another request.
    Reused,
    /// It could not be kept on disk.
    Disk(String),
    /// The gateway is stopping.
    Stopping,
}

/// Shared by everyone who asks.
#[derive(Clone)]
pub struct Hand {
    _todo: (),
}

impl Hand {
    /// Does a write, or tells why not. Accepted or refused, it is in the audit when this answers.
    pub async fn write(&self, _write: Write) -> Result<Written, Refused> {
        todo!()
    }

    /// Writes down that something was refused before it came this far: without the right, or not understood.
    pub fn refused(&self, _record: Record) {
        todo!()
    }

    /// What stands now.
    pub fn overlay(&self) -> Arc<Overlay> {
        todo!()
    }

    /// The flag's ETag now, without quotes; of what no one defines, too.
    pub fn etag(&self, _flag: &str) -> String {
        todo!()
    }

    /// Whether writes survive the process.
    pub fn durable(&self) -> bool {
        todo!()
    }

    /// The audit, newest first.
    pub fn audit(&self, _query: &Query) -> Vec<Record> {
        todo!()
    }

    /// What happens from now on.
    pub fn events(&self) -> &Events {
        todo!()
    }

    /// For each flag with entries that a source defines: the file, and the patch that makes it equal to what runs.
    pub fn diff(&self) -> Vec<SourceDiff> {
        todo!()
    }

    /// What the sources together say of a flag; none: none defines it, or none well.
    pub fn source(&self, _flag: &str) -> Option<Arc<crate::flag::Definition>> {
        todo!()
    }

    #[doc(hidden)]
    pub fn log(&self) -> &Audit {
        todo!()
    }
}

impl Refused {
    /// The HTTP status that says so.
    pub fn status(&self) -> u16 {
        todo!()
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
}

/// What a source would have to say.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SourceDiff {
    /// The flag.
    pub flag: String,
    /// The file that defines it; none: no source does.
    pub file: Option<String>,
    /// `unified`: as `patch -p0` takes it; `json-patch`: RFC 6902, where the text cannot be edited in place; `none`: with why.
    pub form: String,
    /// The patch.
    pub patch: String,
}
