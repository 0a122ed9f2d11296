//! Attributes that rules read and nothing provides: which flag reads one first, and which are no mistake.

use std::collections::HashMap;

use crate::config::route::{Action, Shown};
use crate::config::{Config, Problem};
use crate::context::Readers;
use crate::flag::{Flag, FlagSet, Slot};

/// The attributes that only flags read which OpenFeature clients may ask for, and which no route's way depends on: the clients provide them.
pub(super) fn claimed(config: &Config, flags: &FlagSet, readers: &Readers) -> Vec<Slot> {
    let Some(asked) = Asked::of(config) else { return Vec::new() };
    let mut claimed: Vec<(Slot, bool)> =
        slots(flags).filter(|slot| !readers.provides(*slot)).map(|slot| (slot, true)).collect();
    for (_, flag) in flags.iter().filter(|(_, flag)| !asked.only(&flag.key)) {
        claimed
            .iter_mut()
            .filter(|(slot, _)| flag.reads.slots.contains(slot))
            .for_each(|(_, only)| *only = false);
    }
    claimed.into_iter().filter_map(|(slot, only)| only.then_some(slot)).collect()
}

/// Says of each attribute that nothing provides which flag reads it first, and where; those that are claimed are no problem. The problems
/// come in the order of their slots, and stay so.
pub(super) fn name_the_flags(
    problems: &mut Vec<Problem>,
    flags: &FlagSet,
    readers: &Readers,
    claimed: &[Slot],
) {
    if problems.is_empty() {
        return;
    }
    let mut first: HashMap<Slot, &Flag> = HashMap::new();
    for (_, flag) in flags.iter() {
        for slot in &flag.reads.slots {
            first.entry(*slot).or_insert(flag);
        }
    }
    let mut unprovided = slots(flags).filter(|slot| !readers.provides(*slot));
    problems.retain_mut(|problem| {
        let Some(slot) = unprovided.next() else { return true };
        if let Some(flag) = first.get(&slot) {
            problem.key = format!("flags.{}.targeting", flag.key);
            problem.place = flag.definition.as_ref().and_then(|definition| definition.place.clone());
        }
        !claimed.contains(&slot)
    });
}

fn slots(flags: &FlagSet) -> impl Iterator<Item = Slot> + use<> {
    (0..flags.paths().len()).map(|index| Slot(index as u32))
}

/// Which flags clients ask for, and which ones routes do.
struct Asked<'c> {
    shown: Vec<&'c Shown>,
    routed: Vec<&'c str>,
}

impl<'c> Asked<'c> {
    /// None: nothing is shown.
    fn of(config: &'c Config) -> Option<Asked<'c>> {
        let mut asked = Asked { shown: Vec::new(), routed: Vec::new() };
        for route in &config.routes {
            match &route.action {
                Action::Ofrep(ofrep) => asked.shown.push(&ofrep.flags),
                Action::Forward(forward) => {
                    let version = forward.version.iter().map(|rule| &rule.flag);
                    let copied = forward.shadows.iter().map(|rule| &rule.flag);
                    let named = version.chain(&forward.inject).chain(copied);
                    asked.routed.extend(named.map(|name| &*name.key));
                }
                Action::Redirect(_) | Action::Respond(_) => {}
            }
        }
        (!asked.shown.is_empty()).then_some(asked)
    }

    fn only(&self, key: &str) -> bool {
        let shows = |shown: &&Shown| match shown {
            Shown::All => true,
            Shown::Only(names) => names.iter().any(|name| *name.key == *key),
        };
        self.shown.iter().any(shows) && !self.routed.contains(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::snapshot;

    const FLAGS: &str = r#"{"flags": {
        "routed": {"state": "ENABLED", "variants": {"on": "canary"}, "targeting": {"if": [{"var": "both"}, "on", {"var": "own"}, "on"]}},
        "asked": {"state": "ENABLED", "variants": {"on": true}, "targeting": {"if": [{"var": "both"}, "on", {"var": "plan"}, "on"]}}}}"#;

    #[test]
    fn what_only_clients_can_say_is_no_problem_where_clients_can_ask() {
        let unknown = |shown: &str| {
            let door =
                format!("  - name: flags\n    match: {{path_prefix: /ofrep}}\n    ofrep: {{flags: {shown}}}");
            let snapshot = snapshot("", &format!("    version: {{flag: routed}}\n{door}"), FLAGS);
            let keys = snapshot.problems.iter().map(|problem| format!("{}: {}", problem.key, problem.found));
            keys.filter_map(|line| Some(line.split_once(" reads ")?.1.split('`').nth(1)?.to_owned()))
                .collect::<Vec<_>>()
        };
        assert_eq!(unknown("[]"), ["both", "plan", "own"]);
        assert_eq!(unknown("[asked]"), ["both", "own"]);
        assert_eq!(unknown("all"), ["both", "own"]);
    }
}
