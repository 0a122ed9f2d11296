//! How each source is doing, for the admin API, the probes and the metrics.

use std::time::SystemTime;

use arc_swap::ArcSwap;

use crate::config::Problem;

/// Read by anyone at any time.
#[derive(Debug)]
pub struct Status {
    /// One for each configured source, in order.
    pub sources: ArcSwap<Vec<SourceStatus>>,
    /// All problems of the present state: configuration on disk, documents, definitions. A snapshot's own problems are in the snapshot.
    pub problems: ArcSwap<Vec<Problem>>,
}

#[derive(Debug, Clone)]
pub struct SourceStatus {
    /// `file:flags.json`
    pub name: String,
    pub state: SourceState,
    /// When its content was last read and found good.
    pub fresh: Option<SystemTime>,
    /// Flags it gives.
    pub flags: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// What it said last is what serves.
    Ready,
    /// What it says now is refused or cannot be read; its last good serves.
    Stale,
    /// It never gave anything usable.
    Missing,
}

impl Status {
    /// Whether every source has given flags at least once, now or before a restart.
    pub fn loaded(&self) -> bool {
        self.sources.load().iter().all(|source| source.state != SourceState::Missing)
    }
}
