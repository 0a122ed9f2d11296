//! The metrics of versions that fail: how often and why, whether they are held out, which of their limits bit.

use std::collections::HashSet;

use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use super::Metrics;
use super::bounded::{Bounded, Cell, OTHER};
use super::metrics::{FAILURES, gauges_of};
use super::rare::Rare;
use crate::config::Name;

/// The limits of a version: the label `limit`.
const LIMITS: [&str; 5] = ["requests", "unanswered", "pending", "waiting_bodies", "retries"];

/// Of all versions.
#[derive(Debug)]
pub(super) struct VersionMetrics {
    failures: Bounded<3>,
    limits: Bounded<3>,
    retries: Bounded<2>,
    held_out: IntGaugeVec,
    /// Pairs of a service and a version that have a gauge of their own.
    made: Rare<HashSet<[String; 2]>>,
    max: usize,
}

/// Of one version.
#[derive(Debug)]
pub struct VersionCells {
    service: Name,
    version: Name,
    failures: Bounded<3>,
    by_why: [Cell; FAILURES.len()],
    limits: Bounded<3>,
    by_limit: [Cell; LIMITS.len()],
    retries: Bounded<2>,
    retried: Cell,
    /// 1: it is held out.
    pub held_out: IntGauge,
}

impl VersionMetrics {
    /// Registers them. `max_series` bounds the series of each.
    pub(super) fn new(registry: &Registry, max_series: usize) -> VersionMetrics {
        let failures = Opts::new(
            "flagway_version_failures_total",
            "Requests that a version failed, whether another one served them or none.",
        );
        let limits = Opts::new(
            "flagway_version_limits_total",
            "Requests that a version did not take, or endpoints that were not tried, as a limit was reached.",
        );
        let retries =
            Opts::new("flagway_retries_total", "Attempts at another endpoint of a version than the first.");
        let held_out = Opts::new("flagway_version_held_out", "1 while a version is held out, as it fails.");
        let labels = ["service", "version"];
        VersionMetrics {
            failures: Bounded::new(
                registry,
                failures,
                ["service", "version", "why"],
                2,
                FAILURES.len(),
                max_series,
            ),
            limits: Bounded::new(
                registry,
                limits,
                ["service", "version", "limit"],
                2,
                LIMITS.len(),
                max_series,
            ),
            retries: Bounded::new(registry, retries, labels, 2, 1, max_series),
            held_out: gauges_of(registry, held_out, &labels),
            made: Rare::default(),
            max: max_series.saturating_sub(1),
        }
    }
}

impl Metrics {
    /// The counters of a version.
    pub fn version(&self, service: &Name, version: &Name) -> VersionCells {
        let metrics = &self.versions;
        let mut made = metrics.made.lock();
        let pair = [service.to_string(), version.to_string()];
        let gauge = if made.contains(&pair) || made.len() < metrics.max {
            made.insert(pair);
            metrics.held_out.with_label_values(&[&**service, &**version])
        } else {
            metrics.held_out.with_label_values(&[OTHER, OTHER])
        };
        let of = |label| [&**service, &**version, label];
        VersionCells {
            by_why: FAILURES.map(|why| Cell::new(&metrics.failures, of(why))),
            failures: metrics.failures.clone(),
            by_limit: LIMITS.map(|limit| Cell::new(&metrics.limits, of(limit))),
            limits: metrics.limits.clone(),
            retried: Cell::new(&metrics.retries, [&**service, &**version]),
            retries: metrics.retries.clone(),
            held_out: gauge,
            service: service.clone(),
            version: version.clone(),
        }
    }
}

impl VersionCells {
    /// A request failed there.
    pub fn failed(&self, why: &'static str) {
        count(&self.by_why, &FAILURES, &self.failures, [&self.service, &self.version, why]);
    }

    /// A limit bit: one of `requests`, `unanswered`, `pending`, `waiting_bodies`, `retries`.
    pub fn limited(&self, limit: &'static str) {
        count(&self.by_limit, &LIMITS, &self.limits, [&self.service, &self.version, limit]);
    }

    /// Another endpoint is tried.
    pub fn retried(&self) {
        self.retried.count(&self.retries, || [&self.service, &self.version]);
    }
}

/// Counts by the last label, which is one of the words as a rule.
fn count(cells: &[Cell], words: &[&str], counters: &Bounded<3>, labels: [&str; 3]) {
    match words.iter().position(|word| *word == labels[2]).and_then(|index| cells.get(index)) {
        Some(cell) => cell.count(counters, || labels),
        None => counters.get(labels).inc(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_the_bound_is_counted_together() {
        let metrics = Metrics::new(FAILURES.len() + 2);
        for version in ["a", "b", "c", "a"] {
            let cells = metrics.version(&"shop".into(), &version.into());
            cells.failed("timeout");
            cells.failed("unheard_of");
            cells.limited("pending");
            cells.retried();
            cells.held_out.set(1);
        }
        let text = metrics.encode();
        let shown = |line: &str| assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
        shown("flagway_version_failures_total{service=\"shop\",version=\"a\",why=\"timeout\"} 2");
        shown("flagway_version_failures_total{service=\"other\",version=\"other\",why=\"timeout\"} 2");
        shown("flagway_version_limits_total{limit=\"pending\",service=\"shop\",version=\"a\"} 2");
        shown("flagway_retries_total{service=\"shop\",version=\"c\"} 1");
        shown("flagway_version_held_out{service=\"shop\",version=\"c\"} 1");
    }
}
