//! How connections are made that can be cut: sockets like any other, pooled by Pingora, that carry their line.
//!
//! Streams of one flag and variant, of one era (see [`super::super::streams::Streams`]), have theirs alone: so it is cut as a whole, and an
//! HTTP/2 connection with many streams takes nobody else with it.
//!
//! A request to upgrade gets a connection that gives way: Pingora's proxy ends a tunnel whose 101 it reads before it has noticed
//! that the request has no body. After each write the connection lets everyone else of its task go first, once, so that it has. Such
//! connections have no descriptor for Pingora, so it does not pool them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use http::StatusCode;
use pingora::connectors::L4Connect;
use pingora::http::ResponseHeader;
use pingora::protocols::GetProxyDigest;
use pingora::protocols::l4::ext::set_tcp_keepalive;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::{Held, Line};
use crate::gateway::roll::Roll;

/// Whose streams a connection carries.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    pub flag: Arc<str>,
    pub variant: Arc<str>,
    pub era: u64,
}

#[derive(Debug)]
pub(super) struct Dial {
    pub owner: Option<Owner>,
    /// Whether the connection has one request at a time.
    pub alone: bool,
    pub gives_way: bool,
    pub roll: Arc<Roll<Line>>,
}

impl Dial {
    /// Has a peer dialled in this way, and pooled with none that was dialled in another.
    pub fn set(self, peer: &mut HttpPeer) {
        let mut hash = DefaultHasher::new();
        (peer.group_key, &self.owner, self.gives_way).hash(&mut hash);
        peer.group_key = hash.finish();
        peer.options.custom_l4 = Some(Arc::new(self));
    }

    /// None: the process has no descriptor left. The request is worth more than its end.
    fn line(&self, tcp: &TcpStream) -> Option<Held> {
        let socket = tcp.as_fd().try_clone_to_owned().ok()?.into();
        Some(Arc::new(self.roll.enter(Line::new(self.owner.clone(), self.alone, socket))))
    }
}

#[async_trait]
impl L4Connect for Dial {
    /// Limited by the peer's `total_connection_timeout`.
    async fn connect(&self, address: &SocketAddr) -> pingora::Result<Stream> {
        let Some(address) = address.as_inet() else {
            return Err(Error::explain(ErrorType::ConnectError, "no address of a TCP endpoint"));
        };
        let tcp = TcpStream::connect(address).await.map_err(|error| refused(*address, error))?;
        let line = self.line(&tcp);
        let mut stream = if self.gives_way {
            Stream::from(VirtualSocketStream::new(Box::new(GiveWay { tcp, wrote: false })))
        } else {
            Stream::from(tcp)
        };
        // The one thing of ours that Pingora keeps with a connection and shows us with each of its requests.
        if let Some(line) = line {
            stream.set_proxy_digest(ProxyDigest::new(Box::new(no_proxy()?), Some(Box::new(line))));
        }
        Ok(stream)
    }
}

/// The answer of a proxy that there is none of.
fn no_proxy() -> pingora::Result<ResponseHeader> {
    ResponseHeader::build_no_case(StatusCode::OK, None)
}

fn refused(address: std::net::SocketAddr, error: io::Error) -> Box<Error> {
    let kind = match error.kind() {
        io::ErrorKind::ConnectionRefused => ErrorType::ConnectRefused,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => ErrorType::ConnectNoRoute,
        _ => ErrorType::ConnectError,
    };
    Error::because(kind, format!("connecting to {address}"), error)
}

/// A socket that after each write is not read at once.
#[derive(Debug)]
struct GiveWay {
    tcp: TcpStream,
    wrote: bool,
}

impl VirtualSocket for GiveWay {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        match option {
            VirtualSockOpt::NoDelay => self.tcp.set_nodelay(true),
            VirtualSockOpt::KeepAlive(keepalive) => {
                set_tcp_keepalive(&self.tcp, &keepalive).map_err(io::Error::other)
            }
            _ => Ok(()),
        }
    }
}

impl AsyncRead for GiveWay {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.wrote) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for GiveWay {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.wrote = true;
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
