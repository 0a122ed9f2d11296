//! How far a kill reaches: to the flags of its key in other flag sets, which no route asks but clients of another kind may.
//!
//! Whoever kills names a key and wants everyone off something. Only the flag that counts gets the value that the kill keeps; the others keep
//! their own, and one that has no such variant stays as it is and is told.

use std::sync::Arc;

use super::apply::kill;
use super::{Change, Entry, Kind, Overlay, definition};
use crate::config::{Problem, ProblemKind};
use crate::flag::{self, Definition, Stated};

impl Overlay {
    /// What runs of the flags of a key that do not count, and those that its kill does not reach.
    pub(super) fn reach(
        &self,
        flag: &str,
        others: &[Stated<flag::Entry>],
    ) -> (Vec<Stated<flag::Entry>>, Vec<Problem>) {
        let mut problems = Vec::new();
        let Some(entry) = self.get(flag, Kind::Kill) else { return (others.to_vec(), problems) };
        let running = others.iter().map(|other| {
            let Some(below) = definition(Some(&other.flag)) else { return other.clone() };
            match reached(entry.change(), below) {
                Some(killed) => Stated { flag: flag::Entry::Good(Arc::new(killed)), ..other.clone() },
                None => {
                    problems.push(unreached(entry, other));
                    other.clone()
                }
            }
        });
        (running.collect(), problems)
    }

    /// Whether its kill changes any of these flags.
    pub(super) fn holds(&self, flag: &str, others: &[Stated<flag::Entry>]) -> bool {
        let kill = self.get(flag, Kind::Kill);
        let held = |below: &Definition| {
            let killed = kill.and_then(|entry| reached(entry.change(), below));
            killed.is_some_and(|killed| killed.canonical() != below.canonical())
        };
        others.iter().filter_map(|other| definition(Some(&other.flag))).any(held)
    }
}

/// A flag under a kill of its key, with the value that its own variant has.
fn reached(change: &Change, below: &Definition) -> Option<Definition> {
    let Change::Kill { variant, .. } = change else { return None };
    let (_, value) = below.variants.iter().find(|(name, _)| **name == **variant)?;
    Some(kill(&below.key, variant, value, Some(below)))
}

fn unreached(entry: &Entry, other: &Stated<flag::Entry>) -> Problem {
    let (key, set) = (entry.flag(), &*other.identity.set);
    let set = if set.is_empty() { "no flag set".to_owned() } else { format!("the flag set {set:?}") };
    let found =
        format!("the kill of `{key}` does not reach the flag of that key in {set}: it has no such variant");
    Problem {
        place: definition(Some(&other.flag)).and_then(|definition| definition.place.clone()),
        ..Problem::warning(ProblemKind::Overlay, format!("overlay.{key}.kill"), found)
    }
    .with_expected("the same variants in every flag set, or keys of their own")
}
