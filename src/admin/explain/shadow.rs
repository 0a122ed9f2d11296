//! What becomes of a request's copies: which version gets one, or why none does.
//!
//! As far as it was decided. Whether there is room for a copy, and whether its version has a rest, shows only when it is sent.

use serde::{Deserialize, Serialize};

use super::{ExplainedFlag, Explainer, words};
use crate::config::shadow::ShadowRule;
use crate::decide::{Shadowed, may_copy};
use crate::snapshot::ShadowPlan;

/// One shadow of the route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExplainedShadow {
    /// Decides about the copy.
    pub flag: ExplainedFlag,
    /// Whose versions get copies.
    pub service: String,
    /// The version that gets a copy; none: none does.
    pub version: Option<String>,
    /// One sentence: which version gets a copy and why, or why none does.
    pub why: String,
    /// Flag trouble, for which nothing is copied: a label `why` of `flagway_fallbacks_total`.
    pub trouble: Option<String>,
}

impl ExplainedShadow {
    pub(super) fn new(
        rule: &ShadowRule,
        (plan, decided): (&ShadowPlan, &Shadowed),
        explainer: &Explainer<'_>,
        flag: ExplainedFlag,
    ) -> ExplainedShadow {
        let Explainer { snapshot, facts, decision, .. } = explainer;
        let service = snapshot.config.service(plan.service);
        let asked = decided.version.map(|version| &*service.versions[version.0].name);
        let serves = decision.target.map(|target| (target.service, Some(target.version)));
        let hindrance = match asked {
            Some(version) if serves == Some((plan.service, decided.version)) => {
                Some(format!("the version `{version}` serves the request itself"))
            }
            Some(_) if !may_copy(rule, facts.method, facts.headers) => {
                Some(format!("{} is none of the methods that are copied", facts.method))
            }
            _ => None,
        };
        let version = asked.filter(|_| hindrance.is_none());
        let why = match (version, hindrance) {
            (Some(version), _) => words::copied(&service.name, version, &flag, decided),
            (None, Some(hindrance)) => format!("{}: {hindrance}", words::NO_COPY),
            (None, None) => words::uncopied(plan, &flag, decided, decision.keyed),
        };
        ExplainedShadow {
            service: service.name.to_string(),
            version: version.map(str::to_owned),
            trouble: decided.trouble.map(|trouble| trouble.label().to_owned()),
            why,
            flag,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::admin::explain::{At, Explanation, Request, explain};
    use crate::snapshot::Snapshot;
    use crate::snapshot::fixture::snapshot;

    const FLAGS: &str = r#"{"flags":{
        "v":{"state":"ENABLED","variants":{"canary":"canary","stable":"stable"},"defaultVariant":"stable",
            "targeting":{"if":[{"==":[{"var":"header.x-canary"},"always"]},"canary"]}},
        "copy":{"state":"ENABLED","variants":{"canary":"canary","none":"none"},"defaultVariant":"canary"},
        "kept":{"state":"ENABLED","variants":{"off":"none"},"defaultVariant":"off"},
        "split":{"state":"ENABLED","variants":{"canary":"canary","none":"none"},"defaultVariant":"none",
            "targeting":{"fractional":[["canary",1]]}},
        "odd":{"state":"ENABLED","variants":{"odd":"v9"},"defaultVariant":"odd"},
        "off":{"state":"DISABLED","variants":{"canary":"canary"},"defaultVariant":"canary"},
        "next":{"state":"ENABLED","variants":{"new":true},"defaultVariant":"new"}}}"#;

    fn shadowed(shadows: &str) -> Snapshot {
        snapshot("", &format!("    version: {{flag: v}}\n    shadows: [{shadows}]"), FLAGS)
    }

    fn told(snapshot: &Snapshot, method: &str, headers: &[(&str, &str)]) -> Explanation {
        let line = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let request = Request {
            method: method.to_owned(),
            url: "http://shop.test/".to_owned(),
            headers: headers.iter().map(line).collect(),
            peer: None,
            listener: None,
            client_cert: None,
            at: Some(At::Unix(0)),
        };
        explain(snapshot, None, &request, 0, 7).unwrap()
    }

    #[test]
    fn it_is_told_which_version_gets_a_copy_or_why_none_does() {
        let copy = "the version `canary` of `shop` gets a copy: ";
        let none = "no copy is sent: ";
        let says = "the flag `copy` says `canary`, as it has no targeting";
        let canary = ("x-canary", "always");
        let cases = [
            ("{flag: copy}", "GET", &[][..], format!("{copy}{says}")),
            ("{flag: copy}", "POST", &[], format!("{none}POST is none of the methods that are copied")),
            ("{flag: copy, methods: [POST]}", "POST", &[], format!("{copy}{says}")),
            ("{flag: copy}", "GET", &[canary], format!("{none}the version `canary` serves the request itself")),
            (
                "{flag: next, service: rewrite, values: {true: v2}}",
                "GET",
                &[canary],
                "the version `v2` of `rewrite` gets a copy: the flag `next` says `new`, as it has no targeting".to_owned(),
            ),
            ("{flag: kept}", "GET", &[], format!("{none}the flag `kept` says `off`, as it has no targeting")),
            (
                "{flag: split}",
                "GET",
                &[("cookie", "uid=ada")],
                format!("{copy}the flag `split` says `canary`, picked by its rule"),
            ),
            ("{flag: split}", "GET", &[], format!("{none}the flag `split` picks nothing without a targeting key")),
            ("{flag: odd}", "GET", &[], format!("{none}the value \"v9\" of `odd` names no version of the service")),
            ("{flag: off}", "GET", &[], format!("{none}the flag `off` is disabled")),
            ("{flag: gone}", "GET", &[], format!("{none}no source defines the flag `gone`")),
        ];
        for (shadow, method, headers, why) in cases {
            let told = told(&shadowed(shadow), method, headers);
            let [shadow] = &told.shadows[..] else { panic!("{told:?}") };
            assert_eq!(shadow.why, why);
            assert_eq!(shadow.version.is_some(), !why.starts_with(none), "{shadow:?}");
        }
    }

    #[test]
    fn a_shadows_flag_is_explained_as_any_other_and_stands_apart() {
        let told = told(&shadowed("{flag: split}, {flag: odd}"), "GET", &[("cookie", "uid=ada")]);
        assert_eq!(told.flags.iter().map(|flag| &*flag.key).collect::<Vec<_>>(), ["v"]);
        assert_eq!(told.trouble, None);
        let [split, odd] = &told.shadows[..] else { panic!("{told:?}") };
        assert_eq!((split.version.as_deref(), &*split.service), (Some("canary"), "shop"));
        assert_eq!((split.flag.reason.as_str(), split.flag.decides_version), ("TARGETING_MATCH", false));
        assert!(split.flag.steps[0].result.contains("bucket"), "{:?}", split.flag.steps);
        assert!(split.flag.otherwise[0].contains("another targeting key"), "{:?}", split.flag.otherwise);
        assert_eq!(odd.trouble.as_deref(), Some("unknown_version"));
        let key = told.targeting_key.expect("a shadow reads it");
        assert_eq!((key.source.as_deref(), key.minted), (Some("cookie uid"), false));
    }

    #[test]
    fn nobody_is_said_to_be_minted_for_a_shadow() {
        let route = "    targeting_key: [{visitor_cookie: {name: vid, max_age: 90d, mint: always}}]\n    shadows: [{flag: split}]";
        let told = told(&snapshot("", route, FLAGS), "GET", &[]);
        assert_eq!(told.targeting_key.map(|key| (key.source, key.minted)), Some((None, false)));
        assert_eq!((told.set_cookie, told.caching), (None, None));
    }
}
