//! What Pingora is told of an endpoint: every option that it leaves open is set.
//!
//! Pingora has one timeout for all reads of an exchange. It is the larger of `first_byte` and `between`; that a head comes within
//! `first_byte`, its line sees to (see [`crate::gateway::lines`]). Where it may come over HTTP/2, which has no such line, the timeout is
//! `first_byte`, but for requests that ask for a stream.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

use pingora::protocols::TcpKeepalive;
use pingora::upstreams::peer::HttpPeer;

use super::material::Material;
use crate::config::Name;
use crate::config::service::{Timeouts, UpstreamHttp, Version};

/// Streams on one HTTP/2 connection.
const H2_STREAMS: usize = 100;

/// What connections of a version are pooled under: no two versions share one, and no two ways of TLS.
pub fn group(service: &Name, version: &Version) -> u64 {
    let mut hash = DefaultHasher::new();
    (service, &version.name, &version.tls, version.http).hash(&mut hash);
    hash.finish()
}

/// The peer of an address; `host` is what it is verified by.
#[expect(
    clippy::disallowed_methods,
    reason = "it is made of an address, which was resolved in the background"
)]
pub fn peer(
    address: SocketAddr,
    host: &str,
    version: &Version,
    material: Option<&Material>,
    group: u64,
) -> HttpPeer {
    let Timeouts { connect, first_byte, between, idle, .. } = version.timeouts;
    // Without a name Pingora would verify nothing. An address is never sent as SNI, but the certificate has to be for it.
    let sni = material.map(|material| material.sni.clone().unwrap_or_else(|| host.to_owned()));
    let mut peer = HttpPeer::new(address, material.is_some(), sni.unwrap_or_default());
    peer.group_key = group;
    let options = &mut peer.options;
    options.connection_timeout = Some(connect);
    options.total_connection_timeout = Some(connect);
    options.write_timeout = Some(between);
    options.idle_timeout = Some(idle);
    options.tcp_keepalive = Some(TcpKeepalive {
        idle: Duration::from_secs(60),
        interval: Duration::from_secs(5),
        count: 5,
        user_timeout: Duration::ZERO,
    });
    match version.http {
        UpstreamHttp::H1 => {}
        UpstreamHttp::H2 => options.set_http_version(2, 2),
        // Without TLS there is no handshake to settle it.
        UpstreamHttp::Auto if material.is_some() => options.set_http_version(2, 1),
        UpstreamHttp::Auto => {}
    }
    let may_be_h2 = options.alpn.get_max_http_version() == 2;
    options.read_timeout = Some(if may_be_h2 { first_byte } else { first_byte.max(between) });
    options.max_h2_streams = if may_be_h2 { H2_STREAMS } else { 1 };
    if let Some(material) = material {
        options.ca = material.authorities.clone();
        options.verify_cert = material.verify;
        options.verify_hostname = material.verify;
        peer.client_cert_key = material.client.clone();
    }
    peer
}

/// Makes a copy of a peer fit a request.
pub fn suit(peer: &mut HttpPeer, version: &Version, stream: bool, upgrade: bool) {
    if stream {
        let Timeouts { first_byte, between, .. } = version.timeouts;
        peer.options.read_timeout = Some(first_byte.max(between));
    }
    // Nobody upgrades HTTP/2.
    if upgrade && version.http == UpstreamHttp::Auto {
        peer.options.set_http_version(1, 1);
    }
}
