//! Which version each variant of a route's version flag names.

use super::named::reads_key;
use super::naming::{Naming, Unusable, versions};
use crate::config::Problem;
use crate::config::route::VersionRule;
use crate::config::service::{Service, VersionId};
use crate::flag::{Flag, VariantId};

/// How the version flag's variants name versions. The flag is the first of [`super::Plan::flags`].
#[derive(Debug)]
pub struct VersionPlan {
    /// By variant.
    pub by_variant: Vec<Result<VersionId, Unusable>>,
    /// Whether the flag's rule can read the targeting key.
    pub reads_key: bool,
}

impl VersionPlan {
    /// Looks every variant up; one that names no version is pushed onto `problems`.
    pub fn build(
        route: &str,
        rule: &VersionRule,
        flag: Option<&Flag>,
        service: &Service,
        problems: &mut Vec<Problem>,
    ) -> VersionPlan {
        let naming = Naming {
            asker: format!("the route `{route}`"),
            flag: &rule.flag,
            service,
            names: versions(service).collect(),
            values: rule.values.as_deref(),
            values_key: "the route's `version.values`",
        };
        VersionPlan { by_variant: naming.by_variant(flag, problems), reads_key: flag.is_some_and(reads_key) }
    }

    /// The version that a variant names.
    pub fn of(&self, variant: VariantId) -> Result<VersionId, Unusable> {
        self.by_variant.get(variant.0 as usize).copied().unwrap_or(Err(Unusable::UnknownVersion))
    }
}
