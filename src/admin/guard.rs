//! Who may use the admin API: whoever holds a token whose role is enough, and no page in a browser that found the port.
//!
//! There is no CORS here, and never will be. A page that points a name of its own at this machine (DNS rebinding) is
//! told apart by its `Host`: an address or `localhost` is what an operator uses. Any other page is told apart by its `Origin`:
//! it would see no answer, but what it sends would be done.

#![expect(
    clippy::disallowed_types,
    reason = "the door's own thread serves it alone; no request of a client comes here"
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;

use super::error::Error;
use super::failures::Failures;
use super::role::Role;
use super::tokens::{Known, Watched, digest};
use crate::source::hand::Operator;
use crate::telemetry::limiter::uptime;

/// What a request must show.
#[derive(Clone)]
pub struct Guard {
    /// Of `admin.token`, an admin's. Digests compare in a time that tells nothing about the token, however long it takes.
    token: Option<[u8; 32]>,
    state: Arc<Mutex<Lookouts>>,
}

struct Lookouts {
    /// None: there is no state folder.
    tokens: Option<Watched>,
    failures: Failures,
}

/// Who is asked in, and as what.
type Holder = (String, Role);

impl Guard {
    /// Lets in who holds `token` or one of the state folder's. Where there is neither, everyone is an admin: the configuration binds
    /// such a door to this machine alone.
    pub fn new(token: Option<&str>, state_dir: Option<PathBuf>) -> Guard {
        let lookouts = Lookouts { tokens: state_dir.map(Watched::new), failures: Failures::default() };
        Guard { token: token.map(|token| digest(token.as_bytes())), state: Arc::new(Mutex::new(lookouts)) }
    }

    /// Who asks, by their token, and why they may not, if they may not. Nobody has no name.
    fn admit(&self, request: &Request, from: Option<IpAddr>) -> (Operator, Result<(), Error>) {
        let holder =
            check_host(request.uri(), request.headers()).and_then(|()| self.holder(request.headers()));
        let (name, role) = match holder {
            Ok(holder) => holder,
            Err(error) => {
                let nobody = Operator { name: String::new(), role: "", from };
                return (nobody, Err(self.refuse(from, error)));
            }
        };
        let needed = Role::needed(request.method(), request.uri().path());
        let detail = || format!("`{name}` is a {role}; this needs the role {needed}");
        let may = if role >= needed { Ok(()) } else { Err(Error::new(StatusCode::FORBIDDEN, detail())) };
        (Operator { name, role: role.as_str(), from }, may)
    }

    fn holder(&self, headers: &HeaderMap) -> Result<Holder, Error> {
        let mut lines = headers.get_all(header::AUTHORIZATION).iter();
        let given = lines.next().and_then(bearer).map(digest).filter(|_| lines.next().is_none());
        if given.is_some_and(|given| self.token == Some(given)) {
            return Ok(("admin.token".to_owned(), Role::Admin));
        }
        let mut state = self.lookouts();
        match state.tokens.as_mut().map_or(&Known::None, Watched::look) {
            Known::None if self.token.is_none() => return Ok(("anonymous".to_owned(), Role::Admin)),
            Known::Tokens(tokens) => {
                if let Some(token) = given.and_then(|given| tokens.holder(&given)) {
                    return Ok((token.name.clone(), token.role));
                }
            }
            Known::None | Known::Never => {}
        }
        Err(Error::new(
            StatusCode::UNAUTHORIZED,
            "send a token as `Authorization: Bearer <token>`: one of `flagway token new`, or `admin.token` of the configuration",
        ))
    }

    /// The error, or, after too many, one that says how long to wait.
    fn refuse(&self, from: Option<IpAddr>, error: Error) -> Error {
        match self.lookouts().failures.count(from, uptime()) {
            Ok(()) => error,
            Err(wait) => {
                let seconds = wait.as_secs().max(1);
                let detail = format!(
                    "too many requests of this address were refused; wait {seconds} s, or send a token that is right"
                );
                Error::new(StatusCode::TOO_MANY_REQUESTS, detail)
                    .with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
            }
        }
    }

    fn lookouts(&self) -> std::sync::MutexGuard<'_, Lookouts> {
        // No holder panics half way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No name but this machine's, and no page but its own.
fn check_host(uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
    let authority = uri.authority().map(|authority| authority.as_str());
    let hosts =
        || headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or("?")).chain(authority);
    if let Some(host) = hosts().find(|host| !is_own(host)) {
        let detail = format!("the host `{}` is not served here; use an address or localhost", shown(host));
        return Err(Error::new(StatusCode::FORBIDDEN, detail));
    }
    let mut origins = headers.get_all(header::ORIGIN).iter().map(|origin| origin.to_str().unwrap_or("?"));
    let is_same = |origin: &str| {
        origin.split_once("://").is_some_and(|(_, authority)| hosts().any(|host| host == authority))
    };
    match origins.find(|origin| !is_same(origin)) {
        Some(origin) => {
            let detail = format!("a page of `{}` may not ask here", shown(origin));
            Err(Error::new(StatusCode::FORBIDDEN, detail))
        }
        None => Ok(()),
    }
}

/// The layer: refuses, or passes on with the [`Operator`] who asks, and keeps answers out of every cache. The answer has the
/// operator, too.
pub async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
    let (operator, may) = guard.admit(&request, from);
    let mut response = match may {
        Ok(()) if percent_decode_str(request.uri().path()).decode_utf8().is_err() => {
            Error::bad("the path is not UTF-8").into_response()
        }
        Ok(()) => {
            request.extensions_mut().insert(operator.clone());
            next.run(request).await
        }
        Err(error) => error.into_response(),
    };
    response.extensions_mut().insert(operator);
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
    use super::super::tokens::Tokens;
    use super::*;

    fn asked(method: &str, lines: &[(&str, &str)]) -> Request {
        let request = Request::builder().method(method).uri("/api/v1/flags");
        let request = lines.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(axum::body::Body::empty()).unwrap()
    }

    fn admitted(token: Option<&str>, lines: &[(&str, &str)]) -> u16 {
        status(&Guard::new(token, None).admit(&asked("GET", lines), None))
    }

    fn status((_, may): &(Operator, Result<(), Error>)) -> u16 {
        may.as_ref().map_or_else(|error| error.status.as_u16(), |()| 200)
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
            assert_eq!(admitted(Some("secret"), lines), expected, "{lines:?}");
        }
        assert_eq!(admitted(None, &[]), 200);
    }

    #[test]
    fn a_role_is_who_holds_the_token_and_may_what_it_may() {
        let folder = tempfile::tempdir().unwrap();
        let token = |name: &str, role, random| {
            let random = [random; 32];
            let now = std::time::SystemTime::now();
            Tokens::edit(folder.path(), |tokens| tokens.add(name, role, random, now)).unwrap()
        };
        let guard = Guard::new(None, Some(folder.path().to_owned()));
        let ask = |method: &str, token: Option<&str>| {
            let bearer = token.map(|token| format!("Bearer {token}"));
            let lines: Vec<_> = bearer.iter().map(|bearer| ("authorization", &**bearer)).collect();
            guard.admit(&asked(method, &lines), None)
        };
        let name = |method: &str, token: Option<&str>| {
            let (operator, may) = ask(method, token);
            may.map(|()| (operator.name, operator.role)).map_err(|error| error.detail)
        };
        assert_eq!(name("PUT", None), Ok(("anonymous".to_owned(), "admin")));

        let (ann, bob) = (token("ann", Role::Viewer, 1), token("bob", Role::Operator, 2));
        assert_eq!(status(&ask("GET", None)), 401, "there are tokens now");
        assert_eq!(name("GET", Some(&ann)), Ok(("ann".to_owned(), "viewer")));
        assert_eq!(status(&ask("PUT", Some(&ann))), 403);
        assert_eq!(
            name("PUT", Some(&ann)),
            Err("`ann` is a viewer; this needs the role operator".to_owned())
        );
        assert_eq!(ask("PUT", Some(&ann)).0.name, "ann", "who was refused is known");
        assert_eq!(name("PUT", Some(&bob)), Ok(("bob".to_owned(), "operator")));
        Tokens::edit(folder.path(), |tokens| tokens.revoke("bob")).unwrap();
        Tokens::edit(folder.path(), |tokens| tokens.revoke("ann")).unwrap();
        assert_eq!(status(&ask("GET", Some(&bob))), 401);
        assert_eq!(status(&ask("GET", None)), 401, "without any token left it is still closed");

        let own = Guard::new(Some("configured"), Some(folder.path().to_owned()));
        let (admin, may) = own.admit(&asked("PUT", &[("authorization", "Bearer configured")]), None);
        assert_eq!((may, &*admin.name, admin.role), (Ok(()), "admin.token", "admin"));
    }

    #[test]
    fn who_tries_tokens_waits_and_the_right_one_always_passes() {
        let guard = Guard::new(Some("secret"), None);
        let from = |last| Some(IpAddr::from([10, 0, 0, last]));
        let ask = |token: &str, from| {
            let bearer = format!("Bearer {token}");
            guard.admit(&asked("GET", &[("authorization", &bearer)]), from)
        };
        for _ in 0..10 {
            assert_eq!(status(&ask("wrong", from(1))), 401);
        }
        let error = ask("wrong", from(1)).1.unwrap_err();
        assert_eq!(error.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(error.into_response().headers().contains_key("retry-after"));
        assert_eq!(status(&ask("secret", from(1))), 200);
        assert_eq!(status(&ask("wrong", from(2))), 401);
    }
}
