//! `/api/v1`: flags, snapshot, explain.
//!
//! Read only. Answers are JSON, errors `application/problem+json`; a request's body is at most 64 KiB.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router, middleware};

use super::error::Error;
use super::explain::{self, Explanation};
use super::guard::{Guard, guard};
use super::view::{FlagDetail, FlagView, SnapshotView};
use crate::gateway::live::Published;
use crate::source::Status;

/// Bytes of a request's body.
const MAX_BODY: usize = 64 << 10;

/// What the handlers look at.
#[derive(Clone)]
struct Api {
    live: Published,
    status: Arc<Status>,
}

/// The admin API. With a token, every request must carry it as a bearer token.
pub fn router(live: Published, status: Arc<Status>, token: Option<String>) -> Router {
    Router::new()
        .route("/api/v1/flags", get(flags))
        .route("/api/v1/flags/{key}", get(flag))
        .route("/api/v1/snapshot", get(snapshot))
        .route("/api/v1/explain", post(explain))
        .fallback(async || {
            Error::new(StatusCode::NOT_FOUND, "there is nothing here; the API is under /api/v1")
        })
        .method_not_allowed_fallback(async || {
            Error::new(StatusCode::METHOD_NOT_ALLOWED, "POST for /api/v1/explain, GET for everything else")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Guard::new(token.as_deref()), guard))
        .with_state(Api { live, status })
}

async fn flags(State(api): State<Api>) -> Json<serde_json::Value> {
    let live = api.live.load_full();
    let snapshot = &live.snapshot;
    let flags: Vec<FlagView> =
        snapshot.flags.iter().map(|(id, flag)| FlagView::new(snapshot, id, flag)).collect();
    Json(serde_json::json!({"revision": snapshot.revision.as_str(), "flags": flags}))
}

async fn flag(State(api): State<Api>, Path(key): Path<String>) -> Result<Json<FlagDetail>, Error> {
    let live = api.live.load_full();
    let id = live.snapshot.flags.find(&key).ok_or_else(|| {
        let known = live.snapshot.flags.iter().map(|(_, flag)| &*flag.key);
        let meant = crate::config::problem::suggest(&key, known);
        let hint = meant.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
        Error::new(StatusCode::NOT_FOUND, format!("no source defines the flag `{key}`{hint}"))
    })?;
    Ok(Json(FlagDetail::new(&live.snapshot, &api.status, id)))
}

async fn snapshot(State(api): State<Api>) -> Json<SnapshotView> {
    Json(SnapshotView::new(&api.live.load().snapshot, &api.status, SystemTime::now()))
}

async fn explain(
    State(api): State<Api>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Explanation>, Error> {
    let body = body.map_err(|rejected| {
        let too_long = rejected.status() == StatusCode::PAYLOAD_TOO_LARGE;
        let detail =
            if too_long { "the body is longer than 64 KiB".to_owned() } else { rejected.body_text() };
        Error::new(rejected.status(), detail)
    })?;
    let wrong = |detail| Error::new(StatusCode::BAD_REQUEST, detail);
    let asked: explain::Request = serde_json::from_slice(&body).map_err(|error| {
        wrong(format!(
            "the body is no request to explain: {error}; expected {{\"method\": \"GET\", \"url\": \"/checkout\", \"headers\": [[\"x-canary\", \"always\"]]}}"
        ))
    })?;
    // The clock is before 1970: then everything is.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    let live = api.live.load_full();
    Ok(Json(explain::explain(&live.snapshot, &asked, now, rand::random()).map_err(wrong)?))
}
