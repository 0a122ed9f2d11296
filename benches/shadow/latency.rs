//! What a client waits while all of its requests are copied to an upstream that hangs: at half of what the gateway can take, with and
//! without the shadow in turns.

use crate::Effort;
use crate::common::figures::{median, verdict};
use crate::load::{Load, Outcome};
use crate::server::{Server, wait};
use crate::upstream::{Upstream, hanging};

/// Requests by which saturation is estimated.
const ESTIMATE: u64 = 20_000;
/// What the shadow may add.
const RATIO: f64 = 1.25;
const MORE: f64 = 1.0;
/// Memory is flat if the later half of the rounds needs at most so many times what the earlier half needed.
const GROWTH: f64 = 1.1;

pub fn run(effort: &Effort) -> bool {
    let upstream = Upstream::start();
    let server = Server::flagway(upstream.address, hanging(), upstream.address);
    let load = |path, requests, rate| Load { address: server.address, path, requests, rate }.run();
    // The first fills pools and warms caches.
    load("/without", ESTIMATE / 10, None);
    let closed = load("/without", ESTIMATE, None);
    let rate = ESTIMATE as f64 / closed.elapsed.as_secs_f64() / 2.0;
    let requests = (rate * effort.time.as_secs_f64()) as u64;
    println!(
        "latency: {rate:.0} requests a second, half of saturation; 100 % copied to an upstream that hangs"
    );
    println!("round   without p50    p99      with p50    p99   errors   resident");

    let (mut rounds, mut errors, mut resident) = (Vec::new(), 0, Vec::new());
    for round in 1..=effort.rounds {
        // Which one comes first changes: a machine that slows down or speeds up favours neither.
        let of = |path| {
            wait("copies of the round before are given up", || {
                server.metric("flagway_shadow_in_flight", "") == 0.0
            });
            load(path, requests, Some(rate))
        };
        let (without, with) = if round % 2 == 1 {
            let without = of("/without");
            (without, of("/hangs"))
        } else {
            let with = of("/hangs");
            (of("/without"), with)
        };
        errors += without.errors + with.errors;
        let times = [&without, &with].map(|outcome| [ms(outcome, 0.5), ms(outcome, 0.99)]);
        let [[p50, p99], [with50, with99]] = times;
        let failed = without.errors + with.errors;
        let memory = server.resident();
        resident.push(memory);
        println!(
            "{round:>5} {p50:>9.2} ms {p99:>6.2} {with50:>9.2} ms {with99:>6.2} {failed:>8} {memory:>6.1} MiB"
        );
        rounds.push(times);
    }

    let mut holds = errors == 0;
    for (at, name) in ["p50", "p99"].iter().enumerate() {
        let [without, with] = [0, 1].map(|side| median(rounds.iter().map(|times| times[side][at])));
        println!(
            "{name}: {without:.2} ms, with the shadow {with:.2} ms: {:.2} times, {:+.2} ms",
            with / without,
            with - without
        );
        holds &= with <= without * RATIO && with <= without + MORE;
    }
    let sent = server.metric("flagway_shadow_copies_total", "result=\"sent\"");
    let dropped = server.metric("flagway_shadow_dropped_total", "");
    let (earlier, later) = resident.split_at(resident.len() / 2);
    let [earlier, later] = [earlier, later].map(|half| half.iter().copied().fold(0.0, f64::max));
    println!(
        "copies: {sent} sent, {dropped} dropped; resident at most {earlier:.1} MiB in the earlier rounds, {later:.1} in the later ones"
    );
    // A single round has no earlier half.
    holds &= (earlier == 0.0 || later <= earlier * GROWTH) && sent > 0.0;
    verdict("at most 1.25 times and 1 ms more, no error, memory flat", holds)
}

fn ms(outcome: &Outcome, share: f64) -> f64 {
    outcome.quantile(share).as_secs_f64() * 1e3
}
