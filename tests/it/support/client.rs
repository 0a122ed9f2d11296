//! A client that sends exactly the field lines that it is given, and keeps its connection.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;

use super::message::{self, Framing, fields, values};
use super::wait::PATIENCE;

/// A byte stream: TCP or TLS over it.
trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// One client with at most one connection, made when first needed and kept until a side closes it.
pub struct Client {
    address: SocketAddr,
    tls: Option<(Arc<ClientConfig>, String)>,
    connection: Option<BufReader<Box<dyn Wire>>>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Client {
        Client { address, tls: None, connection: None }
    }

    /// A client that speaks TLS and asks for `name`.
    pub fn tls(address: SocketAddr, name: &str, config: Arc<ClientConfig>) -> Client {
        Client { address, tls: Some((config, name.to_owned())), connection: None }
    }

    pub fn get(&mut self, target: &str) -> Outgoing<'_> {
        self.request("GET", target)
    }

    pub fn post(&mut self, target: &str, body: impl AsRef<[u8]>) -> Outgoing<'_> {
        self.request("POST", target).body(body)
    }

    pub fn request(&mut self, method: &str, target: &str) -> Outgoing<'_> {
        Outgoing {
            client: self,
            method: method.to_owned(),
            target: target.to_owned(),
            host: "shop.test".to_owned(),
            lines: Vec::new(),
            body: None,
            chunked: false,
        }
    }

    fn exchange(&mut self, bytes: &[u8], head_only: bool) -> io::Result<Response> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        // A peer may answer and close before it has read everything: its answer counts, not our failed write.
        let written = connection.get_mut().write_all(bytes).and_then(|()| connection.get_mut().flush());
        let response = match Response::read(&mut connection, head_only) {
            Ok(response) => response,
            Err(error) => return Err(written.err().unwrap_or(error)),
        };
        if response.keeps_connection() {
            self.connection = Some(connection);
        }
        Ok(response)
    }

    fn connect(&self) -> io::Result<BufReader<Box<dyn Wire>>> {
        let tcp = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE * 2))?;
        let Some((config, name)) = &self.tls else { return Ok(BufReader::new(Box::new(tcp))) };
        let name = ServerName::try_from(name.clone()).map_err(io::Error::other)?;
        let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(BufReader::new(Box::new(StreamOwned::new(session, tcp))))
    }
}

/// A request that is being put together.
pub struct Outgoing<'a> {
    client: &'a mut Client,
    method: String,
    target: String,
    host: String,
    lines: Vec<u8>,
    body: Option<Vec<u8>>,
    chunked: bool,
}

impl Outgoing<'_> {
    /// Adds a field line exactly as given; again adds another line.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.lines.extend_from_slice(name.as_bytes());
        self.lines.extend_from_slice(b": ");
        self.lines.extend_from_slice(value.as_ref());
        self.lines.extend_from_slice(b"\r\n");
        self
    }

    pub fn host(mut self, host: &str) -> Self {
        self.host = host.to_owned();
        self
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    /// Sends the body in one chunk instead of with a length.
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    #[track_caller]
    pub fn send(self) -> Response {
        let what = format!("{} {}", self.method, self.target);
        self.try_send().unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    pub fn try_send(self) -> io::Result<Response> {
        let mut bytes =
            format!("{} {} HTTP/1.1\r\nhost: {}\r\n", self.method, self.target, self.host).into_bytes();
        bytes.extend_from_slice(&self.lines);
        match self.body {
            None => bytes.extend_from_slice(b"\r\n"),
            Some(body) if self.chunked => {
                bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
                bytes.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
                bytes.extend_from_slice(&body);
                bytes.extend_from_slice(b"\r\n0\r\n\r\n");
            }
            Some(body) => {
                bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
                bytes.extend_from_slice(&body);
            }
        }
        self.client.exchange(&bytes, self.method == "HEAD")
    }
}

/// A response as the client saw it.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// Every field line in order: the name as written and the value.
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    fn read(reader: &mut BufReader<Box<dyn Wire>>, head_only: bool) -> io::Result<Response> {
        loop {
            let head = message::read_head(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let line = String::from_utf8_lossy(&head);
            let status = line
                .split(' ')
                .nth(1)
                .and_then(|code| code.get(..3)?.parse().ok())
                .ok_or_else(|| io::Error::other(format!("status line {line:?}")))?;
            let fields = fields(&head);
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            let length = values(&fields, "content-length").first().and_then(|text| text.parse().ok());
            let framing = if head_only || status == 204 || status == 304 || status == 101 {
                Framing::None
            } else if values(&fields, "transfer-encoding").iter().any(|coding| coding.contains("chunked")) {
                Framing::Chunked
            } else {
                length.map_or(Framing::UntilClose, Framing::Length)
            };
            let body = message::read_body(reader, framing)?;
            return Ok(Response { status, fields, body });
        }
    }

    fn keeps_connection(&self) -> bool {
        let close = self.all("connection").iter().any(|value| value.eq_ignore_ascii_case("close"));
        let framed = !self.all("content-length").is_empty() || !self.all("transfer-encoding").is_empty();
        !close && (framed || self.status == 204 || self.status == 304)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// The values of a field, in order; the name in any case.
    pub fn all(&self, name: &str) -> Vec<String> {
        values(&self.fields, name)
    }

    /// The value of a field that was sent exactly once; none when absent.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<String> {
        let mut found = self.all(name);
        assert!(found.len() <= 1, "{name} was sent {} times: {found:?}", found.len());
        found.pop()
    }

    /// The members of a list field over all its lines, lower case, sorted.
    pub fn list(&self, name: &str) -> Vec<String> {
        let mut members: Vec<String> = self
            .all(name)
            .iter()
            .flat_map(|line| line.split(','))
            .map(|member| member.trim().to_ascii_lowercase())
            .filter(|member| !member.is_empty())
            .collect();
        members.sort();
        members
    }
}
