//! Entries that a source has caught up with: it now says itself what the operator did by hand.

use super::{Applied, Definitions, Kind, Overlay, apply, definition};
use crate::config::FlagLimits;
use crate::flag;

impl Overlay {
    /// The entries of a flag that the source's change made superfluous: they had an effect on what stood below them, and have none any
    /// more. Without a change there are none, so that a flag may be pinned to what it is.
    ///
    /// Each is judged by what lies below it alone: a weight is not superfluous because a kill covers it.
    pub fn caught_up(
        &self,
        flag: &str,
        before: Option<&flag::Entry>,
        after: Option<&flag::Entry>,
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
        let kinds = flags.map(|flag| (flag, self.caught_up(flag, before.get(flag), after.get(flag), limits)));
        kinds.filter(|(_, kinds)| !kinds.is_empty()).collect()
    }

    /// The entries that apply and change nothing. One that does not apply waits for a source that it applies to.
    fn idle(&self, flag: &str, source: Option<&flag::Entry>, limits: &FlagLimits) -> Vec<Kind> {
        let mut idle = Vec::new();
        let mut below = definition(source).cloned();
        for entry in self.of(flag) {
            let Ok(Applied { definition, .. }) = apply(entry.change(), flag, below.as_ref(), limits) else {
                continue;
            };
            if below.is_some_and(|below| below.canonical() == definition.canonical()) {
                idle.push(entry.kind());
            }
            below = Some(definition);
        }
        idle
    }
}

/// Whether a source says the same as before.
fn same(before: Option<&flag::Entry>, after: Option<&flag::Entry>) -> bool {
    match (definition(before), definition(after)) {
        (Some(before), Some(after)) => before.canonical() == after.canonical(),
        (before, after) => before.is_none() && after.is_none(),
    }
}
