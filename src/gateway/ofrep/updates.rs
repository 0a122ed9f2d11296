//! Who listens for changes, and how they hear of them.
//!
//! One channel wakes everyone; what is told is looked up in what is live then. So a thousand listeners cost nothing until something
//! changes, and none of them holds a snapshot that is not live any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use prometheus::IntGauge;
use tokio::sync::watch;

use super::super::live::Live;
use crate::snapshot::Revision;

/// A comment that often, so that nobody between the two thinks that the connection is dead.
pub const ALIVE: Duration = Duration::from_secs(20);
/// That comment.
pub const BEAT: Bytes = Bytes::from_static(b":\n\n");

/// Who begins to listen so soon after a change may have asked before it.
const FRESH: Duration = Duration::from_secs(60);

/// Wakes whoever listens, once something new is live. Outlives snapshots.
#[derive(Debug, Clone)]
pub struct Updates(Arc<watch::Sender<()>>);

impl Default for Updates {
    fn default() -> Updates {
        Updates(Arc::new(watch::Sender::new(())))
    }
}

impl Updates {
    /// Something new is live.
    pub fn tell(&self) {
        self.0.send_replace(());
    }

    /// Waits from now on.
    pub fn listen(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}

/// The listeners of one door.
#[derive(Debug)]
pub struct Listeners {
    open: AtomicUsize,
    gauge: IntGauge,
}

/// One of them, as long as it lives.
#[derive(Debug)]
pub struct Listener {
    all: Arc<Listeners>,
    /// That its client knows of.
    told: Option<Revision>,
}

impl Listeners {
    /// None is there yet.
    pub fn new(gauge: IntGauge) -> Listeners {
        Listeners { open: AtomicUsize::new(0), gauge }
    }

    /// One more, of a client that heard of the revision `heard` last; none if there are `limit`.
    pub fn enter(self: &Arc<Self>, limit: usize, heard: Option<&str>, live: &Live) -> Option<Listener> {
        let room = |open: usize| (open < limit).then_some(open + 1);
        self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok()?;
        self.gauge.inc();
        let present = &live.snapshot.revision;
        let knows = match heard {
            Some(heard) => heard == present.as_str(),
            None => live.since.elapsed() > FRESH,
        };
        Some(Listener { all: Arc::clone(self), told: knows.then(|| present.clone()) })
    }
}

impl Listener {
    /// What it is to be told of what is live, if it does not know.
    pub fn news(&mut self, live: &Live) -> Option<Bytes> {
        let present = &live.snapshot.revision;
        if self.told.as_ref() == Some(present) {
            return None;
        }
        self.told = Some(present.clone());
        // A revision is hexadecimal.
        Some(Bytes::from(format!(
            "id: {present}\ndata: {{\"type\":\"refetchEvaluation\",\"etag\":\"{present}\"}}\n\n"
        )))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.all.open.fetch_sub(1, Ordering::Relaxed);
        self.all.gauge.dec();
    }
}

/// The beginning of a stream: when to come again should it break. Not all at once: a gateway that starts anew has thousands to greet.
pub fn greeting() -> Bytes {
    Bytes::from(format!("retry: {}\n\n", rand::random_range(2_000..8_000)))
}
