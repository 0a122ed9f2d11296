//! The overlay on disk: `state_dir/overlay.json`, whole or not at all, with the audit's record of the write that made it.
//!
//! It decides about no entry. What it cannot read it does not write over.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::audit::Record;
use super::whole_file;
use crate::overlay::Overlay;
use crate::telemetry::harmless;

/// The file's name, and what it is called when it makes no sense.
const NAME: &str = "overlay.json";
const BROKEN: &str = "overlay.json.broken";
/// The form of the file.
const VERSION: u64 = 1;
/// Bytes of the file at most.
const LIMIT: u64 = 64 << 20;
/// Room that most overlays fit into.
const USUAL_BYTES: usize = 4096;

/// The file; or none, when nothing survives the process.
#[derive(Debug)]
pub struct OverlayFile {
    path: Option<PathBuf>,
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

#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    number: u64,
    entries: &'a Overlay,
    last: &'a Record,
}

#[derive(Deserialize)]
struct Found {
    number: u64,
    entries: Overlay,
    last: Option<Record>,
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

impl OverlayFile {
    /// Reads what stands. A file that makes no sense is `InvalidData`, with one sentence: it is set aside as `overlay.json.broken`, so
    /// that opening again succeeds, with no entry.
    pub fn open(state_dir: Option<&Path>) -> io::Result<(OverlayFile, Stored)> {
        let Some(folder) = state_dir else { return Ok((OverlayFile { path: None }, Stored::default())) };
        let path = folder.join(NAME);
        whole_file::sweep(&path);
        let stored = match read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Stored::default(),
            Err(error) => return Err(told(&path, &error)),
            Ok(text) => match parse(&text) {
                Ok(stored) => stored,
                Err(why) => {
                    let aside = folder.join(BROKEN);
                    fs::rename(&path, &aside).map_err(|error| told(&path, &error))?;
                    let why = format!("`{}` {why}; it is kept as `{}`", path.display(), aside.display());
                    return Err(io::Error::new(ErrorKind::InvalidData, why));
                }
            },
        };
        Ok((OverlayFile { path: Some(path) }, stored))
    }

    /// Puts this in place of what stands, and waits until it is on disk. The record's `seq` does not count: the audit gives it.
    pub fn write(&mut self, overlay: &Overlay, number: u64, last: &Record) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let text = harmless::line(&Written { version: VERSION, number, entries: overlay, last }, USUAL_BYTES);
        if text.len() as u64 > LIMIT {
            let why =
                format!("all entries together would have {} bytes, at most {LIMIT} are kept", text.len());
            return Err(io::Error::new(ErrorKind::FileTooLarge, why));
        }
        whole_file::write(path, &text, "overlay").map_err(|error| told(path, &error))
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    // One more, so that what is too long does not look whole.
    File::open(path)?.take(LIMIT + 1).read_to_end(&mut text)?;
    Ok(text)
}

/// What a file says, or what is wrong with it.
fn parse(text: &[u8]) -> Result<Stored, String> {
    let broken = |error: serde_json::Error| format!("is no overlay: {error}");
    if text.len() as u64 > LIMIT {
        return Err(format!("has more than {LIMIT} bytes"));
    }
    // The version first: another one may have any form.
    let Version { version } = serde_json::from_slice(text).map_err(broken)?;
    if version != VERSION {
        return Err(format!("has the form {version}, and this flagway knows {VERSION} alone"));
    }
    let Found { number, entries, last } = serde_json::from_slice(text).map_err(broken)?;
    Ok(Stored { overlay: entries, number, last })
}

fn told(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::overlay::{Change, Entry};
    use crate::source::audit::record;

    fn overlay(variants: &[&str]) -> Overlay {
        let mut overlay = Overlay::default();
        for variant in variants {
            let change = Change::Kill { variant: (*variant).to_owned(), value: "a\u{9b}b".into() };
            overlay.insert(Entry::new(variant, change, "ann", 5, "errors", Some(10)).unwrap());
        }
        overlay
    }

    #[test]
    fn what_was_written_last_is_read() {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("state");
        let (mut file, stored) = OverlayFile::open(Some(&state)).unwrap();
        assert_eq!(stored, Stored::default());
        for (number, variants) in [(1, &["a", "b"][..]), (2, &["b"]), (3, &[])] {
            let last = record(|record| record.overlay = Some(number));
            file.write(&overlay(variants), number, &last).unwrap();
            let (_, stored) = OverlayFile::open(Some(&state)).unwrap();
            assert_eq!(stored, Stored { overlay: overlay(variants), number, last: Some(last) });
            let path = state.join(NAME);
            assert!(!fs::read_to_string(&path).unwrap().contains('\u{9b}'), "terminals obey it");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn without_a_folder_nothing_is_kept() {
        let (mut file, _) = OverlayFile::open(None).unwrap();
        file.write(&overlay(&["a"]), 1, &record(|_| ())).unwrap();
        assert_eq!(OverlayFile::open(None).unwrap().1, Stored::default());
    }

    #[test]
    fn what_makes_no_sense_is_told_and_set_aside() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(NAME);
        for (text, told) in [
            ("", "is no overlay: EOF"),
            ("{\"version\":1", "is no overlay: EOF"),
            ("[]", "is no overlay"),
            (r#"{"version":2,"shape":[]}"#, "has the form 2, and this flagway knows 1 alone"),
            (r#"{"version":1,"number":1,"entries":[{}]}"#, "is no overlay: there is no `flag`"),
            (r#"{"version":1,"number":-1,"entries":[]}"#, "is no overlay: invalid value"),
        ] {
            fs::write(&path, text).unwrap();
            let error = OverlayFile::open(Some(home.path())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            assert!(error.to_string().contains(told), "{error}");
            assert!(error.to_string().contains("overlay.json.broken"), "{error}");
            assert_eq!(fs::read_to_string(home.path().join(BROKEN)).unwrap(), text);
            assert_eq!(OverlayFile::open(Some(home.path())).unwrap().1, Stored::default());
        }
    }

    #[test]
    fn what_cannot_be_read_stays_where_it_is() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(NAME)).unwrap();
        let error = OverlayFile::open(Some(home.path())).unwrap_err();
        assert_ne!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("overlay.json"), "{error}");
        assert!(home.path().join(NAME).is_dir());
    }
}
