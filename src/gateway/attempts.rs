//! Which version and endpoint the next attempt of a request goes to, and whether there may be one.
//!
//! - An endpoint that takes no connection: another one of the version, then the default version. Nothing was sent, so this
//!   holds for every method and every body.
//! - An error on a connection that came from the pool: once more, as the server may have closed it just then. Only what is idempotent.
//! - Any other failure before an answer: the default version, if another one failed. Only what is safe to repeat.
//!
//! The default version has nowhere to fall back to.

use std::net::SocketAddr;

use smallvec::SmallVec;

use crate::config::service::{ServiceId, VersionId};
use crate::decide::Target;
use crate::decide::headers::Attempt;
use crate::telemetry::Attempted;

/// Attempts of one request at most, over all versions and endpoints.
pub const MAX: usize = 8;
/// Endpoints of one version that are tried at most.
const MAX_ENDPOINTS: usize = 3;

/// The attempts of one request.
#[derive(Debug)]
pub struct Attempts {
    pub service: ServiceId,
    /// That the current attempt goes to.
    pub version: VersionId,
    default: VersionId,
    /// Endpoints of the current version.
    tried: SmallVec<[SocketAddr; MAX_ENDPOINTS]>,
    pub count: u32,
    pub fallback: Option<Attempted>,
}

/// What an attempt ended with, when it did not end with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Token for metrics, the log and the decision header.
    pub why: &'static str,
    /// The connection was an old one, and the error is of the sort that a server makes by closing it.
    pub stale: bool,
    /// The method has no effect if it is repeated.
    pub idempotent: bool,
    /// The method has no effect at all.
    pub safe: bool,
    /// Something of the request cannot be sent again, or something of an answer has reached the client.
    pub spent: bool,
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
        }
    }

    /// The next endpoint. `pick` chooses one of a version, other than those tried.
    pub fn next<P>(
        &mut self,
        mut pick: impl FnMut(VersionId, &[SocketAddr]) -> Option<(SocketAddr, P)>,
    ) -> Option<P> {
        loop {
            let within = self.tried.len() < MAX_ENDPOINTS && (self.count as usize) < MAX;
            if let Some((address, peer)) = within.then(|| pick(self.version, &self.tried)).flatten() {
                self.tried.push(address);
                self.count += 1;
                return Some(peer);
            }
            if !self.fall_back(if self.tried.is_empty() { "no_endpoint" } else { "connect" }) {
                return None;
            }
        }
    }

    /// The address of the current attempt.
    pub fn address(&self) -> Option<SocketAddr> {
        self.tried.last().copied()
    }

    /// Whether another attempt may follow a failure after connecting; the next one is prepared.
    pub fn after(&mut self, failure: Failure) -> bool {
        if failure.spent {
            return false;
        }
        if failure.stale && failure.idempotent {
            // The endpoint is not to blame.
            self.tried.pop();
            return true;
        }
        failure.safe && self.fall_back(failure.why)
    }

    /// How the current attempt tells of itself.
    pub fn attempt(&self) -> Attempt {
        Attempt { version: self.version, why: self.fallback.map(|fallback| fallback.why), shadow: None }
    }

    /// Turns to the default version; false when that is the one that failed.
    fn fall_back(&mut self, why: &'static str) -> bool {
        if self.version == self.default {
            return false;
        }
        self.fallback = Some(Attempted { version: self.version, why });
        self.version = self.default;
        self.tried.clear();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STABLE: VersionId = VersionId(0);
    const CANARY: VersionId = VersionId(1);

    fn attempts(version: VersionId) -> Attempts {
        Attempts::new(Target { service: ServiceId(0), version, trouble: None }, STABLE)
    }

    /// Endpoints with these ports: stable's and canary's.
    fn next(attempts: &mut Attempts, stable: &[u16], canary: &[u16]) -> Option<u16> {
        attempts.next(|version, tried| {
            let ports = if version == STABLE { stable } else { canary };
            let addresses = ports.iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port)));
            addresses.map(|address| (address, address.port())).find(|(address, _)| !tried.contains(address))
        })
    }

    const FAILURE: Failure =
        Failure { why: "closed", stale: false, idempotent: true, safe: true, spent: false };

    #[test]
    fn dead_endpoints_lead_to_others_then_to_the_default_version_then_nowhere() {
        let mut attempts = attempts(CANARY);
        let seen: Vec<_> = (0..6).map(|_| next(&mut attempts, &[1, 2], &[3, 4])).collect();
        assert_eq!(seen, [Some(3), Some(4), Some(1), Some(2), None, None]);
        assert_eq!(attempts.fallback, Some(Attempted { version: CANARY, why: "connect" }));
        assert_eq!(attempts.count, 4);
    }

    #[test]
    fn no_version_costs_more_than_three_endpoints() {
        let mut attempts = attempts(CANARY);
        let many = [1, 2, 3, 4, 5, 6];
        let seen: Vec<_> = (0..7).map(|_| next(&mut attempts, &many, &[11, 12, 13, 14])).collect();
        assert_eq!(seen, [Some(11), Some(12), Some(13), Some(1), Some(2), Some(3), None]);
    }

    #[test]
    fn a_version_without_endpoints_is_passed_over_at_once() {
        let mut attempts = attempts(CANARY);
        assert_eq!(next(&mut attempts, &[1], &[]), Some(1));
        assert_eq!(attempts.attempt(), Attempt { version: STABLE, why: Some("no_endpoint"), shadow: None });
        assert_eq!(attempts.count, 1);
    }

    #[test]
    fn what_was_sent_is_repeated_only_where_that_is_safe() {
        let table = [
            // failure, from the canary, from the default
            (FAILURE, true, false),
            (Failure { safe: false, ..FAILURE }, false, false),
            (Failure { safe: false, idempotent: false, ..FAILURE }, false, false),
            (Failure { spent: true, ..FAILURE }, false, false),
            (Failure { stale: true, ..FAILURE }, true, true),
            (Failure { stale: true, safe: false, ..FAILURE }, true, true),
            (Failure { stale: true, safe: false, idempotent: false, ..FAILURE }, false, false),
            (Failure { stale: true, spent: true, ..FAILURE }, false, false),
        ];
        for (failure, canary, stable) in table {
            for (version, again) in [(CANARY, canary), (STABLE, stable)] {
                let mut attempts = attempts(version);
                next(&mut attempts, &[1], &[2]);
                assert_eq!(attempts.after(failure), again, "{failure:?} of {version:?}");
            }
        }
    }

    #[test]
    fn a_stale_connection_is_no_reason_to_leave_the_version_or_the_endpoint() {
        let mut attempts = attempts(CANARY);
        assert_eq!(next(&mut attempts, &[1], &[2]), Some(2));
        assert!(attempts.after(Failure { stale: true, ..FAILURE }));
        assert_eq!(next(&mut attempts, &[1], &[2]), Some(2));
        assert_eq!(attempts.fallback, None);
    }

    #[test]
    fn attempts_end() {
        let mut attempts = attempts(STABLE);
        let stale = Failure { stale: true, ..FAILURE };
        let count =
            std::iter::from_fn(|| next(&mut attempts, &[1], &[]).map(|_| attempts.after(stale))).count();
        assert_eq!(count, MAX);
    }
}
