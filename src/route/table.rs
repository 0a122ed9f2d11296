//! The compiled route table.
//!
//! Precedence is the Gateway API's (`HTTPRouteMatch`): the host first (exact, then the longest suffix, then none), then
//! the path (exact, then regex, then the longest prefix), then a match with methods before one without, then the larger number of header
//! and cookie conditions, then of query conditions, then the order in the file. The Gateway API leaves the place of
//! regexes open: here they stand before prefixes, as one is written to carve something out of a prefix. A route with several
//! hosts stands once under each. When no route of a host takes a request, those of the less specific hosts are tried.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::{RouteId, cover, matching};
use crate::config::route::{HostPattern, PathPattern, Route, RouteMatch};
use crate::config::{Name, Problem};
use crate::context::RequestFacts;

/// Routes by host, each list in the order in which it is tried.
#[derive(Debug)]
pub struct Table {
    exact: HashMap<Name, Vec<RouteId>>,
    /// Keys start with a dot.
    suffixes: HashMap<Name, Vec<RouteId>>,
    /// Bytes of the longest suffix: what bounds the work on a long host.
    longest_suffix: usize,
    any: Vec<RouteId>,
    order: Vec<RouteId>,
}

impl Table {
    /// Sorts the routes by precedence.
    pub fn compile(routes: &[Route]) -> Table {
        let mut table = Table {
            exact: HashMap::new(),
            suffixes: HashMap::new(),
            longest_suffix: 0,
            any: Vec::new(),
            order: Vec::new(),
        };
        let mut order = Vec::new();
        for entry in entries(routes) {
            order.push(entry.route);
            match entry.host {
                None => table.any.push(entry.route),
                Some(HostPattern::Exact(host)) => {
                    table.exact.entry(host.clone()).or_default().push(entry.route);
                }
                Some(HostPattern::Suffix(suffix)) => {
                    table.longest_suffix = table.longest_suffix.max(suffix.len());
                    table.suffixes.entry(suffix.clone()).or_default().push(entry.route);
                }
            }
        }
        let mut seen = vec![false; routes.len()];
        order.retain(|route| !std::mem::replace(&mut seen[route.0], true));
        Table { order, ..table }
    }

    /// A problem for each route that can never match because routes before it match all that it would.
    pub fn unreachable(routes: &[Route]) -> Vec<Problem> {
        cover::unreachable(routes, &entries(routes))
    }

    /// The first route that matches. `routes` are those that the table was compiled from.
    pub fn find(&self, routes: &[Route], facts: &RequestFacts<'_>) -> Option<RouteId> {
        let first = |list: &Vec<RouteId>| {
            let takes =
                |id: &RouteId| routes.get(id.0).is_some_and(|route| matching::takes(&route.matches, facts));
            list.iter().copied().find(takes)
        };
        let host = &*facts.host;
        let exact = self.exact.get(host).and_then(first);
        exact.or_else(|| self.suffixes(host).find_map(first)).or_else(|| first(&self.any))
    }

    /// Routes in the order in which they are tried; one with several hosts stands where its most specific host does.
    pub fn order(&self) -> &[RouteId] {
        &self.order
    }

    /// The lists of the suffixes that a host ends with, the longest first. At least one character stands before a suffix.
    fn suffixes(&self, host: &str) -> impl Iterator<Item = &Vec<RouteId>> {
        let from = host.len().saturating_sub(self.longest_suffix).max(1);
        let dots = host.bytes().enumerate().skip(from).filter(|(_, byte)| *byte == b'.');
        // A dot is a character border.
        dots.filter_map(|(dot, _)| self.suffixes.get(&host[dot..]))
    }
}

/// A route under one of its hosts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    /// None: every host.
    pub host: Option<&'a HostPattern>,
    pub route: RouteId,
}

/// Every route under every host, in the order in which they are tried.
pub(super) fn entries(routes: &[Route]) -> Vec<Entry<'_>> {
    let mut entries: Vec<Entry<'_>> = Vec::with_capacity(routes.len());
    for (index, route) in routes.iter().enumerate() {
        let route_id = RouteId(index);
        entries.extend(route.matches.hosts.iter().map(|host| Entry { host: Some(host), route: route_id }));
        if route.matches.hosts.is_empty() {
            entries.push(Entry { host: None, route: route_id });
        }
    }
    // Stable: what is equal stays in the order of the file.
    entries.sort_by_key(|entry| (host_rank(entry.host), rank(&routes[entry.route.0].matches)));
    entries
}

/// Smaller is tried earlier.
fn host_rank(host: Option<&HostPattern>) -> (u8, Reverse<usize>) {
    match host {
        Some(HostPattern::Exact(host)) => (0, Reverse(host.len())),
        Some(HostPattern::Suffix(suffix)) => (1, Reverse(suffix.len())),
        None => (2, Reverse(0)),
    }
}

/// Smaller is tried earlier: path, methods, headers with cookies, query.
type Rank = ((u8, Reverse<usize>), bool, Reverse<usize>, Reverse<usize>);

fn rank(matches: &RouteMatch) -> Rank {
    let path = match &matches.path {
        PathPattern::Exact(_) => (0, Reverse(0)),
        PathPattern::Regex(_) => (1, Reverse(0)),
        PathPattern::Prefix(prefix) => (2, Reverse(prefix.len())),
    };
    let fields = matches.headers.len() + matches.cookies.len();
    (path, matches.methods.is_empty(), Reverse(fields), Reverse(matches.query.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::route::fixture::{Sent, routes};

    fn found<T: AsRef<str>>(matches: &[T], sent: &Sent) -> Option<usize> {
        let routes = routes(matches);
        Table::compile(&routes).find(&routes, &sent.facts()).map(|id| id.0)
    }

    #[test]
    fn the_most_particular_match_wins_wherever_it_stands() {
        for (sent, ordered) in [
            ("GET a.b.c/x/y", &["a.b.c/*", "*.b.c/x/y", "*.c/x/y", "/x/y"][..]),
            ("GET a/x/y?q=1&r=1", &["/x/y", "~/x/.*", "/x/y/*", "/x/*", "/*"]),
            (
                "GET a/x?q=1&r=1",
                &[
                    "GET /x/*",
                    "/x/* header x-a header x-b",
                    "/x/* header x-a query q",
                    "/x/* cookie c",
                    "/x/* query q query r",
                    "/x/* query q",
                    "/x/*",
                ],
            ),
            ("GET a/x", &["GET /*", "/* header x-a"]),
        ] {
            let sent = Sent::new(sent, &[("x-a", "1"), ("x-b", "1"), ("cookie", "c=1")]);
            let mut left: Vec<_> = ordered.to_vec();
            while let Some(expected) = left.first() {
                let backwards: Vec<_> = left.iter().rev().collect();
                let (one, other) = (found(&left, &sent), found(&backwards, &sent));
                assert_eq!(one.map(|index| left[index]), Some(*expected), "{left:?}");
                assert_eq!(other.map(|index| *backwards[index]), Some(*expected), "{backwards:?}");
                left.remove(0);
            }
            assert_eq!(found(&left, &sent), None);
        }
    }

    #[test]
    fn equals_go_by_the_order_in_the_file() {
        assert_eq!(
            found(
                &["/* header x-b", "/* header x-a", "/* cookie c"],
                &Sent::new("GET a/", &[("x-a", "1"), ("cookie", "c=1")])
            ),
            Some(1)
        );
        assert_eq!(found(&["~/a.*", "~/.*"], &Sent::new("GET a/ab", &[])), Some(0));
        assert_eq!(found(&["~/.*", "~/a.*"], &Sent::new("GET a/ab", &[])), Some(0));
    }

    #[test]
    fn a_request_falls_through_to_less_specific_hosts() {
        let matches = ["shop.example.org/cart/*", "*.example.org/* header x-a", "*.org/img/*", "/*"];
        for (sent, lines, route) in [
            ("GET shop.example.org/cart", &[][..], 0),
            ("GET shop.example.org/", &[("x-a", "1")], 1),
            ("GET shop.example.org/img/1", &[], 2),
            ("GET shop.example.org/", &[], 3),
            ("GET example.org/", &[("x-a", "1")], 3),
            ("GET .example.org/", &[("x-a", "1")], 3),
            ("GET a.b.example.org/", &[("x-a", "1")], 1),
            ("GET evilexample.org/", &[("x-a", "1")], 3),
            ("GET /", &[], 3),
        ] {
            assert_eq!(found(&matches, &Sent::new(sent, lines)), Some(route), "{sent}");
        }
        assert_eq!(found(&["a/*"], &Sent::new("GET b/", &[])), None);
        let long = format!("GET {}é.shop.example.org/img/1", "a.".repeat(50_000));
        assert_eq!(found(&matches, &Sent::new(&long, &[])), Some(2));
    }

    #[test]
    fn the_order_tells_each_route_once() {
        let routes = routes(&["/*", "a|*.b/x/*", "a/y", "*.b/x/z/*"]);
        let order: Vec<usize> = Table::compile(&routes).order().iter().map(|id| id.0).collect();
        assert_eq!(order, [2, 1, 3, 0]);
        assert_eq!(Table::compile(&[]).order(), []);
    }

    /// Written anew from the Gateway API's text: the best of all that match.
    fn model(matches: &[String], sent: &Sent) -> Option<usize> {
        let facts = sent.facts();
        let routes = routes(matches);
        let mut best = None;
        for (index, route) in
            routes.iter().enumerate().filter(|(_, route)| matching::takes(&route.matches, &facts))
        {
            let hosts = route.matches.hosts.iter().filter_map(|host| match host {
                HostPattern::Exact(name) => (**name == *facts.host).then_some((2, name.len())),
                HostPattern::Suffix(name) => facts.host.ends_with(&**name).then_some((1, name.len())),
            });
            let host = if route.matches.hosts.is_empty() { Some((0, 0)) } else { hosts.max() };
            let path = match &route.matches.path {
                PathPattern::Exact(_) => (2, 0),
                PathPattern::Regex(_) => (1, 0),
                PathPattern::Prefix(prefix) => (0, prefix.len()),
            };
            let method = !route.matches.methods.is_empty();
            let fields = route.matches.headers.len() + route.matches.cookies.len();
            let score = host.map(|host| (host, path, method, fields, route.matches.query.len()));
            if score.is_some() && best.is_none_or(|(known, _)| score > known) {
                best = Some((score, index));
            }
        }
        best.map(|(_, index)| index)
    }

    fn a_match() -> impl Strategy<Value = String> {
        let some = |texts: &'static [&'static str]| prop::sample::select(texts);
        (
            some(&["", "", "GET ", "GET|POST "]),
            some(&["", "", "a.b", "*.b", "a.b|*.b", "*.a.b|c"]),
            some(&["/*", "/x/*", "/x/y/*", "/x", "/x/y", "~/x.*", "~/.*"]),
            some(&["", "", " header x-a", " header x-a=1", " header x-a=1 header x-b", " cookie c=1"]),
            some(&["", "", " query q", " query q=1"]),
        )
            .prop_map(|(method, host, path, header, query)| [method, host, path, header, query].concat())
    }

    /// So alike that they often cover one another.
    fn a_like_match() -> impl Strategy<Value = String> {
        let some = |texts: &'static [&'static str]| prop::sample::select(texts);
        let (method, host) = (some(&["", "GET ", "GET|POST "]), some(&["", "a.b", "a.b|*.b"]));
        let (path, header) = (some(&["/x/*", "/x/y/*", "~/.*"]), some(&["", " header x-a", " header x-a=1"]));
        (method, host, path, header)
            .prop_map(|(method, host, path, header)| [method, host, path, header].concat())
    }

    fn a_request() -> impl Strategy<Value = Sent> {
        let lines = [("x-a", "1"), ("x-a", "2"), ("x-b", "1"), ("cookie", "c=1"), ("cookie", "c=2")];
        (
            prop::sample::select(&["GET", "POST", "PUT"][..]),
            prop::sample::select(&["", "b", "a.b", "x.a.b", "c"][..]),
            prop::sample::select(&["/", "/x", "/x/y", "/x/y/z", "/z", "/xy"][..]),
            prop::sample::select(&["", "?q=1", "?q=2"][..]),
            prop::sample::subsequence(lines.to_vec(), 0..=3),
        )
            .prop_map(|(method, host, path, query, lines)| {
                Sent::new(&format!("{method} {host}{path}{query}"), &lines)
            })
    }

    proptest! {
        #[test]
        fn the_table_finds_what_the_model_finds(
            matches in prop::collection::vec(prop_oneof![a_match(), a_like_match()], 0..12),
            sent in a_request(),
        ) {
            prop_assert_eq!(found(&matches, &sent), model(&matches, &sent));
        }

        #[test]
        fn what_is_called_unreachable_is_never_found(
            matches in prop::collection::vec(a_like_match(), 2..12),
            sent in a_request(),
        ) {
            let dead = Table::unreachable(&routes(&matches));
            if let Some(index) = found(&matches, &sent) {
                let key = format!("routes[{index}].match");
                prop_assert!(dead.iter().all(|problem| problem.key != key), "{} of {:?}", key, matches);
            }
        }

        #[test]
        fn unrelated_fields_change_no_route(
            matches in prop::collection::vec(a_match(), 1..8),
            mut sent in a_request(),
            noise in prop::collection::vec((prop::sample::select(&["x-c", "accept", "cookie"][..]), "[d-z]=[a-z]"), 0..4),
        ) {
            let mut headers = http::HeaderMap::new();
            for (name, value) in noise {
                headers.append(name, value.parse().unwrap());
            }
            for (name, value) in &sent.headers {
                headers.append(name.clone(), value.clone());
            }
            let before = found(&matches, &sent);
            sent.headers = headers;
            prop_assert_eq!(found(&matches, &sent), before);
        }
    }
}
