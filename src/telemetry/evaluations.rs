//! How often each flag came out as what: the counters of a metric, read back for operators.
//!
//! It counts nothing, and what the metric's bound has counted as `other` is not here.

use serde::Serialize;

use super::Handles;

/// Evaluations of one flag that came out alike, since the process started.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Evaluations {
    /// The flag.
    pub flag: String,
    /// Empty: it had no value.
    pub variant: String,
    /// The label `reason`: `targeting_match`.
    pub reason: String,
    /// Whether they decided about copies only.
    pub shadow: bool,
    /// How often.
    pub count: u64,
}

impl Handles {
    /// All of them, by flag and variant.
    pub fn evaluations(&self) -> Vec<Evaluations> {
        let of = |counted: Vec<([String; 3], u64)>, shadow| {
            counted.into_iter().map(move |([flag, variant, reason], count)| Evaluations {
                flag,
                variant,
                reason,
                shadow,
                count,
            })
        };
        let (served, copied) = (self.evaluations.counts(), self.shadow_evaluations.counts());
        let mut all: Vec<Evaluations> = of(served, false).chain(of(copied, true)).collect();
        all.sort_unstable();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::super::fixture::{decided, snapshot};
    use super::*;

    #[test]
    fn what_was_counted_is_told_by_flag_and_variant() {
        let (metrics, snapshot) = (Metrics::new(100), snapshot());
        let handles = Handles::resolve(&metrics, &snapshot);
        assert_eq!(handles.evaluations(), []);
        for (path, variant) in
            [("/shop", "odd"), ("/shop", "canary"), ("/shop", "canary"), ("/copied", "canary")]
        {
            handles.decided(&decided(&snapshot, path, variant));
        }
        let told: Vec<String> = Handles::resolve(&metrics, &snapshot)
            .evaluations()
            .iter()
            .map(|one| format!("{} {} {} {} {}", one.flag, one.variant, one.reason, one.shadow, one.count))
            .collect();
        assert_eq!(
            told,
            [
                "absent  error true 1",
                "copy canary targeting_match true 1",
                "price  disabled false 3",
                "version canary targeting_match false 3",
                "version odd targeting_match false 1",
            ]
        );
    }
}
