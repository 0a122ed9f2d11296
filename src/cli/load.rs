//! Configuration and flags from files, for commands that serve nothing: read once, and nothing is written or watched.

use std::path::Path;
use std::sync::Arc;

use crate::config::{Config, Problem, Severity};
use crate::snapshot::Snapshot;
use crate::source::{Keeper, Status};

/// What a configuration file leads to.
#[derive(Debug)]
pub struct Loaded {
    pub snapshot: Arc<Snapshot>,
    pub status: Arc<Status>,
}

/// The configuration alone.
pub fn config(file: &Path) -> Result<Arc<Config>, Vec<Problem>> {
    Ok(Arc::clone(Keeper::open(file)?.0.config()))
}

/// Configuration and flags. `Err`: the configuration is wrong; what is wrong with the flags is in [`Loaded::problems`].
pub fn all(file: &Path) -> Result<Loaded, Vec<Problem>> {
    let (keeper, snapshot) = Keeper::open(file)?;
    Ok(Loaded { snapshot, status: keeper.status() })
}

impl Loaded {
    /// All that is wrong: with documents and definitions, and between configuration and flags; errors first.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = Vec::clone(&self.status.problems.load());
        problems.extend(self.snapshot.problems.iter().cloned());
        problems.sort_by_key(|problem| problem.severity != Severity::Error);
        problems
    }
}
