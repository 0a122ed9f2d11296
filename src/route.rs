//! Matching: which route a request takes.
//!
//! The table is compiled once a snapshot, sorted as the Gateway API orders matches; the first that matches wins. It decides nothing but the route.

mod cover;
mod describe;
#[cfg(test)]
mod fixture;
mod matching;
pub mod table;

pub use describe::describe;
pub use table::Table;

/// Index into `Config::routes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub usize);
