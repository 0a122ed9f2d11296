//! Who is there: entered and left by many threads, looked through seldom.

#![expect(clippy::disallowed_types, reason = "held for one insertion, and threads seldom meet in one shard")]

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SHARDS: usize = 16;

/// All that are there now.
#[derive(Debug)]
pub struct Roll<T> {
    shards: [Mutex<HashMap<u64, Arc<T>>>; SHARDS],
    next: AtomicU64,
}

/// One of them, as long as it is held.
#[derive(Debug)]
pub struct Present<T> {
    roll: Arc<Roll<T>>,
    number: u64,
    item: Arc<T>,
}

impl<T> Roll<T> {
    pub fn enter(self: &Arc<Self>, item: T) -> Present<T> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let item = Arc::new(item);
        self.shard(number).insert(number, Arc::clone(&item));
        Present { roll: Arc::clone(self), number, item }
    }

    /// How many `is` holds for; it is asked of each, in no order.
    pub fn count(&self, is: impl Fn(&T) -> bool) -> usize {
        let within =
            |shard: &Mutex<HashMap<u64, Arc<T>>>| lock(shard).values().filter(|item| is(item)).count();
        self.shards.iter().map(within).sum()
    }

    fn shard(&self, number: u64) -> MutexGuard<'_, HashMap<u64, Arc<T>>> {
        lock(&self.shards[number as usize % SHARDS])
    }
}

impl<T> Default for Roll<T> {
    fn default() -> Roll<T> {
        Roll { shards: std::array::from_fn(|_| Mutex::default()), next: AtomicU64::new(0) }
    }
}

impl<T> Deref for Present<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T> Drop for Present<T> {
    fn drop(&mut self) {
        let left = self.roll.shard(self.number).remove(&self.number);
        // What it drops with it may come here again: not under the lock.
        drop(left);
    }
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    // No holder changes anything half.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_there_while_it_is_held() {
        let roll = Arc::new(Roll::default());
        let mut held: Vec<_> = (0..100).map(|number| roll.enter(number)).collect();
        assert_eq!((roll.count(|_| true), roll.count(|number| number % 4 == 0)), (100, 25));
        assert_eq!(*held[7], 7);
        held.retain(|number| **number < 10);
        assert_eq!((roll.count(|_| true), roll.count(|number| number % 4 == 0)), (10, 3));
    }
}
