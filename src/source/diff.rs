//! What the files of sources would have to say, so that nothing need be done by hand any more: for the next merge request.

use std::sync::Arc;

use serde_json::Value as Json;

use super::hand::SourceDiff;
use super::standing::{SourceFile, Standing};
use crate::flag::{Definition, Entry, Format};
use crate::overlay::diff::{Patch, patch, unified};

impl Standing {
    /// One patch a file, in the order of the sources; before them each flag for which there is none.
    pub fn diff(&self) -> Vec<SourceDiff> {
        let (mut none, mut edits) = (Vec::new(), Vec::new());
        edits.resize_with(self.files.len(), Edits::default);
        let entries: Vec<_> = self.overlay.iter().collect();
        let flags = entries.chunk_by(|one, next| one.flag() == next.flag());
        for flag in flags.filter_map(|entries| entries.first()).map(|entry| entry.flag()) {
            let index = self.defining(flag);
            let done = match (index, self.running(flag)) {
                // Nothing runs because of an entry.
                (_, None) => Err("no entry applies, and there is no usable definition".to_owned()),
                (None, Some(running)) => Err(format!(
                    "no source defines it; under `flags` of one of them it would be \"{flag}\": {}",
                    running.to_json()
                )),
                (Some(index), Some(running)) => edits[index].add(&self.files[index], &running, self),
            };
            if let Err(why) = done {
                let file = index.map(|index| self.files[index].name.clone());
                none.push(SourceDiff { flag: flag.to_string(), file, form: "none".to_owned(), patch: why });
            }
        }
        none.extend(self.files.iter().zip(edits).filter_map(|(file, edits)| edits.diff(file)));
        none
    }

    /// The source whose definition serves: the last good one, as when they are joined.
    fn defining(&self, flag: &str) -> Option<usize> {
        let find = |wanted: fn(&Entry) -> bool| {
            self.files.iter().rposition(|file| file.good.entries().get(flag).is_some_and(wanted))
        };
        find(|entry| matches!(entry, Entry::Good(_))).or_else(|| find(|_| true))
    }
}

/// What becomes of one file, flag by flag.
#[derive(Debug, Default)]
struct Edits {
    flags: Vec<Arc<str>>,
    /// Its text so far.
    text: Option<String>,
    /// For what is not edited as text.
    operations: Vec<Json>,
}

impl Edits {
    /// Adds what makes the file say what runs of one more flag.
    fn add(&mut self, file: &SourceFile, running: &Definition, standing: &Standing) -> Result<(), String> {
        let read = file.text.as_ref().map_err(|why| format!("`{}`: {why}", file.name))?;
        let text = self.text.as_deref().unwrap_or(&read.text);
        let patch = patch(&file.name, text, Format::of(&file.path), running, &standing.limits);
        let patch = patch.map_err(|problems| {
            let told: Vec<_> = problems.iter().map(|problem| &*problem.found).collect();
            told.join("; ")
        })?;
        match patch {
            Patch::None => return Ok(()),
            Patch::Text(text) => self.text = Some(text),
            Patch::Operations(operations) => self.operations.extend(operations),
        }
        self.flags.push(running.key.clone());
        Ok(())
    }

    /// None: the file says it already.
    fn diff(self, file: &SourceFile) -> Option<SourceDiff> {
        let (form, patch) = match (&self.text, &file.text) {
            (Some(new), Ok(old)) => ("unified", unified(&old.text, new, &file.name)),
            _ if self.operations.is_empty() => return None,
            // Only of texts, numbers and lists of them: it is JSON.
            _ => ("json-patch", serde_json::to_string_pretty(&self.operations).unwrap_or_default()),
        };
        let flag = self.flags.join(", ");
        Some(SourceDiff { flag, file: Some(file.name.clone()), form: form.to_owned(), patch })
    }
}
