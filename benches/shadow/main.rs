//! What shadows cost: the client's latency, and the gateway's CPU beside nginx's `mirror` on the same work.
//!
//! `make bench-shadow`, or `cargo bench --bench shadow -- latency` for one of the two. It runs the real binary between a load and
//! upstreams of its own. The peers share the machine's cores with the gateway, so that only figures of one run can be compared; rounds
//! with and without are interleaved. `FLAGWAY_BENCH_ROUNDS` (7), `_SECONDS` (4, a round of latency) and `_REQUESTS` (20,000, a round of
//! CPU) make it shorter. It fails if something that it promises does not hold.

#![allow(clippy::disallowed_methods, reason = "its threads are its own; the environment is its command line")]

#[path = "../common/mod.rs"]
mod common;
mod cpu;
mod latency;
mod load;
mod server;
mod upstream;

use std::process::ExitCode;
use std::time::Duration;

use common::figures::number;

/// How long it may take.
struct Effort {
    rounds: usize,
    /// A round of latency.
    time: Duration,
    /// A round of CPU.
    requests: u64,
}

fn main() -> ExitCode {
    let effort = Effort {
        rounds: number("FLAGWAY_BENCH_ROUNDS", 7),
        time: Duration::from_secs_f64(number("FLAGWAY_BENCH_SECONDS", 4.0)),
        requests: number("FLAGWAY_BENCH_REQUESTS", 20_000),
    };
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|want| want == name);
    let mut holds = true;
    if is_wanted("latency") {
        holds &= latency::run(&effort);
    }
    if is_wanted("cpu") {
        holds &= cpu::run(&effort);
    }
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
