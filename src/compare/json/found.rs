//! Differences as they are found: where the walk stands, and what was noted so far, bounded.

use std::collections::BTreeMap;

use super::steps;
use crate::compare::excerpt::Excerpt;
use crate::compare::{Difference, Kind};
use crate::config::field_path::escape;

/// Paths that are told apart in one comparison. Beyond, the first ones in their order stay, whichever way the answers were walked.
pub(super) const MAX_PATHS: usize = 200;

/// Bytes of a path.
const MAX_PATH: usize = 512;

/// Bytes of a name within a path.
const MAX_NAME: usize = 128;

/// One step into a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'a> {
    Field(&'a str),
    Element(usize),
}

/// What was found, and where the walk stands.
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    way: Vec<Step<'a>>,
    by_path: BTreeMap<String, Vec<Difference>>,
}

impl<'a> Found<'a> {
    pub(super) fn enter(&mut self, step: Step<'a>) {
        self.way.push(step);
    }

    pub(super) fn leave(&mut self) {
        self.way.pop();
    }

    /// Notes a difference here, unless there is one of its kind already. `element`: the one of this array that it concerns.
    pub(super) fn note(
        &mut self,
        kind: Kind,
        element: Option<usize>,
        values: impl FnOnce() -> (Option<String>, Option<String>),
    ) {
        let path = self.path(false);
        let last = self.by_path.last_key_value().map(|(last, _)| last);
        if self.by_path.len() >= MAX_PATHS && last.is_some_and(|last| *last < path) {
            return;
        }
        let noted = self.by_path.get(&path).map_or(&[][..], Vec::as_slice);
        if noted.iter().any(|difference| difference.kind == kind) {
            return;
        }
        self.way.extend(element.map(Step::Element));
        let at = self.path(true);
        self.way.truncate(self.way.len() - usize::from(element.is_some()));
        let (original, other) = values();
        let difference = Difference { path: path.clone(), at, kind, original, other };
        self.by_path.entry(path).or_default().push(difference);
        if self.by_path.len() > MAX_PATHS {
            self.by_path.pop_last();
        }
    }

    /// Where the walk stands, as a pointer, with its indexes or with `*` for them; the root is the body.
    fn path(&self, indexes: bool) -> String {
        steps::add(self.way.len());
        let mut out = String::new();
        for step in &self.way {
            if out.len() > MAX_PATH {
                out.push('…');
                break;
            }
            out.push('/');
            match step {
                Step::Field(name) => {
                    // A name may be as long as the whole body: it is cut before it is escaped.
                    let name = Excerpt::of(name, MAX_NAME);
                    out.push_str(&escape(&name));
                }
                Step::Element(index) if indexes => out.push_str(&index.to_string()),
                Step::Element(_) => out.push('*'),
            }
        }
        if out.is_empty() { "body".to_owned() } else { out }
    }

    /// All differences, by path and kind.
    pub(super) fn finish(self) -> Vec<Difference> {
        let sorted = self.by_path.into_values().map(|mut of_path| {
            of_path.sort_by_key(|difference| difference.kind);
            of_path
        });
        sorted.flatten().collect()
    }
}
