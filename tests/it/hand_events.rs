//! What a listener is told, and the way of a change by hand into its source: `flags diff`, `patch`, and the entry is gone.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Gateway, Shop, eventually, flag, flags, flagway, one_route};

const CONTEXT: &str = "context: {targeting_key: [{cookie: uid}]}\n";

#[test]
fn a_listener_is_told_of_snapshots_problems_sources_and_writes() {
    let shop = Shop::start();
    let flags = json!({"v": flag(json!({"stable": "stable", "canary": "canary"}), "canary", Value::Null)});
    let gateway = shop.gateway(&one_route(""), flags.clone());
    let (mut operator, events) = (gateway.operator(), gateway.listen());

    let killed = operator.does("v", "kill", json!({"variant": "stable", "why": "p99"}));
    let told = events.wait_for("the write", |event| event["event"] == "overlay");
    let record = &told["record"];
    assert_eq!(
        (&record["action"], &record["why"], &record["seq"]),
        (&json!("kill"), &json!("p99"), &killed["seq"])
    );
    assert_eq!(record, &operator.audit("")[0], "as in the audit");
    let published = events.wait_for("what it made", |event| event["event"] == "published");
    assert_eq!((&published["revision"], &published["flags"]), (&killed["revision"], &json!(1)));

    gateway.replace("flags.json", "{");
    let problem = |gone: bool| move |event: &Value| event["event"] == "problem" && event["gone"] == gone;
    let told = events.wait_for("the broken document", problem(false));
    assert_eq!(told["kind"], "document");
    let source =
        |state: &'static str| move |event: &Value| event["event"] == "source" && event["state"] == state;
    events.wait_for("its source", source("stale"));
    gateway.replace_flags(flags);
    events.wait_for("the document is good", problem(true));
    let told = events.wait_for("its source again", source("ready"));
    assert!(told["name"].as_str().is_some_and(|name| name.contains("flags.json")), "{told}");

    operator.does("v", "release", json!({}));
    events.wait_for("the release", |event| event["record"]["action"] == "release");
}

/// Applies a patch in a folder as anyone would.
fn patch(gateway: &Gateway, text: &str) {
    let mut child = Command::new("patch")
        .args(["-p0", "--no-backup-if-mismatch"])
        .current_dir(gateway.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("patch is installed: make setup");
    child.stdin.take().expect("its stdin is ours").write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !told.contains("fuzz"), "{told}\n{text}");
}

fn diff(gateway: &Gateway) -> String {
    let admin = format!("http://{}", gateway.admin());
    flagway(&gateway.path(""), &["flags", "diff", "--gateway", &admin]).succeeded().stdout
}

/// A file as people write it: with lines of their own making, and other flags around.
const WRITTEN: &str = r#"{
  "$schema": "https://flagd.dev/schema/v0/flags.json",
  "flags": {
    "before": { "state": "ENABLED", "variants": { "on": true }, "defaultVariant": "on" },
    "v": {
      "state": "ENABLED",
      "variants": { "stable": "stable", "canary": "canary" },
      "defaultVariant": "stable",
      "targeting": { "if": [
        { "==": [{ "var": "header.x-canary" }, "always"] }, "canary",
        { "fractional": [["canary", 10], ["stable", 90]] }
      ] },
      "metadata": { "owner": "team-shop" }
    },
    "after": { "state": "ENABLED", "variants": { "on": true }, "defaultVariant": "on" }
  }
}
"#;

#[test]
fn the_diff_applied_by_patch_makes_the_source_say_what_runs_and_the_entry_releases_itself() {
    let weight = ("weight", json!({"shares": {"canary": "25%"}}));
    let kill = ("kill", json!({"variant": "canary"}));
    let disable = ("disable", json!({}));
    let definition = flag(json!({"stable": "stable", "next": "canary"}), "next", Value::Null);
    let set = ("set", json!({ "definition": definition }));
    for writes in [vec![&weight], vec![&kill], vec![&weight, &disable], vec![&set]] {
        let shop = Shop::start();
        let setup = shop.setup(&(one_route("") + CONTEXT), json!({}));
        let gateway = setup.file("flags.json", WRITTEN).start();
        let mut operator = gateway.operator();
        assert_eq!(diff(&gateway), "");
        for (verb, body) in &writes {
            operator.does("v", verb, body.clone());
        }
        let what: Vec<&str> = writes.iter().map(|(verb, _)| *verb).collect();
        let (runs, revision) = (operator.flag("v")["definition"].clone(), gateway.revision());
        let source = || std::fs::read_to_string(gateway.path("flags.json")).unwrap();
        assert_eq!(source(), WRITTEN, "no write touches a source");

        let events = gateway.listen();
        patch(&gateway, &diff(&gateway));
        events.wait_for("the release", |event| event["record"]["action"] == "caught_up");
        eventually("all entries are gone", || operator.kinds("v").is_empty());
        assert_eq!(operator.flag("v")["definition"], runs, "{what:?}");
        assert_eq!(gateway.revision(), revision, "{what:?}: nothing changed for anyone");
        assert_eq!(diff(&gateway), "", "{what:?}");
        let beside = WRITTEN.lines().filter(|line| line.contains("\"on\""));
        assert!(
            beside.clone().count() == 2 && source().lines().filter(|line| line.contains("\"on\"")).eq(beside)
        );
    }
}

#[test]
fn what_no_file_defines_has_no_patch_and_the_diff_says_why() {
    let shop = Shop::start();
    let gateway =
        shop.gateway(&one_route(""), json!({"v": flag(json!({"canary": "canary"}), "canary", Value::Null)}));
    gateway.operator().kill("v", "canary");
    let seen = gateway.revision();
    gateway.replace("flags.json", &flags(json!({"w": flag(json!({"on": true}), "on", Value::Null)})));
    eventually("the flag is gone from its source", || gateway.revision() != seen);
    let admin = format!("http://{}", gateway.admin());
    let ran = flagway(&gateway.path(""), &["flags", "diff", "--gateway", &admin]).succeeded();
    assert_eq!(ran.stdout, "", "nothing that could be applied by mistake");
    assert!(ran.stderr.contains("v: no patch: no source defines it"), "{}", ran.stderr);
}
