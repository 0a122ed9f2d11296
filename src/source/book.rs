//! The book of what operators did: the overlay, its file and the audit, kept in step so that no crash leaves half a write.
//!
//! First the file, with the record of the write that made it; then the audit. A crash between the two is completed at the next start,
//! and trouble with the disk leaves everything as it was.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::audit::{Audit, Query, Record, Trail};
use super::once::{Once, REMEMBERED};
use super::overlay_file::{OverlayFile, Stored};
use crate::config::{Problem, ProblemKind};
use crate::overlay::Overlay;

/// Owned by the keeper.
pub struct Book {
    overlay: Arc<Overlay>,
    /// Counts the overlays that were written.
    number: u64,
    /// What the file has of the write that made it.
    last: Option<Record>,
    file: OverlayFile,
    audit: Audit,
    /// Requests that are not to be done twice.
    pub once: Once,
    /// Whether it survives the process.
    pub durable: bool,
    /// Why it is not what was left behind, or does not survive.
    pub problems: Vec<Problem>,
}

impl Book {
    /// Reads what stands under the state folder; none: everything is in memory. What cannot be read or kept there is a problem, never a
    /// reason not to start: a kill must be possible on a broken disk, too.
    pub fn open(state_dir: Option<&Path>) -> io::Result<Book> {
        let mut problems = Vec::new();
        let (file, mut stored, durable) = match open_file(state_dir, &mut problems) {
            Ok((file, stored)) => (file, stored, state_dir.is_some()),
            Err(error) => {
                problems.push(not_kept("overlay.json", &error));
                let (file, stored) = OverlayFile::open(None)?;
                (file, stored, false)
            }
        };
        let audit = open_audit(state_dir, &mut stored);
        let audit = match audit {
            Ok(audit) => audit,
            Err(error) => {
                problems.push(not_kept("audit.jsonl", &error));
                Audit::open(None)?
            }
        };
        let accepted =
            Query { outcome: Some("accepted".to_owned()), limit: Some(REMEMBERED), ..Query::default() };
        let mut once = Once::default();
        once.refill(&audit.query(&accepted, SystemTime::now()), durable);
        let Stored { overlay, number, last } = stored;
        Ok(Book { overlay: Arc::new(overlay), number, last, file, audit, once, durable, problems })
    }

    /// What stands.
    pub fn overlay(&self) -> &Arc<Overlay> {
        &self.overlay
    }

    /// To read the audit from any thread.
    pub fn trail(&self) -> Trail {
        self.audit.trail()
    }

    /// Puts the next overlay in place of the one that stands; it is on disk and in the audit when this returns. After an error the one
    /// before stands.
    pub fn commit(&mut self, next: Overlay, record: Record) -> io::Result<Record> {
        let number = self.number + 1;
        let record = Record { overlay: Some(number), ..record };
        let written =
            self.file.write(&next, number, &record).and_then(|()| self.audit.append(record.clone()));
        match written {
            Ok(audited) => {
                self.overlay = Arc::new(next);
                self.number = number;
                self.last = Some(audited.clone());
                Ok(audited)
            }
            Err(error) => {
                self.restore(record);
                Err(error)
            }
        }
    }

    /// What stands without the disk's consent: of entries that are over, whatever becomes of the disk. The next write keeps it.
    pub fn impose(&mut self, next: Overlay) {
        self.overlay = Arc::new(next);
    }

    /// Writes down what was not done.
    pub fn refused(&mut self, record: Record) {
        let (flag, problem) = (record.flag.clone(), record.problem.clone());
        if let Err(error) = self.audit.append(record) {
            tracing::error!(flag, problem, %error, "a refused write cannot be written into the audit");
        }
    }

    /// The file may have a write that failed after it: it gets what stands again.
    fn restore(&mut self, failed: Record) {
        // Where nothing was written before, a record that no start completes.
        let last = self.last.clone().unwrap_or(Record { accepted: false, ..failed });
        if let Err(error) = self.file.write(&self.overlay, self.number, &last) {
            tracing::error!(
                %error,
                "the overlay's file may have a write that was refused, and a restart would bring it back: make room on the disk, and write once more"
            );
        }
    }
}

/// A file that makes no sense was set aside: without it the second time succeeds.
fn open_file(state_dir: Option<&Path>, problems: &mut Vec<Problem>) -> io::Result<(OverlayFile, Stored)> {
    match OverlayFile::open(state_dir) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            let found = format!("`overlay.json` in the state folder: {error}");
            let problem = Problem::error(ProblemKind::Overlay, "state_dir", found)
                .with_expected(
                    "what an earlier run wrote; what operators did by hand before this start is gone",
                )
                .with_fix("look into `overlay.json.broken`, and do again what should stand");
            tracing::error!(problem = problem.found, "started without what operators did by hand");
            problems.push(problem);
            OverlayFile::open(state_dir)
        }
        opened => opened,
    }
}

fn open_audit(state_dir: Option<&Path>, stored: &mut Stored) -> io::Result<Audit> {
    let mut audit = Audit::open(state_dir)?;
    if let Some(record) = audit.complete(stored)? {
        tracing::warn!(
            flag = record.flag,
            seq = record.seq,
            "completed the audit: the last run ended within a write"
        );
    }
    Ok(audit)
}

fn not_kept(file: &str, error: &io::Error) -> Problem {
    let problem =
        Problem::error(ProblemKind::Overlay, "state_dir", format!("`{file}` cannot be used: {error}"))
            .with_expected(
                "a folder that can be written; until then what operators do by hand is lost with the process",
            )
            .with_fix("make `state_dir` writable for the gateway, and restart it");
    tracing::error!(problem = problem.found, "what operators do by hand is kept in memory only");
    problem
}
