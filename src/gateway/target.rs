//! The target that an attempt asks for: the matched form of the path, with a route's rewrite, and the query as it came.

use std::borrow::Cow;

use http::Uri;
use http::uri::PathAndQuery;

use crate::config::route::{PathPattern, Rewrite};

/// The path for the upstream: `path` with what the route's prefix matched replaced.
pub fn rewritten<'a>(path: &'a str, matched: &PathPattern, rewrite: &Rewrite) -> Cow<'a, str> {
    match (&rewrite.prefix, matched) {
        (Some(new), PathPattern::Prefix(old)) => replace_prefix(path, old, new),
        _ => Cow::Borrowed(path),
    }
}

/// Replaces a prefix that matched on a segment border; neither prefix ends with a slash.
pub fn replace_prefix<'a>(path: &'a str, old: &str, new: &str) -> Cow<'a, str> {
    // `*` is under the prefix of everything, and no part of a longer path.
    let Some(rest) = path.strip_prefix(old).filter(|_| path != "*") else { return Cow::Borrowed(path) };
    match (new, rest) {
        ("", "") => Cow::Borrowed("/"),
        ("", rest) => Cow::Borrowed(rest),
        (new, rest) => Cow::Owned(format!("{new}{rest}")),
    }
}

/// The URI with another path; query, scheme and authority stay. None when the path is no path of a URI.
pub fn with_path(received: &Uri, path: &str) -> Option<Uri> {
    let target = match received.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    let mut parts = received.clone().into_parts();
    parts.path_and_query = Some(target.ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matched_prefix_is_replaced_on_segment_borders() {
        let table = [
            ("/api/x", "/api", "/v2", "/v2/x"),
            ("/api", "/api", "/v2", "/v2"),
            ("/api/", "/api", "/v2", "/v2/"),
            ("/api", "/api", "", "/"),
            ("/api/", "/api", "", "/"),
            ("*", "", "/v2", "*"),
            ("/api/x/", "/api", "", "/x/"),
            ("/x", "", "/v2", "/v2/x"),
            ("/", "", "/v2", "/v2/"),
            ("/", "", "", "/"),
        ];
        for (path, old, new, expected) in table {
            let rewrite = Rewrite { prefix: Some(new.into()), host: None };
            assert_eq!(
                rewritten(path, &PathPattern::Prefix(old.into()), &rewrite),
                expected,
                "{path}: {old} by {new}"
            );
            assert_eq!(rewritten(path, &PathPattern::Exact(path.into()), &rewrite), path);
            assert_eq!(rewritten(path, &PathPattern::Prefix(old.into()), &Rewrite::default()), path);
        }
    }

    #[test]
    fn the_rest_of_the_uri_stays() {
        let table = [
            ("/a?b=//..&c", "/x", Some("/x?b=//..&c")),
            ("/a?", "/x", Some("/x?")),
            ("/a", "/x", Some("/x")),
            ("https://shop.test:8443/a?b", "/x", Some("https://shop.test:8443/x?b")),
            ("/a", "/a b", None),
        ];
        for (received, path, expected) in table {
            let uri = with_path(&received.parse().unwrap(), path).map(|uri| uri.to_string());
            assert_eq!(uri.as_deref(), expected, "{received} to {path}");
        }
    }
}
