//! Which of several endpoints serves: by turns, by load, by who asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{Answer, DEAD, Gateway, Upstream, eventually, one_route, services, versions};

fn all_stable() -> Value {
    json!({"v": versions(Value::Null)})
}

/// A service whose default version has these endpoints and settings; who asks is in `x-user`.
fn config(upstreams: &[&Upstream], settings: &str) -> String {
    let endpoints: Vec<String> = upstreams.iter().map(|upstream| format!("'{}'", upstream.address)).collect();
    services(&format!("[{}]", endpoints.join(", ")), &format!("['{DEAD}']"))
        .replace("stable: {", &format!("stable: {{{settings}, "))
        + &one_route("")
        + "context: {targeting_key: [{header: x-user}]}\n"
}

/// Who serves each of these users.
fn served(gateway: &Gateway, users: usize) -> BTreeMap<usize, String> {
    let mut client = gateway.client();
    let ask = |user| (user, client.get("/").header("x-user", format!("user-{user}")).send().text());
    (0..users).map(ask).collect()
}

#[test]
fn a_user_stays_with_an_endpoint_and_only_those_of_one_that_goes_move() {
    let upstreams = ["a", "b", "c", "d"].map(Upstream::start);
    let [a, b, c, d] = &upstreams;
    let gateway = Gateway::start(&config(&[a, b, c, d], "balance: hash"), all_stable());
    let before = served(&gateway, 80);
    assert_eq!(served(&gateway, 80), before);
    for upstream in &upstreams {
        assert!(upstream.count() >= 10, "{} of 160", upstream.count());
    }
    let revision = || gateway.api("/api/v1/snapshot").json()["config_hash"].clone();
    let was = revision();
    gateway.replace_config(&config(&[a, b, d], "balance: hash"));
    eventually("three are left", || revision() != was);
    let after = served(&gateway, 80);
    for (user, server) in &before {
        if server == "c" {
            assert_ne!(after[user], "c");
        } else {
            assert_eq!(after[user], *server, "user {user} had nothing to do with it");
        }
    }
}

#[test]
fn requests_without_a_key_are_spread_although_keys_stick() {
    let (a, b) = (Upstream::start("a"), Upstream::start("b"));
    let gateway = Gateway::start(&config(&[&a, &b], "balance: hash"), all_stable());
    let mut client = gateway.client();
    for _ in 0..20 {
        assert_eq!(client.get("/").send().status, 200);
    }
    assert_eq!((a.count(), b.count()), (10, 10));
}

#[test]
fn an_endpoint_that_is_busy_gets_less() {
    let (slow, fast) = (Upstream::start("slow"), Upstream::start("fast"));
    slow.answer(|_| Answer::hang());
    let gateway = Gateway::start(&config(&[&slow, &fast], "balance: least_requests"), all_stable());
    std::thread::scope(|scope| {
        // One of these two is the slow one's; what follows on their connection would come after it.
        scope.spawn(|| {
            let mut client = gateway.client();
            (0..2).map(|_| client.get("/").send().status).find(|status| *status != 200)
        });
        slow.wait_for(1);
        let mut client = gateway.client();
        for number in 0..30 {
            assert_eq!(client.get("/").send().text(), "fast", "request {number}");
        }
        assert_eq!(slow.count(), 1);
        slow.stop();
    });
}

/// Four clients ask while something happens; gives how many answers were no 200, of how many.
fn under_load(gateway: &Gateway, during: impl FnOnce(&dyn Fn(usize))) -> (usize, usize) {
    let (over, answers, failures) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = gateway.client();
                while !over.load(Ordering::SeqCst) {
                    let failed = client.get("/").send().status != 200;
                    failures.fetch_add(usize::from(failed), Ordering::SeqCst);
                    answers.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let more = |count: usize| {
            let until = answers.load(Ordering::SeqCst) + count;
            eventually("more requests are answered", || answers.load(Ordering::SeqCst) >= until);
        };
        more(50);
        during(&more);
        over.store(true, Ordering::SeqCst);
    });
    (failures.into_inner(), answers.into_inner())
}

#[test]
fn no_request_fails_while_endpoints_are_taken_away_and_put_back() {
    let (a, b, c) = (Upstream::start("a"), Upstream::start("b"), Upstream::start("c"));
    for balance in ["round_robin", "least_requests"] {
        let of =
            |upstreams: &[&Upstream]| config(upstreams, &format!("balance: {balance}, slow_start: 100ms"));
        let gateway = Gateway::start(&of(&[&a, &b, &c]), all_stable());
        let endpoints = || gateway.metrics().sum("flagway_endpoints", &[("version", "stable")]);
        let (failures, answers) = under_load(&gateway, |more| {
            for upstreams in [&[&a, &b][..], &[&b], &[&b, &c], &[&a, &b, &c]] {
                gateway.replace_config(&of(upstreams));
                eventually("other endpoints are live", || endpoints() == upstreams.len() as f64);
                more(50);
            }
        });
        assert_eq!(failures, 0, "of {answers}, {balance}");
    }
    assert!([&a, &b, &c].iter().all(|upstream| upstream.count() > 50));
}

#[test]
fn no_request_fails_while_an_endpoint_dies_and_comes_back() {
    let (dies, stays) = (Upstream::start("dies"), Upstream::start("stays"));
    let gateway = Gateway::start(&config(&[&dies, &stays], "outliers: {for: 100ms}"), all_stable());
    let mut back = None;
    let (failures, answers) = under_load(&gateway, |more| {
        dies.stop();
        more(100);
        let returned = back.insert(Upstream::start_at(dies.address, "back"));
        returned.wait_for(20);
    });
    assert_eq!(failures, 0, "of {answers}");
}
