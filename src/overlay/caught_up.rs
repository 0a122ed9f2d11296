//! Entries that a source has caught up with: it now says itself what the operator did by hand.

use super::{Applied, Kind, Overlay, apply, definition};
use crate::config::FlagLimits;
use crate::flag::{self, Definitions, Stated};

impl Overlay {
    /// The entries of a key that the sources' change made superfluous: they had an effect on what stood below them, and have none any
    /// more. Without a change there are none, so that a flag may be pinned to what it is.
    ///
    /// Each is judged by what lies below it alone: a weight is not superfluous because a kill covers it.
    pub fn caught_up(
        &self,
        flag: &str,
        before: &[Stated<flag::Entry>],
        after: &[Stated<flag::Entry>],
        limits: &FlagLimits,
    ) -> Vec<Kind> {
        if self.of(flag).is_empty() || same(before, after) {
            return Vec::new();
        }
        let before = self.idle(flag, before, limits);
        let mut idle = self.idle(flag, after, limits);
        idle.retain(|kind| !before.contains(kind));
        idle
    }

    /// The flags whose entries have to be asked, each with what [`Overlay::caught_up`] says of it, if anything.
    pub fn all_caught_up<'o>(
        &'o self,
        before: &Definitions,
        after: &Definitions,
        limits: &FlagLimits,
    ) -> Vec<(&'o str, Vec<Kind>)> {
        let flags = self.entries.chunk_by(|one, next| one.flag() == next.flag());
        let flags = flags.filter_map(|entries| entries.first()).map(|entry| &**entry.flag());
        let kinds = flags.map(|flag| (flag, self.caught_up(flag, before.of(flag), after.of(flag), limits)));
        kinds.filter(|(_, kinds)| !kinds.is_empty()).collect()
    }

    /// The entries that apply and change nothing. One that does not apply waits for a source that it applies to.
    fn idle(&self, flag: &str, stated: &[Stated<flag::Entry>], limits: &FlagLimits) -> Vec<Kind> {
        let (counts, others) = stated.split_last().map_or((None, stated), |(last, rest)| (Some(last), rest));
        let mut idle = Vec::new();
        let mut below = definition(counts.map(|stated| &stated.flag)).cloned();
        for entry in self.of(flag) {
            let Ok(Applied { definition, .. }) = apply(entry.change(), flag, below.as_ref(), limits) else {
                continue;
            };
            if below.is_some_and(|below| below.canonical() == definition.canonical()) {
                idle.push(entry.kind());
            }
            below = Some(definition);
        }
        idle.retain(|kind| *kind != Kind::Kill || !self.holds(flag, others));
        idle
    }
}

/// Whether sources say the same as before.
fn same(before: &[Stated<flag::Entry>], after: &[Stated<flag::Entry>]) -> bool {
    let said = |stated: &[Stated<flag::Entry>]| -> Vec<String> {
        let good = stated.iter().filter_map(|stated| definition(Some(&stated.flag)));
        good.map(flag::Definition::canonical).collect()
    };
    said(before) == said(after)
}
