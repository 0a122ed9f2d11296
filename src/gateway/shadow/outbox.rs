//! Where requests hand their copies over, and the bounds on all of them. Outlives snapshots.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

use super::budget::{Budget, Charge};
use super::job::Job;
use crate::config::shadow::ShadowLimits;
use crate::telemetry::ShadowGauges;

/// One a process.
#[derive(Debug)]
pub struct Outbox {
    /// Bytes held for copying and comparing.
    pub bytes: Arc<Budget>,
    /// Copies under way.
    pub in_flight: Arc<Budget>,
    /// Answers that wait to be compared.
    pub pairs: Arc<Budget>,
    waiting: Arc<Budget>,
    /// Has no bound of its own: what is in it is charged to `waiting`, whose limit a reload can change.
    queue: mpsc::UnboundedSender<Job>,
    /// Held by whoever sends.
    pub intake: Mutex<mpsc::UnboundedReceiver<Job>>,
}

impl Outbox {
    pub fn new(limits: ShadowLimits, gauges: ShadowGauges) -> Arc<Outbox> {
        let (queue, intake) = mpsc::unbounded_channel();
        Arc::new(Outbox {
            bytes: Budget::new(limits.max_bytes, Some(gauges.bytes)),
            in_flight: Budget::new(limits.max_in_flight, Some(gauges.in_flight)),
            pairs: Budget::new(limits.queue, None),
            waiting: Budget::new(limits.queue, Some(gauges.waiting)),
            queue,
            intake: Mutex::new(intake),
        })
    }

    /// Takes the limits of another configuration.
    pub fn limit(&self, limits: ShadowLimits) {
        self.bytes.limit(limits.max_bytes);
        self.in_flight.limit(limits.max_in_flight);
        self.pairs.limit(limits.queue);
        self.waiting.limit(limits.queue);
    }

    /// A place in the queue; none: it is full.
    pub fn place(&self) -> Option<Charge> {
        self.waiting.one()
    }

    /// Hands a copy over; it has its place.
    pub fn push(&self, job: Job) {
        // The receiver is gone only when the process ends.
        let _ = self.queue.send(job);
    }
}
