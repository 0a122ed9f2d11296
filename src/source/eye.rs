//! Watches one path, and tells what is there once that has settled.
//!
//! It goes by content, not by events: whoever has a reason to think that something changed asks it to look. What it sees
//! is told when two readings of the same file, 20 ms apart, agree; so a torn write is never told. An empty file, or none, has to stay
//! so for longer. A file that was moved into place is whole: it is told at once. Each file is held open until it is told, so that it may be replaced meanwhile.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::sight::{self, Held, Identity, SETTLES, Sight, VANISHES};

/// Files that may wait to settle; more, and the oldest is forgotten.
const WAITING: usize = 8;

#[derive(Debug)]
pub struct Eye {
    path: PathBuf,
    limit: usize,
    told: Option<Sight>,
    /// Which file the path showed last.
    shown: Option<Identity>,
    /// Oldest first. The last is what the path shows now.
    waiting: VecDeque<Candidate>,
}

/// Something seen once.
#[derive(Debug)]
struct Candidate {
    sight: Sight,
    /// None: nothing could be opened.
    held: Option<Held>,
    /// When it may be told, if it is still the same then.
    due: Instant,
}

impl Eye {
    /// `limit` are the bytes that a text may have.
    pub fn new(path: PathBuf, limit: usize) -> Eye {
        Eye { path, limit, told: None, shown: None, waiting: VecDeque::new() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    /// When it wants to look next, whatever happens.
    pub fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|candidate| candidate.due)
    }

    /// Looks. What has settled and was not told before is told, the oldest first; [`Eye::due`] says when there is more.
    /// `moved` is whether the last thing known of the path is that something was moved there, or a link on the way.
    pub fn look(&mut self, now: Instant, moved: bool) -> Option<Sight> {
        self.see(now, moved);
        while self.due().is_some_and(|due| due <= now) {
            let candidate = self.waiting.pop_front()?;
            let settled = self.agrees(candidate);
            if settled.is_some() && settled != self.told {
                self.told.clone_from(&settled);
                return settled;
            }
        }
        None
    }

    /// Reads the path, and remembers what is new there.
    fn see(&mut self, now: Instant, moved: bool) {
        let (sight, held) = sight::read(&self.path, self.limit);
        let identity = held.as_ref().map(|held| held.identity);
        let whole = moved && identity.is_some() && identity != self.shown;
        let due = match whole {
            true => now,
            false if is_blank(&sight) => now + VANISHES,
            false => now + SETTLES,
        };
        self.shown = identity;
        match self.waiting.back_mut() {
            Some(last) if last.sight == sight => {}
            Some(last) if last.held.as_ref().map(|held| held.identity) == identity => {
                (last.sight, last.due) = (sight, due);
            }
            None if self.told.as_ref() == Some(&sight) => {}
            _ => {
                // What was blank only for a moment is of no interest, and holds nothing up.
                if self.waiting.back().is_some_and(|last| is_blank(&last.sight)) {
                    self.waiting.pop_back();
                }
                if self.waiting.len() == WAITING {
                    self.waiting.pop_front();
                }
                self.waiting.push_back(Candidate { sight, held, due });
            }
        }
    }

    /// The second reading, of the same file.
    fn agrees(&self, candidate: Candidate) -> Option<Sight> {
        let Candidate { sight, held, .. } = candidate;
        // An absence is confirmed by the last look; one that ended meanwhile is of no interest.
        let same = match held {
            Some(mut held) => held.read(self.limit) == sight,
            None => self.waiting.is_empty(),
        };
        same.then_some(sight)
    }
}

/// No file, or nothing in it.
fn is_blank(sight: &Sight) -> bool {
    sight.as_ref().map_or(true, |text| text.text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    /// A file, its eye, and a clock that only the test moves.
    struct Scene {
        folder: tempfile::TempDir,
        eye: Eye,
        now: Instant,
    }

    impl Scene {
        fn new(text: &str) -> Scene {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("flags.json");
            fs::write(&path, text).unwrap();
            let mut scene = Scene { folder, eye: Eye::new(path, 100), now: Instant::now() };
            assert_eq!(scene.look(0), None);
            assert_eq!(scene.look(20).as_deref(), Some(text));
            scene
        }

        /// Looks so many milliseconds later; an absence is told as "!".
        fn look(&mut self, later: u64) -> Option<String> {
            self.look_after(later, false)
        }

        fn look_after(&mut self, later: u64, moved: bool) -> Option<String> {
            self.now += Duration::from_millis(later);
            let told = self.eye.look(self.now, moved)?;
            Some(told.map_or_else(|_| "!".to_owned(), |text| text.text.to_string()))
        }

        fn overwrite(&self, text: &str) {
            fs::write(self.eye.path(), text).unwrap();
        }

        fn replace(&self, text: &str) {
            let new = self.folder.path().join("new");
            fs::write(&new, text).unwrap();
            fs::rename(new, self.eye.path()).unwrap();
        }
    }

    #[test]
    fn what_does_not_change_is_told_once() {
        let mut scene = Scene::new("a");
        scene.overwrite("a");
        assert_eq!([scene.look(1), scene.look(20), scene.look(2000)], [None, None, None]);
        scene.replace("a");
        assert_eq!([scene.look(1), scene.look(20), scene.look(2000)], [None, None, None]);
        assert_eq!(scene.eye.due(), None);
    }

    #[test]
    fn a_write_in_place_counts_when_two_readings_agree() {
        let mut scene = Scene::new("a");
        scene.overwrite("");
        assert_eq!(scene.look(1), None);
        scene.overwrite("b, half");
        assert_eq!(scene.look(19), None);
        scene.overwrite("b, whole");
        assert_eq!(scene.look(1), None, "20 ms after the first sight, but not of this");
        assert_eq!(scene.look(19), None);
        assert_eq!(scene.look(1).as_deref(), Some("b, whole"));
    }

    #[test]
    fn a_write_that_comes_just_before_the_second_reading_is_not_told() {
        let mut scene = Scene::new("a");
        scene.overwrite("b");
        assert_eq!(scene.look(1), None);
        scene.overwrite("torn");
        assert_eq!(scene.look(20), None);
        scene.overwrite("c");
        assert_eq!(
            [scene.look(20), scene.look(20).as_deref().map(str::to_owned)],
            [None, Some("c".to_owned())]
        );
    }

    #[test]
    fn a_file_moved_into_place_is_told_at_once() {
        let mut scene = Scene::new("a");
        scene.replace("b");
        assert_eq!(scene.look_after(0, true).as_deref(), Some("b"));
        scene.overwrite("c");
        assert_eq!(scene.look_after(1, true), None, "it is the same file, written in place");
        scene.replace("d");
        assert_eq!(scene.look_after(20, true).as_deref(), Some("c"), "it settled, and the oldest goes first");
        assert_eq!(scene.look_after(0, false).as_deref(), Some("d"));
        fs::remove_file(scene.eye.path()).unwrap();
        assert_eq!(scene.look_after(0, true), None, "nothing is there: it was moved away");
    }

    #[test]
    fn every_file_renamed_into_place_is_told_in_order_although_the_next_replaced_it() {
        let mut scene = Scene::new("0");
        let mut told = Vec::new();
        for generation in 1..=50 {
            scene.replace(&generation.to_string());
            told.extend(scene.look(15));
        }
        told.extend((0..5).filter_map(|_| scene.look(15)));
        assert_eq!(told, (1..=50).map(|generation| generation.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn a_file_written_in_place_after_it_was_replaced_is_the_new_one() {
        let mut scene = Scene::new("a");
        scene.replace("b");
        assert_eq!(scene.look(1), None);
        scene.overwrite("c");
        assert_eq!(scene.look(19), None, "`b` was overwritten before it settled");
        assert_eq!(scene.look(20).as_deref(), Some("c"));
    }

    #[test]
    fn a_swapped_symlink_is_a_new_file() {
        let mut scene = Scene::new("a");
        let folder = scene.folder.path().to_owned();
        fs::write(folder.join("v2"), "b").unwrap();
        std::os::unix::fs::symlink("v2", folder.join("link")).unwrap();
        fs::rename(folder.join("link"), scene.eye.path()).unwrap();
        assert_eq!(scene.look(1), None);
        assert_eq!(scene.look(20).as_deref(), Some("b"));
    }

    #[test]
    fn a_short_absence_is_not_told_and_a_long_one_is() {
        let mut scene = Scene::new("a");
        fs::remove_file(scene.eye.path()).unwrap();
        assert_eq!(scene.look(1), None);
        assert_eq!(scene.look(200), None);
        scene.overwrite("b");
        assert_eq!(scene.look(1), None, "the absence holds nothing up");
        assert_eq!(scene.look(20).as_deref(), Some("b"));
        fs::remove_file(scene.eye.path()).unwrap();
        assert_eq!(scene.look(1), None);
        assert_eq!(scene.look(249), None);
        assert_eq!(scene.look(1).as_deref(), Some("!"));
        scene.overwrite("b");
        assert_eq!(scene.look(1), None);
        assert_eq!(scene.look(20).as_deref(), Some("b"), "its return is news");
    }

    #[test]
    fn a_writer_that_rests_between_emptying_and_filling_is_waited_for() {
        let mut scene = Scene::new("a");
        scene.overwrite("");
        assert_eq!([scene.look(1), scene.look(100), scene.look(100)], [None, None, None]);
        scene.overwrite("b");
        assert_eq!(scene.look(1), None);
        assert_eq!(scene.look(20).as_deref(), Some("b"));
        scene.overwrite(" \n");
        assert_eq!([scene.look(1), scene.look(249)], [None, None]);
        assert_eq!(scene.look(1).as_deref(), Some(" \n"), "it is meant to be empty");
    }

    #[test]
    fn a_storm_of_files_holds_a_bounded_number_open() {
        let mut scene = Scene::new("a");
        for generation in 0..100 {
            scene.replace(&generation.to_string());
            assert_eq!(scene.look(0), None);
        }
        assert_eq!(scene.eye.waiting.len(), WAITING);
        assert_eq!(scene.look(20).as_deref(), Some("92"));
    }
}
