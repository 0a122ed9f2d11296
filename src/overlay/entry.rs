//! One change by hand, with who made it, when, why and until when; and its JSON, in `overlay.json` and in the API alike.
//!
//! An entry that exists is within its bounds: the only ways in check them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value as Json};

use super::change::{Change, Kind, check_name, take_text};
use crate::config::suggest;

/// Most characters of [`Entry::why`].
pub const LONGEST_WHY: usize = 500;

/// Most characters of [`Entry::by`].
pub const LONGEST_BY: usize = 128;

/// The last second that RFC 3339 can write: 9999-12-31T23:59:59Z.
const LAST_SECOND: i64 = 253_402_300_799;

/// The names of an entry's JSON, for "did you mean".
const FIELDS: [&str; 11] =
    ["flag", "kind", "variant", "value", "shares", "state", "definition", "by", "at", "why", "until"];

/// One operator's change of one flag.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Map<String, Json>")]
pub struct Entry {
    flag: Arc<str>,
    change: Change,
    by: String,
    at: i64,
    why: String,
    until: Option<i64>,
}

/// Why something is no entry: one sentence that names the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    /// In words.
    pub fn new(found: impl Into<String>) -> Invalid {
        Invalid(found.into())
    }
}

impl Entry {
    /// Checks the bounds: `by` 1 to 128 characters, `why` at most 500, neither with control characters; `at` and `until` Unix seconds
    /// from 1970 to 9999, `until` after `at`.
    pub fn new(
        flag: &str,
        change: Change,
        by: &str,
        at: i64,
        why: &str,
        until: Option<i64>,
    ) -> Result<Entry, Invalid> {
        check_name("flag", flag)?;
        check_text("by", by, LONGEST_BY)?;
        check_text("why", why, LONGEST_WHY)?;
        if by.is_empty() {
            return Err(Invalid::new("`by` is empty"));
        }
        if !(0..=LAST_SECOND).contains(&at) || until.is_some_and(|until| until > LAST_SECOND) {
            return Err(Invalid::new("a time is not within the years 1970 to 9999"));
        }
        if until.is_some_and(|until| until <= at) {
            return Err(Invalid::new("`until` is not after `at`"));
        }
        Ok(Entry { flag: flag.into(), change, by: by.to_owned(), at, why: why.to_owned(), until })
    }

    /// The key of the flag.
    pub fn flag(&self) -> &Arc<str> {
        &self.flag
    }

    /// What is done to it.
    pub fn change(&self) -> &Change {
        &self.change
    }

    /// What sort of change it is.
    pub fn kind(&self) -> Kind {
        self.change.kind()
    }

    /// Who did it.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// When, in Unix seconds.
    pub fn at(&self) -> i64 {
        self.at
    }

    /// Why; may be empty.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// When it releases itself, in Unix seconds; none: it stands until released.
    pub fn until(&self) -> Option<i64> {
        self.until
    }

    /// Whether its time is over.
    pub fn expired(&self, now: i64) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("flag", &self.flag)?;
        for (name, value) in self.change.fields() {
            map.serialize_entry(name, &value)?;
        }
        map.serialize_entry("by", &self.by)?;
        map.serialize_entry("at", &Time(self.at))?;
        map.serialize_entry("why", &self.why)?;
        map.serialize_entry("until", &self.until.map(Time))?;
        map.end()
    }
}

impl TryFrom<Map<String, Json>> for Entry {
    type Error = Invalid;

    fn try_from(mut fields: Map<String, Json>) -> Result<Entry, Invalid> {
        let flag = take_text(&mut fields, "flag")?;
        let change = Change::take(&mut fields)?;
        let by = take_text(&mut fields, "by")?;
        let at = time("at", &take_text(&mut fields, "at")?)?;
        let why = if fields.contains_key("why") { take_text(&mut fields, "why")? } else { String::new() };
        let until = match fields.remove("until") {
            None | Some(Json::Null) => None,
            Some(Json::String(text)) => Some(time("until", &text)?),
            Some(_) => return Err(Invalid::new("`until` is neither a time nor null")),
        };
        // A misspelt `until` would make a change for ever of one for an hour.
        if let Some(name) = fields.keys().next() {
            let near = suggest(name, FIELDS).filter(|near| near != name);
            let near = near.map(|near| format!("; did you mean `{near}`?"));
            let near = near.unwrap_or_else(|| format!(" of a {}", change.kind()));
            return Err(Invalid::new(format!("`{name}` is no field{near}")));
        }
        Entry::new(&flag, change, &by, at, &why, until)
    }
}

/// Unix seconds within the bounds of an entry, shown as RFC 3339: `2026-12-03T10:00:00Z`.
struct Time(i64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&rfc3339(self.0))
    }
}

/// Unix seconds as RFC 3339; a time outside the years 1970 to 9999 is shown as the nearest one inside.
pub fn rfc3339(seconds: i64) -> impl fmt::Display {
    // Not negative after the clamp.
    let seconds = seconds.clamp(0, LAST_SECOND) as u64;
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

fn time(field: &str, text: &str) -> Result<i64, Invalid> {
    let time = humantime::parse_rfc3339(text).ok();
    let seconds = time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    match seconds {
        // At most the year 9999.
        Some(seconds) => Ok(seconds.as_secs() as i64),
        None => Err(Invalid::new(format!("`{field}` is no time in UTC such as \"2026-12-03T10:00:00Z\""))),
    }
}

fn check_text(field: &str, text: &str, longest: usize) -> Result<(), Invalid> {
    let length = text.chars().count();
    if length > longest {
        return Err(Invalid::new(format!("`{field}` has {length} characters, at most {longest} are kept")));
    }
    if text.chars().any(char::is_control) {
        return Err(Invalid::new(format!("`{field}` has a control character or a line break")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flag::FlagState;
    use serde_json::json;

    const KILL: &str = r#"{"flag":"checkout-version","kind":"kill","variant":"stable","value":"stable","by":"ann","at":"2026-11-23T06:26:40Z","why":"5xx","until":null}"#;

    #[test]
    fn entries_are_written_as_they_are_read() {
        for text in [
            KILL,
            r#"{"flag":"f","kind":"kill","variant":"off","value":null,"by":"ann","at":"1970-01-01T00:00:00Z","why":"","until":"9999-12-31T23:59:59Z"}"#,
            r#"{"flag":"f","kind":"weight","shares":{"beta":"0.5%","canary":"5%"},"by":"ann","at":"2026-11-23T06:26:40Z","why":"wider","until":null}"#,
            r#"{"flag":"f","kind":"state","state":"DISABLED","by":"ann","at":"2026-11-23T06:26:40Z","why":"","until":null}"#,
            r#"{"flag":"f","kind":"set","definition":{"state":"ENABLED","variants":{"a":0.1}},"by":"ann","at":"2026-11-23T06:26:40Z","why":"","until":null}"#,
        ] {
            let entry: Entry = serde_json::from_str(text).expect(text);
            assert_eq!(serde_json::to_string(&entry).expect("it is JSON"), text);
        }
        let entry: Entry = serde_json::from_str(KILL).expect("it is an entry");
        assert_eq!((entry.at(), entry.until(), entry.kind()), (1_795_415_200, None, Kind::Kill));
    }

    #[test]
    fn what_is_no_entry_is_told_by_its_field() {
        let with = |field: &str, value: Json| {
            let mut entry: Json = serde_json::from_str(KILL).expect("it is JSON");
            entry[field] = value;
            entry
        };
        let without = |field: &str| {
            let mut entry: Map<String, Json> = serde_json::from_str(KILL).expect("it is JSON");
            entry.remove(field);
            Json::Object(entry)
        };
        for (entry, told) in [
            (without("flag"), "there is no `flag`"),
            (without("value"), "a kill has no `value`: the variant's own"),
            (
                with("flag", json!("")),
                "`flag` has a name that is not 1 to 256 bytes without control characters",
            ),
            (
                with("variant", json!("a\nb")),
                "`variant` has a name that is not 1 to 256 bytes without control characters",
            ),
            (
                with("variant", json!("é".repeat(129))),
                "`variant` has a name that is not 1 to 256 bytes without control characters",
            ),
            (
                with("kind", json!("kil")),
                "`kind` is \"kil\", none of kill, weight, state, set; did you mean \"kill\"?",
            ),
            (with("kind", json!("set")), "a set needs `definition`, an object as flagd writes a flag"),
            (with("kind", json!(1)), "`kind` is no text"),
            (with("by", json!("")), "`by` is empty"),
            (with("by", json!("é".repeat(129))), "`by` has 129 characters, at most 128 are kept"),
            (with("why", json!("é".repeat(501))), "`why` has 501 characters, at most 500 are kept"),
            (with("why", json!("a\u{1b}[2J")), "`why` has a control character or a line break"),
            (with("at", json!(1795350000)), "`at` is no text"),
            (with("at", json!("2026-12-03")), "`at` is no time in UTC such as \"2026-12-03T10:00:00Z\""),
            (with("until", json!("2h")), "`until` is no time in UTC such as \"2026-12-03T10:00:00Z\""),
            (with("until", json!("2026-11-23T06:26:40Z")), "`until` is not after `at`"),
            (with("untill", json!("2026-11-24T06:26:40Z")), "`untill` is no field; did you mean `until`?"),
            (with("state", json!("ENABLED")), "`state` is no field of a kill"),
        ] {
            let error = serde_json::from_value::<Entry>(entry.clone()).expect_err("it is refused");
            assert_eq!(error.to_string(), told, "{entry}");
        }
    }

    #[test]
    fn weights_and_states_are_checked() {
        let read = |fields: Json| {
            let Json::Object(mut fields) = fields else { panic!("an object") };
            Change::take(&mut fields).map_err(|error| error.to_string())
        };
        for (fields, told) in [
            (json!({"kind": "weight"}), "a weight needs `shares`, such as {\"canary\": \"5%\"}"),
            (
                json!({"kind": "weight", "shares": {}}),
                "a weight needs `shares`, such as {\"canary\": \"5%\"}",
            ),
            (
                json!({"kind": "weight", "shares": {"a": "5"}}),
                "`shares`: the share `5` has no `%`; expected `5%`",
            ),
            (
                json!({"kind": "weight", "shares": {"a": 5}}),
                "`shares`: the share 5 is no text such as \"5%\"",
            ),
            (
                json!({"kind": "state", "state": "on"}),
                "`state` is \"on\", neither \"ENABLED\" nor \"DISABLED\"",
            ),
        ] {
            assert_eq!(read(fields).expect_err("it is refused"), told);
        }
    }

    #[test]
    fn an_entry_is_over_at_its_last_second() {
        let entry =
            Entry::new("f", Change::State(FlagState::Enabled), "ann", 5, "", Some(10)).expect("it is good");
        assert_eq!([9, 10, 11].map(|now| entry.expired(now)), [false, true, true]);
        let forever =
            Entry::new("f", Change::State(FlagState::Enabled), "ann", 5, "", None).expect("it is good");
        assert!(!forever.expired(i64::MAX));
    }
}
