//! What the tests of shadows share: a live configuration with one shadowed route, and requests to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use pingora::http::RequestHeader;

use super::copying::{Attempted, Copying};
use super::job::{Job, Told};
use crate::config::service::{ServiceId, VersionId};
use crate::decide::{Decision, decide};
use crate::gateway::Live;
use crate::snapshot::fixture::{facts, snapshot};
use crate::telemetry::Metrics;

pub const STABLE: VersionId = VersionId(0);
pub const CANARY: VersionId = VersionId(1);

const FLAGS: &str = r#"{"flags":{
    "v":{"state":"ENABLED","variants":{"stable":"stable","canary":"canary"},"defaultVariant":"stable"},
    "s":{"state":"ENABLED","variants":{"canary":"canary","stable":"stable","odd":"v9"},"defaultVariant":"canary",
        "targeting":{"var":"header.x-shadow"}},
    "t":{"state":"ENABLED","variants":{"canary":"canary"},"defaultVariant":"canary"}}}"#;

/// A route whose shadows, at most two, have these settings beside their flag.
pub fn live(extra: &str, shadows: &[&str]) -> Arc<Live> {
    Arc::new(Live::new(Arc::new(built(extra, shadows)), &Metrics::new(1000), None))
}

/// Its snapshot.
pub fn built(extra: &str, shadows: &[&str]) -> crate::snapshot::Snapshot {
    let shadow = |(flag, settings): (&str, &&str)| {
        format!(
            "      - {{flag: {flag}, {settings}}}
"
        )
    };
    let shadows: String = ["s", "t"].into_iter().zip(shadows).map(shadow).collect();
    snapshot(extra, &format!("    version: {{flag: v}}\n    inject: [v]\n    shadows:\n{shadows}"), FLAGS)
}

/// What is decided of a request with these fields.
pub fn decision(live: &Live, fields: &[(&str, &str)]) -> Decision {
    let fields = head("GET", fields).headers.clone();
    decide(&live.snapshot, &facts(&live.snapshot, "/a", &fields), 0, 0)
}

pub fn head(method: &str, fields: &[(&str, &str)]) -> RequestHeader {
    let mut head = RequestHeader::build(method, b"/a?b=c", None).unwrap();
    for (name, value) in fields {
        head.append_header((*name).to_owned(), *value).unwrap();
    }
    head
}

/// The copies of a plain request.
pub fn begin(live: &Arc<Live>) -> Option<Box<Copying>> {
    Copying::begin(live, &decision(live, &[]), &Method::GET, &HeaderMap::new(), false)
}

/// Sends a request's head to the version that was decided.
pub fn first(copying: &mut Copying, head: &RequestHeader, has_body: bool) {
    let attempted = Attempted {
        head,
        has_body,
        served_by: (ServiceId(0), STABLE),
        decided: true,
        id: &HeaderValue::from_static("id"),
        target: &Uri::from_static("/a?b=c"),
    };
    let told = (HeaderName::from_static("x-flag-v"), HeaderValue::from_static("canary"));
    copying.first(attempted, |_, _| Told::from_iter([told.clone()]));
}

/// Copies that were handed over since the last call.
pub fn handed_over(live: &Live) -> Vec<Job> {
    let mut intake = live.shadows.outbox().intake.try_lock().unwrap();
    std::iter::from_fn(|| intake.try_recv().ok()).collect()
}

/// What was dropped, by why, on all lines.
pub fn dropped(live: &Live) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for line in live.shadows.lines() {
        for (why, count) in line.ledger().report(false).dropped {
            *all.entry(why).or_insert(0) += count;
        }
    }
    all.retain(|_, count| *count > 0);
    all
}

/// Whether nothing is charged to the budget of bytes.
pub fn nothing_held(live: &Live) -> bool {
    let bytes = &live.shadows.outbox().bytes;
    let mut all = bytes.open();
    all.resize(live.snapshot.config.shadows.max_bytes)
}
