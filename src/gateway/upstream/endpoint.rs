//! What is known of one endpoint, by its address: read by picking, checks, ejection and the admin view, and kept by all who share it
//! across reloads and changes of names.
//!
//! It holds facts alone. Whether a version ejects it, or how fast it may start, is the version's rule. Requests touch atomics only.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::window::Window;
use crate::telemetry::limiter::uptime;

/// How long an endpoint that refused a connection is passed over while others are there.
const REST_MILLIS: u64 = 2000;
/// The least part of its share that an endpoint gets while it starts slowly.
const LEAST: f64 = 0.1;

/// One address. Times are in [`millis`]; 0 is never.
#[derive(Debug)]
pub struct Endpoint {
    /// Where it is.
    pub address: SocketAddr,
    live: AtomicU32,
    /// Failures in a row.
    pub failures: AtomicU32,
    /// Of the last while.
    pub window: Window,
    rests_until: AtomicU64,
    ejected_until: AtomicU64,
    /// That followed soon upon each other.
    ejections: AtomicU32,
    /// Since when it starts slowly.
    warms_from: AtomicU64,
    health: AtomicU8,
    /// Checks in a row that said the other thing.
    streak: AtomicU32,
    /// What took it out last.
    why: ArcSwapOption<String>,
    /// Its standing as the log knows it.
    told: AtomicU8,
}

/// What checks said.
const UNCHECKED: u8 = 0;
const UP: u8 = 1;
const DOWN: u8 = 2;

/// What an endpoint may get just now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing {
    /// Its share.
    Serving,
    /// This part of its share.
    Warming(f64),
    /// Nothing while others are there: it took no connection a moment ago.
    Resting,
    /// Nothing: it fails requests.
    Ejected,
    /// Nothing: it fails checks.
    Down,
}

impl Standing {
    /// Labels, in the order of [`Standing::index`].
    pub const LABELS: [&str; 5] = ["serving", "warming", "resting", "ejected", "down"];

    /// Among the labels.
    pub fn index(self) -> usize {
        match self {
            Standing::Serving => 0,
            Standing::Warming(_) => 1,
            Standing::Resting => 2,
            Standing::Ejected => 3,
            Standing::Down => 4,
        }
    }

    /// For metrics, the log and the admin API.
    pub fn label(self) -> &'static str {
        Standing::LABELS[self.index()]
    }

    /// How much of its weight counts.
    pub fn part(self) -> f64 {
        match self {
            Standing::Serving => 1.0,
            Standing::Warming(part) => part,
            Standing::Resting | Standing::Ejected | Standing::Down => 0.0,
        }
    }

    /// Whether something says that it does not serve.
    pub fn is_out(self) -> bool {
        matches!(self, Standing::Ejected | Standing::Down)
    }
}

/// A live request of an endpoint, for as long as it is held.
#[derive(Debug)]
pub struct Place(Arc<Endpoint>);

/// Milliseconds of [`uptime`], never 0.
pub fn millis() -> u64 {
    uptime().as_millis() as u64 + 1
}

impl Endpoint {
    /// Nothing is known of it, so it serves.
    pub fn new(address: SocketAddr) -> Endpoint {
        Endpoint {
            address,
            live: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            window: Window::default(),
            rests_until: AtomicU64::new(0),
            ejected_until: AtomicU64::new(0),
            ejections: AtomicU32::new(0),
            warms_from: AtomicU64::new(0),
            health: AtomicU8::new(UNCHECKED),
            streak: AtomicU32::new(0),
            why: ArcSwapOption::empty(),
            told: AtomicU8::new(0),
        }
    }

    /// Takes a place for a request.
    pub fn take(self: &Arc<Self>) -> Place {
        self.live.fetch_add(1, Relaxed);
        Place(Arc::clone(self))
    }

    /// Requests under way.
    pub fn live(&self) -> u32 {
        self.live.load(Relaxed)
    }

    /// What it may get. `now` is asked only for an endpoint that something is known of.
    pub fn standing(&self, slow_start: Duration, now: impl FnOnce() -> u64) -> Standing {
        let (rests, ejected, warms) =
            (self.rests_until.load(Relaxed), self.ejected_until.load(Relaxed), self.warms_from.load(Relaxed));
        if self.health.load(Relaxed) == DOWN {
            return Standing::Down;
        }
        if rests == 0 && ejected == 0 && (warms == 0 || slow_start.is_zero()) {
            return Standing::Serving;
        }
        let now = now();
        if now < ejected {
            return Standing::Ejected;
        }
        if now < rests {
            return Standing::Resting;
        }
        let since = now.saturating_sub(warms) as f64 / slow_start.as_millis().max(1) as f64;
        if warms != 0 && !slow_start.is_zero() && since < 1.0 {
            return Standing::Warming(since.max(LEAST));
        }
        Standing::Serving
    }

    /// It refused a connection.
    pub fn rest(&self, now: u64) {
        self.rests_until.store(now + REST_MILLIS, Relaxed);
    }

    /// It is new among others, and starts slowly.
    pub fn warm(&self, now: u64) {
        self.warms_from.store(now, Relaxed);
    }

    /// Whether it is ejected.
    pub fn is_ejected(&self, now: u64) -> bool {
        now < self.ejected_until.load(Relaxed)
    }

    /// Ejects it: for `first`, and twice as long as the last time if that ended within its own length, up to `longest`. Gives how long.
    pub fn eject(&self, now: u64, first: Duration, longest: Duration, why: String) -> Duration {
        let lasting = |times: u32| first.saturating_mul(1 << times.saturating_sub(1).min(20)).min(longest);
        let before = self.ejections.load(Relaxed);
        let until = self.ejected_until.load(Relaxed);
        let soon = before > 0 && now < until + lasting(before).as_millis() as u64;
        let times = if soon { before.saturating_add(1) } else { 1 };
        let until = now + lasting(times).as_millis() as u64;
        self.ejections.store(times, Relaxed);
        self.warms_from.store(until, Relaxed);
        self.why.store(Some(Arc::new(why)));
        self.failures.store(0, Relaxed);
        self.window.clear();
        self.ejected_until.store(until, Relaxed);
        lasting(times)
    }

    /// Takes the result of a check, the error being why it failed. The first of an endpoint decides alone.
    pub fn checked(&self, result: Result<(), String>, down_after: u32, up_after: u32, now: u64) {
        let health = self.health.load(Relaxed);
        let said = if result.is_ok() { UP } else { DOWN };
        if said == health {
            self.streak.store(0, Relaxed);
        } else {
            let enough = match (health, said) {
                (UNCHECKED, _) => 1,
                (_, DOWN) => down_after,
                _ => up_after,
            };
            let streak = self.streak.load(Relaxed) + 1;
            self.streak.store(if streak < enough { streak } else { 0 }, Relaxed);
            if streak < enough {
                return;
            }
            if health == DOWN {
                self.warm(now);
            }
            self.health.store(said, Relaxed);
        }
        if let Err(why) = result {
            self.why.store(Some(Arc::new(why)));
        }
    }

    /// Nobody checks it any more.
    pub fn unchecked(&self) {
        self.health.store(UNCHECKED, Relaxed);
        self.streak.store(0, Relaxed);
    }

    /// Whether it was never checked.
    pub fn is_unchecked(&self) -> bool {
        self.health.load(Relaxed) == UNCHECKED
    }

    /// What took it out last; none: nothing ever did.
    pub fn why(&self) -> Option<Arc<String>> {
        self.why.load_full()
    }

    /// Whether the log is to be told of its standing; from now on it was.
    pub fn is_news(&self, standing: Standing) -> bool {
        self.told.swap(standing.index() as u8, Relaxed) != standing.index() as u8
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Arc<Endpoint> {
        Arc::new(Endpoint::new(([127, 0, 0, 1], 80).into()))
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn nobody_looks_at_the_clock_for_one_that_nothing_is_known_of() {
        let standing = endpoint().standing(SECOND, || unreachable!("the clock is read"));
        assert_eq!((standing, standing.part()), (Standing::Serving, 1.0));
    }

    #[test]
    fn places_are_counted_while_they_are_held() {
        let endpoint = endpoint();
        let places = [endpoint.take(), endpoint.take()];
        assert_eq!(endpoint.live(), 2);
        drop(places);
        assert_eq!(endpoint.live(), 0);
    }

    #[test]
    fn one_that_refused_rests_and_comes_back() {
        let endpoint = endpoint();
        endpoint.rest(1000);
        assert_eq!(endpoint.standing(SECOND, || 2999), Standing::Resting);
        assert_eq!(endpoint.standing(SECOND, || 3000), Standing::Serving);
    }

    #[test]
    fn an_ejection_doubles_when_the_next_follows_soon_and_a_return_is_slow() {
        let endpoint = endpoint();
        let eject = |now| endpoint.eject(now, SECOND, 5 * SECOND, "5 failures in a row".to_owned()).as_secs();
        assert_eq!(eject(1), 1);
        assert_eq!(endpoint.standing(Duration::ZERO, || 1000), Standing::Ejected);
        assert_eq!(endpoint.standing(Duration::ZERO, || 1001), Standing::Serving);
        assert_eq!(endpoint.standing(SECOND, || 1001), Standing::Warming(LEAST));
        assert_eq!(endpoint.standing(SECOND, || 1501), Standing::Warming(0.5));
        assert_eq!(endpoint.standing(SECOND, || 2001), Standing::Serving);
        // Each soon after the last: 1, 2, 4, and no more than 5.
        assert_eq!([eject(1500), eject(4000), eject(9000), eject(15_000)], [2, 4, 5, 5]);
        assert_eq!(eject(25_001), 1, "it was well for as long as it was out");
        assert_eq!(endpoint.why().as_deref().map(String::as_str), Some("5 failures in a row"));
    }

    #[test]
    fn checks_decide_after_so_many_and_the_first_alone() {
        // results (`.` passed, `x` failed), and what it is after each; down after three, up after two
        let table = [
            ("x", "d"),
            ("x.x..", "ddddu"),
            (".xxx.", "uuudd"),
            (".xx.xxx", "uuuuuud"),
            (".xxx.x..", "uuuddddu"),
        ];
        for (results, expected) in table {
            let endpoint = endpoint();
            assert!(endpoint.is_unchecked());
            let mut seen = String::new();
            for result in results.chars() {
                let result = if result == '.' { Ok(()) } else { Err("status 500".to_owned()) };
                endpoint.checked(result, 3, 2, 1);
                let is_down = endpoint.standing(Duration::ZERO, || 1) == Standing::Down;
                seen.push(if is_down { 'd' } else { 'u' });
            }
            assert_eq!(seen, expected, "{results}");
            endpoint.unchecked();
            assert_eq!(endpoint.standing(Duration::ZERO, || 1), Standing::Serving);
        }
    }

    #[test]
    fn news_are_told_once() {
        let endpoint = endpoint();
        assert!(!endpoint.is_news(Standing::Serving));
        assert!(endpoint.is_news(Standing::Down));
        assert!(!endpoint.is_news(Standing::Down));
        assert!(endpoint.is_news(Standing::Serving));
    }
}
