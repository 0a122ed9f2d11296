//! What one evaluation costs: the three that flagd publishes figures for, beside those and beside `datalogic-rs` on the same rules.
//!
//! `cargo bench --bench evaluate`. What flagd 0.16 publishes, and what is to be met here:
//!
//! | | flagd | here |
//! |---|---|---|
//! | static | 1.4 µs | 25 ns |
//! | targeting | 7.5 µs | 80 ns |
//! | fractional | 10.6 µs, 150 allocations | 120 ns, none |
//!
//! Rows named `flagway` find a flag by its key, evaluate it with a JSON context and read the variant's value; so does flagd. `datalogic-rs` knows no
//! flags: it runs the rule alone, a constant for the static one, in the form its authors recommend for speed (compiled once, the context parsed
//! before, the arena kept). What compares with it are the rows named `rule`: a compiled flag and a context whose attributes are found before,
//! as the gateway has them. It has the v2 hash, so both are run; tests/allocations.rs counts our allocations.

#![allow(clippy::panic, reason = "without its cases there is nothing to measure")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use datalogic_rs::{Engine, ParsedData};
use flagway::config::FractionalVersion::{V2, V3};
use flagway::flag::{Context, FlagSet, Slot, Value};
use serde_json::{Value as Json, json};

#[path = "../tests/support/published.rs"]
mod published;

use published::{Case, answer, cases, context, flags};

fn evaluating(c: &mut Criterion) {
    let cases = cases();
    let mut group = c.benchmark_group("evaluate");
    for (hash, rule, version) in [("flagway", "rule", V3), ("flagway v2", "rule v2", V2)] {
        let set = flags(&cases, version);
        for case in &cases {
            let context = context(&set, case);
            assert_eq!(answer(&set, case.name, &context), Some(&json!(case.value)), "{}", case.name);
            group.bench_function(BenchmarkId::new(case.name, hash), |b| {
                b.iter(|| answer(black_box(&set), black_box(case.name), black_box(&context)));
            });
            let (id, found) = (set.find(case.name), Found::of(&set, case));
            let Some(id) = id else { panic!("{} is there", case.name) };
            assert_eq!(set.evaluate(id, &found).variant, set.evaluate(id, &context).variant, "{}", case.name);
            group.bench_function(BenchmarkId::new(case.name, rule), |b| {
                b.iter(|| black_box(&set).evaluate(black_box(id), black_box(&found)));
            });
        }
    }
    for case in &cases {
        other(&mut group, case);
    }
    group.finish();
}

/// Attributes that are found already, by slot.
struct Found<'a> {
    targeting_key: Option<&'a str>,
    attributes: Vec<&'a Json>,
}

impl<'a> Found<'a> {
    fn of(set: &FlagSet, case: &'a Case) -> Found<'a> {
        let attribute = |path: &Arc<str>| &case.attributes[&**path];
        let targeting_key = case.attributes["targetingKey"].as_str();
        Found { targeting_key, attributes: set.paths().iter().map(attribute).collect() }
    }
}

impl Context for Found<'_> {
    fn targeting_key(&self) -> Option<&str> {
        self.targeting_key
    }

    fn attribute(&self, slot: Slot) -> Value<'_> {
        self.attributes.get(slot.0 as usize).map_or(Value::Null, |json| Value::from(*json))
    }

    // No rule of these asks further.
    fn computed(&self, _path: &str) -> Value<'_> {
        Value::Null
    }

    fn whole(&self) -> Json {
        Json::Null
    }

    fn timestamp(&self) -> i64 {
        1_790_000_000
    }
}

/// The same rule in `datalogic-rs`, which has to give the same variant.
fn other(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>, case: &Case) {
    let engine = Engine::new();
    let rule = if case.targeting.is_null() { json!(case.variant) } else { case.targeting.clone() };
    let rule = engine.compile(rule.to_string().as_str()).unwrap_or_else(|error| panic!("{error}"));
    let mut attributes = case.attributes.clone();
    attributes["$flagd"] = json!({"flagKey": case.name, "timestamp": 1_790_000_000});
    let data = ParsedData::from_json(&attributes.to_string()).unwrap_or_else(|error| panic!("{error}"));
    let mut session = engine.session();
    let found = session.eval(&rule, &data).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(found.as_str(), Some(case.variant), "{}", case.name);
    group.bench_function(BenchmarkId::new(case.name, "datalogic-rs"), |b| {
        b.iter(|| {
            session.reset();
            let found = session.eval_borrowed(black_box(&rule), black_box(&data));
            found.is_ok_and(|value| black_box(value).as_str().is_some())
        });
    });
}

criterion_group!(benches, evaluating);
criterion_main!(benches);
