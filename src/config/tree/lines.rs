//! The lines of a text, for places.

use std::sync::Arc;

use saphyr_parser::Span;

use crate::config::Place;

/// A text by lines, and the name of its file.
pub(super) struct Lines<'a> {
    file: Arc<str>,
    lines: Vec<&'a str>,
    /// The line of the last place: neighbours share it.
    last: Option<(usize, Arc<str>)>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(file: &str, text: &'a str) -> Self {
        Self { file: Arc::from(file), lines: split(text), last: None }
    }

    pub(super) fn place_of(&mut self, span: Span) -> Place {
        let width = if span.start.line() == span.end.line() { span.len() } else { usize::MAX };
        self.place(span.start.line(), span.start.col() + 1, width)
    }

    /// Line and column from 1; a width beyond the line's end is cut there.
    pub(super) fn place(&mut self, line: usize, column: usize, width: usize) -> Place {
        let text = match &self.last {
            Some((number, text)) if *number == line => text.clone(),
            _ => {
                let text: Arc<str> = Arc::from(*self.lines.get(line.saturating_sub(1)).unwrap_or(&""));
                self.last = Some((line, text.clone()));
                text
            }
        };
        let width = if width == usize::MAX {
            text.trim_end().chars().count().saturating_sub(column - 1)
        } else {
            width
        };
        Place {
            file: self.file.clone(),
            line: line as u32,
            column: column as u32,
            text,
            width: width.max(1) as u32,
        }
    }
}

/// Lines as YAML counts them: ended by LF, CR LF or CR.
fn split(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(['\n', '\r']) {
        lines.push(&rest[..end]);
        let ending = if rest[end..].starts_with("\r\n") { 2 } else { 1 };
        rest = &rest[end + ending..];
    }
    lines.push(rest);
    lines
}
