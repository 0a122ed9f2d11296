//! `flagway status` against a running gateway: once, and as it changes.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::support::{DEAD, Gateway, Lines, Shop, command, eventually, flagway, one_route, opt_in};

fn shop() -> (Shop, Gateway) {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    (shop, gateway)
}

fn kill(gateway: &Gateway) {
    let admin = format!("http://{}", gateway.admin());
    let kill = ["flags", "kill", "v", "canary", "--why", "try it", "--gateway", &admin];
    flagway(&gateway.path(""), &kill).succeeded();
}

#[test]
fn a_status_tells_people_and_programs_the_same() {
    let (_shop, gateway) = shop();
    for _ in 0..4 {
        gateway.get("/");
    }
    kill(&gateway);
    gateway.replace("flags.json", "{");
    eventually("the source is stale", || {
        gateway.api("/api/v1/status").json()["sources"][0]["state"] == "stale"
    });
    let admin = format!("http://{}", gateway.admin());
    let printed = |words: &[&str]| {
        flagway(&gateway.path(""), &[&["status"], words, &["--gateway", &admin]].concat()).succeeded().stdout
    };
    let text = printed(&[]);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        &format!("revision {}; the gateway runs for", gateway.revision()),
        "problems error flags.json:1",
        "v: everyone gets `canary` (killed by anonymous: \"try it\")",
        "file:flags.json stale 1 flag good",
        "v stable 100.0 % 4",
    ] {
        assert!(words(&text).contains(part), "{part} in:\n{text}");
    }
    let json: Value = serde_json::from_str(&printed(&["--json"])).unwrap();
    assert_eq!(json["revision"], gateway.revision().as_str());
    assert_eq!(
        (&json["overlay"][0]["kind"], &json["sources"][0]["state"]),
        (&json!("kill"), &json!("stale"))
    );
}

/// A watching command; it is killed when dropped.
struct Watch {
    child: Child,
    lines: Lines,
}

impl Watch {
    fn start(gateway: &Gateway, words: &[&str]) -> Watch {
        let mut child = command(&gateway.path(""))
            .args(["status", "--watch"])
            .args(words)
            .env("FLAGWAY_GATEWAY", format!("http://{}", gateway.admin()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let lines = Lines::collect(child.stdout.take().expect("its stdout is ours"));
        Watch { child, lines }
    }

    #[track_caller]
    fn tells(&self, what: &str) {
        eventually(what, || self.lines.all().iter().any(|line| line.contains(what)));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn whoever_watches_from_a_pipe_gets_a_line_for_each_change() {
    let (_shop, gateway) = shop();
    let watch = Watch::start(&gateway, &[]);
    watch.tells(&format!("revision {} is live", gateway.revision()));
    gateway.get("/");
    watch.tells("v: stable 100 %");
    kill(&gateway);
    watch.tells("v: kill by anonymous: \"try it\"");
    watch.tells(&format!("revision {} is live", gateway.revision()));
    gateway.get("/");
    watch.tells("v: canary 100 %");
}

#[test]
fn programs_get_each_event_as_json() {
    let (_shop, gateway) = shop();
    let watch = Watch::start(&gateway, &["--json"]);
    let event = |name: &str| watch.lines.json().into_iter().find(|event| event["event"] == name);
    eventually("it listens", || event("split").is_some());
    kill(&gateway);
    eventually("the kill is told", || event("overlay").is_some() && event("published").is_some());
    assert_eq!(event("overlay").unwrap()["record"]["action"], "kill");
}

#[test]
fn a_gateway_that_restarts_is_found_again() {
    let shop = Shop::start();
    let config = |admin: SocketAddr| one_route("") + &format!("admin: {{bind: '{admin}'}}\n");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gateway = shop.gateway(&config(free), json!({"v": opt_in()}));
    let watch = Watch::start(&gateway, &[]);
    watch.tells("is live");
    let setup = gateway.stop();
    watch.tells("error: ");
    let before = watch.lines.count();
    let gateway = setup.start();
    let again = format!("revision {} is live", gateway.revision());
    eventually("it is told again", || watch.lines.all()[before..].iter().any(|line| line.contains(&again)));
    let errors = watch.lines.all().iter().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(errors, 1, "{}", watch.lines.text());
}

#[test]
fn without_an_answer_there_is_no_status_watched_or_not() {
    let home = tempfile::tempdir().unwrap();
    let dead = format!("http://{DEAD}");
    for words in [&["status"][..], &["status", "--watch"], &["status", "--watch", "--json"]] {
        let ran = flagway(home.path(), &[words, &["--gateway", &dead]].concat()).failed_with(1);
        assert!(
            ran.stdout.is_empty() && ran.stderr.contains("no answer from the gateway"),
            "{}",
            ran.output()
        );
    }
}
