//! `flagway flags list`: every flag on a line, in 80 columns.

use std::fmt::Write;

use clap::Args;

use super::words::brief;
use crate::cli::Failure;
use crate::cli::answers::{Flag, Flags, Split, Status};
use crate::cli::output::text::{cut, padded};
use crate::cli::output::{self, BAD, FAINT, WARN, paint};
use crate::cli::remote::Remote;

/// List all flags: state, split, and what is on them by hand
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway flags list
  flagway flags list --json | jq -r '.flags[] | select(.state == \"DISABLED\") | .key'

Exit codes: 0 told; 1 refused, or no answer")]
pub struct List {
    /// Print JSON, as GET /api/v1/flags answers it
    #[arg(long)]
    pub json: bool,
    /// Whom to ask.
    #[command(flatten)]
    pub remote: Remote,
}

/// Columns of a key, of a state, of a split, and of what is done by hand: with two blanks between them, 80.
const KEY: usize = 26;
const STATE: usize = 8;
const SPLIT: usize = 22;
const HAND: usize = 18;

impl List {
    /// Asks, prints.
    pub fn run(&self) -> Result<(), Failure> {
        let answer = self.remote.ask("GET", "/flags", "")?;
        if self.json {
            output::print_json(&self.remote.read(&answer, "a list of flags")?);
            return Ok(());
        }
        let Flags { flags } = self.remote.read(&answer, "a list of flags")?;
        let status = Status::ask(&self.remote)?;
        output::print(&render(&flags, &status.split()));
        Ok(())
    }
}

fn render(flags: &[Flag], split: &Split) -> String {
    if flags.is_empty() {
        return "there are no flags\n".to_owned();
    }
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(flags, split, &mut out);
    out
}

fn write(flags: &[Flag], split: &Split, out: &mut String) -> std::fmt::Result {
    let heads = format!("{:<KEY$}  {:<STATE$}  {:<SPLIT$}  by hand", "flag", "state", "split since start");
    writeln!(out, "{}", paint(FAINT, heads))?;
    for flag in flags {
        let style = match &*flag.state {
            "ENABLED" => anstyle::Style::new(),
            "DISABLED" => FAINT,
            _ => BAD,
        };
        // What applies last decides: it comes first.
        let by_hand: Vec<String> = flag.entries.iter().rev().map(|entry| brief(entry.change())).collect();
        let by_hand = cut(&by_hand.join("; "), HAND);
        let line = format!(
            "{}  {}  {}  {}",
            padded(&flag.key, KEY),
            paint(style, padded(&flag.state.to_lowercase(), STATE)),
            padded(&shares(split, &flag.key), SPLIT),
            if by_hand.is_empty() { by_hand } else { paint(WARN, by_hand) }
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// `canary 12 %, stable 88 %`, the most frequent first.
fn shares(split: &Split, flag: &str) -> String {
    let shares = split.shares(flag);
    if shares.is_empty() {
        return "not asked".to_owned();
    }
    let named = |(name, share, _): &(&str, f64, u64)| {
        let name = if name.is_empty() { "no value" } else { name };
        format!("{name} {}", percent(*share))
    };
    shares.iter().map(named).collect::<Vec<_>>().join(", ")
}

/// `12%`; what is not nothing and not all is not told as such.
fn percent(share: f64) -> String {
    match 100.0 * share {
        p if p > 0.0 && p < 1.0 => "<1%".to_owned(),
        p if p > 99.0 && p < 100.0 => ">99%".to_owned(),
        p => format!("{p:.0}%"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::output::text::columns;

    #[test]
    fn every_flag_has_a_line_of_80_columns_whatever_it_is_called() {
        let flags: Flags = serde_json::from_value(json!({"flags": [
            {"key": "checkout-version", "state": "ENABLED", "entries": [
                {"flag": "checkout-version", "kind": "weight", "shares": {"canary": "5%"}, "by": "ann", "at": "2026-11-23T06:26:40Z"},
                {"flag": "checkout-version", "kind": "kill", "variant": "stable", "value": 1, "by": "ann", "at": "2026-11-23T06:26:40Z"}]},
            {"key": "new-pricing", "state": "DISABLED", "entries": [
                {"flag": "new-pricing", "kind": "state", "state": "DISABLED", "by": "ann", "at": "2026-11-23T06:26:40Z"}]},
            {"key": "漢\u{1b}[2J-and-a-key-that-is-longer-than-its-column", "state": "BROKEN"},
        ]}))
        .unwrap();
        let status: Status = serde_json::from_value(json!({"revision": "1",
        "evaluations": [
            {"flag": "checkout-version", "variant": "canary", "reason": "SPLIT", "count": 120},
            {"flag": "checkout-version", "variant": "stable", "reason": "SPLIT", "count": 879},
            {"flag": "checkout-version", "variant": "", "reason": "ERROR", "count": 1},
        ]}))
        .unwrap();
        let text = render(&flags.flags, &status.split());
        let text = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(
            text,
            "\
flag                        state     split since start       by hand
checkout-version            enabled   stable 88%, canary 12…  kill stable; weig…
new-pricing                 disabled  not asked               disable
漢\\u{1b}[2J-and-a-key-tha…  broken    not asked
"
        );
        assert!(text.lines().all(|line| columns(line) <= 80), "{text}");
        assert_eq!(render(&[], &Split::default()), "there are no flags\n");
    }

    #[test]
    fn a_few_are_not_told_as_none() {
        assert_eq!([0.0, 0.001, 0.125, 0.999, 1.0].map(percent), ["0%", "<1%", "12%", ">99%", "100%"]);
    }
}
