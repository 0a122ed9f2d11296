//! Deciding allocates nothing: counted by an allocator, not claimed.

use std::alloc::System;

use flagway::config::FractionalVersion::{V2, V3};
use flagway::decide::decide;
use flagway::snapshot::Snapshot;

#[path = "support/published.rs"]
mod published;
#[path = "support/world.rs"]
#[allow(dead_code, reason = "the benches use the rest")]
mod world;

#[global_allocator]
static COUNTING: stats_alloc::StatsAlloc<System> = stats_alloc::StatsAlloc::system();

#[test]
fn one_targeted_split_flag_is_decided_without_an_allocation() {
    assert_eq!(allocations(&world::snapshot(1, "[headers]")), 0);
}

#[test]
fn ten_flags_are_decided_without_an_allocation() {
    assert_eq!(allocations(&world::snapshot(10, "[headers]")), 0);
}

#[test]
fn a_shadow_is_decided_without_an_allocation() {
    assert_eq!(allocations(&world::shadowed(1, "[headers]")), 0);
    assert_eq!(allocations(&world::shadowed(0, "[headers]")), 0, "nothing but the shadow reads the key");
}

#[test]
fn what_flagd_publishes_figures_for_is_evaluated_without_an_allocation() {
    let cases = published::cases();
    for version in [V2, V3] {
        let set = published::flags(&cases, version);
        for case in &cases {
            let context = published::context(&set, case);
            let mut found = None;
            let allocated = fewest(|| found = published::answer(&set, case.name, &context));
            assert_eq!(found, Some(&case.value.into()), "{} with {version:?}", case.name);
            assert_eq!(allocated, 0, "{} with {version:?}", case.name);
        }
    }
}

#[test]
fn the_counter_counts() {
    let before = COUNTING.stats().allocations;
    drop(std::hint::black_box(Box::new(7)));
    assert!(COUNTING.stats().allocations > before);
}

/// Allocations of one decision.
fn allocations(snapshot: &Snapshot) -> usize {
    let request = world::request();
    let facts = world::facts(snapshot, &request);
    fewest(|| {
        let decision = decide(snapshot, &facts, 1_790_000_000, 7);
        assert_eq!(decision.resolved.len(), snapshot.plans[0].flags.len());
        assert_eq!(decision.shadows.len(), snapshot.plans[0].shadows.len());
        assert!(decision.keyed);
    })
}

/// Allocations of some work: the fewest of twenty times, since a runner's other thread may allocate meanwhile.
fn fewest(mut work: impl FnMut()) -> usize {
    let mut fewest = usize::MAX;
    for _ in 0..20 {
        let before = COUNTING.stats().allocations;
        work();
        fewest = fewest.min(COUNTING.stats().allocations - before);
    }
    fewest
}
