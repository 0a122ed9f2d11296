//! The guide's chapter on writing targetings: every line of its examples gives what stands beside it.
//!
//! A block holds a rule, or a document of flags, then lines of `[flag] context [at time] => result`.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::command;

/// The chapter, with the blocks of its examples.
fn chapter() -> (String, Vec<Example>) {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide.md")).unwrap();
    let (_, rest) = guide.split_once("\n## Writing targetings").expect("the chapter");
    let chapter = rest.split("\n## ").next().unwrap_or(rest).to_owned();
    let blocks =
        chapter.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("targeting\n"));
    let examples = blocks.map(Example::read).collect();
    (chapter, examples)
}

/// A rule or a document, and what is asked of it.
struct Example {
    json: Value,
    lines: Vec<Line>,
}

struct Line {
    /// As it stands there.
    text: String,
    flag: String,
    context: Value,
    now: Option<String>,
    result: Value,
}

impl Example {
    fn read(block: &str) -> Example {
        let (lines, json): (Vec<&str>, Vec<&str>) = block.lines().partition(|line| line.contains(" => "));
        let json =
            serde_json::from_str(&json.join("\n")).unwrap_or_else(|error| panic!("{error} in {block}"));
        Example { json, lines: lines.into_iter().map(Line::read).collect() }
    }

    /// The cases of a batch that ask this line, each with the answer that it must get.
    fn cases(&self, line: &Line) -> Vec<(Value, Value)> {
        let case = |document: &Value| {
            let now = line.now.as_deref().map_or(1_800_000_000, seconds);
            json!({"flags": document, "flagKey": line.flag, "context": line.context, "now": now})
        };
        if self.json.get("flags").is_some() {
            return vec![(case(&self.json), json!({"value": line.result}))];
        }
        let rule = &self.json;
        let is = |condition: Value| {
            let flag = json!({"state": "ENABLED", "variants": {"it is": true, "it is not": false},
                "targeting": {"if": [condition, "it is", "it is not"]}});
            (case(&json!({"flags": {"flag": flag}})), json!({"variant": "it is"}))
        };
        let names = |name: &str, reason: &str| {
            let flag = json!({"state": "ENABLED", "variants": {"other": 0, name: 0}, "defaultVariant": "other",
                "targeting": rule});
            (case(&json!({"flags": {"flag": flag}})), json!({"variant": name, "reason": reason}))
        };
        let equal = || is(json!({"===": [rule, line.result]}));
        match &line.result {
            Value::Null => vec![names("other", "DEFAULT")],
            // Lists equal nothing, but their texts do.
            list @ Value::Array(_) => vec![is(json!({"==": [{"cat": [rule]}, {"cat": [list]}]}))],
            Value::String(text) if text.is_empty() => vec![equal()],
            Value::String(text) => vec![equal(), names(text, "TARGETING_MATCH")],
            result => vec![equal(), names(&result.to_string(), "TARGETING_MATCH")],
        }
    }
}

impl Line {
    fn read(text: &str) -> Line {
        let (question, result) = text.split_once(" => ").expect("a result");
        let (question, now) = match question.split_once(" at ") {
            Some((question, now)) => (question, Some(now.to_owned())),
            None => (question, None),
        };
        let (flag, context) = question.split_at(question.find('{').expect("a context"));
        let json = |json: &str| serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {text}"));
        let flag = if flag.is_empty() { "flag" } else { flag.trim() }.to_owned();
        Line { text: text.to_owned(), flag, context: json(context), now, result: json(result) }
    }
}

fn seconds(time: &str) -> u64 {
    let time = humantime::parse_rfc3339(time).unwrap_or_else(|error| panic!("{error}: {time}"));
    time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// What the binary answers to these cases, with the hash of that version.
fn ask(cases: impl Iterator<Item = Value>, fractional: &str) -> Vec<Value> {
    let input: String = cases.map(|case| format!("{case}\n")).collect();
    let home = tempfile::tempdir().unwrap();
    let mut child = command(home.path())
        .args(["eval", "--batch", "--fractional", fractional])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().expect("it is piped");
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let answers = String::from_utf8(output.stdout).unwrap();
    answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_example_of_the_guide_gives_what_it_says() {
    let (_, examples) = chapter();
    let lines: Vec<_> =
        examples.iter().flat_map(|example| example.lines.iter().map(move |line| (example, line))).collect();
    let cases: Vec<_> = lines
        .iter()
        .flat_map(|(example, line)| example.cases(line).into_iter().map(move |case| (*example, *line, case)))
        .collect();
    let answers = ask(cases.iter().map(|(_, _, (case, _))| case.clone()), "v3");
    assert_eq!(answers.len(), cases.len());
    let mut wrong = Vec::new();
    for ((example, line, (_, expected)), answer) in cases.iter().zip(&answers) {
        let fits = expected.as_object().unwrap().iter().all(|(key, value)| answer.get(key) == Some(value));
        if !fits {
            wrong.push(format!("{}\n  {}\n  expected {expected}, got {answer}", example.json, line.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_guide_has_an_example_of_every_operator() {
    let (_, examples) = chapter();
    let mut used = BTreeSet::new();
    for example in &examples {
        assert!(!example.lines.is_empty(), "nothing is asked of {}", example.json);
        operators(&example.json, &mut used);
    }
    let schema: Value = serde_json::from_str(include_str!("../../conf/schema/flags.schema.json")).unwrap();
    let known = schema.pointer("/$defs/rule/properties").and_then(Value::as_object).expect("the operators");
    let missing: Vec<_> = known.keys().filter(|operator| !used.contains(*operator)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The keys of all objects with one key.
fn operators(json: &Value, found: &mut BTreeSet<String>) {
    match json {
        Value::Array(items) => items.iter().for_each(|item| operators(item, found)),
        Value::Object(map) => {
            found.extend(map.keys().take(1).filter(|_| map.len() == 1).cloned());
            map.values().for_each(|value| operators(value, found));
        }
        _ => {}
    }
}

/// Of each user of many, the flags of a document that are on.
fn on(document: &Value, flags: [&str; 2], fractional: &str) -> Vec<[bool; 2]> {
    let users = || (0..1000).map(|user| format!("user-{user}"));
    let cases = users().flat_map(|user| {
        flags.map(
            |flag| json!({"flags": document, "flagKey": flag, "context": {"targetingKey": user}, "now": 0}),
        )
    });
    let answers = ask(cases, fractional);
    assert_eq!(answers.len(), 2000);
    let value = |answer: &Value| answer["value"].as_bool().expect("a value");
    answers.chunks(2).map(|pair| [value(&pair[0]), value(&pair[1])]).collect()
}

#[test]
fn experiments_that_share_a_unit_never_meet() {
    let (_, examples) = chapter();
    let example =
        examples.iter().find(|example| example.json.pointer("/$evaluators/checkout-layer").is_some());
    let document = &example.expect("the example").json;
    for fractional in ["v2", "v3"] {
        let on = on(document, ["one-page", "express-pay"], fractional);
        assert!(on.iter().all(|user| *user != [true, true]), "{fractional}");
        // 200 and 400 of 1,000 are meant.
        let count = |at: usize| on.iter().filter(|user| user[at]).count();
        assert!((140..260).contains(&count(0)) && (330..470).contains(&count(1)), "{fractional}");
    }
}

#[test]
fn nobody_falls_out_of_the_guides_ramp() {
    let (_, examples) = chapter();
    let example = examples.iter().find(|example| {
        example.json.get("fractional").is_some() && example.json.to_string().contains("$flagd.timestamp")
    });
    let rule = &example.expect("the example").json;
    let flag = json!({"state": "ENABLED", "variants": {"new": 1, "old": 0}, "targeting": rule});
    let document = json!({"flags": {"search": flag}});
    let times = || (0..=16).map(|quarter| 1_796_040_000 + quarter * 900);
    let cases = (0..100).flat_map(|user| {
        let document = &document;
        times().map(move |now| {
            json!({"flags": document, "flagKey": "search", "context": {"targetingKey": format!("user-{user}")}, "now": now})
        })
    });
    let answers = ask(cases, "v3");
    for user in answers.chunks(times().count()) {
        let new: Vec<_> = user.iter().map(|answer| answer["value"] == 1).collect();
        assert!(new.is_sorted() && !new[0] && new[16], "{user:?}");
    }
}
