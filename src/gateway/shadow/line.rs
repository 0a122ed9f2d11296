//! One line of shadow traffic: from the originals that one version serves to the copies that another gets. Outlives snapshots.

use std::sync::Arc;

use super::breaker::Breaker;
use super::budget::{Budget, Charge};
use crate::compare::{Dropped, Failed, Ledger, Observation, Uncompared};
use crate::config::shadow::{Breaker as Limits, ShadowRule};
use crate::telemetry::ShadowCounters;
use crate::telemetry::limiter::{Limiter, uptime};

/// What is kept of it. Whatever is counted goes into both the ledger and the metrics.
#[derive(Debug)]
pub struct Line {
    ledger: Ledger,
    counters: ShadowCounters,
    breaker: Breaker,
    /// Copies.
    in_flight: Arc<Budget>,
    /// Of the log.
    lines: Limiter,
}

impl Line {
    /// A new line; nothing may be under way on it before [`Line::limit`].
    pub fn new(ledger: Ledger, counters: ShadowCounters) -> Line {
        Line {
            ledger,
            counters,
            breaker: Breaker::default(),
            in_flight: Budget::new(0, None),
            lines: Limiter::default(),
        }
    }

    /// Takes the limits of a configuration.
    pub fn limit(&self, rule: &ShadowRule) {
        self.in_flight.limit(rule.max_in_flight);
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
        self.breaker.rests(uptime())
    }

    /// Why a copy would be dropped now anyway: a cheap look, before anything is done for it.
    pub fn refusal(&self) -> Option<Dropped> {
        if self.is_resting() {
            return Some(Dropped::Breaker);
        }
        (!self.in_flight.has_room()).then_some(Dropped::InFlight)
    }

    /// A place for a copy under way.
    pub fn place(&self) -> Option<Charge> {
        self.in_flight.one()
    }

    /// Whether the breaker lets a copy pass. What becomes of one that passes is told by [`Line::answered`] or [`Line::failed`].
    pub fn admits(&self, limits: Limits) -> bool {
        self.breaker.admits(limits, uptime())
    }

    /// A copy is sent.
    pub fn sent(&self) {
        self.ledger.sent();
        self.counters.sent();
    }

    /// A copy is not sent.
    pub fn dropped(&self, why: Dropped) {
        self.ledger.dropped(why);
        self.counters.dropped(why);
    }

    /// A copy was answered to the end.
    pub fn answered(&self) {
        self.breaker.succeeded();
        self.ledger.answered();
        self.counters.answered();
    }

    /// A copy failed.
    pub fn failed(&self, why: Failed, limits: Limits) {
        match why {
            // It answers, if at too great a length: no rest would change that.
            Failed::AnswerTooLarge => self.breaker.succeeded(),
            Failed::Connect | Failed::Timeout | Failed::Closed | Failed::Protocol => {
                self.breaker.failed(limits, uptime());
            }
        }
        self.ledger.failed(why);
        self.counters.failed(why);
        if let Some(left_out) = self.lines.pass(uptime()) {
            let subject = self.ledger.subject();
            let (route, service, version) = (&*subject.route, &*subject.service, &*subject.version);
            tracing::warn!(route, service, version, why = why.label(), left_out, "a shadow failed");
        }
    }

    /// An answer was not compared.
    pub fn uncompared(&self, why: Uncompared) {
        self.ledger.uncompared(why);
        self.counters.uncompared(why);
    }

    /// Two answers were compared.
    pub fn compared(&self, observation: Observation) {
        let (original, shadow) = observation.waited;
        self.counters.compared(observation.shadow.differences.is_empty());
        self.counters.waited(original, shadow);
        self.ledger.observe(observation);
    }
}
