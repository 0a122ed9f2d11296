//! A client of HTTP/2 without TLS that says what the test says, trailers too.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use tokio::net::TcpStream;

use super::wait::PATIENCE;

/// Names and values of fields, as they go onto the wire.
pub type Lines = Vec<(String, String)>;

/// One request on a connection of its own; with trailers it has a body. The status and the fields of the answer.
#[track_caller]
pub fn h2_plain(
    address: SocketAddr,
    target: &str,
    fields: &Lines,
    trailers: &Lines,
) -> (StatusCode, HeaderMap) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let exchange = exchange(address, target, map(fields), map(trailers));
        tokio::time::timeout(PATIENCE * 2, exchange).await.expect("an answer in time").expect("an answer")
    })
}

fn map(lines: &Lines) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(HeaderName::try_from(name.as_str()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    map
}

async fn exchange(
    address: SocketAddr,
    target: &str,
    fields: HeaderMap,
    trailers: HeaderMap,
) -> Result<(StatusCode, HeaderMap), Box<dyn std::error::Error>> {
    let (mut sender, connection) = h2::client::handshake(TcpStream::connect(address).await?).await?;
    tokio::spawn(connection);
    let method = if trailers.is_empty() { Method::GET } else { Method::POST };
    let mut request = Request::builder().method(method).uri(format!("http://shop.test{target}")).body(())?;
    *request.headers_mut() = fields;
    let (response, mut stream) = sender.send_request(request, trailers.is_empty())?;
    if !trailers.is_empty() {
        stream.send_data(Bytes::from_static(b"body"), false)?;
        stream.send_trailers(trailers)?;
    }
    let (parts, mut body) = response.await?.into_parts();
    while let Some(data) = body.data().await {
        let data = data?;
        let _ = body.flow_control().release_capacity(data.len());
    }
    Ok((parts.status, parts.headers))
}
