//! How soon a kill is true: from the API's answer to the first decision by the new rule on every connection, under load.
//!
//! `make bench-kill`. It runs the real binary between upstreams and clients of its own, on the same cores: so many keep-alive connections for each
//! worker that none is left out, each asking again a few milliseconds after its last question, so that a figure has at most that much of
//! waiting in it. Kills and releases take turns. `FLAGWAY_BENCH_KILLS` (500) makes it shorter. It fails if a request fails, or if one that was
//! sent after the answer is decided by the old rule; times it only tells.

#![allow(clippy::disallowed_methods, reason = "its threads are its own; the environment is its command line")]

mod common;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use common::figures::{number, verdict};
use common::gateway::{Gateway, OPT_IN};
use common::wire::{Connection, free, upstream};

/// Of the gateway; each has so many connections.
const WORKERS: usize = 2;
const CONNECTIONS: usize = 6 * WORKERS;
/// Between two questions on one connection: 4,000 a second on all.
const PAUSE: Duration = Duration::from_millis(3);
/// In which a change has to be seen everywhere, or it is never.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is promised of 99 in 100.
const PROMISED: Duration = Duration::from_millis(10);

/// One change after the other, as clients look for it. Times are nanoseconds since `begin`; 0: not yet.
struct Watch {
    begin: Instant,
    /// Which change it is; even ones are kills.
    change: AtomicU64,
    answered: AtomicU64,
    /// When a connection saw its first decision by the new rule.
    seen: [AtomicU64; CONNECTIONS],
    requests: AtomicU64,
    failed: AtomicU64,
    /// Sent after the answer and yet decided by the old rule.
    stale: AtomicU64,
    over: AtomicBool,
}

fn main() -> ExitCode {
    let kills = number("FLAGWAY_BENCH_KILLS", 500);
    let [traffic, admin] = [free(), free()];
    let config = config([traffic, admin], [upstream("stable"), upstream("canary")]);
    let serves = || matches!(ask(&mut None, traffic), Ok((200, version)) if version == "canary");
    let _gateway = Gateway::start(&config, OPT_IN, serves);
    let watch = Watch {
        begin: Instant::now(),
        // One that was never asked for: what everyone sees before the first kill.
        change: AtomicU64::new(1),
        answered: AtomicU64::new(0),
        seen: Default::default(),
        requests: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        stale: AtomicU64::new(0),
        over: AtomicBool::new(false),
    };
    let figures = thread::scope(|scope| {
        for index in 0..CONNECTIONS {
            let watch = &watch;
            scope.spawn(move || watch.visit(index, traffic));
        }
        let figures = watch.operate(kills, admin);
        watch.over.store(true, SeqCst);
        figures
    });
    let Some(Figures { kills, releases, answers }) = figures else { return ExitCode::FAILURE };
    println!("\n{:32} {:>9} {:>9} {:>9}", "", "p50", "p99", "max");
    tell("kill: seen on every connection", &kills);
    tell("release: seen everywhere", &releases);
    tell("asked, kept on disk, answered", &answers);
    let (requests, failed, stale) =
        (watch.requests.load(SeqCst), watch.failed.load(SeqCst), watch.stale.load(SeqCst));
    let rate = requests as f64 / watch.begin.elapsed().as_secs_f64();
    println!("\n{requests} requests, {rate:.0} a second, on {CONNECTIONS} connections to {WORKERS} workers");
    let soon = quantile(&kills, 0.99) < PROMISED;
    verdict("99 of 100 kills are seen everywhere within 10 ms", soon);
    let holds = verdict("no request failed", failed == 0)
        & verdict("no request that was sent after the answer was decided by the old rule", stale == 0);
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Sorted. From the answer to sight on every connection, of kills and of releases; and from question to answer.
struct Figures {
    kills: Vec<Duration>,
    releases: Vec<Duration>,
    answers: Vec<Duration>,
}

fn tell(what: &str, times: &[Duration]) {
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| quantile(times, share).as_secs_f64() * 1e3);
    println!("{what:32} {p50:>6.2} ms {p99:>6.2} ms {max:>6.2} ms");
}

fn quantile(times: &[Duration], share: f64) -> Duration {
    let at = (times.len() as f64 * share) as usize;
    times.get(at.min(times.len().saturating_sub(1))).copied().unwrap_or(Duration::MAX)
}

impl Watch {
    fn now(&self) -> u64 {
        // Hundreds of years fit; at 0 nobody looks.
        self.begin.elapsed().as_nanos() as u64
    }

    /// Kills and releases in turn; none: one was never seen.
    fn operate(&self, kills: u64, admin: SocketAddr) -> Option<Figures> {
        let mut operator = Connection::open(admin).expect("the admin API");
        let [mut killed, mut released, mut answers] = [const { Vec::new() }; 3];
        self.await_sight()?;
        for change in 2..2 + 2 * kills {
            let kill = change % 2 == 0;
            let (verb, body) = if kill { ("kill", r#"{"variant": "stable"}"#) } else { ("release", "{}") };
            let request = format!(
                "POST /api/v1/flags/v/{verb} HTTP/1.1\r\nhost: 127.0.0.1\r\nif-match: *\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            self.answered.store(0, SeqCst);
            self.change.store(change, SeqCst);
            self.seen.iter().for_each(|seen| seen.store(0, SeqCst));
            let asked = Instant::now();
            let (status, text) = operator.ask(request.as_bytes()).expect("the admin API answers");
            let answered = self.now();
            assert_eq!(status, 200, "{text}");
            answers.push(asked.elapsed());
            self.answered.store(answered, SeqCst);
            let last = self.await_sight()?;
            let times = if kill { &mut killed } else { &mut released };
            times.push(Duration::from_nanos(last.saturating_sub(answered)));
        }
        for times in [&mut killed, &mut released, &mut answers] {
            times.sort_unstable();
        }
        Some(Figures { kills: killed, releases: released, answers })
    }

    /// Waits until every connection has seen the present change, and tells when the last one did.
    fn await_sight(&self) -> Option<u64> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.seen.iter().map(|seen| seen.load(SeqCst));
            let (first, last) =
                seen.fold((u64::MAX, 0), |(first, last), seen| (first.min(seen), last.max(seen)));
            if first > 0 {
                return Some(last);
            }
            if Instant::now() > deadline {
                println!("DOES NOT HOLD: a change was not seen on every connection within {PATIENCE:?}");
                return None;
            }
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// Asks on one connection, as a tester whom the rule sends to the canary.
    fn visit(&self, index: usize, traffic: SocketAddr) {
        let mut connection = None;
        while !self.over.load(SeqCst) {
            let (change, is_answered) = (self.change.load(SeqCst), self.answered.load(SeqCst) > 0);
            let wanted = if change.is_multiple_of(2) { "stable" } else { "canary" };
            let answer = ask(&mut connection, traffic);
            self.requests.fetch_add(1, SeqCst);
            let is_present = || self.change.load(SeqCst) == change;
            match answer {
                Ok((200, version)) if version == wanted => {
                    if is_present() {
                        let _ = self.seen[index].compare_exchange(0, self.now(), SeqCst, SeqCst);
                    }
                }
                Ok((200, _)) => drop((is_answered && is_present()).then(|| self.stale.fetch_add(1, SeqCst))),
                Ok(_) | Err(_) => {
                    self.failed.fetch_add(1, SeqCst);
                    connection = None;
                }
            }
            thread::sleep(PAUSE);
        }
    }
}

fn ask(connection: &mut Option<Connection>, traffic: SocketAddr) -> io::Result<(u16, String)> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(Connection::open(traffic)?),
    };
    connection.ask(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-canary: always\r\n\r\n")
}

fn config([traffic, admin]: [SocketAddr; 2], [stable, canary]: [SocketAddr; 2]) -> String {
    format!(
        "listeners: [{{bind: '{traffic}'}}]
admin: {{bind: '{admin}'}}
state_dir: state
threads: {WORKERS}
access_log: {{to: 'off'}}
flags: {{sources: [{{file: flags.json}}]}}
services: {{shop: {{default: stable, versions: {{stable: {{endpoints: ['{stable}']}}, canary: {{endpoints: ['{canary}']}}}}}}}}
routes: [{{name: all, match: {{path_prefix: /}}, service: shop, version: {{flag: v}}}}]
"
    )
}
