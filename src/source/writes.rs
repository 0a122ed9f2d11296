//! One write put onto what stands: the next overlay, or why not. Pure: nothing has happened when it is refused.

use super::hand::{Action, Refused, Write};
use super::standing::Standing;
use crate::config::{Problem, ProblemKind, suggest};
use crate::flag;
use crate::overlay::{Applied, Change, Entry, Kind, Overlay, apply};

/// The overlay after a write at `at`, in Unix seconds. Entries that it puts in apply.
pub fn next(write: &Write, at: i64, standing: &Standing) -> Result<Overlay, Refused> {
    let flag = &*write.flag;
    let known = standing.definitions.get(flag).is_some() || !standing.overlay.of(flag).is_empty();
    // Only a definition makes a flag.
    let makes = match &write.action {
        Action::Put(change) => change.kind() == Kind::Set,
        Action::Replace(changes) => changes.iter().any(|change| change.kind() == Kind::Set),
        Action::Kill(_) | Action::Release | Action::ReleaseAll => false,
    };
    if !known && !makes {
        let keys = standing.definitions.keys().chain(standing.overlay.iter().map(Entry::flag));
        let near = suggest(flag, keys.map(|key| &**key)).map(str::to_owned);
        return Err(Refused::NoFlag { flag: write.flag.clone(), near });
    }
    let mut next = Overlay::clone(&standing.overlay);
    let changes = match &write.action {
        Action::Release => {
            let kill = next.remove(flag, Kind::Kill);
            let released = kill.is_some() || !next.remove_all(flag).is_empty();
            return if released { Ok(next) } else { Err(Refused::Nothing) };
        }
        Action::ReleaseAll => {
            let released = !next.remove_all(flag).is_empty();
            return if released { Ok(next) } else { Err(Refused::Nothing) };
        }
        Action::Kill(variant) => {
            let running = standing.running(flag);
            vec![Change::kill(flag, running.as_deref(), variant).map_err(Refused::Change)?]
        }
        Action::Put(change) => vec![change.clone()],
        Action::Replace(changes) => {
            next.remove_all(flag);
            changes.clone()
        }
    };
    let kinds: Vec<Kind> = changes.iter().map(Change::kind).collect();
    for change in changes {
        next.insert(entry(write, change, at)?);
    }
    applies(flag, &kinds, &next, standing)?;
    Ok(next)
}

/// Whether a write may be refused for the problems it would make. A kill is never a new problem, and a release leads back to what was.
pub fn is_judged(action: &Action) -> bool {
    matches!(action, Action::Put(_) | Action::Replace(_))
}

fn entry(write: &Write, change: Change, at: i64) -> Result<Entry, Refused> {
    let kind = change.kind();
    Entry::new(&write.flag, change, &write.by.name, at, &write.why, write.until).map_err(|invalid| {
        let key = format!("overlay.{}.{kind}", write.flag);
        Refused::Worse(vec![Problem::error(ProblemKind::Overlay, key, invalid.to_string())])
    })
}

/// Whether the entries of these kinds apply, each to what lies below it. Others were told when they ceased to.
fn applies(flag: &str, kinds: &[Kind], next: &Overlay, standing: &Standing) -> Result<(), Refused> {
    let mut below = match standing.definitions.get(flag) {
        Some(flag::Entry::Good(definition)) => Some(flag::Definition::clone(definition)),
        Some(flag::Entry::Broken(_)) | None => None,
    };
    for entry in next.of(flag) {
        match apply(entry.change(), flag, below.as_ref(), &standing.limits) {
            Ok(Applied { definition, .. }) => below = Some(definition),
            Err(refusal) if kinds.contains(&entry.kind()) => return Err(Refused::Change(refusal)),
            Err(_) => {}
        }
    }
    Ok(())
}
