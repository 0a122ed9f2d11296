//! Decodes what a route matches.

use http::{HeaderName, Method};

use super::headers::{cookie_name, header_name, http_path, is_host};
use super::scalar::{bad, boolean, method, regex, text, words};
use super::{Decoder, Item};
use crate::config::reference::{Object, Rule, Type, optional};
use crate::config::route::{HostPattern, PathPattern, RouteMatch, TextPattern};
use crate::config::{Name, Paths};

pub static MATCH: Object = Object {
    title: "Match",
    doc: "What a request must have; all that is given must match, and what is absent matches everything.",
    keys: &[
        optional(
            "host",
            Type::OneOrMany(&Type::HostPattern),
            "The host, exact or `*.suffix`; any of a list.",
        ),
        optional("path", Type::HttpPath, "The whole path."),
        optional(
            "path_prefix",
            Type::HttpPath,
            "The path's first segments: `/a` matches `/a` and `/a/b`, not `/ab`.",
        ),
        optional("path_regex", Type::Regex, "The whole path, as a regular expression."),
        optional("method", Type::OneOrMany(&Type::Method), "The method; any of a list."),
        optional("headers", Type::Map(&Type::HeaderName, &PATTERN), "Headers by name: `x-beta: \"yes\"`."),
        optional("cookies", Type::Map(&Type::CookieName, &PATTERN), "Cookies by name."),
        optional("query", Type::Map(&Type::Text, &PATTERN), "Query parameters by name."),
    ],
    rules: &[Rule::AtMostOne(&["path", "path_prefix", "path_regex"])],
    later: &[],
};

static PATTERN: Type = Type::Either(&Type::Text, &Type::Object(&TEXT_PATTERN));

pub static TEXT_PATTERN: Object = Object {
    title: "Text pattern",
    doc: "What a header, cookie or query parameter must be, in its long form; text alone is `exact`.",
    keys: &[
        optional("exact", Type::Text, "It is this text."),
        optional("regex", Type::Regex, "The whole of it matches."),
        optional("present", Type::Bool, "`true`: it is there, whatever it is."),
    ],
    rules: &[Rule::ExactlyOne(&["exact", "regex", "present"])],
    later: &[],
};

/// Matches everything that nothing is said about.
pub fn matches(item: &Item<'_>, decoder: &mut Decoder<'_>, paths: Paths) -> Option<RouteMatch> {
    let mut fields = decoder.fields(item)?;
    let hosts = fields.get("host", decoder, |item, decoder| some(item, decoder, host_pattern));
    let exact = fields.get("path", decoder, |item, decoder| path(item, decoder, paths));
    let prefix = fields.get("path_prefix", decoder, |item, decoder| prefix(item, decoder, paths));
    let pattern = fields.get("path_regex", decoder, regex);
    let methods: Option<Vec<Method>> =
        fields.get("method", decoder, |item, decoder| some(item, decoder, method));
    let headers: Option<Vec<(HeaderName, _)>> =
        fields.get("headers", decoder, |item, decoder| patterns(item, decoder, header_name));
    let cookies = fields.get("cookies", decoder, |item, decoder| patterns(item, decoder, cookie_name));
    let query = fields.get("query", decoder, |item, decoder| patterns(item, decoder, words));
    let path = exact
        .map(PathPattern::Exact)
        .or(pattern.map(PathPattern::Regex))
        .unwrap_or_else(|| PathPattern::Prefix(prefix.unwrap_or_else(|| Name::from(""))));
    Some(RouteMatch {
        hosts: hosts.unwrap_or_default(),
        path,
        methods: methods.unwrap_or_default(),
        headers: headers.unwrap_or_default(),
        cookies: cookies.unwrap_or_default(),
        query: query.unwrap_or_default(),
    })
}

/// One or more; an empty list would match nothing.
fn some<T>(
    item: &Item<'_>,
    decoder: &mut Decoder<'_>,
    read: impl FnMut(&Item<'_>, &mut Decoder<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    if item.node.list().is_some_and(<[_]>::is_empty) {
        decoder.report(
            item.problem(format!("`{}` is empty and would match nothing", item.key))
                .with_expected(item.is.describe())
                .with_fix("remove the key to match everything"),
        );
    }
    decoder.list(item, read)
}

fn host_pattern(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<HostPattern> {
    let text = text(item, decoder)?.to_ascii_lowercase();
    if text == "*" {
        return bad(item, decoder, Some("remove it: without `host`, every host matches".into()));
    }
    match text.strip_prefix('*') {
        Some(suffix) if suffix.strip_prefix('.').is_some_and(is_host) => {
            Some(HostPattern::Suffix(suffix.into()))
        }
        None if is_host(&text) => Some(HostPattern::Exact(text.into())),
        _ if text.rsplit_once(':').is_some_and(|(host, _)| is_host(host.trim_start_matches("*."))) => {
            bad(item, decoder, Some("leave out the port".into()))
        }
        _ => bad(item, decoder, None),
    }
}

/// A path in the form in which requests are matched: any other would never match.
fn path(item: &Item<'_>, decoder: &mut Decoder<'_>, paths: Paths) -> Option<Name> {
    let text = http_path(item, decoder)?;
    let reason = match paths {
        Paths::Normalised => never_normal(&text),
        Paths::AsReceived => None,
    };
    let Some(reason) = reason else { return Some(text) };
    let problem = item.problem(format!("{} never matches: it has {reason}", super::scalar::shown(item)));
    let problem = problem.with_expected("a path as it is after normalising");
    decoder.report(problem.with_fix("write it without, or set `paths: as_received`"));
    None
}

/// Without a trailing slash; `/` is the empty text.
pub fn prefix(item: &Item<'_>, decoder: &mut Decoder<'_>, paths: Paths) -> Option<Name> {
    let text = path(item, decoder, paths)?;
    Some(text.strip_suffix('/').map_or(text.clone(), Name::from))
}

/// What a path has that a normalised one never has.
fn never_normal(path: &str) -> Option<&'static str> {
    if path.contains("//") {
        return Some("an empty segment");
    }
    if path.split('/').any(|segment| segment == "." || segment == "..") {
        return Some("a `.` or `..` segment");
    }
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        rest = &rest[at + 1..];
        let coded = rest.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match coded {
            None => return Some("a `%` without two hex digits"),
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                return Some("a percent-encoded letter, digit, `-`, `.`, `_` or `~`");
            }
            Some(_) => {}
        }
    }
    None
}

fn patterns<N: PartialEq>(
    item: &Item<'_>,
    decoder: &mut Decoder<'_>,
    mut read: impl FnMut(&Item<'_>, &mut Decoder<'_>) -> Option<N>,
) -> Option<Vec<(N, TextPattern)>> {
    let mut patterns: Vec<(N, TextPattern)> = Vec::new();
    decoder.map(item, |key, value, decoder| {
        let name = read(key, decoder);
        let pattern = pattern(value, decoder);
        let name = name?;
        if patterns.iter().any(|(other, _)| *other == name) {
            decoder.report(
                key.problem(format!("`{}` stands twice", key.node.text())).with_expected("each name once"),
            );
        }
        patterns.push((name, pattern?));
        Some(())
    })?;
    Some(patterns)
}

fn pattern(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<TextPattern> {
    let item = item.form();
    if !matches!(item.is, Type::Object(_)) {
        return text(&item, decoder).map(TextPattern::Exact);
    }
    let mut fields = decoder.fields(&item)?;
    let exact = fields.get("exact", decoder, text);
    let pattern = fields.get("regex", decoder, regex);
    let present = fields.get("present", decoder, |item, decoder| match boolean(item, decoder)? {
        true => Some(TextPattern::Present),
        false => bad(item, decoder, Some("write `present: true`, or remove the match".into())),
    });
    exact.map(TextPattern::Exact).or(pattern.map(TextPattern::Regex)).or(present)
}
