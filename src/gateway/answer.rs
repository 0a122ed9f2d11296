//! Answers that the gateway gives by itself: a few words as text or JSON, as the client likes, with the request's id; redirects, fixed
//! responses. What went wrong inside, no client is told.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, LOCATION};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use super::exchange::Exchange;
use super::form::Form;
use super::forwarded::REQUEST_ID;
use crate::config::route::FixedResponse;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("private, no-store");
/// A request body that nobody wants is read to its end when it is no longer than this, so that the connection can go on.
const DRAINED: u64 = 64 << 10;

/// An answer, not yet sent.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    fields: Vec<(HeaderName, HeaderValue)>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Whole(Bytes),
    /// Told in the form that the client likes better.
    Words(&'static str),
}

impl Answer {
    /// A few words, which no cache keeps.
    pub fn words(status: StatusCode, words: &'static str) -> Answer {
        Answer { status, fields: vec![(CACHE_CONTROL, NO_STORE)], body: Body::Words(words) }
    }

    /// The gateway's own words for a status.
    pub fn error(status: StatusCode) -> Answer {
        let words = match status {
            StatusCode::UNAUTHORIZED => "a key is needed",
            StatusCode::NOT_FOUND => "no route",
            StatusCode::REQUEST_TIMEOUT => "the request came too slowly",
            StatusCode::PAYLOAD_TOO_LARGE => "the body is too large",
            StatusCode::BAD_GATEWAY => "the upstream failed",
            StatusCode::SERVICE_UNAVAILABLE => "no upstream is available",
            StatusCode::GATEWAY_TIMEOUT => "the upstream took too long",
            status if status.is_client_error() => return Answer::words(status, reason(status)),
            _ => "the gateway failed",
        };
        Answer::words(status, words)
    }

    /// A head alone, which no cache keeps.
    pub fn empty(status: StatusCode) -> Answer {
        Answer { status, fields: vec![(CACHE_CONTROL, NO_STORE)], body: Body::Whole(Bytes::new()) }
    }

    /// All of it is given.
    pub fn whole(status: StatusCode, fields: Vec<(HeaderName, HeaderValue)>, body: Bytes) -> Answer {
        Answer { status, fields, body: Body::Whole(body) }
    }

    pub fn redirect(status: StatusCode, location: HeaderValue) -> Answer {
        Answer { status, fields: vec![(LOCATION, location)], body: Body::Whole(Bytes::new()) }
    }

    pub fn fixed(fixed: &FixedResponse) -> Answer {
        let mut fields = fixed.headers.clone();
        if !fixed.body.is_empty() && fields.iter().all(|(name, _)| *name != CONTENT_TYPE) {
            fields.push((CONTENT_TYPE, TEXT));
        }
        let body = Body::Whole(Bytes::copy_from_slice(fixed.body.as_bytes()));
        Answer { status: fixed.status, fields, body }
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// One field more.
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Answer {
        self.fields.push((name, value));
        self
    }

    /// Some fields more.
    pub fn with_all(mut self, fields: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Answer {
        self.fields.extend(fields);
        self
    }

    /// Sends it as the answer to a request that no upstream has seen; the connection goes on where that is cheap.
    pub async fn send(self, session: &mut Session, exchange: &Exchange) -> pingora::Result<()> {
        if is_drained(session) {
            session.set_total_drain_timeout(Some(super::CLIENT_IDLE));
            if let pingora::protocols::http::ServerSession::H1(h1) = session.as_downstream_mut() {
                h1.set_close_on_response_before_downstream_finish(false);
            }
        }
        self.write(session, exchange).await
    }

    /// Sends it as the last answer on the connection.
    pub async fn send_last(self, session: &mut Session, exchange: &Exchange) -> pingora::Result<()> {
        session.set_keepalive(None);
        self.write(session, exchange).await
    }

    async fn write(self, session: &mut Session, exchange: &Exchange) -> pingora::Result<()> {
        let bodiless = self.status.is_informational()
            || matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let mut head = ResponseHeader::build(self.status, Some(self.fields.len() + 6))?;
        let body = match self.body {
            Body::Whole(body) => body,
            Body::Words(words) => {
                let form = Form::liked(&session.req_header().headers);
                head.insert_header(CONTENT_TYPE, form.content_type())?;
                form.tell(self.status, words, exchange.request_id.to_str().unwrap_or_default())
            }
        };
        for (name, value) in &self.fields {
            head.append_header(name, value.clone())?;
        }
        if !bodiless {
            head.insert_header(CONTENT_LENGTH, body.len())?;
        }
        head.insert_header(REQUEST_ID, exchange.request_id.clone())?;
        exchange.sign(&mut head);
        let silent = bodiless || body.is_empty() || session.req_header().method == Method::HEAD;
        session.write_response_header(Box::new(head), silent).await?;
        if silent { session.finish_body().await } else { session.write_response_body(Some(body), true).await }
    }
}

/// In the words of HTTP.
fn reason(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("the request is refused")
}

/// Whether the rest of the request's body is worth reading.
fn is_drained(session: &Session) -> bool {
    let head = session.req_header();
    let length =
        head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    !head.headers.contains_key(EXPECT) && length.is_some_and(|length| length <= DRAINED)
}
