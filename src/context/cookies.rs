//! Cookies and query parameters by name: the first counts, percent-decoded, borrowed where nothing had to be decoded.
//!
//! Names of cookies are compared as sent, names of parameters decoded. A value that does not decode (a broken escape,
//! no UTF-8 behind it) stays as it was sent; bytes that are no UTF-8 to begin with are absent. Work is linear in what was sent.

use std::borrow::Cow;

use http::{HeaderMap, header};
use memchr::memchr;

/// The first cookie of that name over all `Cookie` lines.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<Cow<'a, str>> {
    decoded_cookie(named_cookies(headers, name).next()?)
}

/// The cookie of that name, if it was sent exactly once.
pub fn only_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<Cow<'a, str>> {
    decoded_cookie(only(named_cookies(headers, name))?)
}

/// How often a cookie of that name was sent; a targeting key must be sent once.
pub fn count(headers: &HeaderMap, name: &str) -> usize {
    named_cookies(headers, name).count()
}

/// Bytes of all cookies: what looking for one goes through.
pub fn cookie_bytes(headers: &HeaderMap) -> usize {
    headers.get_all(header::COOKIE).iter().map(|line| line.len()).sum()
}

/// Every cookie in the order sent, its value decoded.
pub fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    pairs(headers).filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, decoded_cookie(value)?)))
}

/// The first query parameter of that name; `+` is a space. A parameter without `=` is empty text.
pub fn parameter<'a>(query: Option<&'a str>, name: &str) -> Option<Cow<'a, str>> {
    named_parameters(query, name).next()
}

/// The query parameter of that name, if it was sent exactly once.
pub fn only_parameter<'a>(query: Option<&'a str>, name: &str) -> Option<Cow<'a, str>> {
    only(named_parameters(query, name))
}

/// Every query parameter in the order sent, name and value decoded.
pub fn parameters(query: Option<&str>) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query_pairs(query).map(|(name, value)| (decode(name, Plus::Space), decode(value, Plus::Space)))
}

fn named_parameters<'a>(query: Option<&'a str>, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
    // Only the values asked for are decoded.
    query_pairs(query)
        .filter(move |(sent, _)| decode(sent, Plus::Space) == name)
        .map(|(_, value)| decode(value, Plus::Space))
}

fn query_pairs(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn named_cookies<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a [u8]> {
    pairs(headers).filter(move |(sent, _)| *sent == name.as_bytes()).map(|(_, value)| value)
}

/// Bytes, not text: one cookie that is no UTF-8 must not hide the others of its line.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = headers.get_all(header::COOKIE).iter();
    lines.flat_map(|line| split(line.as_bytes(), b';')).filter_map(|pair| {
        let equals = memchr(b'=', pair)?;
        Some((pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii()))
    })
}

fn split(bytes: &[u8], at: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let end = memchr(at, bytes);
        rest = end.map(|end| &bytes[end + 1..]);
        Some(&bytes[..end.unwrap_or(bytes.len())])
    })
}

fn decoded_cookie(value: &[u8]) -> Option<Cow<'_, str>> {
    Some(decode(std::str::from_utf8(value).ok()?, Plus::Plus))
}

fn only<T>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// What a `+` stands for.
#[derive(Clone, Copy, PartialEq)]
enum Plus {
    Plus,
    Space,
}

fn decode(text: &str, plus: Plus) -> Cow<'_, str> {
    let encoded = |byte: &u8| *byte == b'%' || (plus == Plus::Space && *byte == b'+');
    if !text.as_bytes().iter().any(encoded) {
        return Cow::Borrowed(text);
    }
    decode_bytes(text.as_bytes(), plus)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map_or(Cow::Borrowed(text), Cow::Owned)
}

/// All escapes or none: half-decoded text is what nobody sent.
fn decode_bytes(mut rest: &[u8], plus: Plus) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(rest.len());
    loop {
        rest = match rest {
            [] => return Some(out),
            [b'%', tail @ ..] => {
                let ([high, low], tail) = tail.split_first_chunk()?;
                let digit = |byte: u8| char::from(byte).to_digit(16);
                out.push((digit(*high)? << 4 | digit(*low)?) as u8);
                tail
            }
            [b'+', tail @ ..] if plus == Plus::Space => {
                out.push(b' ');
                tail
            }
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn sent(lines: &[&[u8]]) -> HeaderMap {
        HeaderMap::from_iter(
            lines.iter().map(|line| (header::COOKIE, HeaderValue::from_bytes(line).unwrap())),
        )
    }

    #[test]
    fn the_first_cookie_over_all_lines_counts() {
        let headers = sent(&[b"a=1; b=2;a=3", b" c = x=y ; d; =e; f=\"q\"", b"b=4"]);
        for (name, value) in [
            ("a", Some("1")),
            ("b", Some("2")),
            ("c", Some("x=y")),
            ("d", None),
            ("A", None),
            ("f", Some("\"q\"")),
            ("g", None),
        ] {
            assert_eq!(cookie(&headers, name).as_deref(), value, "{name}");
        }
        assert_eq!((count(&headers, "a"), count(&headers, "c"), count(&headers, "g")), (2, 1, 0));
        assert_eq!(only_cookie(&headers, "a"), None);
        assert_eq!(only_cookie(&headers, "c").as_deref(), Some("x=y"));
    }

    #[test]
    fn cookies_are_percent_decoded_or_stay_as_sent() {
        let headers = sent(&[b"a=x%20y%2B+; b=100%; c=%ff; d=%4; e=\xff; f=; g=\xc3\xa9%c3%a9"]);
        for (name, value) in [
            ("a", Some("x y++")),
            ("b", Some("100%")),
            ("c", Some("%ff")),
            ("d", Some("%4")),
            ("e", None),
            ("f", Some("")),
            ("g", Some("éé")),
        ] {
            assert_eq!(cookie(&headers, name).as_deref(), value, "{name}");
        }
    }

    #[test]
    fn parameters_are_form_decoded() {
        let query = Some("a=1&&b=x+y%2B&c&a=2&%64=4&e=%zz+&=f");
        for (name, value) in [
            ("a", Some("1")),
            ("b", Some("x y+")),
            ("c", Some("")),
            ("d", Some("4")),
            ("e", Some("%zz+")),
            ("", Some("f")),
            ("g", None),
        ] {
            assert_eq!(parameter(query, name).as_deref(), value, "{name}");
        }
        assert_eq!(parameter(None, "a"), None);
        assert_eq!(only_parameter(query, "a"), None);
        assert_eq!(only_parameter(query, "d").as_deref(), Some("4"));
    }

    #[test]
    fn plain_values_are_borrowed() {
        assert!(matches!(cookie(&sent(&[b"a=b+c"]), "a"), Some(Cow::Borrowed("b+c"))));
        assert!(matches!(parameter(Some("x=1&a=b"), "a"), Some(Cow::Borrowed("b"))));
    }

    proptest! {
        #[test]
        fn unrelated_cookies_change_nothing(
            before in "([b-z]=[^a;\\pC]{0,4}; ){0,3}",
            after in "(; [a-z]=[^;\\pC]{0,4}){0,3}",
        ) {
            let line = format!("{before}a=1{after}");
            let headers = sent(&[line.as_bytes()]);
            prop_assert_eq!(cookie(&headers, "a"), Some("1".into()));
        }

        #[test]
        fn no_bytes_panic(line in prop::collection::vec(any::<u8>(), 0..40), query in "\\PC{0,40}") {
            if let Ok(value) = HeaderValue::from_bytes(&line) {
                let headers = HeaderMap::from_iter([(header::COOKIE, value)]);
                prop_assert!(cookies(&headers).count() <= line.len());
            }
            prop_assert!(parameters(Some(&query)).count() <= query.len());
        }

        #[test]
        fn what_was_encoded_comes_back(text in "\\PC{0,12}") {
            let encoded = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC);
            let query = format!("a={encoded}");
            prop_assert_eq!(parameter(Some(&query), "a"), Some(Cow::Borrowed(&*text)));
            let headers = sent(&[query.as_bytes()]);
            prop_assert_eq!(cookie(&headers, "a"), Some(Cow::Borrowed(&*text)));
        }
    }
}
