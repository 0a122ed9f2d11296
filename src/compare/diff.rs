//! Two answers to one request: every field in which they differ.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};

use super::excerpt::{Excerpt, VALUE};
use super::{Answer, Uncompared, body};
use crate::config::field_path::FieldPath;
use crate::config::shadow::CompareRules;

/// How two answers differ; no differences: they are equal under the rules.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Comparison {
    /// No two of one path and kind.
    pub differences: Vec<Difference>,
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The field, with `*` for an array's indexes: `status`, `header:location`, `body`, `/items/*/price`. The root of a JSON body is `body`.
    pub path: String,
    /// Where it was first seen, as an RFC 6901 pointer with the original's indexes; else as the path. Of an array that is shorter or longer:
    /// the first element without a partner.
    pub at: String,
    /// How.
    pub kind: Kind,
    /// What the original has there, in short; none: nothing, or it is not to be recorded.
    pub original: Option<String>,
    /// What the other has there.
    pub other: Option<String>,
}

impl Difference {
    /// One whose place is its path.
    pub(super) fn of(path: &str, kind: Kind, original: Option<String>, other: Option<String>) -> Difference {
        Difference { path: path.to_owned(), at: path.to_owned(), kind, original, other }
    }
}

/// How a field of the other answer differs from the original's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Another value of the same type and form.
    Changed,
    /// Another text of another form: digits, letters and signs stand otherwise (a time zone, a currency).
    Format,
    /// Another type: a number as text, null for a value.
    Type,
    /// The original has it, the other has not.
    Missing,
    /// The other has it, the original has not.
    Added,
    /// An array's elements in another order.
    Order,
    /// An array has fewer elements.
    Shorter,
    /// An array has more elements.
    Longer,
    /// It took longer than the original by more than the threshold.
    Slower,
}

impl Kind {
    /// Its token: `changed`.
    pub fn label(self) -> &'static str {
        match self {
            Kind::Changed => "changed",
            Kind::Format => "format",
            Kind::Type => "type",
            Kind::Missing => "missing",
            Kind::Added => "added",
            Kind::Order => "order",
            Kind::Shorter => "shorter",
            Kind::Longer => "longer",
            Kind::Slower => "slower",
        }
    }
}

/// Compares an answer with the original's. Latency is a field as any other.
///
/// # Errors
///
/// [`Uncompared::Encoding`]: a body's encoding is unknown, broken, or inflates too much; or a body that was only hashed is encoded otherwise than the
/// other one. [`Uncompared::Memory`]: a body within `max_body` was only hashed, and its hash differs.
pub fn compare(original: &Answer, other: &Answer, rules: &CompareRules) -> Result<Comparison, Uncompared> {
    let mut differences = Vec::new();
    let ignored = |path: &FieldPath| rules.ignore.contains(path);
    let redacted = |path: &FieldPath| rules.redact.contains(path);
    if original.status != other.status && !ignored(&FieldPath::Status) {
        let shown =
            |answer: &Answer| (!redacted(&FieldPath::Status)).then(|| answer.status.as_str().to_owned());
        differences.push(Difference::of("status", Kind::Changed, shown(original), shown(other)));
    }
    for name in &rules.headers {
        let path = FieldPath::Header(name.clone());
        if !ignored(&path) {
            differences.extend(header(name, &original.headers, &other.headers, !redacted(&path)));
        }
    }
    if !ignored(&FieldPath::Body) {
        differences.extend(body::compare(original, other, rules)?);
    }
    if other.waited > original.waited.saturating_add(rules.slower_by) && !ignored(&FieldPath::Latency) {
        let shown = |waited| (!redacted(&FieldPath::Latency)).then(|| milliseconds(waited));
        let (original, other) = (shown(original.waited), shown(other.waited));
        differences.push(Difference::of("latency", Kind::Slower, original, other));
    }
    Ok(Comparison { differences })
}

fn header(name: &HeaderName, original: &HeaderMap, other: &HeaderMap, shown: bool) -> Option<Difference> {
    let (original, other) = (joined(name, original), joined(name, other));
    let kind = match (&original, &other) {
        (None, None) => return None,
        (Some(_), None) => Kind::Missing,
        (None, Some(_)) => Kind::Added,
        (Some(one), Some(two)) if one == two => return None,
        (Some(one), Some(two)) if name == CONTENT_TYPE && media_type(one) == media_type(two) => return None,
        (Some(_), Some(_)) => Kind::Changed,
    };
    let short = |value: Option<String>| value.filter(|_| shown).map(|value| Excerpt::of(&value, VALUE));
    Some(Difference::of(&format!("header:{name}"), kind, short(original), short(other)))
}

/// All values of a header, as one.
fn joined(name: &HeaderName, headers: &HeaderMap) -> Option<String> {
    let values: Vec<_> =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// A media type as it is compared: case and blanks around `;` mean nothing.
fn media_type(value: &str) -> String {
    let parts: Vec<_> = value.split(';').map(|part| part.trim().to_ascii_lowercase()).collect();
    parts.join(";")
}

fn milliseconds(waited: Duration) -> String {
    format!("{:.1} ms", waited.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::compare::tests::{answer, path, paths, rules, told_of};

    #[test]
    fn status_headers_and_latency_are_fields() {
        let original = answer(&[("content-type", "text/html; charset=UTF-8"), ("location", "/a")], "");
        let mut other = answer(
            &[("content-type", "Text/HTML ;charset=utf-8"), ("cache-control", "no-store"), ("x-other", "1")],
            "",
        );
        other.status = StatusCode::NOT_FOUND;
        other.waited = original.waited + Duration::from_millis(101);
        let told =
            ["status changed", "header:location missing", "header:cache-control added", "latency slower"];
        assert_eq!(told_of(&original, &other, &rules()).unwrap(), told);
        other.waited = original.waited + Duration::from_millis(100);
        assert_eq!(told_of(&original, &other, &rules()).unwrap(), told[..3]);
        let back = ["status changed", "header:location added", "header:cache-control missing"];
        assert_eq!(told_of(&other, &original, &rules()).unwrap(), back);

        let ignoring = |path: &str| CompareRules { ignore: paths(&[path]), ..rules() };
        other.waited = Duration::MAX;
        for (ignored, index) in
            [("status", 0), ("header:location", 1), ("header:cache-control", 2), ("latency", 3)]
        {
            let left = told.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, told)| *told);
            assert!(
                told_of(&original, &other, &ignoring(ignored)).unwrap().into_iter().eq(left),
                "{ignored}"
            );
        }
    }

    #[test]
    fn values_of_a_repeated_header_are_one() {
        let rules = CompareRules { headers: vec![HeaderName::from_static("vary")], ..rules() };
        let vary = |values: &[&str]| {
            let lines: Vec<_> = values.iter().map(|value| ("vary", *value)).collect();
            answer(&lines, "")
        };
        assert!(told_of(&vary(&["a", "b"]), &vary(&["a, b"]), &rules).unwrap().is_empty());
        let found = compare(&vary(&["a", "b"]), &vary(&["b", "a"]), &rules).unwrap().differences;
        assert_eq!(found[0].original.as_deref(), Some("a, b"));
        let rules = CompareRules { redact: vec![path("header:vary")], ..rules };
        let found = compare(&vary(&["a", "b"]), &vary(&["b", "a"]), &rules).unwrap().differences;
        assert_eq!((&*found[0].path, &found[0].original, &found[0].other), ("header:vary", &None, &None));
    }

    #[test]
    fn an_ignored_body_is_not_even_decoded() {
        let rules = CompareRules { ignore: paths(&["body", "header:content-encoding"]), ..rules() };
        let broken = answer(&[("content-encoding", "gzip")], "no gzip");
        assert!(told_of(&broken, &answer(&[], "x"), &rules).unwrap().is_empty());
    }
}
