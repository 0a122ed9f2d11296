//! Idempotency keys: the newest writes that were done, so that a request that is repeated gets its answer again and does nothing.
//!
//! In memory. At a start they are read back from the audit, which knows what was done but not the whole request.

use std::collections::VecDeque;

use super::audit::Record;
use super::hand::{Refused, Write, Written};

/// Keys that are remembered; the oldest goes first.
pub const REMEMBERED: usize = 1000;

/// The newest at the end.
#[derive(Debug, Default)]
pub struct Once {
    done: VecDeque<Done>,
}

#[derive(Debug)]
struct Done {
    by: String,
    key: String,
    request: Request,
    written: Written,
}

/// What a request is known by.
#[derive(Debug, PartialEq)]
enum Request {
    Hash(u64),
    /// Flag and action: of a write before the start.
    Deed(String, String),
}

impl Once {
    /// The answer to a write whose key was used before by the same operator.
    pub fn find(&self, write: &Write) -> Option<Result<Written, Refused>> {
        let (key, hash) = write.once.as_ref()?;
        let done = self.done.iter().rev().find(|done| done.key == *key && done.by == write.by.name)?;
        let same = match &done.request {
            Request::Hash(before) => before == hash,
            Request::Deed(flag, action) => **flag == *write.flag && action == write.action.as_str(),
        };
        Some(if same { Ok(Written { again: true, ..done.written.clone() }) } else { Err(Refused::Reused) })
    }

    /// Remembers a write that was done, if it has a key.
    pub fn remember(&mut self, write: &Write, written: &Written) {
        if let Some((key, hash)) = write.once.clone() {
            let by = write.by.name.clone();
            self.push(Done { by, key, request: Request::Hash(hash), written: written.clone() });
        }
    }

    /// Reads the newest records back, which come newest first.
    pub fn refill(&mut self, records: &[Record], durable: bool) {
        for record in records.iter().rev() {
            if let Some(done) = done(record, durable) {
                self.push(done);
            }
        }
    }

    fn push(&mut self, done: Done) {
        if self.done.len() == REMEMBERED {
            self.done.pop_front();
        }
        self.done.push_back(done);
    }
}

fn done(record: &Record, durable: bool) -> Option<Done> {
    let entries = record.after.clone().and_then(|entries| serde_json::from_value(entries).ok());
    let written = Written {
        seq: record.seq,
        etag: record.etag.clone()?,
        revision: record.revision.clone()?,
        durable,
        entries: entries.unwrap_or_default(),
        again: true,
    };
    Some(Done {
        by: record.by.clone(),
        key: record.idempotency_key.clone().filter(|_| record.accepted)?,
        request: Request::Deed(record.flag.clone(), record.action.clone()),
        written,
    })
}

#[cfg(test)]
mod tests {
    use super::super::hand::{Action, Condition, Operator};
    use super::*;

    fn write(number: usize, hash: u64) -> Write {
        Write {
            flag: "f".into(),
            action: Action::Release,
            by: Operator { name: "ann".to_owned(), role: "operator", from: None },
            why: String::new(),
            until: None,
            condition: Condition::Any,
            once: Some((format!("key {number}"), hash)),
        }
    }

    #[test]
    fn the_newest_keys_are_remembered_with_their_requests() {
        let mut once = Once::default();
        for number in 0..=REMEMBERED {
            assert!(once.find(&write(number, 1)).is_none());
            let (etag, revision) = (format!("etag {number}"), String::new());
            let seq = number as u64;
            let written = Written { seq, etag, revision, durable: true, entries: Vec::new(), again: false };
            once.remember(&write(number, 1), &written);
        }
        assert!(once.find(&write(0, 1)).is_none(), "so many came after it");
        let again = once.find(&write(1, 1)).unwrap().unwrap();
        assert_eq!((again.again, &*again.etag), (true, "etag 1"));
        assert!(matches!(once.find(&write(REMEMBERED, 2)), Some(Err(Refused::Reused))));
        let mut keyless = write(1, 1);
        keyless.once = None;
        assert!(once.find(&keyless).is_none());
    }
}
