//! A snapshot's metric handles, by its ids.

use super::{Metrics, Outcome};
use crate::decide::Decision;
use crate::snapshot::Snapshot;

/// Resolved once a snapshot is published.
#[derive(Debug)]
pub struct Handles {}

impl Handles {
    /// Resolves the handles of everything that the snapshot's routes can count.
    pub fn resolve(_metrics: &Metrics, _snapshot: &Snapshot) -> Handles {
        todo!()
    }

    /// Counts evaluations and flag trouble of a decision: once a request, when it was decided.
    pub fn decided(&self, _decision: &Decision) {
        todo!()
    }

    /// Counts the outcome: requests, seconds, fallbacks.
    pub fn finished(&self, _decision: Option<&Decision>, _outcome: &Outcome) {
        todo!()
    }
}
