//! Configuration and flags from files, for commands that serve nothing: read once; nothing is written, watched or remembered.
//!
//! Unlike a running gateway it knows no last good flags: what is told is what the files say now.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Config, FlagLimits, Problem, ProblemKind, Severity, Source};
use crate::flag::{Document, Entry, Format};
use crate::snapshot::{Definitions, Snapshot};

/// What a configuration file and its flags lead to.
#[derive(Debug)]
pub struct Loaded {
    pub snapshot: Snapshot,
    /// By source, in order: its name, and how many flags it gives; none when it cannot be used.
    pub sources: Vec<(String, Option<usize>)>,
    /// All that is wrong, errors first.
    pub problems: Vec<Problem>,
}

/// The configuration alone.
pub fn config(file: &Path) -> Result<Config, Vec<Problem>> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        let found = format!("{name} cannot be read: {error}");
        let fix = "give its path, or write an example to start from: flagway demo --dir DIR";
        vec![Problem::error(ProblemKind::Config, "", found).with_fix(fix)]
    })?;
    let folder = file.parent().unwrap_or(Path::new(""));
    Config::parse(&name, &text, folder, &|name| std::env::var(name).ok())
}

/// Configuration and flags. `Err`: the configuration is wrong; what is wrong with the flags is in [`Loaded::problems`].
pub fn all(file: &Path) -> Result<Loaded, Vec<Problem>> {
    let config = Arc::new(config(file)?);
    let mut problems = config.warnings.clone();
    let mut definitions = Definitions::new();
    let mut sources = Vec::new();
    for Source::File(path) in &config.flags.sources {
        let document = document(path, &config.flags.limits);
        let count = document.as_ref().ok().map(|document| document.flags.len());
        sources.push((format!("file:{}", path.display()), count));
        match document {
            Ok(document) => merge(document, &mut definitions, &mut problems),
            Err(wrong) => problems.extend(wrong),
        }
    }
    let snapshot = Snapshot::build(config, &definitions);
    problems.extend(snapshot.problems.iter().cloned());
    problems.sort_by_key(|problem| problem.severity != Severity::Error);
    Ok(Loaded { snapshot, sources, problems })
}

fn document(path: &PathBuf, limits: &FlagLimits) -> Result<Document, Vec<Problem>> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let found = format!("{name} cannot be read: {error}");
        vec![Problem::error(ProblemKind::Source, "flags.sources", found).with_fix("write the file, or mend its path")]
    })?;
    Document::parse(&name, &text, Format::of(path), limits)
}

/// Later sources win, key by key.
fn merge(document: Document, definitions: &mut Definitions, problems: &mut Vec<Problem>) {
    problems.extend(document.warnings);
    for (key, flag) in document.flags {
        match flag {
            Ok(definition) => {
                definitions.insert(key, Entry::Good(definition));
            }
            Err(wrong) => {
                let why = wrong.first().map_or("broken", |problem| &*problem.found);
                // As when it runs: a definition that is good in an earlier source goes on.
                definitions.entry(key).or_insert_with(|| Entry::Broken(Arc::from(why)));
                problems.extend(wrong);
            }
        }
    }
}
