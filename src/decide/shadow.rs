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
