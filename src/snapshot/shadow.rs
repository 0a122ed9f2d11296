//! Which version gets a copy, for each variant of a shadow's flag.

use super::named::NamedFlag;
use super::version::Unusable;
use super::wire::Wire;
use crate::config::service::{ServiceId, VersionId};
use crate::flag::VariantId;

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
    /// The version that a variant names; `None` inside: no copy.
    pub fn of(&self, variant: VariantId) -> Result<Option<VersionId>, Unusable> {
        self.by_variant.get(variant.0 as usize).copied().unwrap_or(Err(Unusable::UnknownVersion))
    }
}
