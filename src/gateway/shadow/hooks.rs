//! What each hook of a request does for its copies: one question whether there are any, and what the exchange knows, handed on.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use pingora::http::{RequestHeader, ResponseHeader};

use super::copying::{Attempted, Copying};
use super::job::Told;
use crate::config::service::VersionId;
use crate::decide::Decision;
use crate::decide::headers::{Attempt, decision_headers};
use crate::gateway::exchange::Exchange;
use crate::snapshot::Snapshot;

impl Exchange {
    /// The request is decided. `received` is its clean head.
    pub fn begin_copies(&mut self, received: &RequestHeader, upgrade: bool) {
        let Some(decision) = self.decision.as_ref().filter(|decision| !decision.shadows.is_empty()) else {
            return;
        };
        self.copying = Copying::begin(&self.live, decision, &received.method, &received.headers, upgrade);
    }

    /// An attempt is about to be sent: `request`, which was `received` so. `has_body` is asked only when there are copies.
    pub fn copy_head(&mut self, request: &RequestHeader, received: &RequestHeader, has_body: bool) {
        let (Some(copying), Some(attempts), Some(decision)) =
            (&mut self.copying, &self.attempts, &self.decision)
        else {
            return;
        };
        if attempts.count > 1 {
            return copying.again(has_body);
        }
        let attempted = Attempted {
            head: request,
            has_body,
            served_by: (attempts.service, attempts.version),
            decided: attempts.fallback.is_none(),
            id: &self.request_id,
            target: &received.uri,
        };
        let snapshot = &self.live.snapshot;
        copying
            .first(attempted, |shadow, version| told(snapshot, decision, shadow, version, &received.headers));
    }

    /// A piece of the request's body passes.
    pub fn copy_body(&mut self, piece: Option<&Bytes>, end: bool) {
        if let Some(copying) = &mut self.copying {
            // Where trailers follow, nothing says that the body ends but that there is no more of it.
            copying.piece(piece, end || piece.is_none());
        }
    }

    /// The upstream answers.
    pub fn keep_head(&mut self, answer: &ResponseHeader) {
        if let Some(copying) = &mut self.copying
            && !(answer.status.is_informational() && answer.status != StatusCode::SWITCHING_PROTOCOLS)
        {
            copying.answered(answer.status, &answer.headers);
        }
    }

    /// A piece of the upstream's answer passes.
    pub fn keep_body(&mut self, piece: Option<&Bytes>) {
        if let (Some(copying), Some(piece)) = (&mut self.copying, piece) {
            copying.answer_piece(piece);
        }
    }

    /// All is over; `complete`: without an error.
    pub fn end_copies(&mut self, complete: bool) {
        if let Some(copying) = self.copying.take() {
            let fallback = self.attempts.as_ref().is_some_and(|attempts| attempts.fallback.is_some());
            copying.end(complete && self.error.is_none(), !fallback);
        }
    }
}

/// What a copy tells of decisions.
fn told(
    snapshot: &Snapshot,
    decision: &Decision,
    shadow: usize,
    version: VersionId,
    received: &HeaderMap,
) -> Told {
    let attempt = Attempt { version, why: Some("shadow"), shadow: Some(shadow) };
    let mut told = Told::new();
    decision_headers(snapshot, decision, attempt, received, |name, value| told.push((name.clone(), value)));
    told
}
