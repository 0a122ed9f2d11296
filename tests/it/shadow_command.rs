//! `flagway shadow` against a running gateway: for people, for programs, and as it changes.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::support::{
    Answer, DEAD, Gateway, Lines, Shop, command, dark, eventually, flagway, one_route, opt_in, shadowed,
};

/// A shop whose versions disagree about a cart's total, and about a field whose name is not for terminals.
fn shop() -> (Shop, Gateway) {
    let shop = Shop::start();
    let cart = |total: &'static str| {
        move |_: &_| {
            let body = format!("{{\"total\": {total}, \"\u{9b}31m\": {total}}}");
            Answer::new(200, body).header("content-type", "application/json")
        }
    };
    shop.stable.answer(cart("1"));
    shop.canary.answer(cart("\"1\""));
    let gateway = shop.gateway(&shadowed(""), dark());
    (shop, gateway)
}

/// What a subcommand prints.
#[track_caller]
fn printed(gateway: &Gateway, words: &[&str]) -> String {
    let admin = format!("http://{}", gateway.admin());
    flagway(&gateway.path(""), &[&["shadow"], words, &["--gateway", &admin]].concat()).succeeded().stdout
}

#[test]
fn a_report_tells_people_and_programs_the_same() {
    let (_shop, gateway) = shop();
    let before = printed(&gateway, &["report"]);
    assert!(before.starts_with("No request was copied to canary yet.\n"), "{before}");
    assert_eq!(gateway.get("/cart/17").status, 200);
    let told = gateway.compared(1);

    let text = printed(&gateway, &["report", "all"]);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&text).starts_with(told["verdict"].as_str().unwrap()), "{text}");
    let mut lines = text.lines().skip_while(|line| !line.starts_with("  /total "));
    let row: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().take(3).collect();
    assert_eq!(row, ["/total", "type", "1"], "{text}");
    assert_eq!(lines.next(), Some("      1 -> \"1\"  GET /cart/17"), "{text}");

    let json = printed(&gateway, &["report", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), json!({"shadows": [told]}));
    let exported = printed(&gateway, &["examples"]);
    let examples: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let fields: BTreeSet<&str> = examples.iter().filter_map(|example| example["field"].as_str()).collect();
    assert!(fields.len() == 2 && fields.contains("/total"), "{fields:?}");
    assert_eq!(printed(&gateway, &["examples", "all"]), exported);
    for text in [&text, &json, &exported] {
        assert!(
            !text.chars().any(|c| c.is_control() && c != '\n'),
            "no upstream reaches the terminal: {text:?}"
        );
    }
}

#[test]
fn a_reset_begins_anew() {
    let (_shop, gateway) = shop();
    gateway.get("/");
    gateway.compared(1);
    printed(&gateway, &["reset", "all"]);
    let told = gateway.api("/api/v1/shadows/all").json()["shadows"][0].clone();
    assert_eq!((&told["sent"], &told["compared"]), (&json!(0), &json!(0)));
    assert_eq!(printed(&gateway, &["examples"]), "");
}

/// A watching command; it is killed when dropped.
struct Watch(Child);

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn whoever_watches_from_a_pipe_gets_each_new_verdict_as_a_line() {
    let (_shop, gateway) = shop();
    let mut child = command(&gateway.path(""))
        .args(["shadow", "report", "--watch"])
        .env("FLAGWAY_GATEWAY", format!("http://{}", gateway.admin()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let lines = Lines::collect(child.stdout.take().expect("its stdout is ours"));
    let mut watch = Watch(child);
    eventually("the first verdict", || lines.all() == ["all: No request was copied to canary yet."]);
    gateway.get("/");
    let verdict = format!("all: {}", gateway.compared(1)["verdict"].as_str().unwrap());
    eventually("the next verdict", || lines.all().last() == Some(&verdict));
    assert!(watch.0.try_wait().unwrap().is_none(), "it goes on");
    drop(gateway);
    eventually("that the gateway is away", || {
        lines.all().last().is_some_and(|line| line.starts_with("error: "))
    });
}

#[test]
fn what_cannot_be_told_is_exit_code_1_with_the_reason() {
    let (_shop, gateway) = shop();
    let admin = format!("http://{}", gateway.admin());
    let dead = format!("http://{DEAD}");
    let traffic = format!("http://{}", gateway.traffic());
    let cases: [(&[&str], &str, &str); 6] = [
        (&["report", "alls"], &admin, "did you mean `all`?"),
        (&["report", "nothing", "--watch"], &admin, "there is no route `nothing`"),
        (&["examples", "a/b?c"], &admin, "there is no route `a/b?c`"),
        (&["reset", "nothing"], &admin, "there is no route `nothing`"),
        (&["report"], &dead, "no answer from the gateway"),
        (&["report"], &traffic, "answers something else than reports of shadows"),
    ];
    for (words, gateway, reason) in cases {
        let home = tempfile::tempdir().unwrap();
        let ran =
            flagway(home.path(), &[&["shadow"], words, &["--gateway", gateway]].concat()).failed_with(1);
        assert!(ran.stderr.contains(reason) && ran.stdout.is_empty(), "{words:?}: {}", ran.output());
    }
    let plain = Shop::start().gateway(&one_route(""), json!({"v": opt_in()}));
    let text = printed(&plain, &["report"]);
    assert!(text.starts_with("there is no shadow to tell of"), "{text}");
}

#[test]
fn a_token_is_sent_when_there_is_one() {
    let shop = Shop::start();
    let config = shadowed("") + "admin: {bind: '127.0.0.1:0', token: 0123456789abcdef-secret}\n";
    let gateway = shop.gateway(&config, dark());
    let admin = format!("http://{}", gateway.admin());
    let report = ["shadow", "report", "--gateway", &admin];
    let refused = flagway(&gateway.path(""), &report).failed_with(1);
    assert!(refused.stderr.contains("401"), "{}", refused.stderr);
    flagway(&gateway.path(""), &[&report[..], &["--token", "0123456789abcdef-secret"]].concat()).succeeded();
}
