//! Operations on the text of a JSON document: only the bytes of what changes are touched.
//!
//! The text is known to be valid JSON that has every path it is asked for; otherwise nothing would change, never more.

use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::{Map, Value as Json};

use super::changes::{Op, Path, Step};
use super::print::Style;

const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// A member of an object or an item of a list.
struct Child {
    /// Where its key begins, or itself.
    start: usize,
    key: Option<String>,
    value: Range<usize>,
}

/// The text with all operations done; no two of them touch the same value.
pub fn edit(text: &str, ops: &[Op]) -> String {
    let style = style(text, ops);
    let mut edits = Vec::new();
    for op in ops {
        match op {
            Op::Replace { path, value } => {
                edits.extend(find(text, path).map(|span| replace(text, &style, span, value)));
            }
            Op::Members { path, gone, new } => {
                if let Some(span) = find(text, path) {
                    members(text, &style, span, gone, new, &mut edits);
                }
            }
        }
    }
    edits.sort_by_key(|(span, _): &(Range<usize>, String)| (span.start, span.end));
    let (mut edited, mut at) = (String::with_capacity(text.len()), 0);
    for (span, new) in edits {
        edited.push_str(text.get(at..span.start).unwrap_or_default());
        edited.push_str(&new);
        at = span.end;
    }
    edited.push_str(text.get(at..).unwrap_or_default());
    edited
}

fn replace(text: &str, style: &Style, span: Range<usize>, value: &Json) -> (Range<usize>, String) {
    let (indent, column) = line(text, span.start);
    let old = &text[span.clone()];
    let width = if old.contains('\n') { 0 } else { column + old.chars().count() };
    (span, style.print(value, indent, column, width))
}

/// Takes members out with the comma of each, and puts new ones behind the last that stays, laid out as that is.
fn members(
    text: &str,
    style: &Style,
    span: Range<usize>,
    gone: &[String],
    new: &[(Option<String>, Json)],
    edits: &mut Vec<(Range<usize>, String)>,
) {
    let children = children(text, &span);
    let goes = |child: &Child| child.key.as_ref().is_some_and(|key| gone.contains(key));
    let Some(last) = children.iter().rfind(|child| !goes(child)) else {
        let named = new.iter().map(|(key, value)| Some((key.clone()?, value.clone())));
        let value = match named.collect::<Option<Map<_, _>>>() {
            Some(members) => Json::Object(members),
            None => Json::Array(new.iter().map(|(_, value)| value.clone()).collect()),
        };
        return edits.push(replace(text, style, span, &value));
    };
    let mut stays: Option<&Child> = None;
    for (at, child) in children.iter().enumerate() {
        if !goes(child) {
            stays = Some(child);
            continue;
        }
        let cut = match (stays, children.get(at + 1)) {
            (Some(_), _) => children[at - 1].value.end..child.value.end,
            (None, Some(next)) => child.start..next.start,
            // The last one goes and none stays: that was seen to.
            (None, None) => continue,
        };
        edits.push((cut, String::new()));
    }
    let lead = lead(text, last.start);
    let broken = lead.contains('\n');
    let indent = line(text, last.start).0;
    // What stands on one line stays on one.
    let width = if broken { 0 } else { usize::MAX };
    for (key, value) in new {
        let name = key.as_ref().map(|key| style.name(key)).unwrap_or_default();
        let comma = if broken { format!(",{lead}") } else { style.comma().to_owned() };
        let column = indent.chars().count() + name.chars().count();
        let value = style.print(value, indent, column, width);
        edits.push((last.value.end..last.value.end, format!("{comma}{name}{value}")));
    }
}

/// How the document is laid out; of the flag that is edited, or else the first one, whether all in it is broken.
fn style(text: &str, ops: &[Op]) -> Style {
    let first = root(text).and_then(|root| children(text, &root).into_iter().next());
    let lead = first.as_ref().map_or("", |first| lead(text, first.start));
    let lines = text.trim_end().contains('\n');
    let unit = match lead.rsplit_once('\n') {
        Some((_, unit)) => unit,
        None => "  ",
    };
    let flag = ops.first().map(|op| match op {
        Op::Replace { path, .. } | Op::Members { path, .. } => match &path.0[..] {
            [flags, flag, ..] => Path(vec![flags.clone(), flag.clone()]),
            _ => path.clone().then(Step::Index(0)),
        },
    });
    let flag = flag.and_then(|flag| find(text, &flag));
    Style {
        newline: if text.contains("\r\n") { "\r\n" } else { "\n" },
        unit: lines.then(|| unit.to_owned()),
        spaced: first.is_none_or(|first| text[..first.value.start].ends_with(BLANKS)),
        expanded: flag.is_some_and(|flag| expanded(text, &flag)),
    }
}

fn expanded(text: &str, span: &Range<usize>) -> bool {
    let children = children(text, span);
    let broken = children.first().is_none_or(|first| lead(text, first.start).contains('\n'));
    broken && children.iter().all(|child| expanded(text, &child.value))
}

/// The blanks before a place.
fn lead(text: &str, at: usize) -> &str {
    &text[text[..at].trim_end_matches(BLANKS).len()..at]
}

/// The indentation of the line of a place, and the place's column from 0.
fn line(text: &str, at: usize) -> (&str, usize) {
    let before = &text[line_start(text, at)..at];
    let indent = before.len() - before.trim_start_matches([' ', '\t']).len();
    (&before[..indent], before.chars().count())
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

/// The span of the value at a path. Of members with one name the last counts; members have an index, too.
fn find(text: &str, path: &Path) -> Option<Range<usize>> {
    path.0.iter().try_fold(root(text)?, |span, step| {
        let mut children = children(text, &span);
        let at = match step {
            Step::Key(key) => children.iter().rposition(|child| child.key.as_ref() == Some(key)),
            Step::Index(index) => Some(*index).filter(|index| *index < children.len()),
        };
        at.map(|at| children.swap_remove(at).value)
    })
}

fn root(text: &str) -> Option<Range<usize>> {
    let start = text.find(|char| !BLANKS.contains(&char) && char != '\u{feff}')?;
    Some(start..end(text, start)?)
}

/// What an object or a list has; of anything else, nothing.
fn children(text: &str, span: &Range<usize>) -> Vec<Child> {
    let object = text[span.clone()].starts_with('{');
    let mut children = Vec::new();
    if !object && !text[span.clone()].starts_with('[') {
        return children;
    }
    let skip = |at: usize, mark: char| {
        let rest = &text[at..span.end];
        at + rest.len() - rest.trim_start_matches(|char| BLANKS.contains(&char) || char == mark).len()
    };
    let mut at = skip(span.start + 1, ',');
    while at + 1 < span.end {
        let (start, mut key) = (at, None);
        if object {
            let Some(end) = end(text, at) else { break };
            key = serde_json::from_str(&text[at..end]).ok();
            at = skip(end, ':');
        }
        let Some(end) = end(text, at) else { break };
        children.push(Child { start, key, value: at..end });
        at = skip(end, ',');
    }
    children
}

/// Where the value that begins here ends.
fn end(text: &str, start: usize) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_str(text.get(start..)?).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some(start + values.byte_offset())
}
