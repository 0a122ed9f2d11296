//! Conditions of writes: `If-Match` with the flag's ETag, and `Idempotency-Key`.
//!
//! It only reads fields; what they are compared with, others know.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use super::error::Error;
use crate::source::hand::Condition;

/// Most characters of an idempotency key.
const LONGEST_KEY: usize = 128;

/// What `If-Match` asks (RFC 9110, 13.1.1); none: there is none. A weak tag never is the same as another, so it counts as none of those
/// that may match.
pub fn if_match(headers: &HeaderMap) -> Result<Option<Condition>, Error> {
    let lines: Vec<&HeaderValue> = headers.get_all(header::IF_MATCH).iter().collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let lines: Option<Vec<&str>> = lines.into_iter().map(|line| line.to_str().ok()).collect();
    // Lines of one name are one list.
    let condition = lines.map(|lines| lines.join(",")).as_deref().and_then(parse);
    condition.map(Some).ok_or_else(|| {
        Error::bad("`If-Match` is no list of ETags such as \"4c1f\" and not `*`; send what `ETag` said, with its quotes")
    })
}

fn parse(list: &str) -> Option<Condition> {
    if list.trim_matches([' ', '\t']) == "*" {
        return Some(Condition::Any);
    }
    let mut tags = Vec::new();
    let (mut rest, mut elements) = (list, 0);
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return (elements > 0).then_some(Condition::Is(tags));
        }
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let (tag, after) = quoted.strip_prefix('"')?.split_once('"')?;
        rest = after.trim_start_matches([' ', '\t']);
        let ends = rest.is_empty() || rest.starts_with(',');
        if !ends || tag.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return None;
        }
        elements += 1;
        if !weak {
            tags.push(tag.to_owned());
        }
    }
}

/// The condition of a write that must have one.
pub fn required(condition: Option<Condition>) -> Result<Condition, Error> {
    condition.ok_or_else(|| {
        let detail = "send `If-Match` with the `ETag` that the flag was read with, so that nobody's change is lost; or `*`, whatever it is now";
        Error::new(StatusCode::PRECONDITION_REQUIRED, detail)
    })
}

/// The value of `ETag`. Tags are our own: hexadecimal digits.
pub fn etag(tag: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{tag}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The idempotency key, with a hash of all that makes a request this one.
pub fn once(headers: &HeaderMap, request: &[&[u8]]) -> Result<Option<(String, u64)>, Error> {
    let mut lines = headers.get_all("idempotency-key").iter();
    let Some(line) = lines.next() else { return Ok(None) };
    let fits = |key: &&str| {
        (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match line.to_str().ok().filter(fits).filter(|_| lines.next().is_none()) {
        Some(key) => Ok(Some((key.to_owned(), hash(request)))),
        None => {
            Err(Error::bad(format!("`Idempotency-Key` is not 1 to {LONGEST_KEY} visible characters, once")))
        }
    }
}

/// Of the parts and of where each ends.
fn hash(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(lines: &[&str]) -> Result<Option<Condition>, u16> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::IF_MATCH, HeaderValue::from_str(line).unwrap());
        }
        if_match(&headers).map_err(|error| error.status.as_u16())
    }

    fn is(tags: &[&str]) -> Result<Option<Condition>, u16> {
        Ok(Some(Condition::Is(tags.iter().map(|tag| (*tag).to_owned()).collect())))
    }

    #[test]
    fn a_condition_is_a_list_of_tags_or_a_star() {
        for (lines, expected) in [
            (&[][..], Ok(None)),
            (&["*"], Ok(Some(Condition::Any))),
            (&[" * "], Ok(Some(Condition::Any))),
            (&["\"a\""], is(&["a"])),
            (&["\"a\", \"b\""], is(&["a", "b"])),
            (&["\"a\",\"b\"\t,"], is(&["a", "b"])),
            (&["\"a\"", "\"b\""], is(&["a", "b"])),
            (&["\"a,b\" , , \"\""], is(&["a,b", ""])),
            (&["W/\"a\""], is(&[])),
            (&["W/\"a\", \"b\""], is(&["b"])),
            (&[""], Err(400)),
            (&[","], Err(400)),
            (&["a"], Err(400)),
            (&["\"a"], Err(400)),
            (&["\"a\" \"b\""], Err(400)),
            (&["\"a b\""], Err(400)),
            (&["w/\"a\""], Err(400)),
            (&["*, \"a\""], Err(400)),
            (&["*", "*"], Err(400)),
        ] {
            assert_eq!(asked(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_key_belongs_to_one_request() {
        let key = |lines: &[&str], request: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("idempotency-key", line.parse().unwrap());
            }
            once(&headers, request).map_err(|error| error.status.as_u16())
        };
        let long = "k".repeat(129);
        for wrong in [&[""][..], &["a b"], &[&long], &["a", "a"]] {
            assert_eq!(key(wrong, &[]), Err(400), "{wrong:?}");
        }
        assert_eq!(key(&[], &[b"x"]), Ok(None));
        let (one, same) = (key(&["k"], &[b"POST", b"/a"]), key(&["k"], &[b"POST", b"/a"]));
        assert_eq!(one, same);
        for other in [&[b"POST" as &[u8], b"/b"][..], &[b"POS", b"T/a"], &[b"POST/a"]] {
            assert_ne!(key(&["k"], other), one);
        }
    }

    proptest! {
        #[test]
        fn what_an_etag_says_is_what_if_match_reads(tags in proptest::collection::vec("[0-9a-f]{1,16}", 1..5)) {
            let list: Vec<String> = tags.iter().map(|tag| etag(tag).to_str().unwrap().to_owned()).collect();
            prop_assert_eq!(asked(&[&list.join(", ")]), Ok(Some(Condition::Is(tags))));
        }

        #[test]
        fn no_text_panics(list in "[\"a-z*,W/ ]{0,30}") {
            let _ = asked(&[&list]);
        }
    }
}
