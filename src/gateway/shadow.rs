//! Shadow traffic: copies of requests to other versions, whose answers are compared and thrown away.
//!
//! Nothing here can delay, fail or change the original: a request only hands over, and what finds no room is dropped and counted.

pub mod line;

use std::sync::Arc;

use crate::config::service::VersionId;
use crate::route::RouteId;
pub use line::Line;

/// The shadows of a snapshot, resolved: what outlives snapshots, by the snapshot's ids.
#[derive(Debug, Default)]
pub struct Shadows {
    lines: Vec<Arc<Line>>,
}

impl Shadows {
    /// Every line of the snapshot, in the order of routes and shadows.
    pub fn lines(&self) -> impl Iterator<Item = &Arc<Line>> {
        self.lines.iter()
    }

    /// The line of a route's shadow (by index in the plan), of the version that serves originals and the one that gets copies.
    pub fn line(
        &self,
        _route: RouteId,
        _shadow: usize,
        _original: VersionId,
        _version: VersionId,
    ) -> Option<&Arc<Line>> {
        todo!()
    }
}
