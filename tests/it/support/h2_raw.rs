//! A client of HTTP/2 that says frames, whatever is in them, and hears those that are answered.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// END_STREAM of DATA and HEADERS; ACK of SETTINGS and PING.
pub const END: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
/// A request whose head is all of it.
pub const WHOLE: u8 = END | END_HEADERS;

/// One frame as bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    [&[a, b, c, kind, flags][..], &stream.to_be_bytes(), payload].concat()
}

/// Fields as HPACK has them: each a literal that nobody remembers. Characters up to U+00FF stand for their byte.
pub fn fields(lines: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        [integer(bytes.len()), bytes].concat()
    };
    lines.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// RFC 7541, 5.1, with a prefix of seven bits.
fn integer(value: usize) -> Vec<u8> {
    if value < 127 {
        return vec![value as u8];
    }
    let (mut bytes, mut rest) = (vec![127], value - 127);
    while rest >= 128 {
        bytes.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    bytes.push(rest as u8);
    bytes
}

/// A frame that came.
#[derive(Debug, Clone)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code of a RST_STREAM or GOAWAY.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        self.payload.get(at..at + 4).map_or(0, |code| u32::from_be_bytes(code.try_into().unwrap()))
    }

    pub fn ends(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END != 0
    }

    /// The status of an answer's first head on a connection; 0: it is none, or written in a way that is not known here.
    pub fn status(&self) -> u16 {
        match *self.payload {
            _ if self.kind != HEADERS => 0,
            [first, ..] if (0x88..=0x8e).contains(&first) => {
                [200, 204, 206, 304, 400, 404, 500][usize::from(first - 0x88)]
            }
            // A literal under the name of the eighth field, in Huffman's code (RFC 7541, appendix B).
            [0x48, length, ref rest @ ..] if length & 128 != 0 => digits(&rest[..usize::from(length & 127)]),
            _ => 0,
        }
    }
}

/// Digits in Huffman's code: those up to 2 have five bits, the others six.
fn digits(bytes: &[u8]) -> u16 {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let (mut at, mut number) = (0, 0);
    while bits.len() - at >= 5 {
        let take =
            |count: usize| bits[at..at + count].iter().fold(0_u16, |sum, bit| sum * 2 + u16::from(*bit));
        let (digit, length) = match take(5) {
            short @ 0..=2 => (short, 5),
            // What is left is padding.
            _ if bits.len() - at < 6 || take(6) > 0x1f => break,
            _ => (take(6) - 0x19 + 3, 6),
        };
        number = number * 10 + digit;
        at += length;
    }
    number
}

trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// How a connection is made.
#[derive(Clone)]
pub enum Way {
    Plain(SocketAddr),
    Tls(SocketAddr, Arc<ClientConfig>),
}

/// A connection.
pub struct H2Raw {
    wire: Box<dyn Wire>,
    tcp: TcpStream,
    read: Vec<u8>,
}

impl H2Raw {
    /// Nothing is said yet.
    pub fn silent(way: &Way) -> H2Raw {
        let connect = |address: &SocketAddr| {
            let tcp = TcpStream::connect(address).unwrap();
            tcp.set_nodelay(true).unwrap();
            tcp
        };
        match way {
            Way::Plain(address) => {
                let tcp = connect(address);
                H2Raw { wire: Box::new(tcp.try_clone().unwrap()), tcp, read: Vec::new() }
            }
            Way::Tls(address, config) => {
                let mut config = (**config).clone();
                config.alpn_protocols = vec![b"h2".to_vec()];
                let name = ServerName::try_from("shop.test").unwrap();
                let session = ClientConnection::new(Arc::new(config), name).unwrap();
                let tcp = connect(address);
                let wire = StreamOwned::new(session, tcp.try_clone().unwrap());
                H2Raw { wire: Box::new(wire), tcp, read: Vec::new() }
            }
        }
    }

    /// The preface and settings are said.
    pub fn open(way: &Way) -> H2Raw {
        let mut raw = H2Raw::silent(way);
        raw.say(&[PREFACE, &frame(SETTINGS, 0, 0, [])].concat());
        raw
    }

    /// A peer that closes early has heard enough.
    pub fn say(&mut self, bytes: &[u8]) -> bool {
        self.wire.write_all(bytes).and_then(|()| self.wire.flush()).is_ok()
    }

    /// The next frame within the time; an error is the end of the connection, or of the time (`WouldBlock`).
    pub fn next(&mut self, patience: Duration) -> io::Result<Frame> {
        let until = Instant::now() + patience;
        loop {
            if let Some(head) = self.read.first_chunk::<9>() {
                let [a, b, c, kind, flags, d, e, f, g] = *head;
                let length = u32::from_be_bytes([0, a, b, c]) as usize;
                if self.read.len() >= 9 + length {
                    let payload = self.read[9..9 + length].to_vec();
                    self.read.drain(..9 + length);
                    return Ok(Frame {
                        kind,
                        flags,
                        stream: u32::from_be_bytes([d & 127, e, f, g]),
                        payload,
                    });
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.tcp.set_read_timeout(Some(left)).unwrap();
            let mut bytes = [0; 16 << 10];
            match self.wire.read(&mut bytes)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                came => self.read.extend_from_slice(&bytes[..came]),
            }
        }
    }

    /// The first frame that is wanted.
    pub fn until(&mut self, patience: Duration, wanted: impl Fn(&Frame) -> bool) -> io::Result<Frame> {
        let until = Instant::now() + patience;
        loop {
            let frame = self.next(until.saturating_duration_since(Instant::now()))?;
            if wanted(&frame) {
                return Ok(frame);
            }
        }
    }
}
