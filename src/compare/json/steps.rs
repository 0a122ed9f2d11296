//! Counts the steps of a comparison, so that a test can say that they are bounded. Outside of tests it does nothing.

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Counts steps.
#[inline]
pub(super) fn add(_steps: usize) {
    #[cfg(test)]
    STEPS.set(STEPS.get() + _steps as u64);
}

/// Steps of this thread since the last call.
#[cfg(test)]
pub(in crate::compare) fn taken() -> u64 {
    STEPS.take()
}
