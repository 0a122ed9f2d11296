//! The response, as the client sees it. An upstream is believed about its answer, and about nothing else: neither decisions, nor who a visitor
//! is, nor what is for this connection alone.

use http::header::{CONNECTION, CONTENT_LENGTH, SET_COOKIE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use pingora::http::ResponseHeader;

use super::exchange::Exchange;
use super::fields::Fields;
use crate::config::Injection;

/// Tells the client which version served, where that is configured.
const VERSION: HeaderName = HeaderName::from_static("x-flagway-version");

/// Whether it is certain where a response's body ends: nobody asked for a transfer coding, so that it is `chunked` or none.
pub fn is_framed(response: &ResponseHeader) -> bool {
    let mut codings = response.headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return true };
    coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none()
}

/// Changes a response of an upstream into the client's.
pub fn prepare(response: &mut ResponseHeader, exchange: &Exchange) {
    let live = &exchange.live;
    let injection = &live.snapshot.config.injection;
    response.strip(injection);
    strip_nominated(response);
    if response.status.is_informational() {
        return;
    }
    strip_visitor(response, exchange);
    if let Some(forward) = exchange.forward() {
        response.edit(&forward.response_headers, injection);
    }
    exchange.sign(response);
    if injection.client_version
        && let Some(attempts) = &exchange.attempts
    {
        let pool = live.upstreams.pool(attempts.service, attempts.version);
        response.set(&VERSION, pool.label.clone());
    }
}

/// Takes off what is for the connection to the upstream alone (RFC 9110, 7.6.1). What frames the answer is read by now; an upgrade is a
/// connection's own.
fn strip_nominated(response: &mut ResponseHeader) {
    if response.status == StatusCode::SWITCHING_PROTOCOLS || !response.headers.contains_key(CONNECTION) {
        return;
    }
    let lines = response.headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    let names =
        lines.flat_map(|line| line.split(',')).filter_map(|name| name.trim().parse::<HeaderName>().ok());
    let kept = [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING];
    let doomed: Vec<HeaderName> = names.filter(|name| !kept.contains(name)).collect();
    doomed.iter().for_each(|name| response.remove(name));
}

/// Takes off cookies that only the gateway sets: a version that could set them would choose its visitors.
fn strip_visitor(response: &mut ResponseHeader, exchange: &Exchange) {
    let Some(route) = exchange.decision.as_ref().and_then(|decision| decision.route) else { return };
    let rules = &exchange.live.snapshot.plan(route).key_rules;
    let is_ours = |line: &HeaderValue| {
        let name = line.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default();
        rules.sets_cookie(name.trim_ascii())
    };
    if !response.headers.get_all(SET_COOKIE).iter().any(is_ours) {
        return;
    }
    let kept: Vec<HeaderValue> =
        response.headers.get_all(SET_COOKIE).iter().filter(|line| !is_ours(line)).cloned().collect();
    response.remove(&SET_COOKIE);
    kept.into_iter().for_each(|line| response.add(&SET_COOKIE, line));
}

/// Takes decisions out of trailers, where a client may read them as well.
pub fn strip_trailers(trailers: &mut HeaderMap, injection: &Injection) {
    let owned: Vec<HeaderName> =
        trailers.keys().filter(|name| injection.reserves(name.as_str())).cloned().collect();
    for name in owned {
        trailers.remove(name);
    }
}
