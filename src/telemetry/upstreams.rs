//! The metrics of endpoints: how many stand how, what took them out, what checks said.

use prometheus::{IntCounter, IntGaugeVec, Opts, Registry};

use super::bounded::{Bounded, OTHER};
use super::metrics::gauges_of;

/// By service and version.
#[derive(Debug)]
pub(super) struct UpstreamMetrics {
    endpoints: IntGaugeVec,
    ejections: Bounded<3>,
    checks: Bounded<3>,
    max_series: usize,
}

/// Reasons of an ejection, and results of a check: the combinations that are kept for versions beyond the bound.
const FIXED: usize = 2;

impl UpstreamMetrics {
    /// Registers them. `max_series` bounds the series of each.
    pub(super) fn new(registry: &Registry, max_series: usize) -> UpstreamMetrics {
        let endpoints = Opts::new("flagway_endpoints", "Endpoints by what they get now.");
        let ejections =
            Opts::new("flagway_ejections_total", "Endpoints that were ejected for their failures.");
        let checks = Opts::new("flagway_health_checks_total", "Checks of endpoints by result.");
        UpstreamMetrics {
            endpoints: gauges_of(registry, endpoints, &["service", "version", "state"]),
            ejections: Bounded::new(registry, ejections, ["service", "version", "why"], 2, FIXED, max_series),
            checks: Bounded::new(registry, checks, ["service", "version", "result"], 2, FIXED, max_series),
            max_series,
        }
    }
}

impl super::Metrics {
    /// Counts ejections from a version.
    pub fn ejections(&self, service: &str, version: &str, why: &str) -> IntCounter {
        self.upstreams.ejections.get([service, version, why])
    }

    /// Counts checks of a version's endpoints.
    pub fn health_checks(&self, service: &str, version: &str, result: &str) -> IntCounter {
        self.upstreams.checks.get([service, version, result])
    }

    /// Replaces the numbers of endpoints: by service, version and state.
    pub fn set_endpoints<'a>(&self, counts: impl Iterator<Item = ([&'a str; 3], usize)>) {
        let UpstreamMetrics { endpoints, max_series, .. } = &self.upstreams;
        endpoints.reset();
        for (index, ([service, version, state], count)) in counts.enumerate() {
            let labels = if index + 1 < *max_series { [service, version, state] } else { [OTHER; 3] };
            endpoints.with_label_values(&labels).add(count as i64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;

    #[test]
    fn endpoints_are_those_of_now_and_bounded() {
        let metrics = Metrics::new(3);
        metrics.set_endpoints([(["shop", "old", "serving"], 9)].into_iter());
        let versions = ["a", "b", "c", "d"].map(|version| (["shop", version, "serving"], 2));
        metrics.set_endpoints(versions.into_iter());
        let text = metrics.encode();
        let mut lines: Vec<&str> =
            text.lines().filter(|line| line.starts_with("flagway_endpoints{")).collect();
        lines.sort();
        assert_eq!(
            lines,
            [
                "flagway_endpoints{service=\"other\",state=\"other\",version=\"other\"} 4",
                "flagway_endpoints{service=\"shop\",state=\"serving\",version=\"a\"} 2",
                "flagway_endpoints{service=\"shop\",state=\"serving\",version=\"b\"} 2",
            ]
        );
    }
}
