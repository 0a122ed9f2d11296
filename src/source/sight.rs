//! What is seen at a path at one moment: a text, or why there is none.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

/// A text, or one sentence that says why it cannot be read.
pub type Sight = Result<Text, String>;

/// A file's text. Equal by content.
#[derive(Debug, Clone)]
pub struct Text {
    pub text: Arc<str>,
    digest: [u8; 32],
}

impl Text {
    pub fn new(text: String) -> Text {
        Text { digest: Sha256::digest(&text).into(), text: text.into() }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.digest == other.digest
    }
}

/// Which file stood at the path: device and inode. It stays one file while somebody holds it open.
pub type Identity = (u64, u64);

/// A file that was opened to be read, and can be read again although its path may by now show another.
#[derive(Debug)]
pub struct Held {
    file: File,
    pub identity: Identity,
}

/// Two readings so far apart that agree are of a file that nobody is writing.
pub const SETTLES: Duration = Duration::from_millis(20);

/// An empty file, or none, is mostly one that somebody is about to write: only after so long is it believed. A writer on a busy
/// machine can rest for a while between emptying a file and filling it.
pub const VANISHES: Duration = Duration::from_millis(250);

/// Reads what stands at a path, at most `limit` bytes of it.
pub fn read(path: &Path, limit: usize) -> (Sight, Option<Held>) {
    match open(path) {
        Ok((file, metadata)) => {
            let mut held = Held { file, identity: identity(&metadata) };
            (held.read(limit), Some(held))
        }
        Err(error) => (Err(unreadable(&error)), None),
    }
}

/// Reads what stands at a path once it has settled, where it was written just now. For starts: it may wait a second.
pub fn read_settled(path: &Path, limit: usize) -> Sight {
    let mut seen = read(path, limit);
    for _ in 0..50 {
        let modified = seen.1.as_ref().and_then(|held| held.file.metadata().ok()?.modified().ok());
        let age = modified.and_then(|modified| SystemTime::now().duration_since(modified).ok());
        if age.is_none_or(|age| age >= SETTLES) {
            break;
        }
        std::thread::park_timeout(SETTLES);
        let again = read(path, limit);
        let settled = again.0 == seen.0;
        seen = again;
        if settled {
            break;
        }
    }
    seen.0
}

impl Held {
    /// Reads the same file again, from its start.
    pub fn read(&mut self, limit: usize) -> Sight {
        let bytes = self.bytes(limit as u64).map_err(|error| unreadable(&error))?;
        let bytes = bytes.ok_or_else(|| format!("it is larger than the {limit} bytes that are allowed"))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            format!("it is not UTF-8 text: byte {} is invalid", error.utf8_error().valid_up_to())
        })?;
        Ok(Text::new(text))
    }

    /// None: there are more than `limit`.
    fn bytes(&mut self, limit: u64) -> io::Result<Option<Vec<u8>>> {
        if self.file.metadata()?.len() > limit {
            return Ok(None);
        }
        self.file.rewind()?;
        let mut bytes = Vec::new();
        // It may grow while it is read: one byte more tells.
        let read = (&self.file).take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok((read as u64 <= limit).then_some(bytes))
    }
}

/// Opens a regular file only: a pipe would wait for its writer.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

pub fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

fn unreadable(error: &io::Error) -> String {
    format!("it cannot be read: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_no_text_within_the_limit_is_told_in_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let said = |path: &Path| read(path, 8).0.unwrap_err();
        assert_eq!(read(&file("fits", b"12345678"), 8).0.unwrap().text.as_ref(), "12345678");
        assert_eq!(said(&file("large", b"123456789")), "it is larger than the 8 bytes that are allowed");
        assert_eq!(said(&file("bytes", b"ab\xff")), "it is not UTF-8 text: byte 2 is invalid");
        assert_eq!(said(folder.path()), "it cannot be read: not a regular file");
        assert!(said(&folder.path().join("none")).starts_with("it cannot be read: No such file"));
    }

    #[test]
    fn a_held_file_is_read_again_after_its_path_shows_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flags.json");
        fs::write(&path, "one").unwrap();
        let (_, held) = read(&path, 100);
        fs::write(folder.path().join("new"), "two").unwrap();
        fs::rename(folder.path().join("new"), &path).unwrap();
        let mut held = held.unwrap();
        assert_eq!(held.read(100).unwrap().text.as_ref(), "one");
        let (now, other) = read(&path, 100);
        assert_eq!(now.unwrap().text.as_ref(), "two");
        assert_ne!(held.identity, other.unwrap().identity);
    }

    #[test]
    fn a_settled_read_tells_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flags.json");
        fs::write(&path, "text").unwrap();
        assert_eq!(read_settled(&path, 100), Ok(Text::new("text".to_owned())));
        assert!(read_settled(&folder.path().join("none"), 100).is_err());
    }
}
