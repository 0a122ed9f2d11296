//! What a client is told that is refused: little, in the words of HTTP, in the form that it likes.
//!
//! Its head may be none: what is read of it here decides nothing but that form.

use std::fmt;

use http::HeaderValue;

use super::refusal::Refusal;
use crate::gateway::form::Form;

/// The last answer on a connection, as it is written there.
pub struct Reply<'a> {
    pub why: Refusal,
    /// Of the request: visible ASCII.
    pub id: &'a str,
    pub form: Form,
    /// What browsers are told to remember of HTTPS.
    pub hsts: Option<HeaderValue>,
}

/// The form that a head asks for, as far as it came.
pub fn liked(head: &[u8]) -> Form {
    let lines = head.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    Form::of(lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("accept").then_some(value.trim())
    }))
}

impl fmt::Display for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.why.status();
        let words = status.canonical_reason().unwrap_or("refused");
        let body = self.form.tell(status, &words.to_ascii_lowercase(), self.id);
        write!(f, "HTTP/1.1 {} {words}\r\n", status.as_u16())?;
        let kind = self.form.content_type();
        let length = body.len().to_string();
        let fields = [
            ("content-type", kind.to_str().ok()),
            ("cache-control", Some("private, no-store")),
            ("x-request-id", Some(self.id)),
            ("strict-transport-security", self.hsts.as_ref().and_then(|value| value.to_str().ok())),
            ("retry-after", (self.why == Refusal::Connections).then_some("1")),
            ("content-length", Some(&*length)),
            ("connection", Some("close")),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                write!(f, "{name}: {value}\r\n")?;
            }
        }
        write!(f, "\r\n{}", String::from_utf8_lossy(&body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_refused_is_told_in_the_form_that_it_likes() {
        let head = b"GET /\xff HTTP/1.1\r\nx: \xfe\r\nACCEPT: application/json\r\nho st: a\r\n";
        assert_eq!(liked(head), Form::Json);
        for head in [&b""[..], b"\n\n:", b"GET / HTTP/1.1\r\naccept", b"accept: text/plain\r\n"] {
            assert_eq!(liked(head), Form::Text);
        }
        let reply = Reply { why: Refusal::Connections, id: "r1", form: Form::Json, hsts: None };
        assert_eq!(
            reply.to_string(),
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncache-control: private, no-store\r\n\
             x-request-id: r1\r\nretry-after: 1\r\ncontent-length: 63\r\nconnection: close\r\n\r\n\
             {\"error\":\"service unavailable\",\"request_id\":\"r1\",\"status\":503}\n"
        );
        let hsts = Some(HeaderValue::from_static("max-age=1"));
        let reply = Reply { why: Refusal::HostInvalid, id: "r1", form: Form::Text, hsts };
        assert!(reply.to_string().contains("\r\nstrict-transport-security: max-age=1\r\n"));
    }
}
