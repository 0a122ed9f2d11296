//! The doors of OpenFeature clients (OFREP): routes whose action is `ofrep`.
//!
//! Who may ask, how often, from which page, how long a body may be and who is told of changes: that is settled here. What is answered,
//! [`crate::ofrep`] says.

mod body;
mod cors;
mod stream;
pub mod updates;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use tokio::sync::watch;

use super::answer::Answer;
use super::exchange::Exchange;
use super::intake;
use super::live::{Live, Published};
use super::rate::{Client, Limiter};
use crate::config::Name;
use crate::config::route::{Action, Ofrep, PathPattern, Route, Shown, Valueless};
use crate::context::RequestContext;
use crate::ofrep::asked::Asked;
use crate::ofrep::{self, Catalog};
use crate::route::RouteId;
use crate::snapshot::Snapshot;
use crate::telemetry::Metrics;
use crate::telemetry::ofrep::{Counters, Kind};
use updates::Listeners;

/// Where clients find the event stream, behind whatever stands before.
const STREAM: &str = "/ofrep/v1/stream";

/// The doors of one snapshot.
pub struct Doors {
    /// By route id; none where a route does something else.
    routes: Vec<Option<Door>>,
    /// The operator's own.
    pub admin: Admin,
}

/// A route that answers.
struct Door {
    name: Name,
    catalog: Catalog,
    /// Outlives snapshots, as long as the rate is the same.
    limiter: Option<Arc<Limiter>>,
    /// Outlive snapshots.
    listeners: Arc<Listeners>,
    counters: Counters,
}

/// What the operator's listener answers with: every flag.
pub struct Admin {
    /// Made by whoever asks first.
    catalog: OnceLock<Catalog>,
    /// Outlive snapshots.
    pub listeners: Arc<Listeners>,
    /// Of its requests.
    pub counters: Counters,
}

/// Where a request came in, and what ends a stream.
pub struct Entrance<'a> {
    /// The listener's name.
    pub listener: &'a str,
    /// What will be live.
    pub live: &'a Published,
    /// Tells that the gateway drains.
    pub closing: &'a watch::Receiver<bool>,
}

impl Doors {
    /// Opens a snapshot's doors; who counts or listens at one of `before` goes on doing so.
    pub fn new(snapshot: &Arc<Snapshot>, metrics: &Metrics, before: Option<&Doors>) -> Doors {
        let routes = snapshot.config.routes.iter().map(|route| match &route.action {
            Action::Ofrep(config) => Some(Door::new(
                snapshot,
                metrics,
                route,
                config,
                before.and_then(|doors| doors.named(&route.name)),
            )),
            _ => None,
        });
        let counters = metrics.ofrep("admin");
        Doors {
            routes: routes.collect(),
            admin: Admin {
                catalog: OnceLock::new(),
                listeners: before.map_or_else(
                    || Arc::new(Listeners::new(counters.streams.clone())),
                    |before| Arc::clone(&before.admin.listeners),
                ),
                counters,
            },
        }
    }

    fn named(&self, name: &str) -> Option<&Door> {
        self.routes.iter().flatten().find(|door| &*door.name == name)
    }
}

impl Admin {
    /// Every flag of the snapshot that this is live with.
    pub fn catalog(&self, snapshot: &Arc<Snapshot>) -> &Catalog {
        self.catalog.get_or_init(|| {
            let door =
                ofrep::Door { flags: Shown::All, valueless: Valueless::Omit, streams: Some(STREAM.into()) };
            Catalog::new(Arc::clone(snapshot), &door)
        })
    }
}

impl Door {
    fn new(
        snapshot: &Arc<Snapshot>,
        metrics: &Metrics,
        route: &Route,
        config: &Ofrep,
        before: Option<&Door>,
    ) -> Door {
        let counters = metrics.ofrep(&route.name);
        let door = ofrep::Door {
            flags: config.flags.clone(),
            valueless: config.valueless,
            streams: (config.streams > 0).then(|| stream_path(&route.matches.path)),
        };
        let own = before.and_then(|before| before.limiter.as_ref());
        Door {
            name: route.name.clone(),
            catalog: Catalog::new(Arc::clone(snapshot), &door),
            limiter: config.rate.map(|rate| {
                let same = own.filter(|limiter| limiter.rate == rate);
                same.map_or_else(|| Arc::new(Limiter::new(rate)), Arc::clone)
            }),
            listeners: before.map_or_else(
                || Arc::new(Listeners::new(counters.streams.clone())),
                |before| Arc::clone(&before.listeners),
            ),
            counters,
        }
    }

    /// Nothing, or why a request is not heard: too many of its client, or no key. A client is limited before its key is looked at.
    fn admit(&self, config: &Ofrep, kind: Kind, headers: &HeaderMap, client: IpAddr) -> Result<(), Answer> {
        if let Some(wait) = self.limiter.as_ref().and_then(|limiter| limiter.wait(Client::at(client))) {
            let empty = Answer::empty(StatusCode::TOO_MANY_REQUESTS);
            return Err(empty.with(RETRY_AFTER, HeaderValue::from(wait)));
        }
        // Browsers open event streams without headers of a page's own; and a stream says nothing but that it is time to ask again.
        if kind != Kind::Stream && !config.keys.is_empty() && !has_key(headers, &config.keys) {
            let empty = Answer::empty(StatusCode::UNAUTHORIZED);
            return Err(empty.with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        Ok(())
    }
}

/// Answers a request of a route that is a door; `client` is its address.
pub async fn serve(
    session: &mut Session,
    exchange: &mut Exchange,
    client: IpAddr,
    at: &Entrance<'_>,
) -> pingora::Result<()> {
    let live = Arc::clone(&exchange.live);
    let Some((id, config, door)) = door_of(&live, exchange) else {
        return Answer::error(StatusCode::INTERNAL_SERVER_ERROR).send(session, exchange).await;
    };
    let head = session.req_header();
    let kind = kind_of(&head.method, head.uri.path());
    let cors = cors::fields(&config.origins, &head.headers);
    let answer = match door.admit(config, kind, &head.headers, client) {
        _ if kind == Kind::Preflight => cors::preflight(&config.origins, &head.headers),
        Err(answer) => answer,
        Ok(()) if kind == Kind::Stream => {
            return stream::serve(session, exchange, config.streams, &door.listeners, cors, at).await;
        }
        Ok(()) => match body::read(session, config.max_body).await {
            Ok(body) => evaluate(&live, id, config, door, session.req_header(), exchange, at, &body),
            Err(body::Refused::TooLong) => told(too_long(config.max_body)),
            Err(body::Refused::TooSlow) => {
                door.counters.count(kind, StatusCode::REQUEST_TIMEOUT);
                return Answer::error(StatusCode::REQUEST_TIMEOUT).send_last(session, exchange).await;
            }
            Err(body::Refused::Broken(error)) => return Err(error),
        },
    };
    door.counters.count(kind, answer.status());
    answer.with_all(cors).send(session, exchange).await
}

/// The door that a request was routed to, with its configuration.
fn door_of<'a>(live: &'a Live, exchange: &Exchange) -> Option<(RouteId, &'a Ofrep, &'a Door)> {
    let id = exchange.decision.as_ref()?.route?;
    let Action::Ofrep(config) = &live.snapshot.config.routes[id.0].action else { return None };
    Some((id, config, live.ofrep.routes.get(id.0)?.as_ref()?))
}

/// What is asked.
#[expect(clippy::too_many_arguments, reason = "a request, whole; each is used once")]
fn evaluate(
    live: &Live,
    route: RouteId,
    config: &Ofrep,
    door: &Door,
    head: &RequestHeader,
    exchange: &Exchange,
    at: &Entrance<'_>,
    body: &Bytes,
) -> Answer {
    let snapshot = &*live.snapshot;
    let request = ofrep::Request {
        method: &head.method,
        path: head.uri.path(),
        query: head.uri.query(),
        headers: &head.headers,
        body,
    };
    let counted = |flag, resolution: &_| live.handles.evaluated(snapshot, flag, resolution);
    let answer = if config.enrich {
        // The head was good when it was routed.
        let facts = exchange.peer.and_then(|peer| {
            intake::facts(head, &snapshot.config, peer, exchange.secured.as_deref(), at.listener).ok()
        });
        let Some(facts) = facts else { return Answer::error(StatusCode::BAD_REQUEST) };
        let verifier = live.keyring.verifier();
        let facts = facts.verified_by(verifier.as_deref());
        let plan = snapshot.plan(route);
        // Nobody is minted here: whoever asks is a page that was loaded before, or no browser at all.
        let key = plan.key_rules.resolve(&facts, false, exchange.now, exchange.fresh);
        let key = key.as_ref().map(|key| &*key.value);
        let edge = RequestContext::new(&facts, &snapshot.readers, key, &door.name, exchange.now);
        let answer = door.catalog.answer(&request, Some(&edge), exchange.now, counted);
        live.keyring.heard(facts.token.asked());
        answer
    } else {
        door.catalog.answer(&request, None, exchange.now, counted)
    };
    told(answer)
}

/// That a body is over its bound.
pub fn too_long(max: usize) -> ofrep::Answer {
    let why = format!("the body is longer than {max} bytes");
    ofrep::Answer::told(StatusCode::PAYLOAD_TOO_LARGE, &why)
}

fn told(answer: ofrep::Answer) -> Answer {
    Answer::whole(answer.status, answer.headers, answer.body)
}

/// The method is wrong; `allowed` are right.
fn not_allowed(allowed: &'static str) -> Answer {
    Answer::empty(StatusCode::METHOD_NOT_ALLOWED).with(ALLOW, HeaderValue::from_static(allowed))
}

/// What is asked, for whoever counts.
pub fn kind_of(method: &Method, path: &str) -> Kind {
    match Asked::parse(path) {
        _ if method == Method::OPTIONS => Kind::Preflight,
        Some(Asked::Flag(_)) => Kind::Flag,
        Some(Asked::Bulk) => Kind::Bulk,
        Some(Asked::Stream) => Kind::Stream,
        None => Kind::Other,
    }
}

/// Where a route's clients find its stream: below its prefix, which may name a part of OFREP's own path.
fn stream_path(matched: &PathPattern) -> Box<str> {
    let prefix = match matched {
        PathPattern::Prefix(prefix) => &**prefix,
        // The configuration takes no other.
        _ => "",
    };
    let before = prefix.split("/ofrep/v1/").next().unwrap_or_default();
    let before = before.strip_suffix("/ofrep/v1").or(before.strip_suffix("/ofrep")).unwrap_or(before);
    format!("{before}{STREAM}").into()
}

/// Whether a request has one of the keys. They are identifiers, compared as such.
fn has_key(headers: &HeaderMap, keys: &[Name]) -> bool {
    let bearer = headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(key.trim_ascii())
    });
    let named = headers.get_all("x-api-key").iter().map(HeaderValue::as_bytes);
    bearer.chain(named).any(|sent| keys.iter().any(|key| key.as_bytes() == sent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_found_beside_the_evaluations() {
        let table = [
            ("", "/ofrep/v1/stream"),
            ("/ofrep", "/ofrep/v1/stream"),
            ("/ofrep/v1", "/ofrep/v1/stream"),
            ("/ofrep/v1/evaluate/flags", "/ofrep/v1/stream"),
            ("/flags", "/flags/ofrep/v1/stream"),
            ("/flags/ofrep", "/flags/ofrep/v1/stream"),
            ("/a/b/ofrep/v1/evaluate", "/a/b/ofrep/v1/stream"),
        ];
        for (prefix, path) in table {
            assert_eq!(&*stream_path(&PathPattern::Prefix(prefix.into())), path, "{prefix}");
        }
    }

    #[test]
    fn a_key_is_sent_in_either_field() {
        let table: [(&[(&'static str, &'static str)], bool); 7] = [
            (&[], false),
            (&[("authorization", "Bearer web")], true),
            (&[("authorization", "bearer  web")], true),
            (&[("authorization", "web")], false),
            (&[("x-api-key", "web")], true),
            (&[("x-api-key", "Web")], false),
            (&[("authorization", "Basic d2Vi"), ("x-api-key", "ios")], true),
        ];
        for (lines, good) in table {
            let headers =
                HeaderMap::from_iter(lines.iter().map(|(name, value)| {
                    (http::HeaderName::from_static(name), HeaderValue::from_static(value))
                }));
            assert_eq!(has_key(&headers, &["web".into(), "ios".into()]), good, "{lines:?}");
        }
    }
}
