//! Who may use the admin API: whoever holds the token, and no page in a browser that found the port.
//!
//! There is no CORS here, and never will be. A page that points a name of its own at this machine (DNS rebinding) is
//! told apart by its `Host`: an address or `localhost` is what an operator uses. Any other page is told apart by its `Origin`:
//! it would see no answer, but what it sends would be done.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::error::Error;

/// What a request must show.
#[derive(Clone)]
pub struct Guard {
    /// SHA-256 of the token: digests compare in a time that tells nothing about the token, however long it takes.
    token: Option<Arc<[u8; 32]>>,
}

impl Guard {
    /// With a token, every request must carry it.
    pub fn new(token: Option<&str>) -> Guard {
        Guard { token: token.map(|token| Arc::new(Sha256::digest(token).into())) }
    }

    fn admit(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
        let authority = uri.authority().map(|authority| authority.as_str());
        let hosts =
            || headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or("?")).chain(authority);
        if let Some(host) = hosts().find(|host| !is_own(host)) {
            let detail =
                format!("the host `{}` is not served here; use an address or localhost", shown(host));
            return Err(Error::new(StatusCode::FORBIDDEN, detail));
        }
        let mut origins = headers.get_all(header::ORIGIN).iter().map(|origin| origin.to_str().unwrap_or("?"));
        let is_same = |origin: &str| {
            origin.split_once("://").is_some_and(|(_, authority)| hosts().any(|host| host == authority))
        };
        if let Some(origin) = origins.find(|origin| !is_same(origin)) {
            let detail = format!("a page of `{}` may not ask here", shown(origin));
            return Err(Error::new(StatusCode::FORBIDDEN, detail));
        }
        let Some(expected) = &self.token else { return Ok(()) };
        let mut lines = headers.get_all(header::AUTHORIZATION).iter();
        let given = lines.next().and_then(bearer).map(|token| -> [u8; 32] { Sha256::digest(token).into() });
        if lines.next().is_none() && given.is_some_and(|given| given == **expected) {
            return Ok(());
        }
        Err(Error::new(
            StatusCode::UNAUTHORIZED,
            "send the token of `admin.token` as `Authorization: Bearer <token>`",
        ))
    }
}

/// The layer: refuses, or passes on and keeps answers out of every cache.
pub async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.admit(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// Whether a `Host` is an address or `localhost`, with any port.
fn is_own(host: &str) -> bool {
    let (fits, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address.parse::<Ipv6Addr>().is_ok(), port),
        None => {
            let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
            (name.eq_ignore_ascii_case("localhost") || name.parse::<Ipv4Addr>().is_ok(), port)
        }
    };
    fits && (port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &str)| {
            (header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        lines.iter().map(line).collect()
    }

    fn admitted(token: Option<&str>, lines: &[(&'static str, &str)]) -> u16 {
        let admitted = Guard::new(token).admit(&Uri::from_static("/api/v1/flags"), &headers(lines));
        admitted.map_or_else(|error| error.status.as_u16(), |()| 200)
    }

    #[test]
    fn only_addresses_and_localhost_are_hosts() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:9901",
            "10.1.2.3:80",
            "[::1]:9901",
            "[fe80::1]",
            "localhost",
            "LocalHost:1",
        ] {
            assert_eq!(admitted(None, &[("host", host)]), 200, "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
            "[evil]",
            "127.0.0.1:x",
            "127.1",
            "[::1]x",
        ] {
            assert_eq!(admitted(None, &[("host", host)]), 403, "{host}");
        }
        assert_eq!(admitted(None, &[("host", "localhost"), ("host", "evil.example")]), 403);
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        let host = ("host", "127.0.0.1:9901");
        for (origin, expected) in [
            ("http://127.0.0.1:9901", 200),
            ("http://127.0.0.1:8080", 403),
            ("http://localhost:9901", 403),
            ("https://evil.example", 403),
            ("null", 403),
        ] {
            assert_eq!(admitted(None, &[host, ("origin", origin)]), expected, "{origin}");
        }
    }

    #[test]
    fn a_token_is_asked_for_when_there_is_one() {
        let cases: [(&[(&str, &str)], u16); 8] = [
            (&[], 401),
            (&[("authorization", "Bearer secret")], 200),
            (&[("authorization", "bearer secret")], 200),
            (&[("authorization", "Bearer secre")], 401),
            (&[("authorization", "Bearer secretx")], 401),
            (&[("authorization", "Basic secret")], 401),
            (&[("authorization", "Bearer")], 401),
            (&[("authorization", "Bearer secret"), ("authorization", "Bearer secret")], 401),
        ];
        for (lines, expected) in cases {
            // `'static` names: the literals above are.
            assert_eq!(admitted(Some("secret"), lines), expected, "{lines:?}");
        }
        assert_eq!(admitted(None, &[]), 200);
    }
}
