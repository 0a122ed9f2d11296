//! `/healthz`, `/readyz`, `/metrics`, nothing else.

use std::sync::Arc;

use axum::Router;

use crate::gateway::live::Published;
use crate::source::Status;
use crate::telemetry::Metrics;

/// The probes. Ready once flags have loaded, until `draining` turns true.
pub fn router(
    _live: Published,
    _status: Arc<Status>,
    _metrics: Arc<Metrics>,
    _draining: Arc<std::sync::atomic::AtomicBool>,
) -> Router {
    todo!()
}
