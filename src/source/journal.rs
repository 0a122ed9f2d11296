//! The account of problems, for the log and for whoever listens: each is told once when it appears, and once when it is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::events::{Event, Events, time};
use crate::config::{Problem, ProblemKind};

/// Lines and events about problems at one time; of more, only the number is told.
const LINES: usize = 100;

/// What was told.
#[derive(Debug, Default)]
pub struct Journal {
    known: BTreeSet<Identity>,
}

/// A problem that only moved to another line is the same: kind, key, what was found.
type Identity = (ProblemKind, String, String);

#[derive(Debug)]
struct Changes<'p> {
    appeared: Vec<&'p Problem>,
    gone: Vec<Identity>,
}

impl Journal {
    /// Tells what is new among the present problems, and what is gone.
    pub fn tell<'p>(&mut self, problems: impl Iterator<Item = &'p Problem>, events: &Events) {
        let Changes { appeared, gone } = self.changes(problems);
        let event = |kind: &ProblemKind, key: &str, found: &str, gone| Event::Problem {
            time: time(SystemTime::now()),
            kind: kind.label().to_owned(),
            key: key.to_owned(),
            found: found.to_owned(),
            gone,
        };
        for problem in appeared.iter().take(LINES) {
            warn(problem);
            events.tell(event(&problem.kind, &problem.key, &problem.found, false));
        }
        for (kind, key, found) in gone.iter().take(LINES) {
            tracing::info!(kind = kind.label(), key, found, "problem gone");
            events.tell(event(kind, key, found, true));
        }
        let untold = appeared.len().saturating_sub(LINES) + gone.len().saturating_sub(LINES);
        if untold > 0 {
            tracing::warn!(
                untold,
                "more problems came or went than are told here; `flagway check` shows all"
            );
        }
    }

    fn changes<'p>(&mut self, problems: impl Iterator<Item = &'p Problem>) -> Changes<'p> {
        let identity = |problem: &Problem| (problem.kind, problem.key.clone(), problem.found.clone());
        let present: BTreeMap<Identity, &Problem> =
            problems.map(|problem| (identity(problem), problem)).collect();
        let appeared = present
            .iter()
            .filter(|(identity, _)| !self.known.contains(*identity))
            .map(|(_, problem)| *problem);
        let appeared = appeared.collect();
        let known = std::mem::take(&mut self.known);
        let gone = known.into_iter().filter(|identity| !present.contains_key(identity)).collect();
        self.known = present.into_keys().collect();
        Changes { appeared, gone }
    }
}

fn warn(problem: &Problem) {
    tracing::warn!(
        kind = problem.kind.label(),
        at = problem.place.as_ref().map(|at| format!("{}:{}:{}", at.file, at.line, at.column)),
        key = problem.key,
        found = problem.found,
        expected = problem.expected,
        fix = problem.fix,
        "problem"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Place;

    fn problem(key: &str, line: u32) -> Problem {
        Problem::error(ProblemKind::Definition, key, "no variants").at(Place::line_of("flags.json", line, 1))
    }

    #[test]
    fn a_problem_is_told_when_it_appears_and_when_it_is_gone() {
        let mut journal = Journal::default();
        let mut told = |present: &[Problem]| {
            let changes = journal.changes(present.iter());
            let appeared: Vec<_> = changes.appeared.iter().map(|problem| problem.key.clone()).collect();
            let gone: Vec<_> = changes.gone.into_iter().map(|(_, key, _)| key).collect();
            (appeared.join(" "), gone.join(" "))
        };
        let said = |appeared: &str, gone: &str| (appeared.to_owned(), gone.to_owned());
        assert_eq!(told(&[problem("a", 1), problem("b", 2)]), said("a b", ""));
        assert_eq!(told(&[problem("a", 1), problem("b", 2)]), said("", ""));
        assert_eq!(told(&[problem("b", 7), problem("c", 8)]), said("c", "a"), "b only moved");
        assert_eq!(told(&[]), said("", "b c"));
        assert_eq!(told(&[problem("a", 1)]), said("a", ""), "its return is news");
    }
}
