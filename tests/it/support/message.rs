//! HTTP/1.1 messages as bytes: reading heads and bodies, and a request as an upstream saw it.

use std::io::{self, BufRead, Read};

/// A request exactly as it reached an upstream.
#[derive(Clone)]
pub struct Recorded {
    /// Request line and field lines with their line ends, without the empty line.
    pub head: Vec<u8>,
    pub body: Vec<u8>,
    /// Which connection of the upstream it came on, counted from 0.
    pub connection: usize,
    /// The TLS server name that the connection asked for.
    pub sni: Option<String>,
}

impl Recorded {
    /// The head as text, with replacement characters for what is not UTF-8.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.head).into_owned()
    }

    pub fn method(&self) -> String {
        self.request_line(0)
    }

    /// Path and query as received.
    pub fn target(&self) -> String {
        self.request_line(1)
    }

    /// Every field line in order: the name as written and the value.
    pub fn fields(&self) -> Vec<(String, String)> {
        fields(&self.head)
    }

    /// The values of a field, in order; the name in any case.
    pub fn all(&self, name: &str) -> Vec<String> {
        values(&self.fields(), name)
    }

    /// The value of a field that was sent exactly once; none when absent.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<String> {
        let mut found = self.all(name);
        assert!(found.len() <= 1, "{name} was sent {} times: {found:?}", found.len());
        found.pop()
    }

    /// Fields whose lower-cased name starts with `prefix`, sorted: names in lower case and values.
    pub fn starting(&self, prefix: &str) -> Vec<(String, String)> {
        let mut found: Vec<_> = self
            .fields()
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .filter(|(name, _)| name.starts_with(prefix))
            .collect();
        found.sort();
        found
    }

    fn request_line(&self, part: usize) -> String {
        let line = self.head.split(|&byte| byte == b'\r').next().unwrap_or_default();
        String::from_utf8_lossy(line).split(' ').nth(part).unwrap_or_default().to_owned()
    }
}

/// The field lines of a head, the first line left out: names and values, borrowed.
pub fn lines(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    head.split(|&byte| byte == b'\n').skip(1).filter_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        Some((&line[..colon], line[colon + 1..].trim_ascii()))
    })
}

/// The field lines of a head as text.
pub fn fields(head: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    lines(head).map(|(name, value)| (text(name), text(value))).collect()
}

/// Whether some line of that name holds `wanted`, in any case.
pub fn says(head: &[u8], name: &str, wanted: &str) -> bool {
    lines(head).any(|(have, value)| {
        have.eq_ignore_ascii_case(name.as_bytes()) && value.eq_ignore_ascii_case(wanted.as_bytes())
    })
}

/// The values of a field, in order; the name in any case.
pub fn values(fields: &[(String, String)], name: &str) -> Vec<String> {
    fields
        .iter()
        .filter(|(have, _)| have.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.clone())
        .collect()
}

/// Reads a head up to its empty line; none when the peer closed before its first byte.
pub fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::with_capacity(1024);
    loop {
        let start = head.len();
        if reader.read_until(b'\n', &mut head)? == 0 {
            return if head.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        if &head[start..] == b"\r\n" {
            head.truncate(start);
            return Ok(Some(head));
        }
    }
}

/// How a body ends, as the fields tell it.
pub enum Framing {
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

/// Reads a body.
pub fn read_body(reader: &mut impl BufRead, framing: Framing) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    match framing {
        Framing::None => {}
        Framing::Length(length) => {
            reader.take(length).read_to_end(&mut body)?;
            if body.len() as u64 != length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Framing::Chunked => read_chunks(reader, &mut body)?,
        Framing::UntilClose => {
            reader.read_to_end(&mut body)?;
        }
    }
    Ok(body)
}

fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = line.trim().split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).map_err(|_| io::Error::other(format!("chunk {line:?}")))?;
        if size == 0 {
            while line != "\r\n" {
                line.clear();
                if reader.read_line(&mut line)? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            return Ok(());
        }
        reader.take(size).read_to_end(body)?;
        line.clear();
        reader.read_line(&mut line)?;
    }
}

/// The framing of a request.
pub fn request_framing(head: &[u8]) -> Framing {
    if says(head, "transfer-encoding", "chunked") {
        return Framing::Chunked;
    }
    let length = lines(head).find(|(name, _)| name.eq_ignore_ascii_case(b"content-length"));
    let length = length.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok());
    length.map_or(Framing::None, Framing::Length)
}
