//! Connections to upstreams that can be cut from outside while Pingora waits for them: when a head is late, after a kill, at the end.
//!
//! Pingora has one timeout for each read of an exchange, and nobody has a word with it meanwhile: a version that sends its head byte by byte
//! would be waited for as long as it likes. So each connection has a second handle of its socket, which shuts it down, and the time
//! until which a head has to be there. One task looks at all of them when the first may be late; a request pays for two stores.
//!
//! HTTP/2 needs none of it for heads: there Pingora's timeout is for all of one, and a connection carries the requests of others.

mod awaited;
mod dial;

use std::cell::Cell;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use pingora::protocols::Digest;
use pingora::upstreams::peer::HttpPeer;

use super::roll::{Present, Roll};
use crate::telemetry::limiter::uptime;
pub use awaited::Awaited;
use dial::Dial;
pub use dial::Owner;

/// Due times that are none: nothing is awaited, as no request is there or its answer has begun.
const NOTHING: u64 = u64::MAX;
/// Between two looks at all lines. Often, so that what hangs together does not fail together; seldom enough to cost nothing; and after a reload
/// another `first_byte` may hold.
const OFTEN: Duration = Duration::from_millis(4);
const SELDOM: Duration = Duration::from_millis(250);

/// All connections that can be cut. Outlives snapshots.
#[derive(Debug, Clone)]
pub struct Lines {
    roll: Arc<Roll<Line>>,
    /// Dials those that nobody owns.
    common: Arc<Dial>,
}

/// One connection.
#[derive(Debug)]
pub struct Line {
    /// Whose streams it carries; none: whoever comes.
    pub owner: Option<Owner>,
    /// Whether it has one request at a time.
    alone: bool,
    /// A second handle of its socket, which keeps it open: it goes when Pingora and the exchange let go of it.
    socket: std::net::TcpStream,
    /// Milliseconds of uptime.
    due: AtomicU64,
    cut: AtomicU8,
}

/// A line, as long as somebody has its connection.
pub type Held = Arc<Present<Line>>;

/// Why a connection was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// No head came in time.
    Late = 1,
    /// Its streams were ended by a kill.
    Kill = 2,
    /// The gateway ends.
    Stop = 3,
}

impl Lines {
    /// Has a peer dialled so that it can be cut. With an owner, it carries the streams of nobody else; a request to upgrade has it for
    /// itself.
    pub fn dial(&self, peer: &mut HttpPeer, owner: Option<Owner>, upgrade: bool) {
        let alone = peer.options.alpn.get_max_http_version() == 1;
        let gives_way = upgrade && alone;
        if owner.is_some() || gives_way {
            Dial { owner, alone, gives_way, roll: Arc::clone(&self.roll) }.set(peer);
        } else if alone {
            peer.options.custom_l4 = Some(Arc::clone(&self.common) as _);
        }
    }

    /// Cuts those whose heads are late, until the process ends. `shortest` is the shortest time that any of them may have.
    pub async fn watch(&self, shortest: impl Fn() -> Option<Duration>) {
        let mut pause = OFTEN;
        loop {
            tokio::time::sleep(pause).await;
            let now = millis(uptime());
            let next = Duration::from_millis(self.cut_late(now).saturating_sub(now));
            // What is asked meanwhile is due after the shortest time at the earliest.
            pause = next.min(shortest().unwrap_or(SELDOM)).clamp(OFTEN, SELDOM);
        }
    }

    /// Cuts those that are late; when the next ones may be.
    fn cut_late(&self, now: u64) -> u64 {
        let next = Cell::new(NOTHING);
        self.cut(Cut::Late, |line| {
            let due = line.due.load(Relaxed);
            if due >= now {
                next.set(next.get().min(due));
            }
            due < now
        });
        next.get()
    }

    /// Cuts those that `is` holds for.
    pub fn cut(&self, why: Cut, is: impl Fn(&Line) -> bool) {
        self.roll.count(|line| is(line) && line.cut(why));
    }
}

impl Default for Lines {
    fn default() -> Lines {
        let roll = Arc::default();
        let common = Dial { owner: None, alone: true, gives_way: false, roll: Arc::clone(&roll) };
        Lines { roll, common: Arc::new(common) }
    }
}

impl Line {
    fn new(owner: Option<Owner>, alone: bool, socket: std::net::TcpStream) -> Line {
        Line { owner, alone, socket, due: AtomicU64::new(NOTHING), cut: AtomicU8::new(0) }
    }

    /// The line of a connection; none: it cannot be cut.
    pub fn of(digest: &Digest) -> Option<Held> {
        digest.proxy_digest.as_ref()?.user_data.as_ref()?.downcast_ref::<Held>().cloned()
    }

    /// A head has to come within this time.
    fn await_head(&self, within: Duration) {
        if self.alone {
            self.due.store(millis(uptime().saturating_add(within)), Relaxed);
        }
    }

    /// It has come, or it is not its turn.
    fn await_nothing(&self) {
        self.due.store(NOTHING, Relaxed);
    }

    /// Why it was cut, if it was.
    fn why(&self) -> Option<Cut> {
        [Cut::Late, Cut::Kill, Cut::Stop].into_iter().find(|cut| *cut as u8 == self.cut.load(Relaxed))
    }

    /// Ends it, in both directions. Whether it was not cut before.
    fn cut(&self, why: Cut) -> bool {
        let first = self.cut.compare_exchange(0, why as u8, Relaxed, Relaxed).is_ok();
        // It may be closed already.
        let _ = self.socket.shutdown(Shutdown::Both);
        first
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(NOTHING)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn one_that_is_late_is_cut_and_knows_why() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let lines = Lines::default();
        let enter = |alone| lines.roll.enter(Line::new(None, alone, here.try_clone().unwrap()));
        let (line, shared) = (enter(true), enter(false));
        assert_eq!(lines.cut_late(NOTHING), NOTHING, "nothing is awaited");
        line.await_head(Duration::from_secs(1));
        shared.await_head(Duration::ZERO);
        let next = lines.cut_late(0);
        assert!(next != NOTHING && next >= 1000, "{next}: others use the one that would be due before");
        line.await_nothing();
        assert_eq!((lines.cut_late(NOTHING), line.why()), (NOTHING, None));
        line.await_head(Duration::ZERO);
        lines.cut_late(NOTHING);
        lines.cut(Cut::Stop, |line| line.alone);
        assert_eq!((line.why(), shared.why()), (Some(Cut::Late), None));
        assert_eq!(here.read(&mut [0]).unwrap(), 0, "it is shut down");
    }
}
