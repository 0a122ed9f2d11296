//! The audit: one line of JSON for every write of an operator, accepted or refused, on disk before the answer.
//!
//! It is written by one thread and read by any. It changes no record that it has, and drops only the oldest, when their files have
//! grown too large.

mod backwards;
mod files;
#[cfg(test)]
mod fixture;
mod memory;
mod query;
mod record;
#[cfg(test)]
mod tests;
mod trail;

use std::io;
use std::path::Path;
use std::time::SystemTime;

pub use query::{Filter, Query};
pub use record::Record;
pub use trail::Trail;

#[cfg(test)]
pub use fixture::record;

use self::files::Files;
use self::memory::Memory;
use super::overlay_file::Stored;
use crate::telemetry::harmless;

/// Room that most lines fit into, in bytes.
const USUAL_BYTES: usize = 1024;

/// The log: in files under the state folder, or, without one, the newest in memory. One thread writes; any reads, by a [`Trail`].
#[derive(Debug)]
pub struct Audit {
    /// Of the newest record.
    seq: u64,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Files(Files),
    Memory(Memory),
}

impl Audit {
    /// Opens the log; a last line that was torn by a crash is cut off. None: in memory.
    pub fn open(state_dir: Option<&Path>) -> io::Result<Audit> {
        Audit::in_files_of(files::LARGE, state_dir)
    }

    fn in_files_of(bytes: u64, state_dir: Option<&Path>) -> io::Result<Audit> {
        let place = match state_dir {
            Some(folder) => Place::Files(Files::open(folder, bytes)?),
            None => Place::Memory(Memory::default()),
        };
        let mut audit = Audit { seq: 0, place };
        if let Some(newest) = audit.trail().records().next() {
            audit.seq = newest?.seq;
        }
        Ok(audit)
    }

    /// Gives the record its number, cuts what is too long, appends it and waits until it is on disk. After an error nothing of it is
    /// there, and the next may succeed.
    pub fn append(&mut self, record: Record) -> io::Result<Record> {
        let record = Record { seq: self.seq + 1, ..record.bounded() };
        let line = harmless::line(&record, USUAL_BYTES);
        match &mut self.place {
            Place::Files(files) => files.append(&line)?,
            Place::Memory(memory) => memory.append(line),
        }
        self.seq = record.seq;
        Ok(record)
    }

    /// At the start: appends the record of the overlay that stands, where a crash came between the two. The overlay's number is never
    /// below the audit's afterwards.
    pub fn complete(&mut self, stored: &mut Stored) -> io::Result<Option<Record>> {
        let mut told = 0;
        for record in self.trail().records() {
            if let Some(number) = record?.overlay {
                told = number;
                break;
            }
        }
        if let Some(last) = stored.last.as_ref().filter(|_| told < stored.number) {
            return self.append(last.clone()).map(Some);
        }
        // An overlay that was put back from a copy, or taken away, is not counted twice.
        stored.number = stored.number.max(told);
        Ok(None)
    }

    /// To read it from any thread, while it is written. Cheap to clone.
    pub fn trail(&self) -> Trail {
        match &self.place {
            Place::Files(files) => Trail::of(files.folder()),
            Place::Memory(memory) => Trail::in_memory(memory.clone()),
        }
    }

    /// As [`Trail::query`].
    pub fn query(&self, query: &Query, now: SystemTime) -> Vec<Record> {
        self.trail().query(query, now)
    }
}
