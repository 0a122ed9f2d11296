//! A gRPC call, as far as the head of its answer tells: what became of it, in terms of HTTP, too.
//!
//! Its dialect for browsers (grpc-web) is none: there the status is a part of the body, which nobody reads here.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use pingora::http::ResponseHeader;

use crate::telemetry::GrpcStatus;

/// A call that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// It is over with the head.
    Over(GrpcStatus),
    /// Trailers tell what became of it.
    GoesOn,
}

impl Call {
    /// None: the answer is not that of a call.
    pub fn answered_by(response: &ResponseHeader) -> Option<Call> {
        let kind = response.headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        let is_call = kind.starts_with(b"application/grpc") && !kind.starts_with(b"application/grpc-web");
        is_call.then(|| GrpcStatus::of(&response.headers).map_or(Call::GoesOn, Call::Over))
    }

    /// As far as is known: a server that never tells leaves it so.
    pub fn status(self) -> GrpcStatus {
        match self {
            Call::Over(status) => status,
            Call::GoesOn => GrpcStatus::UNKNOWN,
        }
    }
}

/// The status that an answer's head tells; of a call that is over with its head, the one that says the same.
pub fn head_status(response: &ResponseHeader) -> StatusCode {
    match Call::answered_by(response) {
        Some(Call::Over(status)) => as_http(status),
        _ => response.status,
    }
}

/// The status of HTTP that says the same.
pub fn as_http(status: GrpcStatus) -> StatusCode {
    // Each of them is one.
    StatusCode::from_u16(status.as_http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_over_with_its_head_or_goes_on() {
        for (kind, status, head) in [
            ("text/plain", Some("14"), 200),
            ("application/grpc-web+proto", Some("14"), 200),
            ("application/grpc", Some("14"), 503),
            ("application/grpc+proto", Some("0"), 200),
            ("application/grpc", None, 200),
        ] {
            let mut response = ResponseHeader::build(200, None).unwrap();
            response.insert_header("content-type", kind).unwrap();
            if let Some(status) = status {
                response.insert_header("grpc-status", status).unwrap();
            }
            assert_eq!(head_status(&response).as_u16(), head, "{kind} {status:?}");
            let goes_on = Call::answered_by(&response) == Some(Call::GoesOn);
            assert_eq!(goes_on, status.is_none(), "{kind} {status:?}");
        }
    }
}
