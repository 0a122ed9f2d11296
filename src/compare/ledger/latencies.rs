//! Both distributions of the time to the first byte.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::compare::report::{Latency, Quantiles};

#[derive(Debug)]
pub(super) struct Latencies {
    original: Histogram<u64>,
    shadow: Histogram<u64>,
    slower_by: Duration,
    /// Requests in which the shadow was slower by more than that.
    slower: u64,
}

impl Latencies {
    pub(super) fn new(slower_by: Duration) -> Latencies {
        Latencies { original: histogram(), shadow: histogram(), slower_by, slower: 0 }
    }

    pub(super) fn take(&mut self, (original, shadow): (Duration, Duration)) {
        self.original.saturating_record(micros(original));
        self.shadow.saturating_record(micros(shadow));
        self.slower += u64::from(shadow > original.saturating_add(self.slower_by));
    }

    /// None: there is nothing.
    pub(super) fn tell(&self) -> Option<Latency> {
        (!self.original.is_empty()).then(|| Latency {
            original: quantiles(&self.original),
            shadow: quantiles(&self.shadow),
            slower_by: self.slower_by.as_secs_f64(),
            slower: self.slower as f64 / self.original.len() as f64,
        })
    }

    pub(super) fn reset(&mut self) {
        self.original.reset();
        self.shadow.reset();
        self.slower = 0;
    }
}

/// Longer waits count as this.
const LONGEST: Duration = Duration::from_secs(600);

/// Microseconds with three digits: 160 KiB.
fn histogram() -> Histogram<u64> {
    // It refuses bounds that contradict each other and digits beyond five: these are fine.
    #[expect(clippy::expect_used, reason = "the bounds are constants")]
    Histogram::new_with_bounds(1, LONGEST.as_micros() as u64, 3).expect("bounds in order")
}

fn micros(waited: Duration) -> u64 {
    u64::try_from(waited.as_micros()).unwrap_or(u64::MAX)
}

fn quantiles(histogram: &Histogram<u64>) -> Quantiles {
    let seconds = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
    Quantiles { p50: seconds(0.5), p90: seconds(0.9), p95: seconds(0.95), p99: seconds(0.99) }
}
