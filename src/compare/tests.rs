//! Tests of comparing two answers, by what an operator sees of it.

mod bodies;
mod bounds;
mod fields;
mod generator;
mod properties;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{Answer, Body, Comparison, Uncompared, compare};
use crate::config::field_path::FieldPath;
use crate::config::shadow::{CompareRules, Share};

/// The rules of a shadow that says nothing of comparing.
pub(super) fn rules() -> CompareRules {
    let names = ["content-type", "content-encoding", "location", "cache-control"];
    CompareRules {
        sample: Share(1.0),
        noise: Share(0.0),
        headers: names.into_iter().map(HeaderName::from_static).collect(),
        max_body: 256 << 10,
        ignore: Vec::new(),
        arrays: Vec::new(),
        tolerance: Vec::new(),
        slower_by: Duration::from_millis(100),
        redact: Vec::new(),
        examples: 3,
    }
}

pub(super) fn path(text: &str) -> FieldPath {
    FieldPath::parse(text).unwrap_or_else(|| panic!("{text:?} is no path"))
}

pub(super) fn paths(texts: &[&str]) -> Vec<FieldPath> {
    texts.iter().map(|text| path(text)).collect()
}

/// An answer as it comes: 200, in one piece.
pub(super) fn answer(headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Answer {
    let mut fields = HeaderMap::new();
    for (name, value) in headers {
        fields.append(*name, HeaderValue::from_str(value).expect("a header value"));
    }
    let (status, waited) = (StatusCode::OK, Duration::from_millis(10));
    Answer { status, headers: fields, body: Body::Whole(vec![body.into()]), waited }
}

fn json(body: impl Into<Bytes>) -> Answer {
    answer(&[("content-type", "application/json")], body)
}

/// Differences as `path kind`, in the order in which they are told.
fn told(comparison: &Comparison) -> Vec<String> {
    comparison.differences.iter().map(|found| format!("{} {}", found.path, found.kind.label())).collect()
}

/// How two answers differ under rules, as `path kind`.
pub(super) fn told_of(
    original: &Answer,
    other: &Answer,
    rules: &CompareRules,
) -> Result<Vec<String>, Uncompared> {
    compare(original, other, rules).map(|comparison| told(&comparison))
}

/// How two JSON bodies differ, comma by comma.
fn between(original: &str, other: &str, rules: &CompareRules) -> String {
    let (original, other) = (json(original.to_owned()), json(other.to_owned()));
    told_of(&original, &other, rules).expect("they can be compared").join(", ")
}
