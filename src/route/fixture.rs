//! Routes and requests for tests, written in one line each. A match is written as [`super::describe`] tells it.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use regex::Regex;

use crate::config::Place;
use crate::config::route::{
    Action, Caching, FixedResponse, HostPattern, PathPattern, Route, RouteMatch, TextPattern,
};
use crate::context::{RequestFacts, Scheme, Token};

/// Routes named `r0`, `r1`, ... on lines 1, 2, ...
pub(super) fn routes<T: AsRef<str>>(matches: &[T]) -> Vec<Route> {
    let route = |(index, line): (usize, &T)| Route {
        name: format!("r{index}").into(),
        matches: parse(line.as_ref()),
        action: Action::Respond(FixedResponse { status: StatusCode::OK, headers: vec![], body: "".into() }),
        targeting_key: None,
        requires_key: false,
        rate_limit: None,
        caching: Caching::Auto,
        place: Place {
            file: "flagway.yaml".into(),
            line: index as u32 + 1,
            column: 5,
            text: "".into(),
            width: 1,
        },
    };
    matches.iter().enumerate().map(route).collect()
}

/// `GET|HEAD a.example|*.b/path/* header x-a=1 cookie c query q~[0-9]+`
pub(super) fn parse(line: &str) -> RouteMatch {
    let mut words = line.split(' ').peekable();
    let methods = words.next_if(|word| !word.contains(['/', '~', '*']));
    let target = words.next().unwrap();
    let (hosts, path) = target.split_at(target.find(['/', '~']).unwrap_or(target.len()));
    // `*` alone is the path of `OPTIONS *`.
    let (hosts, path) = if path.is_empty() { ("", hosts) } else { (hosts, path) };
    let host = |host: &str| match host.strip_prefix('*') {
        Some(suffix) => HostPattern::Suffix(suffix.into()),
        None => HostPattern::Exact(host.into()),
    };
    let mut matches = RouteMatch {
        hosts: hosts.split('|').filter(|host| !host.is_empty()).map(host).collect(),
        path: match (path.strip_prefix('~'), path.strip_suffix("/*")) {
            (Some(pattern), _) => PathPattern::Regex(regex(pattern)),
            (None, Some(prefix)) => PathPattern::Prefix(prefix.into()),
            (None, None) => PathPattern::Exact(path.into()),
        },
        methods: methods.into_iter().flat_map(|all| all.split('|')).map(|m| m.parse().unwrap()).collect(),
        headers: vec![],
        cookies: vec![],
        query: vec![],
    };
    while let Some(kind) = words.next() {
        let condition = words.next().unwrap();
        let (name, wanted) = match condition.find(['=', '~']) {
            None => (condition, TextPattern::Present),
            Some(at) if condition[at..].starts_with('=') => {
                (&condition[..at], TextPattern::Exact(condition[at + 1..].into()))
            }
            Some(at) => (&condition[..at], TextPattern::Regex(regex(&condition[at + 1..]))),
        };
        match kind {
            "header" => matches.headers.push((HeaderName::try_from(name).unwrap(), wanted)),
            "cookie" => matches.cookies.push((name.into(), wanted)),
            "query" => matches.query.push((name.into(), wanted)),
            other => unreachable!("{other}"),
        }
    }
    matches
}

fn regex(text: &str) -> Regex {
    Regex::new(&format!("^(?:{text})$")).unwrap()
}

/// A request that was sent.
#[derive(Debug)]
pub(super) struct Sent {
    method: Method,
    host: String,
    path: String,
    query: Option<String>,
    pub headers: HeaderMap,
}

impl Sent {
    /// `GET shop.example/path?q=1`, and its field lines.
    pub fn new(line: &str, lines: &[(&str, &str)]) -> Sent {
        let (method, target) = line.split_once(' ').unwrap();
        let (target, query) =
            target.split_once('?').map_or((target, None), |(target, query)| (target, Some(query.to_owned())));
        let (host, path) = target.split_at(target.find(['/', '*']).unwrap());
        let line = |(name, value): &(&str, &str)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        Sent {
            method: method.parse().unwrap(),
            host: host.to_owned(),
            path: path.to_owned(),
            query,
            headers: HeaderMap::from_iter(lines.iter().map(line)),
        }
    }

    pub fn facts(&self) -> RequestFacts<'_> {
        RequestFacts {
            method: &self.method,
            scheme: Scheme::Http,
            host: (&*self.host).into(),
            path: (&*self.path).into(),
            query: self.query.as_deref(),
            headers: &self.headers,
            client_ip: [192, 0, 2, 1].into(),
            trusted: false,
            secured: None,
            listener: "main",
            token: Token::default(),
        }
    }
}
