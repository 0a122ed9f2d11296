//! The overlay on disk: `state_dir/overlay.json`, whole or not at all, with the audit's record of the write that made it.

use std::io;
use std::path::Path;

use super::audit::Record;
use crate::overlay::Overlay;

/// The file; or none, when nothing survives the process.
#[derive(Debug)]
pub struct OverlayFile {
    _todo: (),
}

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stored {
    /// All entries.
    pub overlay: Overlay,
    /// Counts the writes, from 1; 0: none yet.
    pub number: u64,
    /// Of the last write, for the audit.
    pub last: Option<Record>,
}

impl OverlayFile {
    /// Reads what stands. A file that makes no sense is `InvalidData`, with one sentence: it is set aside as `overlay.json.broken`, so
    /// that opening again succeeds, with no entry.
    pub fn open(_state_dir: Option<&Path>) -> io::Result<(OverlayFile, Stored)> {
        todo!()
    }

    /// Puts this in place of what stands, and waits until it is on disk. The record's `seq` does not count: the audit gives it.
    pub fn write(&mut self, _overlay: &Overlay, _number: u64, _last: &Record) -> io::Result<()> {
        todo!()
    }
}
