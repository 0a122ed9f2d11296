//! Figures: asked for by the environment, and told.

use std::str::FromStr;

/// What a variable of the environment says.
pub fn number<T: FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| unreadable(name, &text)),
        Err(_) => default,
    }
}

#[expect(clippy::panic, reason = "a benchmark that was asked wrongly measures nothing")]
fn unreadable<T>(name: &str, text: &str) -> T {
    panic!("{name} is no number: {text}")
}

/// The one in the middle.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Says whether a claim holds.
pub fn verdict(claim: &str, holds: bool) -> bool {
    println!("{}: {claim}", if holds { "holds" } else { "DOES NOT HOLD" });
    holds
}
