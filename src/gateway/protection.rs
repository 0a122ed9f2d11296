//! What protects a service from its versions: each has a circuit, and counts of what its requests hold. A request stays at one
//! version at a time; what it holds there, and what becomes of it there, is its [`Stay`].
//!
//! What is known of a version outlives reloads, as long as the version has its name; the rules are those of the snapshot that a request
//! was decided by. The default version has no circuit: there is nowhere else to go.

use std::sync::Arc;
use std::time::Duration;

use super::circuit::{Circuit, Entry};
use super::permits::{Counts, Kind, Permits};
use crate::config::protection::{HoldOut, Retries, VersionLimits};
use crate::config::service::{Service, ServiceId, Version, VersionId};
use crate::config::{Config, Name};
use crate::telemetry::{Metrics, VersionCells};

/// Why a request does not go to its version, as a token for metrics, the log and the decision header: its circuit.
pub const HELD_OUT: &str = "held_out";
/// It holds as much as it may.
pub const LIMIT: &str = "limit";

/// Of all versions.
#[derive(Debug)]
pub struct Protection {
    guards: Vec<Vec<Arc<Guard>>>,
}

/// Of one version.
#[derive(Debug)]
pub struct Guard {
    state: Arc<State>,
    /// None: it is never held out.
    hold_out: Option<HoldOut>,
    limits: VersionLimits,
    /// Of its service.
    pub retries: Retries,
}

/// What is known of one version.
#[derive(Debug)]
struct State {
    service: Name,
    version: Name,
    circuit: Circuit,
    counts: Arc<Counts>,
    cells: VersionCells,
}

/// A request's stay at a version.
#[derive(Debug)]
pub struct Stay {
    guard: Arc<Guard>,
    permits: Permits,
    /// It tries for all others.
    probe: bool,
    /// Its outcome is counted.
    judged: bool,
}

/// How a version stands, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its requests go to the default version.
    pub held_out: bool,
    /// Live ones.
    pub requests: usize,
    /// Of them, those without an answer.
    pub unanswered: usize,
}

impl Protection {
    /// Of the versions of a configuration. What is known of those of `before` goes on.
    pub fn new(config: &Config, metrics: &Metrics, before: Option<&Protection>) -> Protection {
        let guard = |service: &Service, id: usize, version: &Version| {
            let known = before.and_then(|before| before.find(&service.name, &version.name));
            let state = known.unwrap_or_else(|| Arc::new(State::new(&service.name, &version.name, metrics)));
            Arc::new(Guard::new(state, service, id, version))
        };
        let services = config.services.iter().map(|service| {
            let versions = service.versions.iter().enumerate();
            versions.map(|(id, version)| guard(service, id, version)).collect()
        });
        Protection { guards: services.collect() }
    }

    /// Of one version.
    pub fn of(&self, service: ServiceId, version: VersionId) -> &Arc<Guard> {
        &self.guards[service.0][version.0]
    }

    fn find(&self, service: &Name, version: &Name) -> Option<Arc<State>> {
        let mut states = self.guards.iter().flatten().map(|guard| &guard.state);
        states.find(|state| state.service == *service && state.version == *version).cloned()
    }
}

impl State {
    fn new(service: &Name, version: &Name, metrics: &Metrics) -> State {
        State {
            service: service.clone(),
            version: version.clone(),
            circuit: Circuit::default(),
            counts: Arc::default(),
            cells: metrics.version(service, version),
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // A version that is gone is not held out.
        self.cells.held_out.set(0);
    }
}

impl Guard {
    fn new(state: Arc<State>, service: &Service, id: usize, version: &Version) -> Guard {
        let hold_out = version.hold_out.filter(|_| service.default != VersionId(id));
        if hold_out.is_none() {
            state.circuit.reset();
            state.cells.held_out.set(0);
        }
        Guard { state, hold_out, limits: version.limits, retries: service.retries }
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let State { circuit, counts, .. } = &*self.state;
        Standing {
            held_out: circuit.is_held_out(),
            requests: counts.of(Kind::Request),
            unanswered: counts.of(Kind::Unanswered),
        }
    }

    /// A request is not even begun there.
    pub fn missed(&self, why: &'static str) {
        self.state.cells.failed(why);
    }
}

impl Stay {
    /// A request comes to a version; `waits`: its body has not come yet. Refused, it is told why.
    pub fn begin(guard: &Arc<Guard>, now: Duration, waits: bool) -> Result<Stay, &'static str> {
        let mut stay = Stay {
            permits: Permits::new(&guard.state.counts),
            guard: Arc::clone(guard),
            probe: false,
            judged: false,
        };
        let VersionLimits { requests, unanswered, waiting_bodies, .. } = guard.limits;
        let body = waits.then_some((Kind::WaitingBody, waiting_bodies));
        let wanted = [(Kind::Request, requests), (Kind::Unanswered, unanswered)].into_iter().chain(body);
        for (kind, limit) in wanted {
            stay.take(kind, limit)?;
        }
        // Last, so that no probe is spent on what a limit refuses.
        stay.dial()?;
        if let Some(rules) = &guard.hold_out {
            match guard.state.circuit.enter(rules, now) {
                Entry::Free => {}
                Entry::Probe => stay.probe = true,
                Entry::HeldOut => return Err(HELD_OUT),
            }
        }
        Ok(stay)
    }

    /// A connection is about to be asked for.
    pub fn dial(&mut self) -> Result<(), &'static str> {
        self.take(Kind::Pending, self.guard.limits.pending)
    }

    /// It has come.
    pub fn connected(&mut self) {
        self.permits.free(Kind::Pending);
    }

    /// All of the client's body has come.
    pub fn body_came(&mut self) {
        self.permits.free(Kind::WaitingBody);
    }

    /// Asks for a place among those that try another endpoint.
    pub fn retry(&mut self) -> bool {
        let State { counts, cells, .. } = &*self.guard.state;
        let allowed = self.guard.retries.allowed(counts.of(Kind::Request));
        let taken = self.permits.take(Kind::Retry, Some(allowed));
        if taken {
            cells.retried()
        } else {
            cells.limited(Kind::Retry.label())
        }
        taken
    }

    /// Another version failed the request before: that takes from what this one may retry, but is never refused. Each request comes to
    /// the default version once at most, so that no storm can be made of it.
    pub fn comes_from_another(&mut self) {
        self.permits.take(Kind::Retry, None);
    }

    /// The version answered.
    pub fn answered(&mut self, now: Duration) {
        self.permits.free(Kind::Unanswered);
        if std::mem::replace(&mut self.judged, true) {
            return;
        }
        let Guard { state, hold_out: Some(rules), .. } = &*self.guard else { return };
        if state.circuit.passed(rules, self.probe, now) {
            state.cells.held_out.set(0);
            let (service, version) = (&*state.service, &*state.version);
            tracing::info!(service, version, "a version answers again: it is not held out any more");
        }
    }

    /// The version failed; before its answer, or in the midst of it.
    pub fn failed(&mut self, why: &'static str, now: Duration) {
        let probe = self.probe && !std::mem::replace(&mut self.judged, true);
        self.judged = true;
        let Guard { state, hold_out, .. } = &*self.guard;
        state.cells.failed(why);
        let Some(rules) = hold_out else { return };
        if state.circuit.failed(rules, probe, now) {
            state.cells.held_out.set(1);
            let (service, version, rest) = (&*state.service, &*state.version, rules.rest);
            tracing::warn!(service, version, why, ?rest, "a version fails: it is held out");
        }
    }

    fn take(&mut self, kind: Kind, limit: Option<usize>) -> Result<(), &'static str> {
        if self.permits.take(kind, limit) {
            return Ok(());
        }
        self.guard.state.cells.limited(kind.label());
        Err(LIMIT)
    }
}

/// Guards for the tests of whoever asks them.
#[cfg(test)]
pub(super) mod fixture {
    use super::*;
    use crate::config::shadow::Share;

    /// What matters to a test.
    #[derive(Debug, Clone, Copy)]
    pub struct Rules {
        pub failures: u32,
        pub requests: Option<usize>,
        pub attempts: usize,
        pub min: usize,
    }

    impl Default for Rules {
        fn default() -> Rules {
            Rules { failures: 1000, requests: None, attempts: 2, min: 1000 }
        }
    }

    pub fn guard(rules: Rules, is_default: bool) -> Arc<Guard> {
        let state = State::new(&"shop".into(), &"v".into(), &Metrics::new(100));
        let hold_out = HoldOut { failures: rules.failures, ..HoldOut::default() };
        Arc::new(Guard {
            state: Arc::new(state),
            hold_out: (!is_default).then_some(hold_out),
            limits: VersionLimits { requests: rules.requests, ..VersionLimits::of(is_default) },
            retries: Retries { attempts: rules.attempts, budget: Share(0.2), min: rules.min },
        })
    }
}
