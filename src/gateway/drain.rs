//! Stopping in good order, and the other signals.
//!
//! Pingora's own graceful stop sleeps a fixed time and never looks whether anything is left to do. Here: readiness off, a pause in which
//! connections are still taken, then no new ones; those that are open are told with their next answer, and closed where none comes; and
//! the end as soon as the last request is done or the grace is over. After an upgrade the same without the pause: another process accepts.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::{ShutdownSignal, ShutdownSignalWatch};
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::gate::caps::Caps;
use super::live::Published;
use super::upgrade::Upgrades;
use super::upgrade::heir::Heir;
use crate::config::Shutdown;
use crate::source::{Hand, Wake};
use crate::telemetry::AccessLog;

/// How long connections without a request stay open once no new ones are taken, at most: whoever is about to send on one gets an answer,
/// which says that it is the last.
const LINGER: Duration = Duration::from_millis(500);
/// Of the grace, how long streams that were cut may take to be closed and logged, at most.
const LAST: Duration = Duration::from_millis(500);
/// Between two looks at what is in flight.
const LOOK: Duration = Duration::from_millis(10);
/// So many looks in a row find nothing: a request that was just read counts itself within one.
const QUIET_LOOKS: u32 = 3;

/// How many requests are being served.
#[derive(Debug, Default)]
pub struct Traffic(AtomicUsize);

/// One of them, as long as it lives.
#[derive(Debug)]
pub struct InFlight(Arc<Traffic>);

impl Traffic {
    pub fn enter(self: &Arc<Self>) -> InFlight {
        self.0.fetch_add(1, Ordering::Relaxed);
        InFlight(self.clone())
    }

    pub fn in_flight(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How far the stop has come, told to whom it concerns.
pub struct Stage {
    /// Set when it begins: readiness is off, and each answer is the last on its connection.
    pub draining: Arc<AtomicBool>,
    /// Tells the listeners to close.
    pub close: watch::Sender<bool>,
    /// Tells connections without a request to close, event streams to end, and HTTP/2 to take no new requests.
    pub end: watch::Sender<bool>,
    /// Tells the doors to close: another process has them.
    pub leave: watch::Sender<bool>,
}

/// What the signals act on.
pub struct Signals {
    pub wake: Wake,
    pub access_log: AccessLog,
    pub live: Published,
    pub traffic: Arc<Traffic>,
    pub caps: Arc<Caps>,
    /// Who writes to the state folder.
    pub hand: Hand,
    /// Tells that signals are handled: before that they would end the process, so nothing says that it is ready.
    pub handled: watch::Sender<bool>,
    pub stage: Stage,
    pub shutdown: Shutdown,
    /// Taken when it runs.
    pub start: tokio::sync::Mutex<Option<Start>>,
}

/// How this process begins, and how another one may go on.
pub struct Start {
    /// Ends when everybody listens who has to.
    pub listening: mpsc::Receiver<()>,
    /// This process takes another's place.
    pub heir: Option<Arc<Heir>>,
    /// Another one may take this one's.
    pub upgrades: Option<Upgrades>,
}

/// Why the gateway stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Somebody wants it, in good order.
    Asked,
    /// Another process serves.
    Replaced(u32),
    /// At once.
    Now,
}

#[async_trait]
impl ShutdownSignalWatch for Signals {
    async fn recv(&self) -> ShutdownSignal {
        let kinds = [
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::hangup(),
            SignalKind::user_defined1(),
        ];
        let opened: Result<Vec<Signal>, _> = kinds.into_iter().map(signal).collect();
        // Nobody waits when nothing is served.
        let _ = self.handled.send(true);
        let Ok([mut term, mut int, mut hup, mut usr1]) =
            opened.map_err(|_| ()).and_then(|signals| <[Signal; 4]>::try_from(signals).map_err(drop))
        else {
            // The system refuses handlers: its own defaults are in force.
            return std::future::pending().await;
        };
        let stop = {
            // Dropped with the block: sockets that are offered to another process stay open in this one.
            let Start { listening, heir, upgrades } = self.start.lock().await.take().unwrap_or_default();
            let mut begins = pin!(begin(listening, heir));
            let mut replaced = pin!(replaced(upgrades));
            let mut begun = false;
            loop {
                tokio::select! {
                    stays = &mut begins, if !begun => match stays {
                        true => begun = true,
                        false => break Stop::Now,
                    },
                    process = &mut replaced, if begun => break Stop::Replaced(process),
                    _ = hup.recv() => self.wake.now(),
                    _ = usr1.recv() => self.access_log.reopen(),
                    _ = int.recv() => break Stop::Now,
                    _ = term.recv() => break Stop::Asked,
                }
            }
        };
        if stop != Stop::Now {
            let again = async {
                if matches!(stop, Stop::Replaced(_)) {
                    // Meant for the one that serves: this one is on its way out already.
                    let _ = term.recv().await;
                }
                let _ = term.recv().await;
            };
            tokio::select! {
                () = self.drain(stop) => {}
                _ = int.recv() => {}
                () = again => {}
            }
        }
        // Everything that could be waited for was.
        ShutdownSignal::FastShutdown
    }
}

/// Waits until everybody listens, and says so. False: this process was to take another's place, and is not to stay.
async fn begin(mut listening: mpsc::Receiver<()>, heir: Option<Arc<Heir>>) -> bool {
    // Nothing is ever sent: it ends with its last sender.
    let _ = listening.recv().await;
    if let Some(heir) = heir {
        let stays = tokio::task::spawn_blocking(move || heir.ready()).await;
        if let Err(error) = stays.map_err(std::io::Error::other).and_then(|stays| stays) {
            tracing::error!(%error, "the process before this one does not hand over");
            return false;
        }
        tracing::info!("took over from the process before");
    }
    // There may be nobody who wants to know.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    true
}

/// Waits until another process has taken over.
async fn replaced(upgrades: Option<Upgrades>) -> u32 {
    if let Some(upgrades) = upgrades {
        match upgrades.taken_over().await {
            Ok(process) => return process,
            Err(error) => tracing::error!(%error, "upgrades are not possible any more"),
        }
    }
    std::future::pending().await
}

impl Signals {
    async fn drain(&self, why: Stop) {
        let Shutdown { grace, delay } = self.shutdown;
        let end = Instant::now() + grace;
        let small = |most: Duration| most.min(grace / 10);
        self.stage.draining.store(true, Ordering::Relaxed);
        let (in_flight, connections) = (self.traffic.in_flight(), self.caps.open());
        match why {
            Stop::Replaced(process) => {
                tracing::info!(in_flight, connections, process, "another process serves; draining");
                // Nobody listens: there are no doors.
                let _ = self.stage.leave.send(true);
            }
            Stop::Asked | Stop::Now => {
                tracing::info!(in_flight, connections, "draining");
                let _ = sd_notify::notify(&[NotifyState::Stopping]);
                sleep(delay).await;
            }
        }
        // Nobody listens: there are no listeners.
        let _ = self.stage.close.send(true);
        let rest = timeout_at(end, self.rest());
        // A small part of the grace: it is over before that.
        let linger = timeout(small(LINGER), self.closed());
        let _ = tokio::join!(rest, linger);
        let _ = self.stage.end.send(true);
        if timeout_at(end - small(LAST), self.quiet()).await.is_err() {
            let in_flight = self.traffic.in_flight();
            let streams = self.live.load().streams.end_all();
            tracing::warn!(in_flight, streams, "the grace is over; requests are cut");
            let _ = timeout_at(end, self.quiet()).await;
            return;
        }
        // What is left was told to go, and has nothing to wait for.
        let _ = timeout_at(end.min(Instant::now() + small(LINGER)), self.closed()).await;
    }

    /// Everything is on disk, and nothing is written any more.
    async fn rest(&self) {
        let hand = self.hand.clone();
        // Who has ended rests.
        let _ = tokio::task::spawn_blocking(move || drop(hand.rest())).await;
    }

    /// No request is under way.
    async fn quiet(&self) {
        none(|| self.traffic.in_flight()).await;
    }

    /// No connection is open.
    async fn closed(&self) {
        none(|| self.caps.open() + self.traffic.in_flight()).await;
    }
}

async fn none(count: impl Fn() -> usize) {
    let mut quiet = 0;
    while quiet < QUIET_LOOKS {
        sleep(LOOK).await;
        quiet = if count() == 0 { quiet + 1 } else { 0 };
    }
}

impl Default for Start {
    /// Nothing to wait for, nobody to hand over to.
    fn default() -> Start {
        Start { listening: mpsc::channel(1).1, heir: None, upgrades: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_while_it_lives() {
        let traffic = Arc::new(Traffic::default());
        let (first, second) = (traffic.enter(), traffic.enter());
        assert_eq!(traffic.in_flight(), 2);
        drop(first);
        assert_eq!(traffic.in_flight(), 1);
        drop(second);
        assert_eq!(traffic.in_flight(), 0);
    }
}
