//! A line of a batch: split into its members, of which each is read by whoever knows what it must be.
//!
//! The document stays text, so that its own reader sees all of it: repeated keys, nesting without end, what is no JSON.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Number, Value as Json};

use super::answer::Type;
use clap::ValueEnum;

/// What a line asks.
#[derive(Debug, PartialEq)]
pub struct Question<'t> {
    /// The parts of the document.
    pub document: DocumentText<'t>,
    /// The flag.
    pub key: Cow<'t, str>,
    /// What its value must be.
    pub as_type: Option<Type>,
    /// Empty where the line has none.
    pub context: Json,
    /// Unix seconds.
    pub now: Option<i64>,
}

/// A document of flags within a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentText<'t> {
    /// `flags` is the whole document.
    Whole(&'t str),
    /// The line is the document: its `flags`, `$evaluators` and `metadata`, as far as it has them.
    Members([Option<&'t str>; 3]),
}

/// Members of a line that are the document's, in the order of [`DocumentText::Members`].
const DOCUMENT: [&str; 3] = ["flags", "$evaluators", "metadata"];

impl<'t> Question<'t> {
    /// Reads a line. `Err` says what is wrong with it.
    pub fn read(line: &'t str) -> Result<Question<'t>, String> {
        let members = members(line).ok_or("the line is no JSON object")?;
        // As everywhere in JSON, the last of several members of one name counts.
        let find = |name: &str| members.iter().rev().find(|(key, _)| key == name).map(|(_, text)| *text);
        Ok(Question {
            document: DocumentText::of(DOCUMENT.map(find)),
            key: read::<Text>("flagKey", find("flagKey"))?.ok_or("the line has no `flagKey`")?.0,
            as_type: read::<Text>("type", find("type"))?.map(|name| as_type(&name.0)).transpose()?,
            context: read("context", find("context"))?.unwrap_or_else(|| Json::Object(Map::new())),
            now: read("now", find("now"))?.map(|now| seconds(&now)).transpose()?,
        })
    }
}

/// Borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

impl<'t> DocumentText<'t> {
    fn of(parts: [Option<&'t str>; 3]) -> DocumentText<'t> {
        match parts[0] {
            Some(flags) if is_document(flags) => DocumentText::Whole(flags),
            _ => DocumentText::Members(parts),
        }
    }

    /// The text to parse.
    pub fn text(&self) -> Cow<'t, str> {
        let members = match *self {
            DocumentText::Whole(text) => return Cow::Borrowed(text),
            DocumentText::Members(members) => members,
        };
        let members = DOCUMENT.iter().zip(members).filter_map(|(name, text)| Some((name, text?)));
        let members: Vec<String> = members.map(|(name, text)| format!("\"{name}\":{text}")).collect();
        Cow::Owned(format!("{{{}}}", members.join(",")))
    }
}

/// Whether what stands under `flags` is a whole document: it has `flags` of its own, and that is no flag of this name.
fn is_document(flags: &str) -> bool {
    let inner = members(flags).unwrap_or_default();
    let Some((_, inner)) = inner.iter().rev().find(|(key, _)| key == "flags") else { return false };
    let flag = members(inner).unwrap_or_default();
    !flag.iter().any(|(key, text)| key == "state" && text.starts_with('"'))
}

/// A member that may be absent or null.
fn read<'t, T: Deserialize<'t>>(name: &str, text: Option<&'t str>) -> Result<Option<T>, String> {
    let Some(text) = text else { return Ok(None) };
    serde_json::from_str(text).map_err(|error| format!("`{name}`: {error}"))
}

fn as_type(name: &str) -> Result<Type, String> {
    Type::from_str(name, false).map_err(|_| format!("`type`: there is no type {name:?}"))
}

/// Whole seconds, however they are written: `1.7e9` too.
fn seconds(number: &Number) -> Result<i64, String> {
    const WIDEST: f64 = i64::MAX as f64;
    let float = || number.as_f64().filter(|now| now.fract() == 0.0 && now.abs() < WIDEST);
    let whole = number.as_i64().or_else(|| float().map(|now| now as i64));
    whole.ok_or_else(|| format!("`now`: {number} is no whole number of seconds"))
}

/// The members of a JSON object, each with the text of its value. `None`: it is no object, as far as that can be seen without
/// reading the values. No recursion, whatever the nesting.
fn members(text: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    let mut rest = text.trim_ascii().strip_prefix('{')?.trim_ascii_start();
    let mut members = Vec::new();
    while !(members.is_empty() && rest.starts_with('}')) {
        let (key, after) = rest.split_at(value_end(rest)?);
        let Text(key) = serde_json::from_str(key).ok()?;
        let after = after.trim_ascii_start().strip_prefix(':')?.trim_ascii_start();
        let (value, after) = after.split_at(value_end(after)?);
        members.push((key, value.trim_ascii_end()));
        rest = after.trim_ascii_start();
        match rest.strip_prefix(',') {
            Some(next) => rest = next.trim_ascii_start(),
            None => break,
        }
    }
    (rest == "}").then_some(members)
}

/// Where the first value of a text ends: at a comma, a colon or a bracket that is not the value's own.
fn value_end(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' | b':' if depth == 0 => return Some(at).filter(|at| *at > 0),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_is_split_into_its_members() {
        let line = r#" { "flags" : {"a":{"x":"}\"]"}} , "flagKey":"a\u0062" ,"type": "int","context":{"k":[1,{}]}, "now" :1.7e9,"other":[],"flagKey":"b","metadata":null}
        "#;
        let question = Question::read(line).unwrap();
        assert_eq!(question.document.text(), r#"{"flags":{"a":{"x":"}\"]"}},"metadata":null}"#);
        assert_eq!((&*question.key, question.as_type), ("b", Some(Type::Integer)));
        assert_eq!((question.context, question.now), (json!({"k": [1, {}]}), Some(1_700_000_000)));
        let least = Question::read(r#"{"flagKey":"a","type":null,"now":null,"context":null}"#).unwrap();
        assert_eq!((least.as_type, least.now, least.context), (None, None, json!({})));
        assert_eq!(least.document.text(), "{}");
    }

    #[test]
    fn the_line_is_the_document_or_has_it_whole() {
        let table = [
            (r#"{"flags":{"flags":{"a":1},"metadata":{}}}"#, r#"{"flags":{"a":1},"metadata":{}}"#),
            (r#"{"flags":{"flags":[]},"$evaluators":{}}"#, r#"{"flags":[]}"#),
            (r#"{"flags":{"flags":5}}"#, r#"{"flags":5}"#),
            (r#"{"flags":[],"$evaluators":{"e":1}}"#, r#"{"flags":[],"$evaluators":{"e":1}}"#),
            (r#"{"flags":5}"#, r#"{"flags":5}"#),
            (r#"{"flags":{"a":{"flags":{}}}}"#, r#"{"flags":{"a":{"flags":{}}}}"#),
            // A flag that is called `flags`, and a document with one that is called `state`.
            (r#"{"flags":{"flags":{"state":"ENABLED"}}}"#, r#"{"flags":{"flags":{"state":"ENABLED"}}}"#),
            (r#"{"flags":{"flags":{"state":{}}}}"#, r#"{"flags":{"state":{}}}"#),
        ];
        for (line, document) in table {
            let line = line.replacen('{', r#"{"flagKey":"a","#, 1);
            assert_eq!(Question::read(&line).unwrap().document.text(), document, "{line}");
        }
    }

    #[test]
    fn what_is_no_question_says_why() {
        for (line, why) in [
            ("", "no JSON object"),
            ("[]", "no JSON object"),
            ("{", "no JSON object"),
            ("{}}", "no JSON object"),
            ("{} {}", "no JSON object"),
            (r#"{"flagKey":"a",}"#, "no JSON object"),
            (r#"{"flagKey" "a"}"#, "no JSON object"),
            (r#"{"flagKey":}"#, "no JSON object"),
            (r#"{"flagKey":"a}"#, "no JSON object"),
            ("{}", "no `flagKey`"),
            (r#"{"flagKey":null}"#, "no `flagKey`"),
            (r#"{"flagKey":5}"#, "`flagKey`"),
            (r#"{"flagKey":"a","type":"text"}"#, "no type \"text\""),
            (r#"{"flagKey":"a","context":{"a":}}"#, "`context`"),
            (r#"{"flagKey":"a","context":{} {}}"#, "`context`"),
            (r#"{"flagKey":"a","now":1.5}"#, "no whole number"),
            (r#"{"flagKey":"a","now":1e300}"#, "no whole number"),
            (r#"{"flagKey":"a","now":"1"}"#, "`now`"),
        ] {
            let found = Question::read(line).expect_err(line);
            assert!(found.contains(why), "{line}: {found}");
        }
    }
}
