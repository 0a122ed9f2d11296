//! The real binary with one worker thread, and clients on keep-alive connections that ask for all flags again and again.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::{BODY, BULK, FLAGS, world};

/// Each with a thread: enough that the gateway never waits for one.
const CONNECTIONS: usize = 8;
/// Clock ticks a second in `/proc`: the same on every Linux.
const TICKS: f64 = 100.0;
/// Answers a second of CPU.
const TARGET: f64 = 20_000.0;
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether every answer was right.
pub fn run(time: Duration) -> bool {
    let home = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::start(home.path());
    let bytes = gateway.ask(&mut None).expect("an answer");
    let (answers, failed, over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let (mut rate, mut cpu) = (0.0, 0.0);
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut connection = None;
                while !over.load(Relaxed) {
                    let counter =
                        if gateway.ask(&mut connection) == Some(bytes) { &answers } else { &failed };
                    counter.fetch_add(1, Relaxed);
                }
            });
        }
        // Connections are made, memory is there.
        thread::sleep(time.min(Duration::from_secs(1)));
        let (begin, before, used) = (Instant::now(), answers.load(Relaxed), gateway.cpu());
        thread::sleep(time);
        let answered = (answers.load(Relaxed) - before) as f64;
        cpu = answered / (gateway.cpu() - used);
        rate = answered / begin.elapsed().as_secs_f64();
        over.store(true, Relaxed);
    });
    let failed = failed.load(Relaxed);
    println!("load: {FLAGS} flags in {bytes} bytes, {CONNECTIONS} connections, one worker thread");
    println!("{rate:>9.0} answers a second beside the clients, on the same machine");
    println!("{cpu:>9.0} answers a second of the gateway's CPU, user and system");
    println!("{}: over {TARGET} a second on one core", if cpu > TARGET { "holds" } else { "DOES NOT HOLD" });
    println!("{}: every answer has all flags", if failed == 0 { "holds" } else { "DOES NOT HOLD" });
    failed == 0
}

/// A running gateway; it ends when dropped.
struct Gateway {
    child: Child,
    address: SocketAddr,
    request: String,
}

impl Gateway {
    fn start(home: &Path) -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        drop(listener);
        let config = format!(
            "listeners: [{{bind: '{address}'}}]
threads: 1
access_log: {{to: 'off'}}
flags: {{sources: [{{file: flags.json}}]}}
routes: [{{name: flags, match: {{path_prefix: /}}, ofrep: {{flags: all, rate: 'off'}}}}]
"
        );
        std::fs::write(home.join("flagway.yaml"), config).expect("a file");
        std::fs::write(home.join("flags.json"), world::flags(FLAGS)).expect("a file");
        let log = std::fs::File::create(home.join("log")).expect("a file");
        let child = Command::new(env!("CARGO_BIN_EXE_flagway"))
            .arg("run")
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the gateway starts");
        let length = BODY.len();
        let request = format!(
            "POST {BULK} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{BODY}"
        );
        let gateway = Gateway { child, address, request };
        let deadline = Instant::now() + PATIENCE;
        while gateway.ask(&mut None).is_none() {
            let log = || std::fs::read_to_string(home.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the gateway does not answer:\n{}", log());
            thread::sleep(Duration::from_millis(20));
        }
        gateway
    }

    /// Bytes of an answer that has every flag; none: it was another, or there was none.
    fn ask(&self, connection: &mut Option<Connection>) -> Option<usize> {
        let answered = match connection {
            Some(connection) => connection.ask(&self.request),
            None => {
                Connection::open(self.address).and_then(|opened| connection.insert(opened).ask(&self.request))
            }
        };
        if answered.is_err() {
            *connection = None;
        }
        answered.ok()
    }

    /// User and system time, in seconds: fields 14 and 15 of its `stat`, counted from behind the name.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A keep-alive connection of a client.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Connection { stream, buffer: vec![0; 256 << 10] })
    }

    /// Bytes of the body of a 200, whose first and last flag are there.
    fn ask(&mut self, request: &str) -> io::Result<usize> {
        self.stream.write_all(request.as_bytes())?;
        let mut filled = 0;
        let (body, length) = loop {
            filled += self.read(filled)?;
            if let Some(end) = self.buffer[..filled].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
                let length =
                    head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
                let length: Option<usize> = length.filter(|_| head.starts_with("http/1.1 200 "));
                break (end + 4, length.ok_or_else(|| io::Error::other(head))?);
            }
        };
        if body + length > self.buffer.len() {
            return Err(io::Error::other("an answer that is too long"));
        }
        while filled < body + length {
            filled += self.read(filled)?;
        }
        let text = &self.buffer[body..body + length];
        let is_whole = text.starts_with(br#"{"flags":[{"key":"flag-0""#) && text.ends_with(b"}");
        if is_whole { Ok(length) } else { Err(io::Error::other("another answer")) }
    }

    fn read(&mut self, from: usize) -> io::Result<usize> {
        match self.stream.read(&mut self.buffer[from..])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}
