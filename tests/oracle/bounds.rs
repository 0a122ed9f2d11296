//! Ten thousand hostile documents: none panics, none makes an evaluation use more than its limits.
//!
//! Counted, never timed: steps by the trace, memory by the allocator. `make hostile` measures the time.

use std::alloc::System;

use flagway::config::FlagLimits;
use flagway::flag::{ErrorCode, FlagId, FlagSet, Format, JsonContext, Limit};
use serde_json::Value as Json;

use crate::hostile;
use crate::naive::Hash;
use crate::ours;

#[global_allocator]
static COUNTING: stats_alloc::StatsAlloc<System> = stats_alloc::StatsAlloc::system();

const DOCUMENTS: u64 = 10_000;
/// Each quarter is a test of its own, so that they run side by side.
const QUARTERS: u64 = 4;

/// Values that a document may have; fewer than by default, so that what each costs is seen.
const VALUES: usize = 50_000;

/// What loading may allocate in all, for each value and for each byte of the document: it is off the way of requests.
const LOADING_PER_VALUE: usize = 1_000;
const LOADING_PER_BYTE: usize = 400;

/// What an evaluation may allocate in all beside what it produces: a growing text is copied, arguments are held, and the whole
/// context is made once.
const EVALUATING: usize = 1 << 20;

#[test]
fn the_first_quarter_of_hostile_documents_stays_in_bounds() {
    quarter(0);
}

#[test]
fn the_second_quarter_of_hostile_documents_stays_in_bounds() {
    quarter(1);
}

#[test]
fn the_third_quarter_of_hostile_documents_stays_in_bounds() {
    quarter(2);
}

#[test]
fn the_last_quarter_of_hostile_documents_stays_in_bounds() {
    quarter(3);
}

fn quarter(which: u64) {
    let contexts = hostile::contexts();
    let limits = FlagLimits { values: VALUES, ..FlagLimits::default() };
    let mut seen = Seen::default();
    for seed in (0..DOCUMENTS).filter(|seed| seed / 25 % QUARTERS == which) {
        let document = hostile::document(seed);
        let format = if document.yaml { Format::Yaml } else { Format::Json };
        let hash = if seed.is_multiple_of(2) { Hash::V2 } else { Hash::V3 };
        let told = format!("seed {seed}, {}", document.kind);
        let bound = LOADING_PER_VALUE * VALUES + LOADING_PER_BYTE * document.text.len();
        let Some(set) = within(bound, &told, || ours::load(&document.text, format, hash, &limits)) else {
            seen.refused += 1;
            continue;
        };
        for (id, _) in set.iter().take(4) {
            for context in &contexts {
                evaluate(&set, id, context, &told, &mut seen);
            }
        }
    }
    // A generator that made nothing but nonsense would prove nothing.
    assert!(seen.refused > 100 && seen.answered > 500 && seen.steps > 100 && seen.bytes > 100, "{seen:?}");
}

fn evaluate(set: &FlagSet, id: FlagId, attributes: &Json, told: &str, seen: &mut Seen) {
    let limits = FlagLimits::default();
    let context = JsonContext { paths: set.paths(), attributes, timestamp: 1_800_000_000 };
    let bound = EVALUATING + 4 * limits.produced_bytes;
    let resolution = within(bound, told, || set.evaluate(id, &context));
    let (traced, steps) = set.trace(id, &context);
    assert_eq!(resolution, traced, "{told}");
    assert!(steps.len() <= limits.steps + 1, "{told}: {} steps", steps.len());
    match resolution.error {
        Some(ErrorCode::OverLimit(Limit::Steps)) => seen.steps += 1,
        Some(ErrorCode::OverLimit(Limit::Bytes)) => seen.bytes += 1,
        _ => seen.answered += 1,
    }
}

/// How often what came of it.
#[derive(Debug, Default)]
struct Seen {
    refused: usize,
    answered: usize,
    steps: usize,
    bytes: usize,
}

/// What something gives, and whether it allocates no more than so many bytes, freed or not. More than once if it must be: another
/// thread of the runner may allocate meanwhile.
fn within<T>(bound: usize, told: &str, work: impl Fn() -> T) -> T {
    let mut fewest = usize::MAX;
    for _ in 0..20 {
        let before = COUNTING.stats().bytes_allocated;
        let done = work();
        fewest = fewest.min(COUNTING.stats().bytes_allocated - before);
        if fewest <= bound {
            return done;
        }
    }
    unreachable!("{told}: {fewest} bytes allocated, over {bound}");
}
