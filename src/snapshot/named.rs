//! The flags that a route names, looked up.

use crate::config::route::{FlagName, Forward, Ofrep, Shown};
use crate::config::{Name, Problem, ProblemKind, Severity, suggest};
use crate::flag::{Flag, FlagId, FlagSet};
use crate::route::RouteId;

/// One of them.
#[derive(Debug)]
pub struct NamedFlag {
    /// As the route names it.
    pub key: Name,
    /// None: no such flag, which is reported and answers FLAG_NOT_FOUND.
    pub id: Option<FlagId>,
}

impl NamedFlag {
    /// Looks a flag up that the configuration names at `key`. One that is missing is pushed onto `problems`, with what happens `until` it is
    /// defined; so is one whose key does not tell which of several is meant.
    pub(super) fn find(
        name: &FlagName,
        key: String,
        until: &str,
        flags: &FlagSet,
        problems: &mut Vec<Problem>,
    ) -> NamedFlag {
        let id = flags.find(&name.key);
        if id.is_none() {
            problems.push(Problem {
                kind: ProblemKind::MissingFlag,
                severity: Severity::Warning,
                place: Some(name.place.clone()),
                key: key.clone(),
                found: format!("no source defines the flag `{}`", name.key),
                expected: Some(format!("a flag that is defined; until then {until}")),
                fix: suggest(&name.key, flags.iter().map(|(_, flag)| &*flag.key))
                    .map(|known| format!("did you mean `{known}`?")),
            });
        }
        if flags.of(&name.key).nth(1).is_some() {
            let all: Vec<_> = flags.of(&name.key).map(|(_, flag)| stands(flag)).collect();
            problems.push(Problem {
                kind: ProblemKind::Definition,
                severity: Severity::Warning,
                place: Some(name.place.clone()),
                key,
                found: format!(
                    "`{}` is the key of {} flags: {}; the last one counts",
                    name.key,
                    all.len(),
                    all.join(", ")
                ),
                expected: Some(
                    "a key that stands in one flag set, as a route names a flag by its key alone".to_owned(),
                ),
                fix: None,
            });
        }
        NamedFlag { key: name.key.clone(), id }
    }

    /// The flag, where a source defines it.
    pub fn of<'a>(&self, flags: &'a FlagSet) -> Option<&'a Flag> {
        self.id.map(|id| flags.get(id))
    }
}

/// Each flag once, the version's first.
pub fn named_flags(
    id: RouteId,
    forward: &Forward,
    flags: &FlagSet,
    problems: &mut Vec<Problem>,
) -> Vec<NamedFlag> {
    let mut planned: Vec<NamedFlag> = Vec::with_capacity(forward.inject.len() + 1);
    let version = forward.version.iter().map(|rule| (&rule.flag, "version.flag".to_owned()));
    let injected = forward.inject.iter().enumerate().map(|(index, flag)| (flag, format!("inject[{index}]")));
    for (name, key) in version.chain(injected) {
        if planned.iter().any(|flag| flag.key == name.key) {
            continue;
        }
        let key = format!("routes[{}].{key}", id.0);
        planned.push(NamedFlag::find(name, key, "the default version serves", flags, problems));
    }
    planned
}

/// Looks up what clients may ask for. Nothing is kept: whoever answers finds the flags by their keys.
pub(super) fn shown_flags(id: RouteId, ofrep: &Ofrep, flags: &FlagSet, problems: &mut Vec<Problem>) {
    let Shown::Only(names) = &ofrep.flags else { return };
    for (index, name) in names.iter().enumerate() {
        let key = format!("routes[{}].ofrep.flags[{index}]", id.0);
        NamedFlag::find(name, key, "clients are told that there is none", flags, problems);
    }
}

/// Whether a flag's rule can read the targeting key.
pub(super) fn reads_key(flag: &Flag) -> bool {
    flag.reads.targeting_key || flag.reads.everything
}

/// Where one of several flags of a key stands.
fn stands(flag: &Flag) -> String {
    let set = flag.set_id().map_or("of no flag set".to_owned(), |id| format!("of the flag set {id:?}"));
    let place = flag.definition.as_ref().and_then(|definition| definition.place.as_ref());
    match place {
        Some(place) => format!("{set} ({}:{})", place.file, place.line),
        None => format!("{set} ({})", flag.source()),
    }
}
