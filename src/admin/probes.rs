//! `/healthz`, `/readyz`, `/metrics`, nothing else.
//!
//! Healthy is whoever answers. Ready is a gateway that has flags from every source, now or from before a restart, and is
//! not about to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::gateway::live::Published;
use crate::gateway::upstream::view;
use crate::source::{SourceState, Status};
use crate::telemetry::Metrics;

/// The probes. Ready once flags have loaded, until `draining` turns true.
pub fn router(
    live: Published,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    draining: Arc<AtomicBool>,
) -> Router {
    let measured = Arc::clone(&status);
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async move || readiness(&status, &draining)))
        .route("/metrics", get(async move || text_format(&live, &measured, &metrics)))
}

fn readiness(status: &Status, draining: &AtomicBool) -> Response {
    if draining.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining: the gateway is about to stop\n").into_response();
    }
    if status.loaded() {
        return "ready\n".into_response();
    }
    let sources = status.sources.load();
    let missing = sources.iter().filter(|source| source.state == SourceState::Missing);
    let names: Vec<&str> = missing.map(|source| &*source.name).collect();
    (StatusCode::SERVICE_UNAVAILABLE, format!("no flags yet from {}\n", names.join(", "))).into_response()
}

fn text_format(live: &Published, status: &Status, metrics: &Metrics) -> Response {
    let live = live.load();
    let now = SystemTime::now();
    live.keyring.measure();
    live.certificates.measure(metrics, now);
    metrics.set_endpoints(view::counts(&live.upstreams));
    status.measure(metrics, live.problems().iter().map(|problem| problem.kind), now);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.encode()).into_response()
}

#[cfg(test)]
mod tests {
    use arc_swap::ArcSwap;

    use super::*;
    use crate::source::SourceStatus;

    fn status(states: &[SourceState]) -> Status {
        let source = |state: &SourceState| SourceStatus {
            name: format!("file:{state:?}.json"),
            state: *state,
            fresh: Some(SystemTime::UNIX_EPOCH),
            flags: 1,
        };
        let sources = states.iter().map(source).collect();
        Status { sources: ArcSwap::from_pointee(sources), problems: ArcSwap::default() }
    }

    fn ready(states: &[SourceState], draining: bool) -> u16 {
        readiness(&status(states), &AtomicBool::new(draining)).status().as_u16()
    }

    #[test]
    fn ready_is_who_has_flags_from_every_source_and_does_not_drain() {
        use SourceState::{Missing, Ready, Stale};
        let cases: [(&[SourceState], bool, u16); 6] = [
            (&[], false, 200),
            (&[Ready, Stale], false, 200),
            (&[Ready, Missing], false, 503),
            (&[Missing], false, 503),
            (&[Ready], true, 503),
            (&[Missing], true, 503),
        ];
        for (states, draining, expected) in cases {
            assert_eq!(ready(states, draining), expected, "{states:?} {draining}");
        }
    }
}
