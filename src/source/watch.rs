//! The watching thread: file events and a slow poll make it look; what has settled it hands on.
//!
//! Events only say when to look, and which folders are watched follows every link anew each time. The poll finds what no
//! event told: another filesystem's changes, a lost event, a folder far above that was replaced.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel};
use std::thread;
use std::time::{Duration, Instant};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::eye::Eye;
use super::paths::Ways;
use super::sight::{self, Identity, Sight};

/// How often everything is read again although no event came.
const POLL: Duration = Duration::from_secs(2);

/// Asks a running keeper to look at everything now (SIGHUP). The default one wakes nobody.
#[derive(Debug, Clone, Default)]
pub struct Wake {
    nudges: Option<Sender<Nudge>>,
}

impl Wake {
    /// Looks at everything now.
    pub fn now(&self) {
        self.nudge(Nudge::Asked);
    }

    /// Watches these paths, and no others. With each the bytes that its text may have.
    pub(super) fn watch(&self, paths: Vec<(PathBuf, usize)>) {
        self.nudge(Nudge::Paths(paths));
    }

    fn nudge(&self, nudge: Nudge) {
        if let Some(nudges) = &self.nudges {
            // Nobody watches any more: the process ends.
            let _ = nudges.send(nudge);
        }
    }
}

#[derive(Debug)]
enum Nudge {
    Event(notify::Result<notify::Event>),
    Asked,
    Paths(Vec<(PathBuf, usize)>),
}

/// What one look found.
#[derive(Debug)]
pub struct Look {
    /// What has settled and was not told before, at most one sight a path.
    pub changed: Vec<(PathBuf, Sight)>,
    /// Somebody asked, and nothing more is about to change.
    pub asked: bool,
}

/// Starts watching. Every look that found something goes to `looks`, and each of the poll; while nobody takes them, watching waits.
pub fn start(paths: Vec<(PathBuf, usize)>, looks: SyncSender<Look>) -> Wake {
    let (nudges, inbox) = channel();
    let events = nudges.clone();
    let watcher = notify::recommended_watcher(move |event| {
        // Nobody watches any more: the process ends.
        let _ = events.send(Nudge::Event(event));
    });
    let watcher = watcher
        .inspect_err(
            |error| tracing::warn!(%error, "no file events: changes are found by the poll, every 2 s"),
        )
        .ok();
    let mut watch =
        Watch { watcher, inbox, looks, eyes: Vec::new(), ways: Ways::default(), watched: BTreeMap::new() };
    watch.see(paths);
    thread::Builder::new()
        .name("watch".to_owned())
        .spawn(move || watch.run())
        .expect("at its start a process can start a thread, or it can do nothing at all");
    Wake { nudges: Some(nudges) }
}

struct Watch {
    watcher: Option<RecommendedWatcher>,
    inbox: Receiver<Nudge>,
    looks: SyncSender<Look>,
    eyes: Vec<Eye>,
    ways: Ways,
    /// None: watching it failed, which was told.
    watched: BTreeMap<PathBuf, Option<Identity>>,
}

impl Watch {
    fn run(mut self) {
        let mut poll = Instant::now();
        let mut asked = false;
        loop {
            let due = self.eyes.iter().filter_map(Eye::due).fold(poll, Instant::min);
            let wait = due.saturating_duration_since(Instant::now());
            let mut look = match self.inbox.recv_timeout(wait) {
                Ok(nudge) => self.hear(nudge, &mut asked),
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            while let Ok(nudge) = self.inbox.try_recv() {
                look |= self.hear(nudge, &mut asked);
            }
            let now = Instant::now();
            if !look && now < due {
                continue;
            }
            // Folders first: what changes after they are watched is an event.
            self.follow();
            let changed: Vec<_> = self
                .eyes
                .iter_mut()
                .filter_map(|eye| eye.look(now).map(|sight| (eye.path().to_owned(), sight)))
                .collect();
            let quiet = self.eyes.iter().all(|eye| eye.due().is_none());
            let polled = now >= poll;
            if polled {
                poll = now + POLL;
            }
            let answers = asked && quiet;
            if (polled || answers || !changed.is_empty())
                && self.looks.send(Look { changed, asked: std::mem::take(&mut asked) && quiet }).is_err()
            {
                return;
            }
        }
    }

    /// Whether there is a reason to look.
    fn hear(&mut self, nudge: Nudge, asked: &mut bool) -> bool {
        match nudge {
            Nudge::Asked => *asked = true,
            Nudge::Paths(paths) => self.see(paths),
            Nudge::Event(Ok(event)) => {
                // Our own reading is an access too.
                return !matches!(event.kind, EventKind::Access(_))
                    && (event.need_rescan()
                        || event.paths.iter().any(|path| self.ways.entries.contains(path)));
            }
            Nudge::Event(Err(error)) => {
                tracing::warn!(%error, "file events may be lost: the poll finds changes")
            }
        }
        true
    }

    /// Keeps the eyes of paths that stay.
    fn see(&mut self, paths: Vec<(PathBuf, usize)>) {
        let mut before = std::mem::take(&mut self.eyes);
        for (path, limit) in paths {
            if self.eyes.iter().any(|eye| eye.path() == path) {
                continue;
            }
            let kept = before.iter().position(|eye| eye.path() == path && eye.limit() == limit);
            self.eyes.push(kept.map_or_else(|| Eye::new(path, limit), |kept| before.swap_remove(kept)));
        }
    }

    /// Watches the folders on the ways as they are now.
    fn follow(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        self.ways = Ways::default();
        self.eyes.iter().for_each(|eye| self.ways.add(eye.path()));
        self.watched.retain(|folder, watched| {
            let stays = self.ways.folders.contains(folder);
            if !stays && watched.is_some() {
                // It may be gone, and its watch with it.
                let _ = watcher.unwatch(folder);
            }
            stays
        });
        for folder in &self.ways.folders {
            let identity = fs::metadata(folder).ok().map(|metadata| sight::identity(&metadata));
            let before = self.watched.get(folder).copied();
            if before == Some(identity) {
                continue;
            }
            if before.flatten().is_some() {
                // Another folder has taken its place: the watch went away with the old one.
                let _ = watcher.unwatch(folder);
            }
            let watched = match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => identity,
                Err(error) => {
                    if before.is_none() {
                        tracing::warn!(folder = %folder.display(), %error, "no file events from here: the poll finds changes");
                    }
                    None
                }
            };
            self.watched.insert(folder.clone(), watched);
        }
    }
}
