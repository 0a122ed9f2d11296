//! The addresses of a version and whose turn it is: weighted round robin, interleaved, without a lock or an allocation.
//!
//! A cycle has as many slots as the weights' sum and visits each once, in steps of about the golden ratio of its length, so that
//! shares are exact after each cycle and heavy endpoints come in no bursts. Pingora's own balancer is not used: it writes the weights out slot
//! by slot (a large weight is a large allocation), panics beyond 65,535 backends, and allocates and hashes on each pick.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use pingora::upstreams::peer::HttpPeer;

use crate::telemetry::limiter::uptime;

/// How long an endpoint that refused a connection is passed over while others are there.
const REST_MILLIS: u64 = 2000;

/// The endpoints that are known now.
#[derive(Debug, Default)]
pub struct Ring {
    spots: Vec<Spot>,
    /// The weights' sum over their greatest common divisor.
    slots: u64,
    /// Coprime to `slots`.
    step: u64,
}

/// Milliseconds of [`uptime`].
fn millis() -> u64 {
    uptime().as_millis() as u64
}

/// One address.
#[derive(Debug)]
struct Spot {
    address: SocketAddr,
    peer: HttpPeer,
    /// The first slot behind it.
    end: u64,
    /// When it may be tried again, in [`millis`]; 0: now.
    rests_until: AtomicU64,
}

impl Ring {
    /// A ring of addresses with weights of at least 1; `peer` makes the ready peer of one.
    pub fn new(addresses: &[(SocketAddr, u32)], peer: impl Fn(SocketAddr) -> HttpPeer) -> Ring {
        let common = addresses.iter().fold(0, |common, (_, weight)| gcd(common, u64::from(*weight)));
        let mut slots = 0;
        let spots: Vec<Spot> = addresses
            .iter()
            .map(|(address, weight)| {
                slots += u64::from((*weight).max(1)) / common.max(1);
                Spot { address: *address, peer: peer(*address), end: slots, rests_until: AtomicU64::new(0) }
            })
            .collect();
        Ring { spots, slots, step: golden_step(slots) }
    }

    /// The endpoint whose turn it is, or the next one behind it that was not tried and does not rest, or at least was not tried.
    pub fn pick(&self, turn: u64, tried: &[SocketAddr]) -> Option<(SocketAddr, Box<HttpPeer>)> {
        let start = self.at(turn)?;
        let order = || {
            let (before, from) = self.spots.split_at(start);
            from.iter().chain(before).filter(|spot| !tried.contains(&spot.address))
        };
        let spot = order().find(|spot| !spot.rests()).or_else(|| order().next())?;
        Some((spot.address, Box::new(spot.peer.clone())))
    }

    /// Lets an endpoint rest after it refused a connection.
    pub fn rest(&self, address: SocketAddr) {
        if let Some(spot) = self.spots.iter().find(|spot| spot.address == address) {
            spot.rests_until.store(millis() + REST_MILLIS, Ordering::Relaxed);
        }
    }

    /// The index of the spot that a turn falls on.
    fn at(&self, turn: u64) -> Option<usize> {
        let slot = turn.checked_rem(self.slots)? as u128 * u128::from(self.step) % u128::from(self.slots);
        Some(self.spots.partition_point(|spot| u128::from(spot.end) <= slot))
    }
}

impl Spot {
    /// The clock is read only for an endpoint that failed.
    fn rests(&self) -> bool {
        let until = self.rests_until.load(Ordering::Relaxed);
        until != 0 && millis() < until
    }
}

/// The number nearest to `slots` over the golden ratio, from there downwards, that is coprime to `slots`.
fn golden_step(slots: u64) -> u64 {
    let near = (slots as f64 * 0.618_033_988_749_895) as u64;
    (1..=near).rev().find(|step| gcd(*step, slots) == 1).unwrap_or(1)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: usize) -> SocketAddr {
        ([127, 0, 0, 1], last as u16).into()
    }

    #[expect(clippy::disallowed_methods, reason = "it is given an address")]
    fn ring(weights: &[u32]) -> Ring {
        let addresses: Vec<_> =
            weights.iter().enumerate().map(|(index, weight)| (address(index), *weight)).collect();
        Ring::new(&addresses, |address| HttpPeer::new(address, false, String::new()))
    }

    #[test]
    fn shares_are_exact_after_each_cycle_and_interleaved() {
        for (weights, cycle) in
            [(vec![1, 1, 1], 3_u64), (vec![3, 1], 4), (vec![30, 10], 4), (vec![5, 2, 1], 8), (vec![7], 1)]
        {
            let ring = ring(&weights);
            let mut counts = vec![0_u64; weights.len()];
            let picks: Vec<usize> = (0..10 * cycle).map(|turn| ring.at(turn).unwrap()).collect();
            picks.iter().for_each(|index| counts[*index] += 1);
            let sum: u32 = weights.iter().sum();
            for (count, weight) in counts.iter().zip(&weights) {
                assert_eq!(*count, 10 * cycle * u64::from(*weight) / u64::from(sum), "{weights:?}");
            }
            let longest = picks.chunk_by(|a, b| a == b).map(<[usize]>::len).max().unwrap();
            assert!(weights.len() == 1 || longest <= 4, "{weights:?} come in bursts of {longest}");
        }
    }

    #[test]
    fn huge_weights_cost_nothing() {
        let ring = ring(&[u32::MAX, 1, u32::MAX - 1]);
        let heavy = (0..1000).filter(|turn| ring.at(*turn) != Some(1)).count();
        assert!(heavy >= 999);
        assert_eq!(ring.at(u64::MAX).map(|index| index < 3), Some(true));
    }

    #[test]
    fn a_tried_endpoint_is_not_picked_again_and_a_resting_one_last() {
        let ring = ring(&[1, 1, 1]);
        let picked = |tried: &[SocketAddr]| ring.pick(0, tried).map(|(address, _)| address.port());
        assert_eq!(picked(&[]), Some(0));
        assert_eq!(picked(&[address(0)]), Some(1));
        ring.rest(address(1));
        assert_eq!(picked(&[address(0)]), Some(2));
        assert_eq!(picked(&[address(0), address(2)]), Some(1), "better a resting one than none");
        assert_eq!(picked(&[address(0), address(1), address(2)]), None);
        assert_eq!(Ring::default().pick(7, &[]).map(|(address, _)| address), None);
    }
}
