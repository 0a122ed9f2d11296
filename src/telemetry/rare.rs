//! What is changed and read so rarely that a lock is the simplest way: when a snapshot is published, when a series is
//! made. A request that counts comes here once in a series' life.

#![expect(clippy::disallowed_types, reason = "no request waits here twice for one series")]

use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub(super) struct Rare<T>(Mutex<T>);

impl<T> Rare<T> {
    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        // No holder panics half way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
