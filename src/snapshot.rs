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
pub mod version;
pub mod wire;

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::{Config, Problem};
use crate::context::Readers;
use crate::flag::{Flag, FlagSet, Slot};
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
        name_the_flags(&mut problems, &flags, &readers);
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

/// Says of each attribute that nothing provides which flag reads it first, and where. The problems come in the order of their slots.
fn name_the_flags(problems: &mut [Problem], flags: &FlagSet, readers: &Readers) {
    if problems.is_empty() {
        return;
    }
    let mut first: HashMap<Slot, &Flag> = HashMap::new();
    for (_, flag) in flags.iter() {
        for slot in &flag.reads.slots {
            first.entry(*slot).or_insert(flag);
        }
    }
    let slots = (0..flags.paths().len()).map(|index| Slot(index as u32));
    for (problem, slot) in problems.iter_mut().zip(slots.filter(|slot| !readers.provides(*slot))) {
        let Some(flag) = first.get(&slot) else { continue };
        problem.key = format!("flags.{}.targeting", flag.key);
        problem.place = flag.definition.as_ref().and_then(|definition| definition.place.clone());
    }
}
