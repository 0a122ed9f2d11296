//! How many requests there were in the last while, and how many of them failed: two atomics, no lock.
//!
//! The time is cut into halves of the window. The present half and the one before count, so what is told is of half the window at
//! least and of the whole at most.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts of one endpoint.
#[derive(Debug, Default)]
pub struct Window([AtomicU64; 2]);

/// Requests, and those of them that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub requests: u32,
    pub failures: u32,
}

/// Bits of a count, and the highest.
const BITS: u32 = 20;
const MOST: u64 = (1 << BITS) - 1;

impl Window {
    /// Counts a request; `half` is the number of the present half.
    pub fn count(&self, half: u64, failed: bool) {
        let cell = &self.0[(half % 2) as usize];
        let add = |before: u64| {
            let (of, requests, failures) = parts(before);
            let same = of == epoch(half);
            let (requests, failures) = if same { (requests, failures) } else { (0, 0) };
            // Full: a share of half as many is the same share.
            let (requests, failures) =
                if requests == MOST { (requests / 2, failures / 2) } else { (requests, failures) };
            Some(epoch(half) << (2 * BITS) | (requests + 1) << BITS | (failures + u64::from(failed)))
        };
        // It always has a next value.
        let _ = cell.fetch_update(Relaxed, Relaxed, add);
    }

    /// What is known in this half.
    pub fn counts(&self, half: u64) -> Counts {
        let mut sum = Counts::default();
        for half in [Some(half), half.checked_sub(1)].into_iter().flatten() {
            let (of, requests, failures) = parts(self.0[(half % 2) as usize].load(Relaxed));
            if of == epoch(half) {
                sum = sum + Counts { requests: requests as u32, failures: failures as u32 };
            }
        }
        sum
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.0.iter().for_each(|cell| cell.store(0, Relaxed));
    }
}

impl Counts {
    /// Whether the share of failures reaches `share`.
    pub fn reach(self, share: f64) -> bool {
        self.requests > 0 && f64::from(self.failures) >= share * f64::from(self.requests)
    }
}

impl std::ops::Add for Counts {
    type Output = Counts;

    fn add(self, other: Counts) -> Counts {
        Counts { requests: self.requests + other.requests, failures: self.failures + other.failures }
    }
}

/// The number of a half, as far as there is room for it; never 0, which is a cell that was never used.
fn epoch(half: u64) -> u64 {
    half % MOST + 1
}

fn parts(cell: u64) -> (u64, u64, u64) {
    (cell >> (2 * BITS), cell >> BITS & MOST, cell & MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(requests: u32, failures: u32) -> Counts {
        Counts { requests, failures }
    }

    #[test]
    fn the_present_half_and_the_one_before_count() {
        let window = Window::default();
        assert_eq!(window.counts(0), counts(0, 0));
        for failed in [true, false, false] {
            window.count(7, failed);
        }
        assert_eq!(window.counts(7), counts(3, 1));
        window.count(8, true);
        assert_eq!(window.counts(8), counts(4, 2));
        assert_eq!(window.counts(9), counts(1, 1));
        assert_eq!(window.counts(10), counts(0, 0));
        window.count(9, false);
        assert_eq!(window.counts(9), counts(2, 1));
        window.clear();
        assert_eq!(window.counts(9), counts(0, 0));
    }

    #[test]
    fn a_full_half_keeps_its_share() {
        let window = Window::default();
        (0..MOST + 10).for_each(|number| window.count(3, number % 4 == 0));
        let counts = window.counts(3);
        assert!(counts.reach(0.249) && !counts.reach(0.251), "{counts:?}");
        assert!(!Counts::default().reach(0.0), "no request is no failure");
    }

    #[test]
    fn no_count_of_any_thread_is_lost() {
        let window = Window::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|number| window.count(1, number % 2 == 0)));
            }
        });
        assert_eq!(window.counts(1), counts(40_000, 20_000));
    }
}
