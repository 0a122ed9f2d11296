//! The sentences of an explanation.

use super::{ExplainedFlag, Explanation};
use crate::config::context::KeySource;
use crate::context::BadRequest;
use crate::decide::{Decision, Shadowed, Trouble, lacks_key};
use crate::flag::Reason;
use crate::snapshot::{Plan, ShadowPlan};

/// Why a request is refused before it is routed.
pub fn refused(bad: BadRequest) -> String {
    let reason = match bad {
        BadRequest::Climbs => "the path climbs above the root",
        BadRequest::Backslash => "the path has a backslash",
        BadRequest::Escape => "the path holds a broken percent escape",
        BadRequest::NotAbsolute => "the path does not start with `/`",
    };
    format!("the gateway answers 400: {reason}")
}

/// No route takes it.
pub fn unmatched(routes: usize) -> String {
    format!("the gateway answers 404: none of the {routes} routes matches")
}

/// What becomes of a request that a route takes.
pub fn decided(told: &Explanation, decision: &Decision, plan: &Plan) -> String {
    let route = told.route.as_deref().unwrap_or_default();
    let (Some(target), Some(version)) = (&decision.target, &told.version) else {
        return match told.status {
            Some(status) => format!("the route `{route}` answers {status} by itself"),
            None => format!("the route `{route}` answers OpenFeature clients by itself"),
        };
    };
    let default = format!("the default version `{version}` serves");
    let asked = plan.forward.as_ref().and_then(|forward| forward.version.as_ref());
    let Some((asked, (flag, resolved))) = asked.zip(told.flags.first().zip(decision.resolved.first())) else {
        return format!("{default}: the route `{route}` asks no flag for the version");
    };
    if lacks_key(asked.reads_key, resolved, decision.keyed) {
        return format!("{default}: {}", keyless(flag));
    }
    match (target.trouble, &flag.variant) {
        (None, Some(variant)) => {
            format!("the version `{version}` serves: {}", says(flag, variant, resolved.reason))
        }
        (trouble, _) => format!("{default}: {}", names_nothing(flag, trouble, resolved.reason)),
    }
}

/// Why the request's token does not count.
pub fn token(decision: &Decision) -> Option<String> {
    let why = decision.token?.err()?;
    Some(format!("jwt: {}", why.label()))
}

/// The route demands a key.
pub fn keyless_refused(told: &Explanation) -> String {
    let route = told.route.as_deref().unwrap_or_default();
    let key = told.targeting_key.as_ref();
    let token = key.and_then(|key| key.token.as_ref()).map(|token| format!(" ({token})")).unwrap_or_default();
    format!(
        "the gateway answers 401: the route `{route}` demands a targeting key, and no source gave one{token}"
    )
}

/// What is added where the version fails so often that it is asked nothing.
pub fn held_out(serves: &str) -> String {
    format!("; but it is held out now, as it fails: the default version `{serves}` serves")
}

/// A version gets a copy.
pub fn copied(service: &str, version: &str, flag: &ExplainedFlag, decided: &Shadowed) -> String {
    let variant = flag.variant.as_deref().unwrap_or_default();
    let says = says(flag, variant, decided.resolved.reason);
    format!("the version `{version}` of `{service}` gets a copy: {says}")
}

/// How a sentence about a shadow begins that copies nothing.
pub const NO_COPY: &str = "no copy is sent";

/// The flag asks for no copy.
pub fn uncopied(asked: &ShadowPlan, flag: &ExplainedFlag, decided: &Shadowed, keyed: bool) -> String {
    let Shadowed { resolved, trouble, .. } = decided;
    let why = match (trouble, &flag.variant) {
        _ if lacks_key(asked.reads_key, resolved, keyed) => keyless(flag),
        (None, Some(variant)) => says(flag, variant, resolved.reason),
        (trouble, _) => names_nothing(flag, *trouble, resolved.reason),
    };
    format!("{NO_COPY}: {why}")
}

fn says(flag: &ExplainedFlag, variant: &str, why: Reason) -> String {
    format!("the flag `{}` says `{variant}`, {}", flag.key, reason(why))
}

fn keyless(flag: &ExplainedFlag) -> String {
    format!("the flag `{}` picks nothing without a targeting key", flag.key)
}

/// Why a flag that was asked names no version.
fn names_nothing(flag: &ExplainedFlag, trouble: Option<Trouble>, reason: Reason) -> String {
    let key = &flag.key;
    match trouble {
        Some(Trouble::MissingFlag) => format!("no source defines the flag `{key}`"),
        Some(Trouble::EvaluationError) => {
            let error = flag.error.as_deref().unwrap_or("GENERAL");
            let limit =
                flag.limit.iter().map(|limit| format!(", over its limit of {limit}")).collect::<String>();
            format!("the flag `{key}` cannot be evaluated ({error}{limit})")
        }
        Some(Trouble::WrongType) => {
            format!("the value of `{key}` is no text, and the route maps no values to versions")
        }
        Some(Trouble::UnknownVersion) => {
            let value = flag.value.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("the value {value} of `{key}` names no version of the service")
        }
        None if reason == Reason::Disabled => format!("the flag `{key}` is disabled"),
        None => format!("the flag `{key}` has no value for this request"),
    }
}

/// Why a variant is the one.
fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Static => "as it has no targeting",
        Reason::Default => "its default, as no rule picked a variant",
        Reason::TargetingMatch => "picked by its rule",
        Reason::Disabled => "as it is disabled",
        Reason::Error => "after an error",
    }
}

/// A key source, as an operator knows it.
pub fn key_source(source: &KeySource) -> String {
    match source {
        KeySource::Header { name, trusted: false } => format!("header {name}"),
        KeySource::Header { name, trusted: true } => format!("header {name} (from trusted proxies)"),
        KeySource::Cookie(name) => format!("cookie {name}"),
        KeySource::Query(name) => format!("query parameter {name}"),
        KeySource::Visitor(cookie) if !cookie.signed_by.is_empty() => {
            format!("visitor cookie {} (signed)", cookie.name)
        }
        KeySource::Visitor(cookie) => format!("visitor cookie {}", cookie.name),
        KeySource::Jwt(claim) => format!("jwt {claim}"),
    }
}
