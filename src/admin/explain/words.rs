//! The sentences of an explanation.

use super::Explanation;
use crate::config::context::KeySource;
use crate::context::BadRequest;
use crate::decide::{Decision, Trouble, lacks_key};
use crate::flag::Reason;
use crate::snapshot::Plan;

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
        let status = told.status.unwrap_or_default();
        return format!("the route `{route}` answers {status} by itself");
    };
    let default = format!("the default version `{version}` serves");
    let asked = plan.forward.as_ref().and_then(|forward| forward.version.as_ref());
    let Some((asked, (flag, resolved))) = asked.zip(told.flags.first().zip(decision.resolved.first())) else {
        return format!("{default}: the route `{route}` asks no flag for the version");
    };
    let key = &flag.key;
    if lacks_key(asked.reads_key, resolved, decision.keyed) {
        return format!("{default}: the flag `{key}` picks nothing without a targeting key");
    }
    match (target.trouble, &flag.variant) {
        (Some(Trouble::MissingFlag), _) => format!("{default}: no source defines the flag `{key}`"),
        (Some(Trouble::EvaluationError), _) => {
            let error = flag.error.as_deref().unwrap_or("GENERAL");
            format!("{default}: the flag `{key}` cannot be evaluated ({error})")
        }
        (Some(Trouble::WrongType), _) => {
            format!("{default}: the value of `{key}` is no text, and the route maps no values to versions")
        }
        (Some(Trouble::UnknownVersion), _) => {
            let value = flag.value.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{default}: the value {value} of `{key}` names no version of the service")
        }
        (None, None) if resolved.reason == Reason::Disabled => {
            format!("{default}: the flag `{key}` is disabled")
        }
        (None, None) => format!("{default}: the flag `{key}` has no value for this request"),
        (None, Some(variant)) => {
            format!(
                "the version `{version}` serves: the flag `{key}` says `{variant}`, {}",
                reason(resolved.reason)
            )
        }
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
        KeySource::Visitor(cookie) => format!("visitor cookie {}", cookie.name),
    }
}
