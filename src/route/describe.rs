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
    use http::{HeaderName, Method};
    use regex::Regex;

    use super::*;

    #[test]
    fn a_match_is_one_line() {
        let plain = RouteMatch {
            hosts: vec![],
            path: PathPattern::Prefix("".into()),
            methods: vec![],
            headers: vec![],
            cookies: vec![],
            query: vec![],
        };
        let regex = |text| Regex::new(text).unwrap();
        for (matches, line) in [
            (plain.clone(), "/*"),
            (
                RouteMatch {
                    hosts: vec![HostPattern::Exact("shop.example.org".into())],
                    path: PathPattern::Prefix("/checkout".into()),
                    methods: vec![Method::GET],
                    headers: vec![(HeaderName::from_static("x-a"), TextPattern::Exact("1".into()))],
                    ..plain.clone()
                },
                "GET shop.example.org/checkout/* header x-a=1",
            ),
            (
                RouteMatch {
                    hosts: vec![HostPattern::Exact("a".into()), HostPattern::Suffix(".b".into())],
                    path: PathPattern::Exact("/x".into()),
                    methods: vec![Method::GET, Method::HEAD],
                    cookies: vec![("c".into(), TextPattern::Present)],
                    query: vec![("q".into(), TextPattern::Regex(regex("^(?:[0-9]+)$")))],
                    ..plain.clone()
                },
                "GET|HEAD a|*.b/x cookie c query q~[0-9]+",
            ),
            (RouteMatch { path: PathPattern::Regex(regex("^/v[0-9]$")), ..plain }, "~^/v[0-9]$"),
        ] {
            assert_eq!(describe(&matches), line);
        }
    }
}
