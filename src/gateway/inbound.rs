//! The response, as the client sees it.

use http::{HeaderMap, HeaderName};
use pingora::http::ResponseHeader;

use super::exchange::Exchange;
use super::fields::Fields;
use super::namespace::Namespace;

/// Tells the client which version served, where that is configured.
const VERSION: HeaderName = HeaderName::from_static("x-flagway-version");

/// Changes a response of an upstream into the client's.
pub fn prepare(response: &mut ResponseHeader, exchange: &Exchange) {
    let live = &exchange.live;
    response.strip(&live.namespace);
    if response.status.is_informational() {
        return;
    }
    if let Some(forward) = exchange.forward() {
        response.edit(&forward.response_headers, &live.namespace);
    }
    exchange.sign(response);
    if live.snapshot.config.injection.client_version
        && let Some(attempts) = &exchange.attempts
    {
        let pool = live.upstreams.pool(attempts.service, attempts.version);
        response.set(&VERSION, pool.label.clone());
    }
}

/// Takes decisions out of trailers, where a client may read them as well.
pub fn strip_trailers(trailers: &mut HeaderMap, namespace: &Namespace) {
    let owned: Vec<HeaderName> = trailers.keys().filter(|name| namespace.owns(name)).cloned().collect();
    for name in owned {
        trailers.remove(name);
    }
}
