//! Fisher's exact test, one-sided: two samples, and how probable it is that the first has so many if both have one rate.
//!
//! The probability is a tail of the hypergeometric distribution. Its first term comes from C. Loader, "Fast and Accurate
//! Computation of Binomial Probabilities" (2000), which loses no digits where factorials would cancel (log-gamma loses
//! seven of them at 10^7); each further term from the one before.

use std::f64::consts::TAU;

/// The probability of `a` or more of `n` in the first sample, given `b` of `m` in the second and `a + b` of all.
///
/// At least as good as 1e-9, up to counts of 10^9. It stops adding when it is over `enough`; the answer is then just more than that.
pub(super) fn fisher((a, n): (u64, u64), (b, m): (u64, u64), enough: f64) -> f64 {
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
        // What is left is less than a geometric series.
        let rest = if ratio < 1.0 { term / (1.0 - ratio) } else { f64::INFINITY };
        if sum > enough || !(rest > sum * 1e-15) {
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
