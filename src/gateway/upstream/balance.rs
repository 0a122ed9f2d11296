//! Which of several endpoints serves: pure, without a lock or an allocation.
//!
//! It is told of each endpoint how much of its weight counts just now (0: it is not to be picked; slow start: a part) and how many requests
//! it has. It knows nothing of health, time or addresses.
//!
//! - Round robin is a [`Ring`]. The turn of one that is not to be picked goes to the others by their weights, so that no neighbour gets it all.
//! - Least requests takes whose turn it is, or a random other one that has strictly fewer for its weight (two choices: Mitzenmacher 2001).
//!   So shares follow the weights while nothing waits.
//! - Hash is weighted rendezvous (Thaler and Ravishankar 1998; the weights as in Schindelhauer and Schomaker 2005): each endpoint draws by
//!   the key, the highest wins. One that goes takes nobody else's keys with it, and brings back exactly its own.

use super::ring::Ring;
use crate::config::service::Balance;

/// Endpoints with weights, in a fixed order.
#[derive(Debug, Default)]
pub struct Order {
    ring: Ring,
    seats: Vec<Seat>,
}

#[derive(Debug)]
struct Seat {
    weight: f64,
    /// What it draws by: of its name, the same on every node.
    seed: u64,
}

/// What one choice is made by.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    /// Goes up by one with each choice.
    pub turn: u64,
    /// Of the targeting key.
    pub key: Option<u64>,
}

impl Order {
    /// Endpoints by name and weight (at least 1).
    pub fn new<'a>(endpoints: impl Iterator<Item = (&'a str, u32)> + Clone) -> Order {
        let seat =
            |(name, weight): (&str, u32)| Seat { weight: f64::from(weight), seed: hash(name.as_bytes()) };
        Order {
            ring: Ring::new(endpoints.clone().map(|(_, weight)| weight)),
            seats: endpoints.map(seat).collect(),
        }
    }

    /// The index of the one that serves. `part` is how much of an endpoint's weight counts, from 0 to 1; `live` how many requests it has.
    pub fn choose(
        &self,
        balance: Balance,
        draw: Draw,
        part: impl Fn(usize) -> f64,
        live: impl Fn(usize) -> u32,
    ) -> Option<usize> {
        if let (Balance::Hash, Some(key)) = (balance, draw.key) {
            return self.rendezvous(key, part);
        }
        let first = self.in_turn(draw.turn, &part)?;
        if balance != Balance::LeastRequests {
            return Some(first);
        }
        let Some(second) = self.another(first, draw.turn, &part) else { return Some(first) };
        let load = |index: usize| f64::from(live(index)) / (self.seats[index].weight * part(index));
        Some(if load(second) < load(first) { second } else { first })
    }

    fn in_turn(&self, turn: u64, part: &impl Fn(usize) -> f64) -> Option<usize> {
        let index = self.ring.at(turn)?;
        let chance = part(index);
        if chance >= 1.0 || unit(mixed(turn)) < chance {
            return Some(index);
        }
        let weight = |index: usize| self.seats[index].weight * part(index);
        let sum: f64 = (0..self.seats.len()).map(weight).sum();
        let mut left = unit(mixed(!turn)) * sum;
        let mut last = None;
        for index in (0..self.seats.len()).filter(|index| part(*index) > 0.0) {
            left -= weight(index);
            last = Some(index);
            if left < 0.0 {
                break;
            }
        }
        last
    }

    /// A random one besides `first`.
    fn another(&self, first: usize, turn: u64, part: &impl Fn(usize) -> f64) -> Option<usize> {
        let count = self.seats.len();
        let start = (mixed(turn ^ SECOND) % count.max(1) as u64) as usize;
        (0..count).map(|step| (start + step) % count).find(|index| *index != first && part(*index) > 0.0)
    }

    fn rendezvous(&self, key: u64, part: impl Fn(usize) -> f64) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for (index, seat) in self.seats.iter().enumerate() {
            let weight = seat.weight * part(index);
            if weight > 0.0 {
                let score = weight / -unit(mixed(key ^ seat.seed)).ln();
                if best.is_none_or(|(_, highest)| score > highest) {
                    best = Some((index, score));
                }
            }
        }
        best.map(|(index, _)| index)
    }
}

/// Tells the second choice's draws from the first's.
const SECOND: u64 = 0x9e37_79b9_7f4a_7c15;

/// The same on every node and in every release, as it decides who keeps an endpoint's caches (FNV-1a, mixed).
pub fn hash(bytes: &[u8]) -> u64 {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    mixed(bytes.iter().fold(0xcbf2_9ce4_8422_2325, fold))
}

/// Every bit of the input moves every bit of the output (the finaliser of SplitMix64).
fn mixed(bits: u64) -> u64 {
    let bits = bits.wrapping_add(SECOND);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Strictly between 0 and 1.
fn unit(bits: u64) -> f64 {
    ((bits >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn order(weights: &[u32]) -> Order {
        let names: Vec<String> = (0..weights.len()).map(|index| format!("10.0.0.{index}:80")).collect();
        Order::new(names.iter().map(String::as_str).zip(weights.iter().copied()))
    }

    /// How often each is chosen in 60,000 draws.
    fn counts(order: &Order, balance: Balance, keyed: bool, part: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut counts = vec![0.0; order.seats.len()];
        for turn in 0..60_000 {
            let draw = Draw { turn, key: keyed.then(|| hash(&turn.to_le_bytes())) };
            if let Some(index) = order.choose(balance, draw, &part, |_| 0) {
                counts[index] += 1.0;
            }
        }
        counts
    }

    #[test]
    fn shares_follow_the_weights_that_count() {
        // weights, parts
        let table: [(&[u32], &[f64]); 6] = [
            (&[1, 1, 1], &[1.0, 1.0, 1.0]),
            (&[3, 1], &[1.0, 1.0]),
            (&[1, 1, 1, 1], &[1.0, 0.0, 1.0, 1.0]),
            (&[3, 2, 1], &[0.0, 1.0, 1.0]),
            (&[1, 1], &[1.0, 0.1]),
            (&[5, 1], &[0.0, 0.0]),
        ];
        for (weights, parts) in table {
            let order = order(weights);
            for (balance, keyed) in [
                (Balance::RoundRobin, false),
                (Balance::LeastRequests, false),
                (Balance::Hash, true),
                (Balance::Hash, false),
            ] {
                let counts = counts(&order, balance, keyed, |index| parts[index]);
                let weight = |index: usize| f64::from(weights[index]) * parts[index];
                let sum: f64 = (0..weights.len()).map(weight).sum();
                for (index, count) in counts.iter().enumerate() {
                    let expected = if sum > 0.0 { 60_000.0 * weight(index) / sum } else { 0.0 };
                    // An endpoint that starts slowly gives up turns, which others get, itself by its part.
                    let slack = if parts.contains(&0.1) { 6_000.0 } else { 1_500.0 };
                    assert!(
                        (count - expected).abs() <= slack,
                        "{balance:?} {keyed} {weights:?} {parts:?}: {counts:?}"
                    );
                    assert!(
                        expected > 0.0 || *count == 0.0,
                        "{balance:?} picked one that is out: {counts:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn fewer_requests_for_the_weight_win() {
        // weights, live requests, who is never chosen
        let table: [(&[u32], &[u32], &[usize]); 4] = [
            (&[1, 1], &[5, 1], &[0]),
            (&[3, 1], &[5, 2], &[1]),
            (&[3, 1], &[7, 2], &[0]),
            (&[1, 1, 1], &[0, 9, 0], &[1]),
        ];
        for (weights, live, never) in table {
            let order = order(weights);
            let chosen: Vec<_> = (0..500)
                .filter_map(|turn| {
                    let draw = Draw { turn, key: None };
                    order.choose(Balance::LeastRequests, draw, |_| 1.0, |index| live[index])
                })
                .collect();
            if weights.len() == 2 {
                assert!(never.iter().all(|index| !chosen.contains(index)), "{weights:?} {live:?}");
            } else {
                // It is looked at beside one other: it wins never, and its turn goes to that one.
                assert!(!chosen.contains(&1), "{weights:?} {live:?}");
            }
        }
    }

    proptest! {
        /// Whoever goes takes only its own keys along; whoever comes takes from each about its share.
        #[test]
        fn only_the_keys_of_the_one_that_goes_move(weights in prop::collection::vec(1_u32..10, 2..12), gone in 0_usize..12) {
            let gone = gone % weights.len();
            let order = order(&weights);
            let choose = |key: u64, out: Option<usize>| {
                let draw = Draw { turn: 0, key: Some(hash(&key.to_le_bytes())) };
                order.choose(Balance::Hash, draw, |index| f64::from(u8::from(Some(index) != out)), |_| 0)
            };
            let mut moved = 0.0;
            for key in 0..2_000 {
                let (with, without) = (choose(key, None), choose(key, Some(gone)));
                prop_assert_ne!(without, Some(gone));
                if with == Some(gone) { moved += 1.0 } else { prop_assert_eq!(with, without) }
            }
            let sum: u32 = weights.iter().sum();
            let expected = 2_000.0 * f64::from(weights[gone]) / f64::from(sum);
            prop_assert!((moved - expected).abs() < 150.0, "{} of 2000 moved, {} expected", moved, expected);
        }

        #[test]
        fn one_that_can_be_picked_is_found(weights in prop::collection::vec(1_u32..1000, 1..20), only in 0_usize..20, turn: u64, key: u64) {
            let only = only % weights.len();
            let order = order(&weights);
            let part = |index| f64::from(u8::from(index == only));
            for balance in [Balance::RoundRobin, Balance::LeastRequests, Balance::Hash] {
                for key in [None, Some(key)] {
                    prop_assert_eq!(order.choose(balance, Draw { turn, key }, part, |_| 3), Some(only));
                }
            }
        }
    }

    #[test]
    fn a_key_has_the_same_endpoint_on_every_node() {
        let order = order(&[1, 1, 1, 1]);
        let chosen = |key: &str| {
            order.choose(Balance::Hash, Draw { turn: 0, key: Some(hash(key.as_bytes())) }, |_| 1.0, |_| 0)
        };
        let seats: Vec<_> =
            ["ann", "bob", "cy", "dora", "eve", "fay"].map(chosen).into_iter().flatten().collect();
        assert_eq!(seats, [3, 1, 1, 0, 0, 3], "a change here moves every user once");
    }
}
