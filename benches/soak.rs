//! What the gateway holds: `make idle`, memory of ten thousand idle connections; `make soak`, memory and open files over half an hour of full
//! load with a reload every second.
//!
//! It runs the real binary between an upstream and clients of its own, on the same cores. `FLAGWAY_SOAK_MINUTES` (30) and
//! `FLAGWAY_IDLE_CONNECTIONS` (10000) make it shorter. It fails if a request fails, if the connections take more than 350 MB, or if memory or open
//! files grow: what is held at the end of the last third, compared with the end of the first.

#![allow(clippy::disallowed_methods, reason = "its threads are its own; the environment is its command line")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// Of the load; each has one connection, and makes a new one now and then.
const CLIENTS: usize = 16;
/// Requests of one connection.
const KEPT: u64 = 1000;
/// MB that ten thousand connections may take, and the process with them.
const MOST: u64 = 350;
/// What may be more at the end: a share of what was held, and MB that an allocator may keep here and there.
const SHARE: f64 = 0.05;
const SLACK: u64 = 8;
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let home = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::start(home.path(), upstream());
    let idle = std::env::args().any(|argument| argument == "idle");
    let holds = match idle {
        true => self::idle(&gateway, number("FLAGWAY_IDLE_CONNECTIONS", 10_000)),
        false => soak(&gateway, number("FLAGWAY_SOAK_MINUTES", 30)),
    };
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn verdict(claim: &str, holds: bool) -> bool {
    println!("{}: {claim}", if holds { "holds" } else { "DOES NOT HOLD" });
    holds
}

/// Connections that were used once, and are kept.
fn idle(gateway: &Gateway, number: u64) -> bool {
    let before = gateway.held();
    let kept: Vec<_> = (0..number)
        .map(|_| {
            let mut connection = Connection::open(gateway.traffic).expect("a connection");
            assert_eq!(connection.ask().expect("an answer"), 200);
            connection
        })
        .collect();
    let held = gateway.held();
    println!("{} MB before, {} MB with {} idle connections", before.memory, held.memory, kept.len());
    let open = held.descriptors as u64 >= number;
    verdict("all are open at once", open) & verdict(&format!("at most {MOST} MB"), held.memory <= MOST)
}

/// Full load and a reload a second.
fn soak(gateway: &Gateway, minutes: u64) -> bool {
    let (over, requests, failed) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let (over, requests, failed) = (&over, &requests, &failed);
    let mut told = Vec::new();
    println!("{:>7} {:>12} {:>9} {:>7}", "minute", "requests", "MB", "files");
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(move || {
                while !over.load(Relaxed) {
                    let visited = Connection::open(gateway.traffic)
                        .and_then(|connection| visit(connection, over, requests));
                    failed.fetch_add(u64::from(visited.is_err()), Relaxed);
                }
            });
        }
        let begun = Instant::now();
        for second in 1..=minutes * 60 {
            gateway.rewrite(second);
            thread::sleep((begun + Duration::from_secs(second)).saturating_duration_since(Instant::now()));
            if second % 60 == 0 {
                let held = gateway.held();
                println!(
                    "{:>7} {:>12} {:>9} {:>7}",
                    second / 60,
                    requests.load(Relaxed),
                    held.memory,
                    held.descriptors
                );
                told.push(held);
            }
        }
        over.store(true, Relaxed);
    });
    let reloads = gateway.metric("flagway_reloads_total{result=\"published\"}");
    println!("{} requests, {reloads} reloads", requests.load(Relaxed));
    // The first minutes are for warming up.
    let (first, last) = (told[(told.len() - 1) / 3], told[told.len() - 1]);
    let allowed = first.memory + (first.memory as f64 * SHARE) as u64 + SLACK;
    verdict("no request failed", failed.load(Relaxed) == 0)
        & verdict("each change was published", reloads >= (minutes * 60 * 9 / 10) as f64)
        & verdict(
            &format!("memory does not grow ({} MB, at most {allowed} MB)", last.memory),
            last.memory <= allowed,
        )
        & verdict("open files do not grow", last.descriptors <= first.descriptors + CLIENTS)
}

fn visit(mut connection: Connection, over: &AtomicBool, requests: &AtomicU64) -> io::Result<()> {
    for _ in 0..KEPT {
        match connection.ask()? {
            200 => requests.fetch_add(1, Relaxed),
            status => return Err(io::Error::other(format!("status {status}"))),
        };
        if over.load(Relaxed) {
            break;
        }
    }
    Ok(())
}

/// A keep-alive connection of a client.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Connection(BufReader::with_capacity(512, stream)))
    }

    /// The status of the answer.
    fn ask(&mut self) -> io::Result<u16> {
        self.0
            .get_mut()
            .write_all(b"GET /soak?page=1 HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: uid=ann\r\n\r\n")?;
        let head = read_head(&mut self.0)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.get(9..12).and_then(|code| code.parse().ok());
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let (Some(status), Some(length)) = (status, length) else { return Err(io::Error::other(head)) };
        self.0.read_exact(&mut vec![0; length])?;
        Ok(status)
    }
}

/// In lower case; none: the other side has closed.
fn read_head(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(head.to_ascii_lowercase()))
}

fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = stream.set_nodelay(true);
                let mut reader = BufReader::new(stream);
                while let Ok(Some(_)) = read_head(&mut reader) {
                    if reader
                        .get_mut()
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwell")
                        .is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// What a process holds: MB of memory, open files.
#[derive(Debug, Clone, Copy)]
struct Held {
    memory: u64,
    descriptors: usize,
}

/// A running gateway; it ends when dropped.
struct Gateway {
    child: Child,
    home: PathBuf,
    traffic: SocketAddr,
    probes: SocketAddr,
}

impl Gateway {
    fn start(home: &Path, upstream: SocketAddr) -> Gateway {
        let free =
            || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let [traffic, probes] = [free(), free()];
        let config = format!(
            "listeners: [{{bind: '{traffic}'}}]
probes: {{bind: '{probes}'}}
state_dir: state
limits: {{connections_per_address: 100000, idle: 10m}}
access_log: {{to: access.log}}
context: {{targeting_key: [{{cookie: uid}}]}}
flags: {{sources: [{{file: flags.json}}]}}
services: {{shop: {{default: stable, versions: {{stable: {{endpoints: ['{upstream}']}}, canary: {{endpoints: ['{upstream}']}}}}}}}}
routes: [{{name: all, match: {{path_prefix: /}}, service: shop, version: {{flag: v}}, inject: [v]}}]
"
        );
        std::fs::write(home.join("flagway.yaml"), config).expect("a file");
        // What it writes is not what is looked at.
        std::os::unix::fs::symlink("/dev/null", home.join("access.log")).expect("a link");
        let log = std::fs::File::create(home.join("log")).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_flagway"));
        command
            .args(["run", "--log", "warn"])
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        rewrite(home, 0);
        let child = command.spawn().expect("the gateway starts");
        let gateway = Gateway { child, home: home.to_owned(), traffic, probes };
        let deadline = Instant::now() + PATIENCE;
        while !Connection::open(traffic)
            .and_then(|mut connection| connection.ask())
            .is_ok_and(|status| status == 200)
        {
            assert!(Instant::now() < deadline, "the gateway does not serve");
            thread::sleep(Duration::from_millis(20));
        }
        gateway
    }

    fn rewrite(&self, number: u64) {
        rewrite(&self.home, number);
    }

    fn held(&self) -> Held {
        let proc = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = std::fs::read_to_string(proc.join("status")).expect("it runs");
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory is told");
        let memory: u64 = memory.trim().trim_end_matches(" kB").parse().expect("a number");
        Held {
            memory: memory / 1000,
            descriptors: std::fs::read_dir(proc.join("fd")).expect("it runs").count(),
        }
    }

    fn metric(&self, series: &str) -> f64 {
        let mut probes = TcpStream::connect(self.probes).expect("the probes");
        probes
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            .expect("the probes");
        let mut text = String::new();
        probes.read_to_string(&mut text).expect("the probes");
        text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok()).unwrap_or(0.0)
    }
}

/// A hundred flags, each with another generation.
fn rewrite(home: &Path, generation: u64) {
    let flag = |number: usize| {
        format!(
            r#""f{number}": {{"state": "ENABLED", "variants": {{"a": {generation}, "b": 2}}, "defaultVariant": "a",
            "targeting": {{"if": [{{"==": [{{"var": "header.x-f"}}, "{number}"]}}, "b"]}}}}"#
        )
    };
    let others: Vec<String> = (0..100).map(flag).collect();
    let shares = (generation % 99 + 1, 99 - generation % 99);
    let text = format!(
        r#"{{"flags": {{"v": {{"state": "ENABLED", "variants": {{"stable": "stable", "canary": "canary"}}, "defaultVariant": "stable",
        "targeting": {{"fractional": [["canary", {}], ["stable", {}]]}}}}, {}}}}}"#,
        shares.0,
        shares.1,
        others.join(",\n")
    );
    let aside = home.join(".new");
    std::fs::write(&aside, text).expect("a file");
    std::fs::rename(aside, home.join("flags.json")).expect("a file");
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
