//! The demo: two versions and a gateway without a file, and commands to try that do what they promise.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Client, Curl, Lines, command, eventually, flagway, words};

/// A running demo; it is killed when dropped.
struct Demo {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    _home: tempfile::TempDir,
}

impl Demo {
    fn start(arguments: &[&str]) -> Demo {
        let home = tempfile::tempdir().unwrap();
        let mut child = command(home.path())
            .arg("demo")
            .args(arguments)
            .env("TMPDIR", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stdout = Lines::collect(child.stdout.take().expect("its stdout is ours"));
        let stderr = Lines::collect(child.stderr.take().expect("its stderr is ours"));
        let demo = Demo { child, stdout, stderr, _home: home };
        eventually("all is printed", || {
            demo.stdout.all().iter().any(|line| line.ends_with("Ctrl-C ends it."))
        });
        demo
    }

    /// The curl commands that it prints.
    fn commands(&self) -> Vec<Vec<String>> {
        let lines = self.stdout.all().into_iter();
        lines.filter_map(|line| Some(words(&line[line.find("curl ")?..]))).collect()
    }

    /// The folder with its files.
    fn folder(&self) -> PathBuf {
        let lines = self.stdout.all();
        let mut paths = lines.iter().flat_map(|line| line.split([' ', '\'', '"', '`'])).map(PathBuf::from);
        let has_flags = |path: &PathBuf| path.is_absolute() && path.join("flags.json").is_file();
        paths.find(has_flags).unwrap_or_else(|| panic!("no folder is named:\n{}", lines.join("\n")))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the demo\n{}\n--- its log\n{}", self.stdout.text(), self.stderr.text());
        }
    }
}

#[test]
fn the_demo_runs_its_commands_work_and_its_files_are_reloaded() {
    let demo = Demo::start(&[]);
    let mut answers = Vec::new();
    for command in demo.commands() {
        let curl = Curl::parse(&command).unwrap_or_else(|error| panic!("{error}: {command:?}"));
        let address: SocketAddr = curl.host().parse().expect("an address to try");
        let response =
            curl.send(&mut Client::new(address)).unwrap_or_else(|error| panic!("{error}: {command:?}"));
        assert!(response.status < 400, "{command:?}: {response:?}");
        answers.push(response.text());
    }
    answers.sort();
    answers.dedup();
    assert!(answers.len() >= 2, "more than one version answers: {answers:?}");

    let flags = demo.folder().join("flags.json");
    let text = std::fs::read_to_string(&flags).unwrap();
    let before = demo.stdout.count();
    std::fs::write(&flags, text.replace("\"ENABLED\"", "\"DISABLED\"")).unwrap();
    let curl = |command: &[String]| {
        let curl = Curl::parse(command).unwrap();
        curl.send(&mut Client::new(curl.host().parse().unwrap())).map(|response| response.text())
    };
    eventually("with every flag disabled one version answers all that named a header", || {
        let forced = demo.commands().into_iter().filter(|command| command.iter().any(|word| word == "-H"));
        let mut answers: Vec<_> = forced.filter_map(|command| curl(&command).ok()).collect();
        answers.dedup();
        answers.len() == 1
    });
    eventually("who goes where is shown live", || demo.stdout.count() > before);
}

#[test]
fn the_demo_sends_visitors_of_its_own() {
    let demo = Demo::start(&["--traffic"]);
    let before = demo.stdout.count();
    eventually("visitors are shown", || demo.stdout.count() > before + 5);
}

#[test]
fn the_demo_of_a_shadow_finds_the_bug_and_no_noise() {
    let demo = Demo::start(&["--shadow", "--traffic", "200"]);
    let lines = demo.stdout.all();
    let hint = lines.iter().find(|line| line.contains("flagway shadow report")).expect("it is named");
    let admin = hint.split(' ').find(|word| word.starts_with("http://")).expect("where to ask").to_owned();
    let run = |words: &[&str]| {
        let home = tempfile::tempdir().unwrap();
        flagway(home.path(), &[&["shadow"], words, &["--gateway", &admin]].concat()).succeeded().stdout
    };
    let shadow = || serde_json::from_str::<Value>(&run(&["report", "--json"])).unwrap()["shadows"][0].clone();
    let paths = |fields: &Value| -> BTreeSet<String> {
        let fields = fields.as_array().expect("a list").iter();
        fields.map(|field| field["path"].as_str().expect("a path").to_owned()).collect()
    };
    eventually("the bug is found", || paths(&shadow()["differences"]).contains("/total"));
    let found = shadow();
    let differing = &found["differences"];
    assert!(paths(differing).iter().all(|path| path == "/total" || path == "latency"), "{found:#}");
    assert_eq!((&found["original"], &found["version"]), (&json!("stable"), &json!("canary")));
    let noisy = paths(&found["noisy"]);
    assert!(noisy.contains("/generated_at") && noisy.contains("/request_id"), "{noisy:?}");
    eventually("the verdict is shown", || {
        demo.stdout.all().iter().any(|line| line.starts_with("shadow: ") && line.contains("/total"))
    });

    // The two carts that it names do differ, and each is what its version answers.
    let carts: Vec<Value> = demo
        .commands()
        .iter()
        .map(|command| {
            let curl = Curl::parse(command).unwrap();
            curl.send(&mut Client::new(curl.host().parse().unwrap())).unwrap().json()
        })
        .collect();
    assert_eq!(carts.len(), 2, "{carts:?}");
    assert!(carts[0]["items"] == carts[1]["items"] && carts[0]["total"] != carts[1]["total"], "{carts:?}");

    let flags = demo.folder().join("flags.json");
    let text = std::fs::read_to_string(&flags).unwrap();
    let off = text.replacen("\"defaultVariant\": \"canary\"", "\"defaultVariant\": \"none\"", 1);
    assert_ne!(off, text);
    std::fs::write(&flags, off).unwrap();
    // What is on its way still arrives; then a second goes by without another copy.
    let mut before = Value::Null;
    eventually("no copy is sent any more", || {
        let sent = shadow()["sent"].clone();
        let shown = demo.stdout.count();
        eventually("two more seconds are shown", || demo.stdout.count() >= shown + 4);
        std::mem::replace(&mut before, sent.clone()) == sent
    });
}

#[test]
fn the_demo_ends_on_sigint() {
    let mut demo = Demo::start(&[]);
    let kill = Command::new("kill").arg("-INT").arg(demo.child.id().to_string()).status();
    assert!(kill.expect("kill runs").success());
    eventually("it ended", || demo.child.try_wait().unwrap().is_some());
}

/// What the README shows on the way of its canary: each `$ curl ..` with the lines that follow it.
fn readme() -> Vec<(String, String)> {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let mut shown = Vec::new();
    for block in readme.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        for part in block.split("$ ").filter(|part| part.starts_with("curl ")) {
            let (command, answer) = part.split_once('\n').expect("a command and its answer");
            shown.push((command.to_owned(), answer.to_owned()));
        }
    }
    shown
}

#[test]
fn the_readmes_canary_is_walked_as_it_is_told() {
    let demo = Demo::start(&[]);
    let first = demo.commands().remove(0);
    let address: SocketAddr = Curl::parse(&first).unwrap().host().parse().expect("an address to try");
    let flags = demo.folder().join("flags.json");
    let rewrite = |from: &str, to: &str| {
        let text = std::fs::read_to_string(&flags).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        std::fs::write(&flags, text.replacen(from, to, 1)).unwrap();
    };
    let shown = readme();
    assert_eq!(shown.len(), 6, "{shown:?}");
    for (step, (line, answer)) in shown.iter().enumerate() {
        match step {
            4 => rewrite("[\"canary\", 10], [\"stable\", 90]", "[\"canary\", 60], [\"stable\", 40]"),
            5 => rewrite("ENABLED", "DISABLED"),
            _ => {}
        }
        let ask = || Curl::parse(&words(line)).unwrap().send(&mut Client::new(address)).unwrap().text();
        eventually(&format!("{line} answers as in the README"), || ask() == *answer);
    }
}
