//! How often one client may ask: a token bucket for each (GCRA), of routes and of OpenFeature clients alike.
//!
//! The buckets are a fixed table: a client finds its own by a keyed hash. So no flood of addresses costs memory, nothing is swept, and no
//! request waits for a lock. Two clients of one bucket share its tokens; nobody can choose with whom.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use prometheus::IntCounter;

use crate::config::route::{Rate, RateBy, RateLimit};
use crate::config::{Config, Name};
use crate::context::RequestFacts;
use crate::context::headers::only_header;
use crate::route::RouteId;
use crate::snapshot::Plan;
use crate::telemetry::Metrics;
use crate::telemetry::limiter::uptime;

/// Buckets; a power of two. 8 bytes each.
const BUCKETS: usize = 1 << 16;

/// Who has a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client<'a> {
    V4(u32),
    /// The /64 of an address: its holder has all of that.
    V6(u64),
    Key(&'a str),
    Field(&'a str),
}

impl Client<'_> {
    pub fn at(address: IpAddr) -> Client<'static> {
        match address {
            IpAddr::V4(address) => Client::V4(address.into()),
            IpAddr::V6(address) => Client::V6((u128::from(address) >> 64) as u64),
        }
    }
}

/// One limit.
pub struct Limiter {
    /// That it was made for.
    pub rate: Rate,
    hasher: RandomState,
    limiter: RateLimiter<usize, Buckets, Uptime, NoOpMiddleware<Nanos>>,
}

impl Limiter {
    pub fn new(rate: Rate) -> Limiter {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Limiter {
            rate,
            hasher: RandomState::new(),
            limiter: RateLimiter::new(quota, Buckets::default(), Uptime),
        }
    }

    /// Takes a token of a client. None: there was one; else the seconds until there is.
    pub fn wait(&self, client: Client<'_>) -> Option<u64> {
        let bucket = self.hasher.hash_one(client) as usize % BUCKETS;
        let refused = self.limiter.check_key(&bucket).err()?;
        Some(refused.wait_time_from(Uptime.now()).as_secs_f64().ceil().max(1.0) as u64)
    }
}

/// The limits of a configuration's routes.
#[derive(Default)]
pub struct Rates(Vec<Option<RouteRate>>);

struct RouteRate {
    name: Name,
    limit: RateLimit,
    /// Outlives snapshots, as long as the limit is the same.
    limiter: Arc<Limiter>,
    refused: IntCounter,
}

impl Rates {
    /// Who has used up a bucket of `before` has done so here, too.
    pub fn new(config: &Config, metrics: &Metrics, before: Option<&Rates>) -> Rates {
        let rates = config.routes.iter().map(|route| {
            let limit = route.rate_limit.clone()?;
            let own = before.into_iter().flat_map(|before| before.0.iter().flatten());
            let same = own.filter(|own| own.name == route.name && own.limit == limit).last();
            let limiter =
                same.map_or_else(|| Arc::new(Limiter::new(limit.rate)), |own| Arc::clone(&own.limiter));
            let (name, refused) = (route.name.clone(), metrics.rate_limited(&route.name));
            Some(RouteRate { name, limit, limiter, refused })
        });
        Rates(rates.collect())
    }

    /// Takes a token of whoever asks; who has no name of the configured kind is known by the address. None: the request may go on; else the seconds until one may.
    pub fn wait(&self, route: RouteId, plan: &Plan, facts: &RequestFacts<'_>, now: i64) -> Option<u64> {
        let rate = self.0.get(route.0)?.as_ref()?;
        let address = || Client::at(facts.client_ip);
        let wait = match &rate.limit.by {
            RateBy::ClientIp => rate.limiter.wait(address()),
            RateBy::Header(name) => {
                rate.limiter.wait(only_header(facts.headers, name).map_or_else(address, Client::Field))
            }
            RateBy::TargetingKey => {
                // Nobody is minted here: whoever has no key would have a new bucket each time.
                let key = plan.key_rules.resolve(facts, false, now, 0);
                rate.limiter.wait(key.as_ref().map_or_else(address, |key| Client::Key(&key.value)))
            }
        }?;
        rate.refused.inc();
        Some(wait)
    }
}

struct Buckets(Box<[InMemoryState]>);

impl Default for Buckets {
    fn default() -> Buckets {
        Buckets(std::iter::repeat_with(InMemoryState::default).take(BUCKETS).collect())
    }
}

impl StateStore for Buckets {
    type Key = usize;

    fn measure_and_replace<T, F, E>(&self, bucket: &usize, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0[bucket % BUCKETS].measure_and_replace(&NotKeyed::NonKey, f)
    }
}

/// The clock of everything that is limited here.
#[derive(Debug, Clone, Copy)]
struct Uptime;

impl Clock for Uptime {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        uptime().into()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::snapshot::fixture::{facts, headers, snapshot};

    fn limiter(per_second: u32, burst: u32) -> Limiter {
        let some = |n| NonZeroU32::new(n).unwrap();
        Limiter::new(Rate { per_second: some(per_second), burst: some(burst) })
    }

    #[test]
    fn a_client_has_its_burst_and_then_waits_and_others_do_not() {
        let limiter = limiter(1, 3);
        let (ann, bob) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let asked: Vec<_> = (0..4).map(|_| limiter.wait(Client::at(ann))).collect();
        assert_eq!(asked, [None, None, None, Some(1)]);
        assert_eq!(limiter.wait(Client::at(bob)), None);
        assert_eq!(limiter.wait(Client::Key("192.0.2.1")), None);
    }

    #[test]
    fn the_holder_of_a_network_is_one_client() {
        let same =
            ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1"].map(|text| Client::at(text.parse().unwrap()));
        assert!(same.iter().all(|one| *one == same[0]));
        assert_ne!(same[0], Client::at("2001:db8:0:1::1".parse().unwrap()));
    }

    #[test]
    fn no_flood_of_addresses_makes_the_table_grow() {
        let limiter = limiter(1000, 1000);
        for n in 0..200_000u32 {
            limiter.wait(Client::V4(n));
        }
        assert_eq!(limiter.limiter.into_state_store().0.len(), BUCKETS);
    }

    /// How many of ten requests pass a limit of two, with these fields each.
    fn passed(by: &str, fields: impl Fn(usize) -> Vec<(&'static str, String)>) -> usize {
        let route = format!("    rate_limit: {{by: {by}, per_second: 1, burst: 2}}");
        let snapshot = snapshot("", &route, r#"{"flags":{}}"#);
        let rates = Rates::new(&snapshot.config, &Metrics::new(100), None);
        let again = Rates::new(&snapshot.config, &Metrics::new(100), Some(&rates));
        let asks = |index: usize| {
            let owned = fields(index);
            let lines: Vec<(&str, &str)> =
                owned.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let headers = headers(&lines);
            // A reload in the middle forgives nothing.
            let rates = if index < 5 { &rates } else { &again };
            rates.wait(RouteId(0), &snapshot.plans[0], &facts(&snapshot, "/", &headers), 0).is_none()
        };
        (0..10).filter(|index| asks(*index)).count()
    }

    #[test]
    fn clients_are_told_apart_as_configured_and_by_address_where_they_have_no_name() {
        let none = |_| Vec::new();
        assert_eq!(passed("client_ip", none), 2);
        assert_eq!(passed("client_ip", |n| vec![("cookie", format!("uid={n}"))]), 2);
        assert_eq!(passed("targeting_key", |n| vec![("cookie", format!("uid={n}"))]), 10);
        assert_eq!(passed("targeting_key", |n| vec![("cookie", format!("uid={}", n % 2))]), 4);
        assert_eq!(passed("targeting_key", none), 2);
        assert_eq!(passed("{header: x-api-key}", |n| vec![("x-api-key", n.to_string())]), 10);
        assert_eq!(passed("{header: x-api-key}", none), 2);
        let repeated = |n: usize| vec![("x-api-key", n.to_string()), ("x-api-key", "b".to_owned())];
        assert_eq!(passed("{header: x-api-key}", repeated), 2);
    }
}
