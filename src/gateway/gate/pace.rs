//! How fast a body has to come: never longer than so long a pause, and on the average so many bytes a second.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::limits::ClientLimits;

/// The average counts from here on: a first byte may take its time.
const GRACE: Duration = Duration::from_secs(10);

/// A body under way.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    began: Instant,
    last: Instant,
    bytes: u64,
    pause: Duration,
    /// 0: any.
    rate: u64,
}

impl Pace {
    /// A body that begins now.
    pub fn begin(limits: &ClientLimits) -> Pace {
        let now = Instant::now();
        Pace { began: now, last: now, bytes: 0, pause: limits.body_idle, rate: limits.body_rate }
    }

    /// So many bytes came.
    pub fn came(&mut self, bytes: usize) {
        self.last = Instant::now();
        self.bytes += bytes as u64;
    }

    /// The same body once so many bytes have come, the last of them then.
    pub fn after(self, bytes: u64, last: Instant) -> Pace {
        Pace { bytes, last, ..self }
    }

    /// When the next bytes have to be there.
    pub fn deadline(&self) -> Instant {
        let pause = self.last + self.pause;
        match self.bytes.checked_div(self.rate) {
            // A century is as good as no end, and no instant overflows.
            Some(seconds) => pause.min(self.began + GRACE + Duration::from_secs(seconds.min(1 << 31))),
            None => pause,
        }
    }

    /// The same body, while nobody reads it: that is not the client's time.
    pub fn resume(&mut self) {
        let waited = self.last.elapsed();
        self.began += waited;
        self.last += waited;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_and_a_slow_average_both_end_a_body() {
        let limits =
            ClientLimits { body_idle: Duration::from_secs(30), body_rate: 100, ..ClientLimits::default() };
        let begin = Instant::now();
        let mut pace = Pace::begin(&limits);
        assert_eq!(pace.deadline() - begin, GRACE, "nothing came");
        pace.came(1_000);
        assert_eq!(
            pace.deadline() - begin,
            Duration::from_secs(20),
            "a thousand bytes are worth ten seconds"
        );
        pace.came(1_000_000);
        assert_eq!(pace.deadline() - begin, Duration::from_secs(30), "no pause is longer");
        tokio::time::advance(Duration::from_secs(5)).await;
        pace.resume();
        assert_eq!(pace.deadline() - begin, Duration::from_secs(35), "nobody read for five");
        let any = Pace::begin(&ClientLimits { body_rate: 0, ..limits });
        assert_eq!(any.deadline() - any.began, Duration::from_secs(30));
    }
}
