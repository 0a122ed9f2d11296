//! Our answers beside those of the flag engines that people run, over questions by chance.
//!
//! `CASES` tells how many; `make conformance` asks 100,000 and shows the table. A difference must be ruled on: see `rulings.rs`.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "CASES and UPDATE come from the environment, as for any test")]

mod cases;
mod dice;
mod peer;
mod report;
mod rows;
mod rules;
mod rulings;
mod splits;

use std::thread;

use serde_json::{Value as Json, json};

use cases::{Case, cases};
use peer::Peer;
use report::Report;

/// Questions when nobody says how many.
const FEW: usize = 3_000;

/// What became of one question.
enum Verdict {
    Same,
    /// By which rulings.
    Ruled(Vec<String>),
    /// The answer of the repaired engine.
    Unexplained(Json),
}

/// All questions that one peer can be asked, with our answers and the verdicts.
struct Compared<'a> {
    peer: Peer,
    cases: Vec<&'a Case>,
    ours: Vec<Json>,
    theirs: Vec<Json>,
    verdicts: Vec<Verdict>,
}

#[test]
fn other_engines_give_our_answers_or_there_is_a_ruling() {
    let count = std::env::var("CASES").map_or(FEW, |count| count.parse().expect("CASES is a number"));
    let cases = cases(count);
    let compared: Vec<Compared> = thread::scope(|scope| {
        let both = Peer::ALL.map(|peer| {
            let cases = &cases;
            scope.spawn(move || compare(peer, cases))
        });
        both.map(|one| one.join().expect("no panic")).into()
    });
    let report = Report::new(&cases, &compared);
    println!("{report}");
    let faults = report.faults();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_rulings_are_documented() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/conformance.md");
    let text = std::fs::read_to_string(file).unwrap();
    let (before, rest) = text.split_once("| ruling |").expect("a table of rulings");
    let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
    let wanted = format!("{before}{}\n{after}", rulings::table());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, wanted).unwrap();
    } else {
        assert_eq!(text, wanted, "UPDATE=1 writes the table of docs/conformance.md anew");
    }
}

fn compare(peer: Peer, all: &[Case]) -> Compared<'_> {
    // Numbers that npm's engine cannot hold are no question for it.
    let cases: Vec<&Case> = all.iter().filter(|case| peer == Peer::PyPi || !case.large).collect();
    let lines: Vec<String> = cases.iter().map(|case| case.line.to_string()).collect();
    let ours = peer.ours(&lines);
    let theirs = peer.answers(&lines);
    let differ: Vec<usize> = (0..cases.len()).filter(|at| !same(&ours[*at], &theirs[*at])).collect();
    let again: Vec<String> = differ
        .iter()
        .map(|at| {
            let mut line = cases[*at].line.clone();
            line["amended"] = json!(true);
            line.to_string()
        })
        .collect();
    let mut verdicts: Vec<Verdict> = cases.iter().map(|_| Verdict::Same).collect();
    for (at, amended) in differ.into_iter().zip(peer.answers(&again)) {
        verdicts[at] = verdict(peer, cases[at], &ours[at], amended);
    }
    Compared { peer, cases, ours, theirs, verdicts }
}

fn verdict(peer: Peer, case: &Case, ours: &Json, amended: Json) -> Verdict {
    if case.over_limits && ours["limit"].is_string() {
        return Verdict::Ruled(vec![rulings::OVER_LIMITS.to_owned()]);
    }
    let names: Vec<String> = serde_json::from_value(amended["rulings"].clone()).unwrap_or_default();
    let known = !names.is_empty() && names.iter().all(|name| rulings::find(peer, name).is_some());
    if known && same(ours, &amended) { Verdict::Ruled(names) } else { Verdict::Unexplained(amended) }
}

/// Whether two answers are one: value, variant, reason and error code; metadata where both tell it.
fn same(ours: &Json, theirs: &Json) -> bool {
    let members = ["value", "variant", "reason", "errorCode"];
    members.iter().all(|member| equal(&ours[member], &theirs[member]))
        && (["flagMetadata"].iter().all(|member| {
            ours[member].is_null() || theirs[member].is_null() || equal(&ours[member], &theirs[member])
        }))
}

/// 1 and 1.0 are one number, whoever writes it.
fn equal(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => left == right,
    }
}
