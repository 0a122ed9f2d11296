//! A bound on what all shadows may have at once: bytes, copies under way, copies that wait. No lock: requests charge it.
//!
//! Whatever is charged is given back when it is dropped, on every way out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use prometheus::IntGauge;

/// So much of something, and no more.
#[derive(Debug)]
pub struct Budget {
    limit: AtomicUsize,
    used: AtomicUsize,
    /// Shows what is used.
    gauge: Option<IntGauge>,
}

/// A part of a budget, until it is dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    amount: usize,
}

impl Budget {
    /// Nothing of it is used yet.
    pub fn new(limit: usize, gauge: Option<IntGauge>) -> Arc<Budget> {
        Arc::new(Budget { limit: AtomicUsize::new(limit), used: AtomicUsize::new(0), gauge })
    }

    /// Another limit from now on; what is used already stays.
    pub fn limit(&self, limit: usize) {
        self.limit.store(limit, Relaxed);
    }

    /// Whether there is room for one more.
    pub fn has_room(&self) -> bool {
        self.used.load(Relaxed) < self.limit.load(Relaxed)
    }

    /// An empty part, to grow.
    pub fn open(self: &Arc<Budget>) -> Charge {
        Charge { budget: Arc::clone(self), amount: 0 }
    }

    /// One of it; none: there is no room.
    pub fn one(self: &Arc<Budget>) -> Option<Charge> {
        let mut charge = self.open();
        charge.resize(1).then_some(charge)
    }

    fn take(&self, amount: usize) -> bool {
        let limit = self.limit.load(Relaxed);
        let within = |used: usize| used.checked_add(amount).filter(|used| *used <= limit);
        let taken = self.used.fetch_update(Relaxed, Relaxed, within).is_ok();
        if taken && let Some(gauge) = &self.gauge {
            gauge.add(amount as i64);
        }
        taken
    }

    fn give_back(&self, amount: usize) {
        self.used.fetch_sub(amount, Relaxed);
        if let Some(gauge) = &self.gauge {
            gauge.sub(amount as i64);
        }
    }
}

impl Charge {
    /// Makes it so large; false, and unchanged: there is no room for that.
    #[must_use]
    pub fn resize(&mut self, amount: usize) -> bool {
        if amount > self.amount && !self.budget.take(amount - self.amount) {
            return false;
        }
        if amount < self.amount {
            self.budget.give_back(self.amount - amount);
        }
        self.amount = amount;
        true
    }

    /// Makes it larger by so much; false, and unchanged: there is no room for that.
    #[must_use]
    pub fn grow(&mut self, by: usize) -> bool {
        self.resize(self.amount.saturating_add(by))
    }

    /// Gives all of it back.
    pub fn clear(&mut self) {
        self.budget.give_back(std::mem::take(&mut self.amount));
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_charged_fits_the_limit_and_comes_back() {
        let gauge = IntGauge::new("g", "g").unwrap();
        let budget = Budget::new(10, Some(gauge.clone()));
        let (mut first, mut second) = (budget.open(), budget.open());
        assert!(first.resize(6) && second.grow(4));
        assert!(!budget.has_room() && budget.one().is_none());
        assert!(!first.grow(1) && !second.resize(usize::MAX));
        assert_eq!(gauge.get(), 10, "what did not fit changed nothing");
        assert!(first.resize(2) && second.grow(3));
        assert_eq!(gauge.get(), 9);
        second.clear();
        assert_eq!(gauge.get(), 2);
        drop((first, second));
        assert_eq!((gauge.get(), budget.has_room()), (0, true));
    }

    #[test]
    fn a_smaller_limit_takes_nothing_away() {
        let budget = Budget::new(2, None);
        let held = [budget.one(), budget.one()];
        budget.limit(1);
        drop(held);
        let one = budget.one();
        assert!(one.is_some() && budget.one().is_none());
    }

    #[test]
    fn threads_never_have_more_than_the_limit() {
        let budget = Budget::new(3, None);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let held = budget.one();
                        assert!(budget.used.load(Relaxed) <= 3);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(budget.used.load(Relaxed), 0);
    }
}
