//! The `Location` of a redirect: the parts that the route gives, and the request's own for the rest.

use std::borrow::Cow;

use http::{HeaderValue, StatusCode};

use super::target::replace_prefix;
use crate::config::route::{PathPattern, Redirect, RedirectPath};
use crate::context::Scheme;

/// The parts of the request that a redirect may keep.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub scheme: Scheme,
    /// Without port; empty when the client named none.
    pub host: &'a str,
    /// The port written beside the host.
    pub port: Option<u16>,
    pub path: &'a str,
    pub query: Option<&'a str>,
}

/// The value of `Location`. Without any host it is relative.
pub fn location(redirect: &Redirect, matched: &PathPattern, asked: Asked<'_>) -> Option<HeaderValue> {
    let own = match asked.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let scheme = redirect.scheme.as_deref().unwrap_or(own);
    // The port belongs to the scheme: another scheme is served on another port.
    let port =
        redirect.port.or(asked.port.filter(|_| scheme == own)).filter(|port| !is_default(scheme, *port));
    let host = redirect.host.as_deref().unwrap_or(asked.host);
    let path = match (&redirect.path, matched) {
        (Some(RedirectPath::Full(path)), _) => Cow::Borrowed(&**path),
        (Some(RedirectPath::Prefix(new)), PathPattern::Prefix(old)) => replace_prefix(asked.path, old, new),
        _ => Cow::Borrowed(asked.path),
    };
    if host.is_empty() && path.starts_with("//") {
        // Relative, it would name another host.
        return None;
    }
    let mut text = String::with_capacity(scheme.len() + host.len() + path.len() + 16);
    if !host.is_empty() {
        text.push_str(scheme);
        text.push_str("://");
        text.push_str(host);
        if let Some(port) = port {
            text.push(':');
            text.push_str(&port.to_string());
        }
    }
    text.push_str(&path);
    if let Some(query) = asked.query {
        text.push('?');
        text.push_str(query);
    }
    HeaderValue::try_from(text).ok()
}

/// The same by HTTPS, on a port.
pub fn to_https(asked: Asked<'_>, port: u16) -> Option<HeaderValue> {
    let (scheme, status) = (Some("https".into()), StatusCode::PERMANENT_REDIRECT);
    let redirect = Redirect { status, scheme, host: None, port: Some(port), path: None };
    location(&redirect, &PathPattern::Prefix("/".into()), asked)
}

fn is_default(scheme: &str, port: u16) -> bool {
    matches!((scheme, port), ("http", 80) | ("https", 443))
}

/// The port of `host:port`, of an IPv6 literal too.
pub fn port_of(authority: &str) -> Option<u16> {
    let (host, port) = authority.rsplit_once(':')?;
    if host.contains(':') && !host.ends_with(']') { None } else { port.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(scheme: &str, host: &str, port: u16, path: Option<RedirectPath>) -> Redirect {
        let given = |text: &str| (!text.is_empty()).then(|| text.into());
        Redirect {
            status: StatusCode::FOUND,
            scheme: given(scheme),
            host: given(host),
            port: (port != 0).then_some(port),
            path,
        }
    }

    #[test]
    fn absent_parts_are_the_requests_own() {
        let prefix = PathPattern::Prefix("/old".into());
        let asked = Asked {
            scheme: Scheme::Http,
            host: "a.test",
            port: Some(8080),
            path: "/old/x",
            query: Some("b=c"),
        };
        let full = || Some(RedirectPath::Full("/here".into()));
        let new = || Some(RedirectPath::Prefix("/new".into()));
        let table = [
            (redirect("", "", 0, None), asked, "http://a.test:8080/old/x?b=c"),
            (redirect("https", "", 0, None), asked, "https://a.test/old/x?b=c"),
            (redirect("https", "", 8443, None), asked, "https://a.test:8443/old/x?b=c"),
            (redirect("https", "", 443, None), asked, "https://a.test/old/x?b=c"),
            (redirect("", "b.test", 80, full()), asked, "http://b.test/here?b=c"),
            (redirect("", "", 0, new()), asked, "http://a.test:8080/new/x?b=c"),
            (
                redirect("", "", 0, new()),
                Asked { path: "/old", query: None, ..asked },
                "http://a.test:8080/new",
            ),
            (redirect("https", "", 0, None), Asked { host: "", ..asked }, "/old/x?b=c"),
            (
                redirect("", "", 0, None),
                Asked { scheme: Scheme::Https, port: None, ..asked },
                "https://a.test/old/x?b=c",
            ),
        ];
        let away = Asked { host: "", path: "//evil.test", ..asked };
        assert_eq!(location(&redirect("https", "", 0, None), &prefix, away), None);
        for (redirect, asked, expected) in table {
            assert_eq!(location(&redirect, &prefix, asked).unwrap(), expected, "{redirect:?}");
        }
    }

    #[test]
    fn ports_are_read_beside_any_host() {
        let table = [
            ("a.test:8080", Some(8080)),
            ("a.test", None),
            ("[::1]:81", Some(81)),
            ("[::1]", None),
            ("::1", None),
            ("a.test:", None),
            ("a.test:99999", None),
        ];
        for (authority, port) in table {
            assert_eq!(port_of(authority), port, "{authority}");
        }
    }
}
