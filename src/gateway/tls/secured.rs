//! A connection under TLS as Pingora sees it. What the handshake told travels with it, where the hooks find it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use pingora::http::ResponseHeader;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    ALPN, Digest, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    Stream, TimingDigest, UniqueID, UniqueIDType,
};
use rustls::ProtocolVersion;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::identity::identity;
use crate::context::Secured;

/// One connection.
#[derive(Debug)]
pub struct SecuredStream {
    tls: TlsStream<Stream>,
    /// Pingora hands it to every session of the connection; nothing else of ours does.
    told: Option<Arc<ProxyDigest>>,
}

impl SecuredStream {
    /// After a handshake; `asked`: whether the client was asked who it is.
    pub fn new(tls: TlsStream<Stream>, asked: bool) -> SecuredStream {
        let (_, session) = tls.get_ref();
        let secured = Secured {
            version: if session.protocol_version() == Some(ProtocolVersion::TLSv1_3) { "1.3" } else { "1.2" },
            sni: session.server_name().map(|name| name.to_ascii_lowercase().into()),
            client: session.peer_certificates().and_then(<[_]>::first).and_then(|der| identity(der)),
            asked,
        };
        let data: Box<dyn std::any::Any + Send + Sync> = Box::new(Arc::new(secured));
        // The head means nothing; its type is Pingora's.
        let head = ResponseHeader::build(200, None).ok();
        let told = head.map(|head| Arc::new(ProxyDigest::new(Box::new(head), Some(data))));
        SecuredStream { tls, told }
    }

    fn io(&self) -> &Stream {
        self.tls.get_ref().0
    }
}

/// What the handshake of a session's connection told; none in the clear.
pub fn told(digest: Option<&Digest>) -> Option<&Arc<Secured>> {
    digest?.proxy_digest.as_ref()?.user_data.as_ref()?.downcast_ref()
}

impl AsyncRead for SecuredStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_read(task, out)
    }
}

impl AsyncWrite for SecuredStream {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(task, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write_vectored(task, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(task)
    }
}

#[async_trait]
impl Shutdown for SecuredStream {
    async fn shutdown(&mut self) {
        // A client that is gone cannot be told.
        let _ = AsyncWriteExt::shutdown(&mut self.tls).await;
    }
}

impl UniqueID for SecuredStream {
    fn id(&self) -> UniqueIDType {
        self.io().id()
    }
}

impl Ssl for SecuredStream {
    fn selected_alpn_proto(&self) -> Option<ALPN> {
        match self.tls.get_ref().1.alpn_protocol()? {
            b"h2" => Some(ALPN::H2),
            _ => Some(ALPN::H1),
        }
    }
}

impl GetTimingDigest for SecuredStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.io().get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.io().get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.io().get_write_pending_time()
    }
}

impl GetProxyDigest for SecuredStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.told.clone()
    }

    fn set_proxy_digest(&mut self, digest: ProxyDigest) {
        self.told = Some(Arc::new(digest));
    }
}

impl GetSocketDigest for SecuredStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.io().get_socket_digest()
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        self.tls.get_mut().0.set_socket_digest(digest);
    }
}

/// It cannot.
impl Peek for SecuredStream {}
