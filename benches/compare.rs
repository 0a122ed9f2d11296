//! What comparing costs, off the request path: two JSON answers, equal and with one difference.
//!
//! `cargo bench --bench compare`.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flagway::compare::{Answer, Body, compare};
use flagway::config::shadow::{CompareRules, Share};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

fn comparing(c: &mut Criterion) {
    let rules = rules();
    let mut group = c.benchmark_group("compare");
    for (name, bytes) in [("4KiB", 4 << 10), ("64KiB", 64 << 10)] {
        let original = document(bytes);
        let mut other = original.clone();
        other["items"][7]["price"]["amount"] = json!(1);
        group.throughput(Throughput::Bytes(bytes as u64));
        for (what, other, differences) in [("equal", &original, 0), ("one difference", &other, 1)] {
            let (original, other) = (answer(&original), answer(other));
            let found = compare(&original, &other, &rules).map(|comparison| comparison.differences.len());
            assert_eq!(found, Ok(differences));
            group.bench_function(BenchmarkId::new(what, name), |b| {
                b.iter(|| compare(black_box(&original), black_box(&other), &rules));
            });
        }
    }
    group.finish();
}

/// A list of things in a shop, about so long.
fn document(bytes: usize) -> Value {
    let item = |n: usize| {
        json!({"sku": format!("a-{n}"), "title": "A thing with a name", "tags": ["new", "blue"],
               "price": {"amount": 1000 + n, "currency": "EUR"}, "stock": null})
    };
    let each = item(1000).to_string().len() + 1;
    json!({"items": (0..bytes / each).map(item).collect::<Vec<_>>()})
}

fn answer(document: &Value) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = Body::Whole(vec![Bytes::from(document.to_string())]);
    Answer { status: StatusCode::OK, headers, body, waited: Duration::from_millis(5) }
}

/// As a configuration without a word about comparing has them.
fn rules() -> CompareRules {
    CompareRules {
        sample: Share(1.0),
        noise: Share(0.0),
        headers: vec![
            header::CONTENT_TYPE,
            header::CONTENT_ENCODING,
            header::LOCATION,
            header::CACHE_CONTROL,
        ],
        max_body: 256 << 10,
        ignore: Vec::new(),
        arrays: Vec::new(),
        tolerance: Vec::new(),
        slower_by: Duration::from_millis(100),
        redact: Vec::new(),
        examples: 3,
    }
}

criterion_group!(benches, comparing);
criterion_main!(benches);
