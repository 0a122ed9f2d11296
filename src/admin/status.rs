//! All that an operator looks at first: what is live, how the sources do, what is wrong, what was done by hand, who gets what.

use std::time::SystemTime;

use serde::Serialize;

use super::shadows::Shadows;
use super::view::{ProblemView, SourceView, sources};
use crate::config::service::{Service, ServiceId, Version, VersionId};
use crate::gateway::Live;
use crate::gateway::protection::Standing;
use crate::gateway::upstream::view::{Shown, endpoints};
use crate::overlay::Entry;
use crate::source::{Hand, Status};
use crate::telemetry::Evaluations;

/// Of a whole gateway.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusView {
    /// Flagway's own.
    pub flagway: &'static str,
    /// That is live.
    pub revision: String,
    /// RFC 3339: since when it counts, the start of the gateway.
    pub since: String,
    /// Whether what is done by hand survives the process.
    pub durable: bool,
    /// How many.
    pub flags: usize,
    /// In the order configured.
    pub sources: Vec<SourceView>,
    /// All that is wrong now.
    pub problems: Vec<ProblemView>,
    /// Every entry, by flag.
    pub overlay: Vec<Entry>,
    /// How often each flag came out as what.
    pub evaluations: Vec<Evaluations>,
    /// Every version of every service, in the order configured.
    pub upstreams: Vec<UpstreamLine>,
    /// In the order of routes.
    pub shadows: Vec<ShadowLine>,
}

/// A version, how it stands and its endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UpstreamLine {
    /// Whose it is.
    pub service: String,
    /// Its name.
    pub version: String,
    /// Its requests go to the default version, as it fails.
    pub held_out: bool,
    /// Live ones.
    pub requests: usize,
    /// Of them, those without an answer.
    pub unanswered: usize,
    /// In their order; empty: no address of it is known.
    pub endpoints: Vec<Shown>,
}

/// A shadow in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShadowLine {
    /// The route.
    pub route: String,
    /// The flag that decides about the copies.
    pub flag: String,
    /// The version that served the originals.
    pub original: String,
    /// Of the copies.
    pub version: String,
    /// One sentence.
    pub verdict: String,
    /// Requests whose answers were compared.
    pub compared: u64,
    /// With a difference that counts.
    pub differing: u64,
}

impl StatusView {
    /// What is so at `now`; the gateway runs since `since`.
    pub fn new(live: &Live, status: &Status, hand: &Hand, since: SystemTime, now: SystemTime) -> StatusView {
        let state = status.problems.load();
        StatusView {
            flagway: env!("CARGO_PKG_VERSION"),
            revision: live.snapshot.revision.to_string(),
            since: humantime::format_rfc3339_seconds(since).to_string(),
            durable: hand.durable(),
            flags: live.snapshot.flags.len(),
            sources: sources(status, now),
            problems: state.iter().chain(&live.problems()).map(ProblemView::from).collect(),
            overlay: hand.overlay().iter().cloned().collect(),
            evaluations: live.handles.evaluations(),
            upstreams: upstreams(live),
            shadows: Shadows::of(live, None)
                .shadows
                .into_iter()
                .map(|shadow| ShadowLine {
                    route: shadow.route,
                    flag: shadow.flag,
                    original: shadow.original,
                    version: shadow.version,
                    verdict: shadow.verdict,
                    compared: shadow.compared,
                    differing: shadow.differing,
                })
                .collect(),
        }
    }
}

fn upstreams(live: &Live) -> Vec<UpstreamLine> {
    let services = live.snapshot.config.services.iter().enumerate();
    let versions = services.flat_map(|(id, service)| {
        let versions = service.versions.iter().enumerate();
        versions.map(move |(version_id, version)| (service, ServiceId(id), version, VersionId(version_id)))
    });
    let line = |(service, id, version, version_id): (&Service, _, &Version, _)| {
        let Standing { held_out, requests, unanswered } = live.protection.of(id, version_id).standing();
        let endpoints = endpoints(live.upstreams.pool(id, version_id));
        let (service, version) = (service.name.to_string(), version.name.to_string());
        UpstreamLine { service, version, held_out, requests, unanswered, endpoints }
    };
    versions.map(line).collect()
}
