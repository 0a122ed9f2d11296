//! Server-sent events, read one by one as they come.
//!
//! It connects no second time and remembers no id: whoever listens asks for the present state whenever the stream begins anew.

use std::io::{Error, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Answer, Call, Url, left};

/// Bytes of a head, and of one event, at most.
const MAX_EVENT: usize = 4 << 20;

/// A stream of events.
#[derive(Debug)]
pub struct Events {
    stream: TcpStream,
    /// Received and not yet told.
    bytes: Vec<u8>,
    silence: Duration,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `message` where none was given.
    pub name: String,
    /// Lines joined by line breaks.
    pub data: String,
}

impl Url {
    /// Sends a call whose answer is a stream of events. `limit` bounds the time until it begins; a stream that is silent for
    /// `silence`, without even a comment, counts as broken. `Err` of the inner result: it was answered otherwise.
    pub fn listen(
        &self,
        call: &Call<'_>,
        limit: Duration,
        silence: Duration,
    ) -> Result<Result<Events, Answer>, String> {
        let deadline = Instant::now() + limit;
        let mut stream = self.connect(deadline)?;
        let begin = |stream: &mut TcpStream| {
            self.write(stream, call, deadline)?;
            head(stream, deadline)
        };
        let (head, body) = begin(&mut stream).map_err(|error| format!("{}: {error}", self.connect))?;
        let is_stream = head.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        if head.status == 200 && is_stream {
            return Ok(Ok(Events { stream, bytes: body, silence }));
        }
        let rest = self.rest(stream, body, deadline).map_err(|error| format!("{}: {error}", self.connect))?;
        Ok(Err(Answer { body: String::from_utf8_lossy(&rest).into_owned(), ..head }))
    }
}

/// The head of an answer, and what came of its body.
fn head(stream: &mut TcpStream, deadline: Instant) -> std::io::Result<(Answer, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        if let Some((head, body)) = Answer::head(&bytes) {
            return Ok((head, body.to_vec()));
        }
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut chunk)? {
            0 => return Err(Error::other("the answer is no HTTP, or was cut off")),
            n => bytes.extend_from_slice(&chunk[..n]),
        }
        if bytes.len() > MAX_EVENT {
            return Err(Error::other("the answer's head is too long"));
        }
    }
}

impl Events {
    /// Waits for the next event; none: the stream has ended.
    pub fn wait(&mut self) -> std::io::Result<Option<Event>> {
        let mut chunk = [0; 8192];
        loop {
            while let Some((block, used)) = block(&self.bytes) {
                let event = Event::parse(&String::from_utf8_lossy(block));
                self.bytes.drain(..used);
                if event.is_some() {
                    return Ok(event);
                }
            }
            if self.bytes.len() > MAX_EVENT {
                return Err(Error::other("an event is too long"));
            }
            self.stream.set_read_timeout(Some(self.silence))?;
            match self.stream.read(&mut chunk)? {
                0 => return Ok(None),
                n => self.bytes.extend_from_slice(&chunk[..n]),
            }
        }
    }
}

/// The lines up to the first empty one, and how many bytes that is with it.
fn block(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let mut start = 0;
    while let Some(length) = bytes[start..].iter().position(|byte| *byte == b'\n') {
        if matches!(&bytes[start..start + length], [] | [b'\r']) {
            return Some((&bytes[..start], start + length + 1));
        }
        start += length + 1;
    }
    None
}

impl Event {
    /// What a block says; none: it has no data, as comments that keep a connection alive.
    fn parse(block: &str) -> Option<Event> {
        let mut name = "message";
        let mut data = Vec::new();
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => name = value,
                "data" => data.push(value),
                _ => {}
            }
        }
        (!data.is_empty()).then(|| Event { name: name.to_owned(), data: data.join("\n") })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    /// What listening to a server that sends these pieces and goes away comes to.
    fn heard(pieces: &'static [&'static str]) -> Result<Vec<(String, String)>, Answer> {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}/events", socket.local_addr().unwrap())).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = socket.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            for piece in pieces {
                stream.write_all(piece.as_bytes()).unwrap();
                stream.flush().unwrap();
            }
        });
        let limit = Duration::from_secs(5);
        let listening = url.listen(&Call { method: "GET", ..Call::default() }, limit, limit).unwrap();
        let told = listening.map(|mut events| {
            let mut all = Vec::new();
            while let Some(event) = events.wait().unwrap() {
                all.push((event.name, event.data));
            }
            all
        });
        server.join().unwrap();
        told
    }

    #[test]
    fn events_come_whole_whatever_pieces_they_come_in() {
        let pieces = &[
            "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n",
            "\r\n: hello\n\nevent: spl",
            "it\ndata: {\"a\":\ndata: 1}\n",
            "\nid: 7\r\ndata:x\r\n\r\n",
            "data: never finished\n",
        ];
        let event = |name: &str, data: &str| (name.to_owned(), data.to_owned());
        assert_eq!(heard(pieces), Ok(vec![event("split", "{\"a\":\n1}"), event("message", "x")]));
    }

    #[test]
    fn what_is_no_stream_is_an_answer() {
        let pieces = &["HTTP/1.1 401 No\r\ncontent-length: 3\r\n\r\na", "bc"];
        let answer = heard(pieces).unwrap_err();
        assert_eq!((answer.status, &*answer.body), (401, "abc"));
    }

    #[test]
    fn silence_is_an_error() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}", socket.local_addr().unwrap())).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = socket.accept().unwrap();
            stream.write_all(b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").unwrap();
            stream
        });
        let call = Call { method: "GET", ..Call::default() };
        let mut events =
            url.listen(&call, Duration::from_secs(5), Duration::from_millis(20)).unwrap().unwrap();
        let _stream = server.join().unwrap();
        assert!(events.wait().is_err());
    }
}
