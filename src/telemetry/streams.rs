//! The metrics of long-lived streams.

use std::collections::HashSet;

use prometheus::{IntCounter, IntGauge, IntGaugeVec, Opts, Registry};

use super::bounded::OTHER;
use super::metrics::{counters, gauges_of};
use super::rare::Rare;

/// How many streams are open, and how many were ended.
#[derive(Debug)]
pub(super) struct StreamMetrics {
    open: IntGaugeVec,
    /// Pairs of a service and a version that have a series of their own.
    made: Rare<HashSet<[String; 2]>>,
    limit: usize,
    ended: IntCounter,
}

impl StreamMetrics {
    /// Registers them. `max_series` bounds the pairs of service and version.
    pub(super) fn new(registry: &Registry, max_series: usize) -> StreamMetrics {
        let open = Opts::new("flagway_streams", "Open streams: upgrades, server-sent events, gRPC calls.");
        let help = "Streams ended by the gateway before their time.";
        StreamMetrics {
            open: gauges_of(registry, open, &["service", "version"]),
            made: Rare::default(),
            limit: max_series.saturating_sub(1),
            ended: counters(registry, "flagway_streams_ended_total", help, "reason")
                .with_label_values(&["kill"]),
        }
    }
}

impl super::Metrics {
    /// Counts the open streams of a version.
    pub fn streams(&self, service: &str, version: &str) -> IntGauge {
        let metrics = &self.streams;
        let mut made = metrics.made.lock();
        let pair = [service.to_owned(), version.to_owned()];
        if made.contains(&pair) || made.len() < metrics.limit {
            made.insert(pair);
            return metrics.open.with_label_values(&[service, version]);
        }
        metrics.open.with_label_values(&[OTHER, OTHER])
    }

    /// Counts the streams that a kill ended.
    pub fn streams_ended(&self) -> IntCounter {
        self.streams.ended.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;

    #[test]
    fn what_comes_after_the_bound_is_counted_together() {
        let metrics = Metrics::new(3);
        for version in ["a", "b", "c", "d", "a"] {
            metrics.streams("shop", version).inc();
        }
        let text = metrics.encode();
        let mut lines: Vec<&str> = text.lines().filter(|line| line.starts_with("flagway_streams{")).collect();
        lines.sort();
        assert_eq!(
            lines,
            [
                "flagway_streams{service=\"other\",version=\"other\"} 2",
                "flagway_streams{service=\"shop\",version=\"a\"} 2",
                "flagway_streams{service=\"shop\",version=\"b\"} 1",
            ]
        );
    }
}
