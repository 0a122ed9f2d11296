//! What the gateway holds: `make idle`, memory of ten thousand idle connections; `make soak`, memory and open files over half an hour of full
//! load with a reload every second.
//!
//! It runs the real binary between an upstream and clients of its own, on the same cores. `FLAGWAY_SOAK_MINUTES` (30) and
//! `FLAGWAY_IDLE_CONNECTIONS` (10000) make it shorter. It fails if a request fails, if the connections take more than 350 MB, or if memory or open
//! files grow: what is held at the end of the last third, compared with the end of the first.

#![allow(clippy::disallowed_methods, reason = "its threads are its own; the environment is its command line")]

mod common;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use common::figures::{number, verdict};
use common::gateway::Gateway;
use common::wire::{Connection, free, upstream};

/// Of the load; each has one connection, and makes a new one now and then.
const CLIENTS: usize = 16;
/// Requests of one connection.
const KEPT: u64 = 1000;
/// MB that ten thousand connections may take, and the process with them.
const MOST: u64 = 350;
/// What may be more at the end: a share of what was held, and MB that an allocator may keep here and there.
const SHARE: f64 = 0.05;
const SLACK: u64 = 8;

fn main() -> ExitCode {
    let [traffic, probes] = [free(), free()];
    let config = config([traffic, probes], upstream("well"));
    let gateway = Gateway::start(&config, &flags(0), || {
        Connection::open(traffic).is_ok_and(|mut connection| is_well(&mut connection))
    });
    let is_idle = std::env::args().any(|argument| argument == "idle");
    let holds = match is_idle {
        true => idle(&gateway, traffic, number("FLAGWAY_IDLE_CONNECTIONS", 10_000)),
        false => soak(&gateway, traffic, probes, number("FLAGWAY_SOAK_MINUTES", 30)),
    };
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Connections that were used once, and are kept.
fn idle(gateway: &Gateway, traffic: SocketAddr, number: u64) -> bool {
    let before = gateway.held();
    let kept: Vec<_> = (0..number)
        .map(|_| {
            let mut connection = Connection::open(traffic).expect("a connection");
            assert!(is_well(&mut connection), "no answer");
            connection
        })
        .collect();
    let held = gateway.held();
    println!("{} MB before, {} MB with {} idle connections", before.memory, held.memory, kept.len());
    let open = held.descriptors as u64 >= number;
    verdict("all are open at once", open) & verdict(&format!("at most {MOST} MB"), held.memory <= MOST)
}

/// Full load and a reload a second.
fn soak(gateway: &Gateway, traffic: SocketAddr, probes: SocketAddr, minutes: u64) -> bool {
    let (over, requests, failed) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let (over, requests, failed) = (&over, &requests, &failed);
    let mut told = Vec::new();
    println!("{:>7} {:>12} {:>9} {:>7}", "minute", "requests", "MB", "files");
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(move || {
                while !over.load(Relaxed) {
                    let is_well =
                        Connection::open(traffic).is_ok_and(|connection| visit(connection, over, requests));
                    failed.fetch_add(u64::from(!is_well), Relaxed);
                }
            });
        }
        let begun = Instant::now();
        for second in 1..=minutes * 60 {
            rewrite(gateway.home(), second);
            thread::sleep((begun + Duration::from_secs(second)).saturating_duration_since(Instant::now()));
            if second % 60 == 0 {
                let held = gateway.held();
                println!(
                    "{:>7} {:>12} {:>9} {:>7}",
                    second / 60,
                    requests.load(Relaxed),
                    held.memory,
                    held.descriptors
                );
                told.push(held);
            }
        }
        over.store(true, Relaxed);
    });
    let reloads = metric(probes, "flagway_reloads_total{result=\"published\"}");
    println!("{} requests, {reloads} reloads", requests.load(Relaxed));
    // The first minutes are for warming up.
    let (first, last) = (told[(told.len() - 1) / 3], told[told.len() - 1]);
    let allowed = first.memory + (first.memory as f64 * SHARE) as u64 + SLACK;
    verdict("no request failed", failed.load(Relaxed) == 0)
        & verdict("each change was published", reloads >= (minutes * 60 * 9 / 10) as f64)
        & verdict(
            &format!("memory does not grow ({} MB, at most {allowed} MB)", last.memory),
            last.memory <= allowed,
        )
        & verdict("open files do not grow", last.descriptors <= first.descriptors + CLIENTS)
}

fn visit(mut connection: Connection, over: &AtomicBool, requests: &AtomicU64) -> bool {
    for _ in 0..KEPT {
        if !is_well(&mut connection) {
            return false;
        }
        requests.fetch_add(1, Relaxed);
        if over.load(Relaxed) {
            break;
        }
    }
    true
}

fn is_well(connection: &mut Connection) -> bool {
    let answer = connection.ask(b"GET /soak?page=1 HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: uid=ann\r\n\r\n");
    answer.is_ok_and(|(status, _)| status == 200)
}

fn rewrite(home: &Path, generation: u64) {
    let aside = home.join(".new");
    std::fs::write(&aside, flags(generation)).expect("a file");
    std::fs::rename(aside, home.join("flags.json")).expect("a file");
}

fn metric(probes: SocketAddr, series: &str) -> f64 {
    let request = b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n";
    let (_, text) = Connection::open(probes).and_then(|mut probes| probes.ask(request)).expect("the probes");
    text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok()).unwrap_or(0.0)
}

fn config([traffic, probes]: [SocketAddr; 2], upstream: SocketAddr) -> String {
    // What it logs is not what is looked at.
    format!(
        "listeners: [{{bind: '{traffic}'}}]
probes: {{bind: '{probes}'}}
state_dir: state
limits: {{connections_per_address: 100000, idle: 10m}}
access_log: {{to: /dev/null}}
context: {{targeting_key: [{{cookie: uid}}]}}
flags: {{sources: [{{file: flags.json}}]}}
services: {{shop: {{default: stable, versions: {{stable: {{endpoints: ['{upstream}']}}, canary: {{endpoints: ['{upstream}']}}}}}}}}
routes: [{{name: all, match: {{path_prefix: /}}, service: shop, version: {{flag: v}}, inject: [v]}}]
"
    )
}

/// A hundred flags, each with another generation.
fn flags(generation: u64) -> String {
    let flag = |number: usize| {
        format!(
            r#""f{number}": {{"state": "ENABLED", "variants": {{"a": {generation}, "b": 2}}, "defaultVariant": "a",
            "targeting": {{"if": [{{"==": [{{"var": "header.x-f"}}, "{number}"]}}, "b"]}}}}"#
        )
    };
    let others: Vec<String> = (0..100).map(flag).collect();
    let shares = (generation % 99 + 1, 99 - generation % 99);
    format!(
        r#"{{"flags": {{"v": {{"state": "ENABLED", "variants": {{"stable": "stable", "canary": "canary"}}, "defaultVariant": "stable",
        "targeting": {{"fractional": [["canary", {}], ["stable", {}]]}}}}, {}}}}}"#,
        shares.0,
        shares.1,
        others.join(",\n")
    )
}
