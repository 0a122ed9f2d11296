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
