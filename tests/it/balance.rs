//! Which of several endpoints serves: by turns, by load, by who asks.

use std::collections::BTreeMap;

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
    let ask = |user| (user, client.get("/").header("x-user", &format!("user-{user}")).send().text());
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
