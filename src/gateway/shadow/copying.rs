//! A request's side of its copies: which ones it gets, gathering what they are made of, handing them over once.
//!
//! Nothing here waits or fails. A copy that finds no room on its way is dropped whole, counted, and what was gathered for it is let go
//! at once.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use pingora::http::RequestHeader;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::job::{Job, Request, Taken, Told, rule};
use super::kept::{Keeping, Wish};
use super::line::Line;
use crate::compare::{Dropped, Uncompared};
use crate::config::service::{ServiceId, VersionId};
use crate::config::shadow::ShadowRule;
use crate::decide::{Decision, may_copy};
use crate::gateway::Live;
use crate::route::RouteId;

/// The copies of one request.
pub struct Copying {
    live: Arc<Live>,
    route: RouteId,
    /// Copies that are not handed over yet.
    wanted: SmallVec<[Wanted; 1]>,
    /// From the first attempt on, as long as any copy is wanted.
    request: Option<Request>,
    original: Original,
}

/// A copy that is to be handed over.
struct Wanted {
    /// Its index in the route.
    shadow: usize,
    version: VersionId,
    line: Arc<Line>,
    /// Bytes of the request's body.
    max_body: usize,
    sampled: bool,
    twin: bool,
    told: Told,
}

/// The original's answer, as far as anyone waits for it.
#[derive(Default)]
struct Original {
    waiting: SmallVec<[oneshot::Sender<Taken>; 1]>,
    wish: Wish,
    /// When the current attempt's last byte was sent.
    sent: Option<Instant>,
    keeping: Option<Keeping>,
}

/// A request's first attempt, as it is sent.
pub struct Attempted<'a> {
    pub head: &'a RequestHeader,
    pub has_body: bool,
    pub served_by: (ServiceId, VersionId),
    /// Whether that is the version that was decided.
    pub decided: bool,
    pub id: &'a HeaderValue,
    pub target: &'a Uri,
}

impl Copying {
    /// The copies that a decision asks for and that the request may have; none: there is none. What it may not have is counted.
    pub fn begin(
        live: &Arc<Live>,
        decision: &Decision,
        method: &Method,
        fields: &HeaderMap,
        upgrade: bool,
    ) -> Option<Box<Copying>> {
        let (route, target) = decision.route.zip(decision.target)?;
        let mut wanted = SmallVec::new();
        for (shadow, decided) in decision.shadows.iter().enumerate() {
            if decided.trouble.is_some() {
                live.shadows.dropped(route, shadow, None, Dropped::Flag);
            }
            let Some(version) = decided.version else { continue };
            let Some(rule) = rule(live, route, shadow) else { continue };
            let Some(line) = live.shadows.line(route, shadow, target.version, version) else {
                live.shadows.dropped(route, shadow, Some(version), Dropped::SameVersion);
                continue;
            };
            let full = || (!live.shadows.outbox().in_flight.has_room()).then_some(Dropped::InFlight);
            match refusal(rule, method, fields, upgrade).or_else(|| line.refusal()).or_else(full) {
                Some(why) => line.dropped(why),
                None => wanted.push(Wanted::new(rule, shadow, version, line, method)),
            }
        }
        if wanted.is_empty() {
            return None;
        }
        let live = Arc::clone(live);
        Some(Box::new(Copying { live, route, wanted, request: None, original: Original::default() }))
    }

    /// The request is sent for the first time. `told` says what a copy to a version tells of decisions, by the shadow's index.
    pub fn first(&mut self, attempted: Attempted<'_>, mut told: impl FnMut(usize, VersionId) -> Told) {
        let charge = self.live.shadows.outbox().bytes.open();
        let Attempted { head, has_body, served_by, decided, id, target } = attempted;
        let request = Request::new(&self.live, self.route, head, has_body, served_by, id, target, charge);
        let Some(request) = request else { return self.drop_all(Dropped::Memory) };
        for wanted in &mut self.wanted {
            wanted.told = told(wanted.shadow, wanted.version);
            wanted.twin &= decided;
        }
        self.request = Some(request);
        self.sends(!has_body);
    }

    /// The request is sent once more: copies that are not complete are dropped.
    pub fn again(&mut self, has_body: bool) {
        self.drop_all(Dropped::Retried);
        self.sends(!has_body);
    }

    /// A piece of the request's body is sent. `end`: it is the last one.
    pub fn piece(&mut self, piece: Option<&Bytes>, end: bool) {
        if let (Some(request), Some(piece)) = (&mut self.request, piece) {
            let room = request.push(piece);
            let length = request.length;
            if !room {
                self.drop_all(Dropped::Memory);
            } else if self.wanted.iter().any(|wanted| wanted.max_body < length) {
                self.drop_longer(length);
            }
        }
        self.sends(end);
    }

    /// The original's answer begins. What the request did not send until now, its copies do not wait for.
    pub fn answered(&mut self, status: StatusCode, fields: &HeaderMap) {
        self.drop_all(Dropped::Unfinished);
        let original = &mut self.original;
        if !original.waiting.is_empty() {
            let waited = original.sent.map(|sent| sent.elapsed()).unwrap_or_default();
            let bytes = &self.live.shadows.outbox().bytes;
            original.keeping = Some(Keeping::new(&original.wish, status, fields, waited, bytes));
        }
    }

    /// A piece of the original's answer.
    pub fn answer_piece(&mut self, piece: &Bytes) {
        let Original { waiting, keeping, .. } = &mut self.original;
        // An answer that goes on is not kept for shadows that have waited long enough.
        if waiting.iter().all(oneshot::Sender::is_closed) {
            *keeping = None;
        }
        if let Some(keeping) = keeping {
            keeping.push(piece);
        }
    }

    /// The exchange is over. `complete`: with a whole answer, `decided`: of the version that was decided.
    pub fn end(mut self: Box<Self>, complete: bool, decided: bool) {
        self.drop_all(Dropped::Unfinished);
        let Original { waiting, keeping, .. } = self.original;
        let taken: Taken = match keeping.filter(|_| complete) {
            _ if !decided => Err(Uncompared::Fallback),
            Some(keeping) => keeping.finish().map(Arc::new),
            None => Err(Uncompared::Original),
        };
        for waiting in waiting {
            // Nobody waits any more when the copy was not sent or not answered.
            let _ = waiting.send(taken.clone());
        }
    }

    /// Notes what was sent; a request that is complete is handed over.
    fn sends(&mut self, end: bool) {
        if end {
            self.hand_over();
            self.original.sent = Some(Instant::now());
        }
    }

    fn hand_over(&mut self) {
        let Some(request) = self.request.take() else { return };
        let request = Arc::new(request);
        let outbox = self.live.shadows.outbox();
        for Wanted { shadow, version, line, sampled, twin, told, .. } in self.wanted.drain(..) {
            let Some(waiting) = outbox.place() else {
                line.dropped(Dropped::Queue);
                continue;
            };
            let original = sampled.then(|| {
                let (sender, receiver) = oneshot::channel();
                self.original.waiting.push(sender);
                if let Some(rule) = request.rule(shadow) {
                    self.original.wish.add(rule);
                }
                receiver
            });
            let request = Arc::clone(&request);
            outbox.push(Job { request, shadow, version, line, told, twin, original, waiting });
        }
    }

    /// Drops the copies that take no body of that length.
    fn drop_longer(&mut self, length: usize) {
        self.wanted.retain(|wanted| {
            let stays = wanted.max_body >= length;
            if !stays {
                wanted.line.dropped(Dropped::BodyTooLarge);
            }
            stays
        });
        if self.wanted.is_empty() {
            self.request = None;
        }
    }

    fn drop_all(&mut self, why: Dropped) {
        self.wanted.drain(..).for_each(|wanted| wanted.line.dropped(why));
        self.request = None;
    }
}

impl Wanted {
    fn new(
        rule: &ShadowRule,
        shadow: usize,
        version: VersionId,
        line: &Arc<Line>,
        method: &Method,
    ) -> Wanted {
        let sampled = rule.compare.sample.takes(rand::random());
        // A repetition for our own sake has to be safe for sure, not by an operator's word about another version.
        let repeatable = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        Wanted {
            shadow,
            version,
            line: Arc::clone(line),
            max_body: rule.max_body,
            sampled,
            twin: sampled && repeatable && rule.compare.noise.takes(rand::random()),
            told: Told::new(),
        }
    }
}

/// Why a request may have no copy.
fn refusal(rule: &ShadowRule, method: &Method, fields: &HeaderMap, upgrade: bool) -> Option<Dropped> {
    if upgrade || *method == Method::CONNECT {
        return Some(Dropped::Upgrade);
    }
    (!may_copy(rule, method, fields)).then_some(Dropped::Method)
}

#[cfg(test)]
mod tests;
