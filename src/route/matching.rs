//! Whether one match takes one request. It borrows everything, and of a match without conditions it reads only path and method.
//!
//! The host is not looked at: the table has chosen its candidates by host.

use std::borrow::Cow;

use crate::config::route::{PathPattern, RouteMatch, TextPattern};
use crate::context::RequestFacts;
use crate::context::cookies::{cookie, parameter};
use crate::context::headers::header;

/// Whether all parts but the hosts match.
pub(super) fn takes(pattern: &RouteMatch, facts: &RequestFacts<'_>) -> bool {
    path(&pattern.path, &facts.path)
        && (pattern.methods.is_empty() || pattern.methods.contains(facts.method))
        && pattern.headers.iter().all(|(name, wanted)| match wanted {
            // A field can be present without being text.
            TextPattern::Present => facts.headers.contains_key(name),
            wanted => text(wanted, header(facts.headers, name)),
        })
        && pattern.cookies.iter().all(|(name, wanted)| text(wanted, cookie(facts.headers, name)))
        && pattern.query.iter().all(|(name, wanted)| text(wanted, parameter(facts.query, name)))
}

/// Whether a path matches. `*`, the target of `OPTIONS *`, is under no prefix.
pub(super) fn path(pattern: &PathPattern, path: &str) -> bool {
    match pattern {
        PathPattern::Exact(exact) => **exact == *path,
        PathPattern::Prefix(prefix) => {
            path.strip_prefix(&**prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        PathPattern::Regex(regex) => regex.is_match(path),
    }
}

fn text(wanted: &TextPattern, sent: Option<Cow<'_, str>>) -> bool {
    sent.is_some_and(|sent| match wanted {
        TextPattern::Exact(exact) => **exact == *sent,
        TextPattern::Regex(regex) => regex.is_match(&sent),
        TextPattern::Present => true,
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Method};
    use regex::Regex;

    use super::*;
    use crate::context::Scheme;

    fn any() -> RouteMatch {
        RouteMatch {
            hosts: vec![],
            path: PathPattern::Prefix("".into()),
            methods: vec![],
            headers: vec![],
            cookies: vec![],
            query: vec![],
        }
    }

    fn regex(text: &str) -> Regex {
        Regex::new(&format!("^(?:{text})$")).unwrap()
    }

    #[test]
    fn prefixes_end_at_segment_borders() {
        let prefix = |text: &str| PathPattern::Prefix(text.into());
        for (pattern, sent, matches) in [
            (prefix("/a"), "/a", true),
            (prefix("/a"), "/a/", true),
            (prefix("/a"), "/a/b", true),
            (prefix("/a"), "/ab", false),
            (prefix("/a"), "/", false),
            (prefix("/a"), "/A", false),
            (prefix(""), "/", true),
            (prefix(""), "/a/b", true),
            (prefix(""), "*", false),
            (PathPattern::Exact("/a".into()), "/a", true),
            (PathPattern::Exact("/a".into()), "/a/", false),
            (PathPattern::Exact("*".into()), "*", true),
            (PathPattern::Regex(regex("/a|/ab")), "/ab", true),
            (PathPattern::Regex(regex("/a|/ab")), "/abc", false),
        ] {
            assert_eq!(path(&pattern, sent), matches, "{pattern:?} {sent}");
        }
    }

    #[test]
    fn every_condition_must_hold() {
        let lines = [("x-a", "1"), ("x-a", "2"), ("x-b", "b"), ("cookie", "c=x%20y; c=z")];
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers.append("x-bytes", HeaderValue::from_bytes(b"\xff").unwrap());
        let facts = RequestFacts {
            method: &Method::GET,
            scheme: Scheme::Http,
            host: "".into(),
            path: "/".into(),
            query: Some("q=a+b&q=c&empty"),
            headers: &headers,
            client_ip: [192, 0, 2, 1].into(),
            trusted: false,
            listener: "main",
        };
        let field = |name: &'static str, wanted| RouteMatch {
            headers: vec![(HeaderName::from_static(name), wanted)],
            ..any()
        };
        let crumb = |name: &str, wanted| RouteMatch { cookies: vec![(name.into(), wanted)], ..any() };
        let query = |name: &str, wanted| RouteMatch { query: vec![(name.into(), wanted)], ..any() };
        let exact = |text: &str| TextPattern::Exact(text.into());
        for (pattern, matches) in [
            (any(), true),
            (RouteMatch { methods: vec![Method::POST, Method::GET], ..any() }, true),
            (RouteMatch { methods: vec![Method::POST], ..any() }, false),
            (field("x-a", exact("1, 2")), true),
            (field("x-a", exact("1")), false),
            (field("x-a", TextPattern::Regex(regex("1.*"))), true),
            (field("x-a", TextPattern::Regex(regex("1"))), false),
            (field("x-a", TextPattern::Present), true),
            (field("x-bytes", TextPattern::Present), true),
            (field("x-bytes", TextPattern::Regex(regex(".*"))), false),
            (field("x-none", TextPattern::Present), false),
            (field("x-none", TextPattern::Regex(regex(".*"))), false),
            (crumb("c", exact("x y")), true),
            (crumb("c", exact("z")), false),
            (query("q", exact("a b")), true),
            (query("q", exact("c")), false),
            (query("empty", TextPattern::Present), true),
            (RouteMatch { cookies: vec![("c".into(), exact("x y"))], ..query("q", exact("c")) }, false),
        ] {
            assert_eq!(takes(&pattern, &facts), matches, "{pattern:?}");
        }
    }
}
