//! Clients: as many requests as fit, or a constant rate that goes on whatever hangs. A tenth of the requests opts in to the canary.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

/// Requests at once where as many are sent as fit.
const AT_ONCE: u64 = 32;
/// Connections of those who get stable, and of those who get the canary: these are enough that one which hangs for a second keeps nobody
/// else from asking.
const STABLE: usize = 64;
const CANARY: usize = 3000;
/// How long any request may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of them: latencies, sorted, of those for stable and of those for the canary.
#[derive(Default)]
pub struct Outcome {
    pub stable: Vec<Duration>,
    pub canary: Vec<Duration>,
    /// Answers that were not 200, and connections that broke.
    pub errors: u64,
    pub elapsed: Duration,
}

/// Those who get stable and those who get the canary. Their connections stay from load to load, as making them is none of it.
pub struct Clients {
    runtime: Runtime,
    stable: Arc<Lane>,
    canary: Arc<Lane>,
}

/// Connections and who may use one. A request that finds none free waits for one, and its time runs.
struct Lane {
    address: SocketAddr,
    freed: mpsc::UnboundedSender<TcpStream>,
    free: Mutex<mpsc::UnboundedReceiver<TcpStream>>,
}

impl Clients {
    pub fn connect(address: SocketAddr) -> Clients {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let lane = |connections| runtime.block_on(Lane::open(address, connections)).expect("connections");
        let [stable, canary] = [STABLE, CANARY].map(|connections| Arc::new(lane(connections)));
        Clients { runtime, stable, canary }
    }

    /// So many requests, a tenth of them for the canary: at a rate a second, or as many as fit.
    pub fn send(&self, path: &str, requests: u64, rate: Option<f64>) -> Outcome {
        self.runtime.block_on(self.all(path, requests, rate))
    }

    async fn all(&self, path: &str, requests: u64, rate: Option<f64>) -> Outcome {
        let (start, mut tasks, mut outcome) = (Instant::now(), JoinSet::new(), Outcome::default());
        let next = Arc::new(AtomicU64::new(0));
        let request = |line: &str| Arc::from(format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{line}\r\n"));
        let requests_of: [Arc<str>; 2] = [request(""), request("x-canary: always\r\n")];
        let lanes = [Arc::clone(&self.stable), Arc::clone(&self.canary)];
        let ask = move |number: u64, due: Instant| {
            let is_canary = number.is_multiple_of(10);
            let side = usize::from(is_canary);
            let (lane, request) = (Arc::clone(&lanes[side]), Arc::clone(&requests_of[side]));
            async move { (is_canary, lane.ask(&request, due).await) }
        };
        match rate {
            Some(rate) => {
                for number in 0..requests {
                    let due = start + Duration::from_secs_f64(number as f64 / rate);
                    tokio::time::sleep_until(due.into()).await;
                    let answer = ask(number, due);
                    tasks.spawn(async { vec![answer.await] });
                }
            }
            None => {
                for _ in 0..AT_ONCE {
                    let (ask, next) = (ask.clone(), Arc::clone(&next));
                    tasks.spawn(async move {
                        let mut answers = Vec::new();
                        loop {
                            let number = next.fetch_add(1, Ordering::Relaxed);
                            if number >= requests {
                                return answers;
                            }
                            answers.push(ask(number, Instant::now()).await);
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

impl Lane {
    async fn open(address: SocketAddr, connections: usize) -> io::Result<Lane> {
        let (freed, free) = mpsc::unbounded_channel();
        let lane = Lane { address, freed, free: Mutex::new(free) };
        for _ in 0..connections {
            lane.connect().await?;
        }
        Ok(lane)
    }

    async fn connect(&self) -> io::Result<()> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        self.freed.send(stream).map_err(io::Error::other)
    }

    /// How long the answer took from the moment at which the request was due.
    async fn ask(&self, request: &str, due: Instant) -> io::Result<Duration> {
        let mut stream = self.free.lock().await.recv().await.expect("the lane has the other end");
        let answer = tokio::time::timeout(PATIENCE, get(&mut stream, request)).await;
        match answer.map_err(io::Error::other).and_then(|answer| answer) {
            Ok(()) => self.freed.send(stream).map_err(io::Error::other)?,
            Err(error) => {
                self.connect().await?;
                return Err(error);
            }
        }
        Ok(due.elapsed())
    }
}

async fn get(stream: &mut TcpStream, request: &str) -> io::Result<()> {
    stream.write_all(request.as_bytes()).await?;
    let (mut buffer, mut filled) = ([0; 1024], 0);
    // Every answer here is a head with a length of zero, or no 200.
    while !buffer[..filled].ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer[filled..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    match buffer.starts_with(b"HTTP/1.1 200") {
        true => Ok(()),
        false => Err(io::Error::other(String::from_utf8_lossy(&buffer[..filled]))),
    }
}
