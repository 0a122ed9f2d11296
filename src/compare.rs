//! Answers of a version and its shadow: how two of them differ, what of it is noise, and what all of them say together.
//!
//! Pure: times and the clock are arguments, nothing is read or sent. It knows nothing of flags or of how the answers came.
//!
//! An answer passes these files: [`answer`] (what is kept of it), [`coding`] (decompression), [`diff`] (two answers), `body` (two bodies),
//! `json` (two JSON values), then [`ledger`] (what is counted of a shadow), [`significance`] (noise or not) and [`report`] (what is told).

pub mod answer;
mod body;
pub mod coding;
pub mod diff;
pub mod events;
mod excerpt;
mod json;
pub mod ledger;
pub mod report;
pub mod significance;
pub mod verdict;

pub use answer::{Answer, Body, Capture};
pub use diff::{Comparison, Difference, Kind, compare};
pub use events::{Dropped, Failed, Uncompared};
pub use ledger::{Ledger, Observation};
pub use report::ShadowReport;

#[cfg(test)]
mod tests;
