//! `/api/v1` and `/ofrep/v1`: flags, what was done to them by hand, snapshot, status, events, explain, shadows.
//!
//! Answers are JSON, errors `application/problem+json`; a request's body is at most 64 KiB, with definitions in it 1 MiB.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};

use super::body::{MAX_BODY, too_long};
use super::condition;
use super::error::Error;
use super::events::{Places, events};
use super::explain::{self, Explanation};
use super::guard::{Guard, guard};
use super::state::{Api, unix};
use super::status::StatusView;
use super::view::{FlagView, SnapshotView};
use super::writes::audited;
use super::{ofrep, overlay, shadows, writes};
use crate::flag::{Flag, FlagId};
use crate::gateway::live::Published;
use crate::source::{Hand, Status};

/// The admin API. With `token`, an admin's, or tokens in the state folder, every request must carry one.
pub fn router(
    live: Published,
    status: Arc<Status>,
    hand: Hand,
    token: Option<String>,
    state_dir: Option<PathBuf>,
) -> Router {
    let guarded = Guard::new(token.as_deref(), state_dir);
    Router::new()
        .route("/api/v1/flags", get(flags))
        .route("/api/v1/flags/{key}", get(flag))
        .route("/api/v1/snapshot", get(snapshot))
        .route("/api/v1/status", get(status_of))
        .route("/api/v1/events", get(events))
        .route("/api/v1/explain", post(explain))
        .merge(overlay::router())
        .merge(writes::router())
        .merge(ofrep::router())
        .merge(shadows::router(Arc::clone(&live)))
        .fallback(async || {
            Error::new(StatusCode::NOT_FOUND, "there is nothing here; the API is under /api/v1")
        })
        .method_not_allowed_fallback(async || {
            let detail = "GET tells, POST does what the last part of a path says, PUT and DELETE are for /api/v1/overlay/{flag}";
            Error::new(StatusCode::METHOD_NOT_ALLOWED, detail)
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(guarded, guard))
        .layer(middleware::from_fn_with_state(hand.clone(), audited))
        .with_state(Api { live, status, hand, places: Places::default(), since: SystemTime::now() })
}

async fn flags(State(api): State<Api>) -> Json<serde_json::Value> {
    let (live, overlay) = (api.live.load_full(), api.hand.overlay());
    let snapshot = &live.snapshot;
    let view = |(id, flag)| FlagView::new(snapshot, &overlay, id, flag);
    // One a key: whoever operates by hand knows flags by it.
    let counts = |(id, flag): &(FlagId, &Flag)| snapshot.flags.find(&flag.key) == Some(*id);
    let flags: Vec<FlagView> = snapshot.flags.iter().filter(counts).map(view).collect();
    Json(serde_json::json!({"revision": snapshot.revision.as_str(), "flags": flags}))
}

async fn flag(State(api): State<Api>, Path(key): Path<String>) -> Result<Response, Error> {
    let detail = api.flag(&key).ok_or_else(|| api.no_flag(&key))?;
    Ok(([(header::ETAG, condition::etag(&detail.etag))], Json(detail)).into_response())
}

async fn status_of(State(api): State<Api>) -> Json<StatusView> {
    let now = SystemTime::now();
    Json(StatusView::new(&api.live.load_full(), &api.status, &api.hand, api.since, now))
}

async fn snapshot(State(api): State<Api>) -> Json<SnapshotView> {
    Json(SnapshotView::new(&api.live.load(), &api.status, SystemTime::now()))
}

async fn explain(
    State(api): State<Api>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Explanation>, Error> {
    let body = body.map_err(|rejected| match rejected.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_long(MAX_BODY),
        status => Error::new(status, rejected.body_text()),
    })?;
    let asked: explain::Request = serde_json::from_slice(&body).map_err(|error| {
        Error::bad(format!(
            "the body is no request to explain: {error}; expected {{\"method\": \"GET\", \"url\": \"/checkout\", \"headers\": [[\"x-canary\", \"always\"]]}}"
        ))
    })?;
    let live = api.live.load_full();
    let verifier = live.keyring.verifier();
    let told = explain::explain(&live.snapshot, verifier.as_deref(), &asked, unix(), rand::random());
    let mut told = told.map_err(Error::bad)?;
    let decided = told.service.as_deref().zip(told.version.as_deref());
    if let Some(serves) = decided.and_then(|(service, version)| live.in_place_of(service, version)) {
        told.hold_out(&serves.name);
    }
    Ok(Json(told))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fixture::Door;
    use super::*;

    /// The API over the example of `conf/`.
    fn door(token: Option<&str>) -> Door {
        Door::open(include_str!("../../conf/flagway.yaml"), include_str!("../../conf/flags.json"), token)
    }

    async fn ask(method: &str, path: &str, body: &str) -> (u16, Value) {
        let told = door(None).ask(method, path, &[], body).await;
        (told.status, told.json())
    }

    #[tokio::test]
    async fn flags_are_listed_and_told_one_by_one() {
        let (status, list) = ask("GET", "/api/v1/flags", "").await;
        let keys: Vec<&Value> = list["flags"].as_array().unwrap().iter().map(|flag| &flag["key"]).collect();
        assert_eq!((status, keys), (200, vec![&json!("checkout-version"), &json!("new-pricing")]));

        let (status, flag) = ask("GET", "/api/v1/flags/new%2Dpricing", "").await;
        assert_eq!((status, &flag["state"], &flag["routes"]), (200, &json!("ENABLED"), &json!(["checkout"])));
        assert_eq!(flag["definition"]["defaultVariant"], "off");
        assert_eq!(flag["reads"]["attributes"], json!(["country"]));

        let (status, problem) = ask("GET", "/api/v1/flags/new-prizing", "").await;
        assert_eq!(status, 404);
        assert!(problem["detail"].as_str().unwrap().contains("did you mean `new-pricing`?"), "{problem}");
    }

    #[tokio::test]
    async fn the_snapshot_tells_its_revision_and_its_sources() {
        let (status, told) = ask("GET", "/api/v1/snapshot", "").await;
        assert_eq!(status, 200);
        assert_eq!(told["revision"].as_str().unwrap().len(), 12);
        assert_eq!(
            (&told["fractional"], &told["flags"], &told["routes"]),
            (&json!("v3"), &json!(2), &json!(1))
        );
        assert_eq!(told["sources"][0]["state"], "ready");
    }

    #[tokio::test]
    async fn a_request_is_explained() {
        let body =
            json!({"url": "/checkout", "headers": [["cookie", "uid=sue"]], "at": 1_800_000_000}).to_string();
        let (status, told) = ask("POST", "/api/v1/explain", &body).await;
        assert_eq!((status, &told["version"], &told["at"]), (200, &json!("canary"), &json!(1_800_000_000)));
        assert_eq!(told["targeting_key"]["source"], "cookie uid");
        assert_eq!(told["headers"][0], json!(["x-flag-checkout-version", "canary"]));
    }

    #[tokio::test]
    async fn what_cannot_be_answered_is_a_problem() {
        let long = format!("{{\"url\": \"/{}\"}}", "a".repeat(MAX_BODY));
        let cases = [
            ("GET", "/", "", 404),
            ("GET", "/api/v1/flags/", "", 404),
            ("DELETE", "/api/v1/flags", "", 405),
            ("GET", "/api/v1/explain", "", 405),
            ("POST", "/api/v1/explain", "", 400),
            ("POST", "/api/v1/explain", "{\"url\": \"checkout\"}", 400),
            ("POST", "/api/v1/explain", "{\"url\": \"/\", \"headers\": [[\"a b\", \"c\"]]}", 400),
            ("POST", "/api/v1/explain", &long, 413),
        ];
        for (method, path, body, expected) in cases {
            let (status, problem) = ask(method, path, body).await;
            assert_eq!(
                (status, problem["status"].as_u64()),
                (expected, Some(u64::from(expected))),
                "{method} {path}"
            );
            assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
        }
    }

    #[tokio::test]
    async fn the_guard_stands_before_everything() {
        let ask =
            async |token, host: &str| door(token).ask("GET", "/nothing", &[("host", host)], "").await.status;
        assert_eq!(ask(None, "evil.example").await, 403);
        assert_eq!(ask(Some("secret"), "localhost").await, 401);
        assert_eq!(ask(None, "localhost").await, 404);
    }
}
