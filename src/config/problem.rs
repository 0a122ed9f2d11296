//! What is wrong in something an operator wrote, told so that it can be mended at once.
//!
//! A problem names place, key, what was found, what was expected and the likely fix. Rendering is its `Display`; it
//! never carries a value that a client sent.

mod excerpt;

use std::fmt;
use std::sync::Arc;

/// Where a thing stands in a file; lines and columns count from 1, columns in characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file's name, as its reader knows it.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
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
    /// What an operator did by hand does not apply any more.
    Overlay,
    /// A certificate that clients are shown cannot be used, or not for long.
    Certificate,
}

impl ProblemKind {
    /// Every kind, so that a metric can show zeros.
    pub const ALL: [ProblemKind; 12] = [
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
        ProblemKind::Overlay,
        ProblemKind::Certificate,
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
            ProblemKind::Overlay => "overlay",
            ProblemKind::Certificate => "certificate",
        }
    }
}

/// Whether it stops the thing it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is refused, or does not work at all.
    Error,
    /// It works, but hardly as it was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What sort it is.
    pub kind: ProblemKind,
    /// Whether it stops what it is about.
    pub severity: Severity,
    /// Where it is; none when it has no place in a file.
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

impl Place {
    /// A place in a file whose text is not at hand: no excerpt is shown.
    pub fn line_of(file: &str, line: u32, column: u32) -> Place {
        Place { file: Arc::from(file), line, column, text: Arc::from(""), width: 1 }
    }
}

/// `flagway.yaml:12:5`: its text would drown what it is the place of.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}+{}", self.file, self.line, self.column, self.width)
    }
}

impl Problem {
    /// Something that stops what it is about.
    pub fn error(kind: ProblemKind, key: impl Into<String>, found: impl Into<String>) -> Problem {
        Problem {
            kind,
            severity: Severity::Error,
            place: None,
            key: key.into(),
            found: found.into(),
            expected: None,
            fix: None,
        }
    }

    /// Something that works, but hardly as it was meant.
    pub fn warning(kind: ProblemKind, key: impl Into<String>, found: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(kind, key, found) }
    }

    /// The same problem, at a place.
    pub fn at(self, place: Place) -> Problem {
        Problem { place: Some(place), ..self }
    }

    /// The same problem, with what was expected instead.
    pub fn with_expected(self, expected: impl Into<String>) -> Problem {
        Problem { expected: Some(expected.into()), ..self }
    }

    /// The same problem, with its likely fix.
    pub fn with_fix(self, fix: impl Into<String>) -> Problem {
        Problem { fix: Some(fix.into()), ..self }
    }

    /// Orders problems as a reader meets them: by file and place, those without one last.
    pub fn sort(problems: &mut [Problem]) {
        problems.sort_by(|a, b| {
            let by_place = (a.place.is_none(), &a.place).cmp(&(b.place.is_none(), &b.place));
            by_place.then_with(|| (a.severity, &a.key, &a.found).cmp(&(b.severity, &b.key, &b.found)))
        });
    }

    /// As a compiler would print it, without a last line break; `style` adds ANSI colours.
    pub fn render(&self, style: bool) -> String {
        excerpt::render(self, style)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// `routes[0]` and `match`: `routes[0].match`.
pub fn map_key(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

/// `routes` and 0: `routes[0]`.
pub fn index_key(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}
