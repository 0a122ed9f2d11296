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
