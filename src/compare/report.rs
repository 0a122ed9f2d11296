//! What is told of a shadow: plain data, as the API answers it and the command line reads it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One shadow: the copies that one version got of the requests that another served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShadowReport {
    /// The route's name.
    pub route: String,
    /// The flag that decides about the copies.
    pub flag: String,
    /// The version that served the originals: `stable`.
    pub original: String,
    /// Of the copies.
    pub service: String,
    /// Of the copies: `v2`.
    pub version: String,
    /// RFC 3339: since when it counts.
    pub since: String,
    /// One plain sentence.
    pub verdict: String,
    /// Copies that were sent.
    pub sent: u64,
    /// Copies that were answered to the end.
    pub answered: u64,
    /// Copies without an answer, by why.
    pub failed: BTreeMap<String, u64>,
    /// Copies that were not sent, by why.
    pub dropped: BTreeMap<String, u64>,
    /// Whether the version has a rest, as it failed too often.
    pub resting: bool,
    /// Requests whose answers were compared: equal + noise + undecided + differing.
    pub compared: u64,
    /// Without any difference.
    pub equal: u64,
    /// With differences that are all noise.
    pub noise: u64,
    /// With differences of which none is settled to be one, and some may be.
    pub undecided: u64,
    /// With a difference that counts.
    pub differing: u64,
    /// Answers that were not compared, by why.
    pub uncompared: BTreeMap<String, u64>,
    /// Requests for which the version was also compared with itself.
    pub twins: u64,
    /// None: nothing was compared.
    pub latency: Option<Latency>,
    /// Fields that differ, the most frequent first.
    pub differences: Vec<FieldReport>,
    /// Fields that differ about as often when the version is compared with itself.
    pub noisy: Vec<FieldReport>,
    /// Fields that were seen to differ too seldom to tell which they are.
    pub unsettled: Vec<FieldReport>,
    /// Differences in fields beyond the bound on how many are told apart.
    pub other: u64,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldReport {
    /// `/items/*/price`
    pub path: String,
    /// `changed`
    pub kind: String,
    /// Requests in which it differed from the shadow's.
    pub count: u64,
    /// Of those compared.
    pub rate: f64,
    /// Of the rate, at 95 % (Wilson).
    pub interval: [f64; 2],
    /// Requests in which the version differed from itself there.
    pub twin_count: u64,
    /// Of those so compared; none: none was.
    pub twin_rate: Option<f64>,
    /// RFC 3339, as [`FieldReport::last_seen`]: when it differed from the shadow's or the twin's.
    pub first_seen: String,
    /// RFC 3339.
    pub last_seen: String,
    /// Some of them.
    pub examples: Vec<Example>,
}

/// One difference as it was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// RFC 3339.
    pub time: String,
    /// Of the original.
    pub request_id: String,
    /// Of the original.
    pub method: String,
    /// Of the original, without its query.
    pub path: String,
    /// The field, as an RFC 6901 pointer with its indexes.
    pub at: String,
    /// What the original has there; none: nothing, or it is not recorded.
    pub original: Option<String>,
    /// What the shadow has there.
    pub shadow: Option<String>,
}

/// An example as it is exported: one JSON object a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExampleLine {
    /// The route's name.
    pub route: String,
    /// The version that served.
    pub original_version: String,
    /// The service of the copy.
    pub service: String,
    /// The version of the copy.
    pub version: String,
    /// The field that differs.
    pub field: String,
    /// How.
    pub kind: String,
    /// `difference`, `noise` or `unsettled`.
    pub class: String,
    /// What was seen.
    #[serde(flatten)]
    pub example: Example,
}

/// Both distributions of the time to the first byte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Of the originals.
    pub original: Quantiles,
    /// Of the shadow.
    pub shadow: Quantiles,
    /// The threshold, in seconds.
    pub slower_by: f64,
    /// The share of requests in which the shadow was slower by more than that.
    pub slower: f64,
}

/// Seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Median.
    pub p50: f64,
    /// 90 of 100.
    pub p90: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
}
