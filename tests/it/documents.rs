//! The documents say what is so: their commands run, and the metrics they list are those that there are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Gateway, Shop, eventually, flagway, one_route, versions, words};

fn document(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A command of a document, and what the document says that it prints, if it does.
struct Shown {
    arguments: Vec<String>,
    prints: Option<String>,
}

/// Every line of a code block that calls `flagway`, without comments and redirections.
fn shown(text: &str) -> Vec<Shown> {
    let mut all = Vec::new();
    for block in text.split("```").skip(1).step_by(2) {
        let (kind, body) = block.split_once('\n').expect("a block has a first line");
        let lines = body.lines().filter_map(|line| match kind {
            "console" => line.strip_prefix("$ "),
            _ => Some(line),
        });
        for line in lines.filter_map(|line| line.strip_prefix("flagway ")) {
            let command = line.split(" #").next().unwrap_or(line).split(" > ").next().unwrap_or(line);
            let prints =
                (kind == "console").then(|| body.split_once('\n').map_or("", |(_, rest)| rest).to_owned());
            all.push(Shown { arguments: words(command.trim()), prints });
        }
    }
    all
}

/// A folder with the examples where the document has them, and the first of them as `./flagway.yaml`.
fn folder() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    copy(&root().join("conf"), &home.path().join("conf"));
    for name in ["flagway.yaml", "flags.json"] {
        std::fs::copy(root().join("conf").join(name), home.path().join(name)).unwrap();
    }
    home
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn every_command_of_the_reference_runs() {
    let home = folder();
    let all = shown(&document("docs/cli.md"));
    let commands: BTreeSet<&str> = all.iter().map(|shown| shown.arguments[0].as_str()).collect();
    let expected = ["check", "completions", "demo", "explain", "health", "run", "schema", "shadow"];
    assert_eq!(commands.into_iter().collect::<Vec<_>>(), expected);
    for Shown { mut arguments, prints } in all {
        // What serves, or asks one who does, is tried elsewhere; here its options are read.
        let alone = !["run", "demo", "health", "shadow"].contains(&&*arguments[0])
            && !arguments.iter().any(|argument| argument == "--gateway" || argument.starts_with("/etc/"));
        if !alone {
            arguments.push("--help".to_owned());
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ran = flagway(home.path(), &arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.output());
        if let Some(prints) = prints {
            assert_eq!(ran.stdout, prints, "{arguments:?}");
        }
    }
}

#[test]
fn the_guide_lists_the_metrics_that_there_are() {
    let guide = document("docs/guide.md");
    let listed: BTreeSet<&str> =
        guide.lines().filter_map(|line| line.strip_prefix("| `flagway_")?.split('`').next()).collect();
    let shop = Shop::start();
    // One flag that is evaluated, one that is missing.
    let gateway: Gateway = shop.gateway(&one_route("inject: [w],"), json!({"w": versions(Value::Null)}));
    assert_eq!(gateway.get("/").text(), "stable");
    eventually("the request is counted", || gateway.metrics().series("flagway_requests_total", &[]) > 0);
    let text = gateway.probe("/metrics").text();
    let there: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE flagway_")?.split(' ').next()).collect();
    assert_eq!(listed, there);
}
