//! One reading of everything, without watching and without touching the state folder: what `flagway check` shows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::kept::Kept;
use super::last_good::merge;
use super::{SourceStatus, configuration, sight};
use crate::config::{Config, Problem};
use crate::snapshot::Snapshot;

/// What a start would run now, if nothing was kept of an earlier one.
#[derive(Debug)]
pub struct Checked {
    /// As it was parsed.
    pub config: Arc<Config>,
    /// As it would serve.
    pub snapshot: Arc<Snapshot>,
    /// One for each configured source, in order.
    pub sources: Vec<SourceStatus>,
    /// Of the configuration (warnings), of the documents and of what the configuration asks of the flags; ordered by place.
    pub problems: Vec<Problem>,
}

/// The state folder that the configuration at `path` names. `Err`: the configuration is wrong.
pub fn state_dir(path: &Path) -> Result<Option<PathBuf>, Vec<Problem>> {
    let seen = sight::read_settled(path, configuration::LIMIT);
    configuration::parse(path, &seen).map(|config| config.state_dir)
}

/// Reads the configuration at `path` and every source once. `Err`: the configuration is wrong.
pub fn check(path: &Path) -> Result<Checked, Vec<Problem>> {
    let seen = sight::read_settled(path, configuration::LIMIT);
    let config = Arc::new(configuration::parse(path, &seen)?);
    let sources = Kept::all(&config, configuration::folder(path), Vec::new(), None);
    let snapshot = Arc::new(Snapshot::build(config.clone(), &merge(sources.iter().map(Kept::said))));
    let documents = sources.iter().flat_map(|source| &source.problems);
    let mut problems: Vec<_> =
        config.warnings.iter().chain(documents).chain(&snapshot.problems).cloned().collect();
    Problem::sort(&mut problems);
    Ok(Checked { config, snapshot, sources: sources.iter().map(Kept::status).collect(), problems })
}
