//! Config, flags and routes, built together and published as one.
//!
//! Building never fails: what is wrong is a [`Problem`] beside a snapshot that serves all the rest. Everything a request
//! needs is made here, once: which flags a route reads, which version each variant names, ready header values.

pub mod caching;
#[cfg(test)]
pub mod fixture;
pub mod injection;
pub mod named;
mod naming;
pub mod plan;
pub mod revision;
pub mod shadow;
mod unprovided;
pub mod version;
pub mod wire;

use std::sync::Arc;

use crate::config::{Config, Problem};
use crate::context::Readers;
use crate::flag::{FlagSet, Slot};
use crate::route::{RouteId, Table};

pub use crate::flag::Definitions;
pub use named::NamedFlag;
pub use naming::Unusable;
pub use plan::{ForwardPlan, Plan};
pub use revision::Revision;
pub use shadow::ShadowPlan;
pub use version::VersionPlan;

/// All that a decision depends on; immutable.
#[derive(Debug)]
pub struct Snapshot {
    /// Of all below that can change a decision.
    pub revision: Revision,
    /// The configuration it was built from.
    pub config: Arc<Config>,
    /// Every flag, compiled.
    pub flags: FlagSet,
    /// How each attribute that a rule reads is answered.
    pub readers: Readers,
    /// Attributes that nothing provides, yet clients may claim: no flag that a request's way depends on reads them.
    pub claimed: Vec<Slot>,
    /// Finds a request's route.
    pub routes: Table,
    /// By [`RouteId`].
    pub plans: Vec<Plan>,
    /// What the configuration asks of the flags and does not get.
    pub problems: Vec<Problem>,
}

impl Snapshot {
    /// Joins a configuration with merged definitions.
    pub fn build(config: Arc<Config>, definitions: &Definitions) -> Snapshot {
        let flags = FlagSet::compile(definitions, config.flags.fractional, &config.flags.limits);
        let (readers, mut problems) = Readers::compile(flags.paths(), &config.context);
        let claimed = unprovided::claimed(&config, &flags, &readers);
        unprovided::name_the_flags(&mut problems, &flags, &readers, &claimed);
        let plans = config
            .routes
            .iter()
            .enumerate()
            .map(|(index, route)| {
                Plan::build(&config, RouteId(index), route, &flags, &readers, &mut problems)
            })
            .collect();
        Snapshot {
            revision: Revision::of(&config, definitions),
            routes: Table::compile(&config.routes),
            flags,
            readers,
            claimed,
            plans,
            problems,
            config,
        }
    }

    /// The plan of a route.
    pub fn plan(&self, route: RouteId) -> &Plan {
        &self.plans[route.0]
    }
}
