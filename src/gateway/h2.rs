//! What HTTP/2 needs beside the h2 crate: requests that it takes and RFC 9113 does not, bodies that do not come, frames that carry nothing.
//!
//! The crate judges frames, pseudo-fields, fields of connections and lengths by itself; Pingora compares `:authority` with `Host`. What is
//! left is read here by the rules that the gate has for HTTP/1, so that no request is more welcome in the other version.

pub mod body;
pub mod frames;

use http::header::{CONTENT_LENGTH, COOKIE, EXPECT, HOST};
use http::{HeaderName, Method, Version};
use pingora::http::RequestHeader;
use pingora::proxy::Session;

use super::fields::Fields;
use super::gate::refusal::Refusal::{self, *};
use super::gate::{authority, conn};
use crate::config::limits::{ClientLimits, Underscores};
use body::Body;

/// Lets a request in HTTP/2 pass, or tells why not; one in HTTP/1 has passed the gate.
pub fn admit(session: &mut Session, limits: &ClientLimits) -> pingora::Result<()> {
    let head = session.req_header_mut();
    if head.version != Version::HTTP_2 {
        return Ok(());
    }
    read(head, limits).map_err(conn::refuse)?;
    if limits.underscores == Underscores::Drop {
        let dropped: Vec<HeaderName> =
            head.headers.keys().filter(|name| name.as_str().contains('_')).cloned().collect();
        dropped.iter().for_each(|name| head.remove(name));
    }
    Ok(())
}

/// A piece of a request's body came; whether it may go on.
pub fn came(session: &Session, bytes: Option<usize>, limits: &ClientLimits) -> pingora::Result<()> {
    let head = session.req_header();
    if head.version != Version::HTTP_2 {
        return Ok(());
    }
    if let Some(body) = Body::of(head) {
        body.came(bytes.unwrap_or(0));
    }
    let whole = session.body_bytes_read() as u64;
    if limits.body_bytes.is_some_and(|most| whole > most) { Err(conn::refuse(BodyTooLarge)) } else { Ok(()) }
}

/// The answer begins: from here on a request's body may take its time, as both sides may be talking.
pub fn answered(session: &Session) {
    if let Some(body) = Body::of(session.req_header()) {
        body.end();
    }
}

fn read(head: &RequestHeader, limits: &ClientLimits) -> Result<(), Refusal> {
    if head.method == Method::CONNECT {
        return Err(Connect);
    }
    let target = head.raw_path();
    if target.len() > limits.target_bytes {
        return Err(TargetTooLong);
    }
    let is_path = target.starts_with(b"/") || target == b"*" && head.method == Method::OPTIONS;
    if !is_path || !target.iter().all(|byte| matches!(byte, 0x21..=0x7e) && *byte != b'#') {
        return Err(Target);
    }
    if head.uri.scheme_str().is_some_and(|scheme| !matches!(scheme, "http" | "https")) {
        return Err(Scheme);
    }
    let named = head.uri.authority().map(|authority| authority.as_str().as_bytes());
    let mut hosts = head.headers.get_all(HOST).iter().map(http::HeaderValue::as_bytes);
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(HostRepeated);
    }
    if !authority::is_valid(named.or(host).ok_or(HostMissing)?) {
        return Err(HostInvalid);
    }
    fields(head, limits)
}

fn fields(head: &RequestHeader, limits: &ClientLimits) -> Result<(), Refusal> {
    let mut count = 0;
    for (name, value) in &head.headers {
        // Crumbs of cookies are one field (RFC 9113, 8.2.3).
        count += usize::from(name != COOKIE);
        let value = value.as_bytes();
        // RFC 9113, 8.2.1: in HTTP/1 it would be no part of the value.
        if value.trim_ascii().len() != value.len() {
            return Err(FieldValue);
        }
        if limits.underscores == Underscores::Reject && name.as_str().contains('_') {
            return Err(Underscore);
        }
    }
    if count > limits.fields {
        return Err(TooManyFields);
    }
    let mut lengths = head.headers.get_all(CONTENT_LENGTH).iter();
    if let Some(length) = lengths.next() {
        let digits = length.as_bytes().iter().all(u8::is_ascii_digit);
        let length = length.to_str().ok().filter(|_| digits).and_then(|length| length.parse::<i64>().ok());
        let length = length.ok_or(Length)?.unsigned_abs();
        if limits.body_bytes.is_some_and(|most| length > most) {
            return Err(BodyTooLarge);
        }
    }
    if lengths.next().is_some() {
        return Err(LengthRepeated);
    }
    let expected = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if head.headers.get_all(EXPECT).iter().all(expected) { Ok(()) } else { Err(Expectation) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A head as the h2 crate would hand it over.
    fn head(method: &str, uri: &str, lines: &[(&'static str, &str)]) -> RequestHeader {
        let (mut parts, ()) = http::Request::builder()
            .method(method)
            .uri(uri)
            .version(Version::HTTP_2)
            .body(())
            .unwrap()
            .into_parts();
        for (name, value) in lines {
            parts.headers.append(*name, value.parse().unwrap());
        }
        parts.into()
    }

    #[test]
    fn what_the_crate_takes_and_nobody_should_is_refused() {
        let limits =
            ClientLimits { target_bytes: 50, fields: 3, body_bytes: Some(10), ..ClientLimits::default() };
        let long = format!("https://a.test/{}", "a".repeat(50));
        type Lines = &'static [(&'static str, &'static str)];
        let table: [(&str, &str, Lines, Result<(), Refusal>); 30] = [
            ("GET", "https://a.test/", &[], Ok(())),
            ("GET", "https://a.test/?a", &[], Ok(())),
            ("GET", "/", &[("host", "a.test")], Ok(())),
            ("GET", "http://[::1]:80/", &[], Ok(())),
            ("OPTIONS", "*", &[("host", "a.test")], Ok(())),
            ("PURGE", "https://a.test/", &[("te", "trailers")], Ok(())),
            ("CONNECT", "a.test:443", &[], Err(Connect)),
            ("GET", "*", &[("host", "a.test")], Err(Target)),
            ("GET", "https://a.test/\u{e4}", &[], Err(Target)),
            ("GET", &long, &[], Err(TargetTooLong)),
            ("GET", "ftp://a.test/", &[], Err(Scheme)),
            ("GET", "/", &[], Err(HostMissing)),
            ("GET", "/", &[("host", "a"), ("host", "a")], Err(HostRepeated)),
            ("GET", "/", &[("host", "")], Err(HostInvalid)),
            ("GET", "/", &[("host", "u@a")], Err(HostInvalid)),
            ("GET", "https://u@a.test/", &[], Err(HostInvalid)),
            ("GET", "https://a.test:99999/", &[], Err(HostInvalid)),
            ("GET", "https://a.test/", &[("x", " 1")], Err(FieldValue)),
            ("GET", "https://a.test/", &[("x", "1\t")], Err(FieldValue)),
            ("GET", "https://a.test/", &[("x", "1 2")], Ok(())),
            (
                "GET",
                "https://a.test/",
                &[("a", "1"), ("b", "1"), ("c", "1"), ("cookie", "1"), ("cookie", "2")],
                Ok(()),
            ),
            ("GET", "https://a.test/", &[("a", "1"), ("a", "1"), ("a", "1"), ("d", "1")], Err(TooManyFields)),
            ("POST", "https://a.test/", &[("content-length", "5")], Ok(())),
            ("POST", "https://a.test/", &[("content-length", "11")], Err(BodyTooLarge)),
            ("POST", "https://a.test/", &[("content-length", "+5")], Err(Length)),
            ("POST", "https://a.test/", &[("content-length", "5, 5")], Err(Length)),
            ("POST", "https://a.test/", &[("content-length", "")], Err(Length)),
            (
                "POST",
                "https://a.test/",
                &[("content-length", "5"), ("content-length", "5")],
                Err(LengthRepeated),
            ),
            ("POST", "https://a.test/", &[("expect", "100-Continue")], Ok(())),
            ("POST", "https://a.test/", &[("expect", "magic")], Err(Expectation)),
        ];
        for (method, uri, lines, expected) in table {
            assert_eq!(read(&head(method, uri, lines), &limits), expected, "{method} {uri} {lines:?}");
        }
        let under = head("GET", "https://a.test/", &[("x_a", "1")]);
        assert_eq!(read(&under, &limits), Ok(()));
        let reject = ClientLimits { underscores: Underscores::Reject, ..limits };
        assert_eq!(read(&under, &reject), Err(Underscore));
    }
}
