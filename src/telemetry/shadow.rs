//! The counters of shadows: copies, comparisons, evaluations of their flags.

use std::time::Duration;

use crate::compare::{Dropped, Failed, Uncompared};

/// The counters of one shadow: of a route, and of the version that gets the copies. No lock.
#[derive(Debug, Clone)]
pub struct ShadowCounters {
    _todo: (),
}

impl ShadowCounters {
    /// A copy was handed over to be sent.
    pub fn sent(&self) {
        todo!()
    }

    /// A copy was answered to the end.
    pub fn answered(&self) {
        todo!()
    }

    /// A copy failed.
    pub fn failed(&self, _why: Failed) {
        todo!()
    }

    /// A copy was not sent.
    pub fn dropped(&self, _why: Dropped) {
        todo!()
    }

    /// Two answers were compared.
    pub fn compared(&self, _equal: bool) {
        todo!()
    }

    /// An answer was not compared.
    pub fn uncompared(&self, _why: Uncompared) {
        todo!()
    }

    /// How long original and shadow took to the first byte.
    pub fn waited(&self, _original: Duration, _shadow: Duration) {
        todo!()
    }
}

/// What all shadows hold now.
#[derive(Debug, Clone)]
pub struct ShadowGauges {
    /// Bytes of requests and answers held.
    pub bytes: prometheus::IntGauge,
    /// Copies under way.
    pub in_flight: prometheus::IntGauge,
    /// Copies that wait to be sent.
    pub waiting: prometheus::IntGauge,
}

impl super::Metrics {
    /// The counters of a route's shadow in a version (`service` and `version` of the copies).
    pub fn shadow(&self, _route: &str, _service: &str, _version: &str) -> ShadowCounters {
        todo!()
    }

    /// The gauges of all shadows.
    pub fn shadows(&self) -> ShadowGauges {
        todo!()
    }
}
