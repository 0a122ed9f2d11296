//! Whose turn it is: weighted round robin, interleaved, without a lock or an allocation.
//!
//! A cycle has as many slots as the weights' sum and visits each once, in steps of about the golden ratio of its length, so that
//! shares are exact after each cycle and heavy endpoints come in no bursts. Pingora's own balancer is not used: it writes the weights out slot
//! by slot (a large weight is a large allocation), panics beyond 65,535 backends, and allocates and hashes on each pick.

/// The order of turns.
#[derive(Debug, Default)]
pub struct Ring {
    /// For each index, the first slot behind it.
    ends: Vec<u64>,
    /// The weights' sum over their greatest common divisor.
    slots: u64,
    /// Coprime to `slots`.
    step: u64,
}

impl Ring {
    /// The order for these weights, each at least 1.
    pub fn new(weights: impl Iterator<Item = u32> + Clone) -> Ring {
        let common = weights.clone().fold(0, |common, weight| gcd(common, u64::from(weight))).max(1);
        let mut slots = 0;
        let ends = weights
            .map(|weight| {
                slots += u64::from(weight.max(1)) / common;
                slots
            })
            .collect();
        Ring { ends, slots, step: golden_step(slots) }
    }

    /// The index that a turn falls on; none where there is none.
    pub fn at(&self, turn: u64) -> Option<usize> {
        let slot = turn.checked_rem(self.slots)? as u128 * u128::from(self.step) % u128::from(self.slots);
        Some(self.ends.partition_point(|end| u128::from(*end) <= slot))
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

    fn ring(weights: &[u32]) -> Ring {
        Ring::new(weights.iter().copied())
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
    fn nobody_has_no_turn() {
        assert_eq!(ring(&[]).at(7), None);
        assert_eq!(Ring::default().at(0), None);
    }
}
