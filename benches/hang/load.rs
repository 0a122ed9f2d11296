//! Clients: as many requests as fit, or a constant rate that goes on whatever hangs. A tenth of the requests opts in to the canary.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// Requests at once where as many are sent as fit.
const AT_ONCE: u64 = 32;
/// How long any request may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Requests to be sent.
#[derive(Clone, Copy)]
pub struct Load<'a> {
    pub address: SocketAddr,
    pub path: &'a str,
    pub requests: u64,
    /// A second; none: as many as fit.
    pub rate: Option<f64>,
}

/// What became of them: latencies, sorted, of those for stable and of those for the canary.
#[derive(Default)]
pub struct Outcome {
    pub stable: Vec<Duration>,
    pub canary: Vec<Duration>,
    /// Answers that were not 200, and connections that broke.
    pub errors: u64,
    pub elapsed: Duration,
}

/// The clients' connections that are free: a request that hangs keeps its own, and others go on.
struct Clients {
    address: SocketAddr,
    path: String,
    free: Mutex<Vec<TcpStream>>,
}

impl Load<'_> {
    pub fn run(self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(self.send())
    }

    async fn send(self) -> Outcome {
        let clients =
            Arc::new(Clients { address: self.address, path: self.path.to_owned(), free: Mutex::default() });
        let (start, mut tasks, mut outcome) = (Instant::now(), JoinSet::new(), Outcome::default());
        match self.rate {
            Some(rate) => {
                for number in 0..self.requests {
                    let due = start + Duration::from_secs_f64(number as f64 / rate);
                    tokio::time::sleep_until(due.into()).await;
                    let clients = Arc::clone(&clients);
                    tasks.spawn(async move { vec![clients.ask(number, due).await] });
                }
            }
            None => {
                let next = Arc::new(AtomicU64::new(0));
                for _ in 0..AT_ONCE {
                    let (clients, next) = (Arc::clone(&clients), Arc::clone(&next));
                    tasks.spawn(async move {
                        let mut answers = Vec::new();
                        loop {
                            let number = next.fetch_add(1, Ordering::Relaxed);
                            if number >= self.requests {
                                return answers;
                            }
                            answers.push(clients.ask(number, Instant::now()).await);
                        }
                    });
                }
            }
        }
        while let Some(answers) = tasks.join_next().await {
            answers.expect("a client ends").into_iter().for_each(|answer| outcome.take(answer));
        }
        outcome.elapsed = start.elapsed();
        outcome.stable.sort_unstable();
        outcome.canary.sort_unstable();
        outcome
    }
}

impl Outcome {
    fn take(&mut self, (is_canary, answer): (bool, io::Result<Duration>)) {
        match answer {
            Ok(time) if is_canary => self.canary.push(time),
            Ok(time) => self.stable.push(time),
            Err(_) => self.errors += 1,
        }
    }

    /// Of sorted times.
    pub fn quantile(times: &[Duration], share: f64) -> Duration {
        let at = (times.len() as f64 * share) as usize;
        times.get(at.min(times.len().saturating_sub(1))).copied().unwrap_or(Duration::MAX)
    }
}

impl Clients {
    /// Whether the request was the canary's, and how long its answer took from the moment at which it was due.
    async fn ask(&self, number: u64, due: Instant) -> (bool, io::Result<Duration>) {
        let is_canary = number.is_multiple_of(10);
        let answer = tokio::time::timeout(PATIENCE, self.get(is_canary)).await;
        let answer = answer.map_err(io::Error::other).and_then(|answer| answer);
        (is_canary, answer.map(|()| due.elapsed()))
    }

    async fn get(&self, is_canary: bool) -> io::Result<()> {
        let free = self.free.lock().await.pop();
        let mut stream = match free {
            Some(stream) => stream,
            None => TcpStream::connect(self.address).await?,
        };
        let _ = stream.set_nodelay(true);
        let opt_in = if is_canary { "x-canary: always\r\n" } else { "" };
        let request = format!("GET {} HTTP/1.1\r\nhost: 127.0.0.1\r\n{opt_in}\r\n", self.path);
        stream.write_all(request.as_bytes()).await?;
        let (mut buffer, mut filled) = (vec![0; 4096], 0);
        // Every answer here is a head with a length of zero, or no 200.
        while !buffer[..filled].ends_with(b"\r\n\r\n") {
            match stream.read(&mut buffer[filled..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
        }
        if !buffer.starts_with(b"HTTP/1.1 200") {
            return Err(io::Error::other("an error"));
        }
        self.free.lock().await.push(stream);
        Ok(())
    }
}
