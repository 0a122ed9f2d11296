//! What is asked of the audit, and which records answer it.

use std::time::SystemTime;

use serde::Deserialize;

use super::Record;

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

/// A query that was understood.
#[derive(Debug, Clone)]
pub struct Filter {
    _todo: (),
}

impl Query {
    /// Understands it; `now` is what a duration counts back from. `Err`: one sentence for whoever asks.
    pub fn filter(&self, _now: SystemTime) -> Result<Filter, String> {
        todo!()
    }
}

impl Filter {
    /// Whether a record is asked for.
    pub fn takes(&self, _record: &Record) -> bool {
        todo!()
    }
}
