//! How often one client may ask: a token bucket for each address (GCRA).
//!
//! The buckets are a fixed table: an address finds its own by a keyed hash. So no flood of addresses costs memory, nothing is swept,
//! and no request waits for a lock. Two addresses of one bucket share its tokens; nobody can choose with whom.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use crate::config::route::Rate;
use crate::telemetry::limiter::uptime;

/// Buckets; a power of two. 8 bytes each.
const BUCKETS: usize = 1 << 16;

/// The limit of one door.
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
    pub fn wait(&self, client: IpAddr) -> Option<u64> {
        let bucket = self.hasher.hash_one(owner(client)) as usize % BUCKETS;
        let refused = self.limiter.check_key(&bucket).err()?;
        Some(refused.wait_time_from(Uptime.now()).as_secs_f64().ceil().max(1.0) as u64)
    }
}

/// Who has a bucket: an IPv4 address, or the /64 of an IPv6 one, as its holder has all of that.
fn owner(client: IpAddr) -> u64 {
    match client {
        IpAddr::V4(address) => u64::from(u32::from(address)),
        IpAddr::V6(address) => (u128::from(address) >> 64) as u64,
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

    fn limiter(per_second: u32, burst: u32) -> Limiter {
        let some = |n| NonZeroU32::new(n).unwrap();
        Limiter::new(Rate { per_second: some(per_second), burst: some(burst) })
    }

    #[test]
    fn a_client_has_its_burst_and_then_waits_and_others_do_not() {
        let limiter = limiter(1, 3);
        let (ann, bob) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let asked: Vec<_> = (0..4).map(|_| limiter.wait(ann)).collect();
        assert_eq!(asked, [None, None, None, Some(1)]);
        assert_eq!(limiter.wait(bob), None);
    }

    #[test]
    fn the_holder_of_a_network_is_one_client() {
        let same =
            ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1"].map(|text| owner(text.parse().unwrap()));
        assert!(same.iter().all(|one| *one == same[0]));
        assert_ne!(same[0], owner("2001:db8:0:1::1".parse().unwrap()));
    }

    #[test]
    fn no_flood_of_addresses_makes_the_table_grow() {
        let limiter = limiter(1000, 1000);
        for n in 0..200_000u32 {
            limiter.wait(IpAddr::from(n.to_be_bytes()));
        }
        assert_eq!(limiter.limiter.into_state_store().0.len(), BUCKETS);
    }
}
