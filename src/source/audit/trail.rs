//! Reads the audit, newest first, while it is written: by its files, or in memory. It holds no lock.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::backwards::Backwards;
use super::memory::Memory;
use super::{Filter, Query, Record, files};

/// Bytes of records in an answer, about; what would be more is left out.
const BYTES: usize = 16 << 20;

/// Where the records are.
#[derive(Debug, Clone)]
pub struct Trail(Place);

#[derive(Debug, Clone)]
enum Place {
    Folder(PathBuf),
    Memory(Memory),
}

impl Trail {
    /// The files in a state folder; no gateway need run. An error where no audit was ever kept.
    pub fn open(state_dir: &Path) -> io::Result<Trail> {
        match files::paths(state_dir).any(|path| path.exists()) {
            true => Ok(Trail::of(state_dir)),
            false => Err(io::Error::new(ErrorKind::NotFound, "there is no audit.jsonl")),
        }
    }

    pub(super) fn of(state_dir: &Path) -> Trail {
        Trail(Place::Folder(state_dir.to_owned()))
    }

    pub(super) fn in_memory(memory: Memory) -> Trail {
        Trail(Place::Memory(memory))
    }

    /// The records that are asked for, newest first. It blocks on the disk. A query that is not understood finds nothing: ask
    /// [`Query::filter`] first; trouble with the disk is logged.
    pub fn query(&self, query: &Query, now: SystemTime) -> Vec<Record> {
        let found = query.filter(now).map_err(io::Error::other).and_then(|filter| self.read(&filter));
        found.unwrap_or_else(|error| {
            tracing::error!(%error, "the audit cannot be read");
            Vec::new()
        })
    }

    /// The same, and trouble with the disk is told.
    pub fn read(&self, filter: &Filter) -> io::Result<Vec<Record>> {
        let mut found = Vec::new();
        let mut bytes = 0;
        for line in self.lines() {
            if found.len() == filter.limit || bytes > BYTES {
                break;
            }
            let line = line?;
            let Some(record) = parse(&line) else { continue };
            if filter.ends_at(&record) {
                break;
            }
            if filter.takes(&record) {
                bytes += line.len();
                found.push(record);
            }
        }
        Ok(found)
    }

    /// All records, newest first.
    pub(super) fn records(&self) -> impl Iterator<Item = io::Result<Record>> {
        self.lines().filter_map(|line| line.map(|line| parse(&line)).transpose())
    }

    fn lines(&self) -> Box<dyn Iterator<Item = io::Result<Vec<u8>>>> {
        match &self.0 {
            Place::Folder(folder) => Box::new(lines_of(folder)),
            Place::Memory(memory) => {
                let lines = memory.lines();
                Box::new((0..lines.len()).rev().map(move |at| Ok(lines[at].to_vec())))
            }
        }
    }
}

/// What is no record, a hand or a broken disk put there.
fn parse(line: &[u8]) -> Option<Record> {
    serde_json::from_slice(line).ok()
}

/// The lines of all files, last first. A file that is put aside meanwhile comes again under the next number, and is known.
fn lines_of(folder: &Path) -> impl Iterator<Item = io::Result<Vec<u8>>> + use<> {
    let mut known = Vec::new();
    files::paths(folder).flat_map(move |path| -> Box<dyn Iterator<Item = io::Result<Vec<u8>>>> {
        match open(&path, &mut known) {
            // The first is what stands behind the last break: torn, or being written.
            Ok(Some(lines)) => Box::new(lines.skip(1).map(|line| line.map(|line| line.text))),
            Ok(None) => Box::new(std::iter::empty()),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    })
}

/// None: there is no such file, or it was read already.
fn open(path: &Path, known: &mut Vec<(u64, u64)>) -> io::Result<Option<Backwards>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let metadata = file.metadata()?;
    let identity = (metadata.dev(), metadata.ino());
    if known.contains(&identity) {
        return Ok(None);
    }
    known.push(identity);
    Backwards::new(file).map(Some)
}
