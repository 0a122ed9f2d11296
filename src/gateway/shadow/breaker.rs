//! Lets a shadow that fails have a rest: after so many failures in a row no copy is sent for a while, then one tries.
//!
//! Time is an argument. No lock: requests ask whether it rests.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::config::shadow::Breaker as Limits;

/// Of one shadow.
#[derive(Debug, Default)]
pub struct Breaker {
    /// In a row.
    failures: AtomicU32,
    /// When the rest is over, in milliseconds; 0: there is none.
    until: AtomicU64,
}

impl Breaker {
    /// Whether a copy would be refused now.
    pub fn rests(&self, now: Duration) -> bool {
        millis(now) < self.until.load(Relaxed)
    }

    /// Whether a copy may be sent now. After a rest one may, and all others rest until it is known what became of it; or, should that
    /// never be known, for as long again.
    pub fn admits(&self, limits: Limits, now: Duration) -> bool {
        match self.until.load(Relaxed) {
            0 => true,
            until if millis(now) < until => false,
            until => self.until.compare_exchange(until, end(limits, now), Relaxed, Relaxed).is_ok(),
        }
    }

    /// A copy was answered.
    pub fn succeeded(&self) {
        self.failures.store(0, Relaxed);
        self.until.store(0, Relaxed);
    }

    /// A copy failed.
    pub fn failed(&self, limits: Limits, now: Duration) {
        let failures = self.failures.load(Relaxed).saturating_add(1);
        self.failures.store(failures, Relaxed);
        if failures >= limits.failures {
            self.until.store(end(limits, now), Relaxed);
        }
    }
}

/// When a rest that begins now is over.
fn end(limits: Limits, now: Duration) -> u64 {
    millis(now.saturating_add(limits.rest)).max(1)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { failures: 3, rest: Duration::from_secs(10) };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn resting() -> Breaker {
        let breaker = Breaker::default();
        (0..3).for_each(|_| breaker.failed(LIMITS, at(0)));
        breaker
    }

    #[test]
    fn failures_in_a_row_bring_a_rest_and_others_none() {
        let breaker = Breaker::default();
        for _ in 0..5 {
            breaker.failed(LIMITS, at(0));
            breaker.failed(LIMITS, at(0));
            assert!(breaker.admits(LIMITS, at(0)) && !breaker.rests(at(0)));
            breaker.succeeded();
        }
        let breaker = resting();
        for second in [0, 5, 9] {
            assert!(!breaker.admits(LIMITS, at(second)) && breaker.rests(at(second)), "{second}");
        }
    }

    #[test]
    fn after_the_rest_one_copy_tries_and_decides() {
        let breaker = resting();
        assert!(!breaker.rests(at(10)), "a request may ask for a copy");
        assert!(breaker.admits(LIMITS, at(10)));
        assert!(!breaker.admits(LIMITS, at(11)) && breaker.rests(at(11)), "one is enough");
        breaker.failed(LIMITS, at(12));
        assert!(
            breaker.rests(at(12)) && !breaker.admits(LIMITS, at(21)),
            "one more failure: the whole rest again"
        );
        assert!(breaker.admits(LIMITS, at(22)));
        breaker.succeeded();
        assert!(breaker.admits(LIMITS, at(22)) && breaker.admits(LIMITS, at(22)) && !breaker.rests(at(22)));
        breaker.failed(LIMITS, at(23));
        assert!(breaker.admits(LIMITS, at(23)), "it begins at nought");
    }

    #[test]
    fn a_try_that_is_never_heard_of_again_is_not_the_last() {
        let breaker = resting();
        assert!(breaker.admits(LIMITS, at(10)));
        assert!(!breaker.admits(LIMITS, at(19)) && breaker.admits(LIMITS, at(20)));
    }

    #[test]
    fn what_was_under_way_when_the_rest_began_counts_too() {
        let breaker = resting();
        breaker.failed(LIMITS, at(5));
        assert!(!breaker.admits(LIMITS, at(14)) && breaker.admits(LIMITS, at(15)));
        let breaker = resting();
        breaker.succeeded();
        assert!(breaker.admits(LIMITS, at(1)), "it answers: there is nothing to rest for");
    }
}
