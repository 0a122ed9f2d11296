//! A request as deciding sees it: borrowed, normalised, with the trusted proxies' word already taken or dropped.
//!
//! It judges no more than the path: whether a request is well-formed at all is the gate's business.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue, Method, header};

use super::path;
use super::secured::Secured;
use super::token::{Token, Verifier};
use crate::config::Paths;
use crate::config::context::Context;

/// What the client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Under TLS.
    Https,
}

/// What arrived, before anything was concluded from it. The decision namespace has already been stripped from `headers`.
#[derive(Debug, Clone)]
pub struct RawRequest<'a> {
    /// Case counts.
    pub method: &'a Method,
    /// The path as received, without the query; `*` of an `OPTIONS *`.
    pub path: &'a str,
    /// As received, without the `?`.
    pub query: Option<&'a str>,
    /// All fields but trailers.
    pub headers: &'a HeaderMap,
    /// The authority of an absolute-form target or `:authority`, if any.
    pub authority: Option<&'a str>,
    /// Whether the listener speaks TLS.
    pub tls: bool,
    /// What its handshake told, as far as it is at hand.
    pub secured: Option<&'a Secured>,
    /// The socket's peer.
    pub peer: IpAddr,
    /// The listener's name.
    pub listener: &'a str,
}

/// Why a request is refused with 400 before routing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadRequest {
    /// The path climbs above the root.
    Climbs,
    /// The path has a backslash.
    Backslash,
    /// The path holds a broken percent escape.
    Escape,
    /// The path does not start with `/`.
    NotAbsolute,
}

/// The facts of one request.
#[derive(Debug, Clone)]
pub struct RequestFacts<'a> {
    /// As received.
    pub method: &'a Method,
    /// Of the client's own connection, as far as trusted proxies tell.
    pub scheme: Scheme,
    /// Lower case, without port; from a trusted `X-Forwarded-Host`, the authority or `Host`; empty when there is none.
    pub host: Cow<'a, str>,
    /// In the form that is matched and forwarded.
    pub path: Cow<'a, str>,
    /// As received, without the `?`.
    pub query: Option<&'a str>,
    /// As received, without the decision namespace.
    pub headers: &'a HeaderMap,
    /// The first address, counted from the socket outwards, that is not a trusted proxy.
    pub client_ip: IpAddr,
    /// Whether the socket's peer is a trusted proxy.
    pub trusted: bool,
    /// What the handshake of the socket's connection told.
    pub secured: Option<&'a Secured>,
    /// The listener's name.
    pub listener: &'a str,
    /// What the request's token says, once somebody asks.
    pub token: Token<'a>,
}

impl<'a> RequestFacts<'a> {
    /// Concludes the facts from what arrived.
    ///
    /// Only a peer among the trusted proxies is believed: `X-Forwarded-For` is then walked from its end to the first
    /// address that is no trusted proxy (an entry that is no address stops the walk before it), and of `X-Forwarded-Proto`
    /// and `X-Forwarded-Host` the first value counts.
    pub fn new(raw: RawRequest<'a>, context: &Context, paths: Paths) -> Result<RequestFacts<'a>, BadRequest> {
        let path = match paths {
            // The one target that is no path; routes reach it by its exact text, or as everything.
            _ if raw.path == "*" && raw.method == Method::OPTIONS => Cow::Borrowed(raw.path),
            Paths::Normalised => path::normalise(raw.path)?,
            Paths::AsReceived => Cow::Borrowed(path::as_received(raw.path)?),
        };
        let peer = raw.peer.to_canonical();
        let trusted = is_trusted(peer, context);
        let told = |name| if trusted { first_value(raw.headers.get(name)?) } else { None };
        Ok(RequestFacts {
            method: raw.method,
            scheme: told("x-forwarded-proto").and_then(Scheme::parse).unwrap_or(Scheme::of(raw.tls)),
            host: told("x-forwarded-host")
                .or(raw.authority)
                .or_else(|| first_value(raw.headers.get(header::HOST)?))
                .map_or(Cow::Borrowed(""), host),
            path,
            query: raw.query,
            headers: raw.headers,
            client_ip: if trusted { client_ip(peer, raw.headers, context) } else { peer },
            trusted,
            secured: raw.secured,
            listener: raw.listener,
            token: Token::default(),
        })
    }

    /// The same with what its token is verified by.
    pub fn verified_by(self, verifier: Option<&'a Verifier>) -> RequestFacts<'a> {
        RequestFacts { token: Token::new(verifier), ..self }
    }
}

impl Scheme {
    /// As it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    fn of(tls: bool) -> Scheme {
        if tls { Scheme::Https } else { Scheme::Http }
    }

    fn parse(text: &str) -> Option<Scheme> {
        [Scheme::Http, Scheme::Https].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme.as_str()))
    }
}

/// The first of a field's comma-separated values; none when it is empty or no text.
fn first_value(line: &HeaderValue) -> Option<&str> {
    let line = std::str::from_utf8(line.as_bytes()).ok()?;
    line.split(',').next().map(str::trim).filter(|value| !value.is_empty())
}

/// Lower case, without port and closing dot; an IPv6 literal keeps its brackets.
pub fn host(authority: &str) -> Cow<'_, str> {
    let name = match authority.rsplit_once(':') {
        // In `[::1]` the last colon is not a port's.
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

fn is_trusted(address: IpAddr, context: &Context) -> bool {
    context.trusted_proxies.iter().any(|network| network.contains(&address))
}

/// Walks outwards from a trusted peer.
fn client_ip(peer: IpAddr, headers: &HeaderMap, context: &Context) -> IpAddr {
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let mut hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')).map_while(address);
    let mut client = peer;
    while is_trusted(client, context)
        && let Some(hop) = hops.next()
    {
        client = hop;
    }
    client
}

/// An address, with or without a port; some proxies write one.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop.trim_ascii()).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()));
    Some(address.ok()?.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    /// A peer of 10.0.0.1 is a trusted proxy.
    fn facts_of<T>(
        peer: &str,
        tls: bool,
        lines: &[(&'static str, &'static str)],
        test: impl Fn(RequestFacts) -> T,
    ) -> T {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let headers = HeaderMap::from_iter(lines.iter().map(line));
        let context = Context {
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
            ..Context::default()
        };
        let raw = RawRequest {
            method: &Method::GET,
            path: "/a",
            query: None,
            headers: &headers,
            authority: None,
            tls,
            secured: None,
            peer: peer.parse().unwrap(),
            listener: "main",
        };
        test(RequestFacts::new(raw, &context, Paths::Normalised).unwrap())
    }

    #[test]
    fn the_client_is_the_first_untrusted_address_from_the_end() {
        for (peer, lines, client) in [
            ("192.0.2.1", &["1.1.1.1"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["1.1.1.1"], "1.1.1.1"),
            ("10.0.0.1", &["6.6.6.6, 1.1.1.1,10.2.2.2"], "1.1.1.1"),
            ("10.0.0.1", &["6.6.6.6", "1.1.1.1", "10.2.2.2 ,10.3.3.3"], "1.1.1.1"),
            ("10.0.0.1", &["10.9.9.9, 10.8.8.8"], "10.9.9.9"),
            ("10.0.0.1", &["1.1.1.1, unknown, 10.8.8.8"], "10.8.8.8"),
            ("10.0.0.1", &["1.1.1.1, "], "10.0.0.1"),
            ("10.0.0.1", &["1.1.1.1:4711"], "1.1.1.1"),
            ("10.0.0.1", &["2001:DB8::1"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]:443"], "2001:db8::1"),
            ("::ffff:10.0.0.1", &["1.1.1.1, ::ffff:10.2.2.2"], "1.1.1.1"),
            ("::ffff:192.0.2.1", &["1.1.1.1"], "192.0.2.1"),
            ("fd00::1", &["1.1.1.1"], "1.1.1.1"),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
            let found = facts_of(peer, false, &lines, |facts| facts.client_ip);
            assert_eq!(found.to_string(), client, "{peer} {lines:?}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_tells_scheme_and_host() {
        let told = [
            ("host", "inner.example"),
            ("x-forwarded-proto", "HTTPS, http"),
            ("x-forwarded-host", "Shop.Example:443, x"),
        ];
        let seen = |facts: RequestFacts| (facts.trusted, facts.scheme, facts.host.into_owned());
        assert_eq!(facts_of("10.0.0.1", false, &told, seen), (true, Scheme::Https, "shop.example".into()));
        assert_eq!(facts_of("192.0.2.1", false, &told, seen), (false, Scheme::Http, "inner.example".into()));
        let odd = [("host", "a"), ("x-forwarded-proto", "gopher"), ("x-forwarded-host", "")];
        assert_eq!(facts_of("10.0.0.1", true, &odd, seen), (true, Scheme::Https, "a".into()));
    }

    #[test]
    fn hosts_are_lower_case_without_port_and_dot() {
        for (authority, name) in [
            ("shop.example", "shop.example"),
            ("Shop.Example:8080", "shop.example"),
            ("shop.example.", "shop.example"),
            ("shop.example.:80", "shop.example"),
            ("shop.example:", "shop.example"),
            ("[::1]", "[::1]"),
            ("[2001:DB8::1]:8443", "[2001:db8::1]"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("a:b", "a:b"),
            (".", ""),
            ("", ""),
        ] {
            assert_eq!(host(authority), name, "{authority}");
        }
        assert!(matches!(host("shop.example:80"), Cow::Borrowed(_)));
        assert_eq!(facts_of("192.0.2.1", false, &[], |facts| facts.host.into_owned()), "");
    }

    #[test]
    fn the_path_is_normalised_unless_configured_otherwise() {
        let context = Context::default();
        let headers = HeaderMap::new();
        let path = |method, path, paths| {
            let raw = RawRequest {
                method,
                path,
                query: Some("a=1"),
                headers: &headers,
                authority: Some("A.example:1"),
                tls: false,
                secured: None,
                peer: IpAddr::from([192, 0, 2, 1]),
                listener: "main",
            };
            RequestFacts::new(raw, &context, paths).map(|facts| facts.path.into_owned())
        };
        assert_eq!(path(&Method::GET, "//a/%2e/b", Paths::Normalised).as_deref(), Ok("/a/b"));
        assert_eq!(path(&Method::GET, "//a/%2e/b", Paths::AsReceived).as_deref(), Ok("//a/%2e/b"));
        assert_eq!(path(&Method::GET, "/..", Paths::Normalised), Err(BadRequest::Climbs));
        assert_eq!(path(&Method::GET, "/\\", Paths::AsReceived), Err(BadRequest::Backslash));
        assert_eq!(path(&Method::OPTIONS, "*", Paths::Normalised).as_deref(), Ok("*"));
        assert_eq!(path(&Method::GET, "*", Paths::AsReceived), Err(BadRequest::NotAbsolute));
    }
}
