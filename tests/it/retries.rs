//! How often a request is sent once more, what a version may hold at once, and that neither makes a storm.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Answer, Gateway, RawUpstream, Shop, Upstream, eventually, one_route, read_request, services, versions,
};

fn all_canary() -> Value {
    json!({"v": versions(json!({"if": [true, "canary"]}))})
}

fn all_stable() -> Value {
    json!({"v": versions(Value::Null)})
}

/// An endpoint that takes a while to fail.
fn failing() -> RawUpstream {
    RawUpstream::start(|stream| {
        read_request(stream)?;
        std::thread::sleep(Duration::from_millis(20));
        Ok(())
    })
}

#[test]
fn a_storm_of_failures_makes_no_storm_of_attempts() {
    const CLIENTS: usize = 40;
    const EACH: usize = 10;
    let endpoints = [0; 4].map(|_| failing());
    let list = endpoints.each_ref().map(|endpoint| format!("'{}'", endpoint.address)).join(", ");
    let config = services(&format!("[{list}]"), "['127.0.0.1:9']")
        .replace("default: stable", "default: stable\n    retries: {attempts: 3, budget: 10%, min: 2}")
        + &one_route("");
    let gateway = Gateway::start(&config, all_stable());
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = gateway.client();
                for _ in 0..EACH {
                    assert_eq!(client.get("/").send().status, 502);
                }
            });
        }
    });
    let asked: usize = endpoints.iter().map(RawUpstream::asked).sum();
    let requests = CLIENTS * EACH;
    // Without a budget there would be four attempts for each. Of forty that are live, four may try more than one endpoint, three more each.
    let retries = asked - requests;
    assert!(retries > 0, "some were tried again");
    assert!(retries <= requests * 3 / 4, "{retries} retries of {requests} requests");
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("flagway_retries_total", &[("version", "stable")]), retries as f64);
    assert!(metrics.sum("flagway_version_limits_total", &[("limit", "retries")]) > 0.0);
    assert_eq!(metrics.sum("flagway_version_failures_total", &[("version", "stable")]), requests as f64);
}

#[test]
fn no_budget_means_no_retry_and_still_falls_back() {
    let stable = Upstream::start("stable");
    let endpoints = [0; 2].map(|_| failing());
    let list = endpoints.each_ref().map(|endpoint| format!("'{}'", endpoint.address)).join(", ");
    for retries in ["{budget: 0%, min: 0}", "{attempts: 0}"] {
        let config = services(&format!("['{}']", stable.address), &format!("[{list}]"))
            .replace("default: stable", &format!("default: stable\n    retries: {retries}"))
            + &one_route("");
        let gateway = Gateway::start(&config, all_canary());
        let before: usize = endpoints.iter().map(RawUpstream::asked).sum();
        for _ in 0..5 {
            assert_eq!(gateway.get("/").text(), "stable", "{retries}");
        }
        let asked: usize = endpoints.iter().map(RawUpstream::asked).sum();
        assert_eq!(asked - before, 5, "{retries}: one attempt each");
    }
}

/// The version with these limits, over which a number of requests is brought; the last one is answered meanwhile.
#[test]
fn beyond_its_limit_a_version_gives_to_the_default_and_the_default_says_when_to_come_again() {
    let shop = Shop::start();
    let slow = |_: &_| Answer::new(200, "slow").after(Duration::from_millis(1500));
    let config = shop.config(&one_route(""));
    for (version, flags) in [("canary", all_canary()), ("stable", all_stable())] {
        for limit in ["requests", "unanswered"] {
            shop.canary.answer(slow);
            if version == "stable" {
                shop.stable.answer(slow);
            }
            let limited =
                config.replace(&format!("{version}: {{"), &format!("{version}: {{limits: {{{limit}: 2}}, "));
            let gateway = Gateway::start(&limited, flags.clone());
            std::thread::scope(|scope| {
                let first = [0; 2].map(|_| scope.spawn(|| gateway.get("/first").text()));
                let live = || gateway.api("/api/v1/status").json()["upstreams"].clone();
                let live = || {
                    live().as_array().unwrap().iter().find(|line| line["version"] == version).unwrap()[limit]
                        .clone()
                };
                eventually("two are live", || live() == 2);
                let third = gateway.get("/third");
                if version == "canary" {
                    assert_eq!((third.status, third.text()), (200, "stable".to_owned()), "{limit}");
                } else {
                    assert_eq!(
                        (third.status, third.header("retry-after").as_deref()),
                        (503, Some("1")),
                        "{limit}"
                    );
                }
                for first in first {
                    assert_eq!(first.join().unwrap(), "slow", "{limit}");
                }
                eventually("none is live", || live() == 0);
            });
            let labels = [("version", version), ("limit", limit)];
            assert_eq!(gateway.metrics().sum("flagway_version_limits_total", &labels), 1.0, "{labels:?}");
            assert_eq!(gateway.get("/again").text(), "slow", "there is room again");
        }
    }
}

#[test]
fn slow_bodies_hold_no_more_connections_of_a_version_than_they_may() {
    let shop = Shop::start();
    let config = shop.config(&one_route("")).replace("stable: {", "stable: {limits: {waiting_bodies: 2}, ");
    let gateway = Gateway::start(&config, all_stable());
    let slow = || {
        let mut stream = TcpStream::connect(gateway.traffic()).unwrap();
        let head =
            "POST / HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\ncontent-length: 100000\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&[7; 1000]).unwrap();
        stream
    };
    let answer = |mut stream: TcpStream| {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let waiting = [slow(), slow()];
    eventually("two connections wait", || shop.stable.connections() == 2);
    let refused = answer(slow());
    assert!(
        refused.starts_with("HTTP/1.1 503 ") && refused.to_lowercase().contains("retry-after: 1"),
        "{refused}"
    );
    assert_eq!(gateway.get("/").text(), "stable", "what has no body waits for none");
    assert_eq!(gateway.client().post("/", "small").send().text(), "stable", "a small body has come already");
    for mut stream in waiting {
        stream.write_all(&[7; 99_000]).unwrap();
        assert!(answer(stream).ends_with("stable"));
    }
    let labels = [("version", "stable"), ("limit", "waiting_bodies")];
    assert_eq!(gateway.metrics().sum("flagway_version_limits_total", &labels), 1.0);
}

#[test]
fn connections_that_are_being_made_are_limited() {
    // TEST-NET-1: nobody is there, and nobody says so.
    let stable = Upstream::start("stable");
    let canary = "{timeouts: {connect: 2s}, limits: {pending: 1}, ";
    let config = services(&format!("['{}']", stable.address), "['192.0.2.1:9']")
        .replace("canary: {", &format!("canary: {canary}"))
        + &one_route("");
    let gateway = Gateway::start(&config, all_canary());
    std::thread::scope(|scope| {
        let first = scope.spawn(|| gateway.get("/first").text());
        let limited = || gateway.metrics().sum("flagway_version_limits_total", &[("limit", "pending")]);
        // Where there is no network at all, connecting fails at once: then nothing is ever pending.
        eventually("a second one finds no room, or the first is over", || {
            assert_eq!(gateway.get("/").text(), "stable");
            limited() > 0.0 || first.is_finished()
        });
        assert_eq!(first.join().unwrap(), "stable");
    });
}
