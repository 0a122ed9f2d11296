//! Which version gets a copy of a request, as a shadow's flag decides.
//!
//! It changes nothing about the original: same context, same targeting key, no visitor of its own.

use super::{Resolved, Trouble, lacks_key, named};
use crate::config::service::VersionId;
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
