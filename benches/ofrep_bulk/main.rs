//! What an answer about a hundred flags costs: the answering alone (criterion), and the whole gateway under load.
//!
//! `make bench-ofrep`, or `cargo bench --bench ofrep_bulk -- answer` (or `load`) for one of the two. Every flag is targeted, split and has
//! metadata. Targets: well under 20 microseconds an answer; over 20,000 answers a second on one core, with one worker thread.
//! `FLAGWAY_BENCH_SECONDS` (10) is the time of the load. It fails if an answer is not as it must be; times it only tells.

#![allow(clippy::disallowed_methods, reason = "its threads are its own; the environment is its command line")]

mod load;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use flagway::config::route::{Shown, Valueless};
use flagway::context::RequestContext;
use flagway::ofrep::{Catalog, Door, Request};
use http::{HeaderMap, HeaderValue, Method};

#[path = "../../tests/support/world.rs"]
#[allow(dead_code, reason = "another bench uses the rest")]
mod world;

const FLAGS: usize = 100;
const NOW: i64 = 1_790_000_000;
const BULK: &str = "/ofrep/v1/evaluate/flags";
/// What a client says of its user.
const BODY: &str = r#"{"context": {"targetingKey": "user-4711", "plan": "team", "header": {"x-canary": "sometimes"}, "beta": true}}"#;

fn main() -> ExitCode {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|want| want == name);
    if is_wanted("answer") {
        answering();
    }
    if !is_wanted("load") {
        return ExitCode::SUCCESS;
    }
    let seconds = std::env::var("FLAGWAY_BENCH_SECONDS")
        .map_or(10.0, |text| text.parse().expect("a number of seconds"));
    if load::run(Duration::from_secs_f64(seconds)) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn answering() {
    let mut criterion = Criterion::default();
    let snapshot = Arc::new(world::snapshot(FLAGS, "[headers]"));
    let door =
        Door { flags: Shown::All, valueless: Valueless::Omit, streams: Some("/ofrep/v1/stream".into()) };
    let catalog = Catalog::new(Arc::clone(&snapshot), &door);
    let browser = world::request();
    let facts = world::facts(&snapshot, &browser);
    let mut group = criterion.benchmark_group("ofrep");
    let mut answered = |what: &str, path: &str, headers: &HeaderMap, enriched: bool, status: u16| {
        let request = Request { method: &Method::POST, path, query: None, headers, body: BODY.as_bytes() };
        let answer = || {
            let edge = RequestContext::new(&facts, &snapshot.readers, Some("user-4711"), "ofrep", NOW);
            catalog.answer(black_box(&request), enriched.then_some(&edge), NOW, |_, _| {})
        };
        assert_eq!(answer().status, status, "{what}");
        group.bench_function(what, |b| b.iter(answer));
    };
    let mut sent = HeaderMap::new();
    sent.insert("content-type", HeaderValue::from_static("application/json"));
    answered("100 flags", BULK, &sent, false, 200);
    answered("100 flags, enriched", BULK, &sent, true, 200);
    answered("one flag", "/ofrep/v1/evaluate/flags/flag-50", &sent, false, 200);
    sent.insert("if-none-match", HeaderValue::from_static("*"));
    answered("100 flags, unchanged", BULK, &sent, false, 304);
    group.bench_function("a catalog of 100 flags", |b| b.iter(|| Catalog::new(Arc::clone(&snapshot), &door)));
    group.finish();
}
