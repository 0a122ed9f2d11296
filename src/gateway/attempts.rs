//! Which version and endpoint the next attempt of a request goes to, and whether there may be one.
//!
//! - An endpoint that takes no connection: another one of the version, then the default version. Nothing was sent, so this
//!   holds for every method and every body.
//! - An error on a connection that came from the pool: once more, as the server may have closed it just then.
//! - Any other failure before an answer, or an answer that is unfit: the same ways. A version that takes too long is left for the default
//!   at once: its other endpoints would take as long again.
//! - A version that is held out or at its limits: the default version.
//!
//! Whatever was sent is repeated only where the method is idempotent and all that was sent of the body is still there. The default version
//! has nowhere to fall back to; how often another endpoint is tried, a budget bounds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::protection::{Guard, Stay};
use crate::config::service::{ServiceId, VersionId};
use crate::decide::Target;
use crate::decide::headers::Attempt;
use crate::telemetry::Attempted;

/// Attempts of one request at most, over all versions and endpoints: four endpoints of each of two versions.
pub const MAX: usize = 8;
/// The failure that costs time.
pub const TIMEOUT: &str = "timeout";
/// The failure before anything was sent.
const CONNECT: &str = "connect";
/// There is nowhere to send it.
const NO_ENDPOINT: &str = "no_endpoint";

/// The attempts of one request.
#[derive(Debug)]
pub struct Attempts {
    pub service: ServiceId,
    /// That the current attempt goes to.
    pub version: VersionId,
    default: VersionId,
    /// Endpoints of the current version.
    tried: SmallVec<[SocketAddr; 4]>,
    pub count: u32,
    pub fallback: Option<Attempted>,
    /// At the current version.
    stay: Option<Stay>,
    /// Why the current version failed last.
    failed: Option<&'static str>,
    /// The last endpoint is asked again, as it was not to blame.
    again: bool,
}

/// What an attempt ended with, when it did not end with an answer that is fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Token for metrics, the log and the decision header.
    pub why: &'static str,
    /// The connection was an old one, and the error is of the sort that a server makes by closing it.
    pub stale: bool,
    /// The method has no further effect if it is repeated.
    pub idempotent: bool,
    /// Something of the request cannot be sent again, or something of an answer has reached the client.
    pub spent: bool,
}

/// When another attempt is looked for.
#[derive(Debug, Clone, Copy)]
pub struct At {
    pub now: Duration,
    /// The client's body has not come yet.
    pub waits: bool,
}

impl Attempts {
    pub fn new(target: Target, default: VersionId) -> Attempts {
        Attempts {
            service: target.service,
            version: target.version,
            default,
            tried: SmallVec::new(),
            count: 0,
            fallback: None,
            stay: None,
            failed: None,
            again: false,
        }
    }

    /// The next endpoint, or why there is none; then all is as it was. `pick` chooses one of a version, other than those tried.
    pub fn next<'a, P>(
        &mut self,
        at: At,
        guard: impl Fn(VersionId) -> &'a Arc<Guard>,
        mut pick: impl FnMut(VersionId, &[SocketAddr]) -> Option<(SocketAddr, P)>,
    ) -> Result<P, &'static str> {
        if self.count as usize >= MAX {
            let why = self.failed.unwrap_or(CONNECT);
            self.give_up(why, guard(self.version), at.now);
            return Err(why);
        }
        let why = match self.here(at, guard(self.version), &mut pick) {
            Ok(peer) => return Ok(peer),
            Err(why) => self.failed.unwrap_or(why),
        };
        if self.version == self.default {
            self.give_up(why, guard(self.version), at.now);
            return Err(why);
        }
        let found = Stay::begin(guard(self.default), at.now, at.waits)
            .and_then(|stay| Ok((stay, pick(self.default, &[]).ok_or(NO_ENDPOINT)?)));
        self.give_up(why, guard(self.version), at.now);
        let (mut stay, (address, peer)) = found?;
        if self.count > 0 {
            stay.comes_from_another();
        }
        self.fallback = Some(Attempted { version: self.version, why });
        (self.version, self.stay, self.failed) = (self.default, Some(stay), None);
        self.tried.clear();
        self.begin(address);
        Ok(peer)
    }

    /// The address of the current attempt.
    pub fn address(&self) -> Option<SocketAddr> {
        self.tried.last().copied()
    }

    /// What the current version counts of the request.
    pub fn stay(&mut self) -> Option<&mut Stay> {
        self.stay.as_mut()
    }

    /// The endpoint takes no connection.
    pub fn refused(&mut self) {
        self.failed = Some(CONNECT);
    }

    /// Whether another attempt may follow a failure after connecting. If not, the version's failure is counted.
    pub fn may_follow(&mut self, failure: Failure, now: Duration) -> bool {
        let may = failure.idempotent && !failure.spent;
        self.again = may && failure.stale;
        if may && !self.again {
            self.failed = Some(failure.why);
        }
        if !may && let Some(stay) = &mut self.stay {
            stay.failed(failure.why, now);
        }
        may
    }

    /// How the current attempt tells of itself.
    pub fn attempt(&self) -> Attempt {
        Attempt { version: self.version, why: self.fallback.map(|fallback| fallback.why), shadow: None }
    }

    /// Another endpoint of the current version.
    fn here<P>(
        &mut self,
        at: At,
        guard: &Arc<Guard>,
        pick: &mut impl FnMut(VersionId, &[SocketAddr]) -> Option<(SocketAddr, P)>,
    ) -> Result<P, &'static str> {
        let again = std::mem::take(&mut self.again);
        if again {
            // The endpoint is not to blame.
            self.tried.pop();
        }
        let Some(stay) = &mut self.stay else {
            let stay = Stay::begin(guard, at.now, at.waits)?;
            let (address, peer) = pick(self.version, &[]).ok_or(NO_ENDPOINT)?;
            self.stay = Some(stay);
            self.begin(address);
            return Ok(peer);
        };
        let leaves = self.failed == Some(TIMEOUT) && self.version != self.default;
        if leaves || self.tried.len() > guard.retries.attempts {
            return Err(CONNECT);
        }
        let (address, peer) = pick(self.version, &self.tried).ok_or(CONNECT)?;
        if !(again || stay.retry()) {
            return Err(CONNECT);
        }
        stay.dial()?;
        self.begin(address);
        Ok(peer)
    }

    fn begin(&mut self, address: SocketAddr) {
        self.tried.push(address);
        self.count += 1;
    }

    /// The current version does not serve the request: its failure is counted, if it is one.
    fn give_up(&mut self, why: &'static str, guard: &Guard, now: Duration) {
        match &mut self.stay {
            Some(stay) => stay.failed(why, now),
            // To be held out or at a limit is no failure of this request.
            None if why == NO_ENDPOINT => guard.missed(why),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::protection::fixture::{Rules, guard};
    use crate::gateway::protection::{HELD_OUT, LIMIT};

    const STABLE: VersionId = VersionId(0);
    const CANARY: VersionId = VersionId(1);
    const AT: At = At { now: Duration::ZERO, waits: false };

    /// A service with a default version and another one.
    struct Service {
        guards: [Arc<Guard>; 2],
        /// Ports of the versions' endpoints.
        ports: [&'static [u16]; 2],
    }

    impl Service {
        fn new(stable: &'static [u16], canary: &'static [u16]) -> Service {
            Service::with(stable, canary, Rules::default(), Rules::default())
        }

        fn with(
            stable: &'static [u16],
            canary: &'static [u16],
            of_stable: Rules,
            of_canary: Rules,
        ) -> Service {
            Service { guards: [guard(of_stable, true), guard(of_canary, false)], ports: [stable, canary] }
        }

        fn next(&self, attempts: &mut Attempts) -> Result<u16, &'static str> {
            attempts.next(
                AT,
                |version| &self.guards[version.0],
                |version, tried| {
                    let ports = self.ports[version.0].iter();
                    let addresses = ports.map(|port| SocketAddr::from(([127, 0, 0, 1], *port)));
                    addresses
                        .map(|address| (address, address.port()))
                        .find(|(address, _)| !tried.contains(address))
                },
            )
        }

        /// What is asked after a failure, if anything is.
        fn after(&self, attempts: &mut Attempts, failure: Failure) -> Option<u16> {
            attempts.may_follow(failure, AT.now).then(|| self.next(attempts).ok()).flatten()
        }
    }

    fn attempts(version: VersionId) -> Attempts {
        Attempts::new(Target { service: ServiceId(0), version, trouble: None }, STABLE)
    }

    /// The endpoints that are asked when none takes a connection.
    fn refused(service: &Service, version: VersionId) -> (Vec<u16>, Attempts) {
        let mut attempts = attempts(version);
        let asked = std::iter::from_fn(|| {
            let port = service.next(&mut attempts).ok()?;
            attempts.refused();
            Some(port)
        });
        (asked.collect(), attempts)
    }

    const FAILURE: Failure = Failure { why: "closed", stale: false, idempotent: true, spent: false };

    #[test]
    fn dead_endpoints_lead_to_others_then_to_the_default_version_then_nowhere() {
        let service = Service::new(&[1, 2], &[3, 4]);
        let (asked, mut attempts) = refused(&service, CANARY);
        assert_eq!(asked, [3, 4, 1, 2]);
        assert_eq!(attempts.fallback, Some(Attempted { version: CANARY, why: "connect" }));
        assert_eq!((attempts.count, service.next(&mut attempts)), (4, Err("connect")));
    }

    #[test]
    fn no_version_costs_more_endpoints_than_it_may() {
        for (further, expected) in
            [(2, &[11, 12, 13, 1, 2, 3][..]), (0, &[11, 1]), (3, &[11, 12, 13, 14, 1, 2, 3, 4])]
        {
            let rules = Rules { attempts: further, ..Rules::default() };
            let service = Service::with(&[1, 2, 3, 4, 5], &[11, 12, 13, 14, 15], rules, rules);
            assert_eq!(refused(&service, CANARY).0, expected);
        }
    }

    #[test]
    fn a_version_without_endpoints_is_passed_over_at_once() {
        let mut attempts = attempts(CANARY);
        assert_eq!(Service::new(&[1], &[]).next(&mut attempts), Ok(1));
        assert_eq!(attempts.attempt(), Attempt { version: STABLE, why: Some("no_endpoint"), shadow: None });
        assert_eq!(attempts.count, 1);
    }

    #[test]
    fn what_was_sent_is_repeated_only_where_that_is_safe() {
        let unsafe_method = Failure { idempotent: false, ..FAILURE };
        let table = [
            // failure; asked then, from the canary and from the default: another endpoint first
            (FAILURE, Some(12), Some(2)),
            (Failure { why: "timeout", ..FAILURE }, Some(1), Some(2)),
            (Failure { why: "status", ..FAILURE }, Some(12), Some(2)),
            (unsafe_method, None, None),
            (Failure { spent: true, ..FAILURE }, None, None),
            (Failure { stale: true, ..FAILURE }, Some(11), Some(1)),
            (Failure { stale: true, ..unsafe_method }, None, None),
            (Failure { stale: true, spent: true, ..FAILURE }, None, None),
        ];
        for (failure, canary, stable) in table {
            for (version, again) in [(CANARY, canary), (STABLE, stable)] {
                let service = Service::new(&[1, 2], &[11, 12]);
                let mut attempts = attempts(version);
                service.next(&mut attempts).unwrap();
                assert_eq!(service.after(&mut attempts, failure), again, "{failure:?} of {version:?}");
            }
        }
    }

    #[test]
    fn where_the_default_version_cannot_serve_either_the_failed_one_stays_the_one_that_did() {
        let service = Service::new(&[], &[11]);
        let mut attempts = attempts(CANARY);
        assert_eq!(service.next(&mut attempts), Ok(11));
        assert_eq!(service.after(&mut attempts, FAILURE), None);
        assert_eq!((attempts.version, attempts.fallback), (CANARY, None));
    }

    #[test]
    fn a_stale_connection_is_no_reason_to_leave_the_version_or_the_endpoint() {
        let service = Service::new(&[1], &[2, 3]);
        let mut attempts = attempts(CANARY);
        assert_eq!(service.next(&mut attempts), Ok(2));
        assert_eq!(service.after(&mut attempts, Failure { stale: true, ..FAILURE }), Some(2));
        assert_eq!(attempts.fallback, None);
    }

    #[test]
    fn attempts_end() {
        let service = Service::new(&[1], &[]);
        let mut attempts = attempts(STABLE);
        let stale = Failure { stale: true, ..FAILURE };
        service.next(&mut attempts).unwrap();
        assert_eq!(std::iter::from_fn(|| service.after(&mut attempts, stale)).count(), MAX - 1);
    }

    #[test]
    fn a_version_that_is_held_out_or_full_is_not_asked() {
        let held = Rules { failures: 1, ..Rules::default() };
        let full = Rules { requests: Some(0), ..Rules::default() };
        for (rules, why) in [(held, HELD_OUT), (full, LIMIT)] {
            let service = Service::with(&[1], &[11], Rules::default(), rules);
            if why == HELD_OUT {
                assert_eq!(refused(&service, CANARY).0, [11, 1], "the one that has it held out");
            }
            let mut attempts = attempts(CANARY);
            assert_eq!(service.next(&mut attempts), Ok(1), "{why}");
            assert_eq!(attempts.fallback, Some(Attempted { version: CANARY, why }));
        }
    }

    #[test]
    fn the_default_version_is_never_held_out_and_full_it_is_nobodys() {
        let held = Rules { failures: 1, ..Rules::default() };
        let service = Service::with(&[1], &[], held, Rules::default());
        assert_eq!([0; 3].map(|_| refused(&service, STABLE).0), [[1], [1], [1]]);
        let full = Rules { requests: Some(1), ..Rules::default() };
        let service = Service::with(&[1], &[11], full, Rules::default());
        let mut first = attempts(STABLE);
        assert_eq!(service.next(&mut first), Ok(1));
        assert_eq!(service.next(&mut attempts(STABLE)), Err(LIMIT));
        let mut second = attempts(CANARY);
        assert_eq!(service.next(&mut second), Ok(11));
        assert_eq!(service.after(&mut second, FAILURE), None, "what falls back counts there as well");
        drop(first);
        assert_eq!(service.next(&mut attempts(STABLE)), Ok(1));
    }

    #[test]
    fn retries_have_a_budget_which_falling_back_uses_up_and_never_waits_for() {
        let rules = Rules { min: 1, ..Rules::default() };
        let service = Service::with(&[1, 2], &[11, 12], rules, rules);
        let mut live: Vec<Attempts> = [STABLE; 4].map(attempts).into();
        let asked = live.iter_mut().map(|attempts| {
            service.next(attempts).unwrap();
            service.after(attempts, FAILURE)
        });
        assert_eq!(asked.collect::<Vec<_>>(), [Some(2), None, None, None]);
        live.clear();
        let (asked, _one) = refused(&service, CANARY);
        assert_eq!(asked, [11, 12, 1, 2], "one at a time may try all");
        let mut first = attempts(CANARY);
        assert_eq!(service.next(&mut first), Ok(11));
        assert_eq!(
            service.after(&mut first, Failure { why: "timeout", ..FAILURE }),
            Some(1),
            "it is never refused"
        );
        let mut second = attempts(STABLE);
        service.next(&mut second).unwrap();
        assert_eq!(service.after(&mut second, FAILURE), None, "the budget is used up");
    }
}
