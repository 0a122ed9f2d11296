//! What is wrong in something an operator wrote, told so that it can be mended at once.
//!
//! A problem names place, key, what was found, what was expected and the likely fix. Rendering is its `Display`; it
//! never carries a value that a client sent.

use std::sync::Arc;

/// Where a thing stands in a file; lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: Arc<str>,
    pub line: u32,
    pub column: u32,
    /// The whole line, for the excerpt; empty when the text is not at hand.
    pub text: Arc<str>,
    /// Characters to underline, at least 1.
    pub width: u32,
}

/// What sort of problem it is: the label of `flagway_problems{kind}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemKind {
    /// The configuration file is wrong.
    Config,
    /// A document of flags could not be taken at all.
    Document,
    /// One flag's definition is wrong.
    Definition,
    /// A flag that the configuration names does not exist.
    MissingFlag,
    /// A flag's value names no version of its service.
    MissingVersion,
    /// Two flags of a route fold to one header name.
    HeaderCollision,
    /// A flag does not fit into the injection budget.
    OverBudget,
    /// A value of a flag to inject cannot stand in a header field.
    Unsendable,
    /// A targeting reads an attribute that nothing provides.
    UnknownAttribute,
    /// A source cannot be read.
    Source,
}

impl ProblemKind {
    /// Every kind, so that a metric can show zeros.
    pub const ALL: [ProblemKind; 10] = [
        ProblemKind::Config,
        ProblemKind::Document,
        ProblemKind::Definition,
        ProblemKind::MissingFlag,
        ProblemKind::MissingVersion,
        ProblemKind::HeaderCollision,
        ProblemKind::OverBudget,
        ProblemKind::Unsendable,
        ProblemKind::UnknownAttribute,
        ProblemKind::Source,
    ];

    /// The label's text.
    pub fn label(self) -> &'static str {
        match self {
            ProblemKind::Config => "config",
            ProblemKind::Document => "document",
            ProblemKind::Definition => "definition",
            ProblemKind::MissingFlag => "missing_flag",
            ProblemKind::MissingVersion => "missing_version",
            ProblemKind::HeaderCollision => "header_collision",
            ProblemKind::OverBudget => "over_budget",
            ProblemKind::Unsendable => "unsendable",
            ProblemKind::UnknownAttribute => "unknown_attribute",
            ProblemKind::Source => "source",
        }
    }
}

/// Whether it stops the thing it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub kind: ProblemKind,
    pub severity: Severity,
    pub place: Option<Place>,
    /// The path of the key, such as `routes[0].version.flag` or `flags.checkout-version.targeting`.
    pub key: String,
    /// One sentence: what was found.
    pub found: String,
    /// What was expected instead.
    pub expected: Option<String>,
    /// The likely fix.
    pub fix: Option<String>,
}

/// The known word nearest to `found`, if it is near enough to be what was meant.
pub fn suggest<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::damerau_levenshtein(found, known), known))
        .filter(|(distance, known)| *distance <= 1 + known.len().min(found.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}
