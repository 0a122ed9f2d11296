//! What a canary that hangs takes from stable: the latency of stable's requests while a tenth of a constant load goes to it.
//!
//! `make bench-hang`. It runs the real binary between upstreams and clients of its own, at half of what they can do together on this
//! machine; rounds with a canary that is well, with one that hangs, and with one that hangs and may be held out take turns. Latencies
//! count from the moment at which a request was due. The canary's `first_byte` is a second, so that a round has both: requests that
//! hang, and their coming to stable afterwards. One that is never held out is there for comparison: nobody has it who did not ask for it.
//! `FLAGWAY_BENCH_ROUNDS` (25: medians of fewer are those of a shared machine's own pauses) and `_SECONDS` (2, a round) make it shorter,
//! `_RATE` sets another number of requests a second. It fails if what it promises does not hold.

#![allow(clippy::disallowed_methods, reason = "its threads are its own; the environment is its command line")]

#[path = "../common/mod.rs"]
mod common;
mod load;
mod server;

use std::process::ExitCode;
use std::time::Duration;

use common::figures::{median, number, verdict};
use common::gateway::{Gateway, OPT_IN};
use common::wire::{Connection, free};
use load::{Clients, Outcome};

/// Requests by which saturation is estimated.
const ESTIMATE: u64 = 20_000;
/// What a hanging canary may add to stable's 99th percentile: so many times, and so many milliseconds.
const RATIO: f64 = 1.25;
const MORE: f64 = 1.0;
/// Routes of the gateway: how its canary is, and what is told of it.
const SIDES: [(&str, &str); 3] =
    [("/well", "well"), ("/hangs", "hangs, never held out"), ("/held", "hangs, held out")];

fn main() -> ExitCode {
    let rounds: usize = number("FLAGWAY_BENCH_ROUNDS", 25);
    let time = Duration::from_secs_f64(number("FLAGWAY_BENCH_SECONDS", 2.0));
    let traffic = free();
    let ask = || Connection::open(traffic)?.ask(b"GET /well HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    let gateway = Gateway::start(&server::config(traffic), OPT_IN, || matches!(ask(), Ok((200, _))));
    let clients = Clients::connect(traffic);
    // The first fills pools and warms caches.
    clients.send(SIDES[0].0, ESTIMATE / 10, None);
    let half = || ESTIMATE as f64 / clients.send(SIDES[0].0, ESTIMATE, None).elapsed.as_secs_f64() / 2.0;
    let rate = match number("FLAGWAY_BENCH_RATE", 0.0) {
        0.0 => half(),
        rate => rate,
    };
    let requests = (rate * time.as_secs_f64()) as u64;
    println!("{rate:.0} requests a second, a tenth of them for the canary");
    println!(
        "round  {:24} {:>9} {:>9} {:>12} {:>7} {:>9}",
        "canary", "p50", "p99", "canary's p99", "errors", "resident"
    );

    let (mut p99, mut errors) = ([const { Vec::new() }; SIDES.len()], 0);
    for round in 0..rounds {
        // Which one comes first changes: a machine that slows down or speeds up favours none.
        for turn in 0..SIDES.len() {
            let side = (round + turn) % SIDES.len();
            let (path, name) = SIDES[side];
            let outcome = clients.send(path, requests, Some(rate));
            let [stable50, stable99] = [0.5, 0.99].map(|share| ms(&outcome.stable, share));
            println!(
                "{:>5}  {name:24} {stable50:>6.2} ms {stable99:>6.2} ms {:>9.2} ms {:>7} {:>6} MB",
                round + 1,
                ms(&outcome.canary, 0.99),
                outcome.errors,
                gateway.held().memory,
            );
            errors += outcome.errors;
            p99[side].push(stable99);
        }
    }
    let [well, hangs, held] = p99.map(median);
    println!();
    for (median, (_, name)) in [well, hangs, held].into_iter().zip(&SIDES) {
        println!("stable's median p99, canary {name}: {median:.2} ms, {:.2} times", median / well);
    }
    let holds = verdict("no error", errors == 0)
        & verdict(
            "a canary that is held out adds at most a quarter and 1 ms",
            held <= well * RATIO && held <= well + MORE,
        );
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn ms(times: &[Duration], share: f64) -> f64 {
    Outcome::quantile(times, share).as_secs_f64() * 1e3
}
