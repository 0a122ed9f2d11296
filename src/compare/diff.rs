//! Two answers to one request: every field in which they differ.

use super::{Answer, Uncompared};
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
    /// The field, with `*` for an array's indexes: `status`, `header:location`, `body`, `/items/*/price`.
    pub path: String,
    /// Where it was first seen, as an RFC 6901 pointer with its indexes; else as the path.
    pub at: String,
    /// How.
    pub kind: Kind,
    /// What the original has there, in short; none: nothing, or it is not to be recorded.
    pub original: Option<String>,
    /// What the other has there.
    pub other: Option<String>,
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
pub fn compare(_original: &Answer, _other: &Answer, _rules: &CompareRules) -> Result<Comparison, Uncompared> {
    todo!()
}
