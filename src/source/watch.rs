//! The watching thread: file events and a slow poll make it look; what has settled it hands on.
//!
//! Events only say when to look, and which folders are watched follows every link anew each time. The poll finds what no
//! event told: another filesystem's changes, a lost event, a folder far above that was replaced.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::{ModifyKind, RenameMode};
use notify::{Event, EventKind};

use super::eye::Eye;
use super::folders::Folders;
use super::paths::Ways;
use super::sight::Sight;

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
    Event(notify::Result<Event>),
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

/// Starts watching. Every look that found something is handed on, and each of the poll; watching waits for `hand_on`, and ends when it says that
/// nobody takes looks any more.
pub fn start(paths: Vec<(PathBuf, usize)>, hand_on: impl Fn(Look) -> bool + Send + 'static) -> Wake {
    let (nudges, inbox) = channel();
    let events = nudges.clone();
    let folders = Folders::new(move |event| {
        // Nobody watches any more: the process ends.
        let _ = events.send(Nudge::Event(event));
    });
    let mut watch = Watch { folders, inbox, spots: Vec::new(), asked: false };
    watch.watch(paths);
    thread::Builder::new()
        .name("watch".to_owned())
        .spawn(move || watch.run(&hand_on))
        .expect("at its start a process can start a thread, or it can do nothing at all");
    Wake { nudges: Some(nudges) }
}

struct Watch {
    folders: Folders,
    inbox: Receiver<Nudge>,
    spots: Vec<Spot>,
    asked: bool,
}

/// One path.
struct Spot {
    eye: Eye,
    ways: Ways,
    /// Whether the last event on its ways told that something was moved into place.
    moved: bool,
}

impl Watch {
    fn run(mut self, hand_on: &impl Fn(Look) -> bool) {
        let mut poll = Instant::now();
        loop {
            let due = self.spots.iter().filter_map(|spot| spot.eye.due()).fold(poll, Instant::min);
            let mut look = match self.inbox.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(nudge) => self.hear(nudge),
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            while let Ok(nudge) = self.inbox.try_recv() {
                look |= self.hear(nudge);
            }
            let now = Instant::now();
            if !look && now < due {
                continue;
            }
            let changed = self.look(now);
            let polled = now >= poll;
            if polled {
                poll = now + POLL;
            }
            let settled = self.spots.iter().all(|spot| spot.eye.due().is_none());
            let asked = self.asked && settled;
            self.asked &= !asked;
            let tells = polled || asked || !changed.is_empty();
            if tells && !hand_on(Look { changed, asked }) {
                return;
            }
        }
    }

    /// Whether there is a reason to look.
    fn hear(&mut self, nudge: Nudge) -> bool {
        match nudge {
            Nudge::Asked => self.asked = true,
            Nudge::Paths(paths) => self.watch(paths),
            Nudge::Event(Ok(event)) => {
                return self
                    .spots
                    .iter_mut()
                    .fold(event.need_rescan(), |look, spot| look | spot.hear(&event));
            }
            Nudge::Event(Err(error)) => {
                tracing::warn!(%error, "file events may be lost: the poll finds changes");
            }
        }
        true
    }

    fn look(&mut self, now: Instant) -> Vec<(PathBuf, Sight)> {
        // Folders first: what changes after they are watched is an event.
        let mut folders = BTreeSet::new();
        for spot in &mut self.spots {
            spot.ways = Ways::of(spot.eye.path());
            folders.extend(spot.ways.folders.iter().cloned());
        }
        self.folders.follow(&folders);
        let look = |Spot { eye, moved, .. }: &mut Spot| {
            let sight = eye.look(now, std::mem::take(moved))?;
            Some((eye.path().to_owned(), sight))
        };
        self.spots.iter_mut().filter_map(look).collect()
    }

    /// Watches these paths and no others; what is known of those that stay is kept.
    fn watch(&mut self, paths: Vec<(PathBuf, usize)>) {
        let mut before = std::mem::take(&mut self.spots);
        for (path, limit) in paths {
            if self.spots.iter().any(|spot| spot.eye.path() == path) {
                continue;
            }
            let stays = before.iter().position(|spot| spot.eye.path() == path && spot.eye.limit() == limit);
            self.spots.push(match stays {
                Some(at) => before.swap_remove(at),
                None => Spot { eye: Eye::new(path, limit), ways: Ways::default(), moved: false },
            });
        }
    }
}

impl Spot {
    /// Whether an event is a reason to look here.
    fn hear(&mut self, event: &Event) -> bool {
        if !event.paths.iter().any(|path| self.ways.entries.contains(path)) {
            return false;
        }
        match event.kind {
            // Our own reading is an access too.
            EventKind::Access(_) => return false,
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => self.moved = true,
            EventKind::Modify(ModifyKind::Name(_) | ModifyKind::Metadata(_)) => {}
            _ => self.moved = false,
        }
        true
    }
}
