//! Shadows as configured: which requests are copied, how a copy differs from its original, how answers are compared.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};

use super::field_path::FieldPath;
use super::route::{FlagName, HeaderEdits};
use super::service::{ServiceId, VersionId};
use super::{Name, Place};

/// A copy of a route's requests, as a flag decides.
#[derive(Debug, Clone)]
pub struct ShadowRule {
    /// Its value names the version that gets the copy, or `none`.
    pub flag: FlagName,
    /// Any value, mapped to a version of [`ShadowRule::service`] or to no copy; none: the string value is the version's name.
    pub values: Option<Vec<(serde_json::Value, Option<VersionId>)>>,
    /// Whose versions get copies; default the route's own service.
    pub service: ServiceId,
    /// Methods that are copied; default GET, HEAD, OPTIONS.
    pub methods: Vec<Method>,
    /// What makes any other method safe to copy; none: it is not copied.
    pub writes: Option<SafeWrites>,
    /// Changes of the copy's headers.
    pub request_headers: HeaderEdits,
    /// Replaces the copy's host; with or without a port.
    pub host: Option<Name>,
    /// Whether `authorization` and `proxy-authorization` stay; default true.
    pub credentials: bool,
    /// Whether `cookie` stays; default true.
    pub cookies: bool,
    /// From the copy's first byte sent to the last one of its answer; default 5 s.
    pub timeout: Duration,
    /// Copies under way at once; default 64.
    pub max_in_flight: usize,
    /// Bytes of a request's body that is copied; a larger one is not copied at all. Default 256 KiB.
    pub max_body: usize,
    /// Bytes of an answer's body that are read; more ends the copy as failed. Default 16 MiB.
    pub max_answer: u64,
    /// When a failing version gets a rest.
    pub breaker: Breaker,
    /// How answers are compared.
    pub compare: CompareRules,
    /// Of the shadow in the file.
    pub place: Place,
}

impl ShadowRule {
    /// The value of a flag, and the word among [`ShadowRule::values`], that means no copy; a version of that name cannot be named.
    pub const NONE: &str = "none";
}

/// What makes a write safe to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SafeWrites {
    /// The request carries this header, by which the service knows a repetition.
    KeyedBy(HeaderName),
    /// The copy is sent with these headers, by which the service leaves everything as it is.
    DryRun(Vec<(HeaderName, HeaderValue)>),
}

/// When a failing version gets a rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row after which no copy is sent; default 5.
    pub failures: u32,
    /// For how long; then one copy tries. Default 10 s.
    pub rest: Duration,
}

/// How two answers to one request are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct CompareRules {
    /// Of the copies, how many are compared; default all.
    pub sample: Share,
    /// Of the compared requests without side effects, how many are sent once more to the version that served them, to learn what is noise. Default none.
    pub noise: Share,
    /// Headers that are compared; default `content-type`, `content-encoding`, `location`, `cache-control`.
    pub headers: Vec<HeaderName>,
    /// Bytes of a body, decoded or not, that are kept for comparing; larger ones are compared by length and hash. Default 256 KiB.
    pub max_body: usize,
    /// Fields that are not compared, with everything below them.
    pub ignore: Vec<FieldPath>,
    /// JSON arrays whose elements are matched by a field of theirs, not by position.
    pub arrays: Vec<(FieldPath, Name)>,
    /// How far two numbers may lie apart, by field; not negative.
    pub tolerance: Vec<(FieldPath, f64)>,
    /// From where on a slower answer counts as a difference; default 100 ms.
    pub slower_by: Duration,
    /// Fields whose values are never recorded, with everything below them.
    pub redact: Vec<FieldPath>,
    /// Recorded examples of each difference; default 3.
    pub examples: usize,
}

/// A share from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(pub f64);

/// Bounds on all shadows together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShadowLimits {
    /// Bytes of requests and answers held for copying and comparing; default 64 MiB.
    pub max_bytes: usize,
    /// Copies that may wait to be sent; default 1,024.
    pub queue: usize,
    /// Copies under way at once, of all shadows; default 256.
    pub max_in_flight: usize,
    /// Differing fields that are told apart for each shadow; what comes later is counted as `other`. Default 500.
    pub max_fields: usize,
}

impl Default for ShadowLimits {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, queue: 1024, max_in_flight: 256, max_fields: 500 }
    }
}

impl Share {
    /// Whether a draw from 0 to 1 (without 1) falls into it.
    pub fn takes(self, draw: f64) -> bool {
        draw < self.0
    }
}
