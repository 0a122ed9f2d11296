//! What a canary that hangs takes from stable: the latency of stable's requests while a tenth of a constant load goes to it.
//!
//! `make bench-hang`. It runs the real binary between upstreams and clients of its own, at half of what they can do together on this
//! machine; rounds with a canary that is well, with one that hangs, and with one that hangs and may be held out take turns. Latencies
//! count from the moment at which a request was due. The canary's `first_byte` is a second, so that a round has both: requests that
//! hang, and their coming to stable afterwards. `FLAGWAY_BENCH_ROUNDS` (7) and `_SECONDS` (4, a round) make it shorter, `_RATE` sets another
//! number of requests a second. It fails if what it promises does not hold.

#![allow(clippy::disallowed_methods, reason = "its threads are its own; the environment is its command line")]

mod load;
mod server;

use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use load::{Clients, Outcome};
use server::Server;

/// Requests by which saturation is estimated.
const ESTIMATE: u64 = 20_000;
/// What a hanging canary may add to stable's 99th percentile: so many times, and so many milliseconds.
const RATIO: f64 = 1.25;
const MORE: f64 = 1.0;
/// Routes of the gateway: how its canary is, and what is told of it.
const SIDES: [(&str, &str); 3] =
    [("/well", "well"), ("/hangs", "hangs, never held out"), ("/held", "hangs, held out")];

fn main() -> ExitCode {
    let rounds: usize = number("FLAGWAY_BENCH_ROUNDS", 7);
    let time = Duration::from_secs_f64(number("FLAGWAY_BENCH_SECONDS", 4.0));
    let server = Server::start();
    let clients = Clients::connect(server.traffic);
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
                "{:>5}  {name:24} {stable50:>6.2} ms {stable99:>6.2} ms {:>9.2} ms {:>7} {:>5.0} MiB",
                round + 1,
                ms(&outcome.canary, 0.99),
                outcome.errors,
                server.resident(),
            );
            errors += outcome.errors;
            p99[side].push(stable99);
        }
    }
    let [well, hangs, held] = p99.map(median);
    let mut holds = verdict("no error", errors == 0);
    for (median, (_, name)) in [hangs, held].into_iter().zip(&SIDES[1..]) {
        println!(
            "\nstable's median p99: {well:.2} ms; with a canary that {name}: {median:.2} ms, {:.2} times",
            median / well
        );
        holds &= verdict("at most 1.25 times and 1 ms more", median <= well * RATIO + MORE);
    }
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn ms(times: &[Duration], share: f64) -> f64 {
    Outcome::quantile(times, share).as_secs_f64() * 1e3
}

/// The one in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn verdict(claim: &str, holds: bool) -> bool {
    println!("{}: {claim}", if holds { "holds" } else { "DOES NOT HOLD" });
    holds
}

fn number<T: FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| unreadable(name, &text)),
        Err(_) => default,
    }
}

#[expect(clippy::panic, reason = "a benchmark that was asked wrongly measures nothing")]
fn unreadable<T>(name: &str, text: &str) -> T {
    panic!("{name} is no number: {text}")
}
