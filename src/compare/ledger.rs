//! What is counted of one shadow: copies, comparisons, differences by field, examples. In memory, bounded.

use std::time::{Duration, SystemTime};

use super::report::{ExampleLine, ShadowReport};
use super::{Comparison, Dropped, Failed, Uncompared};
use crate::config::shadow::CompareRules;

/// Whose answers are compared: one ledger each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The route's name.
    pub route: String,
    /// The flag that decides about the copy.
    pub flag: String,
    /// The version that serves the originals.
    pub original: String,
    /// Of the copies.
    pub service: String,
    /// Of the copies.
    pub version: String,
}

/// One shadow's ledger.
#[derive(Debug)]
pub struct Ledger {
    _todo: (),
}

/// Two answers compared, and perhaps the original's version with itself.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The original against the shadow.
    pub shadow: Comparison,
    /// The original against its twin: a second answer of the same version.
    pub twin: Option<Comparison>,
    /// How long original and shadow took to the first byte.
    pub waited: (Duration, Duration),
    /// When.
    pub at: SystemTime,
    /// The original's.
    pub request_id: String,
    /// The original's.
    pub method: String,
    /// The original's, without its query.
    pub path: String,
}

impl Ledger {
    /// An empty ledger since `now`. `max_fields`: differing fields that are told apart.
    pub fn new(_subject: Subject, _rules: &CompareRules, _max_fields: usize, _now: SystemTime) -> Ledger {
        todo!()
    }

    /// Whose it is.
    pub fn subject(&self) -> &Subject {
        todo!()
    }

    /// A copy was handed over to be sent. Requests call this: no lock.
    pub fn sent(&self) {
        todo!()
    }

    /// A copy was not sent. Requests call this: no lock.
    pub fn dropped(&self, _why: Dropped) {
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

    /// An answer was not compared.
    pub fn uncompared(&self, _why: Uncompared) {
        todo!()
    }

    /// Two answers were compared.
    pub fn observe(&self, _observation: Observation) {
        todo!()
    }

    /// Forgets everything; counts from `now` on.
    pub fn reset(&self, _now: SystemTime) {
        todo!()
    }

    /// What it says. `resting`: whether the breaker is open.
    pub fn report(&self, _resting: bool) -> ShadowReport {
        todo!()
    }

    /// Every recorded example.
    pub fn examples(&self) -> Vec<ExampleLine> {
        todo!()
    }
}
