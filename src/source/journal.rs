//! The log's account of problems: each is told once when it appears, and once when it is gone.

use std::collections::BTreeMap;

use crate::config::{Problem, ProblemKind};

/// Lines about problems at one time; of more, only the number is told.
const LINES: usize = 100;

/// What was told.
#[derive(Debug, Default)]
pub struct Journal {
    known: BTreeMap<Identity, ()>,
}

/// A problem that only moved to another line is the same.
type Identity = (ProblemKind, String, String);

impl Journal {
    /// Tells what is new among the present problems, and what is gone.
    pub fn tell<'a>(&mut self, problems: impl Iterator<Item = &'a Problem>) {
        let changes = self.changes(problems);
        for problem in changes.appeared.iter().take(LINES) {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let at = problem.place.as_ref();
            tracing::warn!(
                kind = problem.kind.label(),
                at = at.map(|at| format!("{}:{}:{}", at.file, at.line, at.column)),
                key = problem.key,
                found = problem.found,
                expected = problem.expected,
                fix = problem.fix,
                "problem"
            );
        }
        for (kind, key, found) in changes.gone.iter().take(LINES) {
            tracing::info!(kind = kind.label(), key, found, "problem gone");
        }
        let untold = changes.appeared.len().saturating_sub(LINES) + changes.gone.len().saturating_sub(LINES);
        if untold > 0 {
            tracing::warn!(untold, "there are more problems than are told here: `flagway check` shows all");
        }
    }
}
