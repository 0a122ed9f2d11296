//! Keeps the house as drawn: an arrow between two rooms only points down the list, and the pure rooms stay pure.
//!
//! `docs/ARCHITECTURE.md` draws the house and says why. What is written here is the law; the picture is compared with it.

mod source;

use std::path::PathBuf;

use source::Source;

/// The rooms, highest first: what stands higher may use what stands lower. `main.rs` and `lib.rs` stand above them all.
const ROOMS: [&str; 15] = [
    "cli",
    "admin",
    "rollout",
    "gateway",
    "ofrep",
    "source",
    "telemetry",
    "decide",
    "snapshot",
    "overlay",
    "route",
    "context",
    "flag",
    "compare",
    "config",
];

/// No clock, no I/O and no randomness in these: time and fresh bits are arguments.
const PURE: [&str; 8] = ["decide", "snapshot", "overlay", "route", "context", "flag", "compare", "config"];

/// What a pure room names nowhere but in tests. A `*` stands for any rest of a name.
const IMPURE: [&str; 16] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::net::Tcp*",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::os::unix::net",
    "std::time::SystemTime::now",
    "std::time::Instant::now",
    "pingora*",
    "tokio*",
    "axum",
    "notify",
    "rand",
    "getrandom",
];

/// Lines of a file in `src`, tests included; one that grows past them has found a second noun.
const LINES: usize = 450;

#[test]
fn the_house_is_as_drawn() {
    let files = sources();
    assert!(files.len() >= 20, "only {} files found: is this the right folder?", files.len());
    let found: Vec<String> = files.iter().flat_map(|file| violations(file, &read(file))).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn the_map_in_lib_shows_every_room_in_its_order() {
    let text = read("src/lib.rs");
    let map = drawn(text.lines().filter(|line| line.starts_with("//! - ")));
    assert!(!map.is_empty(), "src/lib.rs has no list of rooms");
    assert!(map.is_sorted_by_key(|room| ROOMS.iter().position(|name| name == room)), "src/lib.rs: {map:?}");
    let scanned = Source::scan(&[], &text);
    for pair in scanned.tokens().windows(2).filter(|pair| pair[0].text == "mod") {
        assert!(
            map.contains(&pair[1].text.as_str()),
            "src/lib.rs declares `{}`, its map lacks it",
            pair[1].text
        );
    }
}

#[test]
fn the_architecture_draws_this_house() {
    let text = read("docs/ARCHITECTURE.md");
    let picture =
        text.split("```").find(|block| block.contains("\nsrc/\n")).expect("a block that draws src/");
    assert_eq!(drawn(picture.lines()), ROOMS, "docs/ARCHITECTURE.md and tests/house differ");
}

#[test]
fn the_architecture_names_files_that_exist() {
    let text = read("docs/ARCHITECTURE.md");
    let named: Vec<&str> = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || "_/.-".contains(c)))
        .filter(|word| word.starts_with("src/") && word.ends_with(".rs"))
        .collect();
    assert!(named.len() >= 10, "a walk through the house names more than {} files", named.len());
    let missing: Vec<&&str> = named.iter().filter(|file| !root().join(file).is_file()).collect();
    assert!(missing.is_empty(), "docs/ARCHITECTURE.md names what is not there: {missing:?}");
}

/// Everything in a file that the house forbids, one line each.
fn violations(file: &str, text: &str) -> Vec<String> {
    let module = module(file);
    let source = Source::scan(&module, text);
    let mut found = Vec::new();
    if !text.starts_with("//!") {
        found.push(format!(
            "{file}:1: does not open with `//!`: say what it is for and what it refuses to do"
        ));
    }
    let lines = text.lines().count();
    if lines > LINES {
        found.push(format!("{file}:{lines}: over {LINES} lines: is there a second noun in it?"));
    }
    if file.ends_with("/mod.rs") {
        found.push(format!("{file}:1: a module `foo` is `foo.rs` beside `foo/`, never `foo/mod.rs`"));
    }
    for token in source.tokens().iter().filter(|token| token.text == "unsafe") {
        found.push(format!("{file}:{}: `unsafe`", token.line));
    }
    found.extend(
        unreasoned(&source)
            .map(|line| format!("{file}:{line}: a lint is silenced without a `reason = \"..\"`")),
    );
    match module.first() {
        None if file == "src/lib.rs" => found.extend(
            statement(&source)
                .map(|(line, text)| format!("{file}:{line}: `{text}`: this file only declares modules")),
        ),
        None => {}
        Some(room) if !ROOMS.contains(room) => {
            found.push(format!(
                "{file}:1: `{room}` is no room of the house; its list is in tests/house/main.rs"
            ));
        }
        Some(room) => {
            found.extend(arrows(file, room, &source));
            // `foo/tests.rs` is what `#[cfg(test)] mod tests;` declares.
            if PURE.contains(room) && !module.contains(&"tests") {
                found.extend(impurities(file, room, &source));
            }
        }
    }
    found
}

/// Arrows that run up the list, in tests too: a test that needs a higher room belongs into that room.
fn arrows(file: &str, room: &str, source: &Source) -> Vec<String> {
    let height = |room: &str| ROOMS.iter().position(|name| *name == room);
    let mut found = Vec::new();
    for named in source.paths() {
        let mut segments = named.path.split("::");
        if !matches!(segments.next(), Some("crate" | "flagway")) {
            continue;
        }
        let (line, path) = (named.line, &named.path);
        match segments.next() {
            // `use crate as house`: what is named through it is followed.
            None => {}
            Some("*") => {
                found.push(format!("{file}:{line}: `{path}` takes in the whole house; name the room"))
            }
            Some(target) if height(target).is_none() => {
                found.push(format!("{file}:{line}: {room} -> {target}: `{path}` is in no room of the house"));
            }
            Some(target) if height(target) < height(room) => {
                found.push(format!("{file}:{line}: {room} -> {target} runs up the house: `{path}`"));
            }
            Some(_) => {}
        }
    }
    found
}

/// Clock, I/O and randomness in a pure room; HTTP in the flags.
fn impurities(file: &str, room: &str, source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for named in source.paths().iter().filter(|named| !named.test) {
        if let Some(ban) = IMPURE.iter().find(|ban| covers(ban, &named.path)) {
            found.push(format!("{file}:{}: {room} is pure and names `{}` ({ban})", named.line, named.path));
        }
        if room == "flag" && covers("http", &named.path) {
            found.push(format!("{file}:{}: flag knows no HTTP and names `{}`", named.line, named.path));
        }
    }
    found
}

/// Whether a path is what a ban names, or lies in it, or is a glob that takes it in.
fn covers(ban: &str, path: &str) -> bool {
    if let Some(globbed) = path.strip_suffix('*') {
        return ban.starts_with(globbed) || covers(ban, globbed.trim_end_matches(':'));
    }
    match ban.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => path.strip_prefix(ban).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")),
    }
}

/// Lines of `#[allow]` and `#[expect]` that give no reason.
fn unreasoned(source: &Source) -> impl Iterator<Item = usize> + '_ {
    let tokens = source.tokens();
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    (0..tokens.len()).filter_map(move |at| {
        let silences = text(at) == "[" && matches!(text(at + 1), "allow" | "expect") && text(at + 2) == "(";
        let reasoned =
            || (at..).take_while(|at| !matches!(text(*at), "]" | "")).any(|at| text(at) == "reason");
        (silences && !reasoned()).then(|| tokens[at].line)
    })
}

/// The first statement that declares no module.
fn statement(source: &Source) -> Option<(usize, String)> {
    let mut rest = source.tokens();
    while let Some(first) = rest.first() {
        let names: Vec<&str> = rest.iter().take(4).map(|token| token.text.as_str()).collect();
        let used = match names[..] {
            ["#", ..] => 1 + rest.iter().position(|token| token.text == "]").unwrap_or(rest.len() - 1),
            ["mod", _, ";", ..] => 3,
            ["pub", "mod", _, ";"] => 4,
            _ => return Some((first.line, names.join(" "))),
        };
        rest = &rest[used..];
    }
    None
}

/// The rooms that lines begin with, whatever marks stand before them.
fn drawn<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let word = |line: &'a str| {
        let line = line.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
        &line[..line.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(line.len())]
    };
    lines.map(word).filter(|word| ROOMS.contains(word)).collect()
}

/// `["flag", "set"]` for `src/flag/set.rs`; empty for `main.rs` and `lib.rs`.
fn module(file: &str) -> Vec<&str> {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    if matches!(path, "main" | "lib") { Vec::new() } else { path.split('/').collect() }
}

/// Every source file, as a path from the project's root.
fn sources() -> Vec<String> {
    let mut folders = vec![root().join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the project") {
            let path = entry.expect("an entry of the project").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(root()).expect("below the root");
                files.push(below.to_string_lossy().into_owned());
            }
        }
    }
    files.sort();
    files
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).expect(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str, code: &str) -> Vec<String> {
        violations(file, &format!("//! A room.\n{code}\n"))
    }

    #[test]
    fn an_arrow_that_runs_up_is_named_with_its_place() {
        assert_eq!(
            found("src/flag/set.rs", "use crate::config::Problem;\nuse crate::gateway::Live;"),
            ["src/flag/set.rs:3: flag -> gateway runs up the house: `crate::gateway::Live`"]
        );
        for (file, code) in [
            ("src/config.rs", "use super::flag::Value;"),
            ("src/config/route.rs", "use super::super::route::Table;"),
            ("src/decide.rs", "fn f() { crate::telemetry::count(); }"),
            ("src/snapshot.rs", "use crate::{config::Config, flag::{self, FlagSet}, source::File};"),
            ("src/source/merge.rs", "use crate as house; fn f(_: house::gateway::Live) {}"),
            ("src/route/table.rs", "#[cfg(test)] mod tests { use crate::decide::Decision; }"),
            ("src/context.rs", "pub use crate::cli::Arguments;"),
        ] {
            let found = found(file, code);
            assert!(found.len() == 1 && found[0].contains("runs up"), "{file}: {code}: {found:?}");
        }
    }

    #[test]
    fn an_arrow_that_points_down_or_stays_is_none() {
        for (file, code) in [
            (
                "src/gateway/proxy.rs",
                "use crate::{decide::Decision, source, telemetry::{self, Handles}}; use super::facts;",
            ),
            (
                "src/flag/set.rs",
                "use super::{Slot, Value}; mod tests { use super::*; use super::super::Slot; }",
            ),
            ("src/decide.rs", "//! [`crate::gateway`]\nconst X: &str = \"crate::gateway\"; // crate::cli"),
            ("src/config/context.rs", "use http::HeaderName;"),
            ("src/main.rs", "use flagway::cli; fn main() { std::process::exit(0) }"),
        ] {
            assert_eq!(found(file, code), Vec::<String>::new(), "{file}: {code}");
        }
    }

    #[test]
    fn what_is_in_no_room_is_refused() {
        for (file, code) in [
            ("src/util.rs", ""),
            ("src/flag.rs", "use crate::helper;"),
            ("src/flag.rs", "use super::*;"),
            ("src/flag/mod.rs", ""),
            ("src/lib.rs", "pub mod flag;\npub fn helper() {}"),
            ("src/lib.rs", "pub use config::Problem;"),
        ] {
            assert_eq!(found(file, code).len(), 1, "{file}: {code}: {:?}", found(file, code));
        }
        assert_eq!(
            found("src/lib.rs", "#![warn(missing_docs)]\npub mod flag;\nmod config;"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_pure_room_has_no_clock_no_socket_and_no_chance() {
        for code in [
            "use std::fs;",
            "use std::{fs::File, sync::Arc};",
            "use std::net::TcpStream;",
            "use std::time::Instant; fn f() { Instant::now(); }",
            "use std::time::SystemTime as Clock; fn f() { Clock::now(); }",
            "use std::time::*;",
            "fn f() { tokio::spawn(g()); }",
            "use pingora_proxy::Session;",
            "use rand::Rng;",
        ] {
            assert_eq!(
                found("src/context/facts.rs", code).len(),
                1,
                "{code}: {:?}",
                found("src/context/facts.rs", code)
            );
            assert_eq!(found("src/source/file.rs", code), Vec::<String>::new(), "{code}");
            assert_eq!(found("src/context/tests.rs", code), Vec::<String>::new(), "{code}");
            let test = format!("#[cfg(test)]\nmod tests {{ {code} }}");
            assert_eq!(found("src/context/facts.rs", &test), Vec::<String>::new(), "{test}");
        }
        for code in [
            "use std::net::IpAddr;",
            "use std::time::{Duration, SystemTime};",
            "use std::path::Path;",
            "mod random;",
        ] {
            assert_eq!(found("src/context/facts.rs", code), Vec::<String>::new(), "{code}");
        }
        assert_eq!(found("src/flag/value.rs", "use http::HeaderValue;").len(), 1);
    }

    #[test]
    fn a_file_keeps_the_manners_of_the_house() {
        for (text, what) in [
            ("use std::sync::Arc;\n", "does not open"),
            ("//! A.\nunsafe fn f() {}\n", "`unsafe`"),
            ("//! A.\n#[allow(dead_code)]\nfn f() {}\n", "reason"),
            ("//! A.\n#![expect(dead_code)]\n", "reason"),
            (&format!("//! A.\n{}", "\n".repeat(LINES)), "over 450 lines"),
        ] {
            let found = violations("src/cli/run.rs", text);
            assert!(found.len() == 1 && found[0].contains(what), "{what}: {found:?}");
        }
        let fine = "//! A.\n#[expect(dead_code, reason = \"unsafe\")]\nfn f() {} // unsafe\n";
        assert_eq!(violations("src/cli/run.rs", fine), Vec::<String>::new());
    }
}
