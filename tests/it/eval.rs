//! `flagway eval`: what a flag of a document answers, one question or a batch of them.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Ran, command, flag, flags};

fn folder() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let by_country = json!({"if": [{"==": [{"var": "country"}, "DE"]}, "on"]});
    let bomb = json!({"reduce": [(0..100).collect::<Vec<_>>(), {"cat": [{"var": "accumulator"}, {"var": "accumulator"}]}, "x"]});
    let on_off = || json!({"on": true, "off": false});
    let document = flags(json!({
        "pricing": flag(on_off(), "off", by_country),
        "off": {"state": "DISABLED", "variants": on_off(), "defaultVariant": "on"},
        "broken": flag(on_off(), "off", json!({"iff": []})),
        "bomb": flag(on_off(), "off", bomb),
        "ramp": flag(on_off(), "off", json!({"if": [{">": [{"var": "$flagd.timestamp"}, 1_800_000_000]}, "on"]})),
        "split": flag(json!({"heads": "heads", "tails": "tails"}), "tails", json!({"fractional": [["heads", 1], ["tails", 1]]})),
    }));
    std::fs::write(home.path().join("flags.json"), document).unwrap();
    home
}

/// Runs with this on standard input.
fn eval(home: &tempfile::TempDir, arguments: &[&str], input: &str) -> Ran {
    let mut child = command(home.path())
        .arg("eval")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, input) = (child.stdin.take().expect("it is piped"), input.to_owned());
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    // Whoever does not read its input may end before it is written.
    let _ = writer.join().unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_question_is_answered_with_one_object_and_an_exit_code() {
    let home = folder();
    std::fs::write(home.path().join("de.json"), r#"{"country": "DE"}"#).unwrap();
    let on = json!({"key": "pricing", "value": true, "variant": "on", "reason": "TARGETING_MATCH"});
    let off = json!({"key": "pricing", "value": false, "variant": "off", "reason": "DEFAULT"});
    let error = |key: &str, code: &str| json!({"key": key, "reason": "ERROR", "errorCode": code});
    let ramp = |on: bool, reason: &str| json!({"key": "ramp", "value": on, "variant": if on { "on" } else { "off" }, "reason": reason});
    let table: [(&[&str], &str, Value); 14] = [
        (&["pricing"], "", off.clone()),
        (&["pricing", "--context", r#"{"country": "DE"}"#], "", on.clone()),
        (&["pricing", "--context", "@de.json"], "", on.clone()),
        (&["pricing", "--context", "-"], r#"{"country": "DE"}"#, on),
        (&["pricing", "--context", "-", "--type", "boolean"], r#"{"country": "AT"}"#, off),
        (&["pricing", "--type", "string"], "", error("pricing", "TYPE_MISMATCH")),
        (&["pricing", "--context", "[]"], "", error("pricing", "INVALID_CONTEXT")),
        (&["nobodys"], "", error("nobodys", "FLAG_NOT_FOUND")),
        (&["broken"], "", error("broken", "PARSE_ERROR")),
        (&["off", "--type", "string"], "", json!({"key": "off", "reason": "DISABLED"})),
        (&["ramp", "--now", "1800000000"], "", ramp(false, "DEFAULT")),
        (&["ramp", "--now", "2027-01-16T00:00:00Z"], "", ramp(true, "TARGETING_MATCH")),
        (&["bomb"], "", json!({"key": "bomb", "reason": "ERROR", "errorCode": "GENERAL", "limit": "bytes"})),
        (
            &["bomb", "--steps", "100", "--produced", "16MiB"],
            "",
            json!({"key": "bomb", "reason": "ERROR", "errorCode": "GENERAL", "limit": "steps"}),
        ),
    ];
    for (arguments, input, expected) in table {
        let ran = eval(&home, &[&["--flags", "flags.json"], arguments].concat(), input);
        let mut answer: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        let details = answer.as_object_mut().unwrap().remove("errorDetails");
        assert_eq!(answer, expected, "{arguments:?}");
        let failed = expected["reason"] == "ERROR";
        assert_eq!((ran.code, details.is_some()), (Some(i32::from(failed)), failed), "{arguments:?}");
        assert_eq!(ran.stdout.lines().count(), 1, "{arguments:?}");
    }
}

#[test]
fn either_hash_assigns_the_buckets() {
    let home = folder();
    for (hash, variant) in [("v2", "heads"), ("v3", "tails")] {
        let document = json!({"fractional-flag-shorthand": flag(json!({"heads": "heads", "tails": "tails"}), "heads",
            json!({"fractional": [["heads", 1], ["tails", 1]]}))});
        std::fs::write(home.path().join("flags.json"), flags(document)).unwrap();
        let context = r#"{"targetingKey": "jon@company.com"}"#;
        let ran = eval(
            &home,
            &[
                "--flags",
                "flags.json",
                "fractional-flag-shorthand",
                "--fractional",
                hash,
                "--context",
                context,
            ],
            "",
        );
        let answer: Value = serde_json::from_str(&ran.succeeded().stdout).unwrap();
        assert_eq!(answer["variant"], variant, "{hash}");
    }
}

#[test]
fn a_document_that_is_none_is_told_with_its_place() {
    let home = folder();
    std::fs::write(home.path().join("flags.yaml"), "flagz:\n  a: 1\n").unwrap();
    let ran = eval(&home, &["--flags", "flags.yaml", "a"], "").failed_with(1);
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&answer["key"], &answer["errorCode"]), (&json!("a"), &json!("PARSE_ERROR")));
    assert!(ran.stderr.contains("flags.yaml:1:1") && ran.stderr.contains("`flags`"), "{}", ran.stderr);
    for (arguments, why) in [
        (&["--flags", "nowhere.json", "a"][..], "nowhere.json"),
        (&["--flags", "flags.json", "a", "--context", "@nowhere.json"], "nowhere.json"),
        (&["--flags", "flags.json", "a", "--context", "{country: DE}"], "the context is no JSON"),
    ] {
        let ran = eval(&home, arguments, "").failed_with(1);
        assert!(ran.stdout.is_empty() && ran.stderr.contains(why), "{ran:?}");
    }
}

#[test]
fn a_batch_answers_line_by_line_exactly_so() {
    let home = folder();
    let on =
        r#"{"state":"ENABLED","variants":{"on":true,"n":1.5,"t":"x","o":{"a":[null]}},"defaultVariant":"#;
    let deep = "[".repeat(100_000);
    let table = [
        (
            format!(
                r#"{{"flags":{{"f":{on}"on"}}}},"flagKey":"f","type":"boolean","context":{{}},"now":1700000000}}"#
            ),
            r#"{"value":true,"variant":"on","reason":"STATIC"}"#,
        ),
        (
            format!(r#"{{"flags":{{"flags":{{"f":{on}"n"}}}}}},"flagKey":"f","type":"number"}}"#),
            r#"{"value":1.5,"variant":"n","reason":"STATIC"}"#,
        ),
        (
            format!(r#"{{"flags":[{on}"o","key":"f"}}],"flagKey":"f","type":"object"}}"#),
            r#"{"value":{"a":[null]},"variant":"o","reason":"STATIC"}"#,
        ),
        (
            format!(r#"{{"flags":{{"f":{on}"t"}}}},"flagKey":"f","type":"boolean"}}"#),
            r#"{"reason":"ERROR","errorCode":"TYPE_MISMATCH"}"#,
        ),
        (
            format!(r#"{{"flags":{{"f":{on}null}}}},"flagKey":"f","type":"boolean"}}"#),
            r#"{"reason":"DEFAULT"}"#,
        ),
        (
            format!(r#"{{"flags":{{"f":{on}"nobody"}}}},"flagKey":"f"}}"#),
            r#"{"reason":"ERROR","errorCode":"PARSE_ERROR"}"#,
        ),
        (
            format!(
                r#"{{"flags":{{"f":{on}"on","targeting":{{"$ref":"r"}}}}}},"$evaluators":{{"r":{{"if":[true,"t"]}}}},"flagKey":"f"}}"#
            ),
            r#"{"value":"x","variant":"t","reason":"TARGETING_MATCH"}"#,
        ),
        (
            format!(
                r#"{{"flags":{{"f":{on}"on","targeting":{{"==":[1,{{"var":"x"}}]}}}}}},"context":{{"x":2}},"flagKey":"f"}}"#
            ),
            r#"{"reason":"ERROR","errorCode":"GENERAL"}"#,
        ),
        (r#"{"flags":{},"flagKey":"f"}"#.to_owned(), r#"{"reason":"ERROR","errorCode":"FLAG_NOT_FOUND"}"#),
        (r#"{"flagKey":"f"}"#.to_owned(), r#"{"reason":"ERROR","errorCode":"PARSE_ERROR"}"#),
        (r#"{"flags":"f","flagKey":"f"}"#.to_owned(), r#"{"reason":"ERROR","errorCode":"PARSE_ERROR"}"#),
        (r#"{"flags":{"f":{]},"flagKey":"f"}"#.to_owned(), r#"{"reason":"ERROR","errorCode":"PARSE_ERROR"}"#),
        (
            r#"{"flags":{"f":nul},"flagKey":"f"}"#.to_owned(),
            r#"{"reason":"ERROR","errorCode":"PARSE_ERROR"}"#,
        ),
        (
            r#"{"flags":{"f":1},"flagKey":"f","context":7}"#.to_owned(),
            r#"{"reason":"ERROR","errorCode":"INVALID_CONTEXT"}"#,
        ),
        (
            deep.clone(),
            r#"{"reason":"ERROR","errorCode":"INVALID_CONTEXT","errorDetails":"the line is no JSON object"}"#,
        ),
        (
            format!(r#"{{"flags":{deep}{},"flagKey":"f"}}"#, "]".repeat(100_000)),
            r#"{"reason":"ERROR","errorCode":"PARSE_ERROR"}"#,
        ),
        (
            String::new(),
            r#"{"reason":"ERROR","errorCode":"INVALID_CONTEXT","errorDetails":"the line is no JSON object"}"#,
        ),
    ];
    let input: String = table.iter().map(|(line, _)| format!("{line}\n")).collect();
    let ran = eval(&home, &["--batch"], &input).succeeded();
    let answers: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(answers.len(), table.len());
    for ((line, expected), answer) in table.iter().zip(answers) {
        let line: String = line.chars().take(200).collect();
        assert_eq!(answer, *expected, "{line}");
    }
}

#[test]
fn a_program_can_ask_a_batch_one_case_after_the_other() {
    let home = folder();
    let mut child = command(home.path())
        .args(["eval", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut cases, answers) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let mut answers = BufReader::new(answers);
    for user in 0..3 {
        let on = json!({"flags": {"f": flag(json!({"on": user}), "on", Value::Null)}, "flagKey": "f"});
        writeln!(cases, "{on}").unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["value"], user);
    }
    drop(cases);
    assert!(child.wait().unwrap().success());
}
