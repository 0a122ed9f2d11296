//! The metrics and their names; one registry a process.

/// All metrics.
#[derive(Debug)]
pub struct Metrics {}

impl Metrics {
    /// Registers everything. `max_series` bounds the series of each metric whose labels come from definitions.
    pub fn new(_max_series: usize) -> Metrics {
        todo!()
    }

    /// Prometheus' text format.
    pub fn encode(&self) -> String {
        todo!()
    }
}
