//! From the parser's events to a tree, without recursion and within the limits.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::lines::Lines;
use super::{Content, Entry, Limits, Node, Scalar, Tree, syntax};
use crate::config::problem::{index_key, map_key};
use crate::config::{Place, Problem, ProblemKind};

/// Builds the tree of a text.
pub(super) fn build(
    file: &str,
    text: &str,
    kind: ProblemKind,
    limits: &Limits,
) -> Result<Tree, Box<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder {
        lines: Lines::new(file, text),
        kind,
        limits,
        stack: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        bytes: 0,
        root: None,
        duplicates: Vec::new(),
    };
    if text.len() > limits.bytes {
        let place = builder.lines.place(1, 1, 1);
        return Err(builder.over("bytes", limits.bytes, place, "the document is longer"));
    }
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => builder.event(event, span)?,
            Err(error) => {
                let place = builder.lines.place(error.marker().line(), error.marker().col() + 1, 1);
                return Err(syntax::problem(error.info(), place, kind).into());
            }
        }
    }
    let root = match builder.root.take() {
        Some(root) => root,
        None => Node { place: builder.lines.place(1, 1, 1), content: scalar("", true) },
    };
    Ok(Tree { root, duplicates: builder.duplicates })
}

struct Builder<'a> {
    lines: Lines<'a>,
    kind: ProblemKind,
    limits: &'a Limits,
    stack: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    bytes: usize,
    root: Option<Node>,
    duplicates: Vec<Problem>,
}

/// A list or map whose end has not come yet.
struct Open {
    node: Node,
    /// A key that waits for its value; the flag is whether the pair is dropped as a repetition.
    key: Option<(Node, bool)>,
    /// Lines of the keys seen, by their JSON text.
    seen: HashMap<String, u32>,
    anchor: usize,
    /// Levels below.
    height: usize,
    /// Nodes and bytes counted before it.
    before: (usize, usize),
}

/// What an alias stands for, and what it costs.
struct Anchored {
    node: Node,
    height: usize,
    nodes: usize,
    bytes: usize,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Box<Problem>> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let place = self.place(span);
                let text_tag = self.tag(tag.as_deref(), &place)?;
                let plain = style == ScalarStyle::Plain && !text_tag;
                self.count(1, text.len(), &place)?;
                let node = Node { place, content: scalar(&text, plain) };
                self.anchor(anchor, &node, 0, 1, text.len());
                self.add(node, 0);
                Ok(())
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(Content::List(Vec::new()), anchor, tag.as_deref(), span)
            }
            Event::MappingStart(anchor, tag) => {
                self.open(Content::Map(Vec::new()), anchor, tag.as_deref(), span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close(span);
                Ok(())
            }
            Event::Alias(id) => self.alias(id, span),
            Event::DocumentStart(_) if self.root.is_some() => {
                let place = self.place(span);
                let problem = self.refused(place, "a second document starts here", "one document");
                Err(problem.with_fix("remove `---` and what follows it").into())
            }
            Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::StreamStart
            | Event::StreamEnd
            | Event::Nothing => Ok(()),
        }
    }

    fn open(
        &mut self,
        content: Content,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Box<Problem>> {
        let place = self.place(span);
        self.tag(tag, &place)?;
        let before = (self.nodes, self.bytes);
        self.count(1, 0, &place)?;
        if self.stack.len() >= self.limits.depth {
            return Err(self.over("depth", self.limits.depth, place, "lists and maps are nested deeper"));
        }
        self.fits(true, &place)?;
        let node = Node { place, content };
        self.stack.push(Open { node, key: None, seen: HashMap::new(), anchor, height: 0, before });
        Ok(())
    }

    fn close(&mut self, span: Span) {
        // The parser sends as many ends as starts.
        let Some(mut open) = self.stack.pop() else { return };
        let end = (span.end.line() as u32, span.end.col() as u32 + 1);
        // A flow collection on one line is underlined whole.
        if span.len() == 1 && end.0 == open.node.place.line {
            open.node.place.width = end.1.saturating_sub(open.node.place.column).max(1);
        }
        let (nodes, bytes) = (self.nodes - open.before.0, self.bytes - open.before.1);
        self.anchor(open.anchor, &open.node, open.height + 1, nodes, bytes);
        self.add(open.node, open.height + 1);
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Box<Problem>> {
        let place = self.place(span);
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(self.refused(
                place,
                "an alias inside of what it stands for",
                "an alias of something complete",
            ));
        };
        let (node, height) = (anchored.node.clone(), anchored.height);
        let (nodes, bytes) = (anchored.nodes, anchored.bytes);
        if self.stack.len() + height > self.limits.depth {
            return Err(self.over(
                "depth",
                self.limits.depth,
                place,
                "with its aliases, it is nested deeper",
            ));
        }
        self.fits(height > 0, &place)?;
        self.count(nodes, bytes, &place)?;
        self.add(node, height);
        Ok(())
    }

    /// Refuses a collection where a key must come.
    fn fits(&self, collection: bool, place: &Place) -> Result<(), Box<Problem>> {
        if collection && self.stack.last().is_some_and(|top| top.waits_for_key()) {
            let expected = "a key that is text, a number or a boolean";
            return Err(self.refused(place.clone(), "a list or map as a key", expected));
        }
        Ok(())
    }

    /// Puts a complete node where it belongs.
    fn add(&mut self, node: Node, height: usize) {
        let Some(top) = self.stack.last_mut() else {
            self.root = Some(node);
            return;
        };
        top.height = top.height.max(height);
        match (&mut top.node.content, top.key.take()) {
            (Content::List(items), _) => items.push(node),
            (Content::Map(entries), Some((key, repeated))) => {
                if !repeated {
                    entries.push(Entry { key, value: node });
                }
            }
            (Content::Map(_), None) => {
                let text = node.scalar().map_or_else(String::new, |scalar| scalar.value().to_string());
                let first = top.seen.get(&text).copied();
                if first.is_none() {
                    top.seen.insert(text, node.place.line);
                }
                if top.seen.len() == 1
                    && (top.node.place.line, top.node.place.column) == (node.place.line, node.place.column)
                {
                    top.node.place.width = node.place.width;
                }
                top.key = Some((node, first.is_some()));
                if let Some(line) = first {
                    self.repeated(line);
                }
            }
            (Content::Scalar(_), _) => {}
        }
    }

    /// Reports that the key just read stands twice.
    fn repeated(&mut self, first: u32) {
        let Some((key, _)) = self.stack.last().and_then(|top| top.key.as_ref()) else { return };
        self.duplicates.push(
            Problem::error(self.kind, self.path(), format!("the key `{}` stands twice", key.text()))
                .at(key.place.clone())
                .with_expected("each key once")
                .with_fix(format!("remove one of them; the first is in line {first}")),
        );
    }

    fn anchor(&mut self, id: usize, node: &Node, height: usize, nodes: usize, bytes: usize) {
        if id != 0 {
            self.anchors.insert(id, Anchored { node: node.clone(), height, nodes, bytes });
        }
    }

    fn count(&mut self, nodes: usize, bytes: usize, place: &Place) -> Result<(), Box<Problem>> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.nodes > self.limits.nodes {
            return Err(self.over(
                "nodes",
                self.limits.nodes,
                place.clone(),
                "with its aliases, the document has more",
            ));
        }
        if self.bytes > self.limits.bytes {
            return Err(self.over(
                "bytes",
                self.limits.bytes,
                place.clone(),
                "with its aliases, the document is longer",
            ));
        }
        Ok(())
    }

    /// Whether the tag says that it is text; every other tag is refused.
    fn tag(&self, tag: Option<&Tag>, place: &Place) -> Result<bool, Box<Problem>> {
        match tag {
            None => Ok(false),
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Ok(true),
            Some(tag) => {
                let problem = self.refused(place.clone(), &format!("the tag `{tag}`"), "no tags");
                Err(problem.with_fix("remove it; quote the value to make it text").into())
            }
        }
    }

    fn place(&mut self, span: Span) -> Place {
        self.lines.place_of(span)
    }

    /// The path of the key that is being read.
    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.stack {
            match (&open.node.content, &open.key) {
                (Content::List(items), _) => path = index_key(&path, items.len()),
                (_, Some((key, _))) => path = map_key(&path, key.text()),
                _ => {}
            }
        }
        path
    }

    fn over(&self, limit: &str, bound: usize, place: Place, what: &str) -> Box<Problem> {
        let unit = if limit == "depth" { "levels" } else { limit };
        self.refused(
            place,
            &format!("{what} than {bound} {unit}"),
            &format!("at most {bound} {unit} (limit `{limit}`)"),
        )
    }

    fn refused(&self, place: Place, found: &str, expected: &str) -> Box<Problem> {
        Problem::error(self.kind, self.path(), found).at(place).with_expected(expected).into()
    }
}

impl Open {
    fn waits_for_key(&self) -> bool {
        matches!(self.node.content, Content::Map(_)) && self.key.is_none()
    }
}

fn scalar(text: &str, plain: bool) -> Content {
    Content::Scalar(Scalar { text: Arc::from(text), plain, written: None })
}
