//! How many connections there may be, in all and from one address.

#![expect(clippy::disallowed_types, reason = "taken when a connection begins and ends, never by a request")]

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::limits::ClientLimits;

/// The connections that are open.
#[derive(Debug, Default)]
pub struct Caps {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The place of one connection, until it is dropped.
#[derive(Debug)]
pub struct Place {
    caps: Arc<Caps>,
    address: IpAddr,
}

impl Caps {
    /// A place for a connection from there; none when all are taken.
    pub fn enter(self: &Arc<Caps>, from: IpAddr, limits: &ClientLimits) -> Option<Place> {
        let address = site(from);
        let mut open = self.places();
        let here = open.by_address.get(&address).copied().unwrap_or(0);
        if open.all >= limits.connections || here >= limits.connections_per_address {
            return None;
        }
        open.all += 1;
        open.by_address.insert(address, here + 1);
        drop(open);
        Some(Place { caps: self.clone(), address })
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.places().all
    }

    fn places(&self) -> MutexGuard<'_, Open> {
        // Nobody panics half way through a count.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.caps.places();
        open.all = open.all.saturating_sub(1);
        if let Some(here) = open.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

/// Whoever has one IPv6 address has its whole /64.
fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_all_and_by_address_and_are_free_again() {
        let limits = ClientLimits { connections: 3, connections_per_address: 2, ..ClientLimits::default() };
        let caps = Arc::new(Caps::default());
        let enter = |from: &str| caps.enter(from.parse().unwrap(), &limits);
        let first = enter("10.0.0.1");
        let _second = enter("::ffff:10.0.0.1").expect("an IPv4 client of an IPv6 socket");
        assert!(enter("10.0.0.1").is_none(), "two of one address");
        let third = enter("10.0.0.2").expect("another address");
        assert!(enter("10.0.0.3").is_none(), "three in all");
        drop((first, third));
        assert!(enter("10.0.0.1").is_some());
        let _here = enter("2001:db8::1").expect("there is a place");
        let _there = enter("2001:db8::2").expect("there is another");
        assert!(
            enter("2001:db8::3").is_none() && caps.places().by_address.len() == 2,
            "one /64 is one address"
        );
    }
}
