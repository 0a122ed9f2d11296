//! `/api/v1`: flags, snapshot, explain.

use std::sync::Arc;

use axum::Router;

use crate::gateway::live::Published;
use crate::source::Status;

/// The admin API. With a token, every request must carry it as a bearer token.
pub fn router(_live: Published, _status: Arc<Status>, _token: Option<String>) -> Router {
    todo!()
}
