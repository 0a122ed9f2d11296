//! Keeps what is known of endpoints fresh, in the background: their names' addresses and their health; and tells the log what changed.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::checker::{self, Checker};
use super::dns::{self, Names};
use super::{Pool, view};

/// How long traffic waits for the first look-ups.
const FIRST: Duration = Duration::from_secs(2);
/// How soon the log knows of a change.
const TELL: Duration = Duration::from_millis(250);

/// Takes every pool; one a process.
#[derive(Debug)]
pub struct Keeper {
    new: mpsc::UnboundedSender<Weak<Pool>>,
    /// Held by whoever runs.
    intake: Mutex<mpsc::UnboundedReceiver<Weak<Pool>>>,
}

impl Keeper {
    pub fn new() -> Arc<Keeper> {
        // Unbounded, but filled only by reloads, one entry a version.
        let (new, intake) = mpsc::unbounded_channel();
        Arc::new(Keeper { new, intake: Mutex::new(intake) })
    }

    /// Keeps the pool from now on, until it is gone or retired.
    pub fn keep(&self, pool: &Arc<Pool>) {
        // The receiver is gone only when the process ends.
        let _ = self.new.send(Arc::downgrade(pool));
    }

    /// Works until the process ends; `ready` is called when the names known at the start have been looked up once.
    pub async fn run(&self, ready: impl FnOnce()) {
        let mut intake = self.intake.lock().await;
        let work = Work { names: Arc::new(Names::new()), checker: Arc::new(Checker::new()) };
        let mut pools = Vec::new();
        let (first, mut all_found) = mpsc::channel(1);
        while let Ok(pool) = intake.try_recv() {
            work.begin(&pool, &first);
            pools.push(pool);
        }
        drop(first);
        // Nothing is ever sent: it ends when the last look-up has let go of it.
        let _ = timeout(FIRST, all_found.recv()).await;
        ready();
        let mut ticks = interval(TELL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                pool = intake.recv() => {
                    let Some(pool) = pool else { return };
                    work.begin(&pool, &mpsc::channel(1).0);
                    pools.push(pool);
                }
                _ = ticks.tick() => pools.retain(|pool| match pool.upgrade() {
                    Some(pool) if !pool.is_retired() => {
                        view::tell(&pool);
                        true
                    }
                    _ => false,
                }),
            }
        }
    }
}

struct Work {
    names: Arc<Names>,
    checker: Arc<Checker>,
}

impl Work {
    fn begin(&self, pool: &Weak<Pool>, first: &mpsc::Sender<()>) {
        let Some(present) = pool.upgrade() else { return };
        for index in 0..present.names().count() {
            tokio::spawn(dns::keep(pool.clone(), index, Arc::clone(&self.names), first.clone()));
        }
        if present.is_traffic()
            && let Some(health) = present.version().health.clone()
        {
            let changed = Arc::clone(&present.changed);
            tokio::spawn(checker::keep(pool.clone(), health, changed, Arc::clone(&self.checker)));
        }
    }
}
