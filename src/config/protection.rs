//! What protects a service from a version that fails: which answers are failures, when a version is held out, how much it may hold.

use std::time::Duration;

use http::StatusCode;

use super::shadow::Share;

/// When requests are sent once more, and how often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retries {
    /// Further endpoints of a version that one request may try, 0 to 3; default 2.
    pub attempts: usize,
    /// Requests of a version that may be at another than their first endpoint, as a share of its live ones; default 20 %.
    pub budget: Share,
    /// So many may, however few are live; default 3.
    pub min: usize,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 2, budget: Share(0.2), min: 3 }
    }
}

impl Retries {
    /// How many of so many live requests may be at another than their first endpoint.
    pub fn allowed(&self, live: usize) -> usize {
        self.min.max((live as f64 * self.budget.0) as usize)
    }
}

/// When a version is held out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HoldOut {
    /// Failures within `over`; default 10.
    pub failures: u32,
    /// How far back failures count; default 10 s.
    pub over: Duration,
    /// The part of the requests within `over` that has to have failed; default 50 %.
    pub share: Share,
    /// For how long; then one request tries. Default 5 s.
    pub rest: Duration,
}

impl Default for HoldOut {
    fn default() -> Self {
        let (over, rest) = (Duration::from_secs(10), Duration::from_secs(5));
        Self { failures: 10, over, share: Share(0.5), rest }
    }
}

/// What the requests of one version may hold at once; none: any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionLimits {
    /// Live ones. Default 5,000; of the default version none.
    pub requests: Option<usize>,
    /// Live ones that have no answer yet. Default 1,000; of the default version none.
    pub unanswered: Option<usize>,
    /// Those whose connection is being made. Default none.
    pub pending: Option<usize>,
    /// Those that wait for the rest of a client's body, and hold a connection meanwhile. Default 1,000.
    pub waiting_bodies: Option<usize>,
}

impl VersionLimits {
    /// What holds where nothing is configured.
    pub fn of(is_default: bool) -> VersionLimits {
        let other = |limit| (!is_default).then_some(limit);
        VersionLimits {
            requests: other(5_000),
            unanswered: other(1_000),
            pending: None,
            waiting_bodies: Some(1_000),
        }
    }
}

/// The statuses that are failures where nothing is configured: what gateways and overloaded servers say in place of an answer. Of the
/// default version, which has nowhere to fall back to, none.
pub fn unfit(is_default: bool) -> Vec<StatusCode> {
    if is_default {
        return Vec::new();
    }
    vec![StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT]
}
