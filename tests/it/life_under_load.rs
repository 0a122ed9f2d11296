//! What operators do on a busy day, under steady load: not one request fails.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::{Client, Setup, Shop, Upstream, eventually, one_route, opt_in, services, versions};

/// Half of them keep their connections, half make a new one for each request.
const CLIENTS: usize = 8;

/// Requests that are sent one after the other by each client, without ever being sent again.
#[derive(Default)]
struct Load {
    done: AtomicBool,
    made: AtomicUsize,
}

impl Load {
    /// Waits until so many more requests were answered.
    #[track_caller]
    fn answers(&self, more: usize) {
        let from = self.made.load(Ordering::Relaxed);
        eventually("more requests are answered", || {
            self.made.load(Ordering::Relaxed) >= from + more || self.done.load(Ordering::Relaxed)
        });
    }

    fn visit(&self, keeps: bool, posts: bool, pick: &(impl Fn() -> SocketAddr + Sync)) {
        // Whoever fails ends the others.
        let stop = StopOnDrop(&self.done);
        let mut client = Client::new(pick());
        while !self.done.load(Ordering::Relaxed) {
            let number = self.made.fetch_add(1, Ordering::Relaxed);
            let request = match posts && number.is_multiple_of(4) {
                true => client.post("/buy", "one of each"),
                false => client.get("/"),
            };
            let request = request.header("x-user", format!("user-{number}"));
            let request = if keeps { request } else { request.header("connection", "close") };
            let response = request.send();
            assert_eq!(response.status, 200, "{}", response.text());
            if response.header("connection").as_deref() == Some("close") {
                client = Client::new(pick());
            }
        }
        std::mem::forget(stop);
    }
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does something while clients ask, and a while before and after.
#[track_caller]
fn under_load(posts: bool, pick: impl Fn() -> SocketAddr + Sync, act: impl FnOnce(&Load)) -> usize {
    let load = Load::default();
    std::thread::scope(|scope| {
        let (load, pick) = (&load, &pick);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || load.visit(number % 2 == 0, posts, pick)))
            .collect();
        let stop = StopOnDrop(&load.done);
        load.answers(500);
        act(load);
        load.answers(500);
        drop(stop);
        clients.into_iter().for_each(|client| client.join().expect("no request failed"));
    });
    load.made.into_inner()
}

fn quiet(shop: &Shop) {
    shop.stable.forget();
    shop.canary.forget();
}

#[test]
fn upgrades_under_load_fail_no_request() {
    let shop = Shop::start();
    quiet(&shop);
    let mut gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let address = gateway.address("main");
    let made = under_load(
        true,
        || address,
        |load| {
            for generation in 2..5 {
                gateway.upgrade();
                load.answers(500);
                assert_eq!(gateway.metrics().sum("flagway_generation", &[]), f64::from(generation));
            }
        },
    );
    assert!(made > 2500, "{made}");
}

#[test]
fn a_graceful_stop_behind_a_second_instance_under_load_fails_no_request() {
    let shop = Shop::start();
    quiet(&shop);
    let start = || shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let (mut first, second) = (start(), start());
    let (main, probes, other) = (first.address("main"), first.probes(), second.address("main"));
    let (ready, over) = (AtomicBool::new(true), AtomicBool::new(false));
    std::thread::scope(|scope| {
        // What a load balancer does.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let answer = Client::new(probes).get("/readyz").host("127.0.0.1").try_send();
                ready.store(answer.is_ok_and(|answer| answer.status == 200), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let over = StopOnDrop(&over);
        let pick = || if ready.load(Ordering::Relaxed) { main } else { other };
        under_load(true, pick, |load| {
            first.signal("TERM");
            assert_eq!(first.wait().code(), Some(0));
            load.answers(500);
        });
        drop(over);
    });
    assert!(second.metrics().sum("flagway_requests_total", &[]) > 500.0);
}

#[test]
fn an_endpoint_that_is_taken_out_under_load_fails_no_request() {
    let (stays, goes) = (Upstream::start("stays"), Upstream::start("goes"));
    stays.forget();
    let both = format!("['{}', '{}']", stays.address, goes.address);
    let one = format!("['{}']", stays.address);
    let config = |stable: &str| services(stable, &one) + &one_route("");
    let gateway = Setup::new(&config(&both)).flags(json!({"v": opt_in()})).start();
    let address = gateway.address("main");
    under_load(
        true,
        || address,
        |load| {
            assert!(goes.count() > 0, "both serve");
            let revisions = gateway.stderr.count();
            gateway.replace_config(&config(&one));
            gateway.wait_for_log_after(revisions, "the new configuration", |line| {
                line["fields"]["message"] == "published"
            });
            // What was on its way there is done when so many others are.
            load.answers(500);
            let asked = goes.count();
            goes.stop();
            load.answers(500);
            assert_eq!(goes.count(), asked);
        },
    );
}

#[test]
fn a_canary_that_crashes_under_load_fails_no_request() {
    let shop = Shop::start();
    quiet(&shop);
    let half = versions(json!({"fractional": [["canary", 1], ["stable", 1]]}));
    let config = one_route("") + "context: {targeting_key: [{header: x-user}]}\n";
    let gateway = shop.gateway(&config, json!({"v": half}));
    let address = gateway.address("main");
    let of = |version: &str| gateway.metrics().sum("flagway_requests_total", &[("version", version)]);
    under_load(
        false,
        || address,
        |load| {
            assert!(of("canary") > 0.0 && of("stable") > 0.0, "both serve");
            shop.canary.stop();
            load.answers(1000);
            let back = Upstream::start_at(shop.canary.address, "canary");
            back.forget();
            let before = of("canary");
            eventually("the canary serves again", || of("canary") > before);
            load.answers(500);
        },
    );
    assert!(gateway.metrics().sum("flagway_fallbacks_total", &[("from", "canary")]) > 0.0);
}
