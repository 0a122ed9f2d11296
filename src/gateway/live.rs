//! What is live: a snapshot with everything resolved for its ids. A request takes it once and keeps it to its end.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::snapshot::Snapshot;
use crate::telemetry::{Handles, Metrics};

/// Published as one.
pub struct Live {
    pub snapshot: Arc<Snapshot>,
    pub handles: Handles,
    // upstreams: by service and version
}

/// Where the live one is found.
pub type Published = Arc<ArcSwap<Live>>;

impl Live {
    /// Resolves a snapshot; upstreams whose configuration did not change are taken over from `before`, with their connections.
    pub fn new(_snapshot: Arc<Snapshot>, _metrics: &Metrics, _before: Option<&Live>) -> Live {
        todo!()
    }
}
