//! What became of a request.

use std::time::Duration;

use super::GrpcStatus;
use crate::config::service::VersionId;

/// The outcome of one request, told once, at its end.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Status sent to the client; 0 when none was.
    pub status: u16,
    /// Of a gRPC call: its own status, which HTTP's says nothing of.
    pub grpc: Option<GrpcStatus>,
    /// From the first byte read to the last written.
    pub total: Duration,
    /// The part of it spent waiting for the upstream.
    pub upstream: Duration,
    /// Of the request's body.
    pub bytes_in: u64,
    /// Of the response's body.
    pub bytes_out: u64,
    /// The version that served, when one was tried; after a fallback it is not the decision's.
    pub version: Option<VersionId>,
    /// Upstream attempts; 0 when none was made.
    pub attempts: u32,
    /// A failed first attempt that led to the default version.
    pub fallback: Option<Attempted>,
    /// A short text for the log: what failed in the end.
    pub error: Option<String>,
}

impl Outcome {
    /// The class of its status, 1 to 5, a call's told as HTTP would; 0 when there was none.
    pub fn class(&self) -> usize {
        match self.grpc.map_or(self.status, GrpcStatus::as_http) {
            status @ 100..=599 => usize::from(status / 100),
            _ => 0,
        }
    }
}

/// An attempt that failed and was followed by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempted {
    /// The version that failed.
    pub version: VersionId,
    /// Token: `connect`, `timeout`, `closed`, ...
    pub why: &'static str,
}
