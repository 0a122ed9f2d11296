//! One line of shadow traffic: from the originals that one version serves to the copies that another gets. Outlives snapshots.

use crate::compare::Ledger;
use crate::telemetry::ShadowCounters;

/// What is kept of it.
#[derive(Debug)]
pub struct Line {
    ledger: Ledger,
    counters: ShadowCounters,
}

impl Line {
    /// A new line.
    pub fn new(ledger: Ledger, counters: ShadowCounters) -> Line {
        Line { ledger, counters }
    }

    /// What was counted of it.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Its metrics.
    pub fn counters(&self) -> &ShadowCounters {
        &self.counters
    }

    /// Whether its version has a rest, as it failed too often.
    pub fn is_resting(&self) -> bool {
        todo!()
    }
}
