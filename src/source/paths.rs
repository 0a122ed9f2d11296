//! Which folders must be watched so that no change at a path is missed.
//!
//! The path may lead through symbolic links (Kubernetes mounts a file as `flags.json -> ..data/flags.json`, and
//! `..data -> ..2026_11_22`, which it swaps): each folder that holds a link of the way counts, the last folder, and the
//! one above, as the last may itself be replaced.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Links that one way may lead through; as many as Linux follows.
const LINKS: usize = 40;

/// The way to a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// To be watched, without what lies below them.
    pub folders: BTreeSet<PathBuf>,
    /// The entries of those folders that matter.
    pub entries: BTreeSet<PathBuf>,
}

impl Ways {
    /// The way to `path` as it is now.
    pub fn of(path: &Path) -> Ways {
        let mut ways = Ways::default();
        let Ok(path) = std::path::absolute(path) else { return ways };
        let mut rest: VecDeque<OsString> = parts(&path);
        let mut at = PathBuf::from("/");
        let mut links = 0;
        while let Some(part) = rest.pop_front() {
            if part == ".." {
                at.pop();
                continue;
            }
            let entry = at.join(&part);
            ways.entries.insert(entry.clone());
            let link = fs::read_link(&entry).ok();
            if link.is_some() || rest.is_empty() || !entry.exists() {
                ways.folders.insert(at.clone());
            }
            match link {
                Some(target) if links < LINKS => {
                    links += 1;
                    if target.is_absolute() {
                        at = PathBuf::from("/");
                    }
                    parts(&target).into_iter().rev().for_each(|part| rest.push_front(part));
                }
                _ => at = entry,
            }
        }
        // `at` is the file; above it its folder, and the one that holds that.
        ways.folders.extend(at.ancestors().nth(2).map(Path::to_owned));
        ways
    }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn of_a_plain_file_its_folder_and_the_one_above_count() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("conf")).unwrap();
        fs::write(root.join("conf/flags.json"), "").unwrap();
        let ways = Ways::of(&root.join("conf/../conf/flags.json"));
        assert_eq!(ways.folders, BTreeSet::from([root.clone(), root.join("conf")]));
        assert!(ways.entries.contains(&root.join("conf")));
        assert!(ways.entries.contains(&root.join("conf/flags.json")));
    }

    #[test]
    fn every_folder_that_holds_a_link_of_the_way_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("mount/..2026")).unwrap();
        fs::write(root.join("mount/..2026/flags.json"), "").unwrap();
        symlink("..2026", root.join("mount/..data")).unwrap();
        symlink("..data/flags.json", root.join("mount/flags.json")).unwrap();
        fs::create_dir(root.join("conf")).unwrap();
        symlink(root.join("mount/flags.json"), root.join("conf/flags.json")).unwrap();
        let ways = Ways::of(&root.join("conf/flags.json"));
        let folders = ["conf", "mount", "mount/..2026"].map(|name| root.join(name));
        assert_eq!(ways.folders, BTreeSet::from(folders));
        for entry in ["conf/flags.json", "mount/flags.json", "mount/..data", "mount/..2026/flags.json"] {
            assert!(ways.entries.contains(&root.join(entry)), "{entry}");
        }
    }

    #[test]
    fn of_a_missing_folder_the_nearest_that_exists_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        assert!(Ways::of(&root.join("a/b/flags.json")).folders.contains(&root));
        assert!(Ways::of(&root.join("a/b/flags.json")).entries.contains(&root.join("a")));
    }

    #[test]
    fn a_ring_of_links_ends() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        assert!(Ways::of(&root.join("a")).folders.contains(&root));
    }
}
