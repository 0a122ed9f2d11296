//! The metrics of OpenFeature clients: what they asked, and who listens for changes.

use std::collections::HashSet;

use http::StatusCode;
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use super::bounded::{Bounded, Cell, OTHER};
use super::metrics::gauges_of;
use super::rare::Rare;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One flag.
    Flag,
    /// All flags.
    Bulk,
    /// An event stream.
    Stream,
    /// Whether a page may ask.
    Preflight,
    /// Nothing that there is.
    Other,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::Flag, Kind::Bulk, Kind::Stream, Kind::Preflight, Kind::Other];

    /// The label `kind`.
    fn label(self) -> &'static str {
        match self {
            Kind::Flag => "flag",
            Kind::Bulk => "bulk",
            Kind::Stream => "stream",
            Kind::Preflight => "preflight",
            Kind::Other => "other",
        }
    }
}

/// Every status that is answered, and the rest.
const CODES: [&str; 14] =
    ["200", "204", "304", "400", "401", "404", "405", "408", "413", "415", "429", "500", "503", OTHER];

#[derive(Debug)]
pub(super) struct OfrepMetrics {
    requests: Bounded<3>,
    streams: IntGaugeVec,
    /// Doors that have a series of their own.
    made: Rare<HashSet<String>>,
    limit: usize,
}

impl OfrepMetrics {
    /// Registers them. `max_series` bounds each.
    pub(super) fn new(registry: &Registry, max_series: usize) -> OfrepMetrics {
        let requests = Opts::new(
            "flagway_ofrep_requests_total",
            "Requests of OpenFeature clients, by route (or admin).",
        );
        let streams = Opts::new("flagway_ofrep_streams", "Open event streams of OpenFeature clients.");
        let fixed = Kind::ALL.len() * CODES.len();
        OfrepMetrics {
            requests: Bounded::new(registry, requests, ["door", "kind", "code"], 1, fixed, max_series),
            streams: gauges_of(registry, streams, &["door"]),
            made: Rare::default(),
            limit: max_series.saturating_sub(1),
        }
    }
}

/// The counters of one door.
#[derive(Debug)]
pub struct Counters {
    requests: Bounded<3>,
    door: Box<str>,
    cells: [[Cell; CODES.len()]; Kind::ALL.len()],
    /// Its open streams.
    pub streams: IntGauge,
}

impl super::Metrics {
    /// The counters of a door: a route's name, or `admin`.
    pub fn ofrep(&self, door: &str) -> Counters {
        let metrics = &self.ofrep;
        let mut made = metrics.made.lock();
        let known = made.contains(door) || made.len() < metrics.limit;
        if known {
            made.insert(door.to_owned());
        }
        let requests = &metrics.requests;
        Counters {
            cells: Kind::ALL.map(|kind| CODES.map(|code| Cell::new(requests, [door, kind.label(), code]))),
            streams: metrics.streams.with_label_values(&[if known { door } else { OTHER }]),
            requests: requests.clone(),
            door: door.into(),
        }
    }
}

impl Counters {
    /// Counts an answer.
    pub fn count(&self, kind: Kind, status: StatusCode) {
        let status = status.as_str();
        // The last one is of what is not listed.
        let code = CODES.iter().position(|code| *code == status).unwrap_or(CODES.len() - 1);
        self.cells[kind as usize][code].count(&self.requests, || [&self.door, kind.label(), CODES[code]]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::super::fixture::samples;
    use super::*;

    #[test]
    fn answers_are_counted_by_door_kind_and_code() {
        let metrics = Metrics::new(1000);
        let counters = metrics.ofrep("flags");
        counters.count(Kind::Bulk, StatusCode::OK);
        counters.count(Kind::Bulk, StatusCode::NOT_MODIFIED);
        counters.count(Kind::Flag, StatusCode::NOT_FOUND);
        metrics.ofrep("flags").count(Kind::Stream, StatusCode::IM_A_TEAPOT);
        assert_eq!(
            samples(&metrics, "flagway_ofrep_requests_total"),
            [
                r#"{code="200",door="flags",kind="bulk"} 1"#,
                r#"{code="304",door="flags",kind="bulk"} 1"#,
                r#"{code="404",door="flags",kind="flag"} 1"#,
                r#"{code="other",door="flags",kind="stream"} 1"#,
            ]
        );
    }

    #[test]
    fn the_doors_of_the_gauge_are_bounded() {
        let metrics = Metrics::new(3);
        for door in ["a", "b", "c", "d", "a"] {
            metrics.ofrep(door).streams.inc();
        }
        let expected = [r#"{door="a"} 2"#, r#"{door="b"} 1"#, r#"{door="other"} 2"#];
        assert_eq!(samples(&metrics, "flagway_ofrep_streams"), expected);
    }
}
