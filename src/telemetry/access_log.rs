//! The access log: one JSON line a request, written off the request path; what does not fit into the queue is dropped and counted.

use super::{Metrics, Outcome};
use crate::config::AccessLog as Config;
use crate::decide::Decision;
use crate::snapshot::Snapshot;

/// The log's front: cheap to clone, never blocks.
#[derive(Debug, Clone)]
pub struct AccessLog {}

/// The facts of a request that are logged.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    pub method: &'a str,
    pub host: &'a str,
    /// Without the query.
    pub path: &'a str,
    pub listener: &'a str,
    pub request_id: &'a str,
    /// Of which the log writes a keyed hash, where that is configured.
    pub targeting_key: Option<&'a str>,
}

impl AccessLog {
    /// Opens the log and starts its writer thread.
    pub fn open(_config: &Config, _metrics: &Metrics) -> std::io::Result<AccessLog> {
        todo!()
    }

    /// Queues one line.
    pub fn write(
        &self,
        _line: Line<'_>,
        _snapshot: &Snapshot,
        _decision: Option<&Decision>,
        _outcome: &Outcome,
    ) {
        todo!()
    }

    /// Reopens the file, after it was moved away.
    pub fn reopen(&self) {
        todo!()
    }

    /// Waits until all that is queued was written, at most `limit`.
    pub fn flush(&self, _limit: std::time::Duration) {
        todo!()
    }
}
