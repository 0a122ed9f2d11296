//! The folders whose events are asked for. A folder that was replaced is watched anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use super::sight::{self, Identity};

pub struct Folders {
    /// None: this machine gives no file events, which was told.
    watcher: Option<RecommendedWatcher>,
    /// By folder, which one it was; none: it could not be watched, which was told.
    watched: BTreeMap<PathBuf, Option<Identity>>,
}

impl Folders {
    /// Every event of the folders goes to `hear`, on a thread of the library.
    pub fn new(hear: impl Fn(notify::Result<Event>) + Send + 'static) -> Folders {
        let watcher = notify::recommended_watcher(hear)
            .inspect_err(|error| tracing::warn!(%error, "no file events: the poll finds changes"));
        Folders { watcher: watcher.ok(), watched: BTreeMap::new() }
    }

    /// Watches these folders, as they are now, and no others.
    pub fn follow(&mut self, wanted: &BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        self.watched.retain(|folder, watched| {
            let stays = wanted.contains(folder);
            if !stays && watched.is_some() {
                // The folder may be gone, and its watch with it.
                let _ = watcher.unwatch(folder);
            }
            stays
        });
        for folder in wanted {
            let identity = fs::metadata(folder).ok().map(|metadata| sight::identity(&metadata));
            let before = self.watched.get(folder).copied();
            if identity.is_some() && before == Some(identity) {
                continue;
            }
            if before.flatten().is_some() {
                // Another folder took its place; the watch went away with the old one.
                let _ = watcher.unwatch(folder);
            }
            let watched = match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => identity,
                Err(error) => {
                    if before.is_none() {
                        let folder = folder.display();
                        tracing::warn!(%folder, %error, "no file events from here: the poll finds changes");
                    }
                    None
                }
            };
            self.watched.insert(folder.clone(), watched);
        }
    }
}
