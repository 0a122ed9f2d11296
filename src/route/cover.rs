//! Which routes can never match, because routes that are tried before them take every request that they would.
//!
//! Only what is certain is reported: a regex covers another only when both are written alike, and conditions are
//! compared one by one.

use std::collections::HashMap;

use regex::Regex;

use super::matching;
use super::table::Entry;
use super::{RouteId, describe};
use crate::config::route::{HostPattern, PathPattern, Route, RouteMatch, TextPattern};
use crate::config::{Problem, ProblemKind, Severity};

/// A problem for each route that is covered under all its hosts. `entries` are in the order in which they are tried.
pub(super) fn unreachable(routes: &[Route], entries: &[Entry<'_>]) -> Vec<Problem> {
    // Entries of other hosts are either tried later or take other requests.
    let mut by_host: HashMap<HostKey<'_>, Vec<RouteId>> = HashMap::new();
    // Per route and host, in the order of the entries: the route that covers it there.
    let mut covering: Vec<Vec<Option<RouteId>>> = vec![Vec::new(); routes.len()];
    for entry in entries {
        let earlier = by_host.entry(host_key(entry.host)).or_default();
        if earlier.contains(&entry.route) {
            continue;
        }
        let matches = |id: RouteId| &routes[id.0].matches;
        let covers_it = |id: &RouteId| covers(matches(*id), matches(entry.route));
        covering[entry.route.0].push(earlier.iter().copied().find(covers_it));
        earlier.push(entry.route);
    }
    let dead = covering.into_iter().enumerate().filter_map(|(index, by)| {
        let mut by: Vec<RouteId> = by.into_iter().collect::<Option<_>>()?;
        by.sort();
        by.dedup();
        Some(problem(index, &by, routes))
    });
    dead.collect()
}

fn problem(index: usize, by: &[RouteId], routes: &[Route]) -> Problem {
    let route = &routes[index];
    let named = |id: &RouteId| format!("`{}` (line {})", routes[id.0].name, routes[id.0].place.line);
    let (noun, verb) = if by.len() == 1 { ("route", "matches") } else { ("routes", "match") };
    let covering = by.iter().map(named).collect::<Vec<_>>().join(" and ");
    Problem {
        kind: ProblemKind::Config,
        severity: Severity::Error,
        place: Some(route.place.clone()),
        key: format!("routes[{index}].match"),
        found: format!(
            "route `{}` can never match: {noun} {covering} before it {verb} everything it would",
            route.name
        ),
        expected: Some(format!(
            "a match that leaves requests for `{}`; this one is `{}`",
            route.name,
            describe(&route.matches)
        )),
        fix: Some(format!(
            "remove route `{}`, or tell the two apart by path, method, header, cookie or query",
            route.name
        )),
    }
}

type HostKey<'a> = Option<(bool, &'a str)>;

fn host_key(host: Option<&HostPattern>) -> HostKey<'_> {
    match host? {
        HostPattern::Exact(host) => Some((true, host)),
        HostPattern::Suffix(suffix) => Some((false, suffix)),
    }
}

/// Whether every request that `narrow` takes is one that `wide` takes, the hosts aside. False when that is not certain.
fn covers(wide: &RouteMatch, narrow: &RouteMatch) -> bool {
    path_covers(&wide.path, &narrow.path)
        && methods_cover(wide, narrow)
        && conditions_cover(&wide.headers, &narrow.headers)
        && conditions_cover(&wide.cookies, &narrow.cookies)
        && conditions_cover(&wide.query, &narrow.query)
}

fn path_covers(wide: &PathPattern, narrow: &PathPattern) -> bool {
    match (wide, narrow) {
        (wide, PathPattern::Exact(exact)) => matching::path(wide, exact),
        (PathPattern::Prefix(wide), PathPattern::Prefix(narrow)) => {
            narrow.strip_prefix(&**wide).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        (PathPattern::Regex(wide), PathPattern::Regex(narrow)) => wide.as_str() == narrow.as_str(),
        // The one regex whose reach is plain to see. A path has no line feed, which `.` would not match.
        (PathPattern::Regex(wide), PathPattern::Prefix(_)) => matches!(source(wide), "/.*" | ".*"),
        (PathPattern::Exact(_), _) | (PathPattern::Prefix(_), PathPattern::Regex(_)) => false,
    }
}

fn methods_cover(wide: &RouteMatch, narrow: &RouteMatch) -> bool {
    wide.methods.is_empty()
        || (!narrow.methods.is_empty() && narrow.methods.iter().all(|method| wide.methods.contains(method)))
}

/// Each condition of the wide match follows from one of the narrow match.
fn conditions_cover<N: PartialEq>(wide: &[(N, TextPattern)], narrow: &[(N, TextPattern)]) -> bool {
    wide.iter()
        .all(|(name, wanted)| narrow.iter().any(|(other, given)| name == other && text_covers(wanted, given)))
}

fn text_covers(wide: &TextPattern, narrow: &TextPattern) -> bool {
    match (wide, narrow) {
        (TextPattern::Present, _) => true,
        (TextPattern::Exact(wide), TextPattern::Exact(narrow)) => wide == narrow,
        (TextPattern::Regex(wide), TextPattern::Exact(narrow)) => wide.is_match(narrow),
        (TextPattern::Regex(wide), TextPattern::Regex(narrow)) => wide.as_str() == narrow.as_str(),
        (TextPattern::Exact(_) | TextPattern::Regex(_), _) => false,
    }
}

/// A regex as the operator wrote it, without the anchors around it.
pub(super) fn source(regex: &Regex) -> &str {
    let text = regex.as_str();
    text.strip_prefix("^(?:").and_then(|text| text.strip_suffix(")$")).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Table;
    use crate::route::fixture::routes;

    fn dead(matches: &[&str]) -> Vec<String> {
        Table::unreachable(&routes(matches)).into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn a_route_that_others_cover_is_told() {
        for covered in [
            ["/a/*", "/a/*"],
            ["/a", "/a"],
            ["~/a.*", "~/a.*"],
            ["GET|POST /a/*", "POST /a/*"],
            ["/a/* header x-a", "/a/* header x-a=1"],
            ["/a/* header x-a~[0-9]", "/a/* header x-a=1"],
            ["/a/* cookie c=1 query q", "/a/* cookie c=1 query q"],
            ["/a/* header x-a header x-b", "/a/* header x-b=1 header x-a=2"],
            ["~/.*", "/a/*"],
            ["a|b/x/*", "b/x/*"],
            ["*.a|b/x/*", "*.a|b/x/*"],
        ] {
            assert_eq!(dead(&covered), ["routes[1].match"], "{covered:?}");
        }
        assert_eq!(dead(&["/a/*", "~.*"]), ["routes[0].match"]);
        assert_eq!(dead(&["a/x/*", "b/x/*", "a|b/x/*"]), ["routes[2].match"]);
        assert_eq!(dead(&["/*", "/*", "/*"]), ["routes[1].match", "routes[2].match"]);
    }

    #[test]
    fn what_might_match_is_left_alone() {
        for free in [
            ["/*", "/a/*"],
            ["/*", "/a"],
            ["/*", "~/a"],
            ["~/a.*", "/a/*"],
            ["~/.*", "/a"],
            ["GET /a/*", "POST /a/*"],
            ["GET /a/*", "/a/*"],
            ["/a/*", "/a/* header x-a"],
            ["/a/* header x-a=1", "/a/* header x-a"],
            ["/a/* header x-a=1", "/a/* header x-b=1"],
            ["/a/* header x-a~1.*", "/a/* header x-a~1"],
            ["/a/* cookie x", "/a/* header x"],
            ["a/*", "/*"],
            ["/*", "a/*"],
            ["*.a/*", "b.a/*"],
            ["a/*", "a|b/*"],
        ] {
            assert_eq!(dead(&free), [""; 0], "{free:?}");
        }
    }

    #[test]
    fn the_problem_names_both_routes_and_the_fix() {
        let problems =
            Table::unreachable(&routes(&["a/x/* header x-a", "b/x/* header x-a", "a|b/x/* header x-a=1"]));
        let [problem] = &*problems else { panic!("{problems:?}") };
        assert_eq!((problem.kind, problem.severity), (ProblemKind::Config, Severity::Error));
        assert_eq!(problem.place.as_ref().map(|place| place.line), Some(3));
        assert_eq!(
            problem.found,
            "route `r2` can never match: routes `r0` (line 1) and `r1` (line 2) before it match everything it would"
        );
        assert!(problem.expected.as_ref().unwrap().contains("`a|b/x/* header x-a=1`"));
        assert!(problem.fix.is_some());
    }
}
