//! The fields that tell a service behind the door what was decided, for one attempt.
//!
//! The route's version flag tells the version that this very attempt goes to; all other flags never change between
//! attempts. Values were made when the snapshot was built: here they are only picked and joined.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Decision, Resolved, baggage};
use crate::config::service::VersionId;
use crate::snapshot::injection::InjectedFlag;
use crate::snapshot::wire::{Wire, serialize_text};
use crate::snapshot::{ForwardPlan, Snapshot};

/// The dictionary's field.
pub const DICTIONARY: HeaderName = HeaderName::from_static("flag-decisions");
/// W3C baggage.
pub const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// One attempt to have a request served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    pub version: VersionId,
    /// Why this is not the version that was decided, as a token: `connect`, `status`; none on the first attempt.
    pub why: Option<&'static str>,
}

/// Calls `set` with each field to set on the request of an attempt. `received` are the request's own fields, for baggage.
pub fn decision_headers(
    snapshot: &Snapshot,
    decision: &Decision,
    attempt: Attempt,
    received: &HeaderMap,
    mut set: impl FnMut(&HeaderName, HeaderValue),
) {
    let Some(plan) = decision.route.map(|route| snapshot.plan(route)) else { return };
    let Some(forward) = &plan.forward else { return };
    let injection = &snapshot.config.injection;
    let told = || {
        forward.injections.flags.iter().filter_map(move |injected| {
            let resolved = decision.resolved.get(injected.flag)?;
            Some((injected, resolved, wire(forward, injected, resolved, attempt)?))
        })
    };
    if injection.headers {
        told().for_each(|(injected, _, wire)| set(&injected.name, wire.field.clone()));
    }
    if injection.dictionary {
        let mut text = String::with_capacity(64 * forward.injections.flags.len() + 32);
        for (injected, resolved, wire) in told() {
            push_member(&mut text, injected, resolved, wire, attempt, || {
                &snapshot.config.version(forward.service, attempt.version).name
            });
        }
        text.push_str("*rev=\"");
        text.push_str(snapshot.revision.as_str());
        text.push('"');
        // Every part was serialised by RFC 9651's rules, which stay within a field value's.
        if let Ok(value) = HeaderValue::try_from(text) {
            set(&DICTIONARY, value);
        }
    }
    if injection.baggage
        && let Some(value) = baggage::merge(received, told().map(|(_, _, wire)| &*wire.baggage))
    {
        set(&BAGGAGE, value);
    }
}

/// What a flag says on this attempt; none: it has no value.
fn wire<'a>(
    forward: &ForwardPlan,
    injected: &'a InjectedFlag,
    resolved: &Resolved,
    attempt: Attempt,
) -> Option<&'a Wire> {
    let decided = resolved.variant.and_then(|variant| injected.variants.get(variant.0 as usize));
    let Some(served) = injected.versions.get(attempt.version.0) else {
        return decided.map(|variant| &variant.wire);
    };
    // Two variants may name one version: the decided one is told as long as it names what serves.
    let named = forward.version.as_ref().zip(resolved.variant).map(|(plan, variant)| plan.of(variant));
    match decided {
        Some(decided) if named == Some(Ok(attempt.version)) => Some(&decided.wire),
        _ => Some(served),
    }
}

/// `key=item;v="variant";r=reason`, and for the version flag after a fallback `;served="stable";why=connect`.
fn push_member<'a>(
    text: &mut String,
    injected: &InjectedFlag,
    resolved: &Resolved,
    wire: &Wire,
    attempt: Attempt,
    served: impl FnOnce() -> &'a str,
) {
    let Some(member) = &wire.member else { return };
    text.push_str(member);
    if let Some(variant) = resolved.variant.and_then(|variant| injected.variants.get(variant.0 as usize)) {
        text.push_str(&variant.parameter);
    }
    text.push_str(";r=");
    text.push_str(resolved.reason.label());
    if let Some(why) = attempt.why.filter(|_| !injected.versions.is_empty()) {
        text.push_str(";served=");
        text.push_str(&serialize_text(served()));
        text.push_str(";why=");
        text.push_str(why);
    }
    text.push_str(", ");
}
