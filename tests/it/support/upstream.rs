//! A recording upstream: HTTP/1.1 on threads, plain or TLS; it remembers every request and answers as it is told.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::message::{self, Recorded};
use super::wait::{PATIENCE, eventually};

/// What an upstream does with a request.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
    after: Duration,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Respond,
    RespondAndClose,
    CloseWithout,
    Hang,
}

impl Answer {
    pub fn new(status: u16, body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref().to_vec();
        Answer { status, fields: Vec::new(), body, after: Duration::ZERO, how: How::Respond }
    }

    /// Reads the request and closes without a byte.
    pub fn close() -> Answer {
        Answer { how: How::CloseWithout, ..Answer::new(0, "") }
    }

    /// Reads the request and says nothing for as long as the peer stays.
    pub fn hang() -> Answer {
        Answer { how: How::Hang, ..Answer::new(0, "") }
    }

    /// Closes the connection behind the answer without having said so.
    pub fn then_close(self) -> Answer {
        Answer { how: How::RespondAndClose, ..self }
    }

    pub fn header(mut self, name: &str, value: impl ToString) -> Answer {
        self.fields.push((name.to_owned(), value.to_string()));
        self
    }

    /// Waits before it answers.
    pub fn after(mut self, wait: Duration) -> Answer {
        self.after = wait;
        self
    }
}

type Program = Arc<dyn Fn(&Recorded) -> Answer + Send + Sync>;

/// The upstream. By default it answers 200 with its own name as body.
pub struct Upstream {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    program: RwLock<Program>,
    recorded: Mutex<Vec<Recorded>>,
    more: Condvar,
    recording: AtomicBool,
    stopped: AtomicBool,
    connections: AtomicUsize,
    open: Mutex<HashMap<usize, TcpStream>>,
    tls: Option<Arc<ServerConfig>>,
}

impl Upstream {
    pub fn start(name: &str) -> Upstream {
        Self::listen("127.0.0.1:0", name, None)
    }

    /// An upstream at an address that another one has left.
    pub fn start_at(address: SocketAddr, name: &str) -> Upstream {
        Self::listen(&address.to_string(), name, None)
    }

    pub fn start_tls(name: &str, config: Arc<ServerConfig>) -> Upstream {
        Self::listen("127.0.0.1:0", name, Some(config))
    }

    fn listen(bind: &str, name: &str, tls: Option<Arc<ServerConfig>>) -> Upstream {
        let listener = TcpListener::bind(bind).unwrap();
        let address = listener.local_addr().unwrap();
        let name = name.to_owned();
        let shared = Arc::new(Shared {
            program: RwLock::new(Arc::new(move |_| Answer::new(200, &name))),
            recorded: Mutex::default(),
            more: Condvar::new(),
            recording: AtomicBool::new(true),
            stopped: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            open: Mutex::default(),
            tls,
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                shared.open.lock().unwrap().insert(number, stream.try_clone().unwrap());
                std::thread::spawn(move || shared.serve(stream, number));
            }
        });
        Upstream { address, shared }
    }

    /// Answers every request from now on by `program`.
    pub fn answer(&self, program: impl Fn(&Recorded) -> Answer + Send + Sync + 'static) {
        *self.shared.program.write().unwrap() = Arc::new(program);
    }

    /// Stops remembering requests, for runs of very many.
    pub fn forget(&self) {
        self.shared.recording.store(false, Ordering::SeqCst);
    }

    /// Every request so far, in order of their arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.recorded.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.shared.recorded.lock().unwrap().len()
    }

    /// The only request so far.
    #[track_caller]
    pub fn only(&self) -> Recorded {
        let mut requests = self.requests();
        assert_eq!(
            requests.len(),
            1,
            "one request: {:?}",
            requests.iter().map(Recorded::text).collect::<Vec<_>>()
        );
        requests.remove(0)
    }

    /// The latest request.
    #[track_caller]
    pub fn last(&self) -> Recorded {
        self.requests().pop().expect("a request has come")
    }

    /// Waits until at least `count` requests have come.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Recorded> {
        let recorded = self.shared.recorded.lock().unwrap();
        let (recorded, _) =
            self.shared.more.wait_timeout_while(recorded, PATIENCE, |have| have.len() < count).unwrap();
        assert!(recorded.len() >= count, "{} of {count} requests came", recorded.len());
        recorded.clone()
    }

    /// How many connections were ever made to it.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Closes the listener and every connection: from now on connecting is refused.
    pub fn stop(&self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _wake = TcpStream::connect(self.address);
        for stream in self.shared.open.lock().unwrap().values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        eventually("the upstream's port is closed", || TcpStream::connect(self.address).is_err());
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream, number: usize) {
        let _ = stream.set_nodelay(true);
        // A peer that goes away in the middle is what many tests are about.
        let _ = match &self.tls {
            None => self.converse(BufReader::new(stream), number, |_| None),
            Some(config) => {
                ServerConnection::new(Arc::clone(config)).map_err(io::Error::other).and_then(|session| {
                    let stream = StreamOwned::new(session, stream);
                    self.converse(BufReader::new(stream), number, |stream| {
                        stream.conn.server_name().map(str::to_owned)
                    })
                })
            }
        };
        // Its second handle would keep the connection open.
        if let Some(stream) = self.open.lock().unwrap().remove(&number) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn converse<S: Read + Write>(
        &self,
        mut stream: BufReader<S>,
        connection: usize,
        sni: impl Fn(&S) -> Option<String>,
    ) -> io::Result<()> {
        while let Some(head) = message::read_head(&mut stream)? {
            if message::says(&head, "expect", "100-continue") {
                stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                stream.get_mut().flush()?;
            }
            let body = message::read_body(&mut stream, message::request_framing(&head))?;
            let request = Recorded { head, body, connection, sni: sni(stream.get_ref()) };
            let program = Arc::clone(&self.program.read().unwrap());
            let answer = program(&request);
            let head_only = request.head.starts_with(b"HEAD ");
            if self.recording.load(Ordering::Relaxed) {
                self.recorded.lock().unwrap().push(request);
                self.more.notify_all();
            }
            match answer.how {
                How::CloseWithout => return Ok(()),
                How::Hang => {
                    stream.read_to_end(&mut Vec::new())?;
                    return Ok(());
                }
                How::Respond => respond(stream.get_mut(), &answer, head_only)?,
                How::RespondAndClose => return respond(stream.get_mut(), &answer, head_only),
            }
        }
        Ok(())
    }
}

fn respond(stream: &mut impl Write, answer: &Answer, head_only: bool) -> io::Result<()> {
    if !answer.after.is_zero() {
        std::thread::sleep(answer.after);
    }
    let mut bytes = format!("HTTP/1.1 {} Answer\r\n", answer.status).into_bytes();
    for (name, value) in &answer.fields {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    let bodiless = matches!(answer.status, 204 | 304);
    if !bodiless {
        bytes.extend_from_slice(format!("content-length: {}\r\n", answer.body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    if !bodiless && !head_only {
        bytes.extend_from_slice(&answer.body);
    }
    stream.write_all(&bytes)?;
    stream.flush()
}
