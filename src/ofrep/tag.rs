//! The ETag of an answer about all flags, made before the answer is: of the texts that there are, and of which of them were picked.
//!
//! A time or a context that changes an answer changes what is picked, so that a tag never stands for two answers. Nodes with the same
//! flags make the same tags.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use sha2::{Digest, Sha256};

use super::written::Written;
use crate::flag::{ErrorCode, Limit, Resolution};

/// A hash of all that answers can be made of.
#[derive(Debug, Clone)]
pub struct Basis(Sha256);

/// 32 hex digits in quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag([u8; 34]);

impl Basis {
    /// Of a catalog's texts.
    pub fn of(written: &Written) -> Basis {
        let mut hash = Sha256::new();
        for text in written.texts() {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        Basis(hash)
    }

    /// Of these resolutions, each with its position, and of what stands behind them in the answer.
    pub fn tag(&self, resolved: &[(usize, Resolution)], rest: &[u8]) -> Tag {
        let mut hash = self.0.clone();
        hash.update((resolved.len() as u64).to_le_bytes());
        for (at, resolution) in resolved {
            // There are no more flags than a FlagId can tell apart.
            let [a, b, c, d] = (*at as u32).to_le_bytes();
            let [e, f, g, h] = resolution.variant.map_or(u32::MAX, |variant| variant.0).to_le_bytes();
            let why = resolution.error.map_or(resolution.reason as u8, number);
            hash.update([a, b, c, d, e, f, g, h, why]);
        }
        hash.update(rest);
        let digest: [u8; 32] = hash.finalize().into();
        let mut tag = [b'"'; 34];
        for (byte, digits) in digest.iter().zip(tag[1..33].as_chunks_mut().0) {
            *digits = [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]);
        }
        Tag(tag)
    }
}

impl Tag {
    /// Whether `If-None-Match` has it, compared weakly (RFC 9110, 13.1.2).
    pub fn is_among(&self, headers: &HeaderMap) -> bool {
        let lines = headers.get_all(header::IF_NONE_MATCH).iter();
        // A comma inside another's tag makes pieces that are never like this one, which is in quotes.
        let mut tags =
            lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
        tags.any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == self.0)
    }

    /// The fields of an answer that has it. It is for one client alone, who asks again before using it again.
    pub fn headers(&self) -> [(HeaderName, HeaderValue); 2] {
        // Hex digits and quotes can stand in a field.
        let tag = HeaderValue::from_bytes(&self.0).unwrap_or(HeaderValue::from_static("\"\""));
        [(header::ETAG, tag), (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"))]
    }
}

/// Each error that has a text of its own has a number of its own, and none that of a reason.
fn number(error: ErrorCode) -> u8 {
    match error {
        ErrorCode::FlagNotFound => 101,
        ErrorCode::ParseError => 102,
        ErrorCode::TypeMismatch => 103,
        ErrorCode::TargetingKeyMissing => 104,
        ErrorCode::InvalidContext => 105,
        ErrorCode::General => 106,
        ErrorCode::OverLimit(Limit::Steps) => 107,
        ErrorCode::OverLimit(Limit::Bytes) => 108,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flag::{FlagId, Reason, VariantId};

    #[test]
    fn a_tag_is_known_in_a_list_and_weakly() {
        let tag = Basis::of(&Written::default()).tag(&[], b"]}");
        let [(_, value), _] = tag.headers();
        let strong = value.to_str().unwrap();
        assert!(strong.len() == 34 && strong.starts_with('"') && strong.ends_with('"'), "{strong}");
        for (lines, known) in [
            (vec![strong.to_owned()], true),
            (vec![format!("W/{strong}")], true),
            (vec![format!("\"a\" , {strong},\"b,c\"")], true),
            (vec!["\"a\"".to_owned(), strong.to_owned()], true),
            (vec!["*".to_owned()], true),
            (vec![], false),
            (vec![String::new()], false),
            (vec![strong.trim_matches('"').to_owned()], false),
            (vec![strong.to_uppercase().replace('A', "F")], false),
            (vec![format!("w/{strong}")], false),
            (vec!["\"*\"".to_owned()], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in &lines {
                headers.append(header::IF_NONE_MATCH, HeaderValue::from_str(line).unwrap());
            }
            assert_eq!(tag.is_among(&headers), known, "{lines:?}");
        }
    }

    #[test]
    fn whatever_is_picked_otherwise_has_another_tag() {
        let basis = Basis::of(&Written::default());
        let resolution = |variant: Option<u32>, reason, error| Resolution {
            flag: FlagId(0),
            variant: variant.map(VariantId),
            reason,
            error,
        };
        let on = resolution(Some(0), Reason::Static, None);
        let error = |code| resolution(None, Reason::Error, Some(code));
        let tags: Vec<Tag> = [
            vec![],
            vec![(0, on)],
            vec![(1, on)],
            vec![(0, on), (1, on)],
            vec![(0, resolution(Some(1), Reason::Static, None))],
            vec![(0, resolution(Some(0), Reason::TargetingMatch, None))],
            vec![(0, resolution(None, Reason::Default, None))],
            vec![(0, resolution(None, Reason::Disabled, None))],
            vec![(0, error(ErrorCode::General))],
            vec![(0, error(ErrorCode::ParseError))],
            vec![(0, error(ErrorCode::OverLimit(Limit::Steps)))],
            vec![(0, error(ErrorCode::OverLimit(Limit::Bytes)))],
        ]
        .iter()
        .flat_map(|resolved| [basis.tag(resolved, b"]}"), basis.tag(resolved, b"],\"metadata\":{}}")])
        .collect();
        for (at, tag) in tags.iter().enumerate() {
            assert_eq!(tags.iter().position(|other| other == tag), Some(at));
        }
    }
}
