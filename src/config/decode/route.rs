//! Decodes routes: a match, an action, and what flags decide about it.

use http::Method;

use super::context::{KEY_SOURCES, key_sources};
use super::headers::{EDITS, authority, edits, host, http_path, pairs};
use super::matches::{MATCH, matches, prefix};
use super::ofrep::{OFREP, ofrep};
use super::rate_limit::{RATE_LIMIT, rate_limit};
use super::scalar::{boolean, choice, integer, name, shown, status, text};
use super::service::{Names, service_named};
use super::shadow::{SHADOW, shadows};
use super::version::{VERSION_RULE, flag_name, version_rule};
use super::{Decoder, Item};
use crate::config::reference::{Object, Rule, Type, default, optional, required};
use crate::config::route::{
    Action, Caching, FixedResponse, FlagName, Forward, PathPattern, Redirect, RedirectPath, Rewrite, Route,
};
use crate::config::{Injection, Name, Paths, Problem, Severity};

pub static ROUTE: Object = Object {
    title: "Route",
    doc: "What a request must match, and where it goes then. The most specific match wins, whatever the order in the file.",
    keys: &[
        required("name", Type::Name, "What `route` is in a targeting and in telemetry."),
        default("match", Type::Object(&MATCH), "{}", "What a request must have."),
        optional("service", Type::Name, "Forwards to this service."),
        optional("redirect", Type::Object(&REDIRECT), "Answers with a redirect."),
        optional("respond", Type::Object(&RESPOND), "Answers by itself."),
        optional("ofrep", Type::Object(&OFREP), "Answers what OpenFeature clients ask."),
        optional(
            "version",
            Type::Object(&VERSION_RULE),
            "The flag that names the version; always the default version if absent.",
        ),
        optional("inject", Type::List(&Type::FlagKey), "Flags that travel to the service as headers."),
        optional("shadows", Type::List(&Type::Object(&SHADOW)), "Copies of its requests, as flags decide."),
        optional("rewrite", Type::Object(&REWRITE), "Changes path and host on the way to the service."),
        optional("request_headers", Type::Object(&EDITS), "Changes what the service sees."),
        optional("response_headers", Type::Object(&EDITS), "Changes what the client sees."),
        optional("targeting_key", KEY_SOURCES, "The route's own list, instead of `context.targeting_key`."),
        default(
            "require_key",
            Type::Bool,
            "false",
            "Whether who has no targeting key gets 401. Of use where keys are verified: a token, a signed cookie, a trusted header.",
        ),
        optional("rate_limit", Type::Object(&RATE_LIMIT), "How often one client may ask: 429 beyond."),
        default(
            "caching",
            Type::Choice(&["auto", "off"]),
            "auto",
            "`auto` keeps shared caches from mixing versions, by `Vary` and `Cache-Control`; `off` changes nothing.",
        ),
    ],
    rules: &[
        Rule::ExactlyOne(&["service", "redirect", "respond", "ofrep"]),
        Rule::Only(
            &["version", "inject", "shadows", "rewrite", "request_headers", "response_headers", "caching"],
            &["service"],
        ),
        Rule::Only(&["require_key"], &["service"]),
        Rule::Only(&["rate_limit"], &["service", "redirect", "respond"]),
        Rule::Only(&["targeting_key"], &["service", "ofrep"]),
    ],
    later: &[],
};

pub static REWRITE: Object = Object {
    title: "Rewrite",
    doc: "Changes of path and host on the way to the service.",
    keys: &[
        optional("prefix", Type::HttpPath, "Replaces what `path_prefix` matched."),
        optional("host", Type::Authority, "Replaces the `Host`."),
    ],
    rules: &[Rule::AtLeastOne(&["prefix", "host"])],
    later: &[],
};

pub static REDIRECT: Object = Object {
    title: "Redirect",
    doc: "`Location` is made of the parts given; absent ones are the request's own. The query is kept.",
    keys: &[
        default("status", Type::Status(&[301, 302, 303, 307, 308]), "302", "The status."),
        optional("scheme", Type::Choice(&["http", "https"]), "The scheme."),
        optional("host", Type::Host, "The host."),
        optional("port", Type::Integer { min: 1, max: 65535 }, "The port."),
        optional("path", Type::HttpPath, "The whole path."),
        optional("prefix", Type::HttpPath, "Replaces what `path_prefix` matched."),
    ],
    rules: &[
        Rule::AtMostOne(&["path", "prefix"]),
        Rule::AtLeastOne(&["scheme", "host", "port", "path", "prefix"]),
    ],
    later: &[],
};

pub static RESPOND: Object = Object {
    title: "Fixed response",
    doc: "An answer by the gateway itself.",
    keys: &[
        default("status", Type::Status(&[]), "200", "The status."),
        default("body", Type::Text, "\"\"", "The body."),
        default("headers", Type::Map(&Type::HeaderName, &Type::HeaderValue), "{}", "The headers."),
    ],
    rules: &[],
    later: &[],
};

/// What routes refer to.
pub struct Surroundings<'a> {
    pub names: &'a Names,
    pub injection: &'a Injection,
    pub paths: Paths,
}

/// All routes; at least one, each with a name of its own.
pub fn routes(item: &Item<'_>, decoder: &mut Decoder<'_>, around: &Surroundings<'_>) -> Option<Vec<Route>> {
    if item.node.list().is_some_and(<[_]>::is_empty) {
        decoder.report(item.problem("there is no route").with_expected("at least one"));
    }
    let mut seen: Vec<(Name, u32)> = Vec::new();
    decoder.list(item, |item, decoder| {
        let mut fields = decoder.fields(item)?;
        let name = fields.get("name", decoder, |item, decoder| {
            let name = name(item, decoder)?;
            if let Some((_, line)) = seen.iter().find(|(other, _)| *other == name) {
                let problem = item.problem(format!("the route {} stands twice", shown(item)));
                let fix = format!("rename one of them; the first is in line {line}");
                decoder.report(problem.with_expected("each name once").with_fix(fix));
            }
            seen.push((name.clone(), item.place.line));
            Some(name)
        });
        let matches = fields.get("match", decoder, |item, decoder| matches(item, decoder, around.paths));
        let is_prefix = matches.as_ref().is_none_or(|matches| matches!(matches.path, PathPattern::Prefix(_)));
        let methods = matches.as_ref().map_or(&[][..], |matches| &matches.methods);
        let forward = forward(&mut fields, decoder, around, is_prefix, methods);
        let redirect = fields.get("redirect", decoder, |item, decoder| redirect(item, decoder, is_prefix));
        let respond =
            fields.get("respond", decoder, |item, decoder| respond(item, decoder, around.injection));
        let ofrep = fields.get("ofrep", decoder, |item, decoder| ofrep(item, decoder, matches.as_ref()));
        let targeting_key = fields.get("targeting_key", decoder, key_sources);
        let caching = fields.get("caching", decoder, |item, decoder| {
            choice(item, decoder, [("auto", Caching::Auto), ("off", Caching::Off)])
        });
        let requires_key = fields.get("require_key", decoder, boolean);
        let rate_limit = fields.get("rate_limit", decoder, rate_limit);
        let action = forward
            .map(Action::Forward)
            .or(redirect.map(Action::Redirect))
            .or(respond.map(Action::Respond))
            .or(ofrep.map(Action::Ofrep));
        Some(Route {
            name: name?,
            matches: matches?,
            action: action?,
            targeting_key,
            requires_key: requires_key?,
            rate_limit,
            caching: caching?,
            place: item.value_place(),
        })
    })
}

fn forward(
    fields: &mut super::fields::Fields<'_>,
    decoder: &mut Decoder<'_>,
    around: &Surroundings<'_>,
    is_prefix: bool,
    methods: &[Method],
) -> Option<Forward> {
    let service = fields.get("service", decoder, |item, decoder| service_named(item, decoder, around.names));
    let version =
        fields.get("version", decoder, |item, decoder| version_rule(item, decoder, around.names, service));
    let inject = fields.get("inject", decoder, flag_names);
    let shadows =
        fields.get("shadows", decoder, |item, decoder| shadows(item, decoder, around, service, methods));
    let rewrite = fields.get("rewrite", decoder, |item, decoder| rewrite(item, decoder, is_prefix));
    let request_headers =
        fields.get("request_headers", decoder, |item, decoder| edits(item, decoder, around.injection));
    let response_headers =
        fields.get("response_headers", decoder, |item, decoder| edits(item, decoder, around.injection));
    Some(Forward {
        service: service?,
        version,
        inject: inject.unwrap_or_default(),
        shadows: shadows.unwrap_or_default(),
        rewrite: rewrite.unwrap_or_default(),
        request_headers: request_headers.unwrap_or_default(),
        response_headers: response_headers.unwrap_or_default(),
    })
}

/// Names of flags, each once.
pub fn flag_names(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Vec<FlagName>> {
    let mut seen: Vec<Name> = Vec::new();
    decoder.list(item, |item, decoder| {
        let flag = flag_name(item, decoder)?;
        if seen.contains(&flag.key) {
            let problem = item.problem(format!("the flag {} stands twice", shown(item)));
            let problem = Problem { severity: Severity::Warning, ..problem.with_expected("each flag once") };
            decoder.report(problem);
            return None;
        }
        seen.push(flag.key.clone());
        Some(flag)
    })
}

fn rewrite(item: &Item<'_>, decoder: &mut Decoder<'_>, is_prefix: bool) -> Option<Rewrite> {
    let mut fields = decoder.fields(item)?;
    let prefix = fields.get("prefix", decoder, |item, decoder| replacement(item, decoder, is_prefix));
    let host = fields.get("host", decoder, authority);
    Some(Rewrite { prefix, host })
}

/// What is put in place of a matched prefix: there must be one.
fn replacement(item: &Item<'_>, decoder: &mut Decoder<'_>, is_prefix: bool) -> Option<Name> {
    if !is_prefix {
        let problem = item.problem(format!("`{}` without a prefix that it replaces", item.key));
        decoder.report(problem.with_expected("a route that matches by `path_prefix`"));
    }
    prefix(item, decoder, Paths::AsReceived)
}

fn redirect(item: &Item<'_>, decoder: &mut Decoder<'_>, is_prefix: bool) -> Option<Redirect> {
    let mut fields = decoder.fields(item)?;
    let status = fields.get("status", decoder, status);
    let scheme = fields.get("scheme", decoder, |item, decoder| {
        choice(item, decoder, [("http", "http"), ("https", "https")])
    });
    let host = fields.get("host", decoder, host);
    let port = fields.get("port", decoder, integer);
    let path = fields.get("path", decoder, http_path).map(RedirectPath::Full);
    let prefix = fields
        .get("prefix", decoder, |item, decoder| replacement(item, decoder, is_prefix))
        .map(RedirectPath::Prefix);
    Some(Redirect { status: status?, scheme: scheme.map(Name::from), host, port, path: path.or(prefix) })
}

fn respond(item: &Item<'_>, decoder: &mut Decoder<'_>, injection: &Injection) -> Option<FixedResponse> {
    let mut fields = decoder.fields(item)?;
    let status = fields.get("status", decoder, status);
    let body = fields.get("body", decoder, text);
    let headers = fields.get("headers", decoder, |item, decoder| pairs(item, decoder, injection));
    let (status, body) = (status?, body?);
    if matches!(status.as_u16(), 204 | 205 | 304) && !body.is_empty() {
        decoder.report(
            item.problem(format!("a body beside the status {}", status.as_u16())).with_expected("no `body`"),
        );
    }
    Some(FixedResponse { status, headers: headers?, body })
}
