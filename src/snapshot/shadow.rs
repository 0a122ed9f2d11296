//! Which version gets a copy, for each variant of a shadow's flag.
//!
//! The flag is none of the route's own: it is not injected, no cache is told of it, and no visitor is minted for it.

use super::named::{NamedFlag, reads_key};
use super::naming::{Naming, Unusable, versions};
use super::wire::Wire;
use crate::config::route::Forward;
use crate::config::service::{Service, ServiceId, VersionId};
use crate::config::shadow::ShadowRule;
use crate::config::{Config, Injection, Problem};
use crate::flag::{FlagSet, VariantId};
use crate::route::RouteId;

/// One shadow of a route.
#[derive(Debug)]
pub struct ShadowPlan {
    /// Decides about the copy.
    pub flag: NamedFlag,
    /// Whose versions get copies.
    pub service: ServiceId,
    /// By variant of the flag; `None` inside: no copy.
    pub by_variant: Vec<Result<Option<VersionId>, Unusable>>,
    /// Whether the flag's rule can read the targeting key.
    pub reads_key: bool,
    /// For a shadow of another service: by version of that service, what the field of the route's version flag tells on a copy. Empty for
    /// the route's own service, where the injections have it.
    pub told: Vec<Wire>,
}

impl ShadowPlan {
    /// Works out a route's shadow, by its index; what does not fit together is pushed onto `problems`.
    pub fn build(
        config: &Config,
        route: RouteId,
        forward: &Forward,
        (index, rule): (usize, &ShadowRule),
        flags: &FlagSet,
        problems: &mut Vec<Problem>,
    ) -> ShadowPlan {
        let key = format!("routes[{}].shadows[{index}].flag", route.0);
        let named = NamedFlag::find(&rule.flag, key, "nothing is copied", flags, problems);
        let flag = named.of(flags);
        let service = config.service(rule.service);
        let naming = Naming {
            asker: format!("a shadow of the route `{}`", config.routes[route.0].name),
            flag: &rule.flag,
            service,
            names: names(service),
            values: rule.values.as_deref(),
            values_key: "the shadow's `values`",
        };
        ShadowPlan {
            by_variant: naming.by_variant(flag, problems),
            reads_key: flag.is_some_and(reads_key),
            service: rule.service,
            told: told(forward, rule, service),
            flag: named,
        }
    }

    /// The version that a variant names; `None` inside: no copy.
    pub fn of(&self, variant: VariantId) -> Result<Option<VersionId>, Unusable> {
        self.by_variant.get(variant.0 as usize).copied().unwrap_or(Err(Unusable::UnknownVersion))
    }
}

/// A version of the reserved name cannot be named.
fn names(service: &Service) -> Vec<(&str, Option<VersionId>)> {
    let versions = versions(service).filter(|(name, _)| *name != ShadowRule::NONE);
    versions.map(|(name, version)| (name, Some(version))).chain([(ShadowRule::NONE, None)]).collect()
}

/// No variant of the route's version flag stands for a version of another service: its name is told. It counts against no
/// budget, or a shadow would change what originals tell.
fn told(forward: &Forward, rule: &ShadowRule, service: &Service) -> Vec<Wire> {
    let Some(version) = forward.version.as_ref().filter(|_| rule.service != forward.service) else {
        return Vec::new();
    };
    let folded = Injection::fold(&version.flag.key);
    versions(service).map(|(name, _)| Wire::new(&folded, name, &name.into())).collect()
}

#[cfg(test)]
mod tests {
    use crate::config::{Problem, ProblemKind};
    use crate::snapshot::fixture::snapshot;

    fn problems(shadow: &str, value: &str) -> Vec<Problem> {
        let flags = format!(
            r#"{{"flags":{{"copies":{{"state":"ENABLED","variants":{{"a":{value},"b":"none"}},"defaultVariant":"a"}}}}}}"#
        );
        snapshot("", &format!("    shadows: [{{flag: copies}}, {shadow}]"), &flags).problems
    }

    #[test]
    fn a_flag_that_no_source_defines_is_reported_where_it_is_named() {
        let problems = problems("{flag: copie}", r#""canary""#);
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!((problem.kind, &*problem.key), (ProblemKind::MissingFlag, "routes[0].shadows[1].flag"));
        assert_eq!(problem.expected.as_deref(), Some("a flag that is defined; until then nothing is copied"));
        assert_eq!(problem.fix.as_deref(), Some("did you mean `copies`?"));
        assert!(problem.place.is_some());
    }

    #[test]
    fn a_variant_that_names_no_version_is_reported_with_what_it_can_name() {
        let of = |shadow: &str, value: &str| {
            let problems = problems(shadow, value);
            let told = |problem: &Problem| {
                assert_eq!(problem.kind, ProblemKind::MissingVersion);
                assert_eq!(problem.key, "flags.copies.variants.a");
                (problem.found.clone(), problem.expected.clone().unwrap(), problem.fix.clone())
            };
            problems.iter().map(told).collect::<Vec<_>>()
        };
        let abroad = "{flag: copies, service: rewrite}";
        let found = of(abroad, r#""canray""#);
        assert_eq!(
            found,
            [
                (
                    "the variant `a` has the value \"canray\", which names no version of the service `shop`, as a shadow of the route `shop` asks".to_owned(),
                    "one of stable, canary, none".to_owned(),
                    Some("did you mean `canary`?".to_owned()),
                ),
                (
                    "the variant `a` has the value \"canray\", which names no version of the service `rewrite`, as a shadow of the route `shop` asks".to_owned(),
                    "one of v1, v2, none".to_owned(),
                    None,
                ),
            ]
        );
        let mapped = "{flag: copies, service: rewrite, values: {none: none}}";
        let found = of(mapped, r#""stable""#);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].1, "a value that the shadow's `values` maps");
    }

    #[test]
    fn what_a_shadow_reads_is_no_business_of_the_route() {
        let flags = r#"{"flags":{"s":{"state":"ENABLED","variants":{"a":"canary"},"targeting":{"if":[{"var":"client_ip"},"a",{"fractional":[["a",1]]}]}}}}"#;
        let snapshot = snapshot("", "    shadows: [{flag: s}]", flags);
        let plan = &snapshot.plans[0];
        assert!(plan.flags.is_empty() && !plan.reads_key && plan.asks_key());
        assert_eq!(plan.caching, crate::snapshot::caching::CachePlan::Untouched);
    }
}
