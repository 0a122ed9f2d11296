//! Reads the audit, newest first, while it is written: by its files, or in memory. It holds no lock.

use std::fs::{File, Metadata};
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
            Place::Folder(folder) => lines_of(folder),
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

/// The lines of all files, last first.
fn lines_of(folder: &Path) -> Box<dyn Iterator<Item = io::Result<Vec<u8>>>> {
    match opened(folder) {
        // The first is what stands behind the last break: torn, or being written.
        Ok(files) => {
            let lines = files.into_iter().flat_map(|lines| lines.skip(1));
            Box::new(lines.map(|line| line.map(|line| line.text)))
        }
        Err(error) => Box::new(std::iter::once(Err(error))),
    }
}

/// All files at one time, the newest first: while they are opened, none is put aside and another begun.
fn opened(folder: &Path) -> io::Result<Vec<Backwards>> {
    loop {
        let (mut files, mut known) = (Vec::new(), Vec::new());
        for path in files::paths(folder) {
            let file = match File::open(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    known.push(None);
                    continue;
                }
                file => file?,
            };
            let own = Some(identity(&file.metadata()?));
            // It is just being put aside, and was met under its former name.
            if !known.contains(&own) {
                files.push(Backwards::new(file)?);
            }
            known.push(own);
        }
        let newest = files::paths(folder).next().and_then(|path| std::fs::metadata(path).ok());
        if newest.as_ref().map(identity) == known.first().copied().flatten() {
            return Ok(files);
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
