//! What happens, a line each, for whoever watches from a pipe or reads the last few on a terminal.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cli::answers::Split;
use crate::cli::client::events::Event;
use crate::cli::output::plural;
use crate::cli::output::text::plain;

/// What was told, so that only changes are.
#[derive(Debug, Default)]
pub struct News {
    /// By flag.
    shares: BTreeMap<String, String>,
}

impl News {
    /// The lines of an event, each behind its time.
    pub fn lines(&mut self, event: &Event, now: &str) -> Vec<String> {
        if event.name == "split" {
            let split: Split = serde_json::from_str(&event.data).unwrap_or_default();
            return self.changed(&split).into_iter().map(|line| format!("{now} {line}")).collect();
        }
        let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
        let record = &data["record"];
        let time = data["time"].as_str().or(record["time"].as_str()).map_or(now.to_owned(), plain);
        tell(&event.name, &data).map(|line| format!("{time} {line}")).into_iter().collect()
    }

    /// The flags whose shares, in whole percent, are others than before.
    fn changed(&mut self, split: &Split) -> Vec<String> {
        let mut lines = Vec::new();
        for flag in split.flags.keys() {
            let shares = split.shares(flag);
            if shares.is_empty() {
                continue;
            }
            let named = |(variant, share, _): &(&str, f64, u64)| {
                let variant = if variant.is_empty() { "no value".to_owned() } else { plain(variant) };
                format!("{variant} {:.0} %", share * 100.0)
            };
            let told = shares.iter().map(named).collect::<Vec<_>>().join(", ");
            if self.shares.get(flag) != Some(&told) {
                lines.push(format!("{}: {told}", plain(flag)));
                self.shares.insert(flag.clone(), told);
            }
        }
        lines
    }
}

/// An event in words; none: it is of a kind that is not known here.
fn tell(name: &str, data: &Value) -> Option<String> {
    let text = |of: &Value, name: &str| plain(of[name].as_str().unwrap_or("?"));
    let number = |name: &str| data[name].as_u64().unwrap_or(0) as usize;
    match name {
        "published" => {
            let problems = match number("problems") {
                0 => String::new(),
                n => format!(", {}", plural(n, "problem")),
            };
            let flags = plural(number("flags"), "flag");
            Some(format!("revision {} is live: {flags}{problems}", text(data, "revision")))
        }
        "problem" => {
            let gone = if data["gone"].as_bool() == Some(true) { "no longer: " } else { "problem: " };
            Some(format!("{gone}{} ({})", text(data, "found"), text(data, "key")))
        }
        "source" => Some(format!(
            "source {} is {}: {}",
            text(data, "name"),
            text(data, "state"),
            plural(number("flags"), "flag")
        )),
        "overlay" => {
            let record = &data["record"];
            let why = record["why"].as_str().filter(|why| !why.is_empty());
            let why = why.map(|why| format!(": \"{}\"", plain(why))).unwrap_or_default();
            let until = record["until"].as_str().map(|until| format!(" until {}", plain(until)));
            let (flag, action, by) = (text(record, "flag"), text(record, "action"), text(record, "by"));
            Some(format!("{flag}: {action} by {by}{}{why}", until.unwrap_or_default()))
        }
        "lagged" => Some(format!("missed: {}", plural(number("missed"), "event"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_event_is_a_line_and_a_split_only_when_it_changes() {
        let mut news = News::default();
        let mut told = |name: &str, data: Value| {
            news.lines(&Event { name: name.to_owned(), data: data.to_string() }, "12:00")
        };
        for (name, data, line) in [
            (
                "published",
                json!({"time": "12:01", "revision": "03b1", "flags": 2, "problems": 1}),
                "12:01 revision 03b1 is live: 2 flags, 1 problem",
            ),
            (
                "problem",
                json!({"time": "12:01", "kind": "source", "key": "a", "found": "it cannot\nbe read", "gone": false}),
                "12:01 problem: it cannot\\nbe read (a)",
            ),
            (
                "source",
                json!({"time": "12:01", "name": "file:a", "state": "stale", "flags": 1}),
                "12:01 source file:a is stale: 1 flag",
            ),
            (
                "overlay",
                json!({"record": {"time": "12:01", "flag": "v", "action": "kill", "by": "ann", "why": "p99", "until": "14:00"}}),
                "12:01 v: kill by ann until 14:00: \"p99\"",
            ),
        ] {
            assert_eq!(told(name, data), [line]);
        }
        let split = |canary: u64| json!({"flags": {"v": {"stable": 1000 - canary, "canary": canary}}});
        assert_eq!(told("split", split(100)), ["12:00 v: stable 90 %, canary 10 %"]);
        assert!(told("split", split(101)).is_empty());
        assert_eq!(told("split", split(0)), ["12:00 v: stable 100 %"]);
        assert!(told("split", json!({"flags": {"v": {}}})).is_empty());
        assert!(told("unheard_of", json!({})).is_empty());
    }
}
