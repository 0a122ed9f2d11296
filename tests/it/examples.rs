//! Every configuration under `conf/` does what its own first lines say.
//!
//! Such a line is `#> curl -H 'x-canary: always' /checkout => version=canary x-flag-new-pricing=on`. On its left stands a request
//! in curl's words; on its right, `version` is the version that served, `copy` the one that got a copy (`copy=` for none), `status` and
//! `location` are the client's, and any other name is a header that the version saw (`name=` for one that it did not see).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Client, Curl, Gateway, Recorded, Setup, Upstream, eventually, words};

#[test]
fn every_example_does_what_it_says() {
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    let examples: Vec<PathBuf> = files(&conf).into_iter().filter(|file| is_example(file)).collect();
    assert!(examples.len() >= 5, "examples under conf: {examples:?}");
    let wrong: Vec<String> = examples.iter().flat_map(|file| perform(file)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All files under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

/// A YAML file with routes; other YAML is flags or manifests.
fn is_example(file: &Path) -> bool {
    let yaml = file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    yaml && std::fs::read_to_string(file).unwrap().lines().any(|line| line.starts_with("routes:"))
}

/// Starts an example and performs its lines; returns what is not as they say.
fn perform(file: &Path) -> Vec<String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#> ")).collect();
    if lines.len() < 3 {
        return vec![format!("{name}: {} lines that begin with `#> `, at least 3 are needed", lines.len())];
    }
    let folder = file.parent().expect("a file has a folder");
    let checked = crate::support::flagway(folder, &["check", "--json", &name]);
    if checked.code != Some(0) {
        return vec![format!("{name}: {}", checked.output())];
    }
    let report: Value = serde_json::from_str(&checked.stdout).unwrap();
    if report["problems"] != serde_json::json!([]) {
        return vec![format!("{name} has problems: {}", report["problems"])];
    }
    let upstreams = upstreams(&report["runs"]["services"]);
    let gateway = start(folder, &text, &upstreams);
    let address = gateway.traffic();
    let mut wrong: Vec<String> = lines
        .iter()
        .filter_map(|line| {
            ask(&mut Client::new(address), line, &upstreams)
                .err()
                .map(|why| format!("{name}: {line}\n    {why}"))
        })
        .collect();
    // No line can wait for what does not come; but a copy that no line expects makes one too many in the end.
    for (version, upstream) in upstreams.values() {
        let expected = lines.iter().filter(|line| words(line).contains(&format!("copy={version}"))).count();
        let copies = received(upstream, Kind::Copy).len();
        if expected > 0 && copies != expected {
            wrong.push(format!("{name}: {version} got {copies} copies, {expected} were expected"));
        }
    }
    wrong
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Original,
    Copy,
}

/// What an upstream got: originals and copies come in any order.
fn received(upstream: &Upstream, kind: Kind) -> Vec<Recorded> {
    let is = |request: &Recorded| {
        if request.all("x-flagway-shadow").is_empty() { Kind::Original } else { Kind::Copy }
    };
    upstream.requests().into_iter().filter(|request| is(request) == kind).collect()
}

/// A recording upstream for each endpoint, by the address that the example gives it; it is named like its version.
fn upstreams(services: &Value) -> BTreeMap<String, (String, Upstream)> {
    let mut upstreams = BTreeMap::new();
    for version in
        services.as_array().into_iter().flatten().flat_map(|service| service["versions"].as_array()).flatten()
    {
        let name = version["name"].as_str().expect("a version has a name");
        for endpoint in version["endpoints"].as_array().into_iter().flatten() {
            let address =
                endpoint.as_str().and_then(|text| text.split(' ').next()).expect("an endpoint is an address");
            let (had, _) = upstreams
                .entry(address.to_owned())
                .or_insert_with(|| (name.to_owned(), Upstream::start(name)));
            assert_eq!(had, name, "{address} stands for two versions");
        }
    }
    upstreams
}

/// Starts a copy of the example's folder with other addresses.
fn start(folder: &Path, text: &str, upstreams: &BTreeMap<String, (String, Upstream)>) -> Gateway {
    let mut config = String::new();
    for line in text.lines() {
        let line = match line.split_once("bind:") {
            Some((before, after)) => {
                let after = after.trim_start();
                let end = after.find([',', '}', ' ']).unwrap_or(after.len());
                format!("{before}bind: '127.0.0.1:0'{}", &after[end..])
            }
            None if line.starts_with("state_dir:") => "state_dir: state".to_owned(),
            None => upstreams.iter().fold(line.to_owned(), |line, (address, (_, upstream))| {
                line.replace(address, &upstream.address.to_string())
            }),
        };
        config += &line;
        config.push('\n');
    }
    let beside = files(folder).into_iter().filter_map(|path| {
        let name = path.strip_prefix(folder).ok()?.to_str()?.to_owned();
        Some((name, std::fs::read_to_string(&path).ok()?))
    });
    let setup = beside.fold(Setup::new(""), |setup, (name, text)| setup.file(&name, &text));
    setup.config(&config).start()
}

/// Performs one line.
fn ask(
    client: &mut Client,
    line: &str,
    upstreams: &BTreeMap<String, (String, Upstream)>,
) -> Result<(), String> {
    let words = words(line);
    let arrow = words.iter().position(|word| word == "=>").ok_or("it has no `=>`")?;
    let count = |kind| -> BTreeMap<&String, usize> {
        upstreams.iter().map(|(at, (_, upstream))| (at, received(upstream, kind).len())).collect()
    };
    let (originals, copies) = (count(Kind::Original), count(Kind::Copy));
    let response = Curl::parse(&words[..arrow])?.send(client)?;
    let served = upstreams.iter().find_map(|(at, (version, upstream))| {
        let requests = received(upstream, Kind::Original);
        (requests.len() > originals[at])
            .then(|| (version, requests.into_iter().next_back().expect("one more")))
    });
    let expectations = &words[arrow + 1..];
    if expectations.is_empty() {
        return Err("it expects nothing".to_owned());
    }
    for expectation in expectations {
        let (name, expected) =
            expectation.split_once('=').ok_or(format!("`{expectation}` is no name=value"))?;
        let found = match name {
            "version" => served.as_ref().map(|(version, _)| (*version).clone()),
            "copy" if expected.is_empty() => None,
            "copy" => {
                let (at, (_, upstream)) = upstreams
                    .iter()
                    .find(|(_, (version, _))| version == expected)
                    .ok_or(format!("no version is called {expected}"))?;
                eventually(&format!("the copy of `{line}`"), || {
                    received(upstream, Kind::Copy).len() > copies[at]
                });
                received(upstream, Kind::Copy).last().map(|copy| copy.all("x-flagway-shadow").join(", "))
            }
            "status" => Some(response.status.to_string()),
            "location" => response.header("location"),
            _ => served.as_ref().map(|(_, request)| request.all(name).join(", ")),
        };
        if found.as_deref().unwrap_or_default() != expected {
            return Err(format!(
                "{name} is {found:?}; the answer was {} {}",
                response.status,
                response.text()
            ));
        }
    }
    Ok(())
}
