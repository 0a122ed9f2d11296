//! From a socket to a connection that is let in: who is there, whether there is a place, and TLS, in this order.
//!
//! So a handshake costs nothing beyond the caps, and they count whom a load balancer tells.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use pingora::protocols::{SocketDigest, Stream};
use tokio::time::{Instant, timeout_at};

use super::Gate;
use super::caps::Place;
use super::conn::Conn;
use super::proxy_protocol;
use super::refusal::Refusal;
use crate::config::limits::ClientLimits;
use crate::gateway::tls::{Failed, SecuredStream, Terms};
use crate::telemetry::limiter::uptime;

/// A connection that was let in.
pub struct Arrived {
    /// Of which nothing was shown yet.
    pub conn: Conn,
    /// The client, as far as is told.
    pub from: IpAddr,
    /// Held as long as the connection lives.
    pub place: Place,
}

impl Gate {
    /// Lets a connection in. None: it was not, and that is told.
    pub async fn arrive(&self, io: Stream, limits: &ClientLimits) -> Option<Arrived> {
        let deadline = Instant::now() + limits.handshake_time;
        let socket = address(&io);
        let mut conn = Conn::new(io);
        // A client of HTTP/1 in the clear can be told what is wrong.
        let told = self.tls.is_none();
        if self.is_told_by(socket)
            && let Err(why) = told_client(&mut conn, deadline).await
        {
            if let Some(why) = why {
                self.refuse(conn, why, told).await;
            }
            return None;
        }
        let from = conn.client().unwrap_or(socket);
        let Some(place) = self.admission.caps.enter(from, limits) else {
            self.refuse(conn, Refusal::Connections, told).await;
            return None;
        };
        let Some(terms) = &self.tls else { return Some(Arrived { conn, from, place }) };
        let patience = deadline.saturating_duration_since(Instant::now());
        let secured = self.secure(terms, conn, patience).await?;
        Some(Arrived { conn: Conn::new(Box::new(secured)), from, place })
    }

    /// Whether a connection from there has to begin with a head of the PROXY protocol.
    fn is_told_by(&self, from: IpAddr) -> bool {
        let live = self.admission.live.load();
        let listener = live.snapshot.config.listener(&self.listener);
        listener.is_some_and(|listener| listener.is_told_by(from))
    }

    /// The handshake.
    async fn secure(&self, terms: &Terms, conn: Conn, patience: Duration) -> Option<SecuredStream> {
        match terms.accept(Box::new(conn.open()), patience).await {
            Ok(secured) => Some(secured),
            Err(Failed { why, told }) => {
                self.admission.failed_handshakes.with_label_values(&[&*self.listener, why]).inc();
                // Whoever comes and goes again looks whether somebody listens: a load balancer does so each second.
                if why == "closed" {
                    tracing::debug!(listener = &*self.listener, why, "a TLS handshake failed");
                } else if let Some(before) = self.handshakes.pass(uptime()) {
                    tracing::info!(
                        listener = &*self.listener,
                        why,
                        left_out = before,
                        "a TLS handshake failed: {told}"
                    );
                }
                None
            }
        }
    }
}

/// Reads the head that a load balancer says first. `Err(None)`: it left without a word.
async fn told_client(conn: &mut Conn, deadline: Instant) -> Result<(), Option<Refusal>> {
    loop {
        if !conn.ahead().is_empty()
            && let Some(told) = proxy_protocol::read(conn.ahead()).map_err(Some)?
        {
            conn.skip(told.length);
            if let Some(client) = told.client {
                conn.set_client(client);
            }
            return Ok(());
        }
        match timeout_at(deadline, conn.fill()).await {
            Ok(Ok(came)) if came > 0 => {}
            Ok(_) if conn.ahead().is_empty() => return Err(None),
            Ok(_) => return Err(Some(Refusal::ProxyHead)),
            Err(_) => return Err(Some(Refusal::ProxyTime)),
        }
    }
}

/// The socket's own peer.
fn address(io: &Stream) -> IpAddr {
    let digest = io.get_socket_digest();
    let address = digest.as_ref().and_then(|digest| digest.peer_addr()?.as_inet().map(SocketAddr::ip));
    address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical()
}

impl Conn {
    /// From now on this is the client: for the hooks as well, which ask the socket.
    fn set_client(&mut self, client: SocketAddr) {
        use pingora::protocols::{GetSocketDigest, UniqueID};
        let digest = SocketDigest::from_raw_fd(self.id());
        // It is empty: it was made a line above.
        let _ = digest.peer_addr.set(Some(client.into()));
        self.set_socket_digest(digest);
    }

    /// The client's address, told or the socket's own.
    fn client(&self) -> Option<IpAddr> {
        use pingora::protocols::GetSocketDigest;
        let digest = self.get_socket_digest();
        let address = digest.as_ref().and_then(|digest| digest.peer_addr()?.as_inet().map(SocketAddr::ip));
        address.map(|address| address.to_canonical())
    }
}
