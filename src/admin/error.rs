//! Errors as `application/problem+json` (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error as a client is told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Of the response.
    pub status: StatusCode,
    /// One sentence, with what to do about it.
    pub detail: String,
}

impl Error {
    /// An error with its one sentence.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Error {
        Error { status, detail: detail.into() }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = json!({"type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": self.detail});
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
