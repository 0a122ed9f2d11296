//! A match in one line, for people: `GET shop.example.org/checkout/* header x-a=1`.

use std::fmt::Write;

use super::cover::source;
use crate::config::route::{HostPattern, PathPattern, RouteMatch, TextPattern};

/// Tells a match in one line: methods, hosts with the path, then each condition.
///
/// Several methods or hosts are separated by `|`. After a name, `=` is the exact text, `~` a regex, and nothing means present.
pub fn describe(matches: &RouteMatch) -> String {
    let mut line = String::new();
    for (index, method) in matches.methods.iter().enumerate() {
        line.push_str(if index > 0 { "|" } else { "" });
        line.push_str(method.as_str());
    }
    line.push_str(if matches.methods.is_empty() { "" } else { " " });
    for (index, host) in matches.hosts.iter().enumerate() {
        line.push_str(if index > 0 { "|" } else { "" });
        line.push_str(match host {
            HostPattern::Exact(_) => "",
            HostPattern::Suffix(_) => "*",
        });
        let (HostPattern::Exact(name) | HostPattern::Suffix(name)) = host;
        line.push_str(name);
    }
    match &matches.path {
        PathPattern::Exact(path) => line.push_str(path),
        PathPattern::Prefix(prefix) => {
            line.push_str(prefix);
            line.push_str("/*");
        }
        PathPattern::Regex(regex) => {
            line.push('~');
            line.push_str(source(regex));
        }
    }
    for (name, wanted) in &matches.headers {
        condition(&mut line, "header", name.as_str(), wanted);
    }
    for (name, wanted) in &matches.cookies {
        condition(&mut line, "cookie", name, wanted);
    }
    for (name, wanted) in &matches.query {
        condition(&mut line, "query", name, wanted);
    }
    line
}

fn condition(line: &mut String, what: &str, name: &str, wanted: &TextPattern) {
    // Writing to a `String` cannot fail.
    let _ = match wanted {
        TextPattern::Exact(text) => write!(line, " {what} {name}={text}"),
        TextPattern::Regex(regex) => write!(line, " {what} {name}~{}", source(regex)),
        TextPattern::Present => write!(line, " {what} {name}"),
    };
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;
    use crate::route::fixture::parse;

    #[test]
    fn a_match_is_one_line() {
        for line in [
            "/*",
            "/checkout",
            "*",
            "GET shop.example.org/checkout/* header x-a=1",
            "GET|HEAD a|*.b/x cookie c query q~[0-9]+",
            "a~/v[0-9]/.* header x-a header x-b=c",
        ] {
            assert_eq!(describe(&parse(line)), line);
        }
    }

    #[test]
    fn anchors_around_a_regex_are_not_told() {
        assert_eq!(source(&Regex::new("^(?:/a|/b)$").unwrap()), "/a|/b");
        assert_eq!(source(&Regex::new("^/a$").unwrap()), "^/a$");
    }
}
