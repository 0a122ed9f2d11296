//! A few differences of one field as they were seen: the first one, and the latest ones after it.
//!
//! Once all places are taken, the oldest but the first gives way, at most once a second: so a field that differs in every
//! answer costs nothing, and examples are spread over time.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Observation;
use crate::compare::Difference;
use crate::compare::report::Example;

#[derive(Debug, Default)]
pub(super) struct Examples {
    kept: Vec<Example>,
    /// When the latest was taken.
    latest: Option<SystemTime>,
}

impl Examples {
    /// Takes one more, of `limit` at most.
    pub(super) fn take(&mut self, limit: usize, difference: &Difference, observation: &Observation) {
        if self.kept.len() >= limit {
            let rested = |at| observation.at.duration_since(at).is_ok_and(|since| since >= EVERY);
            if limit < 2 || !self.latest.is_some_and(rested) {
                return;
            }
            self.kept.remove(1);
        }
        self.latest = Some(observation.at);
        self.kept.push(Example {
            time: rfc3339(observation.at),
            request_id: cut(&observation.request_id).into_owned(),
            method: cut(&observation.method).into_owned(),
            path: cut(&observation.path).into_owned(),
            at: cut(&difference.at).into_owned(),
            original: difference.original.as_deref().map(|text| cut(text).into_owned()),
            shadow: difference.other.as_deref().map(|text| cut(text).into_owned()),
        });
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn to_vec(&self) -> Vec<Example> {
        self.kept.clone()
    }
}

/// Between two examples of a field, once it has enough.
const EVERY: Duration = Duration::from_secs(1);

/// Bytes of a recorded text: names and paths are as long as a version likes.
const TEXT: usize = 512;

/// At most [`TEXT`] bytes, whole characters, with a mark where something is gone.
pub(super) fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= TEXT {
        return Cow::Borrowed(text);
    }
    const MARK: &str = "…";
    Cow::Owned(format!("{}{MARK}", &text[..text.floor_char_boundary(TEXT - MARK.len())]))
}

/// A time in words, to the millisecond. A clock outside of the years 1970 to 9999 has no such words and is told as the nearest.
pub(super) fn rfc3339(time: SystemTime) -> String {
    const END: Duration = Duration::from_secs(253_402_300_799);
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default().min(END);
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Comparison, Kind};

    /// Takes an example at each of these milliseconds; which were kept?
    fn kept(limit: usize, times: &[u64]) -> Vec<String> {
        let mut examples = Examples::default();
        for time in times {
            let differs = Difference {
                path: "/a".to_owned(),
                at: "/a".to_owned(),
                kind: Kind::Changed,
                original: None,
                other: Some("é".repeat(1000)),
            };
            let observation = Observation {
                shadow: Comparison::default(),
                twin: None,
                waited: Default::default(),
                at: UNIX_EPOCH + Duration::from_millis(*time),
                request_id: time.to_string(),
                method: "M".repeat(2000),
                path: "/".repeat(512),
            };
            examples.take(limit, &differs, &observation);
        }
        for example in examples.to_vec() {
            assert_eq!(example.path.len(), 512);
            assert!(example.method.len() == 512 && example.method.ends_with("M…"), "{}", example.method);
            assert!(example.shadow.is_some_and(|text| text.len() <= 512 && text.ends_with("é…")));
        }
        examples.to_vec().into_iter().map(|example| example.request_id).collect()
    }

    #[test]
    fn the_first_stays_and_the_latest_follow() {
        for (limit, times, expected) in [
            (0, &[1, 2][..], &[][..]),
            (1, &[1, 5000], &["1"]),
            (3, &[1, 2], &["1", "2"]),
            (3, &[1, 2, 3], &["1", "2", "3"]),
            // At most one a second, once there are enough.
            (3, &[1, 2, 3, 500, 1002], &["1", "2", "3"]),
            (3, &[1, 2, 3, 500, 1003, 1004, 2003], &["1", "1003", "2003"]),
            (2, &[1, 2, 5000, 9000], &["1", "9000"]),
            // A clock that was set back.
            (2, &[9000, 8000, 7000, 10_000], &["9000", "10000"]),
        ] {
            assert_eq!(kept(limit, times), expected, "{limit} of {times:?}");
        }
    }

    #[test]
    fn every_time_has_words() {
        for (time, expected) in [
            (UNIX_EPOCH + Duration::from_millis(1_800_000_000_123), "2027-01-15T08:00:00.123Z"),
            (UNIX_EPOCH - Duration::from_secs(1), "1970-01-01T00:00:00.000Z"),
            (UNIX_EPOCH + Duration::from_secs(1 << 50), "9999-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(rfc3339(time), expected);
        }
    }
}
