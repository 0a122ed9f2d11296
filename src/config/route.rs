//! Routes as configured: what they match and what they do.

use http::{HeaderName, HeaderValue, Method, StatusCode};
use regex::Regex;

use super::context::KeySource;
use super::service::{ServiceId, VersionId};
use super::{Name, Place};

#[derive(Debug, Clone)]
pub struct Route {
    pub name: Name,
    pub matches: RouteMatch,
    pub action: Action,
    /// The route's own list; none: the one under `context`.
    pub targeting_key: Option<Vec<KeySource>>,
    pub caching: Caching,
    /// Of the route as a whole, for messages about it.
    pub place: Place,
}

/// All parts must match; an absent part matches everything.
#[derive(Debug, Clone)]
pub struct RouteMatch {
    /// Any of them; empty: every host.
    pub hosts: Vec<HostPattern>,
    pub path: PathPattern,
    /// Any of them; empty: every method.
    pub methods: Vec<Method>,
    pub headers: Vec<(HeaderName, TextPattern)>,
    pub cookies: Vec<(Name, TextPattern)>,
    pub query: Vec<(Name, TextPattern)>,
}

/// Lower case, without port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    Exact(Name),
    /// `*.example.org` is kept as `.example.org`.
    Suffix(Name),
}

#[derive(Debug, Clone)]
pub enum PathPattern {
    Exact(Name),
    /// On segment borders, without a trailing slash: `/a` matches `/a` and `/a/b`, not `/ab`. `/` is kept as the empty text and matches all.
    Prefix(Name),
    /// Anchored at both ends.
    Regex(Regex),
}

#[derive(Debug, Clone)]
pub enum TextPattern {
    Exact(Name),
    Regex(Regex),
    Present,
}

#[derive(Debug, Clone)]
pub enum Action {
    Forward(Forward),
    Redirect(Redirect),
    Respond(FixedResponse),
}

#[derive(Debug, Clone)]
pub struct Forward {
    pub service: ServiceId,
    /// None: always the service's default version.
    pub version: Option<VersionRule>,
    /// Flags injected as headers, in the order written.
    pub inject: Vec<FlagName>,
    pub rewrite: Rewrite,
    pub request_headers: HeaderEdits,
    pub response_headers: HeaderEdits,
}

/// A flag named in the configuration.
#[derive(Debug, Clone)]
pub struct FlagName {
    pub key: Name,
    pub place: Place,
}

/// Which version a flag's value names.
#[derive(Debug, Clone)]
pub struct VersionRule {
    pub flag: FlagName,
    /// Any value, mapped; none: the string value is the version's name.
    pub values: Option<Vec<(serde_json::Value, VersionId)>>,
}

#[derive(Debug, Clone, Default)]
pub struct Rewrite {
    /// Replaces what the route's prefix matched (only with a prefix match); without a trailing slash.
    pub prefix: Option<Name>,
    pub host: Option<Name>,
}

/// Applied in this order: remove, set, add.
#[derive(Debug, Clone, Default)]
pub struct HeaderEdits {
    pub remove: Vec<HeaderName>,
    pub set: Vec<(HeaderName, HeaderValue)>,
    pub add: Vec<(HeaderName, HeaderValue)>,
}

/// `Location` is made of the parts given; absent ones are the request's own.
#[derive(Debug, Clone)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308; default 302.
    pub status: StatusCode,
    pub scheme: Option<Name>,
    pub host: Option<Name>,
    pub port: Option<u16>,
    pub path: Option<RedirectPath>,
}

#[derive(Debug, Clone)]
pub enum RedirectPath {
    /// Replaces the whole path; the query is kept.
    Full(Name),
    /// Replaces what the route's prefix matched.
    Prefix(Name),
}

#[derive(Debug, Clone)]
pub struct FixedResponse {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Name,
}

/// What is done so that shared caches never mix variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Caching {
    #[default]
    Auto,
    Off,
}
