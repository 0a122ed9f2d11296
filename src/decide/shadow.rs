//! Which version gets a copy of a request, as a shadow's flag decides.
//!
//! It changes nothing about the original: same context, same targeting key, no visitor of its own.

use http::{HeaderMap, Method};

use super::{Resolved, Trouble, lacks_key, named};
use crate::config::service::VersionId;
use crate::config::shadow::{SafeWrites, ShadowRule};
use crate::context::RequestContext;
use crate::flag::FlagSet;
use crate::snapshot::ShadowPlan;

/// What a shadow's flag decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shadowed {
    /// The flag's outcome.
    pub resolved: Resolved,
    /// The version, of the shadow's service, that gets a copy; none: none does.
    pub version: Option<VersionId>,
    /// Why none does although the flag was asked.
    pub trouble: Option<Trouble>,
}

impl Shadowed {
    /// Asks the flag.
    pub(super) fn by(
        plan: &ShadowPlan,
        flags: &FlagSet,
        context: &RequestContext<'_>,
        keyed: bool,
    ) -> Shadowed {
        let resolved = Resolved::of(&plan.flag, flags, context);
        if lacks_key(plan.reads_key, &resolved, keyed) {
            return Shadowed { resolved, version: None, trouble: None };
        }
        match named(&resolved, |variant| plan.of(variant)) {
            Ok(version) => Shadowed { resolved, version: version.flatten(), trouble: None },
            Err(trouble) => Shadowed { resolved, version: None, trouble: Some(trouble) },
        }
    }
}

/// Whether a request may be copied at all: its method is one that is, or something makes its repetition safe. An empty key is none.
pub fn may_copy(rule: &ShadowRule, method: &Method, headers: &HeaderMap) -> bool {
    let made_safe = || match &rule.writes {
        None => false,
        Some(SafeWrites::KeyedBy(name)) => headers.get(name).is_some_and(|key| !key.is_empty()),
        Some(SafeWrites::DryRun(_)) => true,
    };
    rule.methods.contains(method) || made_safe()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::super::headers::{Attempt, decision_headers};
    use super::super::{Decision, decide};
    use super::*;
    use crate::snapshot::Snapshot;
    use crate::snapshot::fixture::{facts, headers, snapshot};

    /// A route with these shadows, and no version flag.
    fn shadowed(shadow: &str, flag: &str) -> Snapshot {
        snapshot("", &format!("    shadows: [{shadow}]"), &format!(r#"{{"flags":{{"s":{flag}}}}}"#))
    }

    fn decided(snapshot: &Snapshot, fields: &[(&str, &str)]) -> Decision {
        let fields = headers(fields);
        decide(snapshot, &facts(snapshot, "/", &fields), 1_000_000, 7)
    }

    /// The name of the version that the first shadow copies to.
    fn copied<'a>(snapshot: &'a Snapshot, decision: &Decision) -> Option<&'a str> {
        let service = snapshot.plans[0].shadows[0].service;
        decision.shadows[0].version.map(|version| &*snapshot.config.version(service, version).name)
    }

    /// A shadow's flag in every state a flag can be in, and which version gets a copy.
    #[test]
    fn the_flag_names_the_version_that_gets_a_copy_or_none_does() {
        let by_name = "{flag: s}";
        let mapped = "{flag: s, values: {true: canary, false: none, 7: stable}}";
        let abroad = "{flag: s, service: rewrite}";
        let enabled = |variants: &str| {
            format!(r#"{{"state":"ENABLED","variants":{{{variants}}},"defaultVariant":"a"}}"#)
        };
        let plain = |shadow, value: &str, version, trouble| {
            (shadow, enabled(&format!(r#""a":{value}"#)), version, trouble)
        };
        let whole = |flag: &str, trouble| (by_name, flag.to_owned(), None, trouble);
        let cases = [
            plain(by_name, r#""canary""#, Some("canary"), None),
            plain(by_name, r#""stable""#, Some("stable"), None),
            plain(by_name, r#""none""#, None, None),
            plain(by_name, r#""v1""#, None, Some(Trouble::UnknownVersion)),
            plain(by_name, "true", None, Some(Trouble::WrongType)),
            plain(by_name, "null", None, Some(Trouble::WrongType)),
            plain(mapped, "true", Some("canary"), None),
            plain(mapped, "false", None, None),
            plain(mapped, "7.0", Some("stable"), None),
            plain(mapped, r#""none""#, None, Some(Trouble::UnknownVersion)),
            plain(abroad, r#""v1""#, Some("v1"), None),
            plain(abroad, r#""none""#, None, None),
            plain(abroad, r#""canary""#, None, Some(Trouble::UnknownVersion)),
            whole(r#"{"state":"DISABLED","variants":{"a":"canary"},"defaultVariant":"a"}"#, None),
            whole(r#"{"state":"ENABLED","variants":{"a":"canary"}}"#, None),
            whole(
                r#"{"state":"ENABLED","variants":{"a":"canary"},"targeting":{"nonsense":[]}}"#,
                Some(Trouble::EvaluationError),
            ),
            whole(
                r#"{"state":"ENABLED","variants":{"a":"canary"},"defaultVariant":"a","targeting":{"if":[true,"zzz"]}}"#,
                Some(Trouble::EvaluationError),
            ),
        ];
        for (shadow, flag, version, trouble) in cases {
            let snapshot = shadowed(shadow, &flag);
            let decision = decided(&snapshot, &[]);
            assert_eq!(copied(&snapshot, &decision), version, "{shadow} {flag}");
            assert_eq!(decision.shadows[0].trouble, trouble, "{shadow} {flag}");
        }
    }

    #[test]
    fn a_missing_flag_is_trouble_of_its_own_shadow_only() {
        let flags = r#"{"flags":{"s":{"state":"ENABLED","variants":{"a":"canary"},"defaultVariant":"a"}}}"#;
        let snapshot = snapshot("", "    shadows: [{flag: gone}, {flag: s}]", flags);
        let decision = decided(&snapshot, &[]);
        let [gone, there] = &decision.shadows[..] else { panic!("{:?}", decision.shadows) };
        assert_eq!((gone.version, gone.trouble), (None, Some(Trouble::MissingFlag)));
        assert_eq!((there.version, there.trouble), (Some(VersionId(1)), None));
        assert_eq!(decision.target.unwrap().trouble, None);
    }

    const SPLIT: &str = r#"{"state":"ENABLED","variants":{"canary":"canary","none":"none"},"defaultVariant":"canary",
        "targeting":{"if":[{"==":[{"var":"header.x-copy"},"always"]},"canary",{"fractional":[["canary",1]]}]}}"#;

    #[test]
    fn without_a_key_nothing_is_copied_whatever_the_flags_own_default_is() {
        let snapshot = shadowed("{flag: s}", SPLIT);
        let copied = |fields: &[(&str, &str)]| {
            let decision = decided(&snapshot, fields);
            assert_eq!(decision.shadows[0].trouble, None);
            copied(&snapshot, &decision)
        };
        assert_eq!(copied(&[]), None);
        assert_eq!(copied(&[("cookie", "uid=ada")]), Some("canary"));
        assert_eq!(copied(&[("x-copy", "always")]), Some("canary"), "its rule picked it without a key");
    }

    const VISITOR: &str =
        "    targeting_key: [{visitor_cookie: {name: vid, max_age: 1000s, mint: always}}]\n";

    #[test]
    fn nobody_is_minted_or_renewed_for_the_sake_of_a_shadow() {
        let flags = format!(r#"{{"flags":{{"s":{SPLIT},"v":{SPLIT}}}}}"#);
        let alone = snapshot("", &format!("{VISITOR}    shadows: [{{flag: s}}]"), &flags);
        let beside =
            snapshot("", &format!("{VISITOR}    version: {{flag: v}}\n    shadows: [{{flag: s}}]"), &flags);
        let old = format!("vid={:032x}.0", 0xab);
        let fields = [("cookie", old.as_str())];

        let decision = decided(&alone, &[]);
        assert_eq!((decision.visitor, copied(&alone, &decision)), (None, None));
        let decision = decided(&alone, &fields);
        assert_eq!(
            (decision.visitor, copied(&alone, &decision)),
            (None, Some("canary")),
            "a visitor is known"
        );

        let decision = decided(&beside, &[]);
        assert!(decision.visitor.is_some_and(|change| change.minted), "the version flag mints");
        assert_eq!(copied(&beside, &decision), Some("canary"), "and the shadow goes by the same key");
        assert!(decided(&beside, &fields).visitor.is_some_and(|change| !change.minted));
    }

    #[test]
    fn a_wider_sample_holds_the_narrower_one_and_both_are_the_flags() {
        let flag = |percent: u32| {
            format!(
                r#"{{"state":"ENABLED","variants":{{"canary":"canary","none":"none"}},"defaultVariant":"none",
                "targeting":{{"fractional":[["canary",{percent}],["none",{}]]}}}}"#,
                100 - percent
            )
        };
        let (narrow, wide) = (shadowed("{flag: s}", &flag(5)), shadowed("{flag: s}", &flag(10)));
        let flags =
            format!(r#"{{"flags":{{"s":{}}}}}"#, flag(10).replace(r#""none":"none""#, r#""none":"stable""#));
        let own = snapshot("", "    version: {flag: s}", &flags);
        let mut sampled = [0; 2];
        for key in 0..10_000 {
            let cookie = format!("uid=user-{key}");
            let fields = [("cookie", cookie.as_str())];
            let copies = |snapshot| decided(snapshot, &fields).shadows[0].version.is_some();
            let (narrow, wide) = (copies(&narrow), copies(&wide));
            assert!(wide || !narrow, "{key}");
            assert_eq!(wide, decided(&own, &fields).target.unwrap().version == VersionId(1), "{key}");
            sampled[0] += u32::from(narrow);
            sampled[1] += u32::from(wide);
        }
        assert!((400..600).contains(&sampled[0]) && (900..1100).contains(&sampled[1]), "{sampled:?}");
    }

    #[test]
    fn only_what_can_be_repeated_is_copied() {
        let rule = |shadow: &str| {
            let snapshot = shadowed(&format!("{{flag: s, {shadow}}}"), SPLIT);
            match &snapshot.config.routes[0].action {
                crate::config::route::Action::Forward(forward) => forward.shadows[0].clone(),
                other => panic!("{other:?}"),
            }
        };
        let by_default = rule("timeout: 1s");
        let listed = rule("methods: [GET, PUT]");
        let keyed = rule("writes: {keyed_by: idempotency-key}");
        let dry = rule("writes: {dry_run: {x-dry-run: \"1\"}}");
        for (rule, method, key, copied) in [
            (&by_default, Method::GET, None, true),
            (&by_default, Method::HEAD, None, true),
            (&by_default, Method::OPTIONS, None, true),
            (&by_default, Method::POST, Some("k"), false),
            (&by_default, Method::DELETE, None, false),
            (&listed, Method::PUT, None, true),
            (&listed, Method::HEAD, None, false),
            (&keyed, Method::POST, None, false),
            (&keyed, Method::POST, Some(""), false),
            (&keyed, Method::POST, Some("k"), true),
            (&keyed, Method::GET, None, true),
            (&dry, Method::POST, None, true),
        ] {
            let mut fields = headers(&[]);
            if let Some(key) = key {
                fields.insert(HeaderName::from_static("idempotency-key"), key.parse().unwrap());
            }
            assert_eq!(may_copy(rule, &method, &fields), copied, "{method} {key:?} {:?}", rule.writes);
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(128))]

        /// Whatever shadows there are, of any service, by flags that read anything or do not exist: all that the client and the version
        /// that serves can see is as without them.
        #[test]
        fn shadows_change_nothing_about_the_original(
            shadows in proptest::collection::btree_set("\\{flag: (s|v|t|b|gone)(, service: rewrite)?\\}", 1..4),
            version in "(    version: \\{flag: v\\}\n)?",
            inject in "t|v, t|v|s|gone",
            visitor in proptest::bool::ANY,
            key in "(uid=[a-c]|vid=000000000000000000000000000000ab\\.[0f]|a=b)",
            copy in "always|",
        ) {
            let flags = format!(
                r#"{{"flags":{{"s":{SPLIT},"v":{SPLIT},"b":{{"state":"ENABLED","variants":{{}},"targeting":{{"x":[]}}}},
                "t":{{"state":"ENABLED","variants":{{"on":true}},"targeting":{{"if":[{{"var":"header.x-copy"}},"on"]}}}}}}}}"#
            );
            let route = format!("{}{version}    inject: [{inject}]", if visitor { VISITOR } else { "" });
            let listed = shadows.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let without = snapshot(FORMS, &route, &flags);
            let with = snapshot(FORMS, &format!("{route}\n    shadows: [{listed}]"), &flags);
            let fields = [("cookie", key.as_str()), ("x-copy", copy.as_str())];
            let (before, after) = (decided(&without, &fields), decided(&with, &fields));
            proptest::prop_assert_eq!(after.shadows.len(), shadows.len());
            proptest::prop_assert_eq!(&before.resolved, &after.resolved);
            proptest::prop_assert_eq!(before.target, after.target);
            proptest::prop_assert_eq!(before.visitor, after.visitor);
            proptest::prop_assert_eq!(sent(&without, &before), sent(&with, &after));
            proptest::prop_assert_eq!(&without.plans[0].caching, &with.plans[0].caching);
            proptest::prop_assert_eq!(&without.revision, &with.revision);
        }
    }

    const FORMS: &str = "injection: {as: [headers, dictionary, baggage]}";

    /// The decision fields of the original.
    fn sent(snapshot: &Snapshot, decision: &Decision) -> Vec<(HeaderName, HeaderValue)> {
        let mut sent = Vec::new();
        let attempt = Attempt { version: decision.target.unwrap().version, why: None, shadow: None };
        decision_headers(snapshot, decision, attempt, &headers(&[("baggage", "a=b")]), |name, value| {
            sent.push((name.clone(), value));
        });
        sent
    }
}
