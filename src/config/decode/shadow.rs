//! Decodes shadows: which requests are copied, to what, and how a copy differs from its original.

use http::{HeaderName, Method};

use super::compare::{COMPARE, compare};
use super::headers::{EDITS, authority, editable, edits, pairs};
use super::route::Surroundings;
use super::scalar::{choice, duration, integer, method, shown, size};
use super::service::{service_named, version_named};
use super::version::{flag_name, values};
use super::{Decoder, Item};
use crate::config::reference::{Object, Rule, Type, default, one_of, optional, required};
use crate::config::route::HeaderEdits;
use crate::config::service::ServiceId;
use crate::config::shadow::{Breaker, SafeWrites, ShadowLimits, ShadowRule};
use crate::config::{Injection, Name, Problem, Severity};

pub static LIMITS: Object = Object {
    title: "Shadow limits",
    doc: "Bounds on all shadows together. Where one is reached, copies are dropped and counted; no request ever waits.",
    keys: &[
        default(
            "max_bytes",
            Type::Size { min: 64 << 10, max: 64 << 30 },
            "64MiB",
            "Bytes of requests and answers that are held for copying and comparing.",
        ),
        default(
            "queue",
            Type::Integer { min: 1, max: 1_000_000 },
            "1024",
            "Copies that may wait to be sent.",
        ),
        default("max_in_flight", Type::Integer { min: 1, max: 100_000 }, "256", "Copies under way at once."),
        default(
            "max_fields",
            Type::Integer { min: 10, max: 100_000 },
            "500",
            "Differing fields that are told apart for each shadow; what comes later is counted as `other`.",
        ),
    ],
    rules: &[],
    later: &[],
};

pub static SHADOW: Object = Object {
    title: "Shadow",
    doc: "A copy of a request to another version. Its answer is compared and thrown away; the client never waits for it.",
    keys: &[
        required(
            "flag",
            Type::FlagKey,
            "The flag that decides; without `values`, its string value is the version's name, or `none` for no copy.",
        ),
        optional(
            "values",
            Type::Map(&Type::Value, &Type::Name),
            "Versions by the flag's value, `none` for no copy: `{true: canary, false: none}`.",
        ),
        optional("service", Type::Name, "The service whose versions get copies; the route's own if absent."),
        default(
            "methods",
            Type::List(&Type::Method),
            "[GET, HEAD, OPTIONS]",
            "Methods that are copied. To list another one says that its repetition is safe.",
        ),
        optional(
            "writes",
            Type::Object(&WRITES),
            "What makes any other method safe to copy; none is copied if absent.",
        ),
        optional("request_headers", Type::Object(&EDITS), "Changes the copy's headers."),
        optional("host", Type::Authority, "Replaces the copy's `Host`."),
        default(
            "credentials",
            Type::Choice(&["keep", "drop"]),
            "keep",
            "Whether the copy has `authorization` and `proxy-authorization`.",
        ),
        default("cookies", Type::Choice(&["keep", "drop"]), "keep", "Whether the copy has `cookie`."),
        default(
            "timeout",
            Type::Duration { zero: false },
            "5s",
            "For the whole copy, from its first byte sent to the last one of its answer.",
        ),
        default("max_in_flight", Type::Integer { min: 1, max: 100_000 }, "64", "Copies under way at once."),
        default(
            "max_body",
            Type::Size { min: 0, max: 1 << 30 },
            "256KiB",
            "Bytes of a request's body; a request with a longer one is not copied at all.",
        ),
        default(
            "max_answer",
            Type::Size { min: 0, max: 1 << 40 },
            "16MiB",
            "Bytes of an answer's body that are read; with more, the copy has failed.",
        ),
        default("breaker", Type::Object(&BREAKER), "{}", "When a failing version gets a rest."),
        default("compare", Type::Object(&COMPARE), "{}", "How answers are compared."),
    ],
    rules: &[],
    later: &[],
};

pub static WRITES: Object = Object {
    title: "Safe writes",
    doc: "What makes a write safe to copy.",
    keys: &[
        optional(
            "keyed_by",
            Type::HeaderName,
            "Requests with this header are copied: by it, the service knows a repetition.",
        ),
        optional(
            "dry_run",
            Type::Map(&Type::HeaderName, &Type::HeaderValue),
            "Headers that the copy is given; by them, the service leaves everything as it is.",
        ),
    ],
    rules: &[Rule::ExactlyOne(&["keyed_by", "dry_run"])],
    later: &[],
};

pub static BREAKER: Object = Object {
    title: "Breaker",
    doc: "When a failing version gets a rest from copies. Main traffic never looks at it.",
    keys: &[
        default(
            "failures",
            Type::Integer { min: 1, max: 1_000_000 },
            "5",
            "Failures in a row after which no copy is sent.",
        ),
        default("rest", Type::Duration { zero: false }, "10s", "For how long; then one copy tries."),
    ],
    rules: &[],
    later: &[],
};

pub fn limits(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<ShadowLimits> {
    if item.node.list().is_some() {
        let problem = item.problem("`shadows` is a list").with_expected("a map of bounds on all shadows");
        decoder.report(problem.with_fix("list the shadows of a route under its own `shadows`"));
        return None;
    }
    let mut fields = decoder.fields(item)?;
    let max_bytes = fields.get("max_bytes", decoder, size);
    let queue = fields.get("queue", decoder, integer);
    let max_in_flight = fields.get("max_in_flight", decoder, integer);
    let max_fields = fields.get("max_fields", decoder, integer);
    Some(ShadowLimits {
        max_bytes: max_bytes?,
        queue: queue?,
        max_in_flight: max_in_flight?,
        max_fields: max_fields?,
    })
}

/// A route's shadows. `own` is the route's service, `matched` are the methods that it matches; empty: every one.
pub fn shadows(
    item: &Item<'_>,
    decoder: &mut Decoder<'_>,
    around: &Surroundings<'_>,
    own: Option<ServiceId>,
    matched: &[Method],
) -> Option<Vec<ShadowRule>> {
    let mut seen: Vec<(Name, ServiceId, u32)> = Vec::new();
    decoder.list(item, |item, decoder| {
        let shadow = shadow(item, decoder, around, own, matched)?;
        let (flag, service) = (&shadow.flag, shadow.service);
        if let Some((_, _, line)) = seen.iter().find(|(key, id, _)| *key == flag.key && *id == service) {
            let (service, _) = around.names.of(Some(service));
            let found = format!("the flag `{}` names a copy to `{service}` twice", flag.key);
            let problem = Problem { place: Some(flag.place.clone()), ..item.problem(found) };
            let fix = format!("remove one of the two; the first is in line {line}");
            decoder.report(problem.with_expected("each flag once for each service").with_fix(fix));
        }
        seen.push((flag.key.clone(), service, flag.place.line));
        Some(shadow)
    })
}

fn shadow(
    item: &Item<'_>,
    decoder: &mut Decoder<'_>,
    around: &Surroundings<'_>,
    own: Option<ServiceId>,
    matched: &[Method],
) -> Option<ShadowRule> {
    let mut fields = decoder.fields(item)?;
    let flag = fields.get("flag", decoder, flag_name);
    let service = match fields.given("service") {
        Some(item) => service_named(&item, decoder, around.names),
        None => own,
    };
    let (name, versions) = around.names.of(service);
    if versions.iter().any(|version| **version == *ShadowRule::NONE) {
        let problem = item.problem(format!("no copy reaches the version `none` of the service `{name}`"));
        let problem = problem.with_expected("versions of other names: here, `none` means no copy");
        decoder.report(Problem { severity: Severity::Warning, ..problem.with_fix("rename the version") });
    }
    // For what is expected, `none` is one of them; of a service without versions, nothing is.
    let none = versions.first().map(|_| Name::from(ShadowRule::NONE));
    let known: Vec<Name> = versions.iter().cloned().chain(none).collect();
    let values = fields.get("values", decoder, |item, decoder| {
        values(item, decoder, |version, decoder| match version.node.text() {
            ShadowRule::NONE => Some(None),
            _ => version_named(version, decoder, &known, name).map(Some),
        })
    });
    let listed = fields.given("methods").is_some();
    let methods = fields
        .get("methods", decoder, |item, decoder| methods(item, decoder, if listed { matched } else { &[] }));
    let safe = fields.given("writes");
    let writes = safe.as_ref().and_then(|item| writes(item, decoder, around.injection));
    let request_headers =
        fields.get("request_headers", decoder, |item, decoder| edits(item, decoder, around.injection));
    let request_headers = request_headers.unwrap_or_default();
    if let (Some(item), Some(writes)) = (fields.given("request_headers"), &writes) {
        unsafe_edits(&item, decoder, &request_headers, writes);
    }
    let host = fields.get("host", decoder, authority);
    let kept =
        |item: &Item<'_>, decoder: &mut Decoder<'_>| choice(item, decoder, [("keep", true), ("drop", false)]);
    let credentials = fields.get("credentials", decoder, kept);
    let cookies = fields.get("cookies", decoder, kept);
    let timeout = fields.get("timeout", decoder, duration);
    let max_in_flight = fields.get("max_in_flight", decoder, integer);
    let max_body = fields.get("max_body", decoder, size);
    let max_answer = fields.get("max_answer", decoder, size);
    let breaker = fields.get("breaker", decoder, breaker);
    let compare = fields.get("compare", decoder, compare);
    let methods = methods?;
    if !listed && safe.is_none() && !matched.is_empty() && !methods.iter().any(|own| matched.contains(own)) {
        let matched: Vec<&str> = matched.iter().map(Method::as_str).collect();
        let problem =
            item.problem(format!("nothing is ever copied: the route matches {} only", one_of(&matched)));
        let problem = problem
            .with_expected("`methods`, if their repetition is safe; or `writes`, with what makes it safe");
        decoder.report(Problem { severity: Severity::Warning, ..problem });
    }
    Some(ShadowRule {
        flag: flag?,
        values,
        service: service?,
        methods,
        writes,
        request_headers,
        host,
        credentials: credentials?,
        cookies: cookies?,
        timeout: timeout?,
        max_in_flight: max_in_flight?,
        max_body: max_body?,
        max_answer: max_answer?,
        breaker: breaker?,
        compare: compare?,
        place: item.value_place(),
    })
}

/// Methods to copy; one that the route never matches is told.
fn methods(item: &Item<'_>, decoder: &mut Decoder<'_>, matched: &[Method]) -> Option<Vec<Method>> {
    if item.node.list().is_some_and(<[_]>::is_empty) {
        let problem = item.problem(format!("`{}` is empty and would copy nothing", item.key));
        decoder.report(
            problem
                .with_expected(item.is.describe())
                .with_fix("remove the key to copy `GET`, `HEAD` and `OPTIONS`"),
        );
    }
    decoder.list(item, |item, decoder| {
        let method = method(item, decoder)?;
        if method == Method::CONNECT {
            let problem = item.problem("`CONNECT` is never copied: it opens a tunnel");
            decoder.report(problem.with_expected("methods whose requests end").with_fix("remove it"));
        } else if !matched.is_empty() && !matched.contains(&method) {
            let problem =
                item.problem(format!("no {} is ever copied: the route does not match it", shown(item)));
            let matched: Vec<&str> = matched.iter().map(Method::as_str).collect();
            let problem =
                problem.with_expected(one_of(&matched)).with_fix("remove it, or let the route match it");
            decoder.report(Problem { severity: Severity::Warning, ..problem });
        }
        Some(method)
    })
}

fn writes(item: &Item<'_>, decoder: &mut Decoder<'_>, injection: &Injection) -> Option<SafeWrites> {
    let mut fields = decoder.fields(item)?;
    let keyed_by = fields.get("keyed_by", decoder, |item, decoder| editable(item, decoder, injection));
    let dry_run = fields.get("dry_run", decoder, |item, decoder| {
        if item.node.map().is_some_and(<[_]>::is_empty) {
            let problem = item.problem("no header makes it a dry run");
            decoder.report(problem.with_expected("at least one header, such as `{x-dry-run: \"1\"}`"));
        }
        pairs(item, decoder, injection)
    });
    keyed_by.map(SafeWrites::KeyedBy).or(dry_run.map(SafeWrites::DryRun))
}

/// Edits come after what makes a write safe: one that undid it would let copies write.
fn unsafe_edits(item: &Item<'_>, decoder: &mut Decoder<'_>, edits: &HeaderEdits, writes: &SafeWrites) {
    let edited = |name: &&HeaderName| {
        edits.rename.iter().any(|(old, new)| *name == old || *name == new)
            || edits.remove.contains(name)
            || edits.set.iter().chain(&edits.add).any(|(edited, _)| *name == edited)
    };
    let needed: Vec<&HeaderName> = match writes {
        SafeWrites::KeyedBy(name) => vec![name],
        SafeWrites::DryRun(headers) => headers.iter().map(|(name, _)| name).collect(),
    };
    for name in needed.into_iter().filter(edited) {
        let problem =
            item.problem(format!("the header `{name}` is edited, but it is what makes a write safe"));
        let problem = problem.with_expected("edits of other headers than those of `writes`");
        decoder.report(problem.with_fix("remove the edit"));
    }
}

fn breaker(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Breaker> {
    let mut fields = decoder.fields(item)?;
    let failures = fields.get("failures", decoder, integer);
    let rest = fields.get("rest", decoder, duration);
    Some(Breaker { failures: failures?, rest: rest? })
}
