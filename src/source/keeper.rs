//! The keeper: owns the configuration file and all sources, and publishes a snapshot whenever what they say has changed.

use std::path::Path;
use std::sync::Arc;

use super::Status;
use crate::config::{Config, Problem};
use crate::snapshot::Snapshot;

/// Owns what is on disk.
pub struct Keeper {}

/// Asks a running keeper to look at everything now (SIGHUP).
#[derive(Debug, Clone)]
pub struct Wake {}

impl Wake {
    /// Looks at everything now.
    pub fn now(&self) {
        todo!()
    }
}

impl Keeper {
    /// Reads the configuration at `path` and every source once. `Err`: the configuration is wrong. Flags that cannot be read are not an
    /// error: last good ones from `state_dir` serve, or none.
    pub fn open(_path: &Path) -> Result<(Keeper, Arc<Snapshot>), Vec<Problem>> {
        todo!()
    }

    /// The configuration it started with: listeners are taken from here.
    pub fn config(&self) -> &Arc<Config> {
        todo!()
    }

    /// Shared with the admin API and the probes.
    pub fn status(&self) -> Arc<Status> {
        todo!()
    }

    /// Starts the watching thread. `publish` is called on it with every new snapshot; the returned handle wakes it; dropping the handle does not stop it.
    pub fn watch(self, _publish: impl Fn(Arc<Snapshot>) + Send + 'static) -> Wake {
        todo!()
    }
}
