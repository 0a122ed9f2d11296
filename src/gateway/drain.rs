//! Stopping in good order, and the other signals.
//!
//! Pingora's own graceful stop sleeps a fixed time and never looks whether anything is left to do. Here: readiness off, a pause in which
//! connections are still taken, then no new ones, and the end as soon as the last request is done or the grace is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::{ShutdownSignal, ShutdownSignalWatch};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use crate::source::Wake;
use crate::telemetry::AccessLog;

/// Pause at most, so that a load balancer sees readiness go off before connections are refused.
const PAUSE: Duration = Duration::from_secs(1);
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

/// What the signals act on.
pub struct Signals {
    pub wake: Wake,
    pub access_log: AccessLog,
    pub draining: Arc<AtomicBool>,
    pub traffic: Arc<Traffic>,
    /// Tells that signals are handled: before that they would end the process, so nothing says that it is ready.
    pub handled: watch::Sender<bool>,
    /// Tells the listeners to close.
    pub close: watch::Sender<bool>,
    pub grace: Duration,
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
        loop {
            tokio::select! {
                _ = hup.recv() => self.wake.now(),
                _ = usr1.recv() => self.access_log.reopen(),
                _ = int.recv() => return ShutdownSignal::FastShutdown,
                _ = term.recv() => break,
            }
        }
        tokio::select! {
            () = self.drain() => {}
            _ = int.recv() => {}
            _ = term.recv() => {}
        }
        // Everything that could be waited for was.
        ShutdownSignal::FastShutdown
    }
}

impl Signals {
    async fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        let end = Instant::now() + self.grace;
        tracing::info!(in_flight = self.traffic.in_flight(), "draining");
        sleep(PAUSE.min(self.grace / 10)).await;
        // Nobody listens: there are no listeners.
        let _ = self.close.send(true);
        if timeout_at(end, self.quiet()).await.is_err() {
            tracing::warn!(in_flight = self.traffic.in_flight(), "the grace is over; requests are cut");
        }
    }

    async fn quiet(&self) {
        let mut quiet = 0;
        while quiet < QUIET_LOOKS {
            sleep(LOOK).await;
            quiet = if self.traffic.in_flight() == 0 { quiet + 1 } else { 0 };
        }
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
