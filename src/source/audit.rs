//! The audit: one line of JSON for every write of an operator, accepted or refused, on disk before the answer.

mod query;
mod record;
mod trail;

use std::io;
use std::path::Path;
use std::time::SystemTime;

pub use query::{Filter, Query};
pub use record::Record;
pub use trail::Trail;

use super::overlay_file::Stored;

/// The log: in files under the state folder, or, without one, the newest in memory. One thread writes; any reads, by a [`Trail`].
#[derive(Debug)]
pub struct Audit {
    _todo: (),
}

impl Audit {
    /// Opens the log; a last line that was torn by a crash is cut off. None: in memory.
    pub fn open(_state_dir: Option<&Path>) -> io::Result<Audit> {
        todo!()
    }

    /// Gives the record its number, cuts what is too long, appends it and waits until it is on disk. After an error nothing of it is
    /// there, and the next may succeed.
    pub fn append(&mut self, _record: Record) -> io::Result<Record> {
        todo!()
    }

    /// At the start: appends the record of the overlay that stands, where a crash came between the two. The overlay's number is never
    /// below the audit's afterwards.
    pub fn complete(&mut self, _stored: &mut Stored) -> io::Result<Option<Record>> {
        todo!()
    }

    /// To read it from any thread, while it is written. Cheap to clone.
    pub fn trail(&self) -> Trail {
        todo!()
    }

    /// As [`Trail::query`].
    pub fn query(&self, query: &Query, now: SystemTime) -> Vec<Record> {
        self.trail().query(query, now)
    }
}
