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
