//! Header fields by name, as text: repeated lines joined, borrowed where there is one line.
//!
//! A field that `Connection` nominates counts like any other: what is sent on this hop decides on this hop.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, header};

/// A field's lines joined with `, ` (`Cookie` with `; `: RFC 9113, 8.2.3). None when it is absent or a line is not UTF-8.
pub fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    // Most rules ask for what most requests do not have.
    if !headers.contains_key(name) {
        return None;
    }
    let mut lines = headers.get_all(name).iter().map(|line| std::str::from_utf8(line.as_bytes()).ok());
    let first = lines.next()??;
    let Some(second) = lines.next() else { return Some(Cow::Borrowed(first)) };
    let separator = if name == header::COOKIE { "; " } else { ", " };
    let mut joined = String::from(first);
    for line in std::iter::once(second).chain(lines) {
        joined.push_str(separator);
        joined.push_str(line?);
    }
    Some(Cow::Owned(joined))
}

/// The text of a field that was sent in exactly one line.
pub fn only_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next()?;
    if lines.next().is_some() {
        return None;
    }
    std::str::from_utf8(line.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn sent(lines: &[(&'static str, &[u8])]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &[u8])| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap())
        };
        HeaderMap::from_iter(lines.iter().map(line))
    }

    #[test]
    fn lines_are_joined_and_a_single_one_is_borrowed() {
        let headers = sent(&[
            ("x-a", b"1"),
            ("x-b", b"1"),
            ("x-b", b""),
            ("x-b", b"3"),
            ("cookie", b"a=1"),
            ("cookie", b"b=2"),
        ]);
        let read = |name| header(&headers, &HeaderName::from_static(name));
        assert!(matches!(read("x-a"), Some(Cow::Borrowed("1"))));
        assert_eq!(read("x-b").as_deref(), Some("1, , 3"));
        assert_eq!(read("cookie").as_deref(), Some("a=1; b=2"));
        assert_eq!(read("x-c"), None);
    }

    #[test]
    fn utf_8_is_text_and_other_bytes_are_absent() {
        let headers = sent(&[("x-a", "é".as_bytes()), ("x-b", b"\xff"), ("x-c", b"fine"), ("x-c", b"\xff")]);
        let read = |name| header(&headers, &HeaderName::from_static(name));
        assert_eq!(read("x-a").as_deref(), Some("é"));
        assert_eq!(read("x-b"), None);
        assert_eq!(read("x-c"), None);
    }

    #[test]
    fn a_repeated_field_is_not_the_only_one() {
        let headers = sent(&[("x-a", b"1"), ("x-b", b"1"), ("x-b", b"1")]);
        assert_eq!(only_header(&headers, &HeaderName::from_static("x-a")), Some("1"));
        assert_eq!(only_header(&headers, &HeaderName::from_static("x-b")), None);
    }
}
