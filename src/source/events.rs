//! What happens to flags, told to whoever listens: published snapshots, problems, sources, writes of the overlay.
//!
//! Who is too slow misses some and is told how many; nobody who tells ever waits.

use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;
use tokio::sync::{broadcast, watch};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A snapshot is live.
    Published {
        /// RFC 3339.
        time: String,
        /// Of the snapshot.
        revision: String,
        /// How many it has.
        flags: usize,
        /// How many there are.
        problems: usize,
    },
    /// A problem appeared, or is gone.
    Problem {
        /// RFC 3339.
        time: String,
        /// The label.
        kind: String,
        /// Of what.
        key: String,
        /// One sentence.
        found: String,
        /// Whether it is gone.
        gone: bool,
    },
    /// A source is in another state.
    Source {
        /// RFC 3339.
        time: String,
        /// `file:flags.json`
        name: String,
        /// `ready`, `stale`, `missing`.
        state: String,
        /// Flags it gives.
        flags: usize,
    },
    /// An accepted write of the overlay.
    Overlay {
        /// As in the audit.
        record: Box<super::audit::Record>,
    },
}

/// The place where it is told.
#[derive(Debug, Clone)]
pub struct Events {
    told: broadcast::Sender<Event>,
    /// Turns true when nothing more will be told.
    ended: Arc<watch::Sender<bool>>,
}

/// Events that a listener may be behind.
const BEHIND: usize = 1024;

impl Default for Events {
    fn default() -> Events {
        Events { told: broadcast::Sender::new(BEHIND), ended: Arc::default() }
    }
}

impl Events {
    /// Tells it; nobody may listen.
    pub fn tell(&self, event: Event) {
        let _ = self.told.send(event);
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.told.subscribe()
    }

    /// Nothing more will be told: who listens may go.
    pub fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Returns once nothing more will be told.
    pub async fn ended(&self) {
        // Its sender is ours.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }
}

/// A moment as events and the audit tell it: RFC 3339, to the millisecond.
pub(super) fn time(at: SystemTime) -> String {
    // There is no text for moments before.
    humantime::format_rfc3339_millis(at.max(SystemTime::UNIX_EPOCH)).to_string()
}
