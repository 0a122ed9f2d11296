//! What the whole gateway costs a request, in instructions: without flags, with one, with ten.
//!
//! `cargo bench --bench cost` runs the real binary under callgrind, which counts instructions and not seconds: the
//! difference between a long and a short run, divided by the requests between them. No noise of the machine is in it,
//! so that the cost of deciding is known apart from the cost of proxying. Needs valgrind; takes some minutes.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

#[path = "../tests/it/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the tests' harness; only its peers are used here"
)]
mod support;
#[path = "../tests/support/world.rs"]
#[allow(dead_code, reason = "only its flags are used here")]
mod world;

use support::{Client, Upstream, eventually};

const SHORT: usize = 300;
const LONG: usize = 1_300;

fn main() {
    let upstream = Upstream::start("stable");
    upstream.forget();
    println!("instructions per request, median of three");
    let mut without = 0;
    for (what, flags, form) in [
        ("no flag", 0, "headers"),
        ("one flag", 1, "headers"),
        ("ten flags", 10, "headers"),
        ("ten flags, one dictionary", 10, "dictionary"),
    ] {
        let mut counts: Vec<u64> = (0..3).map(|_| per_request(&upstream, flags, form)).collect();
        counts.sort_unstable();
        let median = counts[1];
        if flags == 0 {
            without = median;
        }
        println!("{what:<28} {median:>9}   {:+}", median as i64 - without as i64);
    }
}

fn per_request(upstream: &Upstream, flags: usize, form: &str) -> u64 {
    let count = |requests| instructions(upstream, flags, form, requests);
    (count(LONG) - count(SHORT)) / (LONG - SHORT) as u64
}

/// Instructions of a process that serves so many requests on one connection.
fn instructions(upstream: &Upstream, flags: usize, form: &str, requests: usize) -> u64 {
    let home = tempfile::tempdir().expect("a folder");
    let (port, probes) = (free_port(), free_port());
    std::fs::write(home.path().join("flags.json"), world::flags(flags.max(1))).expect("flags");
    std::fs::write(home.path().join("flagway.yaml"), config(port, probes, upstream.address, flags, form))
        .expect("config");
    let out = home.path().join("callgrind.out");
    let mut gateway = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(env!("CARGO_BIN_EXE_flagway"))
        .arg("run")
        .current_dir(home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("valgrind is installed");
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    eventually("the gateway is ready", || {
        let mut probe = Client::new(([127, 0, 0, 1], probes).into());
        probe.get("/readyz").try_send().is_ok_and(|answer| answer.status == 200)
    });
    let mut client = Client::new(address);
    for n in 0..requests {
        let response = client.get("/checkout/cart").header("cookie", format!("uid=user-{n}")).send();
        assert_eq!(response.status, 200);
    }
    let pid = gateway.id().to_string();
    Command::new("kill").args(["-INT", &pid]).status().expect("kill");
    gateway.wait().expect("it ends");
    total(&out)
}

fn config(port: u16, probes: u16, upstream: SocketAddr, flags: usize, form: &str) -> String {
    let names: Vec<String> = (0..flags).map(|n| format!("flag-{n}")).collect();
    let version = if flags > 0 { "version: {flag: flag-0}" } else { "" };
    format!(
        "listeners: [{{bind: '127.0.0.1:{port}'}}]
probes: {{bind: '127.0.0.1:{probes}'}}
threads: 1
access_log: {{to: 'off'}}
flags: {{sources: [{{file: flags.json}}]}}
context: {{targeting_key: [{{cookie: uid}}]}}
injection: {{as: [{form}]}}
services:
  shop:
    default: stable
    versions: {{stable: {{endpoints: ['{upstream}']}}, canary: {{endpoints: ['{upstream}']}}}}
routes:
  - name: checkout
    match: {{path_prefix: /checkout}}
    service: shop
    inject: [{}]
    {version}
",
        names.join(", ")
    )
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

/// `summary: N` or `totals: N` at the end of what callgrind writes.
fn total(out: &Path) -> u64 {
    let text = std::fs::read_to_string(out).expect("callgrind wrote its counts");
    let line = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    line.and_then(|count| count.split_whitespace().next())
        .and_then(|count| count.parse().ok())
        .expect("a total")
}
