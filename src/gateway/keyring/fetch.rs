//! Fetches a small JSON document: one request, a bounded answer, a deadline for all of it. It follows no redirect, as keys from elsewhere are
//! someone else's keys.

use std::sync::LazyLock;
use std::time::Duration;

use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{StatusCode, Uri};
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::protocols::http::client::HttpSession;
use pingora::upstreams::peer::HttpPeer;
use tokio::time::timeout;

/// From the look-up of the name to the last byte.
const LIMIT: Duration = Duration::from_secs(5);
/// Addresses of a name that are tried.
const TRIED: usize = 3;
/// Heads before the final one.
const MAX_INTERIM: usize = 8;

/// Its connections are not kept: it is asked every few minutes.
pub struct Fetcher {
    /// Made for the first fetch: it reads the system's certificate roots.
    connector: LazyLock<Connector>,
}

impl Default for Fetcher {
    fn default() -> Fetcher {
        Fetcher { connector: LazyLock::new(|| Connector::new(None)) }
    }
}

impl Fetcher {
    /// The body of the answer, if that is 200 and no longer than `max` bytes. `Err` says why there is none.
    pub async fn fetch(&self, url: &Uri, max: usize) -> Result<String, String> {
        timeout(LIMIT, self.ask(url, max))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", LIMIT.as_secs())))
    }

    async fn ask(&self, url: &Uri, max: usize) -> Result<String, String> {
        let tls = url.scheme_str() == Some("https");
        let authority = url.authority().ok_or("the address has no host")?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let found =
            tokio::net::lookup_host((host, port)).await.map_err(|error| format!("{host}: {error}"))?;
        let mut why = format!("{host} has no address");
        for address in found.take(TRIED) {
            let mut session = match self.connector.get_http_session(&peer(address, tls, host)).await {
                Ok((session, _)) => session,
                Err(error) => {
                    why = format!("{address}: {}", error.etype().as_str());
                    continue;
                }
            };
            return exchange(&mut session, url, authority.as_str(), max).await;
        }
        Err(why)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it is made of an address that was looked up in the background"
)]
fn peer(address: std::net::SocketAddr, tls: bool, host: &str) -> HttpPeer {
    let mut peer = HttpPeer::new(address, tls, host.to_owned());
    peer.options.connection_timeout = Some(LIMIT);
    peer.options.total_connection_timeout = Some(LIMIT);
    peer.options.read_timeout = Some(LIMIT);
    peer.options.write_timeout = Some(LIMIT);
    peer
}

async fn exchange(
    session: &mut HttpSession,
    url: &Uri,
    authority: &str,
    max: usize,
) -> Result<String, String> {
    let told = |error: Box<pingora::Error>| format!("the answer cannot be read: {}", error.etype().as_str());
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut head = RequestHeader::build("GET", path.as_bytes(), Some(3)).map_err(told)?;
    for (name, value) in [(HOST, authority), (ACCEPT, "application/json"), (USER_AGENT, "flagway")] {
        head.insert_header(name, value).map_err(told)?;
    }
    session.write_request_header(Box::new(head)).await.map_err(told)?;
    session.finish_request_body().await.map_err(told)?;
    let status = final_status(session).await?;
    if status != StatusCode::OK {
        return Err(format!("the answer is {status}"));
    }
    let mut body = Vec::new();
    while let Some(piece) = session.read_response_body().await.map_err(told)? {
        if body.len() + piece.len() > max {
            return Err(format!("the answer has more than {max} bytes"));
        }
        body.extend_from_slice(&piece);
    }
    String::from_utf8(body).map_err(|_| "the answer is no text".to_owned())
}

async fn final_status(session: &mut HttpSession) -> Result<StatusCode, String> {
    for _ in 0..=MAX_INTERIM {
        session
            .read_response_header()
            .await
            .map_err(|error| format!("no answer: {}", error.etype().as_str()))?;
        match session.response_header().map(|head| head.status) {
            Some(status) if !status.is_informational() => return Ok(status),
            _ => {}
        }
    }
    Err("no final answer".to_owned())
}
