//! Last good definitions on disk, so that a restart with every source down still serves them.
//!
//! One file a source, in flagd's own format, under `state_dir/flags`. It is written by a thread of its own, whole or not
//! at all, and only when it would say something new.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::last_good::LastGood;
use super::sight;
use super::whole_file;
use crate::config::{FlagLimits, Source};
use crate::flag::{Definitions, Document, Entry, Format};

/// References are put in when definitions are kept: they may be longer than the document they came from.
const GROWTH: usize = 4;

/// The folder, and its writing thread. Dropped, it waits until all is written.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    queue: Sender<(PathBuf, LastGood)>,
    writing: Option<JoinHandle<()>>,
}

impl Disk {
    /// Starts the thread. Trouble with the folder is told when something is written.
    pub fn open(state_dir: &Path) -> Disk {
        let (queue, inbox) = channel();
        let writing = thread::Builder::new()
            .name("last-good".to_owned())
            .spawn(move || run(&inbox))
            .expect("at its start a process can start a thread, or it can do nothing at all");
        Disk { folder: state_dir.join("flags"), queue, writing: Some(writing) }
    }

    /// What was kept of a source, and when that was written. A file that is of no use counts as none, and is told.
    pub fn load(&self, source: &Source, limits: &FlagLimits) -> Option<(LastGood, SystemTime)> {
        let path = self.path(source);
        whole_file::sweep(&path);
        let limits = FlagLimits { document_bytes: limits.document_bytes.saturating_mul(GROWTH), ..*limits };
        let written = fs::metadata(&path).ok()?.modified().ok()?;
        let loaded = sight::read(&path, limits.document_bytes).0.and_then(|text| {
            Document::parse(&path.to_string_lossy(), &text.text, Format::Json, &limits).map_err(|problems| {
                problems.first().map_or_else(String::new, |problem| problem.found.clone())
            })
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
        let name: String =
            file.file_name().unwrap_or_default().to_string_lossy().chars().map(plain).take(64).collect();
        let whole = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        let hash = Sha256::digest(whole.as_os_str().as_encoded_bytes());
        self.folder.join(format!("{name}-{:02x}{:02x}{:02x}{:02x}.json", hash[0], hash[1], hash[2], hash[3]))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Nobody else sends: the thread ends behind what was sent.
        self.queue = channel().0;
        if let Some(writing) = self.writing.take() {
            // One that panicked has written what it could.
            let _ = writing.join();
        }
    }
}

fn run(inbox: &Receiver<(PathBuf, LastGood)>) {
    let mut written: BTreeMap<PathBuf, [u8; 32]> = BTreeMap::new();
    while let Ok(first) = inbox.recv() {
        // Of what piled up during the last write, the newest counts.
        let newest: BTreeMap<_, _> = std::iter::once(first).chain(inbox.try_iter()).collect();
        for (path, good) in newest {
            let text = text(good.entries());
            let digest = Sha256::digest(&text).into();
            if written.get(&path) == Some(&digest) {
                continue;
            }
            match whole_file::write(&path, text.as_bytes(), "flags") {
                Ok(()) => {
                    written.insert(path, digest);
                }
                Err(error) => {
                    tracing::error!(file = %path.display(), %error, "last good flags cannot be kept on disk");
                }
            }
        }
    }
}

/// The good definitions as a document in flagd's format, a list: of equal keys in different flag sets the one that counts is the last.
fn text(definitions: &Definitions) -> String {
    let good = definitions.iter().filter_map(|stated| match &stated.flag {
        Entry::Good(definition) => Some((&definition.key, definition.to_json())),
        Entry::Broken(_) => None,
    });
    let flags = good.map(|(key, mut flag)| {
        flag["key"] = (&**key).into();
        flag
    });
    json!({ "flags": flags.collect::<Vec<_>>() }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &str = r#"{
        "$evaluators": {"staff": {"ends_with": [{"var": "email"}, "@example.org"]}},
        "metadata": {"team": "shop"},
        "flags": {
            "price": {"state": "ENABLED", "variants": {"z": 1.5, "a": {"deep": [true, null]}}, "defaultVariant": "z",
                "targeting": {"if": [{"$ref": "staff"}, "a", {"fractional": [["a", 1], ["z", 99]]}]}},
            "off": {"state": "DISABLED", "variants": {"on": true}, "metadata": {"owner": "ü"}},
            "bad": {"state": "ENABLED"}}}"#;

    fn parsed(text: &str) -> LastGood {
        let document = Document::parse("flags.json", text, Format::Json, &FlagLimits::default()).unwrap();
        let mut good = LastGood::default();
        good.take(&document, true).unwrap();
        good
    }

    fn canonical(good: &LastGood) -> Vec<String> {
        let texts = good.entries().iter().filter_map(|stated| match &stated.flag {
            Entry::Good(definition) => Some(definition.canonical()),
            Entry::Broken(_) => None,
        });
        texts.collect()
    }

    #[test]
    fn what_is_kept_is_loaded_as_the_same_definitions() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::File("conf/flags.json".into());
        let disk = Disk::open(folder.path());
        let good = parsed(FLAGS);
        assert_eq!(canonical(&good).len(), 2);
        whole_file::write(&disk.path(&source), text(good.entries()).as_bytes(), "flags").unwrap();
        let (loaded, written) = disk.load(&source, &FlagLimits::default()).unwrap();
        assert_eq!(canonical(&loaded), canonical(&good));
        assert!(written <= SystemTime::now());
        assert_eq!(
            fs::read_dir(folder.path().join("flags")).unwrap().count(),
            1,
            "nothing temporary is left"
        );
    }

    #[test]
    fn the_thread_writes_what_it_was_given_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flags/a.json");
        let (queue, inbox) = channel();
        for value in 0..3 {
            let flags =
                format!(r#"{{"flags": {{"a": {{"state": "ENABLED", "variants": {{"v": {value}}}}}}}}}"#);
            queue.send((path.clone(), parsed(&flags))).unwrap();
        }
        drop(queue);
        run(&inbox);
        assert!(fs::read_to_string(&path).unwrap().contains(r#""variants":{"v":2}"#));
    }

    #[test]
    fn what_is_of_no_use_counts_as_nothing_kept() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path());
        let source = Source::File("flags.json".into());
        assert!(disk.load(&source, &FlagLimits::default()).is_none());
        for text in ["", "{", "[]"] {
            whole_file::write(&disk.path(&source), text.as_bytes(), "flags").unwrap();
            assert!(disk.load(&source, &FlagLimits::default()).is_none(), "{text}");
        }
    }

    #[test]
    fn sources_of_one_name_have_files_of_their_own() {
        let disk = Disk::open(Path::new("/state"));
        let path = |file: &str| disk.path(&Source::File(file.into()));
        assert_ne!(path("/a/flags.json"), path("/b/flags.json"));
        assert_eq!(path("/a/flags.json"), path("/a/flags.json"));
        let odd = path("/a/fl ags\n\u{1b}.json");
        assert!(odd.file_name().unwrap().to_string_lossy().starts_with("fl-ags"), "{odd:?}");
    }
}
