//! The lines that a child process writes, collected while it runs.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A growing list of lines that can be waited on.
#[derive(Clone, Default)]
pub struct Lines {
    shared: Arc<(Mutex<Collected>, Condvar)>,
}

#[derive(Default)]
struct Collected {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    /// Collects everything from `pipe` on a thread of its own.
    pub fn collect(pipe: impl Read + Send + 'static) -> Lines {
        let lines = Lines::default();
        let shared = Arc::clone(&lines.shared);
        std::thread::spawn(move || {
            let mut reader = BufReader::new(pipe);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                shared.0.lock().unwrap().lines.push(text);
                shared.1.notify_all();
                line.clear();
            }
            shared.0.lock().unwrap().ended = true;
            shared.1.notify_all();
        });
        lines
    }

    /// Every line so far.
    pub fn all(&self) -> Vec<String> {
        self.shared.0.lock().unwrap().lines.clone()
    }

    /// Every line so far that is JSON.
    pub fn json(&self) -> Vec<Value> {
        self.all().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// How many lines there are so far: a mark to wait behind.
    pub fn count(&self) -> usize {
        self.shared.0.lock().unwrap().lines.len()
    }

    /// Everything so far as one text.
    pub fn text(&self) -> String {
        self.all().join("\n")
    }

    /// Whether nobody can write any more.
    pub fn has_ended(&self) -> bool {
        self.shared.0.lock().unwrap().ended
    }

    /// The first line at or behind `from` that `wanted` takes, awaited; none when it does not come in time, or can no longer come.
    pub fn find(&self, from: usize, limit: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + limit;
        let mut next = from;
        let mut collected = self.shared.0.lock().unwrap();
        loop {
            while next < collected.lines.len() {
                if wanted(&collected.lines[next]) {
                    return Some(collected.lines[next].clone());
                }
                next += 1;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if collected.ended || left.is_zero() {
                return None;
            }
            collected = self.shared.1.wait_timeout(collected, left).unwrap().0;
        }
    }

    /// Waits until the writer has closed its end.
    pub fn wait_for_end(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut collected = self.shared.0.lock().unwrap();
        while !collected.ended && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            collected = self.shared.1.wait_timeout(collected, left).unwrap().0;
        }
    }
}
