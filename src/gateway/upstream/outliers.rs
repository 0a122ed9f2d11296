//! When an endpoint that fails requests is ejected: pure, from what was counted of it and of the others.
//!
//! An outlier is one that does worse than the others. Where all fail alike, what they share is broken: nobody is ejected then, as that
//! would only take capacity away; it is the version's circuit that has to see it. Nor is one beyond `at_most` ever out, so nobody who knows an
//! address that fails can take a version down by asking for it.

use http::StatusCode;

use super::window::Counts;
use crate::config::service::Outliers;

/// What came of a request at an endpoint. Not told: what is not its doing (a client that went, a connection that went stale in the pool).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A head came, with a status that is none of [`Outcome::Status`].
    Answered,
    /// No connection.
    Refused,
    /// It ended, or said what is no answer, before a head came.
    Reset,
    /// Nothing came in time.
    TimedOut,
    /// 502, 503 or 504.
    Status,
}

impl Outcome {
    /// Of an answer.
    pub fn of(status: StatusCode) -> Outcome {
        match status.as_u16() {
            502..=504 => Outcome::Status,
            _ => Outcome::Answered,
        }
    }

    /// Of an attempt that failed for a reason with this token.
    pub fn failed(why: &str) -> Outcome {
        match why {
            "timeout" => Outcome::TimedOut,
            "status" => Outcome::Status,
            _ => Outcome::Reset,
        }
    }

    /// Whether it counts against the endpoint.
    pub fn is_failure(self) -> bool {
        self != Outcome::Answered
    }
}

/// Why one is ejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Too many failures in a row.
    Consecutive,
    /// Too large a share of failures.
    FailureRate,
}

impl Why {
    /// Labels of `flagway_ejections_total`, in the order of the discriminant.
    pub const LABELS: [&str; 2] = ["consecutive", "failure_rate"];
}

/// Whether an endpoint is to be ejected, with `row` failures in a row, by what was counted of it and of all others together.
pub fn due(rule: &Outliers, row: u32, own: Counts, others: Counts) -> Option<Why> {
    if others.reach(rule.failure_rate.0) {
        return None;
    }
    if row >= rule.consecutive {
        return Some(Why::Consecutive);
    }
    (own.requests >= rule.at_least && own.reach(rule.failure_rate.0)).then_some(Why::FailureRate)
}

/// Whether one more may be out, of so many.
pub fn may_be_out(rule: &Outliers, out: usize, of: usize) -> bool {
    (out + 1) as f64 <= (of as f64 * rule.at_most.0).floor()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::shadow::Share;

    fn counts(failures: u32, requests: u32) -> Counts {
        Counts { requests, failures }
    }

    #[test]
    fn an_outlier_is_one_that_does_worse_than_the_others() {
        let rule = Outliers::default();
        // failures in a row, its counts, the others', why it is ejected
        let table = [
            (4, counts(4, 4), counts(0, 100), None),
            (5, counts(5, 5), counts(0, 100), Some(Why::Consecutive)),
            (5, counts(5, 5), counts(0, 0), Some(Why::Consecutive)),
            (5, counts(5, 5), counts(50, 100), None),
            (5, counts(5, 5), counts(49, 100), Some(Why::Consecutive)),
            (1, counts(10, 20), counts(0, 100), Some(Why::FailureRate)),
            (1, counts(9, 20), counts(0, 100), None),
            (1, counts(19, 19), counts(0, 100), None),
            (1, counts(20, 20), counts(100, 100), None),
        ];
        for (row, own, others, why) in table {
            assert_eq!(due(&rule, row, own, others), why, "{row} {own:?} {others:?}");
        }
    }

    #[test]
    fn no_more_than_so_many_are_out() {
        let rule = |share| Outliers { at_most: Share(share), ..Outliers::default() };
        // share, out, of, whether one more may be
        let table = [
            (0.5, 0, 1, false),
            (0.5, 0, 2, true),
            (0.5, 1, 2, false),
            (0.5, 1, 3, false),
            (0.5, 1, 4, true),
            (1.0, 0, 1, true),
            (0.0, 0, 9, false),
            (0.1, 0, 10, true),
        ];
        for (share, out, of, may) in table {
            assert_eq!(may_be_out(&rule(share), out, of), may, "{share} {out} {of}");
        }
    }

    #[test]
    fn statuses_of_gateways_count_and_no_others() {
        for (status, failure) in [
            (200, false),
            (404, false),
            (429, false),
            (500, false),
            (501, false),
            (502, true),
            (503, true),
            (504, true),
            (505, false),
        ] {
            assert_eq!(Outcome::of(StatusCode::from_u16(status).unwrap()).is_failure(), failure, "{status}");
        }
        let failed = ["timeout", "status", "closed", "protocol"].map(Outcome::failed);
        assert_eq!(failed, [Outcome::TimedOut, Outcome::Status, Outcome::Reset, Outcome::Reset]);
    }
}
