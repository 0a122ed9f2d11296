//! The request of one attempt, as the upstream sees it. Decision fields come last: nothing configured can cover them.

use http::HeaderValue;
use http::header::HOST;
use pingora::http::RequestHeader;

use super::exchange::Exchange;
use super::fields::Fields;
use super::forwarded;
use crate::decide::baggage::{self, BAGGAGE};
use crate::decide::headers::decision_headers;

/// Turns a copy of what was `received` into the request of the current attempt.
pub fn prepare(request: &mut RequestHeader, received: &RequestHeader, exchange: &Exchange) {
    let (Some(peer), Some(forward), Some(decision), Some(attempts)) =
        (exchange.peer, exchange.forward(), &exchange.decision, &exchange.attempts)
    else {
        return;
    };
    if let Some(target) = &exchange.target {
        request.set_uri(target.clone());
    }
    forwarded::tell(request, received, peer);
    let _ = request.insert_header("x-request-id", exchange.request_id.clone());
    exchange.trace.iter().for_each(|trace| trace.tell(request));
    if let Some(host) = &forward.rewrite.host
        && let Ok(host) = HeaderValue::from_str(host)
    {
        let _ = request.insert_header(HOST, host);
    }
    let live = &exchange.live;
    request.edit(&forward.request_headers, &live.snapshot.config.injection);
    let mut carries_baggage = false;
    decision_headers(&live.snapshot, decision, attempts.attempt(), &received.headers, |name, value| {
        carries_baggage |= *name == BAGGAGE;
        request.set(name, value);
    });
    let ours = live.snapshot.config.injection.baggage;
    if ours && !carries_baggage && baggage::strip(&received.headers) {
        request.remove_header(&BAGGAGE);
    }
}
