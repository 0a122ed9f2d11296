//! Looks the names of endpoints up, in the background: no request waits for a resolver.
//!
//! `/etc/hosts` first, then DNS by the system's configuration with the time to live that the answer has, and where DNS knows nothing the
//! system's own resolver, which may know more (mDNS, LDAP) but tells no time. What was found last stays when a look-up fails: a resolver's
//! bad minute is no reason to lose an upstream.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use hickory_resolver::{Hosts, TokioResolver};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::Pool;

/// One name's look-up.
const LOOKUP: Duration = Duration::from_secs(5);
/// Bounds on what an answer says how long it holds.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
/// When an answer does not say it, and after a failure.
const AGAIN: Duration = Duration::from_secs(10);

/// Where names are looked up.
pub struct Names(Option<TokioResolver>);

/// Addresses, and how long they hold.
#[derive(Debug, PartialEq)]
struct Answer {
    addresses: Vec<SocketAddr>,
    holds: Duration,
}

impl Names {
    /// By the system's configuration; within a runtime.
    pub fn new() -> Names {
        Names::of(TokioResolver::builder_tokio().and_then(|mut builder| {
            // What is asked again is to be answered anew.
            builder.options_mut().cache_size = 0;
            builder.build()
        }))
    }

    fn of(resolver: Result<TokioResolver, impl std::fmt::Display>) -> Names {
        Names(
            resolver
                .inspect_err(|error| tracing::warn!(%error, "DNS is not asked directly, so names are looked up every ten seconds"))
                .ok(),
        )
    }

    async fn look_up(&self, host: &str, port: u16) -> Result<Answer, String> {
        if let Some(resolver) = &self.0
            && let Ok(answer) = resolver.clone().asked(host, port).await
        {
            return Ok(answer);
        }
        match tokio::net::lookup_host((host, port)).await {
            Ok(found) => Ok(Answer { addresses: found.collect(), holds: AGAIN }),
            Err(error) => Err(error.to_string()),
        }
    }
}

trait Ask {
    async fn asked(self, host: &str, port: u16) -> Result<Answer, ()>;
}

impl Ask for TokioResolver {
    async fn asked(mut self, host: &str, port: u16) -> Result<Answer, ()> {
        // Read each time: it is short, and this is how a change in it is seen.
        self.set_hosts(Arc::new(Hosts::from_system().unwrap_or_default()));
        let found = self.lookup_ip(host).await.map_err(drop)?;
        let addresses: Vec<_> = found.iter().map(|address| SocketAddr::new(address, port)).collect();
        let holds = found.valid_until().saturating_duration_since(Instant::now());
        if addresses.is_empty() { Err(()) } else { Ok(Answer { addresses, holds }) }
    }
}

/// Keeps the name with this index fresh until its pool is gone or retired; `first` is let go after the first look-up.
pub async fn keep(pool: Weak<Pool>, index: usize, names: Arc<Names>, first: mpsc::Sender<()>) {
    let mut first = Some(first);
    loop {
        let Some(pool_now) = pool.upgrade().filter(|pool| !pool.is_retired()) else { return };
        let Some((host, port)) = pool_now.names().nth(index).map(|(host, port)| (host.to_owned(), port))
        else {
            return;
        };
        let holds = match timeout(LOOKUP, names.look_up(&host, port)).await {
            Ok(Ok(answer)) => {
                pool_now.found(index, answer.addresses);
                answer.holds.clamp(SHORTEST, LONGEST)
            }
            Ok(Err(why)) => {
                pool_now.not_found(&host, &why);
                AGAIN
            }
            Err(_) => {
                pool_now.not_found(&host, "the resolver does not answer");
                AGAIN
            }
        };
        drop(first.take());
        // Not held while it sleeps: a pool that nobody uses is to go.
        drop(pool_now);
        sleep(holds).await;
    }
}

/// Addresses in an order of their own: a resolver that rotates its answers changes nothing.
pub fn sorted(mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    addresses.sort();
    addresses.dedup();
    addresses
}
