//! A copy on its way from the request to whoever sends it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Uri};
use pingora::http::RequestHeader;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::budget::Charge;
use super::kept::{Kept, head_bytes};
use super::line::Line;
use crate::compare::Uncompared;
use crate::config::route::Action;
use crate::config::service::{ServiceId, VersionId};
use crate::config::shadow::ShadowRule;
use crate::gateway::Live;
use crate::route::RouteId;

/// What a copy tells of decisions.
pub type Told = SmallVec<[(HeaderName, HeaderValue); 4]>;
/// The original's answer, or why there is none to compare with.
pub type Taken = Result<Arc<Kept>, Uncompared>;

/// One copy of a request.
#[derive(Debug)]
pub struct Job {
    pub request: Arc<Request>,
    /// Its index in the route.
    pub shadow: usize,
    /// That gets it.
    pub version: VersionId,
    pub line: Arc<Line>,
    pub told: Told,
    /// Whether the version that serves is asked once more, too.
    pub twin: bool,
    /// None: it is not compared.
    pub original: Option<oneshot::Receiver<Taken>>,
    /// Its place in the queue.
    pub waiting: Charge,
}

/// A request as it was sent to the version that serves it; all its copies share it.
pub struct Request {
    /// That it was decided by.
    pub live: Arc<Live>,
    pub route: RouteId,
    /// As the first attempt sent it, without what is left to framing.
    pub head: RequestHeader,
    /// Whether a body was announced.
    pub has_body: bool,
    /// All of it, in the pieces in which it came.
    pub body: Vec<Bytes>,
    /// Of the body, in bytes.
    pub length: usize,
    /// Where the original went.
    pub served_by: (ServiceId, VersionId),
    pub id: HeaderValue,
    /// As the client asked for it.
    pub target: Uri,
    charge: Charge,
}

impl Request {
    /// A request without its body; none: there is no room for it.
    #[expect(clippy::too_many_arguments, reason = "each is another fact of the request, told once")]
    pub fn new(
        live: &Arc<Live>,
        route: RouteId,
        head: &RequestHeader,
        has_body: bool,
        served_by: (ServiceId, VersionId),
        id: &HeaderValue,
        target: &Uri,
        mut charge: Charge,
    ) -> Option<Request> {
        charge.grow(head_bytes(&head.headers)).then(|| Request {
            live: Arc::clone(live),
            route,
            head: head.clone(),
            has_body,
            body: Vec::new(),
            length: 0,
            served_by,
            id: id.clone(),
            target: target.clone(),
            charge,
        })
    }

    /// Takes the next piece of its body without copying it; false: there is no room for it.
    pub fn push(&mut self, piece: &Bytes) -> bool {
        /// Of a piece, beside its bytes: its place in the list and its allocation.
        const PIECE: usize = 64;
        self.length += piece.len();
        if piece.is_empty() {
            return true;
        }
        let room = self.charge.grow(piece.len() + PIECE);
        if room {
            self.body.push(piece.clone());
        }
        room
    }

    /// A shadow of its route.
    pub fn rule(&self, shadow: usize) -> Option<&ShadowRule> {
        rule(&self.live, self.route, shadow)
    }
}

/// A shadow of a route, by its index.
pub fn rule(live: &Live, route: RouteId, shadow: usize) -> Option<&ShadowRule> {
    match &live.snapshot.config.routes[route.0].action {
        Action::Forward(forward) => forward.shadows.get(shadow),
        Action::Redirect(_) | Action::Respond(_) | Action::Ofrep(_) => None,
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The rest is of no help, and a head may hold what no log should.
        f.debug_struct("Request").field("route", &self.route).field("length", &self.length).finish()
    }
}
