//! What publishing costs: from a document's text to a snapshot that can be served, off the request path.
//!
//! `cargo bench --bench publish`. Target: 10,000 flags in under 500 ms.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

#[path = "../tests/support/world.rs"]
#[allow(dead_code, reason = "another bench uses the rest")]
mod world;

fn publishing(c: &mut Criterion) {
    let mut group = c.benchmark_group("publish");
    group.sample_size(10);
    for flags in [10, 1_000, 10_000] {
        let text = world::flags(flags);
        let config = world::config(10, "[headers]");
        group.bench_function(BenchmarkId::new("flags", flags), |b| {
            b.iter(|| world::build(config.clone(), black_box(&text)).revision);
        });
    }
    group.finish();
}

criterion_group!(benches, publishing);
criterion_main!(benches);
