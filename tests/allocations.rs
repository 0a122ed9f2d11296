//! Deciding allocates nothing: counted by an allocator, not claimed.

use std::alloc::System;

use flagway::decide::decide;
use flagway::snapshot::Snapshot;

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
fn the_counter_counts() {
    let before = COUNTING.stats().allocations;
    drop(std::hint::black_box(Box::new(7)));
    assert!(COUNTING.stats().allocations > before);
}

/// Allocations of one decision: the fewest of twenty, since a runner's other thread may allocate meanwhile.
fn allocations(snapshot: &Snapshot) -> usize {
    let request = world::request();
    let facts = world::facts(snapshot, &request);
    let mut fewest = usize::MAX;
    for _ in 0..20 {
        let before = COUNTING.stats().allocations;
        let decision = decide(snapshot, &facts, 1_790_000_000, 7);
        let after = COUNTING.stats().allocations;
        assert_eq!(decision.resolved.len(), snapshot.plans[0].flags.len());
        assert_eq!(decision.shadows.len(), snapshot.plans[0].shadows.len());
        assert!(decision.keyed);
        fewest = fewest.min(after - before);
    }
    fewest
}
