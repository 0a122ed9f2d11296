//! The metrics of who asks: tokens that were looked at, the keys that verify them, and clients that ask too often.

use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::bounded::Bounded;
use super::metrics::{counters, gauge, registered};
use crate::context::Refused;

#[derive(Debug)]
pub(super) struct IdentityMetrics {
    tokens: IntCounterVec,
    reads: IntCounterVec,
    keys: IntGauge,
    age: Gauge,
    limited: Bounded<1>,
}

impl IdentityMetrics {
    /// Registers them. `max_series` bounds those by route.
    pub(super) fn new(registry: &Registry, max_series: usize) -> IdentityMetrics {
        let age = "Seconds since the keys of tokens were last read and found good; NaN when they never were.";
        let limited = Opts::new("flagway_rate_limited_total", "Requests that a route's rate limit refused.");
        IdentityMetrics {
            tokens: counters(
                registry,
                "flagway_jwt_total",
                "Tokens that a rule or a key asked for, by what became of them.",
                "result",
            ),
            reads: counters(
                registry,
                "flagway_jwks_reads_total",
                "Readings of the keys of tokens.",
                "result",
            ),
            keys: gauge(registry, "flagway_jwks_keys", "Keys that tokens can be verified with."),
            age: registered(registry, Gauge::new("flagway_jwks_age_seconds", age)),
            limited: Bounded::new(registry, limited, ["route"], 1, 1, max_series),
        }
    }
}

/// The counters of tokens and their keys.
#[derive(Debug, Clone)]
pub struct TokenCounters {
    good: IntCounter,
    /// As [`Refused::ALL`].
    refused: [IntCounter; Refused::ALL.len()],
    read: IntCounter,
    failed: IntCounter,
    keys: IntGauge,
    age: Gauge,
}

impl TokenCounters {
    /// A token was looked at.
    pub fn token(&self, result: Result<(), Refused>) {
        match result {
            Ok(()) => self.good.inc(),
            Err(why) => self.refused[why as usize].inc(),
        }
    }

    /// Keys were read.
    pub fn read(&self, good: bool) {
        if good { self.read.inc() } else { self.failed.inc() }
    }

    /// How many keys there are, and since how many seconds.
    pub fn keys(&self, keys: usize, age: Option<f64>) {
        self.keys.set(keys as i64);
        self.age.set(age.unwrap_or(f64::NAN));
    }
}

impl super::Metrics {
    /// The counters of tokens.
    pub fn tokens(&self) -> TokenCounters {
        let metrics = &self.identity;
        TokenCounters {
            good: metrics.tokens.with_label_values(&["good"]),
            refused: Refused::ALL.map(|why| metrics.tokens.with_label_values(&[why.label()])),
            read: metrics.reads.with_label_values(&["good"]),
            failed: metrics.reads.with_label_values(&["failed"]),
            keys: metrics.keys.clone(),
            age: metrics.age.clone(),
        }
    }

    /// Counts requests of a route that come too often.
    pub fn rate_limited(&self, route: &str) -> IntCounter {
        self.identity.limited.get([route])
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::samples;
    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn tokens_are_counted_by_what_became_of_them() {
        let metrics = Metrics::new(100);
        let tokens = metrics.tokens();
        tokens.token(Ok(()));
        Refused::ALL.iter().for_each(|why| tokens.token(Err(*why)));
        tokens.token(Err(Refused::Expired));
        let lines = samples(&metrics, "flagway_jwt_total");
        assert_eq!(lines.len(), Refused::ALL.len() + 1);
        assert!(lines.contains(&"{result=\"expired\"} 2".to_owned()), "{lines:?}");
        assert!(lines.contains(&"{result=\"good\"} 1".to_owned()), "{lines:?}");
    }
}
