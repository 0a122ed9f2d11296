//! The fields that tell a service behind the door what was decided, for one attempt.
//!
//! The route's version flag tells the version that this very attempt goes to, a copy included; all other flags never change
//! between attempts. Values were made when the snapshot was built: here they are only picked and joined.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::baggage::{self, BAGGAGE};
use super::{Decision, Resolved};
use crate::config::service::VersionId;
use crate::snapshot::injection::InjectedFlag;
use crate::snapshot::wire::{Wire, serialize_text};
use crate::snapshot::{ForwardPlan, Snapshot};

/// The dictionary's field.
pub const DICTIONARY: HeaderName = HeaderName::from_static("flag-decisions");

/// One attempt to have a request served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The version it goes to.
    pub version: VersionId,
    /// Why this is not the version that was decided, as a token: `connect`, `status`, `shadow`; none on the first attempt.
    pub why: Option<&'static str>,
    /// On a copy, the index of its shadow in the plan: `version` is one of that shadow's service.
    pub shadow: Option<usize>,
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
    let shadow = attempt.shadow.and_then(|shadow| plan.shadows.get(shadow));
    let abroad = shadow.filter(|shadow| shadow.service != forward.service);
    let told = || {
        forward.injections.flags.iter().filter_map(move |injected| {
            let resolved = decision.resolved.get(injected.flag)?;
            let wire = match abroad {
                Some(shadow) if !injected.versions.is_empty() => shadow.told.get(attempt.version.0),
                _ => wire(forward, injected, resolved, attempt),
            };
            Some((injected, resolved, wire?))
        })
    };
    if injection.headers {
        for (injected, _, wire) in told() {
            if let Some((name, field)) = injected.name.as_ref().zip(wire.field.as_ref()) {
                set(name, field.clone());
            }
        }
    }
    if injection.dictionary {
        let mut text = String::with_capacity(64 * forward.injections.flags.len() + 32);
        for (injected, resolved, wire) in told() {
            push_member(&mut text, injected, resolved, wire, attempt, || {
                let service = shadow.map_or(forward.service, |shadow| shadow.service);
                &snapshot.config.version(service, attempt.version).name
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

/// `key=item;v="variant";r=reason`, and for the version flag after a fallback or on a copy `;served="stable";why=connect`.
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

#[cfg(test)]
mod tests {
    use super::super::decide;
    use super::*;
    use crate::snapshot::fixture::{facts, headers, snapshot};

    const FLAGS: &str = r#"{"flags":{
        "checkout.version":{"state":"ENABLED","variants":{"canary":"canary","stable":"stable"},"defaultVariant":"canary"},
        "price":{"state":"ENABLED","variants":{"high":{"eur":12.5,"für":"é"}},"defaultVariant":"high"},
        "2nd":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"},
        "share":{"state":"ENABLED","variants":{"some":0.125,"x \"y\"":3},"defaultVariant":"x \"y\""},
        "off":{"state":"DISABLED","variants":{"on":true},"defaultVariant":"on"}}}"#;
    const ROUTE: &str =
        "    version: {flag: checkout.version}\n    inject: [checkout.version, price, 2nd, share, off]";

    fn told(
        form: &str,
        attempt: impl FnOnce(VersionId) -> Attempt,
        received: &[(&str, &str)],
    ) -> Vec<String> {
        told_on(ROUTE, form, attempt, received)
    }

    fn told_on(
        route: &str,
        form: &str,
        attempt: impl FnOnce(VersionId) -> Attempt,
        received: &[(&str, &str)],
    ) -> Vec<String> {
        let snapshot = snapshot(&format!("injection: {{as: [{form}]}}"), route, FLAGS);
        let fields = headers(received);
        let decision = decide(&snapshot, &facts(&snapshot, "/", &fields), 0, 0);
        let mut told = Vec::new();
        let version = decision.target.unwrap().version;
        decision_headers(&snapshot, &decision, attempt(version), &fields, |name, value| {
            let value = value.to_str().unwrap().replace(snapshot.revision.as_str(), "REV");
            told.push(format!("{name}: {value}"));
        });
        told
    }

    fn first(version: VersionId) -> Attempt {
        Attempt { version, why: None, shadow: None }
    }

    /// The default, after the decided version could not be reached.
    fn second(_: VersionId) -> Attempt {
        Attempt { version: VersionId(0), why: Some("connect"), shadow: None }
    }

    #[test]
    fn each_flag_with_a_value_has_a_field() {
        assert_eq!(
            told("headers", first, &[]),
            [
                "x-flag-checkout-version: canary",
                "x-flag-price: {\"eur\":12.5,\"f\\u00fcr\":\"\\u00e9\"}",
                "x-flag-2nd: false",
                "x-flag-share: 3",
            ]
        );
    }

    #[test]
    fn after_a_fallback_the_version_flag_tells_the_default() {
        let told = told("headers", second, &[]);
        assert_eq!(told[0], "x-flag-checkout-version: stable");
        assert_eq!(told[2], "x-flag-2nd: false");
    }

    #[test]
    fn the_dictionary_is_rfc_9651() {
        let one = told("dictionary", first, &[]);
        assert_eq!(
            one,
            [
                "flag-decisions: checkout-version=\"canary\";v=\"canary\";r=static, *2nd=?0;v=\"off\";r=static, \
              share=3;v=\"x \\\"y\\\"\";r=static, *rev=\"REV\""
            ]
        );
        let parsed = sfv::Parser::new(one[0].split_once(": ").unwrap().1).parse::<sfv::Dictionary>();
        assert_eq!(parsed.unwrap().len(), 4);
    }

    #[test]
    fn the_dictionary_says_what_served_after_a_fallback() {
        let one = told("dictionary", second, &[]);
        assert!(
            one[0].starts_with(
                "flag-decisions: checkout-version=\"stable\";v=\"canary\";r=static;served=\"stable\";why=connect, "
            ),
            "{one:?}"
        );
    }

    #[test]
    fn baggage_carries_variants_percent_encoded() {
        assert_eq!(
            told("baggage", first, &[("baggage", "tenant=a, flag.price=cheap")]),
            [
                "baggage: tenant=a,flag.checkout-version=canary,flag.price=high,flag.2nd=off,flag.share=x%20%22y%22"
            ]
        );
    }

    const SHADOWED: &str = "    version: {flag: checkout.version, values: {canary: canary, stable: stable}}
    inject: [price, checkout.version, 2nd, share, off]
    shadows: [{flag: price}, {flag: price, service: rewrite}]";

    /// Two shadows of the route, in the version at an index of their services.
    fn copy(shadow: usize, version: usize) -> impl FnOnce(VersionId) -> Attempt {
        move |_| Attempt { version: VersionId(version), why: Some("shadow"), shadow: Some(shadow) }
    }

    #[test]
    fn a_copy_is_told_its_own_version_and_all_else_as_the_original_is() {
        // What the original is told of its version, where it stands in the first form, and what each copy is told instead.
        let cases = [
            (
                "headers",
                "x-flag-checkout-version: canary",
                ["x-flag-checkout-version: stable", "x-flag-checkout-version: v2"],
            ),
            (
                "dictionary",
                r#"checkout-version="canary";v="canary";r=static,"#,
                [
                    r#"checkout-version="stable";v="canary";r=static;served="stable";why=shadow,"#,
                    r#"checkout-version="v2";v="canary";r=static;served="v2";why=shadow,"#,
                ],
            ),
            (
                "baggage",
                "flag.checkout-version=canary",
                ["flag.checkout-version=stable", "flag.checkout-version=v2"],
            ),
        ];
        let received = [("baggage", "tenant=a")];
        for (form, original, copies) in cases {
            let first = told_on(SHADOWED, form, first, &received);
            assert!(first.iter().any(|field| field.contains(original)), "{first:?}");
            for (copied, (shadow, version)) in copies.iter().zip([(0, 0), (1, 1)]) {
                let expected: Vec<String> =
                    first.iter().map(|field| field.replace(original, copied)).collect();
                assert_eq!(told_on(SHADOWED, form, copy(shadow, version), &received), expected);
            }
        }
    }

    #[test]
    fn a_copy_to_the_version_that_was_decided_is_told_the_decided_variant() {
        let told = told_on(SHADOWED, "headers, baggage", copy(0, 1), &[]);
        assert_eq!(told, told_on(SHADOWED, "headers, baggage", first, &[]));
    }

    #[test]
    fn a_copy_of_a_route_without_a_version_flag_is_told_what_the_original_is() {
        let route = "    inject: [price, 2nd]\n    shadows: [{flag: price}, {flag: price, service: rewrite}]";
        for form in ["headers", "dictionary", "baggage"] {
            let original = told_on(route, form, first, &[]);
            for shadow in [0, 1] {
                assert_eq!(told_on(route, form, copy(shadow, 1), &[]), original, "{form}");
            }
        }
    }
}
