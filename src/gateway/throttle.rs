//! A log line at most once a second, with the number of those left out.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Milliseconds between two lines.
const EVERY: u64 = 1000;

/// Lets one line a second pass.
#[derive(Debug, Default)]
pub struct Throttle {
    next: AtomicU64,
    left_out: AtomicU64,
}

impl Throttle {
    /// How many lines were left out before this one; none: this one is left out too.
    pub fn pass(&self) -> Option<u64> {
        self.pass_at(millis())
    }

    fn pass_at(&self, now: u64) -> Option<u64> {
        let next = self.next.load(Ordering::Relaxed);
        let ours = now >= next
            && self.next.compare_exchange(next, now + EVERY, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if ours {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

/// Milliseconds since the first call in this process; never goes back.
pub fn millis() -> u64 {
    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    FIRST.elapsed().as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_passes_and_tells_how_many_did_not() {
        let throttle = Throttle::default();
        let passed: Vec<_> =
            [0, 1, 999, 1000, 1001, 5000].into_iter().map(|now| throttle.pass_at(now)).collect();
        assert_eq!(passed, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
