//! Routes as configured: what they match and what they do.

use http::{HeaderName, HeaderValue, Method, StatusCode};
use regex::Regex;

use super::context::KeySource;
use super::service::{ServiceId, VersionId};
use super::shadow::ShadowRule;
use super::{Name, Place};

/// Which requests, and what becomes of them.
#[derive(Debug, Clone)]
pub struct Route {
    /// Unique.
    pub name: Name,
    /// What a request must have.
    pub matches: RouteMatch,
    /// What becomes of it.
    pub action: Action,
    /// The route's own list; none: the one under `context`.
    pub targeting_key: Option<Vec<KeySource>>,
    /// Whether who has no targeting key gets 401.
    pub requires_key: bool,
    /// How often one client may ask; none: no limit.
    pub rate_limit: Option<RateLimit>,
    /// Whether shared caches are told what an answer depends on.
    pub caching: Caching,
    /// Of the route as a whole, for messages about it.
    pub place: Place,
}

/// All parts must match; an absent part matches everything.
#[derive(Debug, Clone)]
pub struct RouteMatch {
    /// Any of them; empty: every host.
    pub hosts: Vec<HostPattern>,
    /// In the form in which paths are matched.
    pub path: PathPattern,
    /// Any of them; empty: every method.
    pub methods: Vec<Method>,
    /// All of them.
    pub headers: Vec<(HeaderName, TextPattern)>,
    /// All of them.
    pub cookies: Vec<(Name, TextPattern)>,
    /// All of them.
    pub query: Vec<(Name, TextPattern)>,
}

/// Lower case, without port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// This host.
    Exact(Name),
    /// `*.example.org` is kept as `.example.org`.
    Suffix(Name),
}

/// What the path must be.
#[derive(Debug, Clone)]
pub enum PathPattern {
    /// This path.
    Exact(Name),
    /// On segment borders, without a trailing slash: `/a` matches `/a` and `/a/b`, not `/ab`. `/` is kept as the empty text and matches all.
    Prefix(Name),
    /// Anchored at both ends.
    Regex(Regex),
}

/// What a header, cookie or query parameter must be.
#[derive(Debug, Clone)]
pub enum TextPattern {
    /// This text.
    Exact(Name),
    /// Anchored at both ends.
    Regex(Regex),
    /// Anything.
    Present,
}

/// What a route does.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "one a route, and most of them forward")]
pub enum Action {
    /// Sends it to a service.
    Forward(Forward),
    /// Sends the client elsewhere.
    Redirect(Redirect),
    /// Answers by itself.
    Respond(FixedResponse),
    /// Answers what OpenFeature clients ask.
    Ofrep(Ofrep),
}

/// How a request reaches its service.
#[derive(Debug, Clone)]
pub struct Forward {
    /// Where it goes.
    pub service: ServiceId,
    /// None: always the service's default version.
    pub version: Option<VersionRule>,
    /// Flags injected as headers, in the order written, each once.
    pub inject: Vec<FlagName>,
    /// Copies, in the order written.
    pub shadows: Vec<ShadowRule>,
    /// Changes of path and host.
    pub rewrite: Rewrite,
    /// Changes of what the service sees; never in the decisions' namespace.
    pub request_headers: HeaderEdits,
    /// Changes of what the client sees; never in the decisions' namespace.
    pub response_headers: HeaderEdits,
}

/// A flag named in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagName {
    /// Not empty.
    pub key: Name,
    /// Where it is named.
    pub place: Place,
}

/// Which version a flag's value names.
#[derive(Debug, Clone)]
pub struct VersionRule {
    /// The flag that decides.
    pub flag: FlagName,
    /// Any value, mapped; none: the string value is the version's name.
    pub values: Option<Vec<(serde_json::Value, VersionId)>>,
}

/// Changes of path and host on the way to a service.
#[derive(Debug, Clone, Default)]
pub struct Rewrite {
    /// Replaces what the route's prefix matched (only with a prefix match); without a trailing slash.
    pub prefix: Option<Name>,
    /// Replaces the host; with or without a port.
    pub host: Option<Name>,
}

/// Applied in this order: rename, remove, set, add.
#[derive(Debug, Clone, Default)]
pub struct HeaderEdits {
    /// Every field of the first name gets the second one, in place of what had it.
    pub rename: Vec<(HeaderName, HeaderName)>,
    /// Every field of that name goes.
    pub remove: Vec<HeaderName>,
    /// One field in place of all of that name.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// One field more.
    pub add: Vec<(HeaderName, HeaderValue)>,
}

/// `Location` is made of the parts given; absent ones are the request's own.
#[derive(Debug, Clone)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308; default 302.
    pub status: StatusCode,
    /// `http` or `https`.
    pub scheme: Option<Name>,
    /// Without port.
    pub host: Option<Name>,
    /// Not 0.
    pub port: Option<u16>,
    /// What is done to the path.
    pub path: Option<RedirectPath>,
}

/// The path of a redirect.
#[derive(Debug, Clone)]
pub enum RedirectPath {
    /// Replaces the whole path; the query is kept.
    Full(Name),
    /// Replaces what the route's prefix matched (only with a prefix match); without a trailing slash.
    Prefix(Name),
}

/// An answer by the gateway itself.
#[derive(Debug, Clone)]
pub struct FixedResponse {
    /// 200 to 599.
    pub status: StatusCode,
    /// Without those that frame a message.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Empty for 204, 205 and 304.
    pub body: Name,
}

/// What OpenFeature clients may ask on a route (OFREP).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ofrep {
    /// What they may see; default none.
    pub flags: Shown,
    /// One of these must be sent, as `Authorization: Bearer` or `X-API-Key`; empty: nobody is asked. They are identifiers, not secrets.
    pub keys: Vec<Name>,
    /// Exact origins whose pages may read the answers (CORS).
    pub origins: Vec<HeaderValue>,
    /// Whether the request's own headers and cookies, and its targeting key, win over what the body claims; default true.
    pub enrich: bool,
    /// Bytes of a body; default 64 KiB.
    pub max_body: usize,
    /// Requests a second of one client address, over a time; none: no limit. Default 50, at most 100 at once.
    pub rate: Option<Rate>,
    /// Event streams that may be open at once; 0: none are offered. Default 10,000.
    pub streams: usize,
    /// What is answered where a flag has no value.
    pub valueless: Valueless,
}

/// Flags that a door shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Every flag.
    All,
    /// These, in the order written, each once.
    Only(Vec<FlagName>),
}

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens that come in a second; not 0.
    pub per_second: std::num::NonZeroU32,
    /// Tokens that may be there at once; not 0.
    pub burst: std::num::NonZeroU32,
}

/// How often one client may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// Who is one client.
    pub by: RateBy,
    /// How often it may ask.
    pub rate: Rate,
}

/// Who is one client. Whoever has no key, or not that header once, is known by the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RateBy {
    /// An address; of IPv6, the /64.
    ClientIp,
    /// A targeting key.
    TargetingKey,
    /// The value of a header.
    Header(HeaderName),
}

/// How an answer without a value (disabled, or no default variant) is told to clients that ask for one flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Valueless {
    /// 200 without `value`, as OFREP has it.
    #[default]
    Omit,
    /// 404 FLAG_NOT_FOUND, for clients that take a 200 without a value for an error of the gateway: they use their default either way.
    NotFound,
}

/// What is done so that shared caches never mix variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Caching {
    /// `Vary` names what decided, or the answer is `private`.
    #[default]
    Auto,
    /// Nothing.
    Off,
}
