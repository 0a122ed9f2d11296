//! A recording upstream that speaks HTTP/2 without TLS; it answers with its own name, and 200 unless it is told another status.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Response;

use super::message::Recorded;

pub struct H2cUpstream {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    recorded: Mutex<Vec<Recorded>>,
    connections: AtomicUsize,
    status: AtomicU16,
}

impl H2cUpstream {
    pub fn start(name: &str) -> H2cUpstream {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            recorded: Mutex::default(),
            connections: AtomicUsize::new(0),
            status: AtomicU16::new(200),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    let number = serving.connections.fetch_add(1, Ordering::SeqCst);
                    let shared = Arc::clone(&serving);
                    // A connection that breaks is the peer's affair.
                    tokio::spawn(async move {
                        let _ = shared.serve(stream, number).await;
                    });
                }
            });
        });
        H2cUpstream { address, shared }
    }

    /// From now on it answers with this status; 0: it resets each stream instead.
    pub fn answer(&self, status: u16) {
        self.shared.status.store(status, Ordering::SeqCst);
    }

    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.recorded.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Shared {
    async fn serve(
        self: Arc<Self>,
        stream: tokio::net::TcpStream,
        connection: usize,
    ) -> Result<(), h2::Error> {
        let mut streams = h2::server::handshake(stream).await?;
        while let Some(next) = streams.accept().await {
            let (request, respond) = next?;
            let shared = Arc::clone(&self);
            // Beside the connection, which moves only while it is asked for the next stream.
            tokio::spawn(async move {
                let _ = shared.answer(request, respond, connection).await;
            });
        }
        Ok(())
    }

    async fn answer(
        &self,
        request: http::Request<h2::RecvStream>,
        mut respond: h2::server::SendResponse<Bytes>,
        connection: usize,
    ) -> Result<(), h2::Error> {
        let (parts, mut incoming) = request.into_parts();
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut head = format!("{} {target} HTTP/2\r\n", parts.method).into_bytes();
        if let Some(authority) = parts.uri.authority() {
            head.extend_from_slice(format!(":authority: {authority}\r\n").as_bytes());
        }
        for (name, value) in &parts.headers {
            head.extend_from_slice(format!("{name}: ").as_bytes());
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        let mut body = Vec::new();
        while let Some(data) = incoming.data().await {
            let data = data?;
            let _ = incoming.flow_control().release_capacity(data.len());
            body.extend_from_slice(&data);
        }
        self.recorded.lock().unwrap().push(Recorded { head, body, connection, sni: None });
        let Ok(head) = Response::builder().status(self.status.load(Ordering::SeqCst)).body(()) else {
            respond.send_reset(h2::Reason::INTERNAL_ERROR);
            return Ok(());
        };
        let mut out = respond.send_response(head, false)?;
        out.send_data(Bytes::from(self.name.clone()), true)
    }
}
