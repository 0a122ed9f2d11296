//! Two bodies: decoded, taken for JSON, text or bytes, and compared as that.

use std::borrow::Cow;
use std::fmt::Write;

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::coding::Codings;
use super::excerpt::{Excerpt, VALUE};
use super::json::{self, Node, Scope};
use super::{Answer, Body, Difference, Kind, Uncompared};
use crate::config::field_path::FieldPath;
use crate::config::shadow::CompareRules;

/// How the bodies of two answers differ.
///
/// Bodies of one encoding that are equal byte by byte are equal, whatever they are. A hashed body of an encoding other than `identity` can only be
/// compared with another one of the same encoding.
pub(super) fn compare(
    original: &Answer,
    other: &Answer,
    rules: &CompareRules,
) -> Result<Vec<Difference>, Uncompared> {
    let (codings, other_codings) = (Codings::of(&original.headers), Codings::of(&other.headers));
    let same_codings = codings == other_codings;
    if same_codings && are_same(&original.body, &other.body) {
        return Ok(Vec::new());
    }
    let hashed = matches!(original.body, Body::Hashed { .. }) || matches!(other.body, Body::Hashed { .. });
    let (one, two) = if same_codings && hashed {
        (Cow::Borrowed(&original.body), Cow::Borrowed(&other.body))
    } else {
        (decoded(&original.body, &codings, rules)?, decoded(&other.body, &other_codings, rules)?)
    };
    if are_same(&one, &two) {
        return Ok(Vec::new());
    }
    if let (Some(original_bytes), Some(other_bytes)) = (one.bytes(), two.bytes()) {
        let types = (Media::of(&original.headers), Media::of(&other.headers));
        return Ok(Contents { original: &original_bytes, other: &other_bytes, rules }.compare(types));
    }
    // A short body without its bytes was let go for want of room: its fields cannot be told from those that are ignored.
    let let_go =
        |body: &Body| matches!(body, Body::Hashed { length, .. } if *length <= rules.max_body as u64);
    if let_go(&one) || let_go(&two) {
        return Err(Uncompared::Memory);
    }
    let shown = |body: &Body| recorded(rules, || summary(body));
    Ok(vec![Difference::of("body", Kind::Changed, shown(&one), shown(&two))])
}

/// Whether two bodies have the same bytes.
fn are_same(one: &Body, other: &Body) -> bool {
    one.length() == other.length()
        && match (one.bytes(), other.bytes()) {
            (Some(one), Some(other)) => one == other,
            _ => one.hash() == other.hash(),
        }
}

fn decoded<'b>(body: &'b Body, codings: &Codings, rules: &CompareRules) -> Result<Cow<'b, Body>, Uncompared> {
    if codings.is_identity() {
        return Ok(Cow::Borrowed(body));
    }
    let encoded = body.bytes().ok_or(Uncompared::Encoding)?;
    codings.decode(&encoded, rules.max_body).map(Cow::Owned).map_err(|_| Uncompared::Encoding)
}

/// What the headers say of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Media {
    Json,
    /// Nothing, or what is said of anything.
    Untold,
    Other,
}

impl Media {
    fn of(headers: &HeaderMap) -> Media {
        let Some(value) = headers.get(CONTENT_TYPE) else { return Media::Untold };
        let text = String::from_utf8_lossy(value.as_bytes());
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match &*essence {
            "application/json" | "text/json" => Media::Json,
            essence if essence.ends_with("+json") => Media::Json,
            "" | "text/plain" | "application/octet-stream" => Media::Untold,
            _ => Media::Other,
        }
    }
}

/// Two bodies, decoded, that are not the same.
struct Contents<'b> {
    original: &'b [u8],
    other: &'b [u8],
    rules: &'b CompareRules,
}

impl Contents<'_> {
    fn compare(&self, types: (Media, Media)) -> Vec<Difference> {
        if self.original.is_empty() || self.other.is_empty() {
            let kind = if self.other.is_empty() { Kind::Missing } else { Kind::Added };
            let shown = |bytes: &[u8]| (!bytes.is_empty()).then(|| self.plain(bytes)).flatten();
            return vec![Difference::of("body", kind, shown(self.original), shown(self.other))];
        }
        let scope = Scope::root(self.rules);
        // One that says that it is JSON is enough: a wrong type of the other is told as that header's difference.
        let told = types.0 == Media::Json || types.1 == Media::Json;
        let read = |bytes| Node::parse(bytes, &scope);
        let (one, two) = match types {
            _ if told => (read(self.original), read(self.other)),
            (Media::Untold, Media::Untold) => (read(self.original), read(self.other)),
            _ => (None, None),
        };
        match (one, two) {
            (Some(one), Some(two)) => json::compare(&one, &two, &scope),
            (Some(one), None) if told => {
                let (original, other) = (one.excerpt(&scope), self.plain(self.other));
                vec![Difference::of("body", Kind::Type, original, other)]
            }
            (None, Some(two)) if told => {
                let (original, other) = (self.plain(self.original), two.excerpt(&scope));
                vec![Difference::of("body", Kind::Type, original, other)]
            }
            _ => {
                let (original, other) = self.first_difference();
                vec![Difference::of("body", Kind::Changed, original, other)]
            }
        }
    }

    /// What is shown of bytes that are no JSON.
    fn plain(&self, bytes: &[u8]) -> Option<String> {
        recorded(self.rules, || {
            text(bytes).map_or_else(|| summary_of(bytes), |text| Excerpt::of(text, VALUE))
        })
    }

    /// Two texts from where they differ, or a summary of the bytes.
    fn first_difference(&self) -> (Option<String>, Option<String>) {
        let (Some(one), Some(two)) = (text(self.original), text(self.other)) else {
            let shown = |bytes| recorded(self.rules, || summary_of(bytes));
            return (shown(self.original), shown(self.other));
        };
        let same = one.char_indices().zip(two.chars()).find(|((_, one), two)| one != two);
        let at = same.map_or(one.len().min(two.len()), |((at, _), _)| at);
        // A few characters that are the same show where it is.
        let from = one[..at].char_indices().rev().take(LEAD).last().map_or(at, |(at, _)| at);
        let shown = |text: &str| {
            recorded(self.rules, || {
                let mark = if from > 0 { "…" } else { "" };
                Excerpt::of(&format!("{mark}{}", &text[from..]), VALUE)
            })
        };
        (shown(one), shown(two))
    }
}

/// Characters that are shown before the first difference of two texts.
const LEAD: usize = 16;

/// A value of a body that is not compared by field, unless something of it may not be recorded.
fn recorded(rules: &CompareRules, value: impl FnOnce() -> String) -> Option<String> {
    let redacted = rules.redact.iter().any(|path| matches!(path, FieldPath::Body | FieldPath::Json(_)));
    (!redacted).then(value)
}

/// Bytes as text; none: they are none.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn summary_of(bytes: &[u8]) -> String {
    summary(&Body::Whole(vec![bytes::Bytes::copy_from_slice(bytes)]))
}

/// Length and hash.
fn summary(body: &Body) -> String {
    let mut text = format!("{} bytes, SHA-256 ", body.length());
    for byte in &body.hash()[..8] {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text + "…"
}
