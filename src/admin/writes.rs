//! The writes of the API: a flag killed, released, weighed, enabled, disabled, set, or all of its entries replaced.
//!
//! It asks the keeper and tells what came of it: an answer comes when the write is on disk, in the audit and live. What was refused before
//! the keeper heard of it, [`audited`] writes down.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use axum::{Extension, Json, Router};
use serde::Serialize;

use super::body::{Around, MAX_DEFINITIONS, Verb, too_long};
use super::condition;
use super::error::Error;
use super::state::{Api, unix};
use super::view::FlagDetail;
use crate::config::suggest;
use crate::gateway::streams::drain_killed;
use crate::overlay::refusal::Why;
use crate::source::Hand;
use crate::source::audit::{Query, Record};
use crate::source::hand::{Condition, Operator, Refused, Write, Written};

/// The API's part that changes flags.
pub fn router() -> Router<Api> {
    Router::new()
        .route("/api/v1/flags/{key}/{verb}", post(named))
        .route("/api/v1/overlay/{flag}", put(whole).delete(whole))
        .layer(DefaultBodyLimit::max(MAX_DEFINITIONS))
}

/// What a write is answered with.
#[derive(Debug, Serialize)]
struct Answer {
    /// As it is now; none: it was made by hand, and released.
    flag: Option<FlagDetail>,
    /// That is live.
    revision: String,
    /// Whether it survives the process.
    durable: bool,
    /// Of the audit.
    seq: u64,
    /// Whether it was done before, by the same idempotency key.
    again: bool,
    /// Long-lived streams of other versions that `drain` ends; none: it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    streams: Option<usize>,
}

/// A refusal that the keeper has written down.
#[derive(Debug, Clone, Copy)]
struct InAudit;

async fn named(
    State(api): State<Api>,
    Extension(operator): Extension<Operator>,
    Path((key, name)): Path<(String, String)>,
    request: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(verb) = Verb::named(&name) else {
        let near = suggest(&name, Verb::NAMED.map(|(name, _)| name));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let detail = format!("`{name}` is nothing that can be done to a flag{near}");
        return Error::new(StatusCode::NOT_FOUND, detail).into_response();
    };
    act(&api, operator, verb, key, request, body).await
}

async fn whole(
    State(api): State<Api>,
    Extension(operator): Extension<Operator>,
    Path(flag): Path<String>,
    request: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let verb = if request.0 == Method::PUT { Verb::Replace } else { Verb::Clear };
    act(&api, operator, verb, flag, request, body).await
}

/// Of a request, what a write looks at beside its body.
type Parts = (Method, Uri, HeaderMap);

async fn act(
    api: &Api,
    operator: Operator,
    verb: Verb,
    flag: String,
    request: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let (write, drain) = match write(api, operator, verb, &flag, &request, body) {
        Ok(understood) => understood,
        Err(error) => return error.into_response(),
    };
    match done(api, write, drain).await {
        Ok((written, streams)) => {
            let answer = Answer {
                streams,
                flag: api.flag(&flag),
                revision: written.revision,
                durable: written.durable,
                seq: written.seq,
                again: written.again,
            };
            ([(header::ETAG, condition::etag(&written.etag))], Json(answer)).into_response()
        }
        Err(refused) => {
            let mut response = refusal(&api.hand, &flag, refused).await.into_response();
            response.extensions_mut().insert(InAudit);
            response
        }
    }
}

/// To its end, though the client may have gone: what is killed is drained.
async fn done(api: &Api, write: Write, drain: Option<Duration>) -> Result<(Written, Option<usize>), Refused> {
    let (hand, live, flag) = (api.hand.clone(), Arc::clone(&api.live), Arc::clone(&write.flag));
    let done = tokio::spawn(async move {
        let written = hand.write(write).await?;
        Ok((written, drain.map(|after| drain_killed(&live, &flag, after))))
    });
    done.await.unwrap_or(Err(Refused::Stopping))
}

type Understood = (Write, Option<Duration>);

fn write(
    api: &Api,
    operator: Operator,
    verb: Verb,
    flag: &str,
    (method, uri, headers): &Parts,
    body: Result<Bytes, BytesRejection>,
) -> Result<Understood, Error> {
    let body = body.map_err(|rejected| match rejected.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_long(verb.max_body()),
        status => Error::new(status, rejected.body_text()),
    })?;
    let live = api.live.load();
    let running =
        live.snapshot.flags.find(flag).and_then(|id| live.snapshot.flags.get(id).definition.as_deref());
    let asked = verb.read(&body, Around { flag, running, by: &operator.name, now: unix() })?;
    let condition = condition::if_match(headers)?;
    let once = condition::once(headers, &[method.as_str().as_bytes(), uri.path().as_bytes(), &body])?;
    let write = Write {
        flag: Arc::from(flag),
        action: asked.action,
        by: operator,
        why: asked.why,
        until: asked.until,
        // Nobody who stops a fire has to look at it first.
        condition: match verb {
            Verb::Kill => condition.unwrap_or(Condition::Any),
            _ => condition::required(condition)?,
        },
        once,
    };
    Ok((write, asked.drain))
}

/// A refusal of the keeper, as the client is told it.
async fn refusal(hand: &Hand, flag: &str, refused: Refused) -> Error {
    let status = StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match refused {
        Refused::Stale(etag) => {
            let changed = changed(hand, flag, &etag).await;
            let detail =
                format!("`{flag}` is not what it was: {changed}; look at it, then send its new ETag");
            Error::new(status, detail).with_header(header::ETAG, condition::etag(&etag))
        }
        Refused::Change(refusal) => {
            let error = Error::new(status, refusal.to_string());
            match &refusal.why {
                Why::Definition(problems) => error.with_problems(problems),
                _ => error,
            }
        }
        Refused::Worse(problems) => {
            let first = problems.first().map_or("it would be worse", |problem| &problem.found);
            Error::new(status, format!("nothing was changed, as then {first}")).with_problems(&problems)
        }
        Refused::Disk(error) => {
            tracing::error!(flag, error, "a write of the overlay cannot be kept on disk");
            Error::new(status, Refused::Disk(error).to_string())
        }
        other => Error::new(status, other.to_string()),
    }
}

/// Who made the flag what it is, as far as it is known.
async fn changed(hand: &Hand, flag: &str, etag: &str) -> String {
    let query = Query {
        flag: Some(flag.to_owned()),
        outcome: Some("accepted".to_owned()),
        limit: Some(1),
        ..Query::default()
    };
    let own = hand.clone();
    let newest = tokio::task::spawn_blocking(move || own.audit(&query)).await.unwrap_or_default();
    match newest.first().filter(|record| record.etag.as_deref() == Some(etag)) {
        Some(Record { by, time, action, why, .. }) => {
            let why = if why.is_empty() { String::new() } else { format!(", {why:?}") };
            format!("{by} changed it at {time} ({action}{why})")
        }
        None => "what its source says has changed".to_owned(),
    }
}

/// The layer outside of all others: writes of flags that were refused are in the audit, whoever refused them. Those of whoever was told to
/// wait are not, or they could fill it.
pub async fn audited(State(hand): State<Hand>, request: Request, next: Next) -> Response {
    let written = Verb::of(request.method(), request.uri().path());
    let key = request.headers().get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let response = next.run(request).await;
    let extensions = response.extensions();
    if let (Some((verb, flag)), Some(error)) = (written, extensions.get::<Error>())
        && extensions.get::<InAudit>().is_none()
        && error.status != StatusCode::TOO_MANY_REQUESTS
    {
        let operator = extensions.get::<Operator>();
        hand.refused(record(verb, flag, operator, key, error));
    }
    response
}

fn record(
    verb: Verb,
    flag: String,
    operator: Option<&Operator>,
    key: Option<String>,
    error: &Error,
) -> Record {
    Record {
        seq: 0, // The audit counts.
        time: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        action: verb.action().to_owned(),
        flag,
        by: operator.map(|operator| operator.name.clone()).unwrap_or_default(),
        role: operator.map_or("", |operator| operator.role).to_owned(),
        from: operator.and_then(|operator| operator.from).map(|from| from.to_string()),
        why: String::new(),
        until: None,
        accepted: false,
        status: error.status.as_u16(),
        problem: Some(error.detail.clone()),
        before: None,
        after: None,
        overlay: None,
        revision: None,
        etag: None,
        idempotency_key: key,
    }
}
