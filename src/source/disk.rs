//! Last good definitions on disk, so that a restart with every source down still serves them.
//!
//! One file a source, in flagd's own format, under `state_dir/flags`. It is written by a thread of its own, whole or not
//! at all, and only when it would say something new.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::last_good::LastGood;
use super::sight;
use crate::config::{FlagLimits, Source};
use crate::flag::{Document, Entry, Format};
use crate::snapshot::Definitions;

/// References are put in when definitions are kept: they may be longer than the document they came from.
const GROWTH: usize = 4;

/// The folder, and its writing thread.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    queue: Sender<(PathBuf, LastGood)>,
}

impl Disk {
    /// Starts the thread. Trouble with the folder is told when something is written.
    pub fn open(state_dir: &Path) -> Disk {
        let (queue, inbox) = channel();
        thread::Builder::new()
            .name("last-good".to_owned())
            .spawn(move || run(&inbox))
            .expect("at its start a process can start a thread, or it can do nothing at all");
        Disk { folder: state_dir.join("flags"), queue }
    }

    /// What was kept of a source, and when that was written. A file that is of no use counts as none, and is told.
    pub fn load(&self, source: &Source, limits: &FlagLimits) -> Option<(LastGood, SystemTime)> {
        let path = self.path(source);
        let limits =
            FlagLimits { document_bytes: limits.document_bytes.saturating_mul(GROWTH), ..*limits };
        let written = fs::metadata(&path).ok()?.modified().ok()?;
        let loaded = sight::read(&path, limits.document_bytes).0.and_then(|text| {
            Document::parse(&path.to_string_lossy(), &text.text, Format::Json, &limits)
                .map_err(|problems| problems.first().map_or_else(String::new, |problem| problem.found.clone()))
        });
        match loaded {
            Ok(document) => {
                let mut good = LastGood::default();
                // An empty one was allowed when it was kept.
                good.take(&document, true).ok()?;
                Some((good, written))
            }
            Err(error) => {
                tracing::warn!(file = %path.display(), error, "last good flags on disk are of no use");
                None
            }
        }
    }

    /// Keeps what a source says now, soon.
    pub fn save(&self, source: &Source, good: &LastGood) {
        // The thread ends with this sender only.
        let _ = self.queue.send((self.path(source), good.clone()));
    }

    /// A readable name, made unique by a hash of the whole path.
    fn path(&self, source: &Source) -> PathBuf {
        let Source::File(file) = source;
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let name: String = file.file_name().unwrap_or_default().to_string_lossy().chars().map(plain).take(64).collect();
        let whole = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        let hash = Sha256::digest(whole.as_os_str().as_encoded_bytes());
        self.folder.join(format!("{name}-{:02x}{:02x}{:02x}{:02x}.json", hash[0], hash[1], hash[2], hash[3]))
    }
}

fn run(inbox: &Receiver<(PathBuf, LastGood)>) {
    let mut written: BTreeMap<PathBuf, String> = BTreeMap::new();
    while let Ok(first) = inbox.recv() {
        // Of what piled up during the last write, the newest counts.
        let newest: BTreeMap<_, _> = std::iter::once(first).chain(inbox.try_iter()).collect();
        for (path, good) in newest {
            let text = text(good.entries());
            let hash = format!("{:x}", Sha256::digest(&text));
        }
    }
}
