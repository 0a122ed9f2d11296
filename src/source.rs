//! Sources keep flag definitions fresh: read, keep the last good, merge, build a snapshot, hand it on.
//!
//! Everything here runs on a thread of its own, never on a request's. A document that does not parse changes nothing; a flag
//! that does not compile keeps its own last good definition. Nothing here knows who takes the snapshots.

pub mod keeper;
pub mod status;

pub use keeper::{Keeper, Wake};
pub use status::{SourceState, SourceStatus, Status};
