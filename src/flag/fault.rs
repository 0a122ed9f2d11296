//! What is wrong with one flag, before its place in the text is known.
//!
//! A fault knows the path of the key from the document's root; places are looked up only when there is a fault to tell.

use std::fmt::Write;

use crate::config::Severity;
use crate::config::suggest;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub severity: Severity,
    /// `flags.checkout.targeting.if[0]`
    pub path: String,
    pub found: String,
    pub expected: Option<String>,
    pub fix: Option<String>,
}

impl Fault {
    /// Something that stops the flag.
    pub fn error(path: impl Into<String>, found: impl Into<String>) -> Fault {
        Fault { severity: Severity::Error, path: path.into(), found: found.into(), expected: None, fix: None }
    }

    /// Something that only deserves to be said.
    pub fn warning(path: impl Into<String>, found: impl Into<String>) -> Fault {
        Fault { severity: Severity::Warning, ..Fault::error(path, found) }
    }

    pub fn expected(mut self, expected: impl Into<String>) -> Fault {
        self.expected = Some(expected.into());
        self
    }

    pub fn fix(mut self, fix: impl Into<String>) -> Fault {
        self.fix = Some(fix.into());
        self
    }

    /// With a fix only where one is known.
    pub fn maybe_fix(mut self, fix: Option<String>) -> Fault {
        self.fix = fix;
        self
    }
}

/// Adds a member to a path. Control characters are escaped: a path is printed.
pub fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    let shown = key.len().min(300);
    let shown = (0..=shown).rev().find(|end| key.is_char_boundary(*end)).unwrap_or(0);
    for char in key[..shown].chars() {
        if char.is_control() {
            path.extend(char.escape_debug());
        } else {
            path.push(char);
        }
    }
}

/// Adds an item to a path.
pub fn push_index(path: &mut String, index: usize) {
    // Writing to a String cannot fail.
    let _ = write!(path, "[{index}]");
}

/// One step down a path that is only written when there is a fault.
#[derive(Debug, Clone, Copy)]
pub enum Step<'d> {
    Key(&'d str),
    Index(usize),
}

/// A path with these steps after it.
pub fn join(path: &str, steps: &[Step]) -> String {
    let mut path = path.to_owned();
    for step in steps {
        match step {
            Step::Key(key) => push_key(&mut path, key),
            Step::Index(index) => push_index(&mut path, *index),
        }
    }
    path
}

/// A text in quotes, with control characters escaped and a long tail cut.
pub fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(SHOWN).collect();
    format!("{head:?}{}", if chars.next().is_some() { "…" } else { "" })
}

/// `did you mean "ENABLED"?`, when a known name is near enough.
pub fn did_you_mean<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    suggest(found, known).map(|name| format!("did you mean {}?", quoted(name)))
}
