//! A version that fails again and again is held out for a while; then one request tries for all.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Client, Gateway, Shop, eventually, one_route, opt_in, versions};

fn all_canary() -> Value {
    json!({"v": versions(json!({"if": [true, "canary"]}))})
}

fn config(shop: &Shop, hold_out: &str) -> String {
    shop.config(&one_route("inject: [v],")).replace("canary: {", &format!("canary: {{hold_out: {hold_out}, "))
}

/// The metric that says so, and what the status says.
fn is_held_out(gateway: &Gateway) -> bool {
    let labels = [("service", "shop"), ("version", "canary")];
    let metric = gateway.metrics().sum("flagway_version_held_out", &labels) == 1.0;
    let status = gateway.api("/api/v1/status").json();
    let version =
        status["upstreams"].as_array().expect("a list").iter().find(|line| line["version"] == "canary");
    assert_eq!(version.expect("the canary")["held_out"], metric, "{status:#}");
    metric
}

#[test]
fn a_version_that_fails_is_held_out_and_comes_back_by_one_that_tries() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::close());
    let gateway = Gateway::start(&config(&shop, "{failures: 5, over: 60s, for: 1s}"), all_canary());
    let mut client = gateway.client();
    for _ in 0..5 {
        assert_eq!(client.get("/").send().text(), "stable");
    }
    assert!(is_held_out(&gateway));
    let warned =
        |line: &Value| line["fields"]["message"].as_str().is_some_and(|text| text.contains("held out"));
    gateway.wait_for_log("that it is held out", warned);
    for method in ["GET", "POST"] {
        assert_eq!(client.request(method, "/held").send().text(), "stable", "{method}");
    }
    assert_eq!(shop.canary.count(), 5, "nothing goes there");
    let line = gateway.access("one that was held out", |line| line["path"] == "/held");
    assert_eq!((&line["fallback"], &line["attempts"]), (&json!("held_out"), &json!(1)));
    assert_eq!(shop.stable.last().header("x-flag-v").as_deref(), Some("stable"));
    let fallbacks =
        |why| gateway.metrics().sum("flagway_fallbacks_total", &[("from", "canary"), ("why", why)]);
    eventually("both ways to fall back are counted", || {
        (fallbacks("closed"), fallbacks("held_out")) == (5.0, 2.0)
    });
    let failures = gateway.metrics().sum("flagway_version_failures_total", &[("version", "canary")]);
    assert_eq!(failures, 5.0, "what it was not asked, it did not fail");

    shop.canary.answer(|_| Answer::new(200, "canary").after(Duration::from_millis(300)));
    let before = gateway.stderr.count();
    eventually("one tries, and it is back", || client.get("/").send().text() == "canary");
    assert_eq!(shop.canary.count(), 6);
    assert!(!is_held_out(&gateway));
    gateway.wait_for_log_after(before, "that it is back", warned);
    shop.canary.answer(|_| Answer::new(200, "canary"));
    for _ in 0..10 {
        assert_eq!(client.get("/").send().text(), "canary");
    }
}

#[test]
fn while_one_tries_all_others_are_served_by_the_default_version() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::close());
    let gateway = Gateway::start(&config(&shop, "{failures: 1, share: 0%, for: 300ms}"), all_canary());
    gateway.get("/");
    shop.canary.answer(|_| Answer::new(200, "canary").after(Duration::from_millis(200)));
    // Tells a probe from the rest by what the canary has seen.
    std::thread::scope(|scope| {
        let visit = || {
            let mut client = gateway.client();
            let mut answers = Vec::new();
            while answers.last().is_none_or(|last| last != "canary") {
                answers.push(client.get("/").send().text());
            }
            answers
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(visit)).collect();
        let answers: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(answers.iter().flatten().all(|answer| answer == "stable" || answer == "canary"));
        assert!(answers.iter().filter(|answers| answers.len() > 2).count() >= 7, "seven had to wait for one");
    });
}

#[test]
fn it_is_the_version_that_is_held_out_and_no_visitor_and_no_other_version() {
    let shop = Shop::start();
    shop.canary.answer(|request| {
        if request.header("x-user").as_deref() == Some("mallory") {
            Answer::close()
        } else {
            Answer::new(200, "canary")
        }
    });
    let gateway = Gateway::start(
        &config(&shop, "{failures: 10, share: 50%, over: 60s, for: 60s}"),
        json!({"v": opt_in()}),
    );
    let mut client = gateway.client();
    let mut visit = |user: &str, canary: &str| {
        client.get("/").header("x-user", user).header("x-canary", canary).send().text()
    };
    for _ in 0..12 {
        assert_eq!(visit("ada", "always"), "canary");
    }
    for _ in 0..11 {
        assert_eq!(visit("mallory", "always"), "stable");
        assert!(
            !is_held_out(&gateway),
            "as long as most are answered, one visitor's failures hold nobody out"
        );
    }
    assert_eq!(visit("mallory", "always"), "stable");
    assert!(is_held_out(&gateway));
    assert_eq!(visit("ada", "always"), "stable");
    assert_eq!(visit("ada", "never"), "stable");
}

#[test]
fn a_reload_changes_nothing_and_switching_it_off_does() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::close());
    let rules = "{failures: 3, over: 60s, for: 60s}";
    let gateway = Gateway::start(&config(&shop, rules), all_canary());
    for _ in 0..3 {
        gateway.get("/");
    }
    assert!(is_held_out(&gateway));
    shop.canary.answer(|_| Answer::new(200, "canary"));
    let reloaded = || gateway.metrics().sum("flagway_reloads_total", &[("result", "published")]);
    let before = reloaded();
    gateway.replace_config(&(config(&shop, rules) + "threads: 3\n").replace("all,", "everything,"));
    eventually("the reload is live", || reloaded() > before);
    assert_eq!(gateway.get("/").text(), "stable");
    assert!(is_held_out(&gateway), "service and version are the same");
    gateway.replace_config(&config(&shop, "off"));
    eventually("nothing holds it out", || gateway.get("/").text() == "canary");
    assert!(!is_held_out(&gateway));
}

#[test]
fn the_default_version_is_never_held_out() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::close());
    let config = shop
        .config(&one_route(""))
        .replace("stable: {", "stable: {hold_out: {failures: 1, share: 0%, for: 60s}, ");
    let gateway = Gateway::start(&config, json!({"v": versions(Value::Null)}));
    for _ in 0..10 {
        assert_eq!(gateway.get("/").status, 502);
    }
    assert_eq!(shop.stable.count(), 10);
    shop.stable.answer(|_| Answer::new(200, "stable"));
    assert_eq!(gateway.get("/").text(), "stable");
}

#[test]
fn explain_tells_that_a_version_is_held_out() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::close());
    let gateway = Gateway::start(&config(&shop, "{failures: 1, share: 0%, for: 60s}"), all_canary());
    let explain = || {
        let mut operator = Client::new(gateway.admin());
        operator.post("/api/v1/explain", r#"{"url": "/"}"#).host("localhost").send().json()
    };
    assert_eq!(explain()["held_out"], Value::Null);
    gateway.get("/");
    let told = explain();
    assert_eq!((&told["version"], &told["held_out"]), (&json!("canary"), &json!("stable")), "{told:#}");
    assert!(told["why"].as_str().is_some_and(|why| why.contains("held out")), "{told:#}");
}
