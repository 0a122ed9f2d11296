//! A very small HTTP client: one request, one answer, one connection, plain HTTP.
//!
//! It talks to Flagway's own doors on this machine or in this cluster. It follows nothing, keeps nothing open and speaks no TLS.

pub mod events;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// Bytes of an answer that are read at most.
const MAX_ANSWER: u64 = 64 << 20;

/// An `http://` address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// `host:port` as it goes into `Host`.
    pub authority: String,
    /// With its query; at least `/`.
    pub path: String,
    connect: String,
}

/// One request.
#[derive(Debug, Clone, Default)]
pub struct Call<'a> {
    /// `GET`
    pub method: &'a str,
    /// Beside `host` and `content-length`.
    pub headers: &'a [(&'a str, &'a str)],
    /// Empty for none.
    pub body: &'a str,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 200
    pub status: u16,
    /// Names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    /// As text, whatever it was.
    pub body: String,
}

impl Url {
    /// Takes `http://host[:port][/path]` apart.
    pub fn parse(text: &str) -> Result<Url, String> {
        let Some(rest) = text.strip_prefix("http://") else {
            return Err(format!(
                "`{text}` is no http:// address; expected something like http://127.0.0.1:9901"
            ));
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path = path.split('#').next().unwrap_or_default();
        let forbidden = |c: char| c.is_ascii_control() || c == ' ' || c == '@' || !c.is_ascii();
        if authority.is_empty() || text.contains(forbidden) {
            return Err(format!("`{text}` is no http:// address with a host"));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let connect = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Url { authority: authority.to_owned(), path, connect })
    }

    /// Sends a call and reads the answer; `limit` bounds all of it. HTTP/1.0, so that an answer ends where the connection does.
    pub fn send(&self, call: &Call<'_>, limit: Duration) -> Result<Answer, String> {
        let deadline = Instant::now() + limit;
        let stream = self.connect(deadline)?;
        self.exchange(stream, call, deadline).map_err(|error| format!("{}: {error}", self.connect))
    }

    #[expect(clippy::disallowed_methods, reason = "a command waits for its one answer, no request does")]
    fn connect(&self, deadline: Instant) -> Result<TcpStream, String> {
        let addresses =
            self.connect.to_socket_addrs().map_err(|error| format!("{}: {error}", self.connect))?;
        let mut failed = format!("{}: no address", self.connect);
        for address in addresses {
            match connect_to(address, deadline) {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = format!("{address}: {error}"),
            }
        }
        Err(failed)
    }

    fn exchange(&self, mut stream: TcpStream, call: &Call<'_>, deadline: Instant) -> std::io::Result<Answer> {
        self.write(&mut stream, call, deadline)?;
        let bytes = self.rest(stream, Vec::new(), deadline)?;
        Answer::parse(&bytes).ok_or_else(|| std::io::Error::other("the answer is no HTTP, or was cut off"))
    }

    fn write(&self, stream: &mut TcpStream, call: &Call<'_>, deadline: Instant) -> std::io::Result<()> {
        let mut head = format!("{} {} HTTP/1.0\r\nhost: {}\r\n", call.method, self.path, self.authority);
        for (name, value) in call.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !call.body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", call.body.len()));
        }
        head.push_str("\r\n");
        head.push_str(call.body);
        stream.set_write_timeout(Some(left(deadline)?))?;
        stream.write_all(head.as_bytes())
    }

    /// Everything behind `bytes`, until the connection ends.
    fn rest(&self, mut stream: TcpStream, mut bytes: Vec<u8>, deadline: Instant) -> std::io::Result<Vec<u8>> {
        let mut chunk = [0; 8192];
        loop {
            stream.set_read_timeout(Some(left(deadline)?))?;
            match stream.read(&mut chunk)? {
                0 => return Ok(bytes),
                n => bytes.extend_from_slice(&chunk[..n]),
            }
            if bytes.len() as u64 > MAX_ANSWER {
                return Err(std::io::Error::other("the answer is too long"));
            }
        }
    }
}

fn connect_to(address: SocketAddr, deadline: Instant) -> std::io::Result<TcpStream> {
    TcpStream::connect_timeout(&address, left(deadline)?)
}

/// What is left until the deadline, never zero.
fn left(deadline: Instant) -> std::io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(std::io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Answer> {
        let (head, body) = Answer::head(bytes)?;
        let answer = Answer { body: String::from_utf8_lossy(body).into_owned(), ..head };
        let promised = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
        promised.is_none_or(|length| length <= body.len()).then_some(answer)
    }

    /// The head as an answer without a body, and the bytes behind it.
    fn head(bytes: &[u8]) -> Option<(Answer, &[u8])> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some((Answer { status, headers, body: String::new() }, &bytes[end + 4..]))
    }

    /// The first field of that name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let cases = [
            ("http://127.0.0.1:9901", "127.0.0.1:9901", "127.0.0.1:9901", "/"),
            ("http://localhost/readyz?x=1#top", "localhost", "localhost:80", "/readyz?x=1"),
            ("http://[::1]:9902/a", "[::1]:9902", "[::1]:9902", "/a"),
            ("http://[::1]", "[::1]", "[::1]:80", "/"),
            ("http://host?q", "host", "host:80", "/?q"),
        ];
        for (text, authority, connect, path) in cases {
            let url = Url::parse(text).unwrap();
            assert_eq!((&*url.authority, &*url.connect, &*url.path), (authority, connect, path), "{text}");
        }
        for text in [
            "https://x",
            "127.0.0.1:9901",
            "http://",
            "http:///x",
            "http://a b/",
            "http://u@h/",
            "http://h/\r\nx: y",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_answer_is_read_to_its_end() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}/x", socket.local_addr().unwrap())).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = socket.accept().unwrap();
            let mut received = [0; 4096];
            let n = stream.read(&mut received).unwrap();
            stream.write_all(b"HTTP/1.1 503 Nope\r\nX-Why: drain\r\n\r\nlater").unwrap();
            String::from_utf8(received[..n].to_vec()).unwrap()
        });
        let call = Call { method: "POST", headers: &[("x-a", "b")], body: "{}" };
        let answer = url.send(&call, Duration::from_secs(5)).unwrap();
        assert_eq!((answer.status, answer.header("x-why"), &*answer.body), (503, Some("drain"), "later"));
        let received = server.join().unwrap();
        assert!(received.starts_with("POST /x HTTP/1.0\r\nhost: 127.0.0.1:"), "{received}");
        assert!(received.ends_with("x-a: b\r\ncontent-length: 2\r\n\r\n{}"), "{received}");
    }

    #[test]
    fn an_answer_that_was_cut_off_is_none() {
        let answer = |body: &str| {
            Answer::parse(format!("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\n{body}").as_bytes())
        };
        assert_eq!(answer("abc").map(|answer| answer.body).as_deref(), Some("abc"));
        assert_eq!(answer("ab"), None);
    }

    #[test]
    fn a_server_that_says_nothing_is_given_up_at_the_deadline() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}", socket.local_addr().unwrap())).unwrap();
        let call = Call { method: "GET", ..Call::default() };
        assert!(url.send(&call, Duration::from_millis(50)).is_err());
    }
}
