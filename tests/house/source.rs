//! Reads Rust as far as the rules of the house need it: which paths a file names, on which line, and whether only tests do.
//!
//! A small scanner, not a parser: it knows comments, literals, attributes, inline modules and `use` trees. Macros are read as they
//! are written, and what is in scope is known by file, not by block: enough to see an arrow that nobody tried to hide.

use std::collections::BTreeMap;

/// A source file, scanned.
pub struct Source {
    tokens: Vec<Token>,
    /// For each token, whether it stands under `#[cfg(test)]`.
    tests: Vec<bool>,
    /// The file's own module: `["flag", "set"]` for `src/flag/set.rs`.
    module: Vec<String>,
}

/// A name or a mark of a source, without comments and without what literals hold.
#[derive(Debug, Clone)]
pub struct Token {
    pub text: String,
    /// From 1.
    pub line: usize,
}

/// A path that a file names, resolved: inside the crate it starts with `crate`, a glob ends with `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub path: String,
    pub line: usize,
    pub test: bool,
}

/// A path as written, with where its module and what `use` calls it.
struct Written {
    segments: Vec<String>,
    /// The name under which a `use` brings it in.
    alias: Option<String>,
    token: usize,
}

impl Source {
    pub fn scan(module: &[&str], text: &str) -> Source {
        let tokens = tokens(&blank(text));
        let tests = tests(&tokens);
        Source { tokens, tests, module: module.iter().map(|name| name.to_string()).collect() }
    }

    /// All tokens, tests included.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Every path the file names, in order, with `use`, `self` and `super` resolved.
    pub fn paths(&self) -> Vec<Named> {
        let written = self.written();
        let mut imports: BTreeMap<&str, Vec<&[String]>> = BTreeMap::new();
        for Written { segments, alias, .. } in &written {
            // `use tokio;` brings in what its name says anyway.
            if let Some(alias) = alias.as_deref().filter(|alias| segments[0] != *alias) {
                imports.entry(alias).or_default().push(segments);
            }
        }
        let mut named = Vec::new();
        for Written { segments, token, .. } in &written {
            for segments in expand(segments, &imports, 8) {
                let (path, line) = (segments.join("::"), self.tokens[*token].line);
                named.push(Named { path, line, test: self.tests[*token] });
            }
        }
        named.dedup();
        named
    }

    /// Every path as written, `self` and `super` resolved, names that `use` brought in not yet.
    fn written(&self) -> Vec<Written> {
        let mut found = Vec::new();
        let mut module = self.module.clone();
        // The depth of braces at which each inline module ends.
        let mut ends = Vec::new();
        let (mut depth, mut at) = (0, 0);
        while at < self.tokens.len() {
            match self.text(at) {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    if ends.last() == Some(&depth) {
                        ends.pop();
                        module.pop();
                    }
                }
                "mod" if self.text(at + 2) == "{" => {
                    ends.push(depth);
                    module.push(self.text(at + 1).to_string());
                }
                // `use<'a>` is not an import.
                "use" if self.text(at + 1) != "<" => {
                    let from = found.len();
                    at = self.tree(at + 1, &[], &mut found);
                    found[from..].iter_mut().for_each(|path| absolute(&mut path.segments, &module));
                    continue;
                }
                _ if self.starts_path(at) => {
                    let token = at;
                    let mut segments = vec![self.text(at).to_string()];
                    while self.text(at + 1) == "::" && is_name(self.text(at + 2)) {
                        segments.push(self.text(at + 2).to_string());
                        at += 2;
                    }
                    absolute(&mut segments, &module);
                    found.push(Written { segments, alias: None, token });
                }
                _ => {}
            }
            at += 1;
        }
        found
    }

    /// A name with `::` behind it that is not itself behind another segment.
    fn starts_path(&self, at: usize) -> bool {
        let before = |back: usize| at.checked_sub(back).map_or("", |at| self.text(at));
        let continues = before(1) == "::" && (is_name(before(2)) || before(2) == ">");
        is_name(self.text(at)) && self.text(at + 1) == "::" && !continues
    }

    /// One tree of a `use`, from its first token; the index behind it.
    fn tree(&self, mut at: usize, prefix: &[String], found: &mut Vec<Written>) -> usize {
        let mut segments = prefix.to_vec();
        let mut alias = None;
        loop {
            match self.text(at) {
                "::" => {}
                "{" => {
                    at += 1;
                    while !matches!(self.text(at), "}" | "") {
                        at = self.tree(at, &segments, found);
                        at += usize::from(self.text(at) == ",");
                    }
                    return at + 1;
                }
                "as" => {
                    alias = Some(self.text(at + 1).to_string());
                    at += 1;
                }
                // `use a::{self}` is `use a`.
                "self" if !segments.is_empty() => {}
                name if name == "*" || is_name(name) => segments.push(name.to_string()),
                _ => break,
            }
            at += 1;
        }
        let alias = alias.or_else(|| segments.last().filter(|name| *name != "*").cloned());
        if !segments.is_empty() {
            found.push(Written { segments, alias, token: at - 1 });
        }
        at
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }
}

/// Puts the module in for `self` and `super`.
fn absolute(segments: &mut Vec<String>, module: &[String]) {
    let ups = segments.iter().take_while(|name| *name == "super" || *name == "self").count();
    if ups == 0 {
        return;
    }
    let levels = segments[..ups].iter().filter(|name| *name == "super").count();
    let kept = &module[..module.len().saturating_sub(levels)];
    let start = std::iter::once("crate").chain(kept.iter().map(String::as_str)).map(str::to_string);
    segments.splice(..ups, start.collect::<Vec<_>>());
}

/// What a path means after `use` has been followed, `steps` times at most.
fn expand(path: &[String], imports: &BTreeMap<&str, Vec<&[String]>>, steps: usize) -> Vec<Vec<String>> {
    match imports.get(path[0].as_str()) {
        Some(imported) if steps > 0 => imported
            .iter()
            .flat_map(|start| expand(&[*start, &path[1..]].concat(), imports, steps - 1))
            .collect(),
        _ => vec![path.to_vec()],
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Cuts blanked text into names and marks; `::` is one mark.
fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let part = |c: char| c.is_alphanumeric() || c == '_';
            let length = match first {
                _ if part(first) => rest.find(|c| !part(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            found.push(Token { text: rest[..length].to_string(), line: index + 1 });
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// For each token, whether it belongs to an item under `#[cfg(test)]`, or to a file under `#![cfg(test)]`.
fn tests(tokens: &[Token]) -> Vec<bool> {
    let text = |at: usize| tokens.get(at).map_or("", |token: &Token| &token.text);
    let mut marks = vec![false; tokens.len()];
    for at in 0..tokens.len() {
        let inner = text(at) == "#" && text(at + 1) == "!";
        let open = at + 1 + usize::from(inner);
        if text(at) != "#" || text(open) != "[" || text(open + 1) != "cfg" {
            continue;
        }
        let close = (open..tokens.len()).find(|at| text(*at) == "]").unwrap_or(open);
        let says = |word: &str| (open..close).any(|at| text(at) == word);
        if says("test") && !says("not") && !says("any") {
            let end = if inner { tokens.len() } else { item_end(tokens, close + 1) };
            marks[at..end].fill(true);
        }
    }
    marks
}

/// The index behind the item that starts at `from`: behind its `;` or its closing brace.
fn item_end(tokens: &[Token], from: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        // The brackets of further attributes close at depth 0 too, and end nothing.
        if depth < 0 || (depth == 0 && matches!(token.text.as_str(), ";" | "}")) {
            return at + 1;
        }
    }
    tokens.len()
}

/// The text with comments and the contents of literals made blank; lines stay where they are.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_name = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = match skipped(rest, in_name) {
            0 => {
                out.push(first);
                first.len_utf8()
            }
            length => {
                out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
                length
            }
        };
        rest = &rest[length..];
    }
    out
}

/// How many bytes of comment, literal or raw name's mark the text starts with; 0 when it starts with code.
fn skipped(text: &str, in_name: bool) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment(text);
    }
    let prefix = if in_name { 0 } else { text.find(|c| !matches!(c, 'b' | 'c' | 'r')).unwrap_or(0) };
    let literal = &text[prefix..];
    let raw = prefix > 0 && text[..prefix].ends_with('r');
    if literal.starts_with('"') && !raw {
        return prefix + quoted(literal, '"');
    }
    if raw && literal.starts_with(['"', '#']) {
        let hashes = literal.len() - literal.trim_start_matches('#').len();
        let Some(body) = literal[hashes..].strip_prefix('"') else {
            // `r#type`: only the mark goes, so that the name compares equal.
            return prefix + hashes;
        };
        let end = format!("\"{}", "#".repeat(hashes));
        return body.find(&end).map_or(text.len(), |at| text.len() - body.len() + at + end.len());
    }
    if literal.starts_with('\'') && (prefix == 0 || text.starts_with("b'")) {
        // `'a` without a closing quote is a lifetime.
        let mut chars = literal.chars().skip(1);
        let is_char = chars.next() == Some('\\') || chars.next() == Some('\'');
        return if is_char { prefix + quoted(literal, '\'') } else { 0 };
    }
    0
}

/// The length of a literal with escapes, quotes included.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The length of a block comment, those inside it included.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let (step, change) = match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] => (2, -1),
            _ => (1, 0),
        };
        at += step;
        depth += change;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        Source::scan(&["flag", "set"], text).paths().into_iter().map(|named| named.path).collect()
    }

    #[test]
    fn paths_are_found_wherever_rust_lets_them_stand() {
        for (text, expected) in [
            ("use crate::gateway::Live;", vec!["crate::gateway::Live"]),
            (
                "use crate::{cli, admin::{self, api::*}};",
                vec!["crate::cli", "crate::admin", "crate::admin::api::*"],
            ),
            ("fn f(x: &crate::gateway::Live) {}", vec!["crate::gateway::Live"]),
            ("use super::Slot;", vec!["crate::flag::Slot"]),
            ("use super::super::gateway;", vec!["crate::gateway"]),
            ("use self::steps::Step;", vec!["crate::flag::set::steps::Step"]),
            (
                "mod inner { use super::super::super::cli; } use super::Slot;",
                vec!["crate::cli", "crate::flag::Slot"],
            ),
            ("use ::tokio::fs; let x = ::std::fs::read(y);", vec!["tokio::fs", "std::fs::read"]),
            ("let x = Vec::<crate::cli::X>::new();", vec!["Vec", "crate::cli::X"]),
            ("impl Iterator<Item = u8> + use<'a>", vec![]),
            ("pub(crate) fn f() {} pub(in crate::flag) fn g() {}", vec!["crate::flag"]),
            ("macro_rules! m { () => { $crate::cli::run() } }", vec!["crate::cli::run"]),
            ("use crate::r#gateway;", vec!["crate::gateway"]),
        ] {
            assert_eq!(paths(text), expected, "{text}");
        }
    }

    #[test]
    fn names_that_use_brought_in_are_followed() {
        for (text, expected) in [
            ("use std::time::Instant; fn f() { Instant::now(); }", "std::time::Instant::now"),
            ("use std::time::Instant as Clock; fn f() { Clock::now(); }", "std::time::Instant::now"),
            ("use std as s; use s::time as t; fn f() { t::Instant::now(); }", "std::time::Instant::now"),
            ("use crate as house; fn f() { house::cli::run(); }", "crate::cli::run"),
            ("use super::super as house; fn f() { house::cli::run(); }", "crate::cli::run"),
        ] {
            assert!(paths(text).contains(&expected.to_string()), "{text}: {:?}", paths(text));
        }
    }

    #[test]
    fn comments_and_literals_hold_no_paths() {
        for text in [
            "// use crate::cli;",
            "/// [`crate::cli`]\nfn f() {}",
            "/* use crate::cli; /* nested */ use crate::admin; */",
            "let x = \"use crate::cli; \\\" crate::admin\";",
            "let x = r#\"crate::cli \" crate::admin\"#;",
            "let x = b\"crate::cli\"; let y = br##\"crate::cli \"# \"##; let z = c\"crate::cli\";",
            "let q = '\"'; let r = '\\''; let s = b'\"'; let t = \"crate::cli\";",
            "fn f<'a>(x: &'a str) -> &'a str { \"crate::cli\" }",
        ] {
            assert_eq!(paths(text), Vec::<String>::new(), "{text}");
        }
        // And the code behind each of them is seen again.
        for before in [
            "/* a /* b */ c */",
            "let a = '\"';",
            "let a = r\"\\\";",
            "fn f<'a>() {}",
            "let a = \"\\\\\";",
            "let a = br#\"\"\"#;",
        ] {
            assert!(
                paths(&format!("{before} use crate::cli;")).contains(&"crate::cli".to_string()),
                "{before}"
            );
        }
    }

    #[test]
    fn lines_and_tests_are_told_apart() {
        let text = "use std::fs;\n/* two\nlines */ use std::env;\n#[cfg(test)]\n#[rustfmt::skip]\nmod tests {\n  use std::net;\n}\nuse std::io;\n\
                    #[cfg(not(test))]\nuse std::path;\n#[cfg(test)]\nuse std::thread;\nuse std::process;\n";
        let seen: Vec<_> = Source::scan(&["flag"], text)
            .paths()
            .into_iter()
            .map(|named| (named.path, named.line, named.test))
            .collect();
        let expected = [
            ("std::fs", 1, false),
            ("std::env", 3, false),
            ("rustfmt::skip", 5, true),
            ("std::net", 7, true),
            ("std::io", 9, false),
            ("std::path", 11, false),
            ("std::thread", 13, true),
            ("std::process", 14, false),
        ];
        assert_eq!(seen, expected.map(|(path, line, test)| (path.to_string(), line, test)));
        assert!(Source::scan(&["flag"], "#![cfg(test)]\nuse std::fs;").paths()[0].test);
    }
}
