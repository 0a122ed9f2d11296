//! Upstreams: for each version of a service the peers that serve it, ready to be connected to.
//!
//! A version's pool survives every reload that does not change it; of one that does, what is known of its endpoints does, by their addresses.
//! Connections carry a key of their version, so that no two versions ever share one, not even to one address.
//!
//! A request passes [`pool`] (which endpoint, and what became of it), `balance` over `ring` (whose turn it is), `endpoint` (what is known of an
//! address), `outliers` (who is ejected). Beside the traffic works `keeper`: `dns` (names) and `checker` (health).

mod balance;
mod checker;
mod dns;
mod endpoint;
mod grpc;
pub(super) mod keeper;
mod material;
pub mod outliers;
mod peers;
pub mod pool;
mod reach;
mod ring;
#[cfg(test)]
mod tests;
pub mod view;
mod window;

use std::sync::Arc;
use std::time::Duration;

use crate::config::service::{Service, ServiceId, Version, VersionId};
use crate::config::{Config, Problem, ProblemKind, Severity};
use crate::telemetry::Metrics;
pub use balance::hash;
pub use endpoint::Place;
use keeper::Keeper;
use material::{Material, Refused};
pub use pool::{Asked, Picked, Pool};
use pool::{Lost, Meters};

/// All pools, by service and version.
#[derive(Debug)]
pub struct Upstreams {
    pools: Vec<Vec<Arc<Pool>>>,
    keeper: Arc<Keeper>,
}

impl Upstreams {
    /// The pools of a configuration; those of `before` whose version did not change are taken over, and the others retired. What cannot be
    /// used is pushed onto `problems`.
    pub fn new(
        config: &Config,
        metrics: &Metrics,
        before: Option<&Upstreams>,
        problems: &mut Vec<Problem>,
    ) -> Upstreams {
        let keeper = before.map_or_else(Keeper::new, |before| before.keeper.clone());
        Upstreams::with(keeper, config, Some(metrics), before, problems)
    }

    /// Pools of their own for the same configuration, which share nothing with these but the keeper, and are not checked. `before` are such
    /// ones, too. What cannot be used was told of these.
    pub fn beside(&self, config: &Config, before: Option<&Upstreams>) -> Upstreams {
        Upstreams::with(self.keeper(), config, None, before, &mut Vec::new())
    }

    fn with(
        keeper: Arc<Keeper>,
        config: &Config,
        metrics: Option<&Metrics>,
        before: Option<&Upstreams>,
        problems: &mut Vec<Problem>,
    ) -> Upstreams {
        let mut pool = |service: &Service, version: &Version, is_default: bool| {
            let former = before.and_then(|before| before.find(&service.name, &version.name));
            if let Some(kept) = former.filter(|pool| pool.is_of(&service.name, version, is_default)) {
                return Arc::clone(kept);
            }
            let material = material(service, version, problems);
            let meters = metrics.map(|metrics| Meters::new(metrics, &service.name, version));
            let former = former.map(|pool| &**pool);
            let pool = Arc::new(Pool::new(&service.name, version, is_default, material, meters, former));
            keeper.keep(&pool);
            pool
        };
        let mut of = |service: &Service| -> Vec<Arc<Pool>> {
            let versions = service.versions.iter().enumerate();
            versions
                .map(|(index, version)| pool(service, version, service.default == VersionId(index)))
                .collect()
        };
        let pools: Vec<Vec<_>> = config.services.iter().map(&mut of).collect();
        let is_kept = |former: &&Arc<Pool>| pools.iter().flatten().any(|pool| Arc::ptr_eq(pool, former));
        before
            .iter()
            .flat_map(|before| before.pools())
            .filter(|pool| !is_kept(pool))
            .for_each(|pool| pool.retire());
        Upstreams { pools, keeper }
    }

    /// The pool of a version.
    pub fn pool(&self, service: ServiceId, version: VersionId) -> &Arc<Pool> {
        &self.pools[service.0][version.0]
    }

    /// The shortest time within which any of them has to answer.
    pub fn first_byte(&self) -> Option<Duration> {
        self.pools().map(|pool| pool.timeouts().first_byte).min()
    }

    /// All of them, in the order configured.
    pub fn pools(&self) -> impl Iterator<Item = &Arc<Pool>> {
        self.pools.iter().flatten()
    }

    /// Whether a version of the service picks by the hash of a targeting key.
    pub fn hashes(&self, service: ServiceId) -> bool {
        self.pools[service.0].iter().any(|pool| pool.hashes())
    }

    /// What keeps endpoints fresh; to be run once a process.
    pub fn keeper(&self) -> Arc<Keeper> {
        self.keeper.clone()
    }

    /// Names that cannot be resolved now.
    pub fn problems(&self, config: &Config) -> Vec<Problem> {
        let services = config.services.iter().zip(&self.pools);
        let of = services.flat_map(|(service, pools)| pools.iter().map(move |pool| (service, pool)));
        of.flat_map(|(service, pool)| {
            pool.lost().iter().map(|lost| unresolved(service, pool, lost)).collect::<Vec<_>>()
        })
        .collect()
    }

    fn find(&self, service: &str, version: &str) -> Option<&Arc<Pool>> {
        self.pools().find(|pool| pool.names_of() == (service, version))
    }
}

fn unresolved(service: &Service, pool: &Pool, lost: &Lost) -> Problem {
    let (service_name, version) = pool.names_of();
    let key = format!("services.{service_name}.versions.{version}.endpoints");
    let serves = if lost.known { "the addresses that it had serve on" } else { "it has no address yet" };
    let found = format!("`{}` cannot be resolved, {serves}: {}", lost.name, lost.why);
    let mut problem = Problem::error(ProblemKind::Config, key, found).at(service.place.clone());
    problem.severity = Severity::Warning;
    problem
}

/// What TLS towards a version is made of; the outer none: its files cannot be used.
fn material(service: &Service, version: &Version, problems: &mut Vec<Problem>) -> Option<Option<Material>> {
    let Some(tls) = &version.tls else { return Some(None) };
    let refuse = |refused: Refused| {
        problems.push(Problem {
            kind: ProblemKind::Config,
            severity: Severity::Error,
            place: Some(service.place.clone()),
            key: format!("services.{}.versions.{}.tls.{}", service.name, version.name, refused.key),
            found: format!("{}; the version has no endpoints until this is mended", refused.found),
            expected: Some(refused.expected.to_owned()),
            fix: None,
        });
    };
    Material::load(tls).map_err(refuse).ok().map(Some)
}
