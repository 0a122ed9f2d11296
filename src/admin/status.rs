//! All that an operator looks at first: what is live, how the sources do, what is wrong, what was done by hand, who gets what.

use std::time::SystemTime;

use serde::Serialize;

use super::shadows::Shadows;
use super::view::{ProblemView, SourceView, sources};
use crate::gateway::Live;
use crate::gateway::protection::Standing;
use crate::gateway::upstream::view;
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
    /// Every version with its endpoints.
    pub upstreams: Vec<view::Version>,
    /// In the order of routes.
    pub shadows: Vec<ShadowLine>,
    /// In the order configured.
    pub versions: Vec<VersionLine>,
}

/// How a version stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionLine {
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
            upstreams: view::versions(&live.upstreams),
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
            versions: live.protection.standings().map(VersionLine::from).collect(),
        }
    }
}

impl From<Standing> for VersionLine {
    fn from(standing: Standing) -> VersionLine {
        let Standing { service, version, held_out, requests, unanswered } = standing;
        VersionLine {
            service: service.to_string(),
            version: version.to_string(),
            held_out,
            requests,
            unanswered,
        }
    }
}
