//! The counters of shadows: copies, comparisons, evaluations of their flags.
//!
//! What a shadow's flag answers is counted here alone: it is no exposure of a user.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{Histogram, IntGauge, Opts, Registry};

use super::bounded::{Bounded, Cell};
use super::metrics::{gauge, histogram};
use crate::compare::{Dropped, Failed, Uncompared};
use crate::config::Name;
use crate::flag::Reason;

/// The metrics of all shadows.
#[derive(Debug, Clone)]
pub(super) struct ShadowMetrics {
    pub(super) evaluations: Bounded<3>,
    copies: Bounded<4>,
    dropped: Bounded<4>,
    comparisons: Bounded<4>,
    original_seconds: Histogram,
    shadow_seconds: Histogram,
    gauges: ShadowGauges,
}

/// The counters of one shadow: of a route, and of the version that gets the copies. No lock.
#[derive(Debug, Clone)]
pub struct ShadowCounters(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    metrics: ShadowMetrics,
    /// Route, service, version.
    labels: [Name; 3],
    sent: Cell,
    answered: Cell,
    /// As [`Failed::ALL`].
    failed: Vec<Cell>,
    /// As [`Dropped::ALL`].
    dropped: Vec<Cell>,
    equal: Cell,
    differing: Cell,
    /// As [`Uncompared::ALL`].
    uncompared: Vec<Cell>,
}

/// What all shadows hold now.
#[derive(Debug, Clone)]
pub struct ShadowGauges {
    /// Bytes of requests and answers held.
    pub bytes: IntGauge,
    /// Copies under way.
    pub in_flight: IntGauge,
    /// Copies that wait to be sent.
    pub waiting: IntGauge,
}

const SENT: &str = "sent";
const ANSWERED: &str = "answered";
const EQUAL: &str = "equal";
const DIFFERING: &str = "differing";

impl super::Metrics {
    /// The counters of a route's shadow in a version (`service` and `version` of the copies; no version: the flag named none).
    pub fn shadow(&self, route: &str, service: &str, version: &str) -> ShadowCounters {
        let metrics = self.shadows.clone();
        let cell = |counters: &Bounded<4>, label| Cell::new(counters, [route, service, version, label]);
        ShadowCounters(Arc::new(Counters {
            labels: [route.into(), service.into(), version.into()],
            sent: cell(&metrics.copies, SENT),
            answered: cell(&metrics.copies, ANSWERED),
            failed: Failed::ALL.iter().map(|why| cell(&metrics.copies, why.label())).collect(),
            dropped: Dropped::ALL.iter().map(|why| cell(&metrics.dropped, why.label())).collect(),
            equal: cell(&metrics.comparisons, EQUAL),
            differing: cell(&metrics.comparisons, DIFFERING),
            uncompared: Uncompared::ALL.iter().map(|why| cell(&metrics.comparisons, why.label())).collect(),
            metrics,
        }))
    }

    /// The gauges of all shadows.
    pub fn shadows(&self) -> ShadowGauges {
        self.shadows.gauges.clone()
    }
}

impl ShadowCounters {
    /// A copy was handed over to be sent.
    pub fn sent(&self) {
        self.count(&self.0.metrics.copies, &self.0.sent, SENT);
    }

    /// A copy was answered to the end.
    pub fn answered(&self) {
        self.count(&self.0.metrics.copies, &self.0.answered, ANSWERED);
    }

    /// A copy failed.
    pub fn failed(&self, why: Failed) {
        self.count(&self.0.metrics.copies, &self.0.failed[why as usize], why.label());
    }

    /// A copy was not sent.
    pub fn dropped(&self, why: Dropped) {
        self.count(&self.0.metrics.dropped, &self.0.dropped[why as usize], why.label());
    }

    /// Two answers were compared.
    pub fn compared(&self, equal: bool) {
        let (cell, result) = if equal { (&self.0.equal, EQUAL) } else { (&self.0.differing, DIFFERING) };
        self.count(&self.0.metrics.comparisons, cell, result);
    }

    /// An answer was not compared.
    pub fn uncompared(&self, why: Uncompared) {
        self.count(&self.0.metrics.comparisons, &self.0.uncompared[why as usize], why.label());
    }

    /// How long original and shadow took to the first byte.
    pub fn waited(&self, original: Duration, shadow: Duration) {
        self.0.metrics.original_seconds.observe(original.as_secs_f64());
        self.0.metrics.shadow_seconds.observe(shadow.as_secs_f64());
    }

    fn count(&self, counters: &Bounded<4>, cell: &Cell, last: &'static str) {
        let [route, service, version] = &self.0.labels;
        cell.count(counters, || [route, service, version, last]);
    }
}

impl ShadowMetrics {
    /// Registers them. `max_series` bounds the series of each counter.
    pub(super) fn new(registry: &Registry, max_series: usize) -> ShadowMetrics {
        let counter = |name: &str, help: &str, last, fixed| {
            let labels = ["route", "service", "version", last];
            Bounded::new(registry, Opts::new(name, help), labels, 3, fixed, max_series)
        };
        let evaluations = Opts::new(
            "flagway_shadow_evaluations_total",
            "Evaluations of flags that decide about copies, by variant and reason.",
        );
        let seconds = histogram(
            registry,
            "flagway_shadow_seconds",
            "Seconds to the first byte of the answers to an original and to its copy.",
        );
        let gauges = ShadowGauges {
            bytes: gauge(
                registry,
                "flagway_shadow_bytes",
                "Bytes of requests and answers held for copying and comparing.",
            ),
            in_flight: gauge(registry, "flagway_shadow_in_flight", "Copies under way."),
            waiting: gauge(registry, "flagway_shadow_waiting", "Copies that wait to be sent."),
        };
        ShadowMetrics {
            evaluations: Bounded::new(
                registry,
                evaluations,
                ["flag", "variant", "reason"],
                2,
                Reason::ALL.len(),
                max_series,
            ),
            copies: counter(
                "flagway_shadow_copies_total",
                "Copies of requests sent to another version, and what became of them.",
                "result",
                2 + Failed::ALL.len(),
            ),
            dropped: counter(
                "flagway_shadow_dropped_total",
                "Copies that were not sent although a flag asked for them.",
                "reason",
                Dropped::ALL.len(),
            ),
            comparisons: counter(
                "flagway_shadow_comparisons_total",
                "Comparisons of a version's answers with its shadow's.",
                "result",
                2 + Uncompared::ALL.len(),
            ),
            original_seconds: seconds.with_label_values(&["original"]),
            shadow_seconds: seconds.with_label_values(&["shadow"]),
            gauges,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::super::fixture::samples;
    use super::*;

    #[test]
    fn what_becomes_of_copies_is_counted_by_route_service_and_version() {
        let metrics = Metrics::new(100);
        let canary = metrics.shadow("checkout", "shop", "canary");
        assert_eq!(samples(&metrics, "flagway_shadow_copies_total"), [""; 0], "nothing before the first");
        canary.sent();
        // Another line of the same shadow counts into the same series.
        metrics.shadow("checkout", "shop", "canary").sent();
        canary.answered();
        canary.failed(Failed::AnswerTooLarge);
        metrics.shadow("checkout", "next", "v2").failed(Failed::Connect);
        canary.dropped(Dropped::SameVersion);
        metrics.shadow("checkout", "shop", "").dropped(Dropped::Flag);
        canary.compared(true);
        canary.compared(true);
        canary.compared(false);
        canary.uncompared(Uncompared::Encoding);
        assert_eq!(
            samples(&metrics, "flagway_shadow_copies_total"),
            [
                r#"{result="answer_too_large",route="checkout",service="shop",version="canary"} 1"#,
                r#"{result="answered",route="checkout",service="shop",version="canary"} 1"#,
                r#"{result="connect",route="checkout",service="next",version="v2"} 1"#,
                r#"{result="sent",route="checkout",service="shop",version="canary"} 2"#,
            ]
        );
        assert_eq!(
            samples(&metrics, "flagway_shadow_dropped_total"),
            [
                r#"{reason="flag",route="checkout",service="shop",version=""} 1"#,
                r#"{reason="same_version",route="checkout",service="shop",version="canary"} 1"#,
            ]
        );
        assert_eq!(
            samples(&metrics, "flagway_shadow_comparisons_total"),
            [
                r#"{result="differing",route="checkout",service="shop",version="canary"} 1"#,
                r#"{result="encoding",route="checkout",service="shop",version="canary"} 1"#,
                r#"{result="equal",route="checkout",service="shop",version="canary"} 2"#,
            ]
        );
    }

    #[test]
    fn every_reason_has_a_series_of_its_own() {
        let metrics = Metrics::new(100);
        let counters = metrics.shadow("r", "s", "v");
        Failed::ALL.iter().for_each(|why| counters.failed(*why));
        Dropped::ALL.iter().for_each(|why| counters.dropped(*why));
        Uncompared::ALL.iter().for_each(|why| counters.uncompared(*why));
        let labels = |all: Vec<&str>, label: &str| {
            let mut lines: Vec<String> = all
                .iter()
                .map(|why| format!(r#"{{{label}="{why}",route="r",service="s",version="v"}} 1"#))
                .collect();
            lines.sort();
            lines
        };
        let failed = Failed::ALL.iter().map(|why| why.label()).collect();
        let dropped = Dropped::ALL.iter().map(|why| why.label()).collect();
        let uncompared = Uncompared::ALL.iter().map(|why| why.label()).collect();
        assert_eq!(samples(&metrics, "flagway_shadow_copies_total"), labels(failed, "result"));
        assert_eq!(samples(&metrics, "flagway_shadow_dropped_total"), labels(dropped, "reason"));
        assert_eq!(samples(&metrics, "flagway_shadow_comparisons_total"), labels(uncompared, "result"));
    }

    #[test]
    fn no_number_of_routes_makes_more_series_than_the_bound() {
        let metrics = Metrics::new(40);
        for route in 0..1000 {
            let counters = metrics.shadow(&format!("route-{route}"), "shop", "canary");
            counters.sent();
            Dropped::ALL.iter().for_each(|why| counters.dropped(*why));
            counters.compared(route % 2 == 0);
        }
        for name in ["copies", "dropped", "comparisons"] {
            let series = samples(&metrics, &format!("flagway_shadow_{name}_total"));
            assert!(series.len() <= 40, "{name}: {}", series.len());
            assert!(series.iter().any(|line| line.contains(r#"route="other""#)), "{name}");
        }
    }

    #[test]
    fn both_waits_and_what_is_held_are_shown() {
        let metrics = Metrics::new(100);
        metrics.shadow("r", "s", "v").waited(Duration::from_millis(500), Duration::from_millis(250));
        assert_eq!(
            samples(&metrics, "flagway_shadow_seconds_sum"),
            [r#"{part="original"} 0.5"#, r#"{part="shadow"} 0.25"#]
        );
        let gauges = metrics.shadows();
        gauges.bytes.set(64);
        gauges.in_flight.inc();
        metrics.shadows().waiting.add(2);
        for (name, value) in [("bytes", " 64"), ("in_flight", " 1"), ("waiting", " 2")] {
            assert_eq!(samples(&metrics, &format!("flagway_shadow_{name}")), [value]);
        }
    }
}
