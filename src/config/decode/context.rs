//! Decodes what a targeting can read.

use std::time::Duration;

use http::HeaderName;

use super::headers::{cookie_name, header_name};
use super::jwt::{JWT, JWT_SOURCE, claim_of_token, claim_source, jwt, secrets};
use super::scalar::{boolean, choice, duration, network, words};
use super::{Decoder, Elsewhere, Item};
use crate::config::context::{
    Attribute, AttributeSource, AttributeType, Context, KeySource, Mint, SameSite, VisitorCookie,
};
use crate::config::reference::{Object, Rule, Type, default, optional, required};
use crate::config::{Name, Problem, Severity};

pub static CONTEXT: Object = Object {
    title: "Context",
    doc: "What a targeting can read besides the built-in attributes.",
    keys: &[
        default(
            "trusted_proxies",
            Type::List(&Type::Network),
            "[]",
            "Whose `X-Forwarded-*` and `trusted: true` headers count.",
        ),
        default(
            "targeting_key",
            KEY_SOURCES,
            "[]",
            "Who a decision sticks to: the first source that is present wins. Empty: nobody has a key.",
        ),
        default(
            "attributes",
            Type::Map(&Type::Attribute, &Type::Object(&ATTRIBUTE)),
            "{}",
            "Attributes by name: `country: {header: cf-ipcountry}`.",
        ),
        optional("jwt", Type::Object(&JWT), "The token that keys and attributes may be claims of."),
    ],
    rules: &[],
    later: &[],
};

/// One source, or a list of them.
pub const KEY_SOURCES: Type =
    Type::Either(&Type::Object(&KEY_SOURCE), &Type::List(&Type::Object(&KEY_SOURCE)));

pub static KEY_SOURCE: Object = Object {
    title: "Key source",
    doc: "Where a targeting key can come from.",
    keys: &[
        optional("header", Type::Either(&Type::HeaderName, &Type::Object(&HEADER)), "A request header."),
        optional("cookie", Type::CookieName, "A cookie."),
        optional("query", Type::Text, "A query parameter."),
        optional(
            "visitor_cookie",
            Type::Object(&VISITOR_COOKIE),
            "A cookie that Flagway mints for who has no other key.",
        ),
        optional(
            "jwt",
            Type::Either(&Type::Text, &Type::Object(&JWT_SOURCE)),
            "A claim of the verified token, such as `sub`.",
        ),
    ],
    rules: &[Rule::ExactlyOne(&["header", "cookie", "query", "visitor_cookie", "jwt"])],
    later: &[],
};

pub static HEADER: Object = Object {
    title: "Header source",
    doc: "A request header, in its long form.",
    keys: &[
        required("name", Type::HeaderName, "The header."),
        default("trusted", Type::Bool, "false", "Whether it counts only when a trusted proxy sends it."),
    ],
    rules: &[],
    later: &[],
};

pub static VISITOR_COOKIE: Object = Object {
    title: "Visitor cookie",
    doc: "A cookie with 128 random bits, minted when a flag of the route needs a key and the request has none.",
    keys: &[
        default("name", Type::CookieName, "__Host-fw_vid", "Its name; on plain HTTP without the `__Host-`."),
        default(
            "max_age",
            Type::Duration { zero: false },
            "90d",
            "How long it lives; renewed at half its life.",
        ),
        optional("domain", Type::Host, "The domain it is for; the host that was asked if absent."),
        default("partitioned", Type::Bool, "false", "Whether each site that embeds this one has its own."),
        default(
            "same_site",
            Type::Choice(&["strict", "lax", "none"]),
            "lax",
            "Whether other sites' requests carry it.",
        ),
        default(
            "mint",
            Type::Choice(&["navigation", "always"]),
            "navigation",
            "On which requests it is minted: page loads, or all.",
        ),
        optional(
            "signed_by",
            Type::List(&Type::Secret),
            "Secrets: the first signs, all verify. A cookie that none of them signed counts as none.",
        ),
        default(
            "adopt_unsigned",
            Type::Bool,
            "false",
            "Whether cookies from before it was signed count, and are signed then. Meanwhile anyone can choose an id.",
        ),
    ],
    rules: &[],
    later: &[],
};

pub static ATTRIBUTE: Object = Object {
    title: "Attribute",
    doc: "Where an attribute comes from, and its type. A value that is not of the type is absent.",
    keys: &[
        optional("header", Type::Either(&Type::HeaderName, &Type::Object(&HEADER)), "A request header."),
        optional("cookie", Type::CookieName, "A cookie."),
        optional("query", Type::Text, "A query parameter."),
        default(
            "type",
            Type::Choice(&["string", "number", "boolean"]),
            "string",
            "What a targeting sees it as.",
        ),
        optional(
            "jwt",
            Type::Text,
            "A claim of the verified token, by name, by path (`org.plan`) or JSON pointer; as it is in the token if no `type` is written.",
        ),
    ],
    rules: &[Rule::ExactlyOne(&["header", "cookie", "query", "jwt"])],
    later: &[],
};

pub fn context(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Context> {
    let mut fields = decoder.fields(item)?;
    let trusted_proxies = fields.get("trusted_proxies", decoder, |item, decoder| decoder.list(item, network));
    let targeting_key = fields.get("targeting_key", decoder, key_sources);
    let attributes = fields.get("attributes", decoder, |item, decoder| decoder.map(item, attribute));
    let own = fields.get("jwt", decoder, jwt);
    let mut tokens = std::mem::take(&mut decoder.tokens).into_iter();
    // Beside the key itself no other place may describe it.
    let jwt = own
        .or_else(|| if fields.given("jwt").is_none() { tokens.next().map(|(token, _)| token) } else { None });
    tokens.for_each(|(_, problem)| decoder.report(problem));
    Some(Context {
        jwt,
        trusted_proxies: trusted_proxies?,
        targeting_key: targeting_key?,
        attributes: attributes?,
    })
}

/// Sources of a targeting key, in order.
pub fn key_sources(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Vec<KeySource>> {
    let item = &item.form();
    if matches!(item.is, Type::Object(_)) {
        return Some(vec![key_source(item, decoder)?]);
    }
    let mut seen: Vec<KeySource> = Vec::new();
    decoder.list(item, |item, decoder| {
        let source = key_source(item, decoder)?;
        let visitor = |source: &KeySource| matches!(source, KeySource::Visitor(_));
        if seen.contains(&source) || (visitor(&source) && seen.iter().any(visitor)) {
            decoder.report(item.problem("this source stands twice").with_expected("each source once"));
        }
        seen.push(source.clone());
        Some(source)
    })
}

fn key_source(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<KeySource> {
    let mut fields = decoder.fields(item)?;
    let header = fields.get("header", decoder, header);
    let cookie = fields.get("cookie", decoder, cookie_name);
    let query = fields.get("query", decoder, words);
    let visitor = fields.get("visitor_cookie", decoder, visitor_cookie);
    let claim = fields.get("jwt", decoder, claim_source);
    header
        .map(|(name, trusted)| KeySource::Header { name, trusted })
        .or(cookie.map(KeySource::Cookie))
        .or(query.map(KeySource::Query))
        .or(visitor.map(KeySource::Visitor))
        .or(claim.map(KeySource::Jwt))
}

/// The header, and whether only a trusted proxy's word counts.
fn header(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<(HeaderName, bool)> {
    let item = item.form();
    if !matches!(item.is, Type::Object(_)) {
        return Some((header_name(&item, decoder)?, false));
    }
    let mut fields = decoder.fields(&item)?;
    let name = fields.get("name", decoder, header_name);
    let trusted = fields.get("trusted", decoder, boolean);
    if let (Some(true), Some(item)) = (trusted, fields.given("trusted")) {
        let problem = item.problem("this header never counts: no proxy is trusted");
        let problem = problem.with_expected("a network in `context.trusted_proxies`");
        decoder.unless.push((Elsewhere::TrustedProxies, Problem { severity: Severity::Warning, ..problem }));
    }
    Some((name?, trusted?))
}

fn visitor_cookie(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<VisitorCookie> {
    let mut fields = decoder.fields(item)?;
    let name: Option<Name> = fields.get("name", decoder, cookie_name);
    let max_age: Option<Duration> = fields.get("max_age", decoder, duration);
    let domain = fields.get("domain", decoder, super::headers::host);
    let partitioned = fields.get("partitioned", decoder, boolean);
    let same_site = fields.get("same_site", decoder, |item, decoder| {
        choice(
            item,
            decoder,
            [("strict", SameSite::Strict), ("lax", SameSite::Lax), ("none", SameSite::None)],
        )
    });
    let mint = fields.get("mint", decoder, |item, decoder| {
        choice(item, decoder, [("navigation", Mint::Navigation), ("always", Mint::Always)])
    });
    let signed_by = fields.get("signed_by", decoder, secrets);
    let adopt_unsigned = fields.get("adopt_unsigned", decoder, boolean);
    if adopt_unsigned == Some(true)
        && fields.given("signed_by").is_none()
        && let Some(item) = fields.given("adopt_unsigned")
    {
        let problem = item.problem("`adopt_unsigned` for a cookie that is not signed at all");
        decoder.report(problem.with_expected("`signed_by` beside it"));
    }
    let secure =
        [("same_site", same_site == Some(SameSite::None)), ("partitioned", partitioned == Some(true))];
    for (key, _) in secure.into_iter().filter(|(_, needed)| *needed) {
        // Neither is so by default.
        let Some(item) = fields.given(key) else { continue };
        let problem = item.problem(format!("browsers refuse `{key}: {}` over plain HTTP", item.node.text()));
        let problem = problem
            .with_expected("a listener with `tls`, or a proxy in `context.trusted_proxies` that has it");
        decoder.unless.push((Elsewhere::Tls, problem));
    }
    let (name, domain_item) = (name?, fields.given("domain"));
    if let Some(domain) = domain_item.filter(|_| is_host_only(&name)) {
        let problem = domain.problem(format!("the cookie `{name}` cannot have a domain"));
        let problem = problem.with_expected("no `domain`: browsers refuse a `__Host-` cookie that has one");
        decoder.report(problem.with_fix("choose a name without `__Host-`, or remove `domain`"));
    }
    let max_age = max_age?;
    if max_age > Duration::from_secs(400 * 24 * 3600)
        && let Some(item) = fields.given("max_age")
    {
        let problem = item.problem("browsers keep no cookie for that long");
        decoder.report(Problem { severity: Severity::Warning, ..problem.with_expected("at most 400 days") });
    }
    Some(VisitorCookie {
        name,
        max_age,
        domain,
        partitioned: partitioned?,
        same_site: same_site?,
        mint: mint?,
        signed_by: signed_by.unwrap_or_default(),
        adopt_unsigned: adopt_unsigned?,
    })
}

/// Browsers compare the prefix without regard to case.
fn is_host_only(name: &str) -> bool {
    name.get(..7).is_some_and(|prefix| prefix.eq_ignore_ascii_case("__Host-"))
}

fn attribute(key: &Item<'_>, item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Attribute> {
    let name = words(key, decoder);
    if let Some(name) = &name {
        let built_in = BUILT_IN.contains(&&**name);
        let prefixed =
            ["header.", "cookie.", "query.", "tls.", "$flagd"].iter().any(|prefix| name.starts_with(prefix));
        if built_in || prefixed {
            let problem = key.problem(format!("`{name}` is a built-in attribute"));
            decoder.report(problem.with_expected("a name of its own").with_fix("choose another name"));
        }
    }
    let mut fields = decoder.fields(item)?;
    let header = fields.get("header", decoder, header);
    let cookie = fields.get("cookie", decoder, cookie_name);
    let query = fields.get("query", decoder, words);
    let claim = fields.get("jwt", decoder, claim_of_token);
    let typed = fields.given("type").is_some();
    let kind = fields.get("type", decoder, |item, decoder| {
        let words = [
            ("string", AttributeType::String),
            ("number", AttributeType::Number),
            ("boolean", AttributeType::Boolean),
        ];
        choice(item, decoder, words)
    });
    let from = header
        .map(|(name, trusted)| AttributeSource::Header { name, trusted })
        .or(cookie.map(AttributeSource::Cookie))
        .or(query.map(AttributeSource::Query))
        .or(claim.map(|claim| AttributeSource::Jwt { claim, typed }));
    Some(Attribute { name: name?, from: from?, kind: kind?, place: key.place.clone() })
}

/// Attributes that every request has.
const BUILT_IN: [&str; 13] = [
    "targetingKey",
    "method",
    "scheme",
    "host",
    "path",
    "query",
    "header",
    "cookie",
    "client_ip",
    "user_agent",
    "route",
    "listener",
    "tls",
];
