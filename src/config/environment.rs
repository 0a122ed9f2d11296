//! `${NAME}` and `${NAME:-default}` inside scalars, `$$` for a dollar.
//!
//! Values are put into parsed scalars, never into the text: no value can open a map, end a line or add a key. Keys are left
//! alone. As in a shell, `:-` also serves when the variable is set and empty.

use std::sync::Arc;

use super::problem::{index_key, map_key};
use super::tree::{Content, Node};
use super::{Place, Problem, ProblemKind};

/// Looks a variable up; none: it is not set.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Puts the environment into every scalar below a node. Each variable that is missing, each form that is wrong, is a problem.
pub fn substitute(node: &mut Node, key: &str, environment: Environment<'_>, problems: &mut Vec<Problem>) {
    match &mut node.content {
        Content::Scalar(scalar) if scalar.text.contains('$') => match expand(&scalar.text, environment) {
            Ok(Expanded { text, from_environment }) => {
                let written = std::mem::replace(&mut scalar.text, Arc::from(text));
                scalar.written = from_environment.then_some(written);
            }
            Err(wrong) => problems.push(wrong.problem(key, node.place.clone())),
        },
        Content::Scalar(_) => {}
        Content::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                substitute(item, &index_key(key, index), environment, problems);
            }
        }
        Content::Map(entries) => {
            for entry in entries {
                let key = map_key(key, entry.key.text());
                substitute(&mut entry.value, &key, environment, problems);
            }
        }
    }
}

struct Expanded {
    text: String,
    from_environment: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    Unset(String),
    Unclosed,
    BadName(String),
    Nested,
}

fn expand(text: &str, environment: Environment<'_>) -> Result<Expanded, Wrong> {
    let mut out = Expanded { text: String::with_capacity(text.len()), from_environment: false };
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.text.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.text.push('$');
            rest = after;
        } else if let Some(inner) = rest.strip_prefix('{') {
            let end = inner.find('}').ok_or(Wrong::Unclosed)?;
            out.text.push_str(&variable(&inner[..end], environment)?);
            out.from_environment = true;
            rest = &inner[end + 1..];
        } else {
            out.text.push('$');
        }
    }
    out.text.push_str(rest);
    Ok(out)
}

/// The value of what stands between the braces.
fn variable(inner: &str, environment: Environment<'_>) -> Result<String, Wrong> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(Wrong::BadName(name.to_owned()));
    }
    if default.is_some_and(|default| default.contains("${")) {
        return Err(Wrong::Nested);
    }
    match (environment(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Wrong::Unset(name.to_owned())),
    }
}

impl Wrong {
    fn problem(self, key: &str, place: Place) -> Problem {
        let escape = "to write a dollar itself, double it: `$$`";
        let (found, expected, fix) = match self {
            Wrong::Unset(name) => (
                format!("the environment variable `{name}` is not set"),
                format!("a value for `${{{name}}}`"),
                format!("set {name}, or give a default: `${{{name}:-..}}`"),
            ),
            Wrong::Unclosed => {
                ("`${` is never closed".into(), "`${NAME}` or `${NAME:-default}`".into(), escape.into())
            }
            Wrong::BadName(name) => (
                format!("`{name}` is no name of an environment variable"),
                "letters, digits and `_`, with no digit first".into(),
                escape.into(),
            ),
            Wrong::Nested => (
                "a variable inside of another's default".into(),
                "a default that is plain text".into(),
                "set the variable where the process is started".into(),
            ),
        };
        Problem::error(ProblemKind::Config, key, found).at(place).with_expected(expected).with_fix(fix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "A" => Some("1".into()),
            "EMPTY" => Some(String::new()),
            "SLY" => Some("${A} $$ }".into()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_put_in_once() {
        let table = [
            ("x${A}y", "x1y"),
            ("${A}${A}", "11"),
            ("${B:-b}", "b"),
            ("${B:-}", ""),
            ("${EMPTY}", ""),
            ("${EMPTY:-e}", "e"),
            ("${SLY}", "${A} $$ }"),
            ("$${A}", "${A}"),
            ("$$", "$"),
            ("^/a$", "^/a$"),
            ("$A", "$A"),
        ];
        for (text, expected) in table {
            let expanded = expand(text, &environment).map(|expanded| expanded.text);
            assert_eq!(expanded.as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_put_in_is_said() {
        let table = [
            ("${B}", Wrong::Unset("B".into())),
            ("${A", Wrong::Unclosed),
            ("${}", Wrong::BadName(String::new())),
            ("${1A}", Wrong::BadName("1A".into())),
            ("${B:-${A}}", Wrong::Nested),
        ];
        for (text, expected) in table {
            assert_eq!(expand(text, &environment).map(|expanded| expanded.text), Err(expected), "{text}");
        }
    }
}
