//! Who asked: `X-Forwarded-*` and the request id, for the services behind.
//!
//! A trusted proxy's word is kept and continued; anyone else's is replaced, since a service behind the door believes these fields. Other
//! spellings of them go in any case: servers that fold names (CGI, WSGI, PHP) would believe those, too.

use std::io::Write;
use std::net::IpAddr;

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::http::RequestHeader;

use crate::config::namespace::starts_with;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST_ASKED: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Bytes of a request id that is kept.
const MAX_REQUEST_ID: usize = 128;

/// The client's side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub address: IpAddr,
    /// Whether it is a trusted proxy.
    pub trusted: bool,
    /// Whether the listener speaks TLS.
    pub tls: bool,
}

/// Sets `X-Forwarded-For`, `-Proto` and `-Host` on the request of an attempt. `received` are the client's own fields and target.
pub fn tell(request: &mut RequestHeader, received: &RequestHeader, peer: Peer) {
    let kept = |name: &HeaderName| peer.trusted && received.headers.contains_key(name);
    if let Some(value) = forwarded_for(&received.headers, peer) {
        let _ = request.insert_header("x-forwarded-for", value);
    }
    if !kept(&PROTO) {
        let scheme = HeaderValue::from_static(if peer.tls { "https" } else { "http" });
        let _ = request.insert_header("x-forwarded-proto", scheme);
    }
    if !kept(&HOST_ASKED) {
        match host_asked(received) {
            Some(host) => drop(request.insert_header("x-forwarded-host", host)),
            None => drop(request.remove_header(&HOST_ASKED)),
        }
    }
    // Those that say more than the three above, and those that only seem to be one of them.
    for name in received.headers.keys().filter(|name| says_who_asked(name.as_str())) {
        let told = [FOR, PROTO, HOST_ASKED].contains(name);
        if !(told || peer.trusted && is_plain(name.as_str())) {
            request.remove_header(name);
        }
    }
}

/// Whether servers behind may take a field for one that says who asked.
fn says_who_asked(name: &str) -> bool {
    let is = |known: &str| name.len() == known.len() && starts_with(name, known);
    starts_with(name, "x-forwarded-") || is("forwarded") || is("x-real-ip")
}

/// Whether a name is what it folds to.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The addresses that came before, from a trusted proxy only, and the peer's.
fn forwarded_for(received: &HeaderMap, peer: Peer) -> Option<HeaderValue> {
    // The longest IPv6 address has 45 characters.
    let mut text = Vec::with_capacity(64);
    if peer.trusted {
        for line in received.get_all(FOR) {
            text.extend_from_slice(line.as_bytes());
            text.extend_from_slice(b", ");
        }
    }
    write!(text, "{}", peer.address).ok()?;
    HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok()
}

/// The host that was asked for, as it was written.
fn host_asked(received: &RequestHeader) -> Option<HeaderValue> {
    match received.headers.get(HOST) {
        Some(host) => Some(host.clone()),
        None => HeaderValue::from_str(received.uri.authority()?.as_str()).ok(),
    }
}

/// The id that a request brings, if it is one sane text.
pub fn brought_id(received: &HeaderMap) -> Option<&HeaderValue> {
    let mut lines = received.get_all(REQUEST_ID).iter();
    let sane = |id: &&HeaderValue| {
        let id = id.as_bytes();
        (1..=MAX_REQUEST_ID).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
    };
    lines.next().filter(sane).filter(|_| lines.next().is_none())
}

/// A new id: the 32 hex digits of `fresh`.
pub fn new_id(fresh: u128) -> HeaderValue {
    let mut digits = [b'0'; 32];
    for (index, digit) in digits.iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(fresh >> (124 - 4 * index) & 15) as usize];
    }
    // Hex digits are valid in a field value.
    HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("-"))
}

#[cfg(test)]
mod tests {
    use http::header::FORWARDED;

    use super::*;

    fn request(lines: &[(&'static str, &str)]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        for (name, value) in lines {
            request.append_header(*name, *value).unwrap();
        }
        request
    }

    fn told(lines: &[(&'static str, &str)], trusted: bool) -> [Option<String>; 4] {
        let received = request(lines);
        let mut sent = received.clone();
        tell(&mut sent, &received, Peer { address: [192, 0, 2, 7].into(), trusted, tls: true });
        [FOR, PROTO, HOST_ASKED, FORWARDED].map(|name| {
            let mut lines = sent.headers.get_all(&name).iter();
            let line = lines.next().map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(lines.next(), None, "{name} is told once");
            line
        })
    }

    #[test]
    fn a_trusted_proxys_word_is_continued_and_anyone_elses_replaced() {
        let lines = [
            ("host", "Shop.test:8080"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-for", "10.0.0.1, 10.0.0.2"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "outer.test"),
            ("forwarded", "for=203.0.113.9"),
        ];
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            told(&lines, true),
            [
                some("203.0.113.9, 10.0.0.1, 10.0.0.2, 192.0.2.7"),
                some("http"),
                some("outer.test"),
                some("for=203.0.113.9")
            ]
        );
        assert_eq!(told(&lines, false), [some("192.0.2.7"), some("https"), some("Shop.test:8080"), None]);
        assert_eq!(told(&lines[..1], true), [some("192.0.2.7"), some("https"), some("Shop.test:8080"), None]);
        assert_eq!(told(&[("x-forwarded-host", "evil.test")], false)[2], None, "no host was asked for");
    }

    #[test]
    fn nobody_but_a_trusted_proxy_says_more_and_nobody_says_it_in_another_spelling() {
        let lines = [
            ("x-forwarded-port", "1"),
            ("x-forwarded-anything", "1"),
            ("x-real-ip", "1"),
            ("forwarded", "for=1"),
            ("x_forwarded_for", "1"),
            ("x.forwarded-proto", "1"),
            ("x~forwarded~port", "1"),
            ("x_real_ip", "1"),
            ("x-forwardedness", "1"),
            ("x-real-ip-too", "1"),
        ];
        for (trusted, kept) in [(false, 2), (true, 6)] {
            let received = request(&lines);
            let mut sent = received.clone();
            tell(&mut sent, &received, Peer { address: [192, 0, 2, 7].into(), trusted, tls: true });
            let own = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];
            let left: Vec<_> =
                sent.headers.keys().map(|name| name.as_str()).filter(|name| !own.contains(name)).collect();
            assert_eq!(left.len(), kept, "{left:?}");
            assert_eq!(sent.headers["x-forwarded-for"], "192.0.2.7");
        }
    }

    #[test]
    fn http_2_tells_the_host_by_authority() {
        let mut received = request(&[]);
        received.set_uri("https://shop.test:8443/a".parse().unwrap());
        assert_eq!(host_asked(&received).unwrap(), "shop.test:8443");
    }

    #[test]
    fn an_id_is_taken_when_it_is_one_sane_text() {
        let long = "x".repeat(129);
        let table: [(&[&str], Option<&str>); 8] = [
            (&["abc-123"], Some("abc-123")),
            (&[], None),
            (&[""], None),
            (&["a b"], None),
            (&["\u{e9}"], None),
            (&["a", "b"], None),
            (&[&long], None),
            (&[&long[..128]], Some(&long[..128])),
        ];
        for (ids, expected) in table {
            let mut headers = HeaderMap::new();
            for id in ids {
                headers.append(REQUEST_ID, HeaderValue::from_bytes(id.as_bytes()).unwrap());
            }
            assert_eq!(brought_id(&headers).map(|id| id.to_str().unwrap()), expected, "{ids:?}");
        }
        assert_eq!(new_id(42), "0000000000000000000000000000002a");
        assert_eq!(new_id(u128::MAX), "f".repeat(32));
    }
}
