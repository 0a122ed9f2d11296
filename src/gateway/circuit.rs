//! Holds a version out that fails too often: for a while none of its requests goes there, then one tries, then all go again.
//!
//! It is the version that is held out, never a visitor: who is assigned to it stays assigned. Time is an argument. No lock: every request
//! of such a version asks. Failures are counted in a window that slides in eighths; a count that two threads race for at its turn
//! may be off by one, which decides nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::config::protection::HoldOut;

/// Parts of the window. A power of two: so a part's place follows from its number, also where numbers wrap.
const PARTS: u64 = 8;
/// Bits of a part's number; beside it stand how many failed, and how many there were at all.
const TICK_BITS: u32 = 28;
const COUNT_BITS: u32 = 18;
const MOST: u64 = (1 << COUNT_BITS) - 1;

/// Of one version.
#[derive(Debug, Default)]
pub struct Circuit {
    /// When the rest is over, in milliseconds; 0: it is not held out.
    until: AtomicU64,
    parts: [AtomicU64; PARTS as usize],
}

/// Whether a request may go to the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Free,
    /// It tries for all others: what becomes of it decides.
    Probe,
    HeldOut,
}

/// What the window holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Part {
    tick: u64,
    failed: u64,
    all: u64,
}

impl Circuit {
    /// Whether a request may go there now. After the rest one may; the others wait until it is known what became of it or, should that
    /// never be known, for as long again.
    pub fn enter(&self, rules: &HoldOut, now: Duration) -> Entry {
        match self.until.load(Relaxed) {
            0 => Entry::Free,
            until if millis(now) < until => Entry::HeldOut,
            until => match self.until.compare_exchange(until, end(rules, now), Relaxed, Relaxed) {
                Ok(_) => Entry::Probe,
                Err(_) => Entry::HeldOut,
            },
        }
    }

    /// A request was answered. True: the version is not held out any more, since now.
    pub fn passed(&self, rules: &HoldOut, probe: bool, now: Duration) -> bool {
        if !probe {
            self.count(tick(rules, now), false);
            return false;
        }
        // What failed before would have it held out with the next failure.
        self.parts.iter().for_each(|part| part.store(0, Relaxed));
        self.until.swap(0, Relaxed) != 0
    }

    /// A request failed. True: the version is held out, since now.
    pub fn failed(&self, rules: &HoldOut, probe: bool, now: Duration) -> bool {
        if probe {
            self.until.store(end(rules, now), Relaxed);
            return false;
        }
        let tick = tick(rules, now);
        self.count(tick, true);
        let (failed, all) = self.window(tick);
        let often = failed >= u64::from(rules.failures) && failed as f64 >= all as f64 * rules.share.0;
        // Those that were under way when it was held out change nothing.
        often && self.until.compare_exchange(0, end(rules, now), Relaxed, Relaxed).is_ok()
    }

    /// Whether it is held out, or waits for the one that tries.
    pub fn is_held_out(&self) -> bool {
        self.until.load(Relaxed) != 0
    }

    /// Lets it be used again, whatever failed.
    pub fn reset(&self) {
        self.parts.iter().for_each(|part| part.store(0, Relaxed));
        self.until.store(0, Relaxed);
    }

    fn count(&self, tick: u64, failed: bool) {
        let part = &self.parts[(tick % PARTS) as usize];
        // It cannot fail: every state has a next one.
        let _ = part.fetch_update(Relaxed, Relaxed, |packed| {
            let present = Part::unpack(packed);
            let Part { failed: before, all, .. } =
                if present.tick == tick { present } else { Part::default() };
            Some(
                Part { tick, failed: (before + u64::from(failed)).min(MOST), all: (all + 1).min(MOST) }
                    .pack(),
            )
        });
    }

    /// Failures and requests of the window that ends with this part.
    fn window(&self, tick: u64) -> (u64, u64) {
        let parts = self.parts.iter().map(|part| Part::unpack(part.load(Relaxed)));
        let recent = parts.filter(|part| tick.wrapping_sub(part.tick) & mask(TICK_BITS) < PARTS);
        recent.fold((0, 0), |(failed, all), part| (failed + part.failed, all + part.all))
    }
}

impl Part {
    fn pack(self) -> u64 {
        self.tick << (2 * COUNT_BITS) | self.failed << COUNT_BITS | self.all
    }

    fn unpack(packed: u64) -> Part {
        Part { tick: packed >> (2 * COUNT_BITS), failed: packed >> COUNT_BITS & MOST, all: packed & MOST }
    }
}

/// The number of the window's part that is now.
fn tick(rules: &HoldOut, now: Duration) -> u64 {
    let width = (millis(rules.over) / PARTS).max(1);
    (millis(now) / width) & mask(TICK_BITS)
}

/// When a rest that begins now is over.
fn end(rules: &HoldOut, now: Duration) -> u64 {
    millis(now.saturating_add(rules.rest)).max(1)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

const fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::shadow::Share;

    const RULES: HoldOut = HoldOut {
        failures: 3,
        over: Duration::from_secs(8),
        share: Share(0.5),
        rest: Duration::from_secs(5),
    };

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn fails(circuit: &Circuit, times: u32, seconds: f64) -> bool {
        (0..times).map(|_| circuit.failed(&RULES, false, at(seconds))).filter(|held| *held).count() == 1
    }

    /// What comes at a second: so many that are answered, and so many that fail.
    type Step = (u32, u32, f64);

    #[test]
    fn a_version_that_fails_often_enough_and_in_part_enough_is_held_out() {
        let table: [(&[Step], bool); 8] = [
            // steps, held out
            (&[(0, 2, 1.0)], false),
            (&[(0, 3, 1.0)], true),
            (&[(3, 3, 1.0)], true),
            (&[(4, 3, 1.0)], false),
            (&[(4, 3, 1.0), (0, 1, 1.5)], true),
            (&[(0, 2, 1.0), (0, 1, 8.5)], true),
            (&[(0, 2, 1.0), (0, 1, 9.5)], false),
            (&[(100, 0, 1.0), (0, 3, 9.5)], true),
        ];
        for (steps, held) in table {
            let circuit = Circuit::default();
            for &(answered, failed, seconds) in steps {
                (0..answered).for_each(|_| assert!(!circuit.passed(&RULES, false, at(seconds))));
                fails(&circuit, failed, seconds);
            }
            assert_eq!(circuit.is_held_out(), held, "{steps:?}");
        }
    }

    #[test]
    fn after_the_rest_one_request_tries_for_all() {
        let circuit = Circuit::default();
        assert_eq!(circuit.enter(&RULES, at(0.0)), Entry::Free);
        assert!(fails(&circuit, 3, 1.0));
        assert_eq!([5.9, 1.0].map(|now| circuit.enter(&RULES, at(now))), [Entry::HeldOut; 2]);
        assert_eq!(circuit.enter(&RULES, at(6.0)), Entry::Probe);
        assert_eq!(circuit.enter(&RULES, at(6.0)), Entry::HeldOut, "one tries");
        assert!(!circuit.failed(&RULES, true, at(6.5)));
        assert_eq!(circuit.enter(&RULES, at(11.4)), Entry::HeldOut, "its failure begins the rest anew");
        assert_eq!(circuit.enter(&RULES, at(11.5)), Entry::Probe);
        assert!(circuit.passed(&RULES, true, at(11.6)));
        assert_eq!(circuit.enter(&RULES, at(11.6)), Entry::Free);
        assert!(!fails(&circuit, 2, 11.7), "what failed before counts no more");
        assert!(fails(&circuit, 1, 11.8));
    }

    #[test]
    fn a_probe_that_is_never_heard_of_is_followed_by_another() {
        let circuit = Circuit::default();
        assert!(fails(&circuit, 3, 1.0));
        assert_eq!(circuit.enter(&RULES, at(6.0)), Entry::Probe);
        assert_eq!(circuit.enter(&RULES, at(10.9)), Entry::HeldOut);
        assert_eq!(circuit.enter(&RULES, at(11.0)), Entry::Probe);
    }

    #[test]
    fn what_was_under_way_neither_ends_the_rest_nor_prolongs_it() {
        let circuit = Circuit::default();
        assert!(fails(&circuit, 3, 1.0));
        assert!(!circuit.passed(&RULES, false, at(2.0)));
        assert!(!circuit.failed(&RULES, false, at(5.0)));
        assert_eq!(circuit.enter(&RULES, at(5.9)), Entry::HeldOut);
        assert_eq!(circuit.enter(&RULES, at(6.0)), Entry::Probe);
    }

    #[test]
    fn it_can_be_reset() {
        let circuit = Circuit::default();
        assert!(fails(&circuit, 3, 1.0));
        circuit.reset();
        assert_eq!(circuit.enter(&RULES, at(1.0)), Entry::Free);
        assert!(!fails(&circuit, 2, 1.0));
    }

    #[test]
    fn of_many_threads_one_tries() {
        let circuit = Circuit::default();
        assert!(fails(&circuit, 3, 1.0));
        let probes = std::thread::scope(|scope| {
            let enter = || circuit.enter(&RULES, at(7.0)) == Entry::Probe;
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(enter)).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).filter(|probe| *probe).count()
        });
        assert_eq!(probes, 1);
    }

    #[test]
    fn counts_end_where_their_bits_do() {
        let circuit = Circuit::default();
        let rules = HoldOut { failures: u32::MAX, ..RULES };
        (0..MOST + 10).for_each(|_| assert!(!circuit.failed(&rules, false, at(0.5))));
        assert_eq!(circuit.window(0), (MOST, MOST));
    }

    proptest! {
        /// Beside a list of what happened: the window is at least as long as it should be without its last part, at most as it should be.
        #[test]
        fn the_window_is_that_of_a_list(
            events in prop::collection::vec((0_u64..900, any::<bool>()), 1..200),
            start in prop_oneof![Just(0_u64), Just((1 << 28) * 1000 - 30_000)],
        ) {
            let circuit = Circuit::default();
            let rules = HoldOut { failures: u32::MAX, ..RULES };
            let (mut now, mut seen) = (start, Vec::new());
            for (after, failed) in events {
                now += after;
                seen.push((now, failed));
                let time = Duration::from_millis(now);
                if failed { circuit.failed(&rules, false, time); } else { circuit.passed(&rules, false, time); }
                let since = (now / 1000).saturating_sub(7) * 1000;
                let recent = || seen.iter().filter(|(at, _)| *at >= since);
                let expected = (recent().filter(|(_, failed)| *failed).count() as u64, recent().count() as u64);
                prop_assert_eq!(circuit.window(tick(&rules, time)), expected);
            }
        }
    }
}
