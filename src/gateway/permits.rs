//! What the requests of one version hold at once, counted and limited. What a request holds it frees when it is dropped, however it ends.
//!
//! No lock and no queue: what finds no room is refused at once, as waiting would only hold more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A live request.
    Request,
    /// One that has no answer yet.
    Unanswered,
    /// A connection that is being made.
    Pending,
    /// One that waits for the rest of a client's body.
    WaitingBody,
    /// A request that is at another than its first endpoint.
    Retry,
}

/// How many of each kind are held.
#[derive(Debug, Default)]
pub struct Counts([AtomicUsize; 5]);

/// What one request holds.
#[derive(Debug)]
pub struct Permits {
    counts: Arc<Counts>,
    /// A bit for each [`Kind`].
    held: u8,
}

impl Kind {
    /// In metrics, and in the configuration.
    pub const fn label(self) -> &'static str {
        match self {
            Kind::Request => "requests",
            Kind::Unanswered => "unanswered",
            Kind::Pending => "pending",
            Kind::WaitingBody => "waiting_bodies",
            Kind::Retry => "retries",
        }
    }
}

impl Counts {
    pub fn of(&self, kind: Kind) -> usize {
        self.0[kind as usize].load(Relaxed)
    }
}

impl Permits {
    /// Nothing is held yet.
    pub fn new(counts: &Arc<Counts>) -> Permits {
        Permits { counts: Arc::clone(counts), held: 0 }
    }

    /// Takes one of a kind, unless as many are held as there may be; one that it has already it keeps.
    pub fn take(&mut self, kind: Kind, limit: Option<usize>) -> bool {
        if self.held & bit(kind) != 0 {
            return true;
        }
        let count = &self.counts.0[kind as usize];
        if count.fetch_add(1, Relaxed) >= limit.unwrap_or(usize::MAX) {
            count.fetch_sub(1, Relaxed);
            return false;
        }
        self.held |= bit(kind);
        true
    }

    /// Gives back what it holds of a kind.
    pub fn free(&mut self, kind: Kind) {
        if self.held & bit(kind) != 0 {
            self.held &= !bit(kind);
            self.counts.0[kind as usize].fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Permits {
    fn drop(&mut self) {
        for (index, count) in self.counts.0.iter().enumerate() {
            if self.held & 1 << index != 0 {
                count.fetch_sub(1, Relaxed);
            }
        }
    }
}

const fn bit(kind: Kind) -> u8 {
    1 << kind as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_held_as_may_be_and_what_is_held_is_freed_once() {
        let counts = Arc::new(Counts::default());
        let [mut first, mut second] = [0; 2].map(|_| Permits::new(&counts));
        assert!(
            first.take(Kind::Pending, Some(1)) && first.take(Kind::Pending, Some(1)),
            "it has it already"
        );
        assert!(!second.take(Kind::Pending, Some(1)));
        assert!(second.take(Kind::Request, None) && second.take(Kind::Retry, Some(1)));
        assert!(!Permits::new(&counts).take(Kind::Unanswered, Some(0)));
        first.free(Kind::Pending);
        first.free(Kind::Pending);
        assert_eq!(counts.of(Kind::Pending), 0);
        assert!(second.take(Kind::Pending, Some(1)));
        drop((first, second));
        for kind in [Kind::Request, Kind::Unanswered, Kind::Pending, Kind::WaitingBody, Kind::Retry] {
            assert_eq!(counts.of(kind), 0, "{kind:?}");
        }
    }

    #[test]
    fn threads_together_never_hold_more() {
        let (counts, holding) = (Arc::new(Counts::default()), AtomicUsize::new(0));
        let most = std::thread::scope(|scope| {
            let work = || {
                let held = (0..20_000).filter_map(|_| {
                    let mut permits = Permits::new(&counts);
                    permits.take(Kind::Request, Some(2)).then(|| {
                        let held = holding.fetch_add(1, Relaxed) + 1;
                        holding.fetch_sub(1, Relaxed);
                        held
                    })
                });
                held.max().unwrap_or(0)
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).max()
        });
        assert!(most.is_some_and(|most| (1..=2).contains(&most)), "{most:?} held at once");
        assert_eq!(counts.of(Kind::Request), 0);
    }
}
