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
