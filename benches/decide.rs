//! What deciding costs: one request through 1, 10 and 100 flags, with and without the headers that tell it; and through a flag and a shadow.
//!
//! `cargo bench --bench decide`. Targets: one targeted, split flag under 200 ns; ten under 1.5 microseconds including headers.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use flagway::decide::decide;
use flagway::decide::headers::{Attempt, decision_headers};
use flagway::snapshot::Snapshot;
use http::HeaderMap;

#[path = "../tests/support/world.rs"]
#[allow(dead_code, reason = "another bench uses the rest")]
mod world;

const NOW: i64 = 1_790_000_000;

fn deciding(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide");
    let mut decided = |id: BenchmarkId, snapshot: &Snapshot| {
        let request = world::request();
        let facts = world::facts(snapshot, &request);
        group.bench_function(id, |b| b.iter(|| decide(snapshot, black_box(&facts), NOW, 7)));
    };
    for flags in [0, 1, 10, 100] {
        decided(BenchmarkId::new("flags", flags), &world::snapshot(flags, "[headers]"));
    }
    decided(BenchmarkId::from_parameter("one flag and a shadow"), &world::shadowed(1, "[headers]"));
    group.finish();
}

fn deciding_and_telling(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide_and_headers");
    for (form, injected) in [("headers", "[headers]"), ("dictionary", "[dictionary]")] {
        for flags in [1, 10] {
            let snapshot = world::snapshot(flags, injected);
            let request = world::request();
            let facts = world::facts(&snapshot, &request);
            let received = HeaderMap::new();
            group.bench_function(BenchmarkId::new(form, flags), |b| {
                let mut sent = HeaderMap::with_capacity(64);
                b.iter(|| {
                    sent.clear();
                    let decision = decide(&snapshot, black_box(&facts), NOW, 7);
                    let version = decision.target.map_or(world::STABLE, |target| target.version);
                    decision_headers(
                        &snapshot,
                        &decision,
                        Attempt { version, why: None, shadow: None },
                        &received,
                        |name, value| {
                            sent.insert(name, value);
                        },
                    );
                    sent.len()
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, deciding, deciding_and_telling);
criterion_main!(benches);
