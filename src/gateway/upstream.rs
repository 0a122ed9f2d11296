//! Upstreams: for each version of a service the peers that serve it, ready to be connected to.
//!
//! A version's pool survives every reload that does not change it. Its connections carry a key of their own, so that no two
//! versions ever share one, not even to one address.
//!
//! Pingora has one read timeout for an exchange. It is `first_byte`, so that a hanging version is noticed in time; for requests that ask
//! for a stream it is the larger of `first_byte` and `idle` (see [`Pool::pick`]). `total` ends an exchange between two reads.

pub(super) mod dns;
mod material;
mod ring;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderValue;
use pingora::protocols::TcpKeepalive;
use pingora::upstreams::peer::HttpPeer;

use crate::config::service::{
    Endpoint, EndpointHost, Service, ServiceId, Timeouts, UpstreamHttp, Version, VersionId,
};
use crate::config::{Config, Name, Problem, ProblemKind, Severity};
use crate::telemetry::limiter::{Limiter, uptime};
use dns::Resolver;
use material::{Material, Refused};
use ring::Ring;

/// Streams on one HTTP/2 connection.
const H2_STREAMS: usize = 100;

/// All pools, by service and version.
#[derive(Debug)]
pub struct Upstreams {
    pools: Vec<Vec<Arc<Pool>>>,
    resolver: Arc<Resolver>,
}

/// The endpoints of one version.
#[derive(Debug)]
pub struct Pool {
    service: Name,
    version: Version,
    /// The version's name as a field value.
    pub label: HeaderValue,
    /// Of lines about attempts that failed here.
    pub lines: Limiter,
    /// None: its files cannot be used, so it has no endpoints.
    material: Option<Option<Material>>,
    group: u64,
    reachable: ArcSwap<Reachable>,
    turn: AtomicU64,
}

/// The addresses of a version that are known now.
#[derive(Debug, Default)]
struct Reachable {
    /// For each endpoint, in the order configured.
    known: Vec<Vec<SocketAddr>>,
    ring: Ring,
}

impl Upstreams {
    /// The pools of a configuration; those of `before` whose version did not change are taken over. What cannot be used is
    /// pushed onto `problems`.
    pub fn new(config: &Config, before: Option<&Upstreams>, problems: &mut Vec<Problem>) -> Upstreams {
        let resolver = before.map_or_else(Resolver::new, |before| before.resolver.clone());
        Upstreams::with(resolver, config, before, problems)
    }

    /// Pools of their own for the same configuration, which share nothing with these but the resolver. `before` are such ones, too. What
    /// cannot be used was told of these.
    pub fn beside(&self, config: &Config, before: Option<&Upstreams>) -> Upstreams {
        Upstreams::with(self.resolver(), config, before, &mut Vec::new())
    }

    fn with(
        resolver: Arc<Resolver>,
        config: &Config,
        before: Option<&Upstreams>,
        problems: &mut Vec<Problem>,
    ) -> Upstreams {
        let pools = config
            .services
            .iter()
            .enumerate()
            .map(|(index, service)| {
                let place = |version: usize| (ServiceId(index), VersionId(version));
                let pool = |(version, configured): (usize, &Version)| {
                    let kept = before.and_then(|before| before.find(&service.name, configured));
                    kept.unwrap_or_else(|| {
                        let pool = Arc::new(Pool::new(service, configured, place(version), problems));
                        if pool.names().next().is_some() {
                            resolver.watch(&pool);
                        }
                        pool
                    })
                };
                service.versions.iter().enumerate().map(pool).collect()
            })
            .collect();
        Upstreams { pools, resolver }
    }

    /// The pool of a version.
    pub fn pool(&self, service: ServiceId, version: VersionId) -> &Arc<Pool> {
        &self.pools[service.0][version.0]
    }

    /// What looks names up; to be run once a process.
    pub fn resolver(&self) -> Arc<Resolver> {
        self.resolver.clone()
    }

    /// A usable pool of an equal version.
    fn find(&self, service: &Name, version: &Version) -> Option<Arc<Pool>> {
        let mut pools = self.pools.iter().flatten();
        pools
            .find(|pool| pool.service == *service && pool.version == *version && pool.material.is_some())
            .cloned()
    }
}

impl Pool {
    fn new(
        service: &Service,
        version: &Version,
        (in_services, in_versions): (ServiceId, VersionId),
        problems: &mut Vec<Problem>,
    ) -> Pool {
        let mut refuse = |refused: Refused| {
            problems.push(Problem {
                kind: ProblemKind::Config,
                severity: Severity::Error,
                place: Some(service.place.clone()),
                key: format!("services.{}.versions.{}.tls.{}", service.name, version.name, refused.key),
                found: format!("{}; the version has no endpoints until this is mended", refused.found),
                expected: Some(refused.expected.to_owned()),
                fix: None,
            });
        };
        let material = match &version.tls {
            None => Some(None),
            Some(tls) => Material::load(tls).map_err(&mut refuse).ok().map(Some),
        };
        let mut hash = DefaultHasher::new();
        (&service.name, &version.name, &version.tls, version.http).hash(&mut hash);
        let addresses = |endpoint: &Endpoint| match endpoint.host {
            EndpointHost::Address(address) => vec![SocketAddr::new(address, endpoint.port)],
            EndpointHost::Name(_) => Vec::new(),
        };
        let label = HeaderValue::from_str(&version.name).unwrap_or(HeaderValue::from_static("-"));
        let pool = Pool {
            service: service.name.clone(),
            version: version.clone(),
            label,
            lines: Limiter::default(),
            material,
            group: hash.finish(),
            reachable: ArcSwap::default(),
            // Pools that start together do not all begin with the same endpoint.
            turn: AtomicU64::new((in_services.0 + in_versions.0) as u64),
        };
        pool.reachable.store(pool.reach(version.endpoints.iter().map(addresses).collect()));
        pool
    }

    /// `service/version`, for the log.
    pub fn names_of(&self) -> (&str, &str) {
        (&self.service, &self.version.name)
    }

    /// How long its endpoints may take.
    pub fn timeouts(&self) -> &Timeouts {
        &self.version.timeouts
    }

    /// A peer that was not tried: the one whose turn it is, if it takes connections. `stream`: the request asks for an answer that
    /// pauses as it likes (an upgrade, server-sent events, gRPC).
    pub fn pick(&self, tried: &[SocketAddr], stream: bool) -> Option<(SocketAddr, Box<HttpPeer>)> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let (address, mut peer) = self.reachable.load().ring.pick(turn, tried)?;
        if stream {
            let Timeouts { first_byte, idle, .. } = self.version.timeouts;
            peer.options.read_timeout = Some(first_byte.max(idle));
        }
        Some((address, peer))
    }

    /// Lets an endpoint rest after it refused a connection.
    pub fn rest(&self, address: SocketAddr) {
        self.reachable.load().ring.rest(address);
    }

    /// The endpoints that have names, with their ports.
    pub fn names(&self) -> impl Iterator<Item = (&str, u16)> {
        self.named().map(|(_, name, port)| (name, port))
    }

    /// Takes the addresses found for the name with this index among [`Pool::names`].
    pub fn found(&self, index: usize, addresses: Vec<SocketAddr>) {
        let addresses = dns::sorted(addresses);
        let Some((endpoint, ..)) = self.named().nth(index).filter(|_| !addresses.is_empty()) else { return };
        if self.reachable.load().known.get(endpoint) == Some(&addresses) {
            return;
        }
        self.reachable.rcu(|before| {
            let mut known = before.known.clone();
            if let Some(known) = known.get_mut(endpoint) {
                known.clone_from(&addresses);
            }
            self.reach(known)
        });
    }

    /// Tells that a name could not be looked up; what was known of it stays.
    pub fn not_found(&self, name: &str, why: &str) {
        if let Some(left_out) = self.lines.pass(uptime()) {
            let (service, version) = self.names_of();
            tracing::warn!(service, version, name, why, left_out, "a name cannot be resolved");
        }
    }

    fn named(&self) -> impl Iterator<Item = (usize, &str, u16)> {
        self.version.endpoints.iter().enumerate().filter_map(|(index, endpoint)| match &endpoint.host {
            EndpointHost::Name(name) => Some((index, &**name, endpoint.port)),
            EndpointHost::Address(_) => None,
        })
    }

    /// Puts the known addresses into the ring, each with its endpoint's weight and the name it is verified by.
    fn reach(&self, known: Vec<Vec<SocketAddr>>) -> Arc<Reachable> {
        let Some(material) = &self.material else { return Arc::default() };
        let mut addresses: Vec<(SocketAddr, u32)> = Vec::new();
        let mut hosts: Vec<String> = Vec::new();
        for (endpoint, known) in self.version.endpoints.iter().zip(&known) {
            for address in known {
                if addresses.iter().all(|(other, _)| other != address) {
                    addresses.push((*address, endpoint.weight));
                    hosts.push(match &endpoint.host {
                        EndpointHost::Address(address) => address.to_string(),
                        EndpointHost::Name(name) => name.to_string(),
                    });
                }
            }
        }
        let ring = Ring::new(&addresses, |address| {
            let host = addresses.iter().position(|(other, _)| *other == address).map(|index| &*hosts[index]);
            self.peer(address, host.unwrap_or_default(), material.as_ref())
        });
        Arc::new(Reachable { known, ring })
    }

    /// A peer with everything set that Pingora leaves open.
    #[expect(
        clippy::disallowed_methods,
        reason = "it is made of an address, which was resolved in the background"
    )]
    fn peer(&self, address: SocketAddr, host: &str, material: Option<&Material>) -> HttpPeer {
        let Timeouts { connect, first_byte, idle, .. } = self.version.timeouts;
        // Without a name Pingora would verify nothing. An address is never sent as SNI, but the certificate has to be for it.
        let sni = material.map(|material| material.sni.clone().unwrap_or_else(|| host.to_owned()));
        let mut peer = HttpPeer::new(address, material.is_some(), sni.unwrap_or_default());
        peer.group_key = self.group;
        let options = &mut peer.options;
        options.connection_timeout = Some(connect);
        options.total_connection_timeout = Some(connect);
        options.read_timeout = Some(first_byte);
        options.write_timeout = Some(idle);
        options.idle_timeout = Some(idle);
        options.tcp_keepalive = Some(TcpKeepalive {
            idle: Duration::from_secs(60),
            interval: Duration::from_secs(5),
            count: 5,
            user_timeout: Duration::ZERO,
        });
        if self.version.http == UpstreamHttp::H2 {
            options.set_http_version(2, 2);
            options.max_h2_streams = H2_STREAMS;
        }
        if let Some(material) = material {
            options.ca = material.authorities.clone();
            options.verify_cert = material.verify;
            options.verify_hostname = material.verify;
            peer.client_cert_key = material.client.clone();
        }
        peer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const STABLE: VersionId = VersionId(0);
    const CANARY: VersionId = VersionId(1);

    /// A service with two versions of these settings.
    fn config(stable: &str, canary: &str) -> Config {
        let text = format!(
            "listeners: [{{bind: 127.0.0.1:0}}]
flags: {{sources: [{{file: flags.json}}]}}
services: {{shop: {{default: stable, versions: {{stable: {{{stable}}}, canary: {{{canary}}}}}}}}}
routes: [{{name: all, match: {{path_prefix: /}}, service: shop}}]"
        );
        Config::parse("flagway.yaml", &text, Path::new("/nowhere"), &|_| None).unwrap()
    }

    fn upstreams(config: &Config, before: Option<&Upstreams>) -> Upstreams {
        let mut problems = Vec::new();
        let upstreams = Upstreams::new(config, before, &mut problems);
        assert_eq!(problems, []);
        upstreams
    }

    fn pool(upstreams: &Upstreams, version: VersionId) -> &Arc<Pool> {
        upstreams.pool(ServiceId(0), version)
    }

    fn ports(pool: &Pool) -> Vec<u16> {
        let mut ports: Vec<u16> = (0..9).filter_map(|_| Some(pool.pick(&[], false)?.0.port())).collect();
        ports.sort();
        ports.dedup();
        ports
    }

    #[test]
    fn what_did_not_change_survives_a_reload() {
        let first = upstreams(&config("endpoints: ['127.0.0.1:1']", "endpoints: ['127.0.0.1:2']"), None);
        let second =
            upstreams(&config("endpoints: ['127.0.0.1:1']", "endpoints: ['127.0.0.1:3']"), Some(&first));
        assert!(Arc::ptr_eq(pool(&first, STABLE), pool(&second, STABLE)));
        assert_eq!((ports(pool(&first, CANARY)), ports(pool(&second, CANARY))), (vec![2], vec![3]));
        // The endpoints moved, the connections to those that stay need not.
        assert_eq!(pool(&first, CANARY).group, pool(&second, CANARY).group);
    }

    #[test]
    fn no_two_versions_share_connections_and_no_two_ways_of_tls() {
        let plain = upstreams(&config("endpoints: ['127.0.0.1:1']", "endpoints: ['127.0.0.1:1']"), None);
        assert_ne!(pool(&plain, STABLE).group, pool(&plain, CANARY).group);
        let secret = config("endpoints: ['127.0.0.1:1'], tls: {sni: a.test}", "endpoints: ['127.0.0.1:1']");
        assert_ne!(pool(&plain, STABLE).group, pool(&upstreams(&secret, None), STABLE).group);
    }

    #[test]
    fn every_timeout_is_set_and_streams_may_pause() {
        let timeouts = "timeouts: {connect: 1s, first_byte: 2s, idle: 3s}";
        let live = upstreams(
            &config(
                &format!("endpoints: ['127.0.0.1:1'], http: h2, {timeouts}"),
                "endpoints: ['127.0.0.1:2']",
            ),
            None,
        );
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let (_, peer) = pool(&live, STABLE).pick(&[], false).unwrap();
        let options = &peer.options;
        assert_eq!([options.connection_timeout, options.total_connection_timeout], [seconds(1); 2]);
        assert_eq!([options.idle_timeout, options.write_timeout], [seconds(3); 2]);
        assert_eq!(options.read_timeout, seconds(2));
        assert_eq!((options.alpn.get_min_http_version(), options.max_h2_streams), (2, H2_STREAMS));
        assert_eq!(pool(&live, STABLE).pick(&[], true).unwrap().1.options.read_timeout, seconds(3));
    }

    #[test]
    fn an_address_is_verified_too() {
        let live = upstreams(
            &config(
                "endpoints: ['127.0.0.1:1'], tls: {}",
                "endpoints: ['127.0.0.1:2'], tls: {verify: false}",
            ),
            None,
        );
        let peer = |version| pool(&live, version).pick(&[], false).unwrap().1;
        assert_eq!((peer(STABLE).sni.as_str(), peer(STABLE).options.verify_cert), ("127.0.0.1", true));
        assert!(!peer(CANARY).options.verify_cert);
    }

    #[test]
    fn names_have_addresses_once_found_and_keep_them_when_they_are_not() {
        let live =
            upstreams(&config("endpoints: ['127.0.0.1:1', 'a.test:2']", "endpoints: ['b.test:3']"), None);
        let stable = pool(&live, STABLE);
        assert_eq!(stable.names().collect::<Vec<_>>(), [("a.test", 2)]);
        assert_eq!((ports(stable), ports(pool(&live, CANARY))), (vec![1], vec![]));
        stable.found(0, vec!["127.0.0.2:2".parse().unwrap(), "127.0.0.3:22".parse().unwrap()]);
        assert_eq!(ports(stable), [1, 2, 22]);
        stable.found(0, Vec::new());
        stable.not_found("a.test", "no answer");
        assert_eq!(ports(stable), [1, 2, 22]);
        stable.found(0, vec!["127.0.0.3:22".parse().unwrap()]);
        assert_eq!(ports(stable), [1, 22]);
    }

    #[test]
    fn files_that_cannot_be_used_are_a_problem_of_one_version_alone() {
        let config = config("endpoints: ['127.0.0.1:1'], tls: {ca: ca.pem}", "endpoints: ['127.0.0.1:2']");
        let mut problems = Vec::new();
        let live = Upstreams::new(&config, None, &mut problems);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].key, "services.shop.versions.stable.tls.ca");
        assert!(problems[0].found.contains("/nowhere/ca.pem"), "{}", problems[0].found);
        assert_eq!((ports(pool(&live, STABLE)), ports(pool(&live, CANARY))), (vec![], vec![2]));
        // It is tried again with the next reload.
        Upstreams::new(&config, Some(&live), &mut problems);
        assert_eq!(problems.len(), 2);
    }
}
