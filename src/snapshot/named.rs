//! The flags that a route names, looked up.

use crate::config::route::Forward;
use crate::config::{Name, Problem, ProblemKind, Severity, suggest};
use crate::flag::{FlagId, FlagSet};
use crate::route::RouteId;

/// One of them.
#[derive(Debug)]
pub struct NamedFlag {
    /// As the route names it.
    pub key: Name,
    /// None: no such flag, which is reported and answers FLAG_NOT_FOUND.
    pub id: Option<FlagId>,
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
        let found = flags.find(&name.key);
        if found.is_none() {
            problems.push(Problem {
                kind: ProblemKind::MissingFlag,
                severity: Severity::Warning,
                place: Some(name.place.clone()),
                key: format!("routes[{}].{key}", id.0),
                found: format!("no source defines the flag `{}`", name.key),
                expected: Some("a flag that is defined; until then the default version serves".to_owned()),
                fix: suggest(&name.key, flags.iter().map(|(_, flag)| &*flag.key))
                    .map(|known| format!("did you mean `{known}`?")),
            });
        }
        planned.push(NamedFlag { key: name.key.clone(), id: found });
    }
    planned
}
