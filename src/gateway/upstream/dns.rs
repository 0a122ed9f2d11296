//! Looks the names of endpoints up, in the background: no request waits for a resolver.
//!
//! `/etc/hosts` first, then DNS by the system's configuration with the time to live that the answer has, and where DNS knows nothing the
//! system's own resolver, which may know more (mDNS, LDAP) but tells no time. What was found last stays when a look-up fails: a resolver's
//! bad minute is no reason to lose an upstream.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{Hosts, ResolverBuilder, TokioResolver};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::Pool;

/// One name's look-up.
const LOOKUP: Duration = Duration::from_secs(5);
/// Of it, that servers of DNS may take; the rest is the system's resolver's.
const DNS: Duration = Duration::from_secs(2);
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
        Names::of(TokioResolver::builder_tokio().and_then(Names::built))
    }

    fn of(resolver: Result<TokioResolver, NetError>) -> Names {
        let told = "DNS is not asked directly, so names are looked up every ten seconds";
        Names(resolver.inspect_err(|error| tracing::warn!(%error, "{told}")).ok())
    }

    fn built(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<TokioResolver, NetError> {
        // What is asked again is to be answered anew.
        builder.options_mut().cache_size = 0;
        builder.build()
    }

    async fn look_up(&self, host: &str, port: u16) -> Result<Answer, String> {
        if let Some(resolver) = &self.0
            && let Ok(Ok(answer)) = timeout(DNS, resolver.clone().asked(host, port)).await
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
                pool_now.not_found(index, &why);
                AGAIN
            }
            Err(_) => {
                pool_now.not_found(index, "the resolver does not answer");
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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::path::Path;

    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use tokio::net::UdpSocket;
    use tokio::sync::watch;

    use super::*;
    use crate::config::Config;

    /// Names that are looked up at a server of DNS that knows `shop.test`: two addresses, with that time to live.
    async fn names(seconds: u32, asked: watch::Sender<u32>) -> Names {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut connection = ConnectionConfig::udp();
        connection.port = socket.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                asked.send_modify(|count| *count += 1);
                let _ = socket.send_to(&answer(&question[..length], seconds), from).await;
            }
        });
        let address: IpAddr = "127.0.0.1".parse().unwrap();
        let server = NameServerConfig::new(address, true, vec![connection]);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        Names::of(Names::built(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())))
    }

    /// What RFC 1035, 4.1 says of an answer; a question has one name, and options behind it.
    fn answer(question: &[u8], seconds: u32) -> Vec<u8> {
        let name_ends = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
        let known = question[12..name_ends].eq_ignore_ascii_case(b"\x04shop\x04test\0");
        let is_v4 = question[name_ends + 1] == 1;
        let addresses: &[[u8; 4]] = if known && is_v4 { &[[192, 0, 2, 9], [192, 0, 2, 8]] } else { &[] };
        let mut out = question[..2].to_vec();
        out.extend_from_slice(&[0x81, if known { 0x80 } else { 0x83 }]);
        out.extend_from_slice(&[0, 1, 0, addresses.len() as u8, 0, 0, 0, 0]);
        out.extend_from_slice(&question[12..name_ends + 4]);
        for address in addresses {
            out.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
            out.extend_from_slice(&seconds.to_be_bytes());
            out.extend_from_slice(&[0, 4]);
            out.extend_from_slice(address);
        }
        out
    }

    #[tokio::test]
    async fn an_answer_holds_as_long_as_it_says_and_is_asked_for_anew() {
        let (count, mut asked) = watch::channel(0);
        let names = names(77, count).await;
        let answer = names.look_up("shop.test", 80).await.unwrap();
        let addresses = sorted(answer.addresses);
        assert_eq!(
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["192.0.2.8:80", "192.0.2.9:80"]
        );
        assert!((70..=77).contains(&answer.holds.as_secs()), "{:?}", answer.holds);
        assert!(asked.has_changed().unwrap());
        asked.mark_unchanged();
        names.look_up("shop.test", 80).await.unwrap();
        assert!(asked.has_changed().unwrap(), "nothing is answered from a cache");
    }

    #[tokio::test]
    async fn what_the_system_knows_is_found_without_dns_and_what_nobody_knows_is_an_error() {
        let (count, asked) = watch::channel(0);
        let names = names(1, count).await;
        let answer = names.look_up("localhost", 80).await.unwrap();
        assert!(answer.addresses.iter().all(|address| address.ip().is_loopback()), "{answer:?}");
        assert!(!answer.addresses.is_empty());
        assert_eq!(*asked.borrow(), 0);
        assert!(names.look_up("nowhere.invalid", 80).await.is_err());
    }

    #[tokio::test]
    async fn a_name_is_looked_up_again_when_its_answer_is_over_and_its_pool_is_left_alone_then() {
        let text = "listeners: [{bind: 127.0.0.1:0}]
flags: {sources: [{file: flags.json}]}
services: {shop: {default: stable, versions: {stable: {endpoints: ['shop.test:80']}}}}
routes: [{name: all, match: {path_prefix: /}, service: shop}]";
        let config = Config::parse("flagway.yaml", text, Path::new("/nowhere"), &|_| None).unwrap();
        let service = &config.services[0];
        let pool = Arc::new(Pool::new(&service.name, &service.versions[0], true, Some(None), None, None));
        let (count, mut asked) = watch::channel(0);
        // Its answers hold for no time at all: that is a second.
        let names = Arc::new(names(0, count).await);
        let (first, mut found) = mpsc::channel(1);
        let keeping = tokio::spawn(keep(Arc::downgrade(&pool), 0, names, first));
        found.recv().await;
        let ports = || pool.spots().spots.len();
        assert_eq!((ports(), *asked.borrow_and_update() > 0), (2, true));
        asked.changed().await.unwrap();
        pool.retire();
        keeping.await.unwrap();
        assert_eq!(ports(), 2);
    }

    #[test]
    fn an_order_of_answers_is_none() {
        let at = |last| SocketAddr::from(([192, 0, 2, last], 80));
        assert_eq!(sorted(vec![at(2), at(1), at(2)]), [at(1), at(2)]);
    }
}
