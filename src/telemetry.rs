//! Metrics and the access log: where outcomes meet their decision and fan out.
//!
//! Handles are resolved when a snapshot is published, so that a request only adds to atomics; the log is written by a
//! thread of its own behind a bounded queue. No targeting key and no attribute value comes here.

pub mod access_log;
pub mod evaluations;
pub mod grpc;
pub mod handles;
pub mod harmless;
pub mod identity;
pub mod metrics;
pub mod ofrep;
pub mod outcome;
pub mod shadow;

mod bounded;
#[cfg(test)]
mod fixture;
pub mod limiter;
mod rare;
mod record;
mod streams;
mod tls;
mod upstreams;
mod versions;
mod writer;

pub use access_log::AccessLog;
pub use evaluations::Evaluations;
pub use grpc::GrpcStatus;
pub use handles::Handles;
pub use metrics::{Metrics, Reload};
pub use outcome::{Attempted, Outcome};
pub use shadow::{ShadowCounters, ShadowGauges};
pub use versions::VersionCells;
