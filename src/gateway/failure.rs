//! What a failure of an upstream means for its request, as far as that is to be seen of the session: what was sent, and what can be sent
//! again.

use http::StatusCode;
use http::header::{CONTENT_LENGTH, EXPECT};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;
use pingora::{Error, ErrorSource, ErrorType};

use super::attempts::Failure;
use super::lines::Cut;

/// Why an answer failed that says so itself: a token for metrics and the log.
pub const UNFIT: &str = "status";
/// Bytes of a body that Pingora keeps, so that it can be sent again.
const REPLAYED: u64 = 64 << 10;

/// A failure of an upstream, as the request is now.
pub fn of(session: &Session, why: &'static str, stale: bool) -> Failure {
    let head = session.req_header();
    Failure {
        why,
        stale,
        idempotent: head.method.is_idempotent(),
        // A body that is too long is so from its begin on, not only once too much of it has come.
        spent: session.as_ref().retry_buffer_truncated()
            || length(head).is_some_and(|length| length > REPLAYED)
            || is_begun(session),
    }
}

/// What ends an attempt whose answer is thrown away: another one is prepared.
pub fn unfit() -> Box<Error> {
    let mut error = Error::explain(ErrorType::Custom(UNFIT), "another attempt follows");
    error.as_up();
    error.set_retry(true);
    error
}

/// An error for what it is: whoever reads of a connection that was cut only sees it end. `waits`: the version itself waits, for the client's
/// body.
pub fn understood(mut error: Box<Error>, cut: Option<Cut>, waits: bool) -> Box<Error> {
    if *error.esource() != ErrorSource::Upstream {
        return error;
    }
    let kind = match cut {
        Some(Cut::Late) => ErrorType::ReadTimedout,
        Some(Cut::Stop) => ErrorType::HTTPStatus(StatusCode::SERVICE_UNAVAILABLE.as_u16()),
        None if waits && *error.etype() == ErrorType::ReadTimedout => {
            error.as_down();
            return error;
        }
        Some(Cut::Kill) | None => return error,
    };
    Error::because(kind, "the connection was cut", error).into_up()
}

/// Whether the gate has awaited the body, as it does with those of at most so many bytes.
pub fn is_awaited(session: &Session, buffered: u64) -> bool {
    let head = session.req_header();
    session.as_downstream().as_http1().is_some()
        && !head.headers.contains_key(EXPECT)
        && length(head).is_some_and(|length| length <= buffered)
}

/// Whether an answer has begun to go to the client. Behind a 101 comes no answer: what is written there, the client takes for the other
/// protocol.
pub fn is_begun(session: &Session) -> bool {
    session.response_written().is_some_and(|head| !is_interim(head))
}

/// Whether an answer is yet to come behind it.
pub fn is_interim(head: &ResponseHeader) -> bool {
    head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS
}

fn length(head: &RequestHeader) -> Option<u64> {
    head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
