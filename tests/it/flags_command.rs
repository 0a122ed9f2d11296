//! `flagway flags` against a running gateway: what people, programs and visitors get to see of the operator's hand.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{
    Answer, DEAD, Gateway, Ran, Recorded, Shop, Upstream, command, eventually, flag, flagway, one_route,
    opt_in, split, versions, words,
};

/// A shop with an opt-in for the canary, and a flag that is only told.
fn shop() -> (Shop, Gateway) {
    let shop = Shop::start();
    let rule = json!({"if": [{"==": [{"var": "header.x-canary"}, "always"]}, "canary",
        {"fractional": [["canary", 0], ["stable", 100]]}]});
    let flags =
        json!({"v": versions(rule), "told": flag(json!({"on": "on", "off": "off"}), "off", Value::Null)});
    let rest = one_route("inject: [told],") + "context: {targeting_key: [{cookie: uid}]}\n";
    let gateway = shop.gateway(&rest, flags);
    (shop, gateway)
}

/// What `flagway flags` prints on stdout.
#[track_caller]
fn printed(gateway: &Gateway, words: &[&str]) -> String {
    asked(gateway, words).succeeded().stdout
}

fn asked(gateway: &Gateway, words: &[&str]) -> Ran {
    let admin = format!("http://{}", gateway.admin());
    flagway(&gateway.path(""), &[&["flags"], words, &["--gateway", &admin]].concat())
}

/// The version that serves a visitor who asks for the canary.
fn version(gateway: &Gateway) -> String {
    gateway.get_with("/", &[("x-canary", "always"), ("cookie", "uid=ann")]).text()
}

#[test]
fn a_kill_is_live_when_the_command_returns_and_a_release_leads_back() {
    let (_shop, gateway) = shop();
    assert_eq!(version(&gateway), "canary");
    let told = printed(&gateway, &["kill", "v", "stable", "--for", "2h", "--why", "p99 \u{1f525}"]);
    assert_eq!(version(&gateway), "stable");
    let revision = gateway.revision();
    assert_eq!(
        told,
        format!(
            "v: everyone gets `stable` (killed by anonymous, for 2h: \"p99 \u{1f525}\")\n\
             revision {revision} is live; back with: flagway flags release v\n"
        )
    );
    let told = printed(&gateway, &["release", "v"]);
    assert_eq!(version(&gateway), "canary");
    assert!(told.starts_with("v: nothing is on it by hand, what its source says runs\nrevision "), "{told}");
    let refused = asked(&gateway, &["release", "v"]).failed_with(1);
    assert!(refused.stdout.is_empty() && refused.stderr.starts_with("error: "), "{}", refused.stderr);

    let told = printed(&gateway, &["kill", "v"]);
    assert!(
        told.starts_with("v: everyone gets `stable` (killed by anonymous); its default variant\n"),
        "{told}"
    );
    assert_eq!(version(&gateway), "stable");
}

#[test]
fn what_stands_below_a_kill_is_told_and_comes_back() {
    let (_shop, gateway) = shop();
    printed(&gateway, &["weight", "v", "canary=100%"]);
    let plain = || gateway.get_with("/", &[("cookie", "uid=ann")]).text();
    assert_eq!(plain(), "canary");
    let told = printed(&gateway, &["kill", "v", "stable"]);
    assert!(told.contains("\n  below that: `canary` gets 100% (by anonymous)\n"), "{told}");
    assert_eq!(plain(), "stable");
    let told = printed(&gateway, &["release", "v"]);
    assert!(told.starts_with("v: `canary` gets 100% (by anonymous)\n"), "{told}");
    assert_eq!(plain(), "canary");
    printed(&gateway, &["kill", "v", "stable"]);
    printed(&gateway, &["release", "v", "--all"]);
    assert_eq!(plain(), "stable");
}

#[test]
fn a_flag_is_disabled_enabled_and_set_from_a_file_or_a_pipe() {
    let (shop, gateway) = shop();
    let told = |gateway: &Gateway| {
        gateway.get("/");
        shop.stable.last().header("x-flag-told")
    };
    printed(&gateway, &["disable", "told", "--for", "1h"]);
    assert_eq!(told(&gateway), None);
    printed(&gateway, &["enable", "told"]);
    assert_eq!(told(&gateway), Some("off".to_owned()));

    std::fs::write(
        gateway.path("told.yaml"),
        "flags:\n  told: {state: ENABLED, variants: {on: 'yes'}, defaultVariant: on}\n",
    )
    .unwrap();
    printed(&gateway, &["set", "told", "told.yaml"]);
    assert_eq!(told(&gateway), Some("yes".to_owned()));

    let mut child = command(&gateway.path(""))
        .args(["flags", "set", "told", "-", "--gateway", &format!("http://{}", gateway.admin())])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let definition = json!({"state": "ENABLED", "variants": {"on": "piped"}, "defaultVariant": "on"});
    child.stdin.take().expect("its stdin is ours").write_all(definition.to_string().as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(told(&gateway), Some("piped".to_owned()));

    let told = printed(&gateway, &["release", "told", "--all"]);
    assert!(told.starts_with("told: nothing is on it by hand"), "{told}");
    let new = asked(&gateway, &["set", "unheard-of", "told.yaml"]).failed_with(1);
    assert!(new.stderr.contains("told.yaml has no definition of `unheard-of`"), "{}", new.stderr);
    std::fs::write(gateway.path("new.json"), definition.to_string()).unwrap();
    let new = asked(&gateway, &["set", "unheard-of", "new.json"]).succeeded();
    assert!(new.stderr.contains("no route asks unheard-of"), "{}", new.stderr);
}

#[test]
fn a_list_and_a_flag_are_told_to_people_and_to_programs() {
    let (_shop, gateway) = shop();
    for _ in 0..3 {
        version(&gateway);
    }
    printed(&gateway, &["kill", "v", "stable", "--why", "p99"]);
    let list = printed(&gateway, &["list"]);
    let row = |key: &str| -> Vec<&str> {
        let line = list.lines().find(|line| line.starts_with(key)).expect(key);
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
    };
    assert_eq!(row("v "), ["v", "enabled", "canary 100%", "kill stable"]);
    assert_eq!(row("told "), ["told", "enabled", "off 100%"]);
    assert!(list.lines().all(|line| line.len() <= 80), "{list}");
    let json: Value = serde_json::from_str(&printed(&gateway, &["list", "--json"])).unwrap();
    assert_eq!(json["flags"].as_array().map(Vec::len), Some(2), "{json}");

    let text = printed(&gateway, &["get", "v"]);
    for part in [
        "everyone gets `stable` (killed by anonymous: \"p99\")",
        "flags.json",
        "\"defaultVariant\": \"stable\"",
    ] {
        assert!(text.contains(part), "{part} in:\n{text}");
    }
    let json: Value = serde_json::from_str(&printed(&gateway, &["get", "v", "--json"])).unwrap();
    assert_eq!((&json["key"], &json["entries"][0]["kind"]), (&json!("v"), &json!("kill")));
}

#[test]
fn a_write_answers_programs_what_the_api_answers() {
    let (_shop, gateway) = shop();
    let told: Value = serde_json::from_str(&printed(&gateway, &["kill", "v", "canary", "--json"])).unwrap();
    assert_eq!(told["flag"]["entries"][0]["variant"], "canary");
    assert_eq!((&told["durable"], &told["again"]), (&json!(true), &json!(false)));
    assert_eq!(told["revision"], gateway.revision().as_str());
}

#[test]
fn a_diff_is_the_patch_that_makes_the_source_say_what_runs() {
    let (_shop, gateway) = shop();
    let nothing = asked(&gateway, &["diff"]).succeeded();
    assert!(nothing.stdout.is_empty() && nothing.stderr.contains("nothing is done by hand"), "{nothing:?}");
    printed(&gateway, &["weight", "v", "canary=5%"]);
    let patch = printed(&gateway, &["diff"]);
    assert!(patch.starts_with("--- ") && patch.contains("flags.json"), "{patch}");
    let changed: Vec<&str> =
        patch.lines().filter(|line| line.starts_with(['+', '-']) && !line.contains("flags.json")).collect();
    assert!(changed.iter().any(|line| line.starts_with('+') && line.contains('5')), "{patch}");
    assert_eq!(printed(&gateway, &["diff", "v"]), patch);
    assert_eq!(printed(&gateway, &["diff", "told"]), "");
    let json: Value = serde_json::from_str(&printed(&gateway, &["diff", "--json"])).unwrap();
    assert_eq!((&json["diffs"][0]["form"], &json["diffs"][0]["patch"]), (&json!("unified"), &json!(patch)));
}

#[test]
fn what_cannot_be_done_is_exit_code_1_with_what_to_do_instead() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), json!({"v": opt_in(), "s": split(10)}));
    let admin = format!("http://{}", gateway.admin());
    let dead = format!("http://{DEAD}");
    let traffic = format!("http://{}", gateway.traffic());
    let before = gateway.revision();
    let cases: [(&[&str], &str, &str); 8] = [
        (&["kill", "v", "stabel"], &admin, "`stable`"),
        (&["kill", "vv", "stable"], &admin, "no source defines the flag"),
        (&["weight", "v", "canary=5%"], &admin, "has no split"),
        (&["weight", "s", "stable=5%"], &admin, "default variant"),
        (&["weight", "s", "canary=5%", "canary=6%"], &admin, "stands there twice"),
        (&["get", "v/v?"], &admin, "`v/v?`"),
        (&["kill", "v", "stable"], &dead, "no answer from the gateway"),
        (&["list"], &traffic, "something else than a list of flags"),
    ];
    for (words, gateway, reason) in cases {
        let home = tempfile::tempdir().unwrap();
        let ran = flagway(home.path(), &[&["flags"], words, &["--gateway", gateway]].concat()).failed_with(1);
        assert!(ran.stderr.contains(reason) && ran.stdout.is_empty(), "{words:?}: {}", ran.output());
    }
    assert_eq!(gateway.revision(), before, "nothing changed");
}

#[test]
fn without_a_state_folder_the_change_is_made_and_the_operator_warned() {
    let shop = Shop::start();
    let sections = "listeners: [{name: main, bind: '127.0.0.1:0'}]\nprobes: {bind: '127.0.0.1:0'}\n\
        admin: {bind: '127.0.0.1:0'}\nflags: {sources: [{file: flags.json}]}\n";
    let config = shop.config(sections) + &one_route("");
    let gateway = shop.setup("", json!({"v": opt_in()})).file("flagway.yaml", &config).start();
    let ran = asked(&gateway, &["kill", "v", "stable"]).succeeded();
    assert!(ran.stderr.starts_with("warning: this is gone after a restart"), "{}", ran.stderr);
    assert_eq!(version(&gateway), "stable");
}

#[test]
fn the_settings_name_the_gateway_and_its_token() {
    let shop = Shop::start();
    let token = "0123456789abcdef-secret";
    let config = one_route("") + &format!("admin: {{bind: '127.0.0.1:0', token: {token}}}\n");
    let gateway = shop.gateway(&config, json!({"v": opt_in()}));
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".config/flagway/config.yaml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let write = |text: String, mode: u32| {
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let list = || flagway(home.path(), &["flags", "list"]);
    write(format!("gateway: http://{}\ntoken: {token}\n", gateway.admin()), 0o600);
    assert!(list().succeeded().stdout.contains("v "));

    write(format!("gateway: http://{}\n", gateway.admin()), 0o644);
    assert!(list().failed_with(1).stderr.contains("401"));
    let given = flagway(home.path(), &["flags", "list", "--token", token]);
    given.succeeded();

    write(format!("gateway: http://{}\ntoken: {token}\n", gateway.admin()), 0o644);
    let told = list().failed_with(1).stderr;
    assert!(told.contains(&format!("chmod 600 {}", file.display())), "{told}");
    write(format!("gatway: http://{}\ntoken: {token}\n", gateway.admin()), 0o600);
    let told = list().failed_with(1).stderr;
    assert!(told.contains("config.yaml:1:1") && told.contains("did you mean `gateway`?"), "{told}");
    assert!(!told.contains(token), "{told}");
}

/// A gateway that answers as the test says, to look at what commands send and how they take odd answers.
fn fake(answer: impl Fn(&Recorded) -> Answer + Send + Sync + 'static) -> Upstream {
    let gateway = Upstream::start("gateway");
    gateway.answer(move |request| answer(request).then_close());
    gateway
}

fn detail(by: &str) -> Value {
    json!({"key": "v", "state": "ENABLED", "variants": {"stable": "stable"}, "default_variant": "stable", "routes": ["all"],
        "entries": [{"flag": "v", "kind": "kill", "variant": "stable", "value": "stable", "by": by, "at": "2026-11-23T06:26:40Z"}]})
}

#[test]
fn whoever_is_overtaken_is_told_by_whom_and_what_is_true_now() {
    let gateway = fake(|request| match &*request.method() {
        "GET" => Answer::new(200, detail("bob").to_string()).header("etag", "\"4c1f\""),
        _ => Answer::new(412, json!({"detail": "`v` is not what it was: bob changed it"}).to_string()),
    });
    let home = tempfile::tempdir().unwrap();
    let admin = format!("http://{}", gateway.address);
    let ran =
        flagway(home.path(), &["flags", "weight", "v", "canary=5%", "--gateway", &admin]).failed_with(1);
    for part in ["bob changed it", "nothing was done", "everyone gets `stable` (killed by bob"] {
        assert!(ran.stderr.contains(part), "{part} in:\n{}", ran.stderr);
    }
    let sent = gateway.requests().into_iter().find(|request| request.method() == "POST").unwrap();
    assert_eq!(sent.header("if-match").as_deref(), Some("\"4c1f\""));
    assert_eq!(gateway.requests().iter().filter(|request| request.method() == "POST").count(), 1);
}

#[test]
fn a_broken_connection_is_tried_once_more_as_the_same_write() {
    let broken = AtomicUsize::new(1);
    let gateway = fake(move |_| match broken.fetch_sub(1, Ordering::SeqCst) {
        1 => Answer::close(),
        _ => {
            let told =
                json!({"flag": detail("ann"), "revision": "03b1", "durable": true, "seq": 1, "again": true});
            Answer::new(200, told.to_string())
        }
    });
    let home = tempfile::tempdir().unwrap();
    let admin = format!("http://{}", gateway.address);
    let kill = ["flags", "kill", "v", "stable", "--drain", "10s", "--gateway", &admin];
    assert!(flagway(home.path(), &kill).succeeded().stdout.contains("revision 03b1 is live"));
    let sent = gateway.requests();
    assert_eq!(sent.len(), 2);
    let keys: Vec<_> = sent.iter().map(|request| request.header("idempotency-key")).collect();
    assert!(keys[0].is_some() && keys[0] == keys[1], "{keys:?}");
    assert_eq!((sent[0].header("if-match"), sent[0].target()), (None, "/api/v1/flags/v/kill".to_owned()));
    let body: Value = serde_json::from_slice(&sent[1].body).unwrap();
    assert_eq!(body, json!({"variant": "stable", "drain": "10s"}));
}

#[test]
fn no_text_of_a_gateway_reaches_the_terminal_as_it_is() {
    let hostile = "\u{1b}]0;evil\u{7}\u{9b}31m\u{202e}\r\n";
    let gateway = fake(move |request| {
        let flag = json!({"key": hostile, "state": hostile, "variants": {hostile: hostile}, "routes": [hostile],
            "source": hostile, "definition": {hostile: hostile},
            "problems": [{"severity": hostile, "found": hostile, "file": hostile, "fix": hostile}]});
        let target = request.target();
        let told = match target.strip_prefix("/api/v1/").unwrap_or_default() {
            "flags" => json!({"flags": [flag]}),
            "status" => json!({"revision": hostile, "since": hostile, "problems": flag["problems"],
                "sources": [{"name": hostile, "state": hostile, "flags": 1}],
                "evaluations": [{"flag": hostile, "variant": hostile, "count": 1}],
                "shadows": [{"route": hostile, "version": hostile, "verdict": hostile}]}),
            "diff" => {
                json!({"diffs": [{"flag": hostile, "file": hostile, "form": "none", "patch": hostile}]})
            }
            "flags/v" => flag,
            "flags/v/kill" => json!({"flag": flag, "revision": hostile, "durable": false}),
            _ => return Answer::new(400, json!({"detail": hostile}).to_string()),
        };
        Answer::new(200, told.to_string())
    });
    let home = tempfile::tempdir().unwrap();
    let admin = format!("http://{}", gateway.address);
    for words in [
        &["flags", "list"][..],
        &["flags", "list", "--json"],
        &["flags", "get", "v"],
        &["flags", "get", "v", "--json"],
        &["flags", "kill", "v", "stable"],
        &["flags", "kill", "v", "stable", "--json"],
        &["flags", "kill", "w", "stable"],
        &["flags", "diff"],
        &["flags", "diff", "--json"],
        &["status"],
        &["status", "--json"],
    ] {
        let ran = flagway(home.path(), &[words, &["--color", "never", "--gateway", &admin]].concat());
        assert_eq!(ran.code, Some(i32::from(words.contains(&"w"))), "{words:?}: {}", ran.output());
        let moves = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!ran.output().contains(moves), "{words:?}: {:?}", ran.output());
        assert!(ran.output().contains("evil"), "{words:?}: {}", ran.output());
    }
}

#[test]
fn the_examples_of_the_reference_work_one_after_the_other() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let reference = std::fs::read_to_string(root.join("docs/cli.md")).unwrap();
    let flags = std::fs::read_to_string(root.join("conf/flags.json")).unwrap();
    let config = "context: {attributes: {country: {header: cf-ipcountry}}}\nroutes: [{name: a, respond: {status: 204}}]\n";
    let gateway = Gateway::start(config, json!({}));
    gateway.replace("flags.json", &flags);
    let document: Value = serde_json::from_str(&flags).unwrap();
    let definition = document["flags"]["checkout-version"].to_string();
    std::fs::write(gateway.path("checkout-version.json"), definition).unwrap();
    eventually("the flags are there", || {
        gateway.api("/api/v1/flags").json()["flags"].as_array().is_some_and(|flags| flags.len() == 2)
    });
    let mut ran = 0;
    for section in ["flags", "status"] {
        let (_, text) = reference.split_once(&format!("\n## {section}\n")).expect(section);
        let block = text.split("```").nth(1).expect("a block of examples");
        for line in block.lines().filter_map(|line| line.strip_prefix("flagway ")) {
            let line = line.split(" #").next().unwrap_or(line).split(" > ").next().unwrap_or(line).trim();
            if line.contains("--watch") {
                continue;
            }
            let words = words(line);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let admin = format!("http://{}", gateway.admin());
            flagway(&gateway.path(""), &[&words[..], &["--gateway", &admin]].concat()).succeeded();
            ran += 1;
        }
    }
    assert!(ran >= 12, "{ran} examples");
}
