//! What a write of one flag would make worse: problems of the next snapshot that this one has not. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Problem, ProblemKind, Severity};
use crate::flag::Slot;
use crate::snapshot::Snapshot;

/// The problems that are new in `next`, which differs from `now` by this flag alone. Mere oddities of a definition are none: a
/// document with them is taken, too.
pub fn worse(flag: &str, now: &Snapshot, next: &Snapshot) -> Vec<Problem> {
    let identity = |problem: &Problem| (problem.kind, problem.key.clone(), problem.found.clone());
    let before: BTreeSet<_> = now.problems.iter().map(identity).collect();
    let odd =
        |problem: &Problem| problem.kind == ProblemKind::Definition && problem.severity == Severity::Warning;
    let new = next.problems.iter().filter(|problem| {
        problem.kind != ProblemKind::UnknownAttribute && !odd(problem) && !before.contains(&identity(problem))
    });
    let mut new: Vec<_> = new.cloned().collect();
    let known = unknown(flag, now);
    let unknown = unknown(flag, next).into_iter().filter(|(path, _)| !known.contains_key(path));
    new.extend(unknown.map(|(_, problem)| Problem {
        key: format!("flags.{flag}.targeting"),
        place: None,
        ..problem.clone()
    }));
    new
}

/// The paths that the flag reads and nothing provides. A snapshot tells such a path once, of the first flag that reads it: who that is may
/// change by a write that changes nothing about it.
fn unknown<'s>(flag: &str, snapshot: &'s Snapshot) -> BTreeMap<&'s str, &'s Problem> {
    let Some(id) = snapshot.flags.find(flag) else { return BTreeMap::new() };
    let reads = &snapshot.flags.get(id).reads.slots;
    let slots = (0..snapshot.flags.paths().len()).map(|index| Slot(index as u32));
    let unprovided =
        slots.filter(|slot| !snapshot.readers.provides(*slot) && !snapshot.claimed.contains(slot));
    // In the order of their slots, before all others.
    let problems = snapshot.problems.iter().filter(|problem| problem.kind == ProblemKind::UnknownAttribute);
    let read = unprovided.zip(problems).filter(|(slot, _)| reads.contains(slot));
    read.map(|(slot, problem)| (&*snapshot.flags.paths()[slot.0 as usize], problem)).collect()
}
