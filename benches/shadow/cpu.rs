//! CPU of a request with a tenth of all users copied, beside nginx's `mirror` on the same work: the same clients, upstreams and answers.

use crate::Effort;
use crate::common::figures::{median, verdict};
use crate::load::Load;
use crate::server::{Server, wait};
use crate::upstream::{Upstream, hanging};

/// One way to serve a request.
struct Case {
    what: &'static str,
    /// Index into the servers.
    server: usize,
    path: &'static str,
}

const CASES: [Case; 5] = [
    Case { what: "nginx", server: 0, path: "/without" },
    Case { what: "nginx, mirror", server: 0, path: "/tenth" },
    Case { what: "flagway", server: 1, path: "/without" },
    Case { what: "flagway, shadow", server: 1, path: "/tenth" },
    Case { what: "flagway, shadow compared", server: 1, path: "/compared" },
];

pub fn run(effort: &Effort) -> bool {
    let (stable, next) = (Upstream::start(), Upstream::start());
    let servers = [
        Server::nginx(stable.address, next.address),
        Server::flagway(stable.address, hanging(), next.address),
    ];
    println!("cpu: microseconds a request, user and system; a tenth of the users copied");
    let mut costs = [const { Vec::new() }; CASES.len()];
    let mut copies = [0; CASES.len()];
    let mut errors = 0;
    // The first round warms up.
    for round in 0..=effort.rounds {
        for (at, case) in CASES.iter().enumerate() {
            let server = &servers[case.server];
            let (cpu, served) = (server.cpu(), next.served());
            let load =
                Load { address: server.address, path: case.path, requests: effort.requests, rate: None };
            let outcome = load.run();
            settle(&next);
            if round > 0 {
                errors += outcome.errors;
                copies[at] += next.served() - served;
                costs[at].push((server.cpu() - cpu) * 1e6 / effort.requests as f64);
            }
        }
        if round > 0 {
            let row: Vec<String> = costs.iter().map(|of| format!("{:>7.1}", of[round - 1])).collect();
            println!("{round:>5} {}", row.join(" "));
        }
    }
    let total = effort.requests as f64 * effort.rounds as f64;
    for (at, case) in CASES.iter().enumerate() {
        let share = copies[at] as f64 / total * 100.0;
        println!("{:<26} {:>7.1}   {share:>5.2} % copied", case.what, median(costs[at].iter().copied()));
    }
    // Each round against itself: what slows the machine for a while slows both.
    let added = |with: usize, without: usize| {
        median(costs[with].iter().zip(&costs[without]).map(|(with, without)| with - without))
    };
    let (nginx, flagway, compared) = (added(1, 0), added(3, 2), added(4, 2));
    println!(
        "added: nginx {nginx:+.1}, flagway {flagway:+.1}, with every copy compared {compared:+.1}; errors {errors}"
    );
    verdict("a shadow adds less than nginx's mirror, no error", flagway < nginx && errors == 0)
}

/// Waits until the last copies have come.
fn settle(next: &Upstream) {
    let mut before = u64::MAX;
    wait("copies have come", || std::mem::replace(&mut before, next.served()) == next.served());
}
