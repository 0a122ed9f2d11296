//! A client that speaks HTTP/2 over TLS, for requests that HTTP/1.1 cannot make.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::wait::PATIENCE;

/// The body of a request over HTTP/2.
#[derive(Debug, Clone, Copy)]
pub enum H2Body {
    /// The head ends the request.
    None,
    /// Data in these pieces; the last one ends the request, or an empty frame if there is none.
    Pieces(&'static [&'static str]),
    /// Data in these pieces, then a field that trails.
    Trailed(&'static [&'static str]),
}

/// One request on a connection of its own: the status and the body of its answer.
#[track_caller]
pub fn h2_request(
    address: SocketAddr,
    name: &str,
    config: &Arc<ClientConfig>,
    request: http::request::Builder,
    body: H2Body,
) -> (StatusCode, Vec<u8>) {
    let mut config = (**config).clone();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let request = request.body(()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let exchange = exchange(address, name.to_owned(), config, request, body);
        tokio::time::timeout(PATIENCE * 2, exchange).await.expect("an answer in time").expect("an answer")
    })
}

async fn exchange(
    address: SocketAddr,
    name: String,
    config: ClientConfig,
    request: Request<()>,
    body: H2Body,
) -> Result<(StatusCode, Vec<u8>), Box<dyn std::error::Error>> {
    let tcp = TcpStream::connect(address).await?;
    let tls = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name)?, tcp).await?;
    let (mut sender, connection) = h2::client::handshake(tls).await?;
    tokio::spawn(connection);
    let (response, mut stream) = sender.send_request(request, matches!(body, H2Body::None))?;
    match body {
        H2Body::None => {}
        H2Body::Pieces(pieces) => {
            for (left, piece) in (0..pieces.len()).rev().zip(pieces) {
                stream.send_data(Bytes::from_static(piece.as_bytes()), left == 0)?;
            }
            if pieces.is_empty() {
                stream.send_data(Bytes::new(), true)?;
            }
        }
        H2Body::Trailed(pieces) => {
            for piece in pieces {
                stream.send_data(Bytes::from_static(piece.as_bytes()), false)?;
            }
            stream.send_trailers(HeaderMap::from_iter([(
                http::HeaderName::from_static("x-trailer"),
                http::HeaderValue::from_static("1"),
            )]))?;
        }
    }
    let response = response.await?;
    let (status, mut incoming, mut whole) = (response.status(), response.into_body(), Vec::new());
    while let Some(data) = incoming.data().await {
        let data = data?;
        let _ = incoming.flow_control().release_capacity(data.len());
        whole.extend_from_slice(&data);
    }
    Ok((status, whole))
}
