//! What is known of one request, from its head to its line in the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::STRICT_TRANSPORT_SECURITY;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use pingora::http::ResponseHeader;
use pingora::protocols::Digest;
use pingora::proxy::Session;
use pingora::upstreams::peer::HttpPeer;

use super::attempts::{At, Attempts, Failure};
use super::caching;
use super::call::{self, Call};
use super::drain::InFlight;
use super::fields::Fields;
use super::forwarded::{self, Peer};
use super::lines::{Awaited, Cut, Line};
use super::live::Live;
use super::protection::LIMIT;
use super::shadow::copying::Copying;
use super::streams::{self, Chosen, Streaming};
use super::trace::Trace;
use super::upstream::outliers::Outcome as Served;
use super::upstream::{Asked, Picked, Place};
use crate::config::route::{Action, Forward, Route};
use crate::context::Secured;
use crate::decide::Decision;
use crate::telemetry::limiter::uptime;
use crate::telemetry::{GrpcStatus, Outcome};

/// What the log says of what was ended from within, whatever became of it then.
const KILLED: &str = "ended by a kill";
const STOPPED: &str = "ended by a stop";

/// One request and its answer.
pub struct Exchange {
    /// Taken once: no request sees half of a reload.
    pub live: Arc<Live>,
    pub started: Instant,
    /// Unix seconds.
    pub now: i64,
    /// Random bits, for a visitor's id.
    pub fresh: u128,
    pub request_id: HeaderValue,
    /// Until the head is read.
    pub trace: Option<Trace>,
    /// The targeting key, where a hash of it is logged.
    pub logged_key: Option<String>,
    /// Until the peer is known.
    pub peer: Option<Peer>,
    /// What the handshake told; none in the clear.
    pub secured: Option<Arc<Secured>>,
    /// What browsers are told to remember of HTTPS.
    pub hsts: Option<HeaderValue>,
    /// Whether the client itself speaks TLS, as far as trusted proxies tell.
    pub secure: bool,
    pub decision: Option<Decision>,
    pub attempts: Option<Attempts>,
    /// Of the next attempt, where it was looked for ahead of it.
    ready: Option<Box<HttpPeer>>,
    /// Whether a version's limit was why no upstream was asked.
    pub full: bool,
    /// None: the request has no copies, or none any more.
    pub copying: Option<Box<Copying>>,
    /// The target for upstreams, where it differs from what was received.
    pub target: Option<Uri>,
    /// Whether the request asks for an answer that pauses as it likes.
    pub stream: bool,
    /// Whether it asks for another protocol on its connection.
    pub upgrade: bool,
    /// The hash of its targeting key, where a version may pick an endpoint by it.
    pub key: Option<u64>,
    /// Held at the endpoint of the current attempt.
    place: Option<Place>,
    awaited: Awaited,
    /// None: it is no stream, as far as is known.
    streaming: Option<Streaming>,
    /// Of a gRPC call: what its server said became of it.
    pub grpc: Option<GrpcStatus>,
    /// When the whole exchange has to be over.
    pub deadline: Option<Instant>,
    upstream_started: Option<Instant>,
    upstream: Duration,
    pub error: Option<&'static str>,
    _in_flight: InFlight,
}

impl Exchange {
    pub fn new(live: Arc<Live>, in_flight: InFlight) -> Exchange {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Exchange {
            live,
            started: Instant::now(),
            now: now.map_or(0, |now| now.as_secs() as i64),
            fresh: rand::random(),
            request_id: forwarded::new_id(rand::random()),
            trace: None,
            logged_key: None,
            peer: None,
            secured: None,
            hsts: None,
            secure: false,
            decision: None,
            attempts: None,
            ready: None,
            full: false,
            copying: None,
            target: None,
            stream: false,
            upgrade: false,
            key: None,
            place: None,
            awaited: Awaited::default(),
            streaming: None,
            grpc: None,
            deadline: None,
            upstream_started: None,
            upstream: Duration::ZERO,
            error: None,
            _in_flight: in_flight,
        }
    }

    /// The route that was decided.
    pub fn route(&self) -> Option<&Route> {
        let route = self.decision.as_ref()?.route?;
        Some(&self.live.snapshot.config.routes[route.0])
    }

    /// How the route forwards.
    pub fn forward(&self) -> Option<&Forward> {
        match &self.route()?.action {
            Action::Forward(forward) => Some(forward),
            _ => None,
        }
    }

    /// What is left of the exchange's time, where that is limited.
    pub fn left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Whether the exchange's time is over.
    pub fn is_late(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// The endpoint of the next attempt, or what the client is told when there is none. `waits`: the client's body has not come yet.
    pub fn next_peer(&mut self, waits: bool) -> Result<Box<HttpPeer>, StatusCode> {
        if let Some(ready) = self.ready.take() {
            return Ok(ready);
        }
        let (live, stream, upgrade, key) = (&self.live, self.stream, self.upgrade, self.key);
        let Some(attempts) = &mut self.attempts else { return Err(StatusCode::INTERNAL_SERVER_ERROR) };
        let service = attempts.service;
        let at = At { now: uptime(), waits: waits && !upgrade };
        let picked = attempts.next(
            at,
            |version| live.protection.of(service, version),
            |version, tried| {
                live.upstreams.pool(service, version).pick(&Asked { tried, stream, upgrade, key })
            },
        );
        let Picked { mut peer, place } = picked.map_err(|why| {
            self.full = why == LIMIT;
            StatusCode::SERVICE_UNAVAILABLE
        })?;
        self.place = Some(place);
        let total = live.upstreams.pool(service, attempts.version).timeouts().total;
        let all = live.snapshot.config.limits.request_time.filter(|_| !self.upgrade);
        self.deadline = total.into_iter().chain(all).min().map(|total| self.started + total);
        match self.left() {
            Some(Duration::ZERO) => return Err(StatusCode::GATEWAY_TIMEOUT),
            Some(left) => limit(&mut peer, left),
            None => {}
        }
        if self.stream
            && let Some(streaming) = self.begin_stream()
        {
            streaming.prepare(&mut peer, self.upgrade);
            self.streaming = Some(streaming);
        } else {
            self.live.streams.lines.dial(&mut peer, None, self.upgrade);
        }
        Ok(peer)
    }

    fn begin_stream(&self) -> Option<Streaming> {
        let (decision, attempts) = (self.decision.as_ref()?, self.attempts.as_ref()?);
        let chosen = Chosen::of(&self.live, decision, attempts.version);
        Some(Streaming::begin(&self.live, attempts.service, attempts.version, chosen))
    }

    /// The current attempt has its connection; `asked`: all of the request is there for it.
    pub fn connected(&mut self, digest: Option<&Digest>, asked: bool) {
        self.awaited.begin(digest.and_then(Line::of));
        if asked {
            self.awaited.asked(self.first_byte());
        }
        if let Some(stay) = self.attempts.as_mut().and_then(Attempts::stay) {
            stay.connected();
        }
    }

    /// Whether the current attempt may give one more interim answer. `asked`: all of the request is there.
    pub fn may_be_interim(&mut self, asked: bool) -> bool {
        let within = self.first_byte();
        self.awaited.interim(asked, within)
    }

    /// Within which a head has to come. What is asked for as a stream may begin with a pause.
    fn first_byte(&self) -> Duration {
        let Some(attempts) = &self.attempts else { return Duration::MAX };
        let timeouts = self.live.upstreams.pool(attempts.service, attempts.version).timeouts();
        if self.stream { timeouts.first_byte.max(timeouts.between) } else { timeouts.first_byte }
    }

    /// All of the client's body has come.
    pub fn body_came(&mut self) {
        self.awaited.asked(self.first_byte());
        if let Some(stay) = self.attempts.as_mut().and_then(Attempts::stay) {
            stay.body_came();
        }
    }

    /// Whether the answer of the current attempt has begun.
    pub fn is_answered(&self) -> bool {
        self.awaited.has_come()
    }

    /// Whether a status is a failure of the version that gave it.
    pub fn is_unfit(&self, status: StatusCode) -> bool {
        let config = &self.live.snapshot.config;
        self.attempts.as_ref().is_some_and(|attempts| {
            config.version(attempts.service, attempts.version).unfit.contains(&status)
        })
    }

    /// The current attempt is answered; an answer may be a stream though nobody asked for one.
    pub fn answered(&mut self, response: &ResponseHeader) {
        self.awaited.came();
        if let Some(stay) = self.attempts.as_mut().and_then(Attempts::stay) {
            stay.answered(uptime());
        }
        let call = Call::answered_by(response);
        self.grpc = call.map(Call::status);
        // What is unfit was reported as a failure; what becomes of a call that goes on, its trailers tell.
        let told = call::head_status(response);
        if !self.is_unfit(told) && call != Some(Call::GoesOn) {
            self.report(Served::of(told));
        }
        if self.streaming.is_none() && streams::is_stream(response) {
            self.streaming = self.begin_stream();
        }
    }

    /// The answer of the current attempt is over; a call's status comes last.
    pub fn trailed(&mut self, trailers: &HeaderMap) {
        if let (Some(grpc), Some(status)) = (&mut self.grpc, GrpcStatus::of(trailers)) {
            *grpc = status;
            self.report(Served::of(call::as_http(status)));
        }
    }

    /// Whether it was ended from within: by a kill the stream that it is, by the end of the gateway whatever it is.
    pub fn is_ended(&self) -> bool {
        self.cut() == Some(Cut::Stop) || self.streaming.as_ref().is_some_and(Streaming::is_ended)
    }

    /// Why the connection of the current attempt was cut, if it was.
    pub fn cut(&self) -> Option<Cut> {
        self.awaited.cut()
    }

    /// The endpoint of the current attempt took no connection.
    pub fn refused(&mut self, error: &pingora::Error) {
        let Some(attempts) = &mut self.attempts else { return };
        attempts.refused();
        let pool = self.live.upstreams.pool(attempts.service, attempts.version);
        if let Some(address) = attempts.address() {
            pool.rest(address);
        }
        self.report(Served::Refused);
        if let Some(left_out) = pool.lines.pass(uptime()) {
            let (service, version) = pool.names_of();
            tracing::warn!(service, version, %error, left_out, "an endpoint takes no connection");
        }
    }

    /// The current attempt failed after connecting. Whether another one follows: if so, it is prepared.
    pub fn failed(&mut self, failure: Failure) -> bool {
        // Of a stream that was ended, nobody is to blame.
        if self.is_ended() {
            return false;
        }
        if !failure.stale {
            self.report(Served::failed(failure.why));
        }
        let Some(attempts) = &mut self.attempts else { return false };
        let pool = Arc::clone(self.live.upstreams.pool(attempts.service, attempts.version));
        let mut again = attempts.may_follow(failure, uptime());
        if again {
            // What was sent of the body is at hand; for the rest, it has its place already.
            self.ready = self.next_peer(false).ok();
            again = self.ready.is_some();
        }
        if !failure.stale
            && let Some(left_out) = pool.lines.pass(uptime())
        {
            let (service, version) = pool.names_of();
            tracing::warn!(service, version, why = failure.why, again, left_out, "an upstream failed");
        }
        again
    }

    /// Tells the version what came of a request at the endpoint of the current attempt.
    fn report(&self, outcome: Served) {
        let Some(attempts) = &self.attempts else { return };
        let Some(address) = attempts.address() else { return };
        self.live.upstreams.pool(attempts.service, attempts.version).report(address, outcome);
    }

    /// An attempt begins.
    pub fn upstream_begins(&mut self) {
        if self.upstream_started.is_none() {
            self.upstream_started = Some(Instant::now());
        }
    }

    /// The upstream said something, or failed to.
    pub fn upstream_spoke(&mut self) {
        if let Some(started) = self.upstream_started {
            self.upstream = started.elapsed();
        }
    }

    /// Since then it has only waited for something to tell: that is no time that the gateway took.
    pub fn waited(&mut self, since: Instant) {
        self.upstream = since.elapsed();
    }

    /// What every answer of a decided route gets, whoever made it: the visitor's cookie, and honesty towards caches.
    pub fn sign(&self, head: &mut impl Fields) {
        if let Some(hsts) = &self.hsts {
            head.set(&STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        let Some(decision) = &self.decision else { return };
        let Some(route) = decision.route else { return };
        let cookie = self.visitor_cookie(decision);
        let plan = self.live.snapshot.plan(route);
        caching::apply(head, &plan.caching, cookie.is_some());
        if let Some(cookie) = cookie {
            head.add(&http::header::SET_COOKIE, cookie);
        }
    }

    fn visitor_cookie(&self, decision: &Decision) -> Option<HeaderValue> {
        let change = decision.visitor?;
        let plan = self.live.snapshot.plan(decision.route?);
        plan.key_rules.set_cookie(&change, self.secure)
    }

    /// The outcome, once everything is over.
    pub fn outcome(&self, session: &Session) -> Outcome {
        let attempts = self.attempts.as_ref();
        Outcome {
            status: session.response_written().map_or(0, |head| head.status.as_u16()),
            grpc: self.grpc,
            total: self.started.elapsed(),
            upstream: self.upstream,
            bytes_in: session.body_bytes_read() as u64,
            bytes_out: session.body_bytes_sent() as u64,
            version: attempts.filter(|attempts| attempts.count > 0).map(|attempts| attempts.version),
            attempts: attempts.map_or(0, |attempts| attempts.count),
            fallback: attempts.and_then(|attempts| attempts.fallback),
            error: match (self.cut(), self.is_ended()) {
                (Some(Cut::Stop), _) => Some(STOPPED),
                (_, true) => Some(KILLED),
                _ => self.error,
            }
            .map(str::to_owned),
        }
    }
}

/// Cuts a peer's timeouts to what is left.
fn limit(peer: &mut HttpPeer, left: Duration) {
    let options = &mut peer.options;
    for limit in
        [&mut options.connection_timeout, &mut options.total_connection_timeout, &mut options.read_timeout]
    {
        *limit = Some(limit.map_or(left, |limit| limit.min(left)));
    }
}
