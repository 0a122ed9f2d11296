//! Cookies and query parameters by name: the first counts, percent-decoded, borrowed where nothing had to be decoded.

use std::borrow::Cow;

use http::HeaderMap;

/// The first cookie of that name over all `Cookie` lines.
pub fn cookie<'a>(_headers: &'a HeaderMap, _name: &str) -> Option<Cow<'a, str>> {
    todo!()
}

/// How often a cookie of that name was sent; a targeting key must be sent once.
pub fn count(_headers: &HeaderMap, _name: &str) -> usize {
    todo!()
}

/// The first query parameter of that name; `+` is a space.
pub fn parameter<'a>(_query: Option<&'a str>, _name: &str) -> Option<Cow<'a, str>> {
    todo!()
}
