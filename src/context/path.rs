//! The one form of a path that is matched and forwarded: unreserved octets decoded, dot segments resolved, slashes merged,
//! `%2F` and `%5C` left as they are (RFC 3986, 6.2.2).
//!
//! It refuses what two readers could understand in two ways: a climb above the root, a backslash, a broken percent
//! escape. It never decodes twice, and it knows nothing of queries.

use std::borrow::Cow;

use super::BadRequest;

/// Normalises a path; borrows when it already is.
///
/// Every other escape stays, with its hex digits in upper case. A trailing slash stays too. Normalising twice is
/// normalising once.
pub fn normalise(path: &str) -> Result<Cow<'_, str>, BadRequest> {
    as_received(path)?;
    check_escapes(path)?;
    if is_normal(path) {
        return Ok(Cow::Borrowed(path));
    }
    resolve(&decode_unreserved(path)).map(Cow::Owned)
}

/// Lets a path through unchanged. Even then it starts with `/` and holds no backslash.
pub fn as_received(path: &str) -> Result<&str, BadRequest> {
    if !path.starts_with('/') {
        return Err(BadRequest::NotAbsolute);
    }
    if path.contains('\\') {
        return Err(BadRequest::Backslash);
    }
    Ok(path)
}

fn check_escapes(path: &str) -> Result<(), BadRequest> {
    let whole = |tail: &str| matches!(tail.as_bytes(), [a, b, ..] if octet(*a, *b).is_some());
    if path.split('%').skip(1).all(whole) { Ok(()) } else { Err(BadRequest::Escape) }
}

/// Whether normalising changes nothing, told without building anything. The path is absolute and its escapes are whole.
fn is_normal(path: &str) -> bool {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let inner = segments.peek().is_some();
        if matches!(segment, "." | "..") || (inner && segment.is_empty()) {
            return false;
        }
    }
    path.split('%').skip(1).all(|tail| match tail.as_bytes() {
        [a, b, ..] => {
            !a.is_ascii_lowercase() && !b.is_ascii_lowercase() && !octet(*a, *b).is_some_and(is_unreserved)
        }
        _ => true,
    })
}

fn decode_unreserved(path: &str) -> String {
    let mut pieces = path.split('%');
    let mut out = String::with_capacity(path.len());
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let escape = piece.as_bytes().first_chunk().and_then(|[a, b]| octet(*a, *b));
        match (escape, piece.split_at_checked(2)) {
            (Some(octet), Some((_, rest))) if is_unreserved(octet) => {
                out.push(char::from(octet));
                out.push_str(rest);
            }
            (Some(_), Some((digits, rest))) => {
                out.push('%');
                out.extend(digits.chars().map(|digit| digit.to_ascii_uppercase()));
                out.push_str(rest);
            }
            // Broken escapes were refused before; kept as they are, nothing is lost.
            _ => {
                out.push('%');
                out.push_str(piece);
            }
        }
    }
    out
}

/// Merges slashes first, then resolves: `/a//../b` is `/b`.
fn resolve(path: &str) -> Result<String, BadRequest> {
    // Either empty or `/` and a segment, repeated.
    let mut out = String::with_capacity(path.len());
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "" | "." => {}
            ".." => {
                let parent = out.rfind('/').ok_or(BadRequest::Climbs)?;
                out.truncate(parent);
            }
            name => {
                out.push('/');
                out.push_str(name);
                continue;
            }
        }
        if segments.peek().is_none() {
            out.push('/');
        }
    }
    Ok(out)
}

fn octet(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    Some(digit(high)? << 4 | digit(low)?)
}

fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_take_one_form() {
        for (path, normal) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/", "/a/"),
            ("//", "/"),
            ("//a///b//", "/a/b/"),
            ("/.", "/"),
            ("/./a", "/a"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/a/b/../c", "/a/c"),
            ("/a//../b", "/b"),
            ("/a/b/%2e%2E/c", "/a/c"),
            ("/a/%2e/b", "/a/b"),
            ("/...", "/..."),
            ("/.well-known/x", "/.well-known/x"),
            ("/%61%7e%2D%5f%41", "/a~-_A"),
            ("/a%2fb%5cc", "/a%2Fb%5Cc"),
            ("/a%2F..%2Fb", "/a%2F..%2Fb"),
            ("/%252e%252e/a", "/%252e%252e/a"),
            ("/%25%32%65", "/%252e"),
            ("/caf%c3%a9/é", "/caf%C3%A9/é"),
            ("/a;p=1/b", "/a;p=1/b"),
        ] {
            assert_eq!(normalise(path).as_deref(), Ok(normal), "{path}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for (path, why) in [
            ("/..", BadRequest::Climbs),
            ("//..", BadRequest::Climbs),
            ("/a/../../b", BadRequest::Climbs),
            ("/%2e%2e/a", BadRequest::Climbs),
            ("/a/.%2E/..", BadRequest::Climbs),
            ("/a\\b", BadRequest::Backslash),
            ("/%", BadRequest::Escape),
            ("/%4", BadRequest::Escape),
            ("/%%41", BadRequest::Escape),
            ("/%4g", BadRequest::Escape),
            ("/%+1", BadRequest::Escape),
            ("/%é", BadRequest::Escape),
            ("", BadRequest::NotAbsolute),
            ("a/b", BadRequest::NotAbsolute),
            ("*", BadRequest::NotAbsolute),
        ] {
            assert_eq!(normalise(path), Err(why), "{path}");
        }
    }

    #[test]
    fn as_received_still_refuses_backslashes_and_relative_paths() {
        assert_eq!(as_received("/a//../%2e%zz"), Ok("/a//../%2e%zz"));
        assert_eq!(as_received("/a\\"), Err(BadRequest::Backslash));
        assert_eq!(as_received("a"), Err(BadRequest::NotAbsolute));
    }

    fn paths() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("/"),
            Just("."),
            Just(".."),
            Just("%2e"),
            Just("%2F"),
            Just("%5c"),
            Just("%25"),
            Just("2e"),
            Just("%61"),
            Just("%c3%a9"),
            Just("%"),
            Just("\\"),
            Just("a"),
            Just("é"),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
    }

    proptest! {
        #[test]
        fn normalising_is_idempotent_and_leaves_nothing_ambiguous(path in paths()) {
            if let Ok(normal) = normalise(&path) {
                prop_assert!(normal.starts_with('/'));
                for bad in ["//", "/./", "/../", "\\", "%2e", "%2E", "%2f"] {
                    prop_assert!(!normal.contains(bad), "{} in {}", bad, normal);
                }
                prop_assert!(!normal.ends_with("/.") && !normal.ends_with("/.."));
                prop_assert_eq!(matches!(normal, Cow::Borrowed(_)), *normal == *path);
                let again = normalise(&normal);
                prop_assert!(matches!(again, Ok(Cow::Borrowed(same)) if same == normal));
            }
        }

        #[test]
        fn no_text_panics(path in "\\PC*") {
            let _ = normalise(&path);
            let _ = normalise(&format!("/{path}"));
        }
    }
}
