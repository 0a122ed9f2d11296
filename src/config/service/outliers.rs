//! When an endpoint that fails requests gets none for a while.

use std::time::Duration;

use crate::config::shadow::Share;

/// An endpoint that fails more than the others of its version is ejected.
#[derive(Debug, Clone, PartialEq)]
pub struct Outliers {
    /// Failures in a row; default 5.
    pub consecutive: u32,
    /// Share of its requests that fail; default 50 %.
    pub failure_rate: Share,
    /// Requests within `over` before a share counts; default 20.
    pub at_least: u32,
    /// The time that a share is of; default 10 s.
    pub over: Duration,
    /// Of the first ejection; each that follows soon lasts twice as long as the one before. Default 30 s.
    pub first: Duration,
    /// Of any ejection; default 5 min.
    pub longest: Duration,
    /// Share of a version's endpoints that may be out at once, rounded down; default 50 %.
    pub at_most: Share,
}

impl Default for Outliers {
    fn default() -> Self {
        Outliers {
            consecutive: 5,
            failure_rate: Share(0.5),
            at_least: 20,
            over: Duration::from_secs(10),
            first: Duration::from_secs(30),
            longest: Duration::from_secs(300),
            at_most: Share(0.5),
        }
    }
}
