//! Sources keep flag definitions fresh: read, keep the last good, merge, put the overlay above, build a snapshot, hand it on.
//!
//! Everything here runs on threads of its own, never on a request's: one watches and reads, one parses, builds, publishes
//! and does what operators ask, one writes last good flags to disk. A document that does not parse changes nothing; a flag
//! that does not compile keeps its own last good definition. Nothing here knows who takes the snapshots, or who may write.

pub mod audit;
pub mod checked;
pub mod claim;
pub mod events;
pub mod fail;
pub mod files;
pub mod hand;
pub mod keeper;
pub mod last_good;
pub mod overlay_file;
pub mod status;

mod book;
mod configuration;
mod diff;
mod disk;
mod eye;
mod folders;
mod journal;
mod kept;
mod once;
mod paths;
mod sight;
mod standing;
mod watch;
pub(crate) mod whole_file;
mod worse;
mod writes;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use checked::{Checked, check, state_dir};
pub use claim::Claim;
pub use events::{Event, Events};
pub use hand::Hand;
pub use keeper::Keeper;
pub use last_good::LastGood;
pub use status::{SourceState, SourceStatus, Status};
pub use watch::Wake;
