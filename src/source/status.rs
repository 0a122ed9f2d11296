//! How each source is doing, for the admin API, the probes and the metrics.

use std::time::SystemTime;

use arc_swap::ArcSwap;

use crate::config::{Problem, ProblemKind};
use crate::telemetry::Metrics;

/// Read by anyone at any time.
#[derive(Debug, Default)]
pub struct Status {
    /// One for each configured source, in order.
    pub sources: ArcSwap<Vec<SourceStatus>>,
    /// All problems of the present state: configuration on disk, documents, definitions. A snapshot's own problems are in the snapshot.
    pub problems: ArcSwap<Vec<Problem>>,
}

/// How one source is doing.
#[derive(Debug, Clone)]
pub struct SourceStatus {
    /// `file:flags.json`
    pub name: String,
    /// What of it serves.
    pub state: SourceState,
    /// When its content was last read and found good.
    pub fresh: Option<SystemTime>,
    /// Flags it gives.
    pub flags: usize,
}

/// What of a source serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// What it said last is what serves.
    Ready,
    /// What it says now is refused or cannot be read; its last good serves.
    Stale,
    /// It never gave anything usable.
    Missing,
}

impl SourceState {
    /// As the API and events call it.
    pub fn as_str(self) -> &'static str {
        match self {
            SourceState::Ready => "ready",
            SourceState::Stale => "stale",
            SourceState::Missing => "missing",
        }
    }
}

impl Status {
    /// Brings the metrics about sources and problems up to date, for a scrape. `snapshot` are the problems of the one that serves.
    pub fn measure(&self, metrics: &Metrics, live: impl Iterator<Item = ProblemKind>, now: SystemTime) {
        let sources = self.sources.load();
        let age = |fresh: SystemTime| now.duration_since(fresh).unwrap_or_default();
        metrics.set_sources(sources.iter().map(|source| (&*source.name, source.fresh.map(age))));
        let problems = self.problems.load();
        metrics.set_problems(problems.iter().map(|problem| problem.kind).chain(live));
    }

    /// Whether every source has given flags at least once, now or before a restart.
    pub fn loaded(&self) -> bool {
        self.sources.load().iter().all(|source| source.state != SourceState::Missing)
    }
}
