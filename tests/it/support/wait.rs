//! Waiting for a condition under a deadline.

use std::time::{Duration, Instant};

/// How long anything may take that should be there at once; generous, because many tests share few cores.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Polls until the condition holds; panics when it does not within [`PATIENCE`].
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    within(PATIENCE, what, || holds().then_some(()));
}

/// Polls until there is a value; panics when there is none within `limit`.
#[track_caller]
pub fn within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}
