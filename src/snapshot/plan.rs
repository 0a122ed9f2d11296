//! What flags decide about one route, worked out when a snapshot is built.

use super::caching::CachePlan;
use super::injection::Injections;
use super::named::{NamedFlag, named_flags, reads_key, shown_flags};
use super::shadow::ShadowPlan;
use super::version::VersionPlan;
use crate::config::route::{Action, Route};
use crate::config::service::{ServiceId, VersionId};
use crate::config::{Config, Problem};
use crate::context::{KeyRules, Readers};
use crate::flag::FlagSet;
use crate::route::RouteId;

/// The plan of a route.
#[derive(Debug)]
pub struct Plan {
    /// Where the targeting key comes from.
    pub key_rules: KeyRules,
    /// Whether any of [`Plan::flags`] reads the targeting key: only then is a visitor minted.
    pub reads_key: bool,
    /// Whether who has no key is refused.
    pub requires_key: bool,
    /// The route's flags, each once: the version's first, then the injected ones in the order written.
    pub flags: Vec<NamedFlag>,
    /// The route's shadows, in the order written. Their flags are not among [`Plan::flags`]: what they decide, no user sees.
    pub shadows: Vec<ShadowPlan>,
    /// None: the route answers by itself.
    pub forward: Option<ForwardPlan>,
    /// What is done to answers for the sake of shared caches.
    pub caching: CachePlan,
}

/// Where a route forwards to.
#[derive(Debug)]
pub struct ForwardPlan {
    /// The route's service.
    pub service: ServiceId,
    /// Serves when the flag says nothing usable.
    pub default: VersionId,
    /// None: always the default version.
    pub version: Option<VersionPlan>,
    /// What travels behind the door.
    pub injections: Injections,
}

impl Plan {
    /// Works out a route's plan; what does not fit together is pushed onto `problems`.
    pub fn build(
        config: &Config,
        id: RouteId,
        route: &Route,
        flags: &FlagSet,
        readers: &Readers,
        problems: &mut Vec<Problem>,
    ) -> Plan {
        let key_rules =
            KeyRules::new(route.targeting_key.as_deref().unwrap_or(&config.context.targeting_key));
        if let Action::Ofrep(ofrep) = &route.action {
            shown_flags(id, ofrep, flags, problems);
        }
        let Action::Forward(forward) = &route.action else {
            return Plan {
                key_rules,
                reads_key: false,
                requires_key: false,
                flags: Vec::new(),
                shadows: Vec::new(),
                forward: None,
                caching: CachePlan::none(),
            };
        };
        let planned = named_flags(id, forward, flags, problems);
        let known = || planned.iter().filter_map(|flag| flag.of(flags));
        let reads_key = known().any(reads_key);
        let service = config.service(forward.service);
        let version = forward.version.as_ref().map(|rule| {
            let flag = planned.first().and_then(|flag| flag.of(flags));
            VersionPlan::build(&route.name, rule, flag, service, problems)
        });
        let injections =
            Injections::build(config, id, route, forward, version.as_ref(), &planned, flags, problems);
        let asked = (reads_key || route.requires_key).then_some(&key_rules);
        let caching = CachePlan::build(route.caching, known(), readers, asked);
        let shadows = forward.shadows.iter().enumerate();
        let shadows =
            shadows.map(|rule| ShadowPlan::build(config, id, forward, rule, flags, problems)).collect();
        let forward =
            Some(ForwardPlan { service: forward.service, default: service.default, version, injections });
        Plan {
            key_rules,
            reads_key,
            requires_key: route.requires_key,
            flags: planned,
            shadows,
            forward,
            caching,
        }
    }

    /// Whether a visitor may be minted: for nobody but who is served.
    pub fn may_mint(&self) -> bool {
        self.reads_key || self.requires_key
    }

    /// Whether anything is decided by the targeting key: whether the request is served at all, a flag of the route, or one of its shadows.
    pub fn asks_key(&self) -> bool {
        self.may_mint() || self.shadows.iter().any(|shadow| shadow.reads_key)
    }
}
