//! Shadow traffic: copies of requests to other versions, whose answers are compared and thrown away.
//!
//! Nothing here can delay, fail or change the original: a request only hands over, and what finds no room is dropped and counted.
//!
//! A copy passes these files: `hooks` (what each hook of a request does), `copying` (which copies, gathered and handed over once),
//! `job`, `outbox` (the queue), `runner` (limits, endpoints), `head` (the copy's head), `sender` (one exchange), `kept` (answers),
//! `pair` (original and shadow), [`mod@line`] (what is counted). `budget` and `breaker` bound them.

mod book;
mod breaker;
mod budget;
pub(super) mod copying;
#[cfg(test)]
mod fixture;
pub(super) mod head;
mod hooks;
mod job;
mod kept;
pub mod line;
mod outbox;
mod pair;
pub(super) mod runner;
mod sender;

use std::sync::Arc;

use super::upstream::{Pool, Upstreams};
use crate::compare::Dropped;
use crate::config::Config;
use crate::config::route::Action;
use crate::config::service::{ServiceId, VersionId};
use crate::route::RouteId;
use crate::telemetry::Metrics;
use book::Book;
pub use line::Line;
use outbox::Outbox;

/// The shadows of a snapshot, resolved: what outlives snapshots, by the snapshot's ids.
#[derive(Debug)]
pub struct Shadows {
    outbox: Arc<Outbox>,
    book: Book,
    /// Of their own, so that no failure of a shadow lets an endpoint rest for other traffic. None: no route has a shadow.
    upstreams: Option<Upstreams>,
}

impl Shadows {
    /// Resolves a configuration; what did not change is taken over from `before`. Names are looked up by the resolver of `upstreams`.
    pub fn new(
        config: &Config,
        metrics: &Metrics,
        upstreams: &Upstreams,
        before: Option<&Shadows>,
    ) -> Shadows {
        let outbox = match before {
            Some(before) => {
                before.outbox.limit(config.shadows);
                Arc::clone(&before.outbox)
            }
            None => Outbox::new(config.shadows, metrics.shadows()),
        };
        let shadowed = config.routes.iter().any(|route| match &route.action {
            Action::Forward(forward) => !forward.shadows.is_empty(),
            Action::Redirect(_) | Action::Respond(_) | Action::Ofrep(_) => false,
        });
        let own = before.and_then(|before| before.upstreams.as_ref());
        Shadows {
            outbox,
            book: Book::new(config, metrics, before.map(|before| &before.book)),
            upstreams: shadowed.then(|| upstreams.beside(config, own)),
        }
    }

    /// Every line of the snapshot, in the order of routes and shadows.
    pub fn lines(&self) -> impl Iterator<Item = &Arc<Line>> {
        self.book.all().iter()
    }

    /// The line of a route's shadow (by index in the plan), of the version that serves originals and the one that gets copies. None: they
    /// are the same.
    pub fn line(
        &self,
        route: RouteId,
        shadow: usize,
        original: VersionId,
        version: VersionId,
    ) -> Option<&Arc<Line>> {
        self.book.line(route, shadow, original, version)
    }

    /// Counts a copy that was dropped before it had a line.
    fn dropped(&self, route: RouteId, shadow: usize, version: Option<VersionId>, why: Dropped) {
        self.book.dropped(route, shadow, version, why);
    }

    /// The endpoints of a version, for copies.
    fn pool(&self, service: ServiceId, version: VersionId) -> Option<&Arc<Pool>> {
        Some(self.upstreams.as_ref()?.pool(service, version))
    }

    /// Where copies are handed over.
    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }
}
