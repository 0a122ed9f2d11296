//! What is asked of the audit, and which records answer it.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::Record;

/// Records of an answer, when nothing is said, and at most.
const USUAL: usize = 100;
const MOST: usize = 10_000;

/// Clocks are set back by less than this: what is older is not followed by something newer.
const SET_BACK: Duration = Duration::from_secs(24 * 60 * 60);

/// What is asked of the audit; an absent part asks for all.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Query {
    /// Of this flag.
    pub flag: Option<String>,
    /// By this operator.
    pub by: Option<String>,
    /// From this time on: RFC 3339, or a duration back from now such as `2h`.
    pub since: Option<String>,
    /// `accepted` or `refused`.
    pub outcome: Option<String>,
    /// The newest so many; default 100, at most 10,000.
    pub limit: Option<usize>,
}

/// A query that was understood.
#[derive(Debug, Clone)]
pub struct Filter {
    flag: Option<String>,
    by: Option<String>,
    since: Option<Since>,
    accepted: Option<bool>,
    /// Records of the answer.
    pub(super) limit: usize,
}

/// Times as records write them: their order is that of the texts.
#[derive(Debug, Clone)]
struct Since {
    first: String,
    /// Behind a record from before this, nothing is looked for.
    stop: String,
}

impl Query {
    /// Understands it; `now` is what a duration counts back from. `Err`: one sentence for whoever asks.
    pub fn filter(&self, now: SystemTime) -> Result<Filter, String> {
        let accepted = match self.outcome.as_deref() {
            None => None,
            Some("accepted") => Some(true),
            Some("refused") => Some(false),
            Some(other) => {
                return Err(format!("`outcome` is {other:?}; expected `accepted` or `refused`"));
            }
        };
        Ok(Filter {
            flag: self.flag.clone(),
            by: self.by.clone(),
            since: self.since.as_deref().map(|since| Since::parse(since, now)).transpose()?,
            accepted,
            limit: self.limit.unwrap_or(USUAL).min(MOST),
        })
    }
}

impl Filter {
    /// Whether a record is asked for.
    pub fn takes(&self, record: &Record) -> bool {
        self.flag.as_ref().is_none_or(|flag| *flag == record.flag)
            && self.by.as_ref().is_none_or(|by| *by == record.by)
            && self.accepted.is_none_or(|accepted| accepted == record.accepted)
            && self.since.as_ref().is_none_or(|since| since.first <= record.time)
    }

    /// Whether nothing older than this record is asked for.
    pub(super) fn ends_at(&self, record: &Record) -> bool {
        self.since.as_ref().is_some_and(|since| record.time < since.stop)
    }
}

impl Since {
    fn parse(text: &str, now: SystemTime) -> Result<Since, String> {
        let back = |by| now.checked_sub(by).filter(|time| *time >= SystemTime::UNIX_EPOCH);
        let first = match humantime::parse_duration(text) {
            // Longer ago than there are times: from the beginning.
            Ok(duration) => back(duration).unwrap_or(SystemTime::UNIX_EPOCH),
            Err(_) => humantime::parse_rfc3339(text).map_err(|_| {
                format!(
                    "`since` is {text:?}; expected a duration such as `2h`, or a time in UTC such as `2026-12-03T10:00:00Z`"
                )
            })?,
        };
        let stop = first.checked_sub(SET_BACK).filter(|time| *time >= SystemTime::UNIX_EPOCH);
        let written = |time| humantime::format_rfc3339_millis(time).to_string();
        Ok(Since { first: written(first), stop: written(stop.unwrap_or(SystemTime::UNIX_EPOCH)) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::record;
    use super::*;

    fn now() -> SystemTime {
        humantime::parse_rfc3339("2026-11-24T12:00:00Z").unwrap()
    }

    fn asked(change: impl FnOnce(&mut Query)) -> Filter {
        let mut query = Query::default();
        change(&mut query);
        query.filter(now()).unwrap()
    }

    #[test]
    fn each_part_narrows_what_is_taken() {
        let taken = |filter: &Filter| {
            let records = [
                record(|_| ()),
                record(|record| record.flag = "b".to_owned()),
                record(|record| record.by = "bob".to_owned()),
                record(|record| record.accepted = false),
                record(|record| record.time = "2026-11-24T09:59:59.999Z".to_owned()),
                record(|record| record.time = "2026-11-24T10:00:00.000Z".to_owned()),
            ];
            records.map(|record| if filter.takes(&record) { 'x' } else { '-' }).iter().collect::<String>()
        };
        let text = |text: &str| Some(text.to_owned());
        for (filter, expected) in [
            (asked(|_| ()), "xxxxxx"),
            (asked(|query| query.flag = text("a")), "x-xxxx"),
            (asked(|query| query.by = text("bob")), "--x---"),
            (asked(|query| query.outcome = text("accepted")), "xxx-xx"),
            (asked(|query| query.outcome = text("refused")), "---x--"),
            (asked(|query| query.since = text("2h")), "xxxx-x"),
            (asked(|query| query.since = text("2026-11-24T10:00:00Z")), "xxxx-x"),
            (asked(|query| query.since = text("2026-11-24T10:00:00.001Z")), "xxxx--"),
            (asked(|query| query.since = text("500y")), "xxxxxx"),
        ] {
            assert_eq!(taken(&filter), expected, "{filter:?}");
        }
    }

    #[test]
    fn a_search_ends_where_no_clock_was_set_back_so_far() {
        let filter = asked(|query| query.since = Some("2h".to_owned()));
        let ends = |time: &str| filter.ends_at(&record(|record| record.time = time.to_owned()));
        assert!(!ends("2026-11-24T09:00:00.000Z") && !ends("2026-11-23T10:00:00.000Z"));
        assert!(ends("2026-11-23T09:59:59.999Z"));
        assert!(!asked(|_| ()).ends_at(&record(|record| record.time = String::new())));
    }

    #[test]
    fn what_is_not_understood_is_told_with_what_is() {
        for (query, told) in [
            (
                Query { outcome: Some("denied".to_owned()), ..Query::default() },
                "`outcome` is \"denied\"; expected `accepted` or `refused`",
            ),
            (
                Query { since: Some("yesterday\u{1b}".to_owned()), ..Query::default() },
                "`since` is \"yesterday\\u{1b}\"; expected a duration such as `2h`, or a time in UTC such as `2026-12-03T10:00:00Z`",
            ),
        ] {
            assert_eq!(query.filter(now()).unwrap_err(), told);
        }
    }

    #[test]
    fn a_limit_is_usual_asked_for_or_the_most() {
        let limit = |limit| asked(|query| query.limit = limit).limit;
        assert_eq!([None, Some(0), Some(7), Some(usize::MAX)].map(limit), [100, 0, 7, 10_000]);
    }
}
