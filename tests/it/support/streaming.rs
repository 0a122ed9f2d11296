//! Upstreams whose answers last, and a client that stays for them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::gateway::Gateway;
use super::message;
use super::raw::RawUpstream;
use super::wait::PATIENCE;

/// Between two pieces of a body that goes on.
const TICK: Duration = Duration::from_millis(10);

/// An upstream that tells its name and stays, by path: `/tunnel` says 101 and echoes; `/events` sends one event and is silent;
/// `/ticks` (as `text/event-stream`) and `/download` (as bytes) send lines with rising numbers.
pub struct LongUpstream {
    upstream: RawUpstream,
    sent: Arc<AtomicUsize>,
    left: Arc<AtomicUsize>,
}

impl LongUpstream {
    pub fn start(name: &'static str) -> LongUpstream {
        let sent = Arc::new(AtomicUsize::new(0));
        let left = Arc::new(AtomicUsize::new(0));
        let (counting, leaving) = (Arc::clone(&sent), Arc::clone(&left));
        let upstream = RawUpstream::start(move |stream| {
            let served = serve(stream, name, &counting);
            leaving.fetch_add(1, Ordering::SeqCst);
            served
        });
        LongUpstream { upstream, sent, left }
    }

    pub fn address(&self) -> SocketAddr {
        self.upstream.address
    }

    /// How many of its connections the gateway has closed.
    pub fn left(&self) -> usize {
        self.left.load(Ordering::SeqCst)
    }

    /// The number that comes next on some body.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }
}

fn serve(stream: &mut TcpStream, name: &str, sent: &AtomicUsize) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let head = message::read_head(&mut reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let text = String::from_utf8_lossy(&head).into_owned();
    let target = text.split(' ').nth(1).unwrap_or_default();
    let answer = |stream: &mut TcpStream, kind: &str| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        chunk(stream, &format!("data: {name}\n\n"))
    };
    match target {
        "/tunnel" => {
            let head =
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
            stream.write_all(format!("{head}{name}\n").as_bytes())?;
            io::copy(&mut reader, stream).map(drop)
        }
        "/events" => {
            answer(stream, "text/event-stream")?;
            reader.read_to_end(&mut Vec::new()).map(drop)
        }
        _ => {
            answer(
                stream,
                if target == "/ticks" { "text/event-stream" } else { "application/octet-stream" },
            )?;
            loop {
                std::thread::sleep(TICK);
                chunk(stream, &format!("data: {}\n\n", sent.fetch_add(1, Ordering::SeqCst)))?;
            }
        }
    }
}

fn chunk(stream: &mut TcpStream, text: &str) -> io::Result<()> {
    stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())
}

/// A request whose answer lasts.
pub struct Stay {
    connection: BufReader<TcpStream>,
    pub head: String,
}

impl Stay {
    #[track_caller]
    pub fn open(gateway: &Gateway, target: &str, lines: &[(&str, &str)]) -> Stay {
        let stream = TcpStream::connect(gateway.address("main")).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE * 2)).unwrap();
        let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("GET {target} HTTP/1.1\r\nhost: shop.test\r\n{lines}\r\n");
        (&stream).write_all(request.as_bytes()).unwrap();
        let mut connection = BufReader::new(stream);
        let head = message::read_head(&mut connection).unwrap().expect("an answer");
        Stay { connection, head: String::from_utf8(head).unwrap() }
    }

    /// A tunnel; its first line has been read, the name of who serves.
    #[track_caller]
    pub fn tunnel(gateway: &Gateway, lines: &[(&str, &str)]) -> (Stay, String) {
        let upgrade = [("connection", "upgrade"), ("upgrade", "websocket")];
        let mut stay = Stay::open(gateway, "/tunnel", &[&upgrade, lines].concat());
        assert!(stay.head.starts_with("HTTP/1.1 101 "), "{}", stay.head);
        let name = stay.line().expect("the tunnel is open");
        (stay, name)
    }

    /// The next line; none: the connection has ended.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.connection.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// What the next event says.
    #[track_caller]
    pub fn event(&mut self) -> String {
        loop {
            let line = self.line().expect("another event");
            if let Some(data) = line.strip_prefix("data: ") {
                return data.to_owned();
            }
        }
    }

    /// Sends a line through a tunnel.
    #[track_caller]
    pub fn say(&mut self, line: &str) {
        self.connection.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Sends a line through a tunnel and waits for its echo.
    #[track_caller]
    pub fn echoes(&mut self, line: &str) {
        self.say(line);
        assert_eq!(self.line().as_deref(), Some(line));
    }

    /// Waits for the end: what came before it.
    #[track_caller]
    pub fn end(mut self) -> String {
        let mut rest = Vec::new();
        if let Err(error) = self.connection.read_to_end(&mut rest) {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "the stream has not ended");
        }
        String::from_utf8(rest).unwrap()
    }
}

/// An upstream that speaks HTTP/2 without TLS and sends each piece of a body back, as gRPC.
pub struct EchoUpstream {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl EchoUpstream {
    pub fn start() -> EchoUpstream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&connections);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    counting.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(async move {
                        let Ok(mut streams) = h2::server::handshake(stream).await else { return };
                        while let Some(Ok((request, respond))) = streams.accept().await {
                            tokio::spawn(echo(request, respond));
                        }
                    });
                }
            });
        });
        EchoUpstream { address, connections }
    }

    /// How many connections were ever made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn echo(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let answer = http::Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut back = respond.send_response(answer, false)?;
    let mut body = request.into_body();
    while let Some(data) = body.data().await {
        let data = data?;
        let _ = body.flow_control().release_capacity(data.len());
        back.send_data(data, false)?;
    }
    back.send_data(Bytes::new(), true)
}
