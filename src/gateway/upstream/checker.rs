//! Asks endpoints whether they are well: HTTP, TCP or gRPC, each check on a connection of its own, with the TLS of the traffic.

use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, TE, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode, Version};
use pingora::connectors::http::Connector;
use pingora::connectors::{ConnectorOptions, TransportConnector};
use pingora::http::RequestHeader;
use pingora::protocols::http::client::HttpSession;
use pingora::upstreams::peer::{HttpPeer, Peer};
use pingora::{Error, ErrorType};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::Pool;
use super::grpc;
use super::reach::Spot;
use crate::config::service::{Health, Probe};
use crate::gateway::shadow::head::speak;

/// Checks of one version under way at once.
const AT_ONCE: usize = 32;
/// Heads before the final one.
const MAX_INTERIM: usize = 16;
/// Bytes of a gRPC answer that are read.
const MAX_ANSWER: usize = 4 << 10;

/// What makes the connections. Made for the first check: it reads the system's certificate roots.
pub struct Checker {
    http: LazyLock<Connector>,
    transport: LazyLock<TransportConnector>,
}

/// Checks the endpoints of a pool until it is gone or retired. New ones (`changed`) are checked at once.
pub async fn keep(pool: Weak<Pool>, health: Health, changed: Arc<Notify>, checker: Arc<Checker>) {
    let mut all = true;
    let mut next = Instant::now();
    loop {
        let Some(present) = pool.upgrade().filter(|pool| !pool.is_retired()) else { return };
        round(&present, &health, all, &checker).await;
        // Not held while it sleeps: a pool that nobody uses is to go.
        drop(present);
        if all {
            let tenth = health.every.as_millis() as u64 / 10;
            next = Instant::now() + health.every - Duration::from_millis(tenth)
                + Duration::from_millis(rand::random_range(0..=2 * tenth));
        }
        all = tokio::select! {
            () = sleep_until(next) => true,
            () = changed.notified() => false,
        };
    }
}

/// Checks all endpoints, or those that were never checked.
async fn round(pool: &Arc<Pool>, health: &Health, all: bool, checker: &Arc<Checker>) {
    let reach = pool.spots();
    let mut running = JoinSet::new();
    for (index, spot) in reach.spots.iter().enumerate() {
        if !all && !spot.endpoint.is_unchecked() {
            continue;
        }
        if running.len() >= AT_ONCE {
            running.join_next().await;
        }
        let (pool, reach, health, checker) =
            (Arc::clone(pool), Arc::clone(&reach), health.clone(), Arc::clone(checker));
        running.spawn(async move {
            let spot = &reach.spots[index];
            let result = timeout(health.timeout, checker.check(spot, &health)).await;
            let late = || Err(format!("no answer within {}", humantime::format_duration(health.timeout)));
            pool.checked(&spot.endpoint, result.unwrap_or_else(|_| late()));
        });
    }
    while running.join_next().await.is_some() {}
}

impl Checker {
    pub fn new() -> Checker {
        Checker {
            http: LazyLock::new(|| Connector::new(Some(ConnectorOptions::new(1)))),
            transport: LazyLock::new(|| TransportConnector::new(Some(ConnectorOptions::new(1)))),
        }
    }

    async fn check(&self, spot: &Spot, health: &Health) -> Result<(), String> {
        let mut peer = spot.peer.clone();
        // No connection is kept: that one is taken is a part of what is asked.
        peer.options.max_h2_streams = 1;
        peer.options.connection_timeout = Some(health.timeout);
        peer.options.total_connection_timeout = Some(health.timeout);
        let asked = match &health.probe {
            Probe::Tcp => return self.transport.new_stream(&peer).await.map(drop).map_err(told),
            Probe::Http { path, host, statuses } => {
                let mut head = RequestHeader::build("GET", path.as_bytes(), None).map_err(told)?;
                put_host(&mut head, host.as_deref(), spot)?;
                let (status, ..) = self.ask(&peer, head, None).await?;
                let well = if statuses.is_empty() { status.is_success() } else { statuses.contains(&status) };
                return if well { Ok(()) } else { Err(format!("status {}", status.as_u16())) };
            }
            Probe::Grpc { service } => service,
        };
        let mut head = RequestHeader::build("POST", grpc::PATH, None).map_err(told)?;
        put_host(&mut head, None, spot)?;
        let fields = [(CONTENT_TYPE, "application/grpc"), (TE, "trailers")];
        for (name, value) in fields {
            head.insert_header(name, value).map_err(told)?;
        }
        let (status, headers, body, trailers) = self.ask(&peer, head, Some(grpc::question(asked))).await?;
        if status != StatusCode::OK {
            return Err(format!("status {}", status.as_u16()));
        }
        grpc::verdict(&headers, &body, trailers.as_ref())
    }

    /// Sends a request; of a request with a body the answer is read to its end.
    async fn ask(
        &self,
        peer: &HttpPeer,
        mut head: RequestHeader,
        body: Option<Bytes>,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>, Option<HeaderMap>), String> {
        let (mut session, _) = self.http.get_http_session(peer).await.map_err(told)?;
        let version = if session.as_http2().is_some() { Version::HTTP_2 } else { Version::HTTP_11 };
        head.insert_header(USER_AGENT, "flagway-health").map_err(told)?;
        speak(&mut head, version, peer.tls())
            .map_err(|()| "the request cannot be said over HTTP/2".to_owned())?;
        let head = Box::new(head);
        match (&mut session, body.clone()) {
            (HttpSession::H2(h2), None) => h2.write_request_header(head, true).map_err(told)?,
            (_, None) => {
                session.write_request_header(head).await.map_err(told)?;
                session.finish_request_body().await.map_err(told)?;
            }
            (_, Some(body)) => {
                session.write_request_header(head).await.map_err(told)?;
                session.write_request_body(body, true).await.map_err(told)?;
            }
        }
        let (status, headers) = read_head(&mut session).await?;
        let mut answer = Vec::new();
        let mut trailers = None;
        if body.is_some() {
            while let Some(piece) = session.read_response_body().await.map_err(told)? {
                answer.extend_from_slice(&piece);
                if answer.len() > MAX_ANSWER {
                    return Err("its answer is too long".to_owned());
                }
            }
            if let HttpSession::H2(h2) = &mut session {
                trailers = h2.read_trailers().await.map_err(told)?;
            }
        }
        session.shutdown().await;
        Ok((status, headers, answer, trailers))
    }
}

fn put_host(head: &mut RequestHeader, host: Option<&str>, spot: &Spot) -> Result<(), String> {
    let own = || match spot.host.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]:{}", spot.endpoint.address.port()),
        Err(_) => format!("{}:{}", spot.host, spot.endpoint.address.port()),
    };
    let host =
        HeaderValue::from_str(&host.map_or_else(own, str::to_owned)).map_err(|error| error.to_string())?;
    head.insert_header(HOST, host).map_err(told)
}

async fn read_head(session: &mut HttpSession) -> Result<(StatusCode, HeaderMap), String> {
    for _ in 0..=MAX_INTERIM {
        session.read_response_header().await.map_err(told)?;
        match session.response_header() {
            Some(head) if !head.status.is_informational() => return Ok((head.status, head.headers.clone())),
            // Over HTTP/2 there is no second head to be read.
            _ if session.as_http1().is_none() => break,
            _ => {}
        }
    }
    Err("no final answer".to_owned())
}

/// A word or two for an operator, without what a server said.
#[expect(clippy::boxed_local, reason = "this is how Pingora gives it")]
fn told(error: Box<Error>) -> String {
    let what = match error.etype() {
        ErrorType::ConnectRefused => "connection refused",
        ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout => "no connection in time",
        ErrorType::ConnectNoRoute => "no route",
        ErrorType::TLSHandshakeFailure | ErrorType::InvalidCert => "the TLS handshake fails",
        ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError => {
            "it closed the connection"
        }
        ErrorType::ReadTimedout | ErrorType::WriteTimedout => "no answer in time",
        other => other.as_str(),
    };
    what.to_owned()
}
