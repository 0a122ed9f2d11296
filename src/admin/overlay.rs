//! What was done by hand, to read: entries, the audit, and the patches that would bring sources up to what runs.
//!
//! It changes nothing: [`writes`](super::writes) does.

use std::time::SystemTime;

use axum::extract::{Path, Query as Pairs, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::condition;
use super::error::Error;
use super::state::Api;
use crate::config::suggest;
use crate::source::audit::Query;

/// The API's part that tells what was done by hand.
pub fn router() -> Router<Api> {
    Router::new()
        .route("/api/v1/overlay", get(all))
        .route("/api/v1/overlay/{flag}", get(one))
        // Not below `overlay`, where a flag may be called `diff`.
        .route("/api/v1/diff", get(diff))
        .route("/api/v1/audit", get(audit))
}

async fn all(State(api): State<Api>) -> Json<Value> {
    let revision = api.live.load().snapshot.revision.to_string();
    Json(json!({"revision": revision, "durable": api.hand.durable(), "entries": *api.hand.overlay()}))
}

async fn one(State(api): State<Api>, Path(flag): Path<String>) -> Result<Response, Error> {
    // First, as for a whole flag.
    let etag = api.hand.etag(&flag);
    let overlay = api.hand.overlay();
    let entries = overlay.of(&flag);
    if entries.is_empty() && api.live.load().snapshot.flags.find(&flag).is_none() {
        return Err(api.no_flag(&flag));
    }
    let body = json!({"flag": flag, "etag": etag, "durable": api.hand.durable(), "entries": entries});
    Ok(([(header::ETAG, condition::etag(&etag))], Json(body)).into_response())
}

async fn diff(State(api): State<Api>) -> Result<Json<Value>, Error> {
    let diffs = blocking(move || api.hand.diff()).await?;
    Ok(Json(json!({"diffs": diffs})))
}

async fn audit(
    State(api): State<Api>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Json<Value>, Error> {
    let query = query(pairs)?;
    query.filter(SystemTime::now()).map_err(Error::bad)?;
    let records = blocking(move || api.hand.audit(&query)).await?;
    Ok(Json(json!({"records": records})))
}

/// A misspelt filter would tell all as if it were little.
fn query(pairs: Vec<(String, String)>) -> Result<Query, Error> {
    let mut query = Query::default();
    for (name, value) in pairs {
        let field = match &*name {
            "flag" => &mut query.flag,
            "by" => &mut query.by,
            "since" => &mut query.since,
            "outcome" => &mut query.outcome,
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=10_000).contains(limit));
                query.limit =
                    Some(limit.ok_or_else(|| Error::bad("`limit` is not a number from 1 to 10000"))?);
                continue;
            }
            other => {
                let known = ["flag", "by", "since", "outcome", "limit"];
                let near = suggest(other, known).map(|near| format!("; did you mean `{near}`?"));
                let near = near.unwrap_or_else(|| format!(", only {}", known.join(", ")));
                return Err(Error::bad(format!("there is no filter `{}`{near}", other.escape_debug())));
            }
        };
        *field = Some(value);
    }
    Ok(query)
}

/// Waits on the disk where no other request has to.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Error::new(StatusCode::SERVICE_UNAVAILABLE, "the gateway is stopping"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_known_or_refused() {
        let read = |text: &str| {
            let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
            query(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
        };
        let all = read("flag=v&by=ann&since=2h&outcome=refused&limit=7").unwrap();
        assert_eq!((all.flag.as_deref(), all.by.as_deref(), all.limit), (Some("v"), Some("ann"), Some(7)));
        assert_eq!((all.since.as_deref(), all.outcome.as_deref()), (Some("2h"), Some("refused")));
        for (text, words) in [
            ("flga=v", "did you mean `flag`?"),
            ("x=1", "only flag, by, since, outcome, limit"),
            ("limit=0", "from 1 to 10000"),
            ("limit=10001", "from 1 to 10000"),
            ("limit=x", "from 1 to 10000"),
        ] {
            assert!(read(text).unwrap_err().detail.contains(words), "{text}");
        }
    }
}
