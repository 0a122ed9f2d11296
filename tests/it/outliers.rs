//! Endpoints that fail requests are ejected, a bounded number of them for a bounded time, and not where all fail alike.

use serde_json::{Value, json};

use crate::support::{Answer, DEAD, Gateway, Upstream, eventually, one_route, services, versions};

fn all_stable() -> Value {
    json!({"v": versions(Value::Null)})
}

fn config(endpoints: &str, outliers: &str) -> String {
    services(endpoints, &format!("['{DEAD}']"))
        .replace("stable: {", &format!("stable: {{outliers: {outliers}, "))
        + &one_route("")
}

fn pair(outliers: &str) -> (Upstream, Upstream, Gateway) {
    let (good, bad) = (Upstream::start("good"), Upstream::start("bad"));
    let endpoints = format!("['{}', '{}']", good.address, bad.address);
    let gateway = Gateway::start(&config(&endpoints, outliers), all_stable());
    (good, bad, gateway)
}

fn ejected(gateway: &Gateway) -> f64 {
    gateway.metrics().sum("flagway_endpoints", &[("version", "stable"), ("state", "ejected")])
}

fn ejections(gateway: &Gateway, why: &str) -> f64 {
    gateway.metrics().sum("flagway_ejections_total", &[("version", "stable"), ("why", why)])
}

/// The statuses of so many requests.
fn ask(gateway: &Gateway, count: usize) -> Vec<u16> {
    let mut client = gateway.client();
    (0..count).map(|_| client.get("/").send().status).collect()
}

#[test]
fn five_failures_in_a_row_eject_an_endpoint_and_it_returns() {
    let (good, bad, gateway) = pair("{for: 1s}");
    bad.answer(|_| Answer::new(503, "bad"));
    let statuses = ask(&gateway, 40);
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 5);
    assert_eq!((bad.count(), good.count()), (5, 35));
    assert_eq!(ejections(&gateway, "consecutive"), 1.0);
    let told = gateway.wait_for_log("it is out", |line| line["fields"]["state"] == "ejected");
    assert_eq!(told["fields"]["address"], bad.address.to_string());
    assert_eq!(told["fields"]["why"], "5 failures in a row");
    bad.answer(|_| Answer::new(200, "bad"));
    eventually("it serves again", || {
        gateway.get("/");
        bad.count() > 6
    });
    gateway.wait_for_log("it is back", |line| line["fields"]["message"] == "an endpoint gets requests again");
    assert_eq!(ejected(&gateway), 0.0);
}

#[test]
fn an_operator_sees_who_is_out_and_why() {
    let (_good, bad, gateway) = pair("{for: 1h}");
    bad.answer(|_| Answer::close());
    ask(&gateway, 30);
    assert_eq!(ejected(&gateway), 1.0);
    let status = gateway.api("/api/v1/status").json();
    let stable = &status["upstreams"][0];
    assert_eq!((&stable["service"], &stable["version"]), (&json!("shop"), &json!("stable")));
    let expected = json!({"address": bad.address.to_string(), "weight": 1, "state": "ejected", "why": "5 failures in a row", "requests": 0});
    assert_eq!(stable["endpoints"][1], expected);
    assert_eq!(stable["endpoints"][0]["state"], "serving");
}

#[test]
fn one_that_takes_no_connection_is_ejected_and_no_client_notices() {
    let good = Upstream::start("good");
    let gateway =
        Gateway::start(&config(&format!("['{DEAD}', '{}']", good.address), "{consecutive: 2}"), all_stable());
    // It rests for two seconds after each refusal.
    eventually("it is ejected", || {
        assert_eq!(ask(&gateway, 2), [200, 200]);
        ejected(&gateway) == 1.0
    });
}

#[test]
fn a_share_of_failures_ejects_though_none_follow_each_other() {
    let (good, bad, gateway) = pair("{for: 1h, failure_rate: 40%}");
    let number = std::sync::atomic::AtomicUsize::new(0);
    bad.answer(move |_| {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Answer::new(if number.is_multiple_of(2) { 502 } else { 200 }, "bad")
    });
    ask(&gateway, 100);
    // The twentieth request is none that fails; the one behind it is.
    assert_eq!((bad.count(), good.count()), (21, 79));
    assert_eq!((ejections(&gateway, "failure_rate"), ejections(&gateway, "consecutive")), (1.0, 0.0));
}

#[test]
fn where_all_fail_alike_all_serve_on() {
    let (good, bad, gateway) = pair("{for: 1h}");
    for upstream in [&good, &bad] {
        upstream.answer(|_| Answer::new(503, "the database is away"));
    }
    assert_eq!(ask(&gateway, 60), [503; 60]);
    assert_eq!((good.count(), bad.count(), ejected(&gateway)), (30, 30, 0.0));
}

#[test]
fn an_endpoint_that_is_alone_and_one_that_errs_by_itself_stay() {
    let alone = Upstream::start("alone");
    alone.answer(|_| Answer::new(503, "no"));
    let gateway = Gateway::start(&config(&format!("['{}']", alone.address), "{}"), all_stable());
    assert_eq!(ask(&gateway, 20), [503; 20]);
    assert_eq!((alone.count(), ejected(&gateway)), (20, 0.0));

    let (_good, bad, gateway) = pair("{}");
    bad.answer(|_| Answer::new(500, "a bug, not an endpoint"));
    ask(&gateway, 40);
    assert_eq!((bad.count(), ejected(&gateway)), (20, 0.0));
}

#[test]
fn what_was_ejected_stays_so_over_a_reload() {
    let (good, bad, gateway) = pair("{for: 1h}");
    bad.answer(|_| Answer::new(503, "bad"));
    ask(&gateway, 20);
    assert_eq!(ejected(&gateway), 1.0);
    let hash = || gateway.api("/api/v1/snapshot").json()["config_hash"].clone();
    let before = hash();
    let endpoints = format!("['{}', {{address: '{}', weight: 5}}]", good.address, bad.address);
    gateway.replace_config(&config(&endpoints, "{for: 30m}"));
    eventually("the reload is live", || hash() != before);
    let count = bad.count();
    assert_eq!(ask(&gateway, 20), [200; 20]);
    assert_eq!((bad.count(), ejected(&gateway)), (count, 1.0));
}
