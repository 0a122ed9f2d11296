//! An event stream: says when it is time to ask again, and else only that it is alive.
//!
//! It goes with what is live: a reload moves it on, and one that takes its door away ends it. So it ends when the gateway drains.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, TRANSFER_ENCODING};
use http::{HeaderValue, Method, StatusCode, Version};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use tokio::sync::watch;
use tokio::time::timeout;

use super::super::answer::Answer;
use super::super::exchange::Exchange;
use super::cors::Fields;
use super::updates::{ALIVE, BEAT, Listener, Listeners, greeting};
use super::{Entrance, door_of, not_allowed};
use crate::config::route::Action;
use crate::gateway::CLIENT_IDLE;
use crate::gateway::live::Live;
use crate::route::RouteId;
use crate::telemetry::ofrep::Kind;

/// Serves a listener to its end.
pub async fn serve(
    session: &mut Session,
    exchange: &mut Exchange,
    limit: usize,
    listeners: &Arc<Listeners>,
    cors: Fields,
    at: &Entrance<'_>,
) -> pingora::Result<()> {
    let head = session.req_header();
    let heard = head.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let refused = if head.method != Method::GET {
        Some(not_allowed("GET, OPTIONS"))
    } else if limit == 0 {
        Some(Answer::empty(StatusCode::NOT_FOUND))
    } else {
        None
    };
    // From before it is looked at what is live, so that nothing is missed.
    let news = exchange.live.updates.listen();
    let listener = match refused {
        Some(refused) => Err(refused),
        None => listeners.enter(limit, heard, &at.live.load()).ok_or_else(full),
    };
    let count = |exchange: &Exchange, status| {
        if let Some((_, _, door)) = door_of(&exchange.live, exchange) {
            door.counters.count(Kind::Stream, status);
        }
    };
    match listener {
        Ok(listener) => {
            count(exchange, StatusCode::OK);
            open(session, cors).await?;
            let opened = Instant::now();
            tell(session, exchange, listener, news, at).await;
            exchange.waited(opened);
            session.set_keepalive(None);
            Ok(())
        }
        Err(refused) => {
            count(exchange, refused.status());
            refused.with_all(cors).send(session, exchange).await
        }
    }
}

fn full() -> Answer {
    Answer::empty(StatusCode::SERVICE_UNAVAILABLE).with(RETRY_AFTER, HeaderValue::from_static("60"))
}

async fn open(session: &mut Session, cors: Fields) -> pingora::Result<()> {
    let mut head = ResponseHeader::build(StatusCode::OK, Some(8))?;
    head.insert_header(CONTENT_TYPE, "text/event-stream")?;
    head.insert_header(CACHE_CONTROL, "no-store")?;
    // Proxies of nginx's kind would hold events back.
    head.insert_header("x-accel-buffering", "no")?;
    if session.req_header().version == Version::HTTP_11 {
        head.insert_header(TRANSFER_ENCODING, "chunked")?;
    }
    for (name, value) in cors {
        head.append_header(name, value)?;
    }
    // Nothing else comes on this connection.
    session.set_keepalive(None);
    session.write_response_header(Box::new(head), false).await?;
    session.write_response_body(Some(greeting()), false).await
}

/// Tells what is new, until the client, the door or the gateway is gone.
async fn tell(
    session: &mut Session,
    exchange: &mut Exchange,
    mut listener: Listener,
    mut news: watch::Receiver<()>,
    at: &Entrance<'_>,
) {
    let mut closing = at.closing.clone();
    loop {
        if !follow(exchange, at.live.load_full()) {
            break;
        }
        if let Some(event) = listener.news(&exchange.live)
            && !send(session, event).await
        {
            return;
        }
        let woken = tokio::select! {
            // Its sender is held by what is live.
            _ = news.changed() => Woken::News,
            () = closed(&mut closing) => Woken::Closing,
            () = tokio::time::sleep(ALIVE) => Woken::Idle,
            // It has said all it has to say: what comes is its end.
            _ = session.as_downstream_mut().read_body_or_idle(true) => Woken::Gone,
        };
        match woken {
            Woken::News => {}
            Woken::Idle if send(session, BEAT).await => {}
            Woken::Idle | Woken::Gone => return,
            Woken::Closing => break,
        }
    }
    // Who is gone is not told.
    let _ = timeout(CLIENT_IDLE, session.write_response_body(Some(Bytes::new()), true)).await;
}

/// Why a listener does not wait any more.
enum Woken {
    News,
    Idle,
    Closing,
    Gone,
}

async fn closed(closing: &mut watch::Receiver<bool>) {
    // Its sender lives as long as the server.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Whether it was taken.
async fn send(session: &mut Session, bytes: Bytes) -> bool {
    matches!(timeout(CLIENT_IDLE, session.write_response_body(Some(bytes), false)).await, Ok(Ok(())))
}

/// Moves on to what is live now, so that nothing older is held. Whether the door is still there.
fn follow(exchange: &mut Exchange, live: Arc<Live>) -> bool {
    if Arc::ptr_eq(&exchange.live, &live) {
        return true;
    }
    let Some(name) = exchange.route().map(|route| route.name.clone()) else { return false };
    let routes = &live.snapshot.config.routes;
    let found = routes.iter().position(|route| {
        route.name == name && matches!(&route.action, Action::Ofrep(config) if config.streams > 0)
    });
    let (Some(found), Some(decision)) = (found, &mut exchange.decision) else { return false };
    decision.route = Some(RouteId(found));
    exchange.live = live;
    true
}
