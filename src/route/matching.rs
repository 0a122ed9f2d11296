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

/// Whether a path matches. `*`, the target of `OPTIONS *`, is under no prefix but that of everything.
pub(super) fn path(pattern: &PathPattern, path: &str) -> bool {
    match pattern {
        PathPattern::Exact(exact) => **exact == *path,
        PathPattern::Prefix(prefix) => {
            let under =
                |rest: &str| rest.is_empty() || rest.starts_with('/') || rest == "*" && prefix.is_empty();
            path.strip_prefix(&**prefix).is_some_and(under)
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
    use http::HeaderValue;

    use super::*;
    use crate::route::fixture::{Sent, parse};

    #[test]
    fn paths_match_whole_or_up_to_a_segment_border() {
        for (pattern, sent, matches) in [
            ("/a/*", "/a", true),
            ("/a/*", "/a/", true),
            ("/a/*", "/a/b", true),
            ("/a/*", "/ab", false),
            ("/a/*", "/", false),
            ("/a/*", "/A", false),
            ("/*", "/", true),
            ("/*", "/a/b", true),
            ("/*", "*", true),
            ("/a/*", "*", false),
            ("/a/*", "/a*", false),
            ("/a", "/a", true),
            ("/a", "/a/", false),
            ("*", "*", true),
            ("~/a|/ab", "/ab", true),
            ("~/a|/ab", "/abc", false),
        ] {
            assert_eq!(path(&parse(pattern).path, sent), matches, "{pattern} {sent}");
        }
    }

    #[test]
    fn every_condition_must_hold() {
        let lines = [("x-a", "1"), ("x-a", "2"), ("cookie", "c=%78y; c=z"), ("cookie", "d=1")];
        let mut sent = Sent::new("GET a/?q=%61+b&q=c&empty", &lines);
        sent.headers.append("x-bytes", HeaderValue::from_bytes(b"\xff").unwrap());
        for (pattern, matches) in [
            ("/*", true),
            ("POST|GET /*", true),
            ("POST /*", false),
            ("/* header x-a~1,.2", true),
            ("/* header x-a=1", false),
            ("/* header x-a~1", false),
            ("/* header x-a", true),
            ("/* header x-bytes", true),
            ("/* header x-bytes~.*", false),
            ("/* header x-none", false),
            ("/* header x-none~.*", false),
            ("/* cookie c=xy", true),
            ("/* cookie c=z", false),
            ("/* cookie d", true),
            ("/* query q~a.b", true),
            ("/* query q=c", false),
            ("/* query empty", true),
            ("/* query empty=", true),
            ("/* header x-a cookie c=xy query q", true),
            ("/* header x-a cookie c=xy query r", false),
            ("/* header x-a cookie e query q", false),
        ] {
            assert_eq!(takes(&parse(pattern), &sent.facts()), matches, "{pattern}");
        }
    }
}
