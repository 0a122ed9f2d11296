//! `/ofrep/v1`: what OpenFeature clients ask, answered to whoever may read here. Every flag is shown, and a context is what the body says.
//!
//! For services of one's own and for trying out; pages and phones ask a route with the action `ofrep`.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use futures_util::stream;
use tokio::time::sleep;

use super::body::MAX_BODY;
use super::state::{Api, unix};
use crate::gateway::live::Published;
use crate::gateway::ofrep::updates::{ALIVE, BEAT, Listener, greeting};
use crate::gateway::ofrep::{kind_of, too_long};
use crate::ofrep;
use crate::source::Events;
use crate::telemetry::ofrep::Kind;

/// Below this everything is OFREP's.
pub(super) const BELOW: &str = "/ofrep/v1/";

/// Listeners at once.
const LISTENERS: usize = 64;

/// The API's part that answers clients.
pub(super) fn router() -> Router<Api> {
    Router::new().route("/ofrep/v1/stream", get(listen)).route("/ofrep/v1/{*rest}", any(evaluate))
}

async fn evaluate(
    State(api): State<Api>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let live = api.live.load_full();
    let door = &live.ofrep.admin;
    let kind = kind_of(&method, uri.path());
    let body = match body {
        Ok(body) => body,
        Err(refused) => {
            let answer = match refused.status() {
                StatusCode::PAYLOAD_TOO_LARGE => too_long(MAX_BODY),
                status => ofrep::Answer::told(status, &refused.body_text()),
            };
            door.counters.count(kind, answer.status);
            return told(answer);
        }
    };
    let request = ofrep::Request {
        method: &method,
        path: uri.path(),
        query: uri.query(),
        headers: &headers,
        body: &body,
    };
    let counted = |flag, resolution: &_| live.handles.evaluated(&live.snapshot, flag, resolution);
    let answer = door.catalog(&live.snapshot).answer(&request, None, unix(), counted);
    door.counters.count(kind, answer.status);
    told(answer)
}

fn told(answer: ofrep::Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    response.headers_mut().extend(answer.headers);
    response
}

async fn listen(State(api): State<Api>, request: Request) -> Response {
    let live = api.live.load_full();
    let door = &live.ofrep.admin;
    let heard = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
    // From before it is looked at what is live, so that nothing is missed.
    let news = live.updates.listen();
    let Some(listener) = door.listeners.enter(LISTENERS, heard, &api.live.load()) else {
        door.counters.count(Kind::Stream, StatusCode::SERVICE_UNAVAILABLE);
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "60")]).into_response();
    };
    door.counters.count(Kind::Stream, StatusCode::OK);
    let (live, all) = (Arc::clone(&api.live), api.hand.events().clone());
    let told = Told { live, all, news, listener, greeted: false };
    let events = stream::unfold(told, |mut told| async {
        let bytes = told.next().await?;
        Some((Ok::<_, std::convert::Infallible>(bytes), told))
    });
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    ([kind], Body::from_stream(events)).into_response()
}

/// What one listener is told.
struct Told {
    live: Published,
    /// Tells when the gateway stops.
    all: Events,
    news: tokio::sync::watch::Receiver<()>,
    listener: Listener,
    greeted: bool,
}

impl Told {
    /// None: there will be nothing more.
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(greeting());
        }
        loop {
            if let Some(event) = self.listener.news(&self.live.load()) {
                return Some(event);
            }
            tokio::select! {
                changed = self.news.changed() => changed.ok()?,
                () = self.all.ended() => return None,
                () = sleep(ALIVE) => return Some(BEAT),
            }
        }
    }
}
