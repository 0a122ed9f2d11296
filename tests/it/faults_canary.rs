//! Fault drills: a canary, or one of its endpoints, that fails in every way under a storm of requests. Nobody notices, everything is counted, and
//! memory and open files are afterwards what they were.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::support::{
    Answer, DEAD, Gateway, Held, RawUpstream, Setup, Shop, Upstream, eventually, one_route, read_request,
    reset, services, versions,
};

/// Clients at once, and what each asks.
const CLIENTS: usize = 8;
const EACH: usize = 40;

/// Everyone is sent to the canary; `canary` are further keys of it, each ending in a comma.
fn gateway(stable: impl ToString, endpoints: &str, canary: &str) -> Gateway {
    let services = services(&format!("['{}']", stable.to_string()), endpoints);
    let config = services.replace("canary: {", &format!("canary: {{{canary} ")) + &one_route("");
    Setup::new(&config).flags(json!({"v": versions(json!({"if": [true, "canary"]}))})).start()
}

/// A storm of requests; what came, by status and body.
fn storm(gateway: &Gateway) -> Vec<(u16, String)> {
    std::thread::scope(|scope| {
        let client = || {
            let mut client = gateway.client();
            let answers = (0..EACH).map(|_| client.get("/").send());
            answers.map(|answer| (answer.status, answer.text())).collect::<Vec<_>>()
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().expect("each was answered")).collect()
    })
}

/// What is held once the connections to stable that a storm needs are there.
fn normal(gateway: &Gateway, stable: &Upstream) -> Held {
    let served = storm(gateway);
    assert!(served.iter().all(|(status, _)| *status == 200), "{served:?}");
    assert!(stable.connections() > 0);
    let mut held = gateway.held();
    // Until the clients' connections are gone.
    eventually("it has settled", || {
        let before = std::mem::replace(&mut held, gateway.held());
        gateway.metrics();
        held.descriptors == before.descriptors
    });
    held
}

fn fallbacks(gateway: &Gateway) -> f64 {
    gateway.metrics().sum("flagway_fallbacks_total", &[("from", "canary")])
}

type Fault = fn(&mut TcpStream) -> io::Result<()>;

#[test]
fn whatever_it_does_everyone_is_served_and_nothing_is_left_behind() {
    let hang: Fault = |stream| stream.read_to_end(&mut Vec::new()).map(drop);
    let table: [(&str, Fault); 6] = [
        ("closes", |_| Ok(())),
        ("resets", |stream| reset(stream)),
        ("sends garbage", |stream| stream.write_all(b"\x16\x03\x01\r\n\r\n")),
        ("hangs", hang),
        ("hangs in its head", |stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nx: ")?;
            stream.read_to_end(&mut Vec::new()).map(drop)
        }),
        ("is unfit", |stream| {
            stream.write_all(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        }),
    ];
    for (what, fault) in table {
        let stable = Upstream::start("stable");
        stable.forget();
        let canary = RawUpstream::start(move |stream| {
            read_request(stream)?;
            fault(stream)
        });
        let keys = "timeouts: {first_byte: 100ms}, unfit: [503], hold_out: {for: 200ms},";
        let gateway = gateway(stable.address, &format!("['{}']", canary.address), keys);
        let held = normal(&gateway, &stable);
        let answers = storm(&gateway);
        assert!(answers.iter().all(|answer| *answer == (200, "stable".to_owned())), "{what}: {answers:?}");
        let all = (2 * CLIENTS * EACH) as f64;
        eventually("each was counted as the canary's", || fallbacks(&gateway) == all);
        let held_out = gateway.metrics().sum("flagway_fallbacks_total", &[("why", "held_out")]);
        assert!(held_out > all / 2.0, "{what}: it is asked seldom: {held_out} of {all}");
        assert!(canary.asked() > 0);
        eventually("the access log has them", || gateway.stdout.count() >= all as usize);
        let told = gateway.access(what, |line| line["fallback"] != serde_json::Value::Null);
        assert_eq!((&told["status"], &told["version"]), (&json!(200), &json!("stable")), "{what}");
        gateway.is_back_at(held);
    }
}

#[test]
fn one_that_takes_no_connection_costs_nobody_anything() {
    let stable = Upstream::start("stable");
    stable.forget();
    let gateway = gateway(stable.address, &format!("['{DEAD}']"), "hold_out: {for: 200ms},");
    let held = normal(&gateway, &stable);
    assert!(storm(&gateway).iter().all(|answer| *answer == (200, "stable".to_owned())));
    eventually("each was counted as the canary's", || fallbacks(&gateway) == (2 * CLIENTS * EACH) as f64);
    gateway.is_back_at(held);
}

#[test]
fn one_that_errs_by_rate_is_passed_over_by_rate() {
    let shop = Shop::start();
    let asked = Arc::new(AtomicUsize::new(0));
    shop.canary.answer(move |_| match asked.fetch_add(1, Ordering::SeqCst) % 4 {
        0 => Answer::new(503, "not now"),
        _ => Answer::new(200, "canary"),
    });
    let endpoints = format!("['{}']", shop.canary.address);
    let gateway = gateway(shop.stable.address, &endpoints, "unfit: [503], outliers: off,");
    let held = normal(&gateway, &shop.stable);
    let answers = storm(&gateway);
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    let passed_over = shop.canary.count().div_ceil(4);
    eventually("each is counted", || fallbacks(&gateway) == passed_over as f64);
    assert_eq!(shop.stable.count(), passed_over, "and served by the default version");
    assert_eq!(
        gateway.metrics().sum("flagway_version_held_out", &[("version", "canary")]),
        0.0,
        "a quarter is not half"
    );
    gateway.is_back_at(held);
}

#[test]
fn one_that_dies_and_comes_back_serves_again_by_itself() {
    let shop = Shop::start();
    shop.stable.forget();
    let endpoints = format!("['{}']", shop.canary.address);
    let gateway = gateway(shop.stable.address, &endpoints, "hold_out: {failures: 3, for: 300ms},");
    let version_of = |gateway: &Gateway| gateway.get("/").text();
    assert_eq!(version_of(&gateway), "canary");
    shop.canary.stop();
    let held = normal(&gateway, &shop.stable);
    assert!(storm(&gateway).iter().all(|answer| *answer == (200, "stable".to_owned())));
    gateway.is_back_at(held);
    let _back = Upstream::start_at(shop.canary.address, "back");
    eventually("the canary serves", || version_of(&gateway) == "back");
    assert!(storm(&gateway).iter().all(|answer| *answer == (200, "back".to_owned())));
}

#[test]
fn an_endpoint_that_comes_and_goes_fails_no_request() {
    let (stays, flaps) = (Upstream::start("stays"), Upstream::start("flaps"));
    stays.forget();
    let endpoints = format!("['{}', '{}']", stays.address, flaps.address);
    let gateway = gateway(stays.address, &endpoints, "");
    let mut address_of = flaps;
    for _ in 0..3 {
        address_of.stop();
        assert!(storm(&gateway).iter().all(|(status, _)| *status == 200));
        address_of = Upstream::start_at(address_of.address, "flaps");
        assert!(storm(&gateway).iter().all(|(status, _)| *status == 200));
    }
    assert_eq!(gateway.metrics().sum("flagway_requests_total", &[("class", "5xx")]), 0.0);
}
