//! How often an address was refused at the door lately: who tries tokens has to wait.
//!
//! It stops nobody who holds a right token, so nobody can lock another one out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Refusals of one address in one [`WINDOW`] that are answered as what they are.
const FREE: u32 = 10;

/// From the first refusal on.
const WINDOW: Duration = Duration::from_secs(60);

/// Addresses that are told apart; further ones count as one.
const ADDRESSES: usize = 1024;

/// Refusals by address; times are since any fixed moment.
#[derive(Debug, Default)]
pub struct Failures {
    by_address: HashMap<Option<IpAddr>, Window>,
}

#[derive(Debug)]
struct Window {
    start: Duration,
    failures: u32,
}

impl Failures {
    /// Counts a refusal. An error: there were too many, and how long to wait.
    pub fn count(&mut self, from: Option<IpAddr>, now: Duration) -> Result<(), Duration> {
        let is_over = |window: &Window| now.saturating_sub(window.start) >= WINDOW;
        let mut address = from.map(network);
        if !self.by_address.contains_key(&address) && self.by_address.len() >= ADDRESSES {
            self.by_address.retain(|_, window| !is_over(window));
            if self.by_address.len() >= ADDRESSES {
                address = None;
            }
        }
        let window = self.by_address.entry(address).or_insert(Window { start: now, failures: 0 });
        if is_over(window) {
            *window = Window { start: now, failures: 0 };
        }
        window.failures = window.failures.saturating_add(1);
        if window.failures > FREE { Err(WINDOW - now.saturating_sub(window.start)) } else { Ok(()) }
    }
}

/// Whoever has one IPv6 address has its whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_eleventh_refusal_of_a_minute_has_to_wait_for_its_end() {
        let mut failures = Failures::default();
        let (ann, bob) = (Some(IpAddr::from([10, 0, 0, 1])), Some(IpAddr::from([10, 0, 0, 2])));
        for second in 0..10 {
            assert_eq!(failures.count(ann, at(second)), Ok(()), "{second}");
        }
        assert_eq!(failures.count(ann, at(10)), Err(at(50)));
        assert_eq!(failures.count(ann, at(59)), Err(at(1)));
        assert_eq!(failures.count(bob, at(59)), Ok(()), "another address");
        assert_eq!(failures.count(ann, at(60)), Ok(()), "another minute");
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let mut failures = Failures::default();
        let address = |last: u16| Some(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]));
        let refused = (0..20).filter(|last| failures.count(address(*last), at(0)).is_err()).count();
        assert_eq!(refused, 10);
        let mapped = Some(IpAddr::V6(std::net::Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped()));
        assert_eq!((0..11).filter(|_| failures.count(mapped, at(0)).is_err()).count(), 1);
        assert!(failures.count(Some(IpAddr::from([10, 0, 0, 1])), at(0)).is_err());
    }

    #[test]
    fn the_table_is_bounded_and_forgets_what_is_over() {
        let mut failures = Failures::default();
        let address = |number: u32| Some(IpAddr::from(number.to_be_bytes()));
        let refused = (0..5000).filter(|number| failures.count(address(*number), at(0)).is_err()).count();
        assert!(failures.by_address.len() <= ADDRESSES + 1, "{}", failures.by_address.len());
        assert!(refused > 3000, "what does not fit counts as one: {refused}");
        assert_eq!(failures.count(address(9999), at(60)), Ok(()));
        assert_eq!(failures.by_address.len(), 1);
    }
}
