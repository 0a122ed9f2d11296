//! Counters whose labels come from definitions, with a bound on how many there can ever be.
//!
//! A metric's first labels are free: whoever writes flags and routes makes them up, for years. What comes after the
//! bound is counted as [`OTHER`], so that a scrape stays small. A request never comes here twice for one counter: it
//! keeps what it got.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

use super::rare::Rare;

/// The label of everything that came after the bound.
pub(super) const OTHER: &str = "other";

/// Bytes of a label's value; longer ones are cut.
const LABEL_BYTES: usize = 128;

/// A counter with `N` labels and a bound on its series.
#[derive(Debug, Clone)]
pub(super) struct Bounded<const N: usize>(Arc<Inner<N>>);

#[derive(Debug)]
struct Inner<const N: usize> {
    counters: IntCounterVec,
    /// How many of the labels, from the first, come from definitions.
    free: usize,
    /// Series that may be made with free labels as they are.
    limit: usize,
    made: Rare<HashMap<[String; N], IntCounter>>,
}

impl<const N: usize> Bounded<N> {
    /// Registers the counter. The last labels have `fixed` combinations of values: so much of `max_series` is kept for
    /// [`OTHER`].
    pub(super) fn new(
        registry: &Registry,
        opts: Opts,
        labels: [&str; N],
        free: usize,
        fixed: usize,
        max_series: usize,
    ) -> Bounded<N> {
        // Names are our own constants: they are valid, and registered once.
        let counters = IntCounterVec::new(opts, &labels).expect("a metric's name and labels are valid");
        registry.register(Box::new(counters.clone())).expect("a metric is registered once");
        let limit = max_series.saturating_sub(fixed);
        Bounded(Arc::new(Inner { counters, free, limit, made: Rare::default() }))
    }

    /// The counter with these labels, made now if it is new and the bound allows it.
    pub(super) fn get(&self, labels: [&str; N]) -> IntCounter {
        let mut made = self.0.made.lock();
        let mut key = labels.map(|label| cut(label, LABEL_BYTES).to_owned());
        if let Some(counter) = made.get(&key) {
            return counter.clone();
        }
        if made.len() >= self.0.limit {
            key[..self.0.free].fill(OTHER.to_owned());
            return self.0.counters.with_label_values(&key);
        }
        let counter = self.0.counters.with_label_values(&key);
        made.insert(key, counter.clone());
        counter
    }

    /// Every series that was made as itself, in no order.
    pub(super) fn counts(&self) -> Vec<([String; N], u64)> {
        self.0.made.lock().iter().map(|(labels, counter)| (labels.clone(), counter.get())).collect()
    }

    /// The counter with these labels, if it was ever made as itself.
    fn existing(&self, labels: [&str; N]) -> Option<IntCounter> {
        self.0.made.lock().get(&labels.map(|label| cut(label, LABEL_BYTES).to_owned())).cloned()
    }
}

/// A counter that a snapshot's ids point to. Its series is made by the first count, so that a scrape shows no thousand zeros.
#[derive(Debug, Default)]
pub(super) struct Cell(OnceLock<IntCounter>);

impl Cell {
    /// Resolved at once if such a request was ever counted before.
    pub(super) fn new<const N: usize>(counters: &Bounded<N>, labels: [&str; N]) -> Cell {
        Cell(counters.existing(labels).map_or_else(OnceLock::new, OnceLock::from))
    }

    /// Adds one; only the first ever looks the counter up.
    pub(super) fn count<'a, const N: usize>(
        &self,
        counters: &Bounded<N>,
        labels: impl FnOnce() -> [&'a str; N],
    ) {
        self.0.get_or_init(|| counters.get(labels())).inc();
    }
}

/// The longest beginning of `text` within `bytes` that ends on a character's border.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::core::Collector;

    fn counter(max_series: usize) -> Bounded<2> {
        Bounded::new(
            &Registry::new(),
            Opts::new("things_total", "Things."),
            ["flag", "reason"],
            1,
            2,
            max_series,
        )
    }

    fn series(counter: &Bounded<2>) -> usize {
        counter.0.counters.collect()[0].get_metric().len()
    }

    #[test]
    fn what_comes_after_the_bound_is_counted_as_other_for_good() {
        let counter = counter(5);
        for round in 0..2 {
            for flag in 0..1000 {
                counter.get([&format!("flag-{flag}"), ["static", "error"][flag % 2]]).inc();
            }
            assert_eq!(series(&counter), 5, "round {round}");
        }
        assert_eq!(counter.get(["flag-0", "static"]).get(), 2, "early ones keep their own series");
        assert_eq!(counter.0.counters.with_label_values(&["other", "static"]).get(), 2 * 498);
        assert_eq!(counter.0.counters.with_label_values(&["other", "error"]).get(), 2 * 499);
    }

    #[test]
    fn a_bound_below_the_fixed_combinations_leaves_only_other() {
        let counter = counter(1);
        counter.get(["a", "static"]).inc();
        counter.get(["b", "static"]).inc();
        assert_eq!(counter.0.counters.with_label_values(&["other", "static"]).get(), 2);
        assert_eq!(series(&counter), 1);
    }

    #[test]
    fn long_labels_are_cut_between_characters() {
        assert_eq!(cut("abc", 128), "abc");
        assert_eq!(cut("aé", 2), "a");
        let counter = counter(10);
        let long = "ü".repeat(500);
        counter.get([&long, "static"]).inc();
        assert_eq!(counter.0.counters.with_label_values(&["ü".repeat(64).as_str(), "static"]).get(), 1);
    }

    #[test]
    fn a_cell_makes_its_series_with_the_first_count_and_finds_it_again() {
        let counter = counter(10);
        let cell = Cell::new(&counter, ["a", "static"]);
        assert_eq!(series(&counter), 0);
        cell.count(&counter, || ["a", "static"]);
        cell.count(&counter, || unreachable!("it is resolved"));
        Cell::new(&counter, ["a", "static"]).count(&counter, || unreachable!("it was counted before"));
        assert_eq!(counter.get(["a", "static"]).get(), 3);
    }
}
