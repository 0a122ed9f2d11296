//! How connections are made that carry streams: each can be cut from outside.
//!
//! A connection carries streams of one flag and variant alone, of one era (see [`super::Streams`]): so it is cut as a whole, and an
//! HTTP/2 connection with many streams takes nobody else with it. It is a socket like any other, pooled by Pingora, with a second handle
//! that shuts it down.
//!
//! A request to upgrade gets a connection that gives way: Pingora's proxy ends a tunnel whose 101 it reads before it has noticed
//! that the request has no body. After each write the connection lets everyone else of its task go first, once, so that it has. Such
//! connections have no descriptor for Pingora, so it does not pool them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::ext::set_tcp_keepalive;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::upstreams::peer::{HttpPeer, Tracer, Tracing};
use pingora::{Error, ErrorType};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::roll::{Present, Roll};

/// Whose streams a connection carries.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    pub flag: Arc<str>,
    pub variant: Arc<str>,
    pub era: u64,
}

/// A connection that can be cut.
#[derive(Debug)]
pub struct Line {
    pub owner: Owner,
    /// A second handle of its socket, which keeps it open: it goes when Pingora lets go of the first.
    socket: std::net::TcpStream,
}

impl Line {
    /// Ends it, in both directions.
    pub fn cut(&self) {
        // It may be closed already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// Has a peer dialled so that its streams can be ended, those of nobody else with them. No owner: nothing would end them.
pub fn prepare(peer: &mut HttpPeer, owner: Option<Owner>, upgrade: bool, lines: &Arc<Roll<Line>>) {
    // A tunnel is HTTP/1; HTTP/2 has to be pooled.
    let gives_way = upgrade && peer.options.alpn.get_max_http_version() == 1;
    if owner.is_none() && !gives_way {
        return;
    }
    let mut hash = DefaultHasher::new();
    (peer.group_key, &owner, gives_way).hash(&mut hash);
    peer.group_key = hash.finish();
    peer.options.custom_l4 = Some(Arc::new(Dial { owner, gives_way, lines: Arc::clone(lines) }));
}

#[derive(Debug)]
struct Dial {
    owner: Option<Owner>,
    gives_way: bool,
    lines: Arc<Roll<Line>>,
}

#[async_trait]
impl L4Connect for Dial {
    /// Limited by the peer's `total_connection_timeout`.
    async fn connect(&self, address: &SocketAddr) -> pingora::Result<Stream> {
        let Some(address) = address.as_inet() else {
            return Err(Error::explain(ErrorType::ConnectError, "no address of a TCP endpoint"));
        };
        let tcp = TcpStream::connect(address).await.map_err(|error| refused(*address, error))?;
        let line = self.owner.as_ref().and_then(|owner| self.line(owner, &tcp));
        let mut stream = if self.gives_way {
            Stream::from(VirtualSocketStream::new(Box::new(GiveWay { tcp, wrote: false })))
        } else {
            Stream::from(tcp)
        };
        stream.tracer = line.map(|line| Tracer(Box::new(Held(Arc::new(line)))));
        Ok(stream)
    }
}

impl Dial {
    /// None: the process has no descriptor left. The stream is worth more than its end.
    fn line(&self, owner: &Owner, tcp: &TcpStream) -> Option<Present<Line>> {
        let socket = tcp.as_fd().try_clone_to_owned().ok()?.into();
        Some(self.lines.enter(Line { owner: owner.clone(), socket }))
    }
}

fn refused(address: std::net::SocketAddr, error: io::Error) -> Box<Error> {
    let kind = match error.kind() {
        io::ErrorKind::ConnectionRefused => ErrorType::ConnectRefused,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => ErrorType::ConnectNoRoute,
        _ => ErrorType::ConnectError,
    };
    Error::because(kind, format!("connecting to {address}"), error)
}

/// Lives as long as the connection: the one thing of ours that Pingora keeps with it.
#[derive(Debug, Clone)]
struct Held(#[expect(dead_code, reason = "it is held, not read")] Arc<Present<Line>>);

impl Tracing for Held {
    fn on_connected(&self) {}

    fn on_disconnected(&self) {}

    fn boxed_clone(&self) -> Box<dyn Tracing> {
        Box::new(self.clone())
    }
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
