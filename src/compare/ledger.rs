//! What is counted of one shadow: copies, comparisons, differences by field, examples. In memory, bounded.
//!
//! Requests count with atomics alone. Comparisons are counted by the one thread that compares, under a lock that a report
//! takes for a moment. It does not judge for good: what is noise is decided anew by every report, from all that was seen.

#![expect(
    clippy::disallowed_types,
    reason = "no request waits for it: comparisons and reports are off their way"
)]

mod examples;
mod fields;
mod latencies;
mod seen;
mod sets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use self::seen::{Said, Seen};
use super::report::{ExampleLine, FieldReport, ShadowReport};
use super::significance::Class;
use super::verdict::verdict;
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
    subject: Subject,
    copies: Copies,
    seen: Mutex<Seen>,
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
    /// An empty ledger since `now`. `max_fields`: differing fields that are told apart, 65,535 at most.
    pub fn new(subject: Subject, rules: &CompareRules, max_fields: usize, now: SystemTime) -> Ledger {
        Ledger { subject, copies: Copies::default(), seen: Mutex::new(Seen::new(rules, max_fields, now)) }
    }

    /// Whose it is.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// A copy was handed over to be sent. Requests call this: no lock.
    pub fn sent(&self) {
        self.copies.sent.fetch_add(1, Relaxed);
    }

    /// A copy was not sent. Requests call this: no lock.
    pub fn dropped(&self, why: Dropped) {
        self.copies.dropped[why as usize].fetch_add(1, Relaxed);
    }

    /// A copy was answered to the end.
    pub fn answered(&self) {
        self.copies.answered.fetch_add(1, Relaxed);
    }

    /// A copy failed.
    pub fn failed(&self, why: Failed) {
        self.copies.failed[why as usize].fetch_add(1, Relaxed);
    }

    /// An answer was not compared.
    pub fn uncompared(&self, why: Uncompared) {
        self.copies.uncompared[why as usize].fetch_add(1, Relaxed);
    }

    /// Two answers were compared.
    pub fn observe(&self, observation: Observation) {
        self.seen().observe(&observation);
    }

    /// Forgets everything; counts from `now` on. A copy that is under way meanwhile counts where it ends.
    pub fn reset(&self, now: SystemTime) {
        let mut seen = self.seen();
        self.copies.reset();
        seen.reset(now);
    }

    /// What it says. `resting`: whether the breaker is open.
    pub fn report(&self, resting: bool) -> ShadowReport {
        let Subject { route, flag, original, service, version } = self.subject.clone();
        let Said { since, compared, twins, tally, latency, differences, noisy, unsettled, other } =
            self.seen().said();
        let copies = &self.copies;
        let mut report = ShadowReport {
            route,
            flag,
            original,
            service,
            version,
            since,
            verdict: String::new(),
            sent: copies.sent.load(Relaxed),
            answered: copies.answered.load(Relaxed),
            failed: by_why(Failed::ALL, Failed::label, &copies.failed),
            dropped: by_why(Dropped::ALL, Dropped::label, &copies.dropped),
            resting,
            compared,
            equal: tally.equal,
            noise: tally.noise,
            undecided: tally.undecided,
            differing: tally.differing,
            uncompared: by_why(Uncompared::ALL, Uncompared::label, &copies.uncompared),
            twins,
            latency,
            differences,
            noisy,
            unsettled,
            other,
        };
        report.verdict = verdict(&report);
        report
    }

    /// Every recorded example: of differences, of what is unsettled, of noise; the most frequent field first.
    pub fn examples(&self) -> Vec<ExampleLine> {
        let Said { differences, unsettled, noisy, .. } = self.seen().said();
        [(Class::Difference, differences), (Class::Unsettled, unsettled), (Class::Noise, noisy)]
            .into_iter()
            .flat_map(|(class, fields)| fields.into_iter().map(move |field| (class, field)))
            .flat_map(|(class, field)| self.lines(class, field))
            .collect()
    }

    fn lines(&self, class: Class, field: FieldReport) -> Vec<ExampleLine> {
        let FieldReport { path, kind, examples, .. } = field;
        let line = |example| ExampleLine {
            route: self.subject.route.clone(),
            original_version: self.subject.original.clone(),
            service: self.subject.service.clone(),
            version: self.subject.version.clone(),
            field: path.clone(),
            kind: kind.clone(),
            class: class.label().to_owned(),
            example,
        };
        examples.into_iter().map(line).collect()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Counts that a panic left half way are still counts.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of copies. Arrays go by discriminant.
#[derive(Debug, Default)]
struct Copies {
    sent: AtomicU64,
    answered: AtomicU64,
    dropped: [AtomicU64; Dropped::ALL.len()],
    failed: [AtomicU64; Failed::ALL.len()],
    uncompared: [AtomicU64; Uncompared::ALL.len()],
}

impl Copies {
    fn reset(&self) {
        let counters = [&self.sent, &self.answered].into_iter();
        let counters = counters.chain(&self.dropped).chain(&self.failed).chain(&self.uncompared);
        counters.for_each(|counter| counter.store(0, Relaxed));
    }
}

/// Counts that are not 0, by token.
fn by_why<T: Copy>(all: &[T], label: fn(T) -> &'static str, counts: &[AtomicU64]) -> BTreeMap<String, u64> {
    let counted = all.iter().zip(counts).map(|(why, count)| (label(*why).to_owned(), count.load(Relaxed)));
    counted.filter(|(_, count)| *count > 0).collect()
}
