//! Sends one copy to one endpoint and takes its answer in, under the copy's own bounds. Never twice.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{StatusCode, Version};
use pingora::connectors::ConnectorOptions;
use pingora::connectors::http::Connector;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::client::HttpSession;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType};
use tokio::time::timeout;

use super::head::speak;
use super::kept::Keeping;
use crate::compare::Failed;

/// Idle connections kept to shadows.
const POOLED: usize = 256;
/// Heads before the final one.
const MAX_INTERIM: usize = 16;
/// How long the end of a connection that cannot be used again may take.
const RELEASE: Duration = Duration::from_secs(1);

/// Its connections are shadows' alone: nothing that happens on them concerns any other traffic.
pub struct Sender {
    /// Made for the first copy: it reads the system's certificate roots.
    connector: LazyLock<Connector>,
}

/// What is sent, and how much of an answer is taken.
pub struct Errand<'a> {
    pub peer: Box<HttpPeer>,
    pub head: RequestHeader,
    pub body: &'a [Bytes],
    /// From the first byte sent to the last of the answer.
    pub timeout: Duration,
    /// Bytes of the answer's body.
    pub max_answer: u64,
}

impl Sender {
    pub fn new() -> Sender {
        Sender { connector: LazyLock::new(|| Connector::new(Some(ConnectorOptions::new(POOLED)))) }
    }

    /// Makes what otherwise the first copy would wait for.
    pub fn prepare(&self) {
        LazyLock::force(&self.connector);
    }

    /// Sends it. `keep` is told the answer's head and how long it took, and says what is kept.
    pub async fn send<K>(&self, errand: Errand<'_>, keep: K) -> Result<Option<Keeping>, Failed>
    where
        K: FnOnce(&ResponseHeader, Duration) -> Option<Keeping>,
    {
        let Errand { peer, mut head, body, timeout: limit, max_answer } = errand;
        let connecting = timeout(limit, self.connector.get_http_session(&*peer)).await;
        let (mut session, _) = connecting.map_err(|_| Failed::Connect)?.map_err(|_| Failed::Connect)?;
        let exchanging = async {
            let version = if session.as_http2().is_some() { Version::HTTP_2 } else { Version::HTTP_11 };
            speak(&mut head, version, peer.is_tls()).map_err(|()| Failed::Protocol)?;
            let written = write(&mut session, head, body).await?;
            let answer = read(&mut session, max_answer, keep).await;
            // An answer may come before the request is complete, and end it.
            answer.map(|keeping| (keeping, written.is_ok())).map_err(|why| written.err().unwrap_or(why))
        };
        let answered = timeout(limit, exchanging).await.unwrap_or(Err(Failed::Timeout));
        // A stream that failed says nothing of its connection; of HTTP/1 they are one.
        if matches!(answered, Ok((_, true))) || session.as_http2().is_some() {
            let idle = peer.options.idle_timeout;
            let _ = timeout(RELEASE, self.connector.release_http_session(session, &*peer, idle)).await;
        }
        answered.map(|(keeping, _)| keeping)
    }
}

/// Writes the request. The inner result is that of the body: an answer may come nevertheless.
async fn write(
    session: &mut HttpSession,
    head: RequestHeader,
    body: &[Bytes],
) -> Result<Result<(), Failed>, Failed> {
    let head = Box::new(head);
    if let HttpSession::H2(h2) = session
        && body.is_empty()
    {
        return h2.write_request_header(head, true).map(Ok).map_err(|error| why(&error));
    }
    session.write_request_header(head).await.map_err(|error| why(&error))?;
    for piece in body {
        if let Err(error) = session.write_request_body(piece.clone(), false).await {
            return Ok(Err(why(&error)));
        }
    }
    Ok(session.finish_request_body().await.map_err(|error| why(&error)))
}

async fn read<K>(session: &mut HttpSession, max_answer: u64, keep: K) -> Result<Option<Keeping>, Failed>
where
    K: FnOnce(&ResponseHeader, Duration) -> Option<Keeping>,
{
    let written = Instant::now();
    read_head(session).await?;
    let mut keeping = session.response_header().and_then(|head| keep(head, written.elapsed()));
    let mut length = 0;
    while let Some(piece) = session.read_response_body().await.map_err(|error| why(&error))? {
        length += piece.len() as u64;
        if length > max_answer {
            return Err(Failed::AnswerTooLarge);
        }
        if let Some(keeping) = &mut keeping {
            keeping.push(&piece);
        }
    }
    Ok(keeping)
}

/// Reads the final head.
async fn read_head(session: &mut HttpSession) -> Result<(), Failed> {
    for _ in 0..=MAX_INTERIM {
        session.read_response_header().await.map_err(|error| why(&error))?;
        let status = session.response_header().map(|head| head.status);
        match status {
            Some(status) if !status.is_informational() => return Ok(()),
            // Nobody asked for another protocol; and over HTTP/2 there is no second head to be read.
            Some(StatusCode::SWITCHING_PROTOCOLS) | None => break,
            Some(_) if session.as_http1().is_none() => break,
            Some(_) => {}
        }
    }
    Err(Failed::Protocol)
}

fn why(error: &Error) -> Failed {
    use ErrorType::{ConnectionClosed, ReadError, ReadTimedout, WriteError, WriteTimedout};
    match error.etype() {
        ReadTimedout | WriteTimedout => Failed::Timeout,
        ConnectionClosed | ReadError | WriteError => Failed::Closed,
        // Pingora's word for a body that ends too early.
        ErrorType::Custom("PrematureBodyEnd") => Failed::Closed,
        _ => Failed::Protocol,
    }
}
