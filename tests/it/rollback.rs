//! The guide's chapter "Your first rollback", line by line: every command runs as it stands there and prints what the chapter shows.

use std::process::Command;

use crate::support::{Client, Curl, Gateway, Setup, Shop, eventually, words};

struct Chapter(String);

/// A command of the chapter, and what it prints there.
struct Line<'c> {
    command: &'c str,
    prints: Vec<&'c str>,
}

impl Chapter {
    fn read() -> Chapter {
        let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide.md");
        let guide = std::fs::read_to_string(guide).expect("the guide");
        let (_, rest) = guide.split_once("\n## Your first rollback\n").expect("the chapter");
        Chapter(rest.split("\n## ").next().unwrap_or(rest).to_owned())
    }

    fn blocks(&self, kind: &str) -> Vec<&str> {
        let blocks = self.0.split("```").skip(1).step_by(2);
        blocks.filter_map(|block| block.strip_prefix(kind)?.strip_prefix('\n')).collect()
    }

    fn lines(&self) -> Vec<Line<'_>> {
        let mut lines: Vec<Line<'_>> = Vec::new();
        for text in self.blocks("console").into_iter().flat_map(str::lines) {
            match (text.strip_prefix("$ "), lines.last_mut()) {
                (Some(command), _) => lines.push(Line { command, prints: Vec::new() }),
                (None, Some(line)) => line.prints.push(text),
                (None, None) => panic!("a block begins with a command, not with {text}"),
            }
        }
        lines
    }
}

/// The chapter's gateway, with its versions and doors on this machine.
fn gateway(chapter: &Chapter, shop: &Shop) -> Gateway {
    let mut config = chapter.blocks("yaml")[0].replace("/var/lib/flagway", "state");
    for bind in ["0.0.0.0:8080", "0.0.0.0:9902", "127.0.0.1:9901"] {
        assert!(config.contains(bind), "{bind}");
        config = config.replace(bind, "'127.0.0.1:0'");
    }
    for (written, upstream) in [("10.0.0.1:9001", &shop.stable), ("10.0.0.2:9001", &shop.canary)] {
        assert!(config.contains(written), "{written}");
        config = config.replace(written, &upstream.address.to_string());
    }
    Setup::new(&config).file("flags.json", chapter.blocks("json")[0]).start()
}

/// Figures and revisions are what they are in every run.
fn without_figures(line: &str) -> String {
    let is_revision = |word: &str| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let word = |word: &str| match is_revision(word) {
        true => "revision".to_owned(),
        false => word.chars().filter(|letter| !letter.is_ascii_digit()).collect(),
    };
    line.split_whitespace().map(word).collect::<Vec<String>>().join(" ")
}

/// Runs a command in the gateway's folder, as its shell would.
fn run(gateway: &Gateway, command: &str, token: &mut String) -> String {
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_flagway"));
    let inherited = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{inherited}", binary.parent().expect("its folder").display());
    // What is exported is for the commands that follow.
    let script = format!("{command}\nstatus=$?\nprintf %s \"$FLAGWAY_TOKEN\" > .token\nexit $status\n");
    let output = Command::new("sh")
        .args(["-c", &script.replace("/var/lib/flagway", "state")])
        .current_dir(gateway.path(""))
        .env("PATH", path)
        .env("XDG_CONFIG_HOME", gateway.path(".config"))
        .env("FLAGWAY_GATEWAY", format!("http://{}", gateway.admin()))
        .env("FLAGWAY_TOKEN", &*token)
        .output()
        .expect("sh runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.is_empty(), "{command}: {told}");
    *token = std::fs::read_to_string(gateway.path(".token")).unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn curl(gateway: &Gateway, command: &str) -> String {
    let curl = Curl::parse(&words(command)).expect("a line of curl's");
    curl.send(&mut Client::new(gateway.traffic())).expect("an answer").text()
}

#[test]
fn every_line_of_the_first_rollback_does_what_the_guide_shows() {
    let (chapter, shop) = (Chapter::read(), Shop::start());
    let gateway = gateway(&chapter, &shop);
    let visitors = || {
        let mut client = Client::new(gateway.traffic());
        for user in 0..100 {
            let cookie = format!("uid=user-{user}");
            assert_eq!(client.get("/checkout").header("cookie", cookie).send().status, 200);
        }
    };
    visitors();
    let lines = chapter.lines();
    assert!(lines.len() >= 12, "{} lines", lines.len());
    let mut token = String::new();
    for Line { command, prints } in lines {
        let printed = match command.starts_with("curl ") {
            true => curl(&gateway, command),
            false => run(&gateway, command, &mut token),
        };
        let printed: Vec<String> = printed.lines().map(without_figures).collect();
        let expected: Vec<String> = prints.into_iter().map(without_figures).collect();
        assert_eq!(printed, expected, "{command}");
        if command.starts_with("patch ") {
            let mut operator = gateway.operator_with(&token);
            eventually("the entry is released", || operator.kinds("checkout-version").is_empty());
        }
    }
    assert!(token.starts_with("fw_"), "it was exported");
}

#[test]
fn the_rollback_of_the_readme_is_the_guides() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, shown) = readme.split_once("$ flagway flags kill ").expect("a rollback");
    let shown = shown.split("```").next().unwrap_or(shown);
    let chapter = Chapter::read();
    for line in format!("$ flagway flags kill {shown}").lines() {
        assert!(chapter.0.lines().any(|told| told == line), "not in the guide: {line}");
    }
}
