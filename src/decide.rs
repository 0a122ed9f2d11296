//! The pure heart: request facts and a snapshot in, a decision out.
//!
//! No I/O, no clock, no randomness of its own: time and fresh bits are arguments. The gateway, `explain` and `check` all ask this one function, so what they say is what happens.

pub mod baggage;
pub mod headers;
mod shadow;

use smallvec::SmallVec;

use crate::config::service::{ServiceId, VersionId};
use crate::context::{Refused, RequestContext, RequestFacts, TargetingKey, VisitorChange};
use crate::flag::{ErrorCode, FlagId, FlagSet, Reason, Resolution, VariantId};
use crate::route::RouteId;
use crate::snapshot::{ForwardPlan, NamedFlag, Plan, Snapshot, Unusable};

pub use shadow::{Shadowed, may_copy};

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// None: no route matches; the gateway answers 404.
    pub route: Option<RouteId>,
    /// None: the route answers by itself.
    pub target: Option<Target>,
    /// One for each of the plan's flags, in their order.
    pub resolved: SmallVec<[Resolved; 12]>,
    /// One for each of the plan's shadows, in their order.
    pub shadows: SmallVec<[Shadowed; 2]>,
    /// A visitor cookie that the response sets.
    pub visitor: Option<VisitorChange>,
    /// Whether there was a targeting key.
    pub keyed: bool,
    /// Whether the route demands a key and there was none: nothing else is decided, and the gateway answers 401.
    pub refused: bool,
    /// What became of the token; none: nothing that was decided asked for one.
    pub token: Option<Result<(), Refused>>,
}

impl Decision {
    /// Nothing but the route is known.
    pub fn bare(route: Option<RouteId>) -> Decision {
        Decision {
            route,
            target: None,
            resolved: SmallVec::new(),
            shadows: SmallVec::new(),
            visitor: None,
            keyed: false,
            refused: false,
            token: None,
        }
    }
}

/// Which version serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The route's service.
    pub service: ServiceId,
    /// One of its versions.
    pub version: VersionId,
    /// Why the default serves although a flag was asked; none also when a flag said nothing on purpose.
    pub trouble: Option<Trouble>,
}

/// Flag trouble: it sends a request to the default version, or a copy nowhere; it is counted and logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// No source defines the flag.
    MissingFlag,
    /// The flag's rule does not compile, or answered what names no variant.
    EvaluationError,
    /// The value is no text and nothing maps it.
    WrongType,
    /// The value names no version of the service.
    UnknownVersion,
}

impl Trouble {
    /// Every trouble, in the order of its discriminant.
    pub const ALL: [Trouble; 4] =
        [Trouble::MissingFlag, Trouble::EvaluationError, Trouble::WrongType, Trouble::UnknownVersion];

    /// The label `why` of `flagway_fallbacks_total`.
    pub fn label(self) -> &'static str {
        match self {
            Trouble::MissingFlag => "missing_flag",
            Trouble::EvaluationError => "evaluation_error",
            Trouble::WrongType => "wrong_type",
            Trouble::UnknownVersion => "unknown_version",
        }
    }
}

impl From<Unusable> for Trouble {
    fn from(why: Unusable) -> Trouble {
        match why {
            Unusable::WrongType => Trouble::WrongType,
            Unusable::UnknownVersion => Trouble::UnknownVersion,
        }
    }
}

/// A flag's outcome. Without a flag id it is FLAG_NOT_FOUND.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// None: there is no such flag.
    pub flag: Option<FlagId>,
    /// None: no value; the caller's default serves.
    pub variant: Option<VariantId>,
    /// Why this variant, or none.
    pub reason: Reason,
    /// Present exactly when the reason is `Error`.
    pub error: Option<ErrorCode>,
}

impl Resolved {
    const NOT_FOUND: Resolved =
        Resolved { flag: None, variant: None, reason: Reason::Error, error: Some(ErrorCode::FlagNotFound) };

    fn of(flag: &NamedFlag, flags: &FlagSet, context: &RequestContext<'_>) -> Resolved {
        flag.id.map_or(Resolved::NOT_FOUND, |id| flags.evaluate(id, context).into())
    }
}

impl From<Resolution> for Resolved {
    fn from(Resolution { flag, variant, reason, error }: Resolution) -> Resolved {
        Resolved { flag: Some(flag), variant, reason, error }
    }
}

/// Decides a request. `now` is Unix time in seconds; `fresh` are 128 random bits, used when a visitor is minted.
pub fn decide(snapshot: &Snapshot, facts: &RequestFacts<'_>, now: i64, fresh: u128) -> Decision {
    match find_route(snapshot, facts) {
        Some(route) => decide_on(snapshot, route, facts, now, fresh),
        None => Decision::bare(None),
    }
}

/// The route that takes a request.
pub fn find_route(snapshot: &Snapshot, facts: &RequestFacts<'_>) -> Option<RouteId> {
    snapshot.routes.find(&snapshot.config.routes, facts)
}

/// Decides a request that a route takes.
pub fn decide_on(
    snapshot: &Snapshot,
    route: RouteId,
    facts: &RequestFacts<'_>,
    now: i64,
    fresh: u128,
) -> Decision {
    let plan = snapshot.plan(route);
    let key = targeting_key(plan, facts, now, fresh);
    if plan.requires_key && key.is_none() {
        return Decision { refused: true, token: facts.token.asked(), ..Decision::bare(Some(route)) };
    }
    let context = request_context(snapshot, facts, route, key.as_ref(), now);
    let flags = &snapshot.flags;
    let resolved: SmallVec<_> = plan.flags.iter().map(|flag| Resolved::of(flag, flags, &context)).collect();
    let keyed = key.is_some();
    let target = plan.forward.as_ref().map(|forward| target(forward, resolved.first(), keyed));
    let shadows = plan.shadows.iter().map(|shadow| Shadowed::by(shadow, flags, &context, keyed)).collect();
    Decision {
        route: Some(route),
        target,
        resolved,
        shadows,
        keyed,
        refused: false,
        token: facts.token.asked(),
        visitor: key.and_then(|key| key.visitor),
    }
}

/// The request's targeting key as the route asks for it; none when no flag of the route and none of its shadows reads it. Nobody is
/// minted for the sake of a shadow.
pub fn targeting_key<'a>(
    plan: &Plan,
    facts: &RequestFacts<'a>,
    now: i64,
    fresh: u128,
) -> Option<TargetingKey<'a>> {
    if !plan.asks_key() {
        return None;
    }
    plan.key_rules.resolve(facts, plan.may_mint(), now, fresh)
}

/// The context in which a route's flags are evaluated.
pub fn request_context<'a>(
    snapshot: &'a Snapshot,
    facts: &'a RequestFacts<'a>,
    route: RouteId,
    key: Option<&'a TargetingKey<'_>>,
    now: i64,
) -> RequestContext<'a> {
    let route = &*snapshot.config.routes[route.0].name;
    RequestContext::new(facts, &snapshot.readers, key.map(|key| &*key.value), route, now)
}

/// Whether a flag that reads the targeting key picked nothing for want of one: then its own default variant is nobody's choice for
/// this request. The service's default version serves, and nothing is copied.
pub fn lacks_key(reads_key: bool, flag: &Resolved, keyed: bool) -> bool {
    !keyed && reads_key && flag.reason == Reason::Default
}

/// The version that the route's version flag names, or the default and why.
fn target(forward: &ForwardPlan, flag: Option<&Resolved>, keyed: bool) -> Target {
    let serve = |version, trouble| Target { service: forward.service, version, trouble };
    let Some((plan, flag)) = forward.version.as_ref().zip(flag) else {
        return serve(forward.default, None);
    };
    if lacks_key(plan.reads_key, flag, keyed) {
        return serve(forward.default, None);
    }
    match named(flag, |variant| plan.of(variant)) {
        Ok(version) => serve(version.unwrap_or(forward.default), None),
        Err(trouble) => serve(forward.default, Some(trouble)),
    }
}

/// What a flag's variant names, looked up by `of`. None: disabled, or no default variant, which is a way of working, not a fault.
fn named<V>(
    flag: &Resolved,
    of: impl FnOnce(VariantId) -> Result<V, Unusable>,
) -> Result<Option<V>, Trouble> {
    match (flag.error, flag.variant) {
        (Some(ErrorCode::FlagNotFound), _) => Err(Trouble::MissingFlag),
        (Some(_), _) => Err(Trouble::EvaluationError),
        (None, None) => Ok(None),
        (None, Some(variant)) => Ok(Some(of(variant)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::fixture::{facts, headers, snapshot};

    /// The version flag in every state a flag can be in, and what becomes of a request.
    #[test]
    fn the_version_flag_names_the_version_or_the_default_serves() {
        let by_name = "    version: {flag: v}";
        let mapped = "    version: {flag: v, values: {true: canary, false: stable, 7: canary}}";
        let cases = [
            (
                by_name,
                r#"{"state":"ENABLED","variants":{"a":"canary","b":"stable"},"defaultVariant":"a"}"#,
                "canary",
                None,
            ),
            (
                by_name,
                r#"{"state":"ENABLED","variants":{"a":"canary","b":"stable"},"defaultVariant":"b"}"#,
                "stable",
                None,
            ),
            (
                by_name,
                r#"{"state":"DISABLED","variants":{"a":"canary"},"defaultVariant":"a"}"#,
                "stable",
                None,
            ),
            (by_name, r#"{"state":"ENABLED","variants":{"a":"canary"}}"#, "stable", None),
            (
                by_name,
                r#"{"state":"ENABLED","variants":{"a":true},"defaultVariant":"a"}"#,
                "stable",
                Some(Trouble::WrongType),
            ),
            (
                by_name,
                r#"{"state":"ENABLED","variants":{"a":"v9"},"defaultVariant":"a"}"#,
                "stable",
                Some(Trouble::UnknownVersion),
            ),
            (
                by_name,
                r#"{"state":"ENABLED","variants":{"a":"canary"},"targeting":{"nonsense":[]}}"#,
                "stable",
                Some(Trouble::EvaluationError),
            ),
            (
                by_name,
                r#"{"state":"ENABLED","variants":{"a":"canary"},"defaultVariant":"a","targeting":{"if":[true,"zzz"]}}"#,
                "stable",
                Some(Trouble::EvaluationError),
            ),
            (
                mapped,
                r#"{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}"#,
                "canary",
                None,
            ),
            (
                mapped,
                r#"{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}"#,
                "stable",
                None,
            ),
            (mapped, r#"{"state":"ENABLED","variants":{"n":7.0},"defaultVariant":"n"}"#, "canary", None),
            (
                mapped,
                r#"{"state":"ENABLED","variants":{"n":"true"},"defaultVariant":"n"}"#,
                "stable",
                Some(Trouble::UnknownVersion),
            ),
        ];
        for (route, flag, version, trouble) in cases {
            let snapshot = snapshot("", route, &format!(r#"{{"flags":{{"v":{flag}}}}}"#));
            let fields = headers(&[]);
            let decision = decide(&snapshot, &facts(&snapshot, "/", &fields), 0, 0);
            let target = decision.target.unwrap();
            assert_eq!(&*snapshot.config.version(target.service, target.version).name, version, "{flag}");
            assert_eq!(target.trouble, trouble, "{flag}");
        }
    }

    #[test]
    fn a_missing_version_flag_is_trouble_and_the_default_serves() {
        let snapshot = snapshot("", "    version: {flag: gone}", r#"{"flags":{}}"#);
        let fields = headers(&[]);
        let decision = decide(&snapshot, &facts(&snapshot, "/", &fields), 0, 0);
        assert_eq!(decision.target.unwrap().trouble, Some(Trouble::MissingFlag));
        assert_eq!(decision.resolved[0], Resolved::NOT_FOUND);
    }

    #[test]
    fn without_a_key_the_default_version_serves_whatever_the_flags_own_default_is() {
        let flags = r#"{"flags":{"v":{"state":"ENABLED","variants":{"canary":"canary","stable":"stable"},"defaultVariant":"canary",
            "targeting":{"if":[{"==":[{"var":"header.x-canary"},"always"]},"canary",{"fractional":[["canary",1]]}]}},
            "n":{"state":"ENABLED","variants":{"canary":"canary"},"defaultVariant":"canary","targeting":{"if":[{"var":"header.x-a"},"canary"]}}}}"#;
        let served = |flag: &str, fields: &[(&str, &str)]| {
            let snapshot = snapshot("", &format!("    version: {{flag: {flag}}}"), flags);
            let fields = headers(fields);
            let target = decide(&snapshot, &facts(&snapshot, "/", &fields), 0, 0).target.unwrap();
            assert_eq!(target.trouble, None);
            snapshot.config.version(target.service, target.version).name.to_string()
        };
        assert_eq!(served("v", &[]), "stable");
        assert_eq!(served("v", &[("cookie", "uid=ada")]), "canary");
        assert_eq!(served("v", &[("x-canary", "always")]), "canary", "its rule picked it without a key");
        assert_eq!(served("n", &[]), "canary", "it reads no key: its own default is meant");
    }

    #[test]
    fn a_trusted_key_counts_only_from_a_trusted_proxy() {
        let flag = r#"{"flags":{"v":{"state":"ENABLED","variants":{"canary":"canary","stable":"stable"},"defaultVariant":"stable",
            "targeting":{"if":[{"==":[{"var":"targetingKey"},"me"]},"canary"]}}}}"#;
        let snapshot = snapshot("", "    version: {flag: v}", flag);
        let served = |fields: &[(&str, &str)]| {
            let fields = headers(fields);
            let decision = decide(&snapshot, &facts(&snapshot, "/", &fields), 0, 0);
            let target = decision.target.unwrap();
            snapshot.config.version(target.service, target.version).name.to_string()
        };
        assert_eq!(served(&[("x-user", "me")]), "stable", "the client is no trusted proxy");
        assert_eq!(served(&[("cookie", "uid=me")]), "canary");
        assert_eq!(served(&[("cookie", "uid=me"), ("cookie", "uid=me")]), "stable", "repeated: absent");
    }

    const SPLIT: &str = r#"{"flags":{"v":{"state":"ENABLED","variants":{"canary":"canary","stable":"stable"},"defaultVariant":"stable",
        "targeting":{"if":[{"==":[{"var":"header.x-canary"},"always"]},"canary",{"fractional":[["canary",1],["stable",1]]}]}}}}"#;

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(128))]

        /// Which of two equal fields counts is defined; those that nobody reads count for nothing, in any order and number.
        #[test]
        fn unrelated_fields_decide_nothing(
            unrelated in proptest::collection::vec(("y-[a-d]", "[ -~]{0,12}"), 0..12),
            at in 0usize..12,
            canary in "always|never|",
            key in "[a-z0-9]{1,8}",
        ) {
            let snapshot = snapshot("", "    version: {flag: v}\n    inject: [v]", SPLIT);
            let cookie = format!("uid={key}");
            let read = [("x-canary", canary.as_str()), ("cookie", cookie.as_str())];
            let alone = headers(&read);
            let mut among: Vec<(&str, &str)> =
                unrelated.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let at = at.min(among.len());
            among.splice(at..at, read);
            let among = headers(&among);
            proptest::prop_assert_eq!(
                decide(&snapshot, &facts(&snapshot, "/a", &alone), 5, 7),
                decide(&snapshot, &facts(&snapshot, "/a", &among), 5, 7)
            );
        }
    }

    #[test]
    fn the_same_request_is_decided_alike_at_any_time_and_by_any_dice() {
        let snapshot = snapshot("", "    version: {flag: v}", SPLIT);
        let fields = headers(&[("cookie", "uid=ada")]);
        let facts = facts(&snapshot, "/", &fields);
        let first = decide(&snapshot, &facts, 0, 0);
        for n in 1..100 {
            assert_eq!(decide(&snapshot, &facts, n, n as u128 * 0x9e37_79b9), first);
        }
    }
}
