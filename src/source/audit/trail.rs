//! Reads the audit, newest first, while it is written: by its files, or in memory. It holds no lock.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::{Filter, Query, Record};

/// Where the records are.
#[derive(Debug, Clone)]
pub struct Trail {
    _todo: (),
}

impl Trail {
    /// The files in a state folder; no gateway need run.
    pub fn of(_state_dir: &Path) -> Trail {
        todo!()
    }

    /// The records that are asked for, newest first. It blocks on the disk. A query that is not understood finds nothing: ask
    /// [`Query::filter`] first; trouble with the disk is logged.
    pub fn query(&self, _query: &Query, _now: SystemTime) -> Vec<Record> {
        todo!()
    }

    /// The same, and trouble with the disk is told.
    pub fn read(&self, _filter: &Filter) -> io::Result<Vec<Record>> {
        todo!()
    }
}
