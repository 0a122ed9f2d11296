//! A connection in HTTP/2, from its preface to its end: the h2 crate and Pingora do the work, this sees that it ends.
//!
//! The loop is Pingora's own, with what that one leaves out: limits that hold from the next connection on, a deadline for the preface and for
//! each request, a word of farewell for whoever asks too much, and an end for whoever does not hang up.

use std::sync::Arc;
use std::time::Duration;

use http::Version;
use pingora::apps::HttpServerApp;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{H2Accept, H2Options, HttpSession, default_h2_options, handshake};
use pingora::protocols::{Digest, GetProxyDigest, GetSocketDigest, GetTimingDigest, Ssl};
use pingora::server::ShutdownWatch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::conn::Conn;
use super::refusal::Refusal;
use super::{Gate, LAST_WORDS, NAMELESS};
use crate::config::limits::ClientLimits;
use crate::gateway::h2::body::Body;
use crate::gateway::h2::frames::Frames;

/// Requests of one connection that Pingora takes for malformed; its own budget, which is kept for each call here.
const MALFORMED: usize = 32;
/// Bytes of an answer that wait for a client which does not read.
const UNREAD: usize = 64 << 10;
/// As good as never.
const LONG: Duration = Duration::from_secs(365 * 24 * 3600);

/// Serves a connection until it ends.
pub async fn serve(gate: &Arc<Gate>, conn: Conn, shutdown: &ShutdownWatch) {
    let limits = gate.limits();
    let digest = Arc::new(Digest {
        ssl_digest: conn.get_ssl_digest(),
        timing_digest: conn.get_timing_digest(),
        proxy_digest: conn.get_proxy_digest(),
        socket_digest: conn.get_socket_digest(),
    });
    let (conn, mut word) = conn.watched(Frames::new(limits.h2), limits.head_time);
    // Whoever says no preface is no client, and is told nothing.
    let Ok(Ok(mut connection)) =
        timeout(limits.head_time, handshake(Box::new(conn), Some(options(&limits)))).await
    else {
        return;
    };
    let mut shutdown = shutdown.clone();
    let mut requests = JoinSet::new();
    let (mut served, mut malformed) = (0_u32, 0);
    let (mut leaving, mut calmed) = (false, false);
    let mut end = Instant::now() + limits.idle;
    loop {
        let over = tokio::select! {
            biased;
            _ = shutdown.changed(), if !leaving => None,
            why = &mut word, if !calmed => match why {
                Ok(why) => Some(why),
                Err(_) => break,
            },
            accepted = HttpSession::from_h2_conn(&mut connection, digest.clone()) => match accepted {
                Ok(Some(H2Accept::Session(session))) => {
                    served += 1;
                    requests.spawn_on(request(gate.clone(), session, limits, shutdown.clone()), &pingora_runtime::current_handle());
                    if limits.requests.is_none_or(|most| served < most) {
                        continue;
                    }
                    None
                }
                Ok(Some(H2Accept::Rejected)) => {
                    malformed += 1;
                    gate.tell(&[], Refusal::Malformed, 400, NAMELESS);
                    if malformed < MALFORMED {
                        continue;
                    }
                    Some(Refusal::Malformed)
                }
                Ok(None) => break,
                Err(error) => {
                    if let Some(why) = fault(&error) {
                        gate.tell(&[], why, 0, NAMELESS);
                    }
                    break;
                }
            },
            _ = requests.join_next(), if !requests.is_empty() => {
                if requests.is_empty() && !calmed {
                    end = Instant::now() + if leaving { LAST_WORDS } else { limits.idle };
                }
                continue;
            }
            () = sleep_until(end), if requests.is_empty() || calmed => {
                if leaving {
                    break;
                }
                None
            }
        };
        if let Some(why) = over {
            if why != Refusal::Malformed {
                gate.tell(&[], why, 0, NAMELESS);
            }
            calmed = true;
            connection.abrupt_shutdown(h2::Reason::ENHANCE_YOUR_CALM);
        } else if !leaving {
            connection.graceful_shutdown();
        }
        leaving = true;
        end = Instant::now() + LAST_WORDS;
    }
    // They end by themselves, and tell what became of them.
    requests.detach_all();
}

/// One request, to its end or to the end of its time.
async fn request(gate: Arc<Gate>, mut session: HttpSession, limits: ClientLimits, shutdown: ShutdownWatch) {
    let waits = !session.is_body_empty();
    let body = waits.then(|| Body::begin(session.req_header_mut(), &limits)).flatten();
    let head = session.req_header();
    let line =
        (body.is_some() || limits.request_time.is_some()).then(|| (head.method.clone(), head.uri.clone()));
    let last = Instant::now() + limits.request_time.map_or(LONG, |time| time + LAST_WORDS);
    let served = gate.inner.process_new_http(ServerSession::new_http2(session), &shutdown);
    let mut served = std::pin::pin!(served);
    let Some((method, uri)) = line else {
        served.await;
        return;
    };
    let why = loop {
        let deadline = body.as_ref().and_then(|body| body.deadline());
        let due = deadline.map_or(last, |deadline| deadline.min(last));
        tokio::select! {
            biased;
            _ = &mut served => return,
            () = sleep_until(due) => {}
        }
        let now = Instant::now();
        if now >= last {
            break Refusal::RequestTime;
        }
        if body.as_ref().and_then(|body| body.deadline()).is_some_and(|deadline| now >= deadline) {
            break Refusal::BodyTime;
        }
    };
    // What is dropped now is reset, towards both sides.
    gate.tell(format!("{method} {} {:?}", uri.path(), Version::HTTP_2).as_bytes(), why, 0, NAMELESS);
}

/// What a client did for which the h2 crate ended the connection; none: nothing, it went.
fn fault(error: &pingora::Error) -> Option<Refusal> {
    let error = error.root_cause().downcast_ref::<h2::Error>().filter(|error| error.is_library())?;
    match error.reason()? {
        h2::Reason::NO_ERROR => None,
        // Requests that were given up before anyone looked at them, or crumbs of data.
        h2::Reason::ENHANCE_YOUR_CALM => Some(Refusal::Resets),
        _ => Some(Refusal::Malformed),
    }
}

fn options(limits: &ClientLimits) -> H2Options {
    let mut options = default_h2_options();
    options
        .max_concurrent_streams(limits.h2.streams)
        .max_header_list_size(limits.h2.header_list)
        .max_local_error_reset_streams(Some(limits.h2.resets as usize))
        .max_send_buffer_size(UNREAD);
    options
}
