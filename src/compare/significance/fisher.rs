//! Fisher's exact test, one-sided: two samples, and how probable it is that the first has so many if both have one rate.
//!
//! The probability is a tail of the hypergeometric distribution. Its first term comes from C. Loader, "Fast and Accurate
//! Computation of Binomial Probabilities" (2000), which loses no digits where factorials would cancel (log-gamma loses
//! seven of them at 10^7); each further term from the one before.

use std::f64::consts::TAU;

/// So many of so many.
pub(super) type Sample = (u64, u64);

/// The probability of `a` or more of `n` in the first sample, given `b` of `m` in the second and `a + b` of all.
///
/// Nine digits or more. It stops adding when it is over `enough`, and the answer is then no more than a number above that.
pub(super) fn fisher((a, n): Sample, (b, m): Sample, enough: f64) -> f64 {
    let [a, n, b, m] = [a, n, b, m].map(|count| count as f64);
    let (marked, all) = (a + b, n + m);
    if a == 0.0 || b == m {
        return 1.0;
    }
    // Below the mean the other tail is the shorter sum.
    if a * all <= n * marked {
        return (1.0 - sum(a - 1.0, -1.0, [n, marked, all], f64::INFINITY)).clamp(0.0, 1.0);
    }
    sum(a, 1.0, [n, marked, all], enough).min(1.0)
}

/// The sum of the probabilities from `x` on, away from the mean.
fn sum(mut x: f64, step: f64, [n, marked, all]: [f64; 3], enough: f64) -> f64 {
    let mut term = probability(x, [n, marked, all]);
    let mut sum = 0.0;
    loop {
        sum += term;
        let up = x + step.max(0.0);
        // p(up) / p(up - 1); it falls as `up` grows.
        let ratio = (marked - up + 1.0) * (n - up + 1.0) / (up * (all - marked - n + up));
        let ratio = if step > 0.0 { ratio } else { 1.0 / ratio };
        x += step;
        term *= ratio;
        // Ratios fall from here on, so what is left is less than a geometric series.
        let rest = if ratio < 1.0 { term / (1.0 - ratio) } else { f64::INFINITY };
        if sum > enough || rest <= sum * 1e-15 {
            return sum;
        }
    }
}

/// That `x` of `n` are marked, drawn from `all` of which some are `marked`.
fn probability(x: f64, [n, marked, all]: [f64; 3]) -> f64 {
    let share = n / all;
    (binomial(x, marked, share) + binomial(n - x, all - marked, share) - binomial(n, all, share)).exp()
}

/// The logarithm of the probability of `x` of `n` at rate `p`, which is neither 0 nor 1.
fn binomial(x: f64, n: f64, p: f64) -> f64 {
    if x == 0.0 {
        return n * (-p).ln_1p();
    }
    if x == n {
        return n * p.ln();
    }
    let correction = stirling(n) - stirling(x) - stirling(n - x);
    let distance = deviance(x, n * p) + deviance(n - x, n * (1.0 - p));
    correction - distance - 0.5 * (TAU * x * ((n - x) / n)).ln()
}

/// `ln(n!)` less Stirling's formula, for whole `n` from 1.
fn stirling(n: f64) -> f64 {
    if n > 15.0 {
        let square = n * n;
        return (1.0 / 12.0
            - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / square) / square) / square)
                / square)
            / n;
    }
    let factorial: f64 = (1..=n as u32).map(f64::from).product();
    factorial.ln() - (0.5 * (TAU * n).ln() + n * n.ln() - n)
}

/// `x ln(x / mean) + mean - x`, without cancellation where both are close.
fn deviance(x: f64, mean: f64) -> f64 {
    let (apart, both) = (x - mean, x + mean);
    if apart.abs() >= 0.1 * both {
        return x * (x / mean).ln() + mean - x;
    }
    let v = apart / both;
    let mut sum = apart * v;
    let mut term = 2.0 * x * v;
    for odd in (3..).step_by(2).map(f64::from) {
        term *= v * v;
        let next = sum + term / odd;
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Computed with whole numbers (Python's `math.comb` and `fractions`); those of millions with 50 digits.
    const KNOWN: &[(Sample, Sample, f64)] = &[
        ((3, 4), (1, 4), 0.242_857_142_857_142_85),
        ((1, 24), (0, 1), 0.96),
        ((8, 10), (1, 6), 0.024_475_524_475_524_476),
        ((5, 10), (5, 10), 0.671_859_100_650_670_3),
        ((2, 10), (7, 10), 0.997_261_252_679_209_3),
        ((10, 10), (0, 10), 5.412_544_112_234_515e-6),
        ((0, 5), (3, 5), 1.0),
        ((7, 20), (20, 20), 1.0),
        ((1, 1), (0, 1), 0.5),
        ((20, 1000), (0, 1000), 8.664_334_586_091_26e-7),
        ((20, 1000), (0, 100), 0.146_066_438_873_204_5),
        ((50, 50), (0, 5), 2.874_586_670_369_134e-7),
        ((990, 1000), (970, 1000), 0.001_004_166_780_915_004_9),
        ((500, 1000), (505, 1000), 0.605_773_914_415_952_3),
        ((16, 40), (15, 300), 5.872_881_363_066_251e-9),
        ((5100, 10_000), (4900, 10_000), 0.002_443_676_339_600_03),
        ((5200, 100_000), (470, 10_000), 0.015_623_863_046_531_041),
        ((5_004_000, 10_000_000), (4_996_000, 10_000_000), 1.736_062_385_369_535e-4),
        ((101_000, 10_000_000), (9_700, 1_000_000), 6.274_439_953_938_93e-5),
        ((1_000, 10_000_000), (870, 10_000_000), 0.001_421_145_365_007_504),
        ((4_999_000, 10_000_000), (5_000_000, 10_000_000), 0.672_800_995_338_397_6),
    ];

    #[test]
    fn known_values_come_out_to_nine_digits() {
        for (first, second, expected) in KNOWN {
            let found = fisher(*first, *second, f64::INFINITY);
            assert!((found / expected - 1.0).abs() < 1e-9, "{first:?} {second:?}: {found} is not {expected}");
        }
    }

    #[test]
    fn what_is_over_the_level_is_over_it_however_early_the_sum_ends() {
        for (first, second, expected) in KNOWN {
            for level in [1e-9, 1e-6, 1e-3, 0.1, 0.9] {
                let found = fisher(*first, *second, level);
                assert_eq!(found < level, *expected < level, "{first:?} {second:?} at {level}: {found}");
            }
        }
    }

    #[test]
    fn counts_at_the_edges_have_a_probability() {
        for n in [0, 1, 15, 16, 10_000_000, 1_000_000_000] {
            for m in [0, 1, 15, 16, 10_000_000] {
                for (a, b) in [(0, 0), (0, m), (n, 0), (n, m), (n / 2, m / 2), (n.min(1), 0), (n, m.min(1))] {
                    let found = fisher((a, n), (b, m), 0.001);
                    assert!((0.0..=1.0).contains(&found), "{a} of {n}, {b} of {m}: {found}");
                }
            }
        }
    }

    fn choose(n: u64, k: u64) -> u128 {
        (0..u128::from(k)).fold(1, |product, i| product * (u128::from(n) - i) / (i + 1))
    }

    proptest! {
        #[test]
        fn it_is_the_share_of_all_draws_with_so_many(n in 0u64..50, m in 0u64..50, a in 0u64..50, b in 0u64..50) {
            let (a, b) = (a.min(n), b.min(m));
            let marked = a + b;
            let draws = |x| choose(marked, x) * choose(n + m - marked, n - x);
            let so_many: u128 = (a..=n.min(marked)).filter(|x| n - x <= n + m - marked).map(draws).sum();
            let expected = so_many as f64 / choose(n + m, n) as f64;
            let found = fisher((a, n), (b, m), f64::INFINITY);
            prop_assert!((found - expected).abs() <= 1e-9 * expected, "{} is not {}", found, expected);
        }
    }
}
