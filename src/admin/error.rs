//! Errors as `application/problem+json` (RFC 9457).

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::view::ProblemView;

/// An error as a client is told it. Its response has it as an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Of the response.
    pub status: StatusCode,
    /// One sentence, with what to do about it.
    pub detail: String,
    /// What is wrong with what was sent, piece by piece; the member `problems`, if there are any.
    pub problems: Vec<ProblemView>,
    /// Of the response, beside those of every error.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Error {
    /// An error with its one sentence.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Error {
        Error { status, detail: detail.into(), problems: Vec::new(), headers: Vec::new() }
    }

    /// A request that is not understood.
    pub fn bad(detail: impl Into<String>) -> Error {
        Error::new(StatusCode::BAD_REQUEST, detail)
    }

    /// With a field of the response.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Error {
        self.headers.push((name, value));
        self
    }

    /// With what is wrong, piece by piece.
    pub fn with_problems<'p>(
        mut self,
        problems: impl IntoIterator<Item = &'p crate::config::Problem>,
    ) -> Error {
        self.problems = problems.into_iter().map(ProblemView::from).collect();
        self
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut body = json!({"type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": self.detail});
        if !self.problems.is_empty() {
            body["problems"] = json!(self.problems);
        }
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.extend(self.headers.iter().cloned());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}
