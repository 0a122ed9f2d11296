//! A file that is there whole or not at all, after a crash and a power cut too: a temporary file, fsync, rename, fsync of the
//! folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use super::fail;

/// Ends the name of a file that is being written.
const NEW: &str = ".new";

/// Puts `text` in place of what stands at `path`, for the eyes of the folder's owner only: what root writes, the gateway can read.
/// `what` names the fail points on the way.
pub fn write(path: &Path, text: &[u8], what: &str) -> io::Result<()> {
    let folder = folder(path);
    make_folder(folder)?;
    let new = beside(path, &format!(".{}{NEW}", std::process::id()));
    let written = write_new(&new, folder, text, what).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // Half a file is of no use, and what it was for has failed already.
        let _ = fs::remove_file(&new);
    }
    written?;
    fail::pass(what, "rename");
    File::open(folder)?.sync_all()?;
    fail::pass(what, "folder");
    Ok(())
}

/// Removes what a crash left half written beside `path`. During an upgrade the other process may be writing: its write fails then.
pub fn sweep(path: &Path) {
    let Ok(entries) = fs::read_dir(folder(path)) else { return };
    let begin = path.file_name().unwrap_or_default().to_string_lossy().into_owned() + ".";
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let process = name.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(NEW));
        let process = process.and_then(|process| process.parse::<u32>().ok());
        // Our own is written over by the next write, and may be written just now.
        if process.is_some_and(|process| process != std::process::id()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes a folder that is not there, for good.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    match folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// A path with something behind its name.
pub fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn write_new(new: &Path, folder: &Path, text: &[u8], what: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(new)?;
    file.write_all(text)?;
    let (own, owner) = (file.metadata()?, fs::metadata(folder)?);
    // Only root may, and only for root it is another.
    if own.uid() == 0 && owner.uid() != 0 {
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    fail::pass(what, "temp");
    file.sync_all()?;
    fail::pass(what, "fsync");
    Ok(())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_for_its_owner() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state/deep/a.json");
        for text in ["first, and long", "second"] {
            write(&path, text.as_bytes(), "a").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(path.parent().unwrap()), ["a.json"], "nothing temporary is left");
    }

    #[test]
    fn what_root_writes_is_the_folders_owners() {
        let home = tempfile::tempdir().unwrap();
        // Who is not root can give nothing away.
        if std::os::unix::fs::chown(home.path(), Some(65_534), Some(65_534)).is_ok() {
            write(&home.path().join("a.json"), b"text", "a").unwrap();
            let owner = fs::metadata(home.path().join("a.json")).unwrap();
            assert_eq!((owner.uid(), owner.gid()), (65_534, 65_534));
        }
    }

    #[test]
    fn what_cannot_be_put_in_place_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.json");
        fs::create_dir_all(path.join("in the way")).unwrap();
        write(&path, b"text", "a").unwrap_err();
        assert_eq!(names(home.path()), ["a.json"]);
    }

    #[test]
    fn what_a_crash_left_is_swept_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let stay = ["a.json", "a.json.broken", "a.json.new", "a.json.x.new", "b.json.1.new"];
        for name in stay.iter().chain(&["a.json.1.new", "a.json.4194303.new"]) {
            fs::write(home.path().join(name), "").unwrap();
        }
        sweep(&home.path().join("a.json"));
        assert_eq!(names(home.path()), stay);
        sweep(Path::new("/nowhere/a.json"));
    }
}
