//! Files that others need whole, such as certificates and keys: watched as flags are, and handed on once they have settled.
//!
//! What a file means, and what becomes of one that means nothing, is whoever's who needs it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sight::{self, Sight};
use super::watch::{self, Look, Wake};

/// Bytes of a file.
const LIMIT: usize = 1 << 20;

/// A text, or one sentence that says why there is none.
pub type Seen = Result<Arc<str>, String>;

/// Watches some files. Dropping it does not end the watch.
#[derive(Debug)]
pub struct Files {
    wake: Wake,
}

impl Files {
    /// Starts watching. `told` is called on a thread of its own with what has changed and settled, the first sight of each file included;
    /// with nothing every few seconds, too, so that it can come back to what it left undone.
    pub fn watch(paths: &[PathBuf], told: impl Fn(Vec<(PathBuf, Seen)>) + Send + 'static) -> Files {
        let wake = watch::start(limited(paths), move |Look { changed, .. }| {
            told(changed.into_iter().map(|(path, sight)| (path, seen(sight))).collect());
            true
        });
        Files { wake }
    }

    /// Watches these files and no others from now on.
    pub fn follow(&self, paths: &[PathBuf]) {
        self.wake.watch(limited(paths));
    }
}

/// Reads a file once it has settled, where it was written just now; may wait a second.
pub fn read(path: &Path) -> Seen {
    seen(sight::read_settled(path, LIMIT))
}

fn seen(sight: Sight) -> Seen {
    sight.map(|text| text.text)
}

fn limited(paths: &[PathBuf]) -> Vec<(PathBuf, usize)> {
    paths.iter().map(|path| (path.clone(), LIMIT)).collect()
}
