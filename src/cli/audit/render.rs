//! Records for people: a line each under its day, the newest first.

use std::fmt::Write;

use serde_json::Value;

use crate::cli::output::text::{columns, cut, plain};
use crate::cli::output::{BAD, FAINT, STRONG, paint};
use crate::source::audit::Record;

/// Columns that names have at most, so that there is room for what was done.
const NAME: usize = 14;
const FLAG: usize = 24;
const ACTION: usize = 9;

/// The whole text, in lines of `width` columns; times are UTC, as records have them.
pub fn render(records: &[Record], width: usize) -> String {
    if records.is_empty() {
        return "there is no such record\n".to_owned();
    }
    let longest = |text: fn(&Record) -> &str, most: usize| {
        let widths = records.iter().map(|record| columns(&plain(text(record))));
        widths.max().unwrap_or_default().clamp(1, most)
    };
    let widths = [
        longest(|record| &record.by, NAME),
        longest(|record| &record.action, ACTION),
        longest(|record| &record.flag, FLAG),
    ];
    let mut out = String::new();
    let mut day = "";
    for record in records {
        let (date, time) = record.time.split_once('T').unwrap_or((&record.time, ""));
        if date != day {
            day = date;
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{}", paint(STRONG, format_args!("{}, UTC", cut(date, 10))));
        }
        let _ = write(record, time, widths, width, &mut out);
    }
    out
}

fn write(
    record: &Record,
    time: &str,
    widths: [usize; 3],
    width: usize,
    out: &mut String,
) -> std::fmt::Result {
    let mut line = cut(time.split(['.', 'Z']).next().unwrap_or(time), 8);
    // Who has no right is not always known.
    let by = if record.by.is_empty() { "-" } else { &record.by };
    for (text, width) in [by, &record.action, &record.flag].into_iter().zip(widths) {
        let text = cut(text, width);
        let gap = width - columns(&text);
        write!(line, "  {text}{:gap$}", "")?;
    }
    // A narrow terminal breaks the line: some of what was done is worth it.
    let left = width.saturating_sub(columns(&line) + 2).max(20);
    let (done, why) = match record.accepted {
        true => (change(record), &*record.why),
        false => (format!("refused {}", record.status), record.problem.as_deref().unwrap_or_default()),
    };
    let done = plain(&done);
    let told = if why.is_empty() { done.clone() } else { format!("{done}: {why}") };
    let told = cut(&told, left);
    let (done, why) = if told.starts_with(&done) { told.split_at(done.len()) } else { (&*told, "") };
    let done = if record.accepted { done.to_owned() } else { paint(BAD, done) };
    writeln!(out, "{line}  {done}{}", paint(FAINT, why))
}

/// What of the flag's entries is another: `none -> kill stable until 14:00`, where that is on the day of the record.
fn change(record: &Record) -> String {
    let day = record.time.split_inclusive('T').next().unwrap_or_default();
    let (before, after) = (entries(record.before.as_ref()), entries(record.after.as_ref()));
    let was = before.iter().filter(|entry| !after.contains(entry)).map(short);
    let is =
        after.iter().filter(|entry| !before.contains(entry)).map(|entry| short(entry) + &until(entry, day));
    let list = |entries: Vec<String>| match entries.is_empty() {
        true => "none".to_owned(),
        false => entries.join(", "),
    };
    format!("{} -> {}", list(was.collect()), list(is.collect()))
}

/// The entries; where they were left out, the note.
fn entries(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(entries)) => entries.iter().collect(),
        Some(one) => vec![one],
    }
}

/// An entry in a few words.
fn short(entry: &&Value) -> String {
    let text = |field: &str| entry[field].as_str().unwrap_or("?");
    match entry["kind"].as_str() {
        Some("kill") => format!("kill {}", text("variant")),
        Some("state") => text("state").to_owned(),
        Some("weight") => {
            let shares = entry["shares"].as_object().into_iter().flatten();
            let share =
                |(variant, share): (&String, &Value)| format!("{variant} {}", share.as_str().unwrap_or("?"));
            shares.map(share).collect::<Vec<_>>().join(" ")
        }
        Some(kind) => kind.to_owned(),
        None => entry.as_str().unwrap_or("?").to_owned(),
    }
}

/// When an entry releases itself, to the minute.
fn until(entry: &Value, day: &str) -> String {
    let Some(until) = entry["until"].as_str() else { return String::new() };
    let until = until.strip_prefix(day).unwrap_or(until);
    let minutes = until.rsplit_once(':').map_or(until, |(minutes, _)| minutes);
    format!(" until {}", minutes.replace('T', " "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::overlay::{Change, Entry};
    use crate::source::audit::record;

    fn entries(changes: Vec<&(Change, Option<i64>)>) -> Option<Value> {
        let entry = |(change, until): &(Change, Option<i64>)| {
            Entry::new("checkout-version", change.clone(), "ann", 1_795_500_000, "", *until).unwrap()
        };
        Some(json!(changes.into_iter().map(entry).collect::<Vec<_>>()))
    }

    fn shown(records: &[Record], width: usize) -> String {
        anstream::adapter::strip_str(&render(records, width)).to_string()
    }

    #[test]
    fn each_record_is_a_line_under_its_day() {
        let kill = (Change::Kill { variant: "stable".to_owned(), value: "stable".into() }, None);
        let for_a_while = (kill.0.clone(), Some(1_795_528_800));
        let five = (Change::Weight([("canary".into(), "5%".parse().unwrap())].into()), None);
        let ten = (Change::Weight([("canary".into(), "10%".parse().unwrap())].into()), None);
        let off = (Change::State(crate::flag::FlagState::Disabled), None);
        let set = (Change::Set(json!({"state": "ENABLED", "variants": {"a": 1}})), None);
        let made = |time: &str, action: &str, before, after| {
            record(|record| {
                (record.time, record.action) = (time.to_owned(), action.to_owned());
                (record.flag, record.why) = ("checkout-version".to_owned(), String::new());
                (record.before, record.after) = (entries(before), entries(after));
            })
        };
        let mut records = [
            made("2026-11-24T12:00:00.000Z", "release", vec![&five, &kill], vec![&five]),
            made("2026-11-24T11:59:59.999Z", "kill", vec![&five], vec![&five, &for_a_while]),
            made("2026-11-24T01:00:00.000Z", "weight", vec![&five], vec![&ten]),
            made("2026-11-23T23:00:00.000Z", "replace", vec![&five], vec![&off, &set]),
            made("2026-11-23T22:00:00.000Z", "kill", vec![], vec![&kill]),
            made("2026-11-23T21:00:00.000Z", "set", vec![], vec![]),
        ];
        records[1].why = "errors above 2 % since the last deploy".to_owned();
        (records[2].by, records[2].why) = ("flagway".to_owned(), "w\u{1b}ide".to_owned());
        (records[4].accepted, records[4].status) = (false, 412);
        records[4].problem = Some("the flag's ETag is another one by now".to_owned());
        records[5].after = Some("70000 bytes, left out".into());
        assert_eq!(
            shown(&records, 80),
            "\
2026-11-24, UTC
12:00:00  ann      release  checkout-version  kill stable -> none
11:59:59  ann      kill     checkout-version  none -> kill stable until 14:00: …
01:00:00  flagway  weight   checkout-version  canary 5% -> canary 10%: w\\u{1b}i…
2026-11-23, UTC
23:00:00  ann      replace  checkout-version  canary 5% -> DISABLED, set
22:00:00  ann      kill     checkout-version  refused 412: the flag's ETag is a…
21:00:00  ann      set      checkout-version  none -> 70000 bytes, left out
"
        );
        let wide = shown(&records, 200);
        assert!(wide.contains("until 14:00: errors above 2 % since the last deploy\n"), "{wide}");
        for width in [20, 40, 60, 100] {
            let narrow = shown(&records, width);
            assert!(
                !narrow.contains("……") && narrow.lines().all(|line| columns(line) <= width.max(66)),
                "{narrow}"
            );
        }
        records[1].time = "2026-11-23T11:59:59.999Z".to_owned();
        assert!(shown(&records, 200).contains("until 2026-11-24 14:00: errors"));
    }

    #[test]
    fn nothing_found_is_said() {
        assert_eq!(render(&[], 80), "there is no such record\n");
    }

    #[test]
    fn what_no_gateway_wrote_is_shown_all_the_same() {
        let odd = record(|record| {
            (record.time, record.by, record.flag) = ("noon".to_owned(), "é".repeat(99), "\u{9b}".to_owned());
            record.before = Some(json!([7, {"kind": "weight", "shares": 7}, {"kind": "kill"}]));
            record.after = Some(Value::Null);
        });
        let text = shown(&[odd], 80);
        assert!(text.contains("?, , kill ? -> none") && text.contains("\\u{9b}"), "{text}");
        assert!(text.lines().all(|line| columns(line) <= 80), "{text}");
    }
}
