//! The response, as the client sees it.

use http::header::TRANSFER_ENCODING;
use http::{HeaderMap, HeaderName};
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
    if response.status.is_informational() {
        return;
    }
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

/// Takes decisions out of trailers, where a client may read them as well.
pub fn strip_trailers(trailers: &mut HeaderMap, injection: &Injection) {
    let owned: Vec<HeaderName> =
        trailers.keys().filter(|name| injection.reserves(name.as_str())).cloned().collect();
    for name in owned {
        trailers.remove(name);
    }
}
