//! What the parser says about text that is no YAML, in words that help.

use crate::config::{Place, Problem, ProblemKind};

/// A syntax error as a problem.
pub(super) fn problem(info: &str, mut place: Place, kind: ProblemKind) -> Problem {
    // The parser stops behind the tab.
    if let Some(tab) = place.text.chars().position(|c| c == '\t').filter(|_| info.contains("tabs")) {
        place.column = tab as u32 + 1;
    }
    let before: String = place.text.chars().take(place.column as usize).collect();
    let flow = before.contains(['{', '[']);
    let (found, fix) = if flow && before.contains("${") && !info.contains("quoted") {
        ("`${..}` stands unquoted inside `{ }` or `[ ]`", Some("put quotes around it: \"${NAME}\""))
    } else {
        explain(info)
    };
    let problem = Problem::error(kind, "", format!("no valid YAML: {found}")).at(place);
    match fix {
        Some(fix) => problem.with_fix(fix),
        None => problem,
    }
}

/// The parser's message, told by what an author can see.
fn explain(info: &str) -> (&str, Option<&str>) {
    let table: [(&str, &str, &str); 12] = [
        (
            "mapping values are not allowed",
            "a `:` where no key can stand",
            "check the indentation, or quote a value that has `: ` in it",
        ),
        (
            "did not find expected '-'",
            "the indentation fits nothing above it",
            "indent it like its neighbours",
        ),
        (
            "did not find expected key",
            "the indentation fits nothing above it",
            "indent it like its neighbours",
        ),
        (
            "illegal placement of ':'",
            "a `:` inside a list or map that is still open",
            "close it with `]` or `}`",
        ),
        ("tabs disallowed", "a tab indents the line", "indent with spaces"),
        (
            "expected ',' or ']'",
            "a list that is opened with `[` does not end",
            "separate its items with `,` and close it with `]`",
        ),
        (
            "expected ',' or '}'",
            "a map that is opened with `{` does not end",
            "separate its pairs with `,` and close it with `}`",
        ),
        ("quoted scalar", "a quote is opened and never closed", "close the quote"),
        (
            "unknown anchor",
            "an alias of an anchor that is not defined above it",
            "define it with `&name`, or quote a value that starts with `*`",
        ),
        ("unexpected character", "a value cannot start with this character", "put quotes around the value"),
        ("simple key expect", "a line that is neither `key: value` nor an item", "write `key: value`"),
        ("recursion limit", "lists and maps are nested deeper than 255 levels", "nest less"),
    ];
    match table.into_iter().find(|(sign, ..)| info.contains(sign)) {
        Some((_, found, fix)) => (found, Some(fix)),
        None => (info, None),
    }
}
