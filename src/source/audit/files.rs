//! The files of the audit: lines are appended to `audit.jsonl`, which becomes `audit.jsonl.1` when it is large, and so on.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::backwards::Backwards;
use crate::source::{fail, whole_file};

/// The file that is written.
const NAME: &str = "audit.jsonl";
/// Bytes from which on it is put aside.
pub(super) const LARGE: u64 = 16 << 20;
/// Files that are kept aside; the highest number is the oldest.
const ASIDE: u32 = 8;

/// The file that is written, and what stands aside.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    file: File,
    /// Bytes of whole lines in it.
    length: u64,
    /// Bytes from which on it is put aside.
    large: u64,
    /// Whether there may be more in it than that.
    dirty: bool,
}

/// The paths in a state folder, the newest first; not each of them need exist.
pub(super) fn paths(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let newest = folder.join(NAME);
    (0..=ASIDE).map(move |number| aside(&newest, number))
}

impl Files {
    pub(super) fn open(folder: &Path, large: u64) -> io::Result<Files> {
        whole_file::make_folder(folder)?;
        let path = folder.join(NAME);
        let file = create(&path)?;
        File::open(folder)?.sync_all()?;
        let mut lines = Backwards::new(File::open(&path)?)?;
        // There is always a first one: what stands behind the last line break.
        let length = lines.next().transpose()?.map_or(0, |torn| torn.start);
        let torn = file.metadata()?.len() - length;
        if torn > 0 {
            file.set_len(length)?;
            file.sync_all()?;
            tracing::warn!(file = %path.display(), bytes = torn, "the audit's last line was torn by a crash, and is cut off");
        }
        Ok(Files { folder: folder.to_owned(), file, length, large, dirty: false })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Appends a line and waits until it is on disk. After an error nothing of it is there, or will be when the next is.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if !self.is_in_place() {
            *self = Files::open(&self.folder, self.large)?;
        }
        if self.dirty {
            self.file.set_len(self.length)?;
        }
        let written = self.write(line);
        if written.is_err() {
            // If that fails too, it is tried again before the next line.
            self.dirty = self.file.set_len(self.length).is_err();
            return written;
        }
        self.dirty = false;
        self.length += line.len() as u64;
        if self.length >= self.large
            && let Err(error) = self.rotate()
        {
            let folder = self.folder.display();
            tracing::error!(%folder, %error, "the audit grows: its file cannot be put aside");
        }
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)?;
        fail::pass("audit", "append");
        self.file.sync_data()?;
        fail::pass("audit", "fsync");
        Ok(())
    }

    /// Whether the file still has its name: somebody may have moved or removed it.
    fn is_in_place(&self) -> bool {
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let named = fs::metadata(self.folder.join(NAME)).map(identity).ok();
        named.is_some() && named == self.file.metadata().map(identity).ok()
    }

    /// Puts the file aside and begins another. Where this stops half way, the next time goes on.
    fn rotate(&mut self) -> io::Result<()> {
        let newest = self.folder.join(NAME);
        let free = (1..ASIDE).find(|number| !aside(&newest, *number).exists()).unwrap_or(ASIDE);
        for number in (0..free).rev() {
            match fs::rename(aside(&newest, number), aside(&newest, number + 1)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = create(&newest)?;
        self.length = 0;
        File::open(&self.folder)?.sync_all()
    }
}

fn aside(newest: &Path, number: u32) -> PathBuf {
    if number == 0 { newest.to_owned() } else { whole_file::beside(newest, &format!(".{number}")) }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failed_append_left_is_gone_before_the_next() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(NAME);
        let mut files = Files::open(home.path(), LARGE).unwrap();
        files.append(b"one\n").unwrap();
        // Neither a line nor a cut is possible.
        files.file = File::open(&path).unwrap();
        files.append(b"two\n").unwrap_err();
        files.file = create(&path).unwrap();
        files.file.write_all(b"tw").unwrap();
        files.append(b"three\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\nthree\n");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_an_error_until_it_can() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(NAME);
        let mut files = Files::open(home.path(), LARGE).unwrap();
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        files.append(b"one\n").unwrap_err();
        fs::remove_dir(&path).unwrap();
        files.append(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }
}
