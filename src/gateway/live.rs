//! What is live: a snapshot with everything resolved for its ids. A request takes it once and keeps it to its end.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use prometheus::IntGauge;

use super::keyring::Keyring;
use super::ofrep::Doors;
use super::ofrep::updates::Updates;
use super::protection::Protection;
use super::rate::Rates;
use super::shadow::Shadows;
use super::streams::Streams;
use super::tls::Certificates;
use super::upstream::Upstreams;
use crate::config::Problem;
use crate::config::service::{ServiceId, Version, VersionId};
use crate::snapshot::Snapshot;
use crate::telemetry::{Handles, Metrics};

/// Published as one.
pub struct Live {
    /// What decides.
    pub snapshot: Arc<Snapshot>,
    /// What counts.
    pub handles: Handles,
    /// What serves.
    pub upstreams: Upstreams,
    /// What keeps a version that fails from doing harm.
    pub protection: Protection,
    /// What copies of requests are sent by, and what is known of them.
    pub shadows: Shadows,
    /// Who answers clients that ask for flags.
    pub ofrep: Doors,
    /// What tokens are verified with.
    pub keyring: Arc<Keyring>,
    /// How often clients of its routes may ask.
    pub rates: Rates,
    /// Wakes those who listen for changes.
    pub updates: Updates,
    /// When it was made.
    pub since: Instant,
    /// What clients are shown.
    pub certificates: Arc<Certificates>,
    /// What is open, and may have to end after a kill.
    pub streams: Arc<Streams>,
    /// Of the streams that begin now.
    pub era: u64,
    /// By service and version.
    open_streams: Vec<Vec<IntGauge>>,
    /// What upstreams need and do not have: files that cannot be used.
    unusable: Vec<Problem>,
}

/// Where the live one is found.
pub type Published = Arc<ArcSwap<Live>>;

impl Live {
    /// Resolves a snapshot; upstreams whose configuration did not change are taken over from `before`, with their connections.
    pub fn new(snapshot: Arc<Snapshot>, metrics: &Metrics, before: Option<&Live>) -> Live {
        let mut problems = Vec::new();
        let upstreams =
            Upstreams::new(&snapshot.config, metrics, before.map(|before| &before.upstreams), &mut problems);
        for problem in &problems {
            tracing::error!(key = problem.key, "{}", problem.found);
        }
        let own = before.map(|before| &before.shadows);
        let shadows = Shadows::new(&snapshot.config, metrics, &upstreams, own);
        let streams =
            before.map_or_else(|| Arc::new(Streams::new(metrics)), |before| Arc::clone(&before.streams));
        let services = snapshot.config.services.iter();
        let open_streams = services.map(|service| {
            service.versions.iter().map(|version| metrics.streams(&service.name, &version.name)).collect()
        });
        Live {
            ofrep: Doors::new(&snapshot, metrics, before.map(|before| &before.ofrep)),
            keyring: Keyring::new(&snapshot.config, metrics, before.map(|before| &before.keyring)),
            rates: Rates::new(&snapshot.config, metrics, before.map(|before| &before.rates)),
            updates: before.map(|before| before.updates.clone()).unwrap_or_default(),
            certificates: before.map(|before| before.certificates.clone()).unwrap_or_default(),
            since: Instant::now(),
            era: streams.era(),
            streams,
            open_streams: open_streams.collect(),
            handles: Handles::resolve(metrics, &snapshot),
            protection: Protection::new(&snapshot.config, metrics, before.map(|before| &before.protection)),
            upstreams,
            shadows,
            unusable: problems,
            snapshot,
        }
    }

    /// The same, with certificates; those that come after take them over.
    pub fn with(self, certificates: Arc<Certificates>) -> Live {
        Live { certificates, ..self }
    }

    /// Makes it the one that is live, and wakes whoever listens.
    pub fn publish(self, published: &Published) {
        let updates = self.updates.clone();
        self.certificates.follow(&self.snapshot.config);
        published.store(Arc::new(self));
        updates.tell();
    }

    /// Counts the open streams of a version.
    pub fn open_streams(&self, service: ServiceId, version: VersionId) -> &IntGauge {
        &self.open_streams[service.0][version.0]
    }

    /// The version that serves in place of another, while that one is held out.
    pub fn in_place_of(&self, service: &str, version: &str) -> Option<&Version> {
        let services = &self.snapshot.config.services;
        let id = services.iter().position(|known| *known.name == *service)?;
        let service = &services[id];
        let standing = self.protection.of(ServiceId(id), service.find(version)?).standing();
        standing.held_out.then(|| &service.versions[service.default.0])
    }

    /// What is wrong with what is live: names that lead nowhere or cannot be resolved, files that upstreams need and cannot use,
    /// certificates, keys of tokens.
    pub fn problems(&self) -> Vec<Problem> {
        let known = self.snapshot.problems.iter().chain(&self.unusable).cloned();
        let now = self.certificates.problems().into_iter().chain(self.keyring.problem());
        known.chain(now).chain(self.upstreams.problems(&self.snapshot.config)).collect()
    }
}
