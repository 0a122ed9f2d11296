//! From a session to a decision: what only Flagway may say is taken off, facts are drawn, the route decides.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, HOST, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode, Version};
use pingora::http::RequestHeader;
use pingora::proxy::Session;

use super::answer::Answer;
use super::attempts::Attempts;
use super::exchange::Exchange;
use super::fields::Fields;
use super::forwarded::{self, Peer};
use super::redirect::{self, Asked};
use super::trace::Trace;
use super::{live::Live, target, tls, upstream};
use crate::config::route::{Action, Forward, Redirect, Route};
use crate::config::{Config, RequestIds};
use crate::context::{RawRequest, Refused, RequestFacts, Scheme, Secured};
use crate::decide::{Decision, decide_on, find_route, targeting_key};
use crate::snapshot::Plan;

/// What becomes of a request after its head.
pub enum Verdict {
    Forward,
    Answer(Answer),
    /// Of a client with this address, who asks for flags.
    Ofrep(IpAddr),
}

/// Decides a request. `listener` is the name of the listener, `tls` whether it speaks TLS.
pub fn take(session: &mut Session, exchange: &mut Exchange, listener: &str, tls: bool) -> Verdict {
    let live = Arc::clone(&exchange.live);
    let config = &*live.snapshot.config;
    let peer = peer(session, config, tls);
    exchange.peer = Some(peer);
    clean(session.req_header_mut(), &live, peer);
    let head = session.req_header();
    let secured = tls::told(session.digest());
    exchange.secured = secured.cloned();
    let configured = config.listener(listener);
    exchange.hsts = configured.and_then(|listener| listener.tls.as_ref()?.hsts.clone()).filter(|_| tls);
    identify(exchange, head, config, peer);
    if !names_a_host(head) {
        return Verdict::Answer(Answer::words(StatusCode::BAD_REQUEST, "no host"));
    }
    if secured.is_some_and(|secured| is_misdirected(head, secured)) {
        return Verdict::Answer(Answer::words(
            StatusCode::MISDIRECTED_REQUEST,
            "another name than the connection's",
        ));
    }
    let secured = secured.map(|secured| &**secured);
    let Ok(facts) = facts(head, config, peer, secured, listener) else {
        return Verdict::Answer(Answer::words(StatusCode::BAD_REQUEST, "bad path"));
    };
    if let Some(port) = configured.and_then(|listener| listener.https_redirect)
        // Of a trusted proxy, who is asked by HTTPS and asks in the clear.
        && facts.scheme == Scheme::Http
    {
        return Verdict::Answer(to_https(&facts, port));
    }
    exchange.secure = facts.scheme == Scheme::Https;
    let verifier = live.keyring.verifier();
    let facts = facts.verified_by(verifier.as_deref());
    let route = find_route(&live.snapshot, &facts);
    let decision = exchange.decision.insert(Decision::bare(route));
    let Some(route) = route else { return Verdict::Answer(Answer::error(StatusCode::NOT_FOUND)) };
    let plan = live.snapshot.plan(route);
    if let Some(wait) = live.rates.wait(route, plan, &facts, exchange.now) {
        exchange.error = Some("rate limit");
        let answer = Answer::error(StatusCode::TOO_MANY_REQUESTS);
        return Verdict::Answer(answer.with(RETRY_AFTER, HeaderValue::from(wait)));
    }
    *decision = decide_on(&live.snapshot, route, &facts, exchange.now, exchange.fresh);
    live.handles.decided(decision);
    live.keyring.heard(decision.token);
    if decision.refused {
        exchange.error = Some("no targeting key");
        return Verdict::Answer(keyless(plan, decision));
    }
    if config.access_log.targeting_key_hash {
        let key = targeting_key(plan, &facts, exchange.now, exchange.fresh);
        exchange.logged_key = key.map(|key| key.value.into_owned());
    }
    let (id, route) = (route, &config.routes[route.0]);
    match (&route.action, decision.target, &plan.forward) {
        (Action::Forward(forward), Some(decided), Some(plan)) => {
            exchange.attempts = Some(Attempts::new(decided, plan.default));
            if live.upstreams.hashes(decided.service) {
                // As it was decided by, where a flag asks for it; nobody is minted for the sake of an endpoint.
                let Plan { key_rules, reads_key, .. } = live.snapshot.plan(id);
                let key = key_rules.resolve(&facts, *reads_key, exchange.now, exchange.fresh);
                exchange.key = key.map(|key| upstream::hash(key.value.as_bytes()));
            }
            let Ok(target) = upstream_target(head, &facts, route, forward) else {
                return Verdict::Answer(Answer::words(StatusCode::BAD_REQUEST, "bad path"));
            };
            exchange.target = target;
            let upgrade = session.is_upgrade_req();
            exchange.stream = asks_for_a_stream(&head.headers) || upgrade;
            exchange.upgrade = upgrade;
            exchange.begin_copies(head, upgrade);
            Verdict::Forward
        }
        (Action::Redirect(redirect), ..) => Verdict::Answer(answer_redirect(redirect, route, head, &facts)),
        (Action::Respond(fixed), ..) => Verdict::Answer(Answer::fixed(fixed)),
        (Action::Ofrep(_), ..) => Verdict::Ofrep(facts.client_ip),
        // A route that forwards has a plan that forwards: the snapshot made both.
        (Action::Forward(_), ..) => Verdict::Answer(Answer::error(StatusCode::INTERNAL_SERVER_ERROR)),
    }
}

/// Gives the request its id and its trace, its own where they are to be kept.
fn identify(exchange: &mut Exchange, head: &RequestHeader, config: &Config, peer: Peer) {
    let keeps = match config.request_id {
        RequestIds::Trusted => peer.trusted,
        RequestIds::Keep => true,
        RequestIds::Make => false,
    };
    if let Some(id) = forwarded::brought_id(&head.headers).filter(|_| keeps) {
        exchange.request_id = id.clone();
    }
    exchange.trace = Some(Trace::of(&head.headers, rand::random(), rand::random(), config.sampled));
}

/// What is answered to who has no key where one is demanded (RFC 6750, 3).
fn keyless(plan: &Plan, decision: &Decision) -> Answer {
    let answer = Answer::error(StatusCode::UNAUTHORIZED);
    if !plan.key_rules.asks_token() {
        return answer;
    }
    let challenge = match decision.token {
        Some(Err(Refused::Absent)) | None | Some(Ok(())) => "Bearer",
        Some(Err(_)) => "Bearer error=\"invalid_token\"",
    };
    answer.with(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

/// The facts of a request whose head is clean.
pub fn facts<'a>(
    head: &'a RequestHeader,
    config: &Config,
    peer: Peer,
    secured: Option<&'a Secured>,
    listener: &'a str,
) -> Result<RequestFacts<'a>, crate::context::BadRequest> {
    let raw = RawRequest {
        method: &head.method,
        path: head.uri.path(),
        query: head.uri.query(),
        headers: &head.headers,
        authority: head.uri.authority().map(|authority| authority.as_str()),
        tls: peer.tls,
        secured,
        peer: peer.address,
        listener,
    };
    RequestFacts::new(raw, &config.context, config.paths)
}

fn peer(session: &Session, config: &Config, tls: bool) -> Peer {
    let address = session.client_addr().and_then(|address| address.as_inet()).map(|address| address.ip());
    // Every listener is TCP. An IPv4 client of an IPv6 socket is the same client.
    let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical();
    let trusted = config.context.trusted_proxies.iter().any(|network| network.contains(&address));
    Peer { address, trusted, tls }
}

/// Takes off what only Flagway may say, before anything reads it, and joins HTTP/2's cookie crumbs (RFC 9113, 8.2.3).
fn clean(head: &mut RequestHeader, live: &Live, peer: Peer) {
    if !(peer.trusted && live.snapshot.config.injection.accept_from_trusted_proxies) {
        head.strip(&live.snapshot.config.injection);
    }
    if head.version == Version::HTTP_2
        && let Some(cookie) = joined_crumbs(&head.headers)
    {
        head.set(&COOKIE, cookie);
    }
}

fn joined_crumbs(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut crumbs = headers.get_all(COOKIE).iter();
    let first = crumbs.next()?;
    let mut joined = Vec::new();
    for crumb in crumbs {
        if joined.is_empty() {
            joined.extend_from_slice(first.as_bytes());
        }
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(crumb.as_bytes());
    }
    if joined.is_empty() { None } else { HeaderValue::from_maybe_shared(bytes::Bytes::from(joined)).ok() }
}

/// HTTP/1.1 requires a Host (RFC 9112, 3.2), and nothing can be routed by an empty one.
fn names_a_host(head: &RequestHeader) -> bool {
    head.version != Version::HTTP_11 || head.headers.get(HOST).is_some_and(|host| !host.is_empty())
}

/// Whether a connection on which clients say who they are is used for another name than the one that it was made for (RFC 9110, 15.5.20).
fn is_misdirected(head: &RequestHeader, secured: &Secured) -> bool {
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = head.uri.authority().map(|authority| authority.as_str()).or(host);
    let sni = secured.sni.as_deref().filter(|_| secured.asked);
    sni.zip(host).is_some_and(|(sni, asked)| crate::context::facts::host(asked) != sni)
}

/// The same by HTTPS.
fn to_https(facts: &RequestFacts<'_>, port: u16) -> Answer {
    let asked = Asked {
        scheme: facts.scheme,
        host: &facts.host,
        port: None,
        path: if facts.path.starts_with('/') { &facts.path } else { "/" },
        query: facts.query,
    };
    let location = (!facts.host.is_empty()).then(|| redirect::to_https(asked, port)).flatten();
    match location {
        Some(location) => Answer::redirect(StatusCode::PERMANENT_REDIRECT, location),
        None => Answer::words(StatusCode::BAD_REQUEST, "no host"),
    }
}

/// The target for upstreams; none when it is the one received, byte for byte.
fn upstream_target(
    head: &RequestHeader,
    facts: &RequestFacts<'_>,
    route: &Route,
    forward: &Forward,
) -> Result<Option<http::Uri>, ()> {
    let path = target::rewritten(&facts.path, &route.matches.path, &forward.rewrite);
    // An absolute-form target is forwarded in origin-form.
    if *path == *head.uri.path() && head.raw_path().starts_with(b"/") {
        return Ok(None);
    }
    target::with_path(&head.uri, &path).map(Some).ok_or(())
}

/// Answers that pause as they like: events, gRPC.
fn asks_for_a_stream(headers: &HeaderMap) -> bool {
    let has = |name, part: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(part))
    };
    has(ACCEPT, "text/event-stream") || has(CONTENT_TYPE, "application/grpc")
}

fn answer_redirect(
    redirect: &Redirect,
    route: &Route,
    head: &RequestHeader,
    facts: &RequestFacts<'_>,
) -> Answer {
    let outer = head.headers.get("x-forwarded-host").filter(|_| facts.trusted);
    let texts = [outer, head.headers.get(HOST)].into_iter().flatten().filter_map(|value| value.to_str().ok());
    let mut texts = texts.chain(head.uri.authority().map(|authority| authority.as_str()));
    let is_host = |text: &str| {
        text.get(..facts.host.len()).is_some_and(|start| start.eq_ignore_ascii_case(&facts.host))
    };
    let asked = Asked {
        scheme: facts.scheme,
        host: &facts.host,
        port: texts.find(|text| is_host(text)).and_then(redirect::port_of),
        path: &facts.path,
        query: facts.query,
    };
    match redirect::location(redirect, &route.matches.path, asked) {
        Some(location) => Answer::redirect(redirect.status, location),
        None => Answer::error(StatusCode::BAD_REQUEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(version: Version, lines: &[(&'static str, &str)]) -> RequestHeader {
        let mut head = RequestHeader::build("GET", b"/", None).unwrap();
        head.set_version(version);
        for (name, value) in lines {
            head.append_header(*name, *value).unwrap();
        }
        head
    }

    #[test]
    fn http_1_1_needs_a_host() {
        let table = [
            (Version::HTTP_11, &[][..], false),
            (Version::HTTP_11, &[("host", "")], false),
            (Version::HTTP_11, &[("host", "a.test")], true),
            (Version::HTTP_10, &[], true),
            (Version::HTTP_2, &[], true),
        ];
        for (version, lines, named) in table {
            assert_eq!(names_a_host(&head(version, lines)), named, "{version:?} {lines:?}");
        }
    }

    #[test]
    fn crumbs_are_joined_and_a_whole_cookie_is_left_alone() {
        let joined = |lines: &[(&'static str, &str)]| {
            joined_crumbs(&head(Version::HTTP_2, lines).headers)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(joined(&[]), None);
        assert_eq!(joined(&[("cookie", "a=1; b=2")]), None);
        assert_eq!(
            joined(&[("cookie", "a=1"), ("cookie", "b=2; c=3"), ("cookie", "d=4")]).as_deref(),
            Some("a=1; b=2; c=3; d=4")
        );
    }

    #[test]
    fn streams_are_known_by_what_is_asked_for() {
        let table = [
            (("accept", "text/html"), false),
            (("accept", "text/event-stream"), true),
            (("accept", "application/json, text/event-stream;q=0.9"), true),
            (("content-type", "application/grpc+proto"), true),
            (("content-type", "application/json"), false),
        ];
        for (line, stream) in table {
            assert_eq!(asks_for_a_stream(&head(Version::HTTP_11, &[line]).headers), stream, "{line:?}");
        }
    }
}
