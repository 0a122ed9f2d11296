//! Fail points: the process dies between two steps of a write, so that a test can see what a crash there leaves behind.
//!
//! Only builds with debug assertions have them; a release passes every point.

/// Where to die, as `<what>.<step>:<n>`: at the n-th passing of `overlay.temp`, `overlay.fsync`, `overlay.rename`,
/// `overlay.folder`, `audit.append` or `audit.fsync`.
#[cfg(debug_assertions)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    name: String,
    passing: u64,
}

#[cfg(debug_assertions)]
mod armed {
    use std::str::FromStr;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Point;

    static ARMED: OnceLock<(Point, AtomicU64)> = OnceLock::new();

    impl FromStr for Point {
        type Err = String;

        fn from_str(text: &str) -> Result<Point, String> {
            let (name, passing) = text.split_once(':').unwrap_or((text, "1"));
            let passing = passing.parse().ok().filter(|passing| *passing > 0);
            match passing.filter(|_| name.contains('.')) {
                Some(passing) => Ok(Point { name: name.to_owned(), passing }),
                None => Err(format!("`{text}` is no fail point; expected something like overlay.rename:1")),
            }
        }
    }

    impl Point {
        /// This process dies there. The first call counts.
        pub fn arm(self) {
            let _ = ARMED.set((self, AtomicU64::new(0)));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "to die here, as by kill -9, is what it was asked for")]
    pub fn pass(what: &str, step: &str) {
        let Some((point, passed)) = ARMED.get() else { return };
        let here = point.name.split_once('.') == Some((what, step));
        if here && passed.fetch_add(1, Ordering::Relaxed) + 1 == point.passing {
            std::process::abort();
        }
    }
}

#[cfg(debug_assertions)]
pub(super) use armed::pass;

/// A release passes every point.
#[cfg(not(debug_assertions))]
pub(super) fn pass(_what: &str, _step: &str) {}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[test]
    fn points_are_a_name_and_a_count() {
        let point = |name: &str, passing| Ok(Point { name: name.to_owned(), passing });
        assert_eq!("overlay.temp:3".parse(), point("overlay.temp", 3));
        assert_eq!("audit.append".parse(), point("audit.append", 1));
        for wrong in ["", "overlay", "overlay.temp:0", "overlay.temp:x", "overlay.temp:"] {
            assert!(wrong.parse::<Point>().unwrap_err().contains("overlay.rename:1"), "{wrong}");
        }
    }
}
