//! The claim to a state folder: one process at a time writes there.
//!
//! It is a lock on the file `lock`, which the system takes back from a process that is gone, however it went. What the file says only
//! names who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::whole_file;
use crate::config::{Problem, ProblemKind};

/// The file's name.
const NAME: &str = "lock";
/// Bytes of it that are read.
const LONGEST: u64 = 32;

/// Held until it is dropped, or the process is gone.
#[derive(Debug)]
pub struct Claim {
    _file: File,
}

impl Claim {
    /// Claims a folder, which is made if it is not there. `None`: nothing can be locked there, so nothing can be written, which whoever
    /// writes tells. The error names who holds it.
    pub fn take(state_dir: &Path) -> Result<Option<Claim>, Box<Problem>> {
        match lock(state_dir) {
            Ok(file) => Ok(Some(Claim { _file: file })),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(Box::new(taken(state_dir))),
            Err(error) => {
                tracing::warn!(folder = %state_dir.display(), %error, "the state folder cannot be locked");
                Ok(None)
            }
        }
    }
}

fn lock(state_dir: &Path) -> io::Result<File> {
    whole_file::make_folder(state_dir)?;
    let path = state_dir.join(NAME);
    // Its content is of whoever holds it: opening changes nothing.
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => ErrorKind::WouldBlock.into(),
        TryLockError::Error(error) => error,
    })?;
    // A full disk is no reason not to hold it.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

fn taken(state_dir: &Path) -> Problem {
    let mut text = String::new();
    let read = File::open(state_dir.join(NAME)).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    let holder = match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(process)) => format!("the process {process}"),
        _ => "another process".to_owned(),
    };
    let found = format!("the state folder `{}` is in use by {holder}", state_dir.display());
    Problem::error(ProblemKind::Config, "state_dir", found)
        .with_expected("a folder that no other gateway uses: two would overwrite each other's changes by hand")
        .with_fix("give each gateway its own `state_dir`; to put this one in the other's place, run `flagway upgrade`, or stop that one first")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_holds_a_folder_and_is_named() {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("state");
        let claim = Claim::take(&state).unwrap().expect("it can be locked");
        let told = Claim::take(&state).unwrap_err().render(false);
        for word in ["state_dir", &format!("the process {}", std::process::id()), "flagway upgrade"] {
            assert!(told.contains(word), "{word} in:\n{told}");
        }
        drop(claim);
        assert!(Claim::take(&state).unwrap().is_some());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_nobodys() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("no-folder");
        std::fs::write(&file, "").unwrap();
        assert!(Claim::take(&file).unwrap().is_none());
    }
}
