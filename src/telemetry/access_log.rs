//! The access log: one JSON line a request, written off the request path; what does not fit into the queue is dropped and counted.
//!
//! The line is made on the request's own thread: it borrows names from the snapshot, and one buffer is handed over, which
//! costs less than to own every part of it until another thread gets there.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use prometheus::IntCounter;
use sha2::{Digest, Sha256};

use super::record::Record;
use super::writer::{Item, Writer};
use super::{Metrics, Outcome};
use crate::config::AccessLog as Config;
use crate::decide::Decision;
use crate::snapshot::Snapshot;

/// The log's front: cheap to clone, never blocks.
#[derive(Debug, Clone)]
pub struct AccessLog {
    /// None: the log is off.
    front: Option<Arc<Front>>,
}

#[derive(Debug)]
struct Front {
    queue: SyncSender<Item>,
    dropped: IntCounter,
    /// Hashes targeting keys, where they are logged.
    hasher: Option<Hasher>,
}

/// The facts of a request that are logged.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// As received.
    pub method: &'a str,
    /// Without the port.
    pub host: &'a str,
    /// Without the query.
    pub path: &'a str,
    /// The name of the listener it came in by.
    pub listener: &'a str,
    /// As sent upstream.
    pub request_id: &'a str,
    /// As sent upstream, in `traceparent`.
    pub trace_id: Option<&'a str>,
    /// Of which the log writes a keyed hash, where that is configured.
    pub targeting_key: Option<&'a str>,
}

impl AccessLog {
    /// Opens the log and starts its writer thread.
    pub fn open(config: &Config, metrics: &Metrics) -> std::io::Result<AccessLog> {
        let dropped = metrics.access_log_dropped.clone();
        let Some(writer) = Writer::open(&config.to, dropped.clone())? else {
            return Ok(AccessLog { front: None });
        };
        let (queue, lines) = sync_channel(config.queue);
        thread::Builder::new().name("access-log".to_owned()).spawn(move || writer.run(&lines))?;
        let hasher = config.targeting_key_hash.then(Hasher::new);
        Ok(AccessLog { front: Some(Arc::new(Front { queue, dropped, hasher })) })
    }

    /// Queues one line.
    pub fn write(&self, line: Line<'_>, snapshot: &Snapshot, decision: Option<&Decision>, outcome: &Outcome) {
        let Some(front) = &self.front else { return };
        let key_hash = front.hasher.as_ref().zip(line.targeting_key).map(|(hasher, key)| hasher.hash(key));
        let record = Record { time: SystemTime::now(), line, snapshot, decision, outcome, key_hash };
        front.queue(record.to_line());
    }

    /// Reopens the file, after it was moved away.
    pub fn reopen(&self) {
        if let Some(front) = &self.front {
            front.control(Item::Reopen, Instant::now() + CONTROL);
        }
    }

    /// Waits until all that is queued was written, at most `limit`.
    pub fn flush(&self, limit: Duration) {
        let Some(front) = &self.front else { return };
        let until = Instant::now() + limit;
        let (done, written) = sync_channel(1);
        if front.control(Item::Flush(done), until) {
            // Too late is all that can go wrong.
            let _ = written.recv_timeout(until.saturating_duration_since(Instant::now()));
        }
    }
}

/// How long a full queue may keep a request to reopen waiting.
const CONTROL: Duration = Duration::from_secs(1);

impl Front {
    fn queue(&self, line: Vec<u8>) {
        if self.queue.try_send(Item::Line(line)).is_err() {
            self.dropped.inc();
        }
    }

    /// Puts something that must not be dropped into the queue; waits while it is full. Not for requests.
    fn control(&self, mut item: Item, until: Instant) -> bool {
        loop {
            match self.queue.try_send(item) {
                Ok(()) => return true,
                Err(TrySendError::Full(back)) if Instant::now() < until => item = back,
                Err(_) => return false,
            }
            thread::park_timeout(Duration::from_millis(1));
        }
    }
}

/// A hash that nobody can reverse by trying keys: its own key lives and dies with the process.
#[derive(Debug)]
struct Hasher {
    key: [u8; 32],
}

impl Hasher {
    fn new() -> Hasher {
        Hasher { key: rand::random() }
    }

    /// The first 64 bits of SHA-256(key, SHA-256(key, text)).
    fn hash(&self, text: &str) -> u64 {
        let keyed = |bytes: &[u8]| Sha256::new().chain_update(self.key).chain_update(bytes).finalize();
        let digest = keyed(&keyed(text.as_bytes()));
        digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::super::Attempted;
    use super::super::fixture::{decided, outcome, samples, snapshot, version};
    use super::*;
    use crate::config::LogTarget;
    use crate::config::service::VersionId;

    const LINE: Line<'_> = Line {
        method: "GET",
        host: "shop.example.org",
        path: "/shop/cart",
        listener: "web",
        request_id: "r-1",
        trace_id: Some("0af7651916cd43dd8448eb211c80319c"),
        targeting_key: Some("ada@example.org"),
    };

    struct Logged {
        folder: tempfile::TempDir,
        log: AccessLog,
        metrics: Metrics,
        snapshot: Snapshot,
    }

    impl Logged {
        fn new(targeting_key_hash: bool) -> Logged {
            let folder = tempfile::tempdir().unwrap();
            let to = LogTarget::File(folder.path().join("access.log"));
            let metrics = Metrics::new(100);
            let log = AccessLog::open(&Config { to, queue: 8192, targeting_key_hash }, &metrics).unwrap();
            Logged { folder, log, metrics, snapshot: snapshot() }
        }

        fn write(&self, line: Line<'_>, decision: Option<&Decision>, outcome: &Outcome) {
            self.log.write(line, &self.snapshot, decision, outcome);
        }

        fn text(&self, name: &str) -> String {
            self.log.flush(Duration::from_secs(10));
            fs::read_to_string(self.folder.path().join(name)).unwrap()
        }

        fn only(&self) -> Value {
            let text = self.text("access.log");
            assert_eq!(text.matches('\n').count(), 1, "{text:?}");
            serde_json::from_str(&text).unwrap()
        }
    }

    #[test]
    fn a_line_tells_the_decision_and_its_outcome() {
        let logged = Logged::new(false);
        let decision = decided(&logged.snapshot, "/shop", "canary");
        let canary = VersionId(version(&logged.snapshot, "canary"));
        let outcome = Outcome {
            fallback: Some(Attempted { version: canary, why: "connect" }),
            attempts: 2,
            ..outcome(200, Some(version(&logged.snapshot, "stable")))
        };
        logged.write(LINE, Some(&decision), &outcome);
        let mut line = logged.only();
        let time = line.as_object_mut().unwrap().remove("time").unwrap();
        let time = humantime::parse_rfc3339(time.as_str().unwrap()).unwrap();
        assert!(time.elapsed().unwrap() < Duration::from_secs(60));
        let expected = json!({
            "request_id": "r-1", "trace_id": "0af7651916cd43dd8448eb211c80319c", "listener": "web", "method": "GET", "host": "shop.example.org", "path": "/shop/cart",
            "status": 200, "route": "shop", "service": "shop", "version": "stable", "fallback": "connect",
            "flags": {"version": {"variant": "canary", "reason": "targeting_match"}, "price": {"reason": "disabled"}},
            "revision": logged.snapshot.revision.as_str(), "bytes_in": 10, "bytes_out": 20,
            "seconds": 0.00325, "upstream_seconds": 0.003, "attempts": 2,
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn a_line_without_a_route_has_what_there_is() {
        let logged = Logged::new(false);
        logged.write(LINE, None, &Outcome { error: Some("bad path".to_owned()), ..outcome(400, None) });
        let line = logged.only();
        assert_eq!(line["error"], "bad path");
        assert_eq!(line["status"], 400);
        for absent in ["route", "service", "version", "flags", "fallback", "attempts", "targeting_key"] {
            assert_eq!(line.get(absent), None, "{absent}");
        }
    }

    #[test]
    fn the_versions_that_copies_are_asked_for_are_told() {
        for (variant, shadows) in [("canary", json!(["canary"])), ("none", Value::Null), ("odd", Value::Null)]
        {
            let logged = Logged::new(false);
            logged.write(LINE, Some(&decided(&logged.snapshot, "/copied", variant)), &outcome(200, Some(0)));
            let line = logged.only();
            assert_eq!(line["shadows"], shadows, "{variant}");
            assert_eq!(line.get("shadows").is_some(), variant == "canary");
            assert_eq!(line["flags"].as_object().unwrap().len(), 1, "its flag is none of the route's own");
        }
    }

    #[test]
    fn flag_trouble_is_told_as_the_fallback() {
        let logged = Logged::new(false);
        logged.write(LINE, Some(&decided(&logged.snapshot, "/typo", "")), &outcome(200, Some(0)));
        assert_eq!(logged.only()["fallback"], "missing_flag");
    }

    #[test]
    fn no_text_of_a_client_breaks_a_line_or_reaches_a_terminal() {
        let logged = Logged::new(false);
        let path = "/a\r\n{\"status\":200}\u{1b}[2J\u{7f}\u{9b}2J\u{85}\u{a0}ü";
        logged.write(Line { path, ..LINE }, None, &outcome(400, None));
        let text = logged.text("access.log");
        assert_eq!(text.trim_end_matches('\n').chars().filter(|c| c.is_control()).count(), 0, "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["path"], path);
    }

    #[test]
    fn no_text_of_a_client_makes_a_line_long_without_end() {
        let logged = Logged::new(false);
        let long = "ä".repeat(100_000);
        let line = Line { path: &long, host: &long, method: &long, request_id: &long, ..LINE };
        logged.write(line, None, &Outcome { error: Some(long.clone()), ..outcome(400, None) });
        assert!(logged.text("access.log").len() < 6000);
    }

    #[test]
    fn the_targeting_key_is_written_as_a_hash_only_and_only_when_asked_for() {
        let quiet = Logged::new(false);
        quiet.write(LINE, None, &outcome(200, None));
        assert_eq!(quiet.only().get("targeting_key"), None);
        let logged = Logged::new(true);
        let other = Line { targeting_key: Some("bob@example.org"), ..LINE };
        for line in [LINE, LINE, other, Line { targeting_key: None, ..LINE }] {
            logged.write(line, None, &outcome(200, None));
        }
        let text = logged.text("access.log");
        assert!(!text.contains("example.org\"},") && !text.contains("ada") && !text.contains("bob"));
        let hashes: Vec<_> = text
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["targeting_key"].as_str().map(str::to_owned)
            })
            .collect();
        assert_eq!(hashes[0], hashes[1]);
        assert_ne!(hashes[0], hashes[2]);
        assert_eq!(hashes[3], None);
        assert!(
            hashes[0]
                .as_ref()
                .is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
        );
        let again = Logged::new(true);
        again.write(LINE, None, &outcome(200, None));
        assert_ne!(
            again.only()["targeting_key"].as_str(),
            hashes[0].as_deref(),
            "the hash's key is new with each start"
        );
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew() {
        let logged = Logged::new(false);
        logged.write(Line { request_id: "before", ..LINE }, None, &outcome(200, None));
        let at = |name: &str| logged.folder.path().join(name);
        fs::rename(at("access.log"), at("access.log.1")).unwrap();
        logged.log.reopen();
        logged.write(Line { request_id: "after", ..LINE }, None, &outcome(200, None));
        let now = logged.text("access.log");
        assert!(now.contains("after") && !now.contains("before"), "{now}");
        assert!(logged.text("access.log.1").contains("before"));
    }

    #[test]
    fn every_line_is_written_or_counted_as_dropped() {
        let logged = Logged::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..5000).for_each(|_| logged.write(LINE, None, &outcome(200, None))));
            }
        });
        let text = logged.text("access.log");
        let written = text
            .lines()
            .inspect(|line| assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}"))
            .count();
        let dropped: usize =
            samples(&logged.metrics, "flagway_access_log_dropped_total")[0].trim().parse().unwrap();
        assert_eq!(written + dropped, 20_000);
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        let metrics = Metrics::new(100);
        let to = LogTarget::File("/dev/full".into());
        let log = AccessLog::open(&Config { to, queue: 100, targeting_key_hash: false }, &metrics).unwrap();
        let snapshot = snapshot();
        for _ in 0..3 {
            log.write(LINE, &snapshot, None, &outcome(200, None));
            log.flush(Duration::from_secs(10));
        }
        assert_eq!(samples(&metrics, "flagway_access_log_dropped_total"), [" 3"]);
    }

    #[test]
    fn a_log_that_is_off_takes_everything() {
        let log = AccessLog::open(
            &Config { to: LogTarget::Off, queue: 1, targeting_key_hash: true },
            &Metrics::new(1),
        );
        let log = log.unwrap();
        log.write(LINE, &snapshot(), None, &outcome(200, None));
        log.reopen();
        log.flush(Duration::from_secs(10));
    }
}
