//! The metrics and their names; one registry a process.
//!
//! Labels never carry what a client sent. Those that come from definitions are bounded in number and length.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use super::bounded::Bounded;
use super::grpc;
use super::identity::IdentityMetrics;
use super::limiter::Limiters;
use super::ofrep::OfrepMetrics;
use super::rare::Rare;
use super::shadow::ShadowMetrics;
use super::streams::StreamMetrics;
use super::tls::TlsMetrics;
use super::upstreams::UpstreamMetrics;
use super::versions::VersionMetrics;
use crate::config::ProblemKind;
use crate::decide::Trouble;
use crate::flag::{Limit, Reason};

/// What became of something new on disk: the label `result` of `flagway_reloads_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// A new snapshot is live.
    Published,
    /// It changes nothing.
    Unchanged,
    /// It cannot be used; what served before serves on.
    Refused,
}

/// All metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub(super) requests: Bounded<4>,
    pub(super) calls: Bounded<4>,
    pub(super) evaluations: Bounded<3>,
    pub(super) limits: Bounded<2>,
    pub(super) fallbacks: Bounded<3>,
    pub(super) gateway_seconds: Histogram,
    pub(super) upstream_seconds: Histogram,
    pub(super) access_log_dropped: IntCounter,
    refused: IntCounterVec,
    pub(super) shadows: ShadowMetrics,
    pub(super) streams: StreamMetrics,
    pub(super) tls: TlsMetrics,
    pub(super) upstreams: UpstreamMetrics,
    pub(super) ofrep: OfrepMetrics,
    pub(super) versions: VersionMetrics,
    pub(super) identity: IdentityMetrics,
    /// Not metrics, but bounded with them and as long-lived.
    pub(super) limiters: Limiters,
    reloads: [IntCounter; 3],
    snapshot_info: IntGaugeVec,
    present_revision: Rare<Option<String>>,
    source_age: GaugeVec,
    generation: IntGauge,
    start_time: IntGauge,
    problems: IntGaugeVec,
}

/// Classes of status: `1xx` to `5xx`, and `none` when the client got no answer.
pub(super) const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Why an attempt can fail, as far as its counters are kept ready; anything else is counted too, only slower.
pub(super) const FAILURES: [&str; 10] = [
    "connect",
    "tls",
    "timeout",
    "closed",
    "status",
    "protocol",
    "no_endpoint",
    "held_out",
    "limit",
    "failed",
];

/// Upper bounds in seconds: the gateway's own part is tens of microseconds, an upstream's up to half a minute.
const SECONDS: [f64; 18] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
];

impl Metrics {
    /// Registers everything. `max_series` bounds the series of each metric whose labels come from definitions.
    pub fn new(max_series: usize) -> Metrics {
        let registry = Registry::new();
        let requests =
            Opts::new("flagway_requests_total", "Requests by route, version that served and status class.");
        let calls =
            Opts::new("flagway_grpc_calls_total", "gRPC calls by route, version that served and status.");
        let evaluations = Opts::new("flagway_evaluations_total", "Flag evaluations by variant and reason.");
        let limits = Opts::new(
            "flagway_evaluation_limits_total",
            "Evaluations that went over a limit, and so gave no value.",
        );
        let fallbacks = Opts::new(
            "flagway_fallbacks_total",
            "Requests sent to the default version because a flag (from=\"flag\") or another version failed.",
        );
        let whys = FAILURES.len() + Trouble::ALL.len();
        let seconds = histogram(
            &registry,
            "flagway_request_seconds",
            "Seconds of a request: waiting for the upstream, and the rest of it in the gateway.",
        );
        let reloads =
            counters(&registry, "flagway_reloads_total", "Changes on disk by what became of them.", "result");
        let build_info =
            gauges(&registry, "flagway_build_info", "The version of Flagway that runs.", "version");
        build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let problems =
            gauges(&registry, "flagway_problems", "Problems of the present configuration and flags.", "kind");
        for kind in ProblemKind::ALL {
            problems.with_label_values(&[kind.label()]);
        }
        let access_log_dropped = registered(
            &registry,
            IntCounter::new("flagway_access_log_dropped_total", "Access log lines that were not written."),
        );
        let refused = Opts::new(
            "flagway_refused_total",
            "Requests and connections that were refused before a route was looked for, by listener and why.",
        );
        let refused = registered(&registry, IntCounterVec::new(refused, &["listener", "why"]));
        let source_age = Opts::new(
            "flagway_source_age_seconds",
            "Seconds since a source was last read and found good; NaN when it never was.",
        );
        Metrics {
            requests: Bounded::new(
                &registry,
                requests,
                ["route", "service", "version", "class"],
                3,
                CLASSES.len(),
                max_series,
            ),
            calls: Bounded::new(
                &registry,
                calls,
                ["route", "service", "version", "status"],
                3,
                grpc::COUNT,
                max_series,
            ),
            evaluations: Bounded::new(
                &registry,
                evaluations,
                ["flag", "variant", "reason"],
                2,
                Reason::ALL.len(),
                max_series,
            ),
            limits: Bounded::new(&registry, limits, ["flag", "limit"], 1, Limit::ALL.len(), max_series),
            fallbacks: Bounded::new(&registry, fallbacks, ["route", "from", "why"], 2, whys, max_series),
            gateway_seconds: seconds.with_label_values(&["gateway"]),
            upstream_seconds: seconds.with_label_values(&["upstream"]),
            access_log_dropped,
            refused,
            shadows: ShadowMetrics::new(&registry, max_series),
            streams: StreamMetrics::new(&registry, max_series),
            tls: TlsMetrics::new(&registry),
            upstreams: UpstreamMetrics::new(&registry, max_series),
            ofrep: OfrepMetrics::new(&registry, max_series),
            versions: VersionMetrics::new(&registry, max_series),
            identity: IdentityMetrics::new(&registry, max_series),
            limiters: Limiters::new(max_series),
            reloads: ["published", "unchanged", "refused"].map(|result| reloads.with_label_values(&[result])),
            snapshot_info: gauges(
                &registry,
                "flagway_snapshot_info",
                "1 for the revision that is live.",
                "revision",
            ),
            present_revision: Rare::default(),
            source_age: registered(&registry, GaugeVec::new(source_age, &["source"])),
            generation: gauge(
                &registry,
                "flagway_generation",
                "Which process this is since the last start; each upgrade makes it one more.",
            ),
            start_time: gauge(
                &registry,
                "flagway_start_time_seconds",
                "When this process started, in seconds since 1970.",
            ),
            problems,
            registry,
        }
    }

    /// What was refused before a route was looked for: by listener and why.
    pub fn refused(&self) -> IntCounterVec {
        self.refused.clone()
    }

    /// This process is the `generation`th since a start without one before it.
    pub fn started(&self, generation: u64, at: SystemTime) {
        self.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.start_time.set(i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    }

    /// Counts a reload.
    pub fn reloaded(&self, result: Reload) {
        self.reloads[result as usize].inc();
    }

    /// Makes a revision the one that is live.
    pub(super) fn set_revision(&self, revision: &str) {
        let mut present = self.present_revision.lock();
        if present.as_deref() == Some(revision) {
            return;
        }
        self.snapshot_info.with_label_values(&[revision]).set(1);
        if let Some(before) = present.replace(revision.to_owned()) {
            // It was set above, once: it can be removed.
            let _ = self.snapshot_info.remove_label_values(&[&before]);
        }
    }

    /// Replaces the ages of all sources: since each was last read and found good, none if it never was.
    pub fn set_sources<'a>(&self, sources: impl Iterator<Item = (&'a str, Option<Duration>)>) {
        self.source_age.reset();
        for (name, age) in sources {
            self.source_age.with_label_values(&[name]).set(age.map_or(f64::NAN, |age| age.as_secs_f64()));
        }
    }

    /// Replaces the number of problems of each kind.
    pub fn set_problems(&self, problems: impl Iterator<Item = ProblemKind>) {
        let mut counts = ProblemKind::ALL.map(|_| 0);
        for kind in problems {
            counts[kind as usize] += 1;
        }
        for (kind, count) in ProblemKind::ALL.iter().zip(counts) {
            self.problems.with_label_values(&[kind.label()]).set(count);
        }
    }

    /// Prometheus' text format.
    pub fn encode(&self) -> String {
        // It fails only for a metric without a name.
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

/// Seconds, by part of whatever takes them.
pub(super) fn histogram(registry: &Registry, name: &str, help: &str) -> HistogramVec {
    let opts = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
    registered(registry, HistogramVec::new(opts, &["part"]))
}

pub(super) fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    registered(registry, IntGauge::new(name, help))
}

pub(super) fn counters(registry: &Registry, name: &str, help: &str, label: &str) -> IntCounterVec {
    registered(registry, IntCounterVec::new(Opts::new(name, help), &[label]))
}

fn gauges(registry: &Registry, name: &str, help: &str, label: &str) -> IntGaugeVec {
    gauges_of(registry, Opts::new(name, help), &[label])
}

pub(super) fn gauges_of(registry: &Registry, opts: Opts, labels: &[&str]) -> IntGaugeVec {
    registered(registry, IntGaugeVec::new(opts, labels))
}

/// Names are our own constants: they are valid, and each is registered once.
pub(super) fn registered<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    metric: prometheus::Result<C>,
) -> C {
    let metric = metric.expect("a metric's name and labels are valid");
    registry.register(Box::new(metric.clone())).expect("a metric is registered once");
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(metrics: &Metrics, line: &str) -> bool {
        metrics.encode().lines().any(|shown| shown == line)
    }

    #[test]
    fn only_the_present_revision_is_shown() {
        let metrics = Metrics::new(100);
        metrics.set_revision("aaaaaaaaaaaa");
        metrics.set_revision("bbbbbbbbbbbb");
        metrics.set_revision("bbbbbbbbbbbb");
        assert!(shows(&metrics, "flagway_snapshot_info{revision=\"bbbbbbbbbbbb\"} 1"));
        assert!(!metrics.encode().contains("aaaaaaaaaaaa"));
    }

    #[test]
    fn every_kind_of_problem_is_shown_with_its_number() {
        let metrics = Metrics::new(100);
        metrics.set_problems([ProblemKind::Source, ProblemKind::Config, ProblemKind::Source].into_iter());
        assert!(shows(&metrics, "flagway_problems{kind=\"source\"} 2"));
        assert!(shows(&metrics, "flagway_problems{kind=\"config\"} 1"));
        assert!(shows(&metrics, "flagway_problems{kind=\"over_budget\"} 0"));
        metrics.set_problems(std::iter::empty());
        for kind in ProblemKind::ALL {
            assert!(shows(&metrics, &format!("flagway_problems{{kind=\"{}\"}} 0", kind.label())));
        }
    }

    #[test]
    fn sources_that_are_gone_from_the_configuration_are_gone_from_the_metric() {
        let metrics = Metrics::new(100);
        metrics.set_sources(
            [("file:a.json", Some(Duration::from_millis(1500))), ("file:b.json", None)].into_iter(),
        );
        assert!(shows(&metrics, "flagway_source_age_seconds{source=\"file:a.json\"} 1.5"));
        assert!(shows(&metrics, "flagway_source_age_seconds{source=\"file:b.json\"} NaN"));
        metrics.set_sources([("file:b.json", Some(Duration::ZERO))].into_iter());
        assert!(!metrics.encode().contains("a.json"));
    }

    #[test]
    fn reloads_are_counted_by_result_from_zero() {
        let metrics = Metrics::new(100);
        metrics.reloaded(Reload::Refused);
        assert!(shows(&metrics, "flagway_reloads_total{result=\"published\"} 0"));
        assert!(shows(&metrics, "flagway_reloads_total{result=\"unchanged\"} 0"));
        assert!(shows(&metrics, "flagway_reloads_total{result=\"refused\"} 1"));
    }

    #[test]
    fn label_values_are_escaped() {
        let metrics = Metrics::new(100);
        metrics.evaluations.get(["a\"b\\c\nd", "on", "static"]).inc();
        assert!(shows(
            &metrics,
            r#"flagway_evaluations_total{flag="a\"b\\c\nd",reason="static",variant="on"} 1"#
        ));
    }

    #[test]
    fn the_build_is_told() {
        let line = format!("flagway_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
        assert!(shows(&Metrics::new(1), &line));
    }
}
