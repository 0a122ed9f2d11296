//! What was done by hand, in words.

use crate::cli::answers::{Flag, Problem};
use crate::cli::output::text::plain;
use crate::flag::FlagState;
use crate::overlay::{Change, Entry};

/// What is true of a flag now: a line for what decides, and one for each change by hand that stands below it. `now` in Unix seconds.
pub fn truth(flag: &Flag, now: i64) -> String {
    let key = plain(&flag.key);
    let mut entries: Vec<&Entry> = flag.entries.iter().collect();
    entries.sort_by_key(|entry| rank(entry.change()));
    let Some((first, rest)) = entries.split_first() else {
        return format!("{key}: nothing is on it by hand, what its source says runs\n");
    };
    let mut out = format!("{key}: {} ({})\n", does(first.change()), who(first, now));
    for entry in rest {
        out.push_str(&format!("  below that: {} ({})\n", does(entry.change()), who(entry, now)));
    }
    out
}

/// What hides what.
fn rank(change: &Change) -> u8 {
    match change {
        Change::Kill { .. } => 0,
        Change::State(FlagState::Disabled) => 1,
        Change::Weight(_) => 2,
        Change::State(FlagState::Enabled) => 3,
        Change::Set(_) => 4,
    }
}

/// What a change makes of its flag.
pub fn does(change: &Change) -> String {
    match change {
        Change::Kill { variant, .. } => format!("everyone gets `{}`", plain(variant)),
        Change::Weight(shares) => {
            let parts: Vec<String> =
                shares.iter().map(|(variant, share)| format!("`{}` gets {share}", plain(variant))).collect();
            parts.join(", ")
        }
        Change::State(FlagState::Disabled) => "disabled: it has no value, so defaults serve".to_owned(),
        Change::State(FlagState::Enabled) => "enabled".to_owned(),
        Change::Set(_) => "runs by a definition given by hand".to_owned(),
    }
}

/// The same in as few words as a table has room for.
pub fn brief(change: &Change) -> String {
    match change {
        Change::Kill { variant, .. } => format!("kill {}", plain(variant)),
        Change::Weight(shares) => {
            let parts: Vec<String> =
                shares.iter().map(|(variant, share)| format!("{}={share}", plain(variant))).collect();
            format!("weight {}", parts.join(","))
        }
        Change::State(FlagState::Disabled) => "disable".to_owned(),
        Change::State(FlagState::Enabled) => "enable".to_owned(),
        Change::Set(_) => "set".to_owned(),
    }
}

/// Who did it, when, until when and why: `killed by ann, 3m ago, for 1h 57m more: "p99"`.
pub fn who(entry: &Entry, now: i64) -> String {
    let killed = if matches!(entry.change(), Change::Kill { .. }) { "killed " } else { "" };
    let mut out = format!("{killed}by {}", plain(entry.by()));
    let age = now.saturating_sub(entry.at());
    if age >= 60 {
        out.push_str(&format!(", {} ago", span(age)));
    }
    match entry.until() {
        Some(until) if age >= 60 => {
            out.push_str(&format!(", for {} more", span(until.saturating_sub(now))));
        }
        Some(until) => out.push_str(&format!(", for {}", span(until.saturating_sub(entry.at())))),
        None => {}
    }
    if !entry.why().is_empty() {
        out.push_str(&format!(": \"{}\"", plain(entry.why())));
    }
    out
}

/// A problem on one line, with its place and its fix.
pub fn problem(problem: &Problem) -> String {
    let file = problem.file.as_deref().map(plain);
    let place = file.map(|file| format!("{file}:{}: ", problem.line.unwrap_or(1))).unwrap_or_default();
    let fix = problem.fix.as_deref().map(|fix| format!("; {}", plain(fix))).unwrap_or_default();
    format!("{place}{}{fix}", plain(&problem.found))
}

/// Seconds in their two largest units: `1h 57m`.
pub fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let units = [("d", 86_400, i64::MAX), ("h", 3600, 24), ("m", 60, 60), ("s", 1, 60)];
    let parts = units.map(|(unit, length, wrap)| (seconds / length % wrap, unit));
    let first = parts.iter().position(|(n, _)| *n > 0).unwrap_or(3);
    let shown = parts.iter().skip(first).take(2).enumerate();
    let shown = shown.filter(|(index, (n, _))| *index == 0 || *n > 0);
    shown.map(|(_, (n, unit))| format!("{n}{unit}")).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it.
pub fn shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", plain(word).replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const AT: i64 = 1_795_415_200;

    fn flag(entries: Value) -> Flag {
        serde_json::from_value(json!({"key": "checkout-version", "state": "ENABLED", "entries": entries}))
            .unwrap()
    }

    fn entry(change: Value, why: &str, until: Option<&str>) -> Value {
        let mut entry = json!({"flag": "checkout-version", "by": "ann", "at": "2026-11-23T06:26:40Z", "why": why, "until": until});
        entry.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        entry
    }

    #[test]
    fn what_decides_comes_first_and_what_it_hides_below() {
        let kill = entry(
            json!({"kind": "kill", "variant": "stable", "value": 1}),
            "p99",
            Some("2026-11-23T08:26:40Z"),
        );
        let weight = entry(json!({"kind": "weight", "shares": {"beta": "0.5%", "canary": "5%"}}), "", None);
        let state =
            |state: &str| entry(json!({"kind": "state", "state": state}), "", Some("2026-11-23T06:30:10Z"));
        let set = entry(json!({"kind": "set", "definition": {}}), "a\u{202e}b", None);
        let all = json!([set, state("ENABLED"), weight, kill]);
        assert_eq!(
            truth(&flag(all.clone()), AT + 2),
            "checkout-version: everyone gets `stable` (killed by ann, for 2h: \"p99\")\n\
             \x20 below that: `beta` gets 0.5%, `canary` gets 5% (by ann)\n\
             \x20 below that: enabled (by ann, for 3m 30s)\n\
             \x20 below that: runs by a definition given by hand (by ann: \"a\\u{202e}b\")\n"
        );
        assert!(truth(&flag(all), AT + 180).contains("killed by ann, 3m ago, for 1h 57m more: \"p99\""));
        let disabled = truth(&flag(json!([state("DISABLED"), weight])), AT);
        assert!(disabled.starts_with("checkout-version: disabled: it has no value"), "{disabled}");
        assert!(truth(&flag(json!([])), AT).ends_with("what its source says runs\n"));
    }

    #[test]
    fn spans_have_two_units() {
        for (seconds, text) in [
            (-5, "0s"),
            (0, "0s"),
            (59, "59s"),
            (90, "1m 30s"),
            (7200, "2h"),
            (7205, "2h"),
            (86_400 + 3 * 3600 + 60, "1d 3h"),
            (400 * 86_400, "400d"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn hints_can_be_copied_into_a_shell() {
        for (word, text) in [
            ("checkout-version", "checkout-version"),
            ("a b", "'a b'"),
            ("-x", "'-x'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
        ] {
            assert_eq!(shell(word), text);
        }
    }
}
