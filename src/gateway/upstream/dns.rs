//! Keeps the addresses of named endpoints fresh, in the background: no request waits for a resolver.
//!
//! Every name is looked up when its version becomes live and then every ten seconds. What was found last stays when a look-up
//! fails: a resolver's bad minute is no reason to lose an upstream.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Pool;

const EVERY: Duration = Duration::from_secs(10);
/// One name's look-up; less than the interval, so that look-ups never pile up.
const LOOKUP: Duration = Duration::from_secs(5);
/// How long traffic waits for the first look-ups.
const FIRST: Duration = Duration::from_secs(2);

/// Takes the pools whose endpoints have names; one a process.
#[derive(Debug)]
pub struct Resolver {
    new: mpsc::UnboundedSender<Weak<Pool>>,
    /// Held by whoever runs.
    intake: Mutex<mpsc::UnboundedReceiver<Weak<Pool>>>,
}

impl Resolver {
    pub fn new() -> Arc<Resolver> {
        // Unbounded, but filled only by reloads, one entry a version with names.
        let (new, intake) = mpsc::unbounded_channel();
        Arc::new(Resolver { new, intake: Mutex::new(intake) })
    }

    /// Looks the pool's names up from now on, as long as it lives.
    pub fn watch(&self, pool: &Arc<Pool>) {
        // The receiver is gone only when the process ends.
        let _ = self.new.send(Arc::downgrade(pool));
    }

    /// Resolves until the process ends; `ready` is called when the names known at the start have been looked up once.
    pub async fn run(&self, ready: impl FnOnce()) {
        let mut intake = self.intake.lock().await;
        let mut pools = Vec::new();
        while let Ok(pool) = intake.try_recv() {
            pools.push(pool);
        }
        let _ = timeout(FIRST, async { look_up(&pools).join_all().await }).await;
        ready();
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        loop {
            tokio::select! {
                pool = intake.recv() => {
                    let Some(pool) = pool else { return };
                    look_up(std::slice::from_ref(&pool)).detach_all();
                    pools.push(pool);
                }
                _ = ticks.tick() => {
                    pools.retain(|pool| pool.strong_count() > 0);
                    look_up(&pools).detach_all();
                }
            }
        }
    }
}

/// One task a pool, so that no slow name holds up another version's.
fn look_up(pools: &[Weak<Pool>]) -> JoinSet<()> {
    pools
        .iter()
        .filter_map(Weak::upgrade)
        .map(|pool| async move {
            for (index, (host, port)) in pool.names().enumerate() {
                match timeout(LOOKUP, tokio::net::lookup_host((host, port))).await {
                    Ok(Ok(found)) => pool.found(index, found.collect()),
                    Ok(Err(error)) => pool.not_found(host, &error.to_string()),
                    Err(_) => pool.not_found(host, "the resolver does not answer"),
                }
            }
        })
        .collect()
}

/// Addresses in an order of their own: a resolver that rotates its answers changes nothing.
pub fn sorted(mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    addresses.sort();
    addresses.dedup();
    addresses
}
