//! Requests by the set of fields in which they differ: from it follows how many are equal, and how many differ only by
//! what is noise, whenever that is known.
//!
//! Bounded. A new set beyond the bound is counted without the fields that are noise by then, if it is known so; else
//! under the one field of it that says most. What it says is then no more exact, but it is never less than noise.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::fields::{Id, Set};
use crate::compare::significance::Class;

#[derive(Debug, Default)]
pub(super) struct Sets(HashMap<Set, u64>);

/// Requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub(super) equal: u64,
    pub(super) noise: u64,
    pub(super) undecided: u64,
    pub(super) differing: u64,
}

impl Sets {
    /// Counts a request. `class`: of a field by now.
    pub(super) fn count(&mut self, set: Set, class: impl Fn(Id) -> Class) {
        let set =
            if self.0.len() < MAX || self.0.contains_key(&set) { set } else { self.reduced(set, class) };
        *self.0.entry(set).or_default() += 1;
    }

    /// What all sets say when each field is what it is by now.
    pub(super) fn tally(&self, class: impl Fn(Id) -> Class) -> Tally {
        let mut tally = Tally::default();
        for (set, count) in &self.0 {
            let counter = match set.iter().map(|id| class(*id)).max() {
                None => &mut tally.equal,
                Some(Class::Noise) => &mut tally.noise,
                Some(Class::Unsettled) => &mut tally.undecided,
                Some(Class::Difference) => &mut tally.differing,
            };
            *counter += count;
        }
        tally
    }

    /// A known set, or a set of one field: there are no more of these than fields.
    fn reduced(&self, set: Set, class: impl Fn(Id) -> Class) -> Set {
        let telling: Set = set.iter().copied().filter(|id| class(*id) != Class::Noise).collect();
        if !telling.is_empty() && self.0.contains_key(&telling) {
            return telling;
        }
        set.into_iter().max_by_key(|id| (class(*id), Reverse(*id))).into_iter().collect()
    }
}

/// Sets that are told apart, beside those of one field.
const MAX: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields from 0 on are noise, from 30 on unsettled, from 35 on differences.
    fn class(id: Id) -> Class {
        match id {
            0..30 => Class::Noise,
            30..35 => Class::Unsettled,
            _ => Class::Difference,
        }
    }

    #[test]
    fn more_sets_than_there_is_room_for_say_the_same_in_all() {
        let mut sets = Sets::default();
        let mut expected = Tally::default();
        for n in 0..20_000u32 {
            // Every number is another set of noisy fields; 0 is none.
            let mut set: Set = (0..15).filter(|bit| n >> bit & 1 == 1).collect();
            match n % 50 {
                1 => set.extend([30, 31]),
                2 => set.extend([30, 35]),
                3 => set.extend([36, 37, 38]),
                _ => {}
            }
            match n % 50 {
                1 => expected.undecided += 1,
                2 | 3 => expected.differing += 1,
                _ if set.is_empty() => expected.equal += 1,
                _ => expected.noise += 1,
            }
            sets.count(set, class);
            assert!(sets.0.len() <= MAX + 40, "{}", sets.0.len());
        }
        assert_eq!(sets.tally(class), expected);
    }

    #[test]
    fn a_set_beyond_the_bound_still_takes_part_in_what_is_learned() {
        let mut sets = Sets::default();
        (0..MAX as u32).for_each(|n| sets.count((0..11).filter(|bit| n >> bit & 1 == 1).collect(), class));
        sets.count([1, 2, 20, 30].into_iter().collect(), class);
        let Tally { undecided, differing, .. } = sets.tally(class);
        assert_eq!((undecided, differing), (1, 0));
        let settled = |id| if id == 30 { Class::Difference } else { class(id) };
        let Tally { undecided, differing, .. } = sets.tally(settled);
        assert_eq!((undecided, differing), (0, 1));
    }
}
