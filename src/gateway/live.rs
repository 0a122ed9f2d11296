//! What is live: a snapshot with everything resolved for its ids. A request takes it once and keeps it to its end.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::shadow::Shadows;
use super::upstream::Upstreams;
use crate::config::Problem;
use crate::snapshot::Snapshot;
use crate::telemetry::{Handles, Metrics};

/// Published as one.
pub struct Live {
    /// What decides.
    pub snapshot: Arc<Snapshot>,
    /// What counts.
    pub handles: Handles,
    /// What serves.
    pub upstreams: Upstreams,
    /// What copies of requests are sent by, and what is known of them.
    pub shadows: Shadows,
    /// What upstreams need and do not have: files that cannot be used.
    unusable: Vec<Problem>,
}

/// Where the live one is found.
pub type Published = Arc<ArcSwap<Live>>;

impl Live {
    /// Resolves a snapshot; upstreams whose configuration did not change are taken over from `before`, with their connections.
    pub fn new(snapshot: Arc<Snapshot>, metrics: &Metrics, before: Option<&Live>) -> Live {
        let mut problems = Vec::new();
        let upstreams =
            Upstreams::new(&snapshot.config, before.map(|before| &before.upstreams), &mut problems);
        for problem in &problems {
            tracing::error!(key = problem.key, "{}", problem.found);
        }
        let own = before.map(|before| &before.shadows);
        let shadows = Shadows::new(&snapshot.config, metrics, &upstreams, own);
        Live {
            handles: Handles::resolve(metrics, &snapshot),
            upstreams,
            shadows,
            unusable: problems,
            snapshot,
        }
    }

    /// What is wrong with what is live: names that lead nowhere, files that upstreams need and cannot use.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.snapshot.problems.iter().chain(&self.unusable)
    }
}
