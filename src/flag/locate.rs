//! Where the keys of a document stand: from paths such as `flags.checkout.targeting.if[0]` to lines.
//!
//! Values carry no places, so that documents without a problem stay cheap: the text is walked once more, only into what
//! is wanted. A path that stands nowhere, as inside a `$ref` that was put in, has the place of the nearest one above it.

use std::collections::HashMap;
use std::sync::Arc;

use super::fault::{push_index, push_key};
use crate::config::Place;
use crate::config::tree::{Content, Node};

/// Longest line that is shown, in bytes; a longer one is likely no line that anybody wrote.
const LONGEST_LINE: usize = 400;

/// The lines of a text, to show where something stands.
#[derive(Debug)]
pub struct Lines<'t> {
    file: Arc<str>,
    text: &'t str,
    /// A line and where it starts: the next one is found from there.
    last: (u32, usize),
}

impl<'t> Lines<'t> {
    /// The lines of a file's text.
    pub fn new(file: &Arc<str>, text: &'t str) -> Lines<'t> {
        Lines { file: file.clone(), text, last: (1, 0) }
    }

    /// A place by line and column.
    pub fn place(&mut self, line: u32, column: u32, width: u32) -> Place {
        let text = self.line(line);
        let text = if text.len() > LONGEST_LINE { "" } else { text };
        Place { file: self.file.clone(), line, column, text: text.into(), width: width.max(1) }
    }

    /// A place whose column counts bytes, from 1.
    pub fn place_by_byte(&mut self, line: u32, column: u32) -> Place {
        let before = self.line(line).get(..column.saturating_sub(1) as usize);
        self.place(line, before.map_or(column.max(1), |before| before.chars().count() as u32 + 1), 1)
    }

    /// The text of a line, at most a little more than is shown.
    fn line(&mut self, line: u32) -> &'t str {
        if line < self.last.0 {
            self.last = (1, 0);
        }
        while self.last.0 < line {
            let Some(end) = self.text[self.last.1..].find('\n') else { return "" };
            self.last = (self.last.0 + 1, self.last.1 + end + 1);
        }
        let rest = &self.text.as_bytes()[self.last.1..];
        let rest = &rest[..rest.len().min(LONGEST_LINE + 1)];
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        // Where the cut falls inside a character, the line is too long to be shown anyway.
        self.text.get(self.last.1..self.last.1 + end).map_or("", |line| line.trim_end_matches('\r'))
    }
}

/// The places of some paths of one document.
#[derive(Debug)]
pub struct Places<'t> {
    lines: Lines<'t>,
    /// Every wanted path and all above it.
    wanted: HashMap<String, Option<Place>>,
}

impl<'t> Places<'t> {
    /// Finds the places of all these paths in one walk: of JSON's text, or of YAML's tree.
    pub fn find(
        file: &Arc<str>,
        text: &'t str,
        tree: Option<&Node>,
        paths: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Places<'t> {
        let mut wanted = HashMap::new();
        for path in paths {
            for above in ancestors(path.as_ref()) {
                if wanted.insert(above.to_owned(), None::<Place>).is_some() {
                    break;
                }
            }
        }
        let mut places = Places { lines: Lines::new(file, text), wanted };
        match tree {
            None => Walk::new(text).value(&mut String::new(), None, &mut places),
            Some(root) => places.walk_tree(root, &mut String::new()),
        }
        places
    }

    /// The place of a path, or of the nearest one above it.
    pub fn of(&self, path: &str) -> Option<Place> {
        ancestors(path).find_map(|above| self.wanted.get(above)?.clone())
    }

    fn wants(&self, path: &str) -> bool {
        path.is_empty() || self.wanted.contains_key(path)
    }

    fn see(&mut self, path: &str, (line, column, width): (u32, u32, u32)) {
        if self.wanted.contains_key(path) {
            let place = self.lines.place(line, column, width);
            self.wanted.insert(path.to_owned(), Some(place));
        }
    }

    /// Recurses as deep as the tree may be.
    fn walk_tree(&mut self, node: &Node, path: &mut String) {
        if !self.wants(path) {
            return;
        }
        let end = path.len();
        match &node.content {
            Content::Scalar(_) => {}
            Content::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    push_index(path, index);
                    self.stands(path, &item.place);
                    self.walk_tree(item, path);
                    path.truncate(end);
                }
            }
            Content::Map(entries) => {
                for entry in entries {
                    push_key(path, entry.key.text());
                    self.stands(path, &entry.key.place);
                    self.walk_tree(&entry.value, path);
                    path.truncate(end);
                }
            }
        }
    }

    fn stands(&mut self, path: &str, place: &Place) {
        if let Some(found) = self.wanted.get_mut(path) {
            *found = Some(place.clone());
        }
    }
}

/// The path itself, then what it lies in, up to its first key.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rfind(['.', '[']).map(|end| &path[..end]))
}

/// Walks JSON that is known to be valid; anything else only ends the walk.
struct Walk<'t> {
    text: &'t str,
    at: usize,
    /// How far lines and columns have been counted.
    counted: usize,
    line: u32,
    column: u32,
}

impl<'t> Walk<'t> {
    fn new(text: &'t str) -> Walk<'t> {
        Walk { text, at: 0, counted: 0, line: 1, column: 1 }
    }

    /// Recurses into wanted values alone, which are as deep as a path, no deeper. `key` is where the value's key stands.
    fn value(&mut self, path: &mut String, key: Option<(u32, u32, u32)>, places: &mut Places) {
        self.blanks();
        let opening = self.peek();
        if !places.wants(path) {
            return self.skip();
        }
        if !path.is_empty() {
            let mark = key.unwrap_or_else(|| self.mark_item());
            places.see(path, mark);
        }
        if !matches!(opening, Some(b'{' | b'[')) {
            return self.skip();
        }
        self.at += 1;
        let end = path.len();
        for index in 0.. {
            self.blanks();
            match self.peek() {
                None => return,
                Some(b'}' | b']') => {
                    self.at += 1;
                    return;
                }
                _ => {}
            }
            let mut key = None;
            if opening == Some(b'{') {
                let mark = self.mark_item();
                let start = self.at;
                self.skip();
                let token = self.text.get(start..self.at).unwrap_or_default();
                let Ok(name) = serde_json::from_str::<String>(token) else { return };
                key = Some(mark);
                push_key(path, &name);
            } else {
                push_index(path, index);
            }
            self.value(path, key, places);
            path.truncate(end);
        }
    }

    /// Passes over a value, however deep.
    fn skip(&mut self) {
        let mut depth = 0_usize;
        self.blanks();
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                b'"' => self.string(),
                _ => {
                    let rest = &self.text.as_bytes()[self.at..];
                    let end =
                        rest.iter().position(|byte| b",:]}[{\"\n\r\t ".contains(byte)).unwrap_or(rest.len());
                    self.at += end;
                }
            }
            if depth == 0 {
                return;
            }
            self.blanks();
        }
    }

    /// The rest of a string whose quote was taken.
    fn string(&mut self) {
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => return,
                b'\\' => self.at += 1,
                _ => {}
            }
        }
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b':') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The place of the scalar that starts here, or of a bracket.
    fn mark_item(&mut self) -> (u32, u32, u32) {
        let (start, mut width) = (self.at, 1);
        if !matches!(self.peek(), Some(b'{' | b'[')) {
            self.skip();
            width = self.text.get(start..self.at).map_or(1, |token| token.chars().count() as u32);
            self.at = start;
        }
        self.mark(width)
    }

    /// Line, column and width here; counted on from the last place, so that a whole walk counts the text once.
    fn mark(&mut self, width: u32) -> (u32, u32, u32) {
        let passed = &self.text.as_bytes()[self.counted.min(self.at)..self.at.min(self.text.len())];
        for byte in passed {
            match byte {
                b'\n' => (self.line, self.column) = (self.line + 1, 1),
                // Continuation bytes are no characters.
                0x80..=0xbf => {}
                _ => self.column += 1,
            }
        }
        self.counted = self.at;
        (self.line, self.column, width)
    }
}
