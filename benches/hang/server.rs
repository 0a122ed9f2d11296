//! The gateway under load in a folder of its own, and what stands behind it: an upstream that answers, and one that takes requests and is
//! silent.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running gateway; it ends when dropped.
pub struct Server {
    child: Child,
    pub traffic: SocketAddr,
    _home: tempfile::TempDir,
}

impl Server {
    /// The first part of the path says how the canary is: `/well`, `/hangs` and is never held out, `/held` out as it hangs.
    pub fn start() -> Server {
        let [stable, canary, hangs, held] = [answering(), answering(), silent(), silent()];
        let traffic =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let service = |name: &str, settings: &str, canary: SocketAddr| {
            format!(
                "  {name}:\n    default: stable\n    versions:\n      stable: {{endpoints: ['{stable}']}}\n      \
                 canary: {{endpoints: ['{canary}'], outliers: off, {settings}}}\n"
            )
        };
        let hanging = "timeouts: {first_byte: 1s}";
        let services = service("well", hanging, canary)
            + &service("hangs", &format!("{hanging}, hold_out: off"), hangs)
            + &service("held", hanging, held);
        let routes: String = ["well", "hangs", "held"]
            .map(|name| {
                format!("  - {{name: {name}, match: {{path_prefix: /{name}}}, service: {name}, version: {{flag: v}}}}\n")
            })
            .concat();
        let config = format!(
            "listeners: [{{bind: '{traffic}'}}]\nthreads: 1\naccess_log: {{to: 'off'}}\nlimits: {{connections_per_address: 50000}}\n\
             flags: {{sources: [{{file: flags.json}}]}}\nservices:\n{services}routes:\n{routes}"
        );
        let flags = r#"{"flags": {"v": {"state": "ENABLED", "variants": {"stable": "stable", "canary": "canary"},
  "defaultVariant": "stable", "targeting": {"if": [{"==": [{"var": "header.x-canary"}, "always"]}, "canary"]}}}}"#;
        let home = tempfile::tempdir().expect("a folder");
        for (name, text) in [("flagway.yaml", config.as_str()), ("flags.json", flags)] {
            std::fs::write(home.path().join(name), text).expect("a file");
        }
        let log = std::fs::File::create(home.path().join("log")).expect("a file");
        let child = Command::new(env!("CARGO_BIN_EXE_flagway"))
            .arg("run")
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the gateway starts");
        let server = Server { child, traffic, _home: home };
        let deadline = Instant::now() + PATIENCE;
        while !server.serves() {
            assert!(Instant::now() < deadline, "the gateway does not serve");
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn serves(&self) -> bool {
        let answer = || {
            let mut stream = TcpStream::connect(self.traffic)?;
            stream.write_all(b"GET /well HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")?;
            let mut text = String::new();
            stream.read_to_string(&mut text).map(|_| text)
        };
        answer().is_ok_and(|text: String| text.starts_with("HTTP/1.1 200"))
    }

    /// Resident memory, in MiB.
    pub fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}

/// Answers every request, which has no body.
fn answering() -> SocketAddr {
    let (listener, address) = listen();
    listener.set_nonblocking(true).expect("a listener for a runtime");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
    });
    address
}

async fn answer(mut stream: tokio::net::TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut buffer, mut filled) = ([0; 2048], 0);
    loop {
        match stream.read(&mut buffer[filled..]).await? {
            0 => return Ok(()),
            read => filled += read,
        }
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            filled = 0;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
        }
    }
}

/// Takes connections and keeps them, silent, until the other side has long given them up.
fn silent() -> SocketAddr {
    let (listener, address) = listen();
    thread::spawn(move || {
        let mut held = std::collections::VecDeque::new();
        for stream in listener.incoming() {
            held.push_back(stream);
            held.drain(..held.len().saturating_sub(8192));
        }
    });
    address
}
