//! The endpoints of one version: which one serves a request, and what becomes of those that fail.
//!
//! An endpoint that is out (it fails checks, or was ejected) gets nothing. Where all of a version are out, a version that can fall back has
//! no endpoint; the default version, which has nowhere to fall back to, asks all of them: a check that errs must not be worse than none.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;
use http::HeaderValue;
use pingora::upstreams::peer::HttpPeer;
use prometheus::IntCounter;
use tokio::sync::Notify;

use super::balance::Draw;
use super::endpoint::{Endpoint, Place, Standing, millis};
use super::material::Material;
use super::outliers::{Outcome, Why, due, may_be_out};
use super::reach::{Reach, Spot};
use super::{dns, peers};
use crate::config::Name;
use crate::config::service::{EndpointHost, Timeouts, Version};
use crate::telemetry::Metrics;
use crate::telemetry::limiter::{Limiter, uptime};

/// One version's.
#[derive(Debug)]
pub struct Pool {
    service: Name,
    version: Version,
    /// Whether other versions fall back to it.
    is_default: bool,
    /// The version's name as a field value.
    pub label: HeaderValue,
    /// Of lines about attempts that failed here.
    pub lines: Limiter,
    /// None: its files cannot be used, so it has no endpoints.
    material: Option<Option<Material>>,
    group: u64,
    reach: ArcSwap<Reach>,
    /// Names that could not be resolved the last time.
    lost: ArcSwap<Vec<Lost>>,
    turn: AtomicU64,
    /// Held while one is ejected, so that two at once are not one too many.
    ejecting: AtomicBool,
    /// None: a pool beside the traffic's, which nobody checks or counts.
    meters: Option<Meters>,
    /// Another one has taken its place.
    retired: AtomicBool,
    /// Woken when there are new endpoints.
    pub changed: Arc<Notify>,
}

/// What it counts.
#[derive(Debug)]
pub struct Meters {
    /// In the order of [`Why`].
    ejections: [IntCounter; 2],
    /// Failed and passed; none: nothing is checked.
    checks: Option<[IntCounter; 2]>,
}

/// A name that could not be resolved the last time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The name.
    pub name: String,
    /// What the resolver said.
    pub why: String,
    /// Whether addresses of it are known from before.
    pub known: bool,
}

/// What an endpoint is picked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// Endpoints that are not to be picked again.
    pub tried: &'a [SocketAddr],
    /// The request asks for an answer that pauses as it likes (an upgrade, server-sent events, gRPC).
    pub stream: bool,
    /// It asks for another protocol on its connection.
    pub upgrade: bool,
    /// The hash of its targeting key.
    pub key: Option<u64>,
}

/// An endpoint that was picked.
#[derive(Debug)]
pub struct Picked {
    /// Ready to be connected to.
    pub peer: Box<HttpPeer>,
    /// To be held until the attempt is over.
    pub place: Place,
}

impl Meters {
    /// Those of a version.
    pub fn new(metrics: &Metrics, service: &str, version: &Version) -> Meters {
        let checks = |result| metrics.health_checks(service, &version.name, result);
        Meters {
            ejections: Why::LABELS.map(|why| metrics.ejections(service, &version.name, why)),
            checks: version.health.is_some().then(|| ["failed", "passed"].map(checks)),
        }
    }
}

impl Pool {
    /// A pool of a version's endpoints; what `before` knows of them is taken over.
    pub fn new(
        service: &Name,
        version: &Version,
        is_default: bool,
        material: Option<Option<Material>>,
        meters: Option<Meters>,
        before: Option<&Pool>,
    ) -> Pool {
        let group = peers::group(service, version);
        let known = before.map(|before| before.reach.load_full());
        let pool = Pool {
            service: service.clone(),
            is_default,
            label: HeaderValue::from_str(&version.name).unwrap_or(HeaderValue::from_static("-")),
            lines: Limiter::default(),
            material,
            group,
            reach: ArcSwap::default(),
            lost: ArcSwap::default(),
            // Pools that start together do not all begin with the same endpoint.
            turn: AtomicU64::new(group),
            ejecting: AtomicBool::new(false),
            meters,
            retired: AtomicBool::new(false),
            changed: Arc::default(),
            version: version.clone(),
        };
        let addresses = |endpoint: &crate::config::service::Endpoint| match endpoint.host {
            EndpointHost::Address(address) => vec![SocketAddr::new(address, endpoint.port)],
            EndpointHost::Name(_) => {
                let before = before.zip(known.as_ref());
                before.and_then(|(before, known)| before.known(known, endpoint)).unwrap_or_default()
            }
        };
        let found = version.endpoints.iter().map(addresses).collect();
        pool.reach.store(pool.reached(found, known.as_deref().unwrap_or(&Reach::default())));
        if version.health.is_none() {
            pool.reach.load().spots.iter().for_each(|spot| spot.endpoint.unchecked());
        }
        pool
    }

    /// `service/version`, for the log.
    pub fn names_of(&self) -> (&str, &str) {
        (&self.service, &self.version.name)
    }

    /// What it serves.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Whether it serves this: then a reload takes it over.
    pub fn is_of(&self, service: &Name, version: &Version, is_default: bool) -> bool {
        self.service == *service
            && self.version == *version
            && self.is_default == is_default
            && self.material.is_some()
    }

    /// How long its endpoints may take.
    pub fn timeouts(&self) -> &Timeouts {
        &self.version.timeouts
    }

    /// Whether it asks for the hash of a targeting key.
    pub fn hashes(&self) -> bool {
        self.version.balance == crate::config::service::Balance::Hash
    }

    /// An endpoint that was not tried; none: there is none, or all are out and there is a version to fall back to.
    pub fn pick(&self, asked: &Asked<'_>) -> Option<(SocketAddr, Picked)> {
        let reach = self.reach.load();
        let draw = Draw { turn: self.turn.fetch_add(1, Relaxed), key: asked.key };
        let spot = &reach.spots[self.choose(&reach, draw, asked.tried)?];
        let mut peer = Box::new(spot.peer.clone());
        peers::suit(&mut peer, &self.version, asked.stream, asked.upgrade);
        Some((spot.endpoint.address, Picked { peer, place: spot.endpoint.take() }))
    }

    fn choose(&self, reach: &Reach, draw: Draw, tried: &[SocketAddr]) -> Option<usize> {
        let standing = |index: usize| self.standing(&reach.spots[index].endpoint);
        let is_new = |index: usize| !tried.contains(&reach.spots[index].endpoint.address);
        let live = |index: usize| reach.spots[index].endpoint.live();
        let choose = |part: &dyn Fn(usize) -> f64| {
            let part = |index| if is_new(index) { part(index) } else { 0.0 };
            reach.order.choose(self.version.balance, draw, part, live)
        };
        let whole = |is: bool| if is { 1.0 } else { 0.0 };
        choose(&|index| standing(index).part())
            // Better one that rests than none.
            .or_else(|| choose(&|index| whole(standing(index) == Standing::Resting)))
            .or_else(|| self.panics(reach).then(|| choose(&|_| 1.0)).flatten())
    }

    /// Whether all are asked because all are out.
    fn panics(&self, reach: &Reach) -> bool {
        self.is_default && reach.spots.iter().all(|spot| self.standing(&spot.endpoint).is_out())
    }

    /// Lets an endpoint rest after it refused a connection.
    pub fn rest(&self, address: SocketAddr) {
        if let Some(spot) = self.reach.load().find(address) {
            spot.endpoint.rest(millis());
        }
    }

    /// Takes what came of a request at an endpoint; it may be ejected for it.
    pub fn report(&self, address: SocketAddr, outcome: Outcome) {
        let Some(rule) = &self.version.outliers else { return };
        let reach = self.reach.load();
        let Some(spot) = reach.find(address) else { return };
        let (endpoint, now) = (&spot.endpoint, millis());
        let half = now / (rule.over.as_millis() as u64 / 2).max(1);
        endpoint.window.count(half, outcome.is_failure());
        if !outcome.is_failure() {
            // Stored only where it changes something: each store takes the line from every other thread.
            if endpoint.failures.load(Relaxed) != 0 {
                endpoint.failures.store(0, Relaxed);
            }
            return;
        }
        let row = endpoint.failures.fetch_add(1, Relaxed).saturating_add(1);
        let own = endpoint.window.counts(half);
        if row < rule.consecutive && own.requests < rule.at_least {
            return;
        }
        let others = reach.spots.iter().filter(|other| other.endpoint.address != address);
        let others =
            others.map(|other| other.endpoint.window.counts(half)).fold(Default::default(), |a, b| a + b);
        if let Some(why) = due(rule, row, own, others)
            && !self.ejecting.swap(true, Relaxed)
        {
            let out = reach.spots.iter().filter(|spot| spot.endpoint.is_ejected(now)).count();
            if !endpoint.is_ejected(now) && may_be_out(rule, out, reach.spots.len()) {
                let told = match why {
                    Why::Consecutive => format!("{row} failures in a row"),
                    Why::FailureRate => format!("{} of {} requests failed", own.failures, own.requests),
                };
                endpoint.eject(now, rule.first, rule.longest, told);
                if let Some(meters) = &self.meters {
                    meters.ejections[why as usize].inc();
                }
            }
            self.ejecting.store(false, Relaxed);
        }
    }

    /// Takes the result of a check.
    pub fn checked(&self, endpoint: &Endpoint, result: Result<(), String>) {
        let Some(health) = &self.version.health else { return };
        if self.is_retired() {
            return;
        }
        if let Some(checks) = self.meters.as_ref().and_then(|meters| meters.checks.as_ref()) {
            checks[usize::from(result.is_ok())].inc();
        }
        endpoint.checked(result, health.down_after, health.up_after, millis());
    }

    /// What it has now.
    pub fn spots(&self) -> Arc<Reach> {
        self.reach.load_full()
    }

    /// What an endpoint gets now.
    pub fn standing(&self, endpoint: &Endpoint) -> Standing {
        endpoint.standing(self.version.slow_start, millis)
    }

    /// Whether it serves traffic, and not copies of it.
    pub fn is_traffic(&self) -> bool {
        self.meters.is_some()
    }

    /// Its place was taken by another one: nothing is found out for it any more.
    pub fn retire(&self) {
        self.retired.store(true, Relaxed);
        self.changed.notify_one();
    }

    /// Whether its place was taken.
    pub fn is_retired(&self) -> bool {
        self.retired.load(Relaxed)
    }

    /// The endpoints that have names, with their ports.
    pub fn names(&self) -> impl Iterator<Item = (&str, u16)> {
        self.named().map(|(_, name, port)| (name, port))
    }

    /// Takes the addresses found for the name with this index among [`Pool::names`].
    pub fn found(&self, index: usize, addresses: Vec<SocketAddr>) {
        let addresses = dns::sorted(addresses);
        let Some((endpoint, name, _)) = self.named().nth(index).filter(|_| !addresses.is_empty()) else {
            return;
        };
        self.lose(name, None);
        if self.reach.load().known.get(endpoint) == Some(&addresses) {
            return;
        }
        self.reach.rcu(|before| {
            let mut known = before.known.clone();
            if let Some(known) = known.get_mut(endpoint) {
                known.clone_from(&addresses);
            }
            self.reached(known, before)
        });
        self.changed.notify_one();
    }

    /// Names that could not be resolved the last time.
    pub fn lost(&self) -> Arc<Vec<Lost>> {
        self.lost.load_full()
    }

    fn lose(&self, name: &str, lost: Option<Lost>) {
        if lost.is_none() && self.lost.load().is_empty() {
            return;
        }
        self.lost.rcu(|before| {
            let others = before.iter().filter(|lost| lost.name != name);
            others.chain(&lost).cloned().collect::<Vec<_>>()
        });
    }

    /// Tells that the name with this index could not be looked up; what was known of it stays.
    pub fn not_found(&self, index: usize, why: &str) {
        let Some((endpoint, name, _)) = self.named().nth(index) else { return };
        let known = self.reach.load().known.get(endpoint).is_some_and(|known| !known.is_empty());
        self.lose(name, Some(Lost { name: name.to_owned(), why: why.to_owned(), known }));
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

    /// What was found for an endpoint of the same name.
    fn known(&self, reach: &Reach, like: &crate::config::service::Endpoint) -> Option<Vec<SocketAddr>> {
        let same = |endpoint: &crate::config::service::Endpoint| {
            endpoint.host == like.host && endpoint.port == like.port
        };
        reach.known.get(self.version.endpoints.iter().position(same)?).cloned()
    }

    /// Known addresses, each with its endpoint's weight, the name it is verified by, and what was known of it before.
    fn reached(&self, known: Vec<Vec<SocketAddr>>, before: &Reach) -> Arc<Reach> {
        let Some(material) = &self.material else { return Arc::default() };
        let mut spots: Vec<Spot> = Vec::new();
        for (configured, known) in self.version.endpoints.iter().zip(&known) {
            for address in known {
                if spots.iter().any(|spot| spot.endpoint.address == *address) {
                    continue;
                }
                let host = match &configured.host {
                    EndpointHost::Address(address) => address.to_string(),
                    EndpointHost::Name(name) => name.to_string(),
                };
                let peer = peers::peer(*address, &host, &self.version, material.as_ref(), self.group);
                let endpoint = match before.find(*address) {
                    Some(spot) => Arc::clone(&spot.endpoint),
                    None => {
                        let endpoint = Endpoint::new(*address);
                        // Whoever is alone has nobody to leave a part of its share to.
                        if !before.spots.is_empty() {
                            endpoint.warm(millis());
                        }
                        Arc::new(endpoint)
                    }
                };
                spots.push(Spot { endpoint, host, weight: configured.weight, peer });
            }
        }
        Arc::new(Reach::new(known, spots))
    }
}
