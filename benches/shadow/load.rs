//! Clients: as many requests as fit, or a constant rate whose latencies count from the moment at which a request was due.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Keep-alive connections, each with a thread.
const CONNECTIONS: usize = 32;
/// Different values of the cookie that a shadow's sample sticks to.
const USERS: u64 = 10_000;

/// Requests to be sent.
#[derive(Clone, Copy)]
pub struct Load<'a> {
    pub address: SocketAddr,
    pub path: &'a str,
    pub requests: u64,
    /// A second; none: as many as fit.
    pub rate: Option<f64>,
}

/// What became of them.
pub struct Outcome {
    /// Sorted. With a rate: from the moment a request was due, however late it could be sent (no coordinated omission).
    latencies: Vec<Duration>,
    /// Answers that were not 200, and connections that broke.
    pub errors: u64,
    pub elapsed: Duration,
}

impl Load<'_> {
    pub fn run(self) -> Outcome {
        let next = AtomicU64::new(0);
        let start = Instant::now();
        let parts: Vec<(Vec<Duration>, u64)> = thread::scope(|scope| {
            let workers: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(|| self.work(&next, start))).collect();
            workers.into_iter().map(|worker| worker.join().expect("a client ends")).collect()
        });
        let elapsed = start.elapsed();
        let errors = parts.iter().map(|(_, errors)| errors).sum();
        let mut latencies: Vec<Duration> = parts.into_iter().flat_map(|(latencies, _)| latencies).collect();
        latencies.sort_unstable();
        Outcome { latencies, errors, elapsed }
    }

    /// Takes the next request that is due, until there is none.
    fn work(&self, next: &AtomicU64, start: Instant) -> (Vec<Duration>, u64) {
        let (mut latencies, mut errors, mut connection) = (Vec::new(), 0, None);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= self.requests {
                return (latencies, errors);
            }
            let due = match self.rate {
                Some(rate) => start + Duration::from_secs_f64(number as f64 / rate),
                None => Instant::now(),
            };
            thread::sleep(due.saturating_duration_since(Instant::now()));
            match self.ask(&mut connection, number) {
                Ok(200) => latencies.push(due.elapsed()),
                Ok(_) => errors += 1,
                Err(_) => {
                    errors += 1;
                    connection = None;
                }
            }
        }
    }

    fn ask(&self, connection: &mut Option<Connection>, number: u64) -> io::Result<u16> {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(Connection::open(self.address)?),
        };
        let line = format!("cookie: uid=user-{}\r\n", number % USERS);
        connection.get(self.path, &line).map(|(status, _)| status)
    }
}

impl Outcome {
    pub fn quantile(&self, share: f64) -> Duration {
        let at = (self.latencies.len() as f64 * share) as usize;
        self.latencies.get(at.min(self.latencies.len().saturating_sub(1))).copied().unwrap_or(Duration::MAX)
    }
}

/// A keep-alive connection of a client.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Connection { stream, buffer: vec![0; 64 << 10] })
    }

    /// Status and body. Every answer here has a length or ends the connection.
    pub fn get(&mut self, path: &str, lines: &str) -> io::Result<(u16, String)> {
        write!(&mut self.stream, "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{lines}\r\n")?;
        let mut filled = 0;
        let (head, length) = loop {
            filled += self.read(filled)?;
            if let Some(head) = self.buffer[..filled].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let text = String::from_utf8_lossy(&self.buffer[..head]).to_ascii_lowercase();
                break (text, head + 4);
            }
        };
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        let body: usize = field("content-length:").ok_or_else(|| io::Error::other("no content-length"))?;
        self.buffer.resize(self.buffer.len().max(length + body), 0);
        while filled < length + body {
            filled += self.read(filled)?;
        }
        let status = head.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok((status, String::from_utf8_lossy(&self.buffer[length..length + body]).into_owned()))
    }

    fn read(&mut self, from: usize) -> io::Result<usize> {
        match self.stream.read(&mut self.buffer[from..])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}
