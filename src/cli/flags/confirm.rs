//! Whether to ask before a write: on a terminal, when more than half of the traffic would change.
//!
//! Where nobody can answer, nothing is asked and nothing refused: a script at 3 a.m. does what it says.

use std::io::{BufRead, IsTerminal, Write};

use crate::cli::answers::Status;
use crate::cli::output::text::plain;
use crate::cli::remote::Remote;
use crate::cli::shadow::figures::share as percent;
use crate::cli::{Failure, output};
use crate::overlay::Share;

/// The share of a flag's evaluations from which on it is asked.
const HALF: f64 = 0.5;

/// What a write would do to what people get.
#[derive(Debug, Clone, PartialEq)]
pub enum Impact<'a> {
    /// Everyone gets this variant.
    Everyone(&'a str),
    /// Variants get these shares.
    Shares(Vec<(&'a str, Share)>),
    /// Anything may change for anyone.
    Anything,
}

impl Impact<'_> {
    /// The share of a flag's evaluations that would come out otherwise; none: it was not asked since the gateway started.
    fn of(&self, flag: &str, status: &Status) -> Option<f64> {
        let split = status.split();
        match self {
            Impact::Everyone(variant) => split.share(flag, variant).map(|share| 1.0 - share),
            Impact::Anything => Some(1.0),
            Impact::Shares(shares) => {
                let changed = |(variant, share): &(&str, Share)| {
                    let wanted = share.of_whole() as f64 / Share::WHOLE as f64;
                    split.share(flag, variant).map(|now| (wanted - now).abs())
                };
                // What one variant wins, another loses: counted once, unless the shares are traded among themselves.
                shares.iter().map(changed).sum::<Option<f64>>().map(|changed| changed.min(1.0))
            }
        }
    }
}

/// Asks where it matters and someone is there. `Err`: the answer was no.
pub fn confirm(remote: &Remote, flag: &str, impact: &Impact<'_>, yes: bool) -> Result<(), Failure> {
    if yes || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(());
    }
    let changed = match impact {
        Impact::Anything => Some(1.0),
        // A gateway that cannot tell its status can still be told what to do.
        _ => Status::ask(remote).ok().and_then(|status| impact.of(flag, &status)),
    };
    let Some(question) = question(flag, impact, changed) else { return Ok(()) };
    let stdin = std::io::stdin().lock();
    if agreed(&question, stdin) { Ok(()) } else { Err("nothing was done".to_owned().into()) }
}

fn question(flag: &str, impact: &Impact<'_>, changed: Option<f64>) -> Option<String> {
    let changed = changed.filter(|changed| *changed > HALF)?;
    let flag = plain(flag);
    Some(match impact {
        Impact::Anything => format!("this may change what everyone gets of {flag}"),
        _ => format!(
            "this changes what {} of the requests get of {flag}, by the counts since the gateway started",
            percent(changed)
        ),
    })
}

fn agreed(question: &str, mut answers: impl BufRead) -> bool {
    let mut stderr = anstream::stderr().lock();
    let _ = write!(stderr, "{}: {question}. Do it? [y/N] ", output::paint(output::WARN.bold(), "careful"));
    let _ = stderr.flush();
    let mut answer = String::new();
    answers.read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "Yes" | "YES")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn more_than_half_of_the_traffic_is_asked_about() {
        let status: Status = serde_json::from_value(json!({"revision": "1", "evaluations": [
            {"flag": "v", "variant": "stable", "reason": "SPLIT", "count": 80},
            {"flag": "v", "variant": "stable", "reason": "TARGETING_MATCH", "count": 10},
            {"flag": "v", "variant": "canary", "reason": "SPLIT", "count": 10},
        ]}))
        .unwrap();
        let shares = |text: &'static str| {
            let (variant, share) = text.split_once('=').unwrap();
            Impact::Shares(vec![(variant, share.parse().unwrap())])
        };
        for (flag, impact, changed, asks) in [
            ("v", Impact::Everyone("stable"), Some(0.1), false),
            ("v", Impact::Everyone("canary"), Some(0.9), true),
            ("v", Impact::Everyone("new"), Some(1.0), true),
            ("v", shares("canary=20%"), Some(0.1), false),
            ("v", shares("canary=0%"), Some(0.1), false),
            ("v", shares("canary=75%"), Some(0.65), true),
            ("v", shares("new=51%"), Some(0.51), true),
            ("w", Impact::Everyone("stable"), None, false),
            ("w", shares("canary=75%"), None, false),
            ("w", Impact::Anything, Some(1.0), true),
        ] {
            let found = impact.of(flag, &status);
            let rounded = found.map(|share| (share * 1000.0).round() / 1000.0);
            assert_eq!(rounded, changed, "{impact:?}");
            assert_eq!(question(flag, &impact, found).is_some(), asks, "{impact:?}");
        }
    }

    #[test]
    fn only_a_yes_is_one() {
        for (answer, yes) in [("y\n", true), ("yes\n", true), ("\n", false), ("n\n", false), ("", false)] {
            assert_eq!(agreed("?", answer.as_bytes()), yes, "{answer:?}");
        }
    }
}
