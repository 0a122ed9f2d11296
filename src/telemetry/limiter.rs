//! Lets a log line through now and then, and counts what it held back. No lock: requests ask it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use super::rare::Rare;

/// One line in so long a time.
const EVERY: Duration = Duration::from_secs(10);

/// One kind of line.
#[derive(Debug, Default)]
pub struct Limiter {
    /// Milliseconds of [`uptime`] from which the next line may pass.
    next: AtomicU64,
    held: AtomicU64,
}

impl Limiter {
    /// `Some(lines held back since the last one)` when a line may be written now.
    pub fn pass(&self, now: Duration) -> Option<u64> {
        let now = now.as_millis() as u64;
        let next = self.next.load(Relaxed);
        let open = now >= next
            && self.next.compare_exchange(next, now + EVERY.as_millis() as u64, Relaxed, Relaxed).is_ok();
        if open {
            return Some(self.held.swap(0, Relaxed));
        }
        self.held.fetch_add(1, Relaxed);
        None
    }
}

/// Time since the first call in this process: what a [`Limiter`] reckons with.
pub fn uptime() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

/// Limiters by route and kind, which outlive snapshots: a burst of reloads is no burst of lines.
#[derive(Debug)]
pub(super) struct Limiters {
    max: usize,
    by_name: Rare<HashMap<(String, &'static str), Arc<Limiter>>>,
    other: Arc<Limiter>,
}

impl Limiters {
    /// At most `max` limiters; what comes later shares one.
    pub(super) fn new(max: usize) -> Limiters {
        Limiters { max, by_name: Rare::default(), other: Arc::default() }
    }

    /// The limiter of that name.
    pub(super) fn get(&self, route: &str, kind: &'static str) -> Arc<Limiter> {
        let mut by_name = self.by_name.lock();
        let full = by_name.len() >= self.max;
        let key = (route.to_owned(), kind);
        match by_name.get(&key) {
            Some(limiter) => limiter.clone(),
            None if full => self.other.clone(),
            None => by_name.entry(key).or_default().clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_ten_seconds_that_tells_how_many_were_held_back() {
        let limiter = Limiter::default();
        let at = |ms| limiter.pass(Duration::from_millis(ms));
        assert_eq!(at(0), Some(0));
        assert_eq!([at(0), at(1), at(9_999)], [None; 3]);
        assert_eq!(at(10_000), Some(3));
        assert_eq!(at(10_001), None);
        assert_eq!(at(99_000), Some(1));
    }

    #[test]
    fn of_many_threads_one_passes() {
        let limiter = Limiter::default();
        let passed: usize = std::thread::scope(|scope| {
            let pass = || usize::from(limiter.pass(Duration::ZERO).is_some());
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(pass)).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).sum()
        });
        assert_eq!(passed, 1);
    }

    #[test]
    fn names_keep_their_limiter_and_are_bounded() {
        let limiters = Limiters::new(2);
        let first = limiters.get("checkout", "wrong_type");
        assert!(Arc::ptr_eq(&first, &limiters.get("checkout", "wrong_type")));
        assert!(!Arc::ptr_eq(&first, &limiters.get("checkout", "missing_flag")));
        assert!(Arc::ptr_eq(&limiters.get("a", "x"), &limiters.get("b", "y")));
        assert!(Arc::ptr_eq(&first, &limiters.get("checkout", "wrong_type")));
    }
}
