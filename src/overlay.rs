//! The overlay: what operators did by hand, as small entries that stand above what all sources say.
//!
//! Pure: definitions go in, definitions and problems come out. It keeps nothing on disk, knows no clock and never changes what a
//! source said, so that releasing an entry leads back to exactly what was below it.

pub mod apply;
mod caught_up;
pub mod change;
pub mod diff;
pub mod entry;
#[cfg(test)]
mod fixture;
mod reach;
pub mod refusal;
pub mod share;
mod weight;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

pub use apply::{Applied, apply};
pub use change::{Change, Kind};
pub use entry::{Entry, Invalid};
pub use refusal::{Refusal, Why};
pub use share::{Share, shares};

use crate::config::{FlagLimits, Problem, ProblemKind};
use crate::flag::{self, Definitions, Stated};

/// All entries; at most one of each kind a flag. Its JSON is the list of them.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "Vec<Entry>")]
pub struct Overlay {
    /// By flag, then in the order in which they apply.
    entries: Vec<Entry>,
}

impl Overlay {
    /// Puts an entry in; what it replaces comes out.
    pub fn insert(&mut self, entry: Entry) -> Option<Entry> {
        match self.find(entry.flag(), entry.kind()) {
            Ok(at) => Some(std::mem::replace(&mut self.entries[at], entry)),
            Err(at) => {
                self.entries.insert(at, entry);
                None
            }
        }
    }

    /// Takes one entry of a flag out.
    pub fn remove(&mut self, flag: &str, kind: Kind) -> Option<Entry> {
        self.find(flag, kind).ok().map(|at| self.entries.remove(at))
    }

    /// Takes all entries of a flag out.
    pub fn remove_all(&mut self, flag: &str) -> Vec<Entry> {
        self.entries.extract_if(.., |entry| **entry.flag() == *flag).collect()
    }

    /// Takes out the entries whose time is over; `now` in Unix seconds.
    pub fn remove_expired(&mut self, now: i64) -> Vec<Entry> {
        self.entries.extract_if(.., |entry| entry.expired(now)).collect()
    }

    /// The entries whose time is over; `now` in Unix seconds.
    pub fn expired(&self, now: i64) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.expired(now))
    }

    /// When the next entry's time is over, in Unix seconds.
    pub fn next_expiry(&self) -> Option<i64> {
        self.entries.iter().filter_map(Entry::until).min()
    }

    /// The entry of a kind of a flag.
    pub fn get(&self, flag: &str, kind: Kind) -> Option<&Entry> {
        self.find(flag, kind).ok().map(|at| &self.entries[at])
    }

    /// The entries of a flag, in the order in which they apply.
    pub fn of(&self, flag: &str) -> &[Entry] {
        let start = self.entries.partition_point(|entry| **entry.flag() < *flag);
        let count = self.entries[start..].partition_point(|entry| **entry.flag() == *flag);
        &self.entries[start..start + count]
    }

    /// All entries, by flag, then in the order in which they apply.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Puts all entries onto what the sources say: what runs. An entry that does not apply is a problem, and what stands below it
    /// stays. Oddities of definitions that were set are problems, too.
    pub fn apply_all(
        &self,
        mut definitions: Definitions,
        limits: &FlagLimits,
    ) -> (Definitions, Vec<Problem>) {
        let mut problems = Vec::new();
        for entries in self.entries.chunk_by(|one, next| one.flag() == next.flag()) {
            let Some(flag) = entries.first().map(Entry::flag) else { continue };
            let (running, found) = self.apply_to_key(flag, definitions.of(flag), limits);
            problems.extend(found);
            definitions.replace(flag, running);
        }
        (definitions, problems)
    }

    /// The same for all flags of one key: its entries are those of the flag that counts, and a kill reaches the others, too.
    pub fn apply_to_key(
        &self,
        flag: &str,
        stated: &[Stated<flag::Entry>],
        limits: &FlagLimits,
    ) -> (Vec<Stated<flag::Entry>>, Vec<Problem>) {
        let (counts, others) = stated.split_last().map_or((None, stated), |(last, rest)| (Some(last), rest));
        let (running, mut problems) = self.apply_to(flag, counts.map(|stated| &stated.flag), limits);
        let (mut all, unreached) = self.reach(flag, others);
        problems.extend(unreached);
        if let Some(running) = running {
            let identity = match (&running, counts) {
                // What was set by hand may stand in another set than what it was.
                (flag::Entry::Good(definition), _) => definition.identity(),
                (flag::Entry::Broken(_), Some(counts)) => counts.identity.clone(),
                (flag::Entry::Broken(_), None) => flag.into(),
            };
            all.retain(|other| other.identity != identity);
            let source = counts.map(|counts| counts.source.clone()).unwrap_or_default();
            all.push(Stated { identity, source, flag: running });
        }
        (all, problems)
    }

    /// The same for the flag that counts for a key; none: it neither is nor becomes one.
    pub fn apply_to(
        &self,
        flag: &str,
        source: Option<&flag::Entry>,
        limits: &FlagLimits,
    ) -> (Option<flag::Entry>, Vec<Problem>) {
        let mut running = source.cloned();
        let mut problems = Vec::new();
        for entry in self.of(flag) {
            match apply(entry.change(), flag, definition(running.as_ref()), limits) {
                Ok(Applied { definition, warnings }) => {
                    running = Some(flag::Entry::Good(Arc::new(definition)));
                    problems.extend(warnings);
                }
                Err(refusal) => problems.push(problem(entry, &refusal)),
            }
        }
        (running, problems)
    }

    /// Where an entry is, or would be.
    fn find(&self, flag: &str, kind: Kind) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| (&**entry.flag(), entry.kind()).cmp(&(flag, kind)))
    }
}

impl Serialize for Overlay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.entries)
    }
}

impl From<Vec<Entry>> for Overlay {
    /// Of two entries of one kind and flag the later one stands.
    fn from(entries: Vec<Entry>) -> Overlay {
        let mut overlay = Overlay::default();
        for entry in entries {
            overlay.insert(entry);
        }
        overlay
    }
}

/// What can be changed: a definition that never was good is none.
fn definition(entry: Option<&flag::Entry>) -> Option<&flag::Definition> {
    match entry {
        Some(flag::Entry::Good(definition)) => Some(definition),
        Some(flag::Entry::Broken(_)) | None => None,
    }
}

/// An entry that does not apply, to whoever has to mend it.
fn problem(entry: &Entry, refusal: &Refusal) -> Problem {
    let (flag, kind) = (entry.flag(), entry.kind());
    let found = format!("the {kind} of `{flag}` by {} does not apply: {}", entry.by(), refusal.found());
    Problem::error(ProblemKind::Overlay, format!("overlay.{flag}.{kind}"), found)
        .with_expected("what the source says serves instead")
        .with_fix(format!("{}; or release it with `flags release {flag}`", refusal.fix()))
}
