//! What shadows may take of the gateway, and what becomes of them when it is too much: limits, rests, an end.

use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Answer, DEAD, Gateway, RawUpstream, Setup, Shop, Upstream, always, dark, eventually, one_route, opt_in,
    read_request, services, shadowed,
};

#[test]
fn a_shadow_that_takes_no_connection_costs_nothing() {
    let stable = Upstream::start("stable");
    let config = services(&format!("['{}']", stable.address), &format!("['{DEAD}']")) + &shadowed("");
    let gateway = Gateway::start(&config, dark());
    let mut client = gateway.client();
    for _ in 0..20 {
        assert_eq!(client.get("/").send().text(), "stable");
    }
    eventually("every copy is accounted for", || {
        let metrics = gateway.metrics();
        metrics.sum("flagway_shadow_copies_total", &[("result", "connect")])
            + metrics.sum("flagway_shadow_dropped_total", &[])
            == 20.0
    });
    assert!(gateway.copies("connect") >= 1.0, "one had to try");
    gateway.wait_until_settled();
}

#[test]
fn a_shadow_that_fails_has_a_rest_and_then_one_copy_tries() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::close());
    let gateway = shop.gateway(&shadowed(", breaker: {failures: 3, rest: 3s}"), dark());
    let mut client = gateway.client();
    for round in 1..=3 {
        client.get("/").send();
        eventually("the failure is counted", || gateway.copies("closed") == f64::from(round));
    }
    assert_eq!(gateway.shadow()["resting"], true);
    for _ in 0..5 {
        assert_eq!(client.get("/").send().text(), "stable");
    }
    gateway.wait_for_drops("breaker", 5);
    assert_eq!((shop.canary.count(), gateway.copies("sent")), (3, 3.0));

    // It fails once more: one is enough for another rest.
    eventually("one copy tries", || {
        client.get("/").send();
        shop.canary.count() == 4
    });
    eventually("it failed", || gateway.copies("closed") == 4.0);
    let drops = gateway.dropped("breaker");
    client.get("/").send();
    eventually("it rests again", || gateway.dropped("breaker") == drops + 1.0);
    assert_eq!(shop.canary.count(), 4);

    // It is well again: one answer is enough to go on.
    shop.canary.answer(|_| Answer::new(200, "well"));
    eventually("one copy is answered", || {
        client.get("/").send();
        gateway.copies("answered") >= 1.0
    });
    assert_eq!(gateway.shadow()["resting"], false);
    let drops = gateway.dropped("breaker");
    let copies = shop.canary.count();
    for _ in 0..5 {
        client.get("/").send();
    }
    shop.canary.wait_for(copies + 5);
    assert_eq!(gateway.dropped("breaker"), drops);
}

#[test]
fn an_error_status_is_an_answer_and_no_failure() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::new(503, "busy"));
    let gateway = shop.gateway(&shadowed(", breaker: {failures: 2}"), dark());
    let mut client = gateway.client();
    for round in 1..=10 {
        client.get("/").send();
        shop.canary.wait_for(round);
    }
    eventually("all are answered", || gateway.copies("answered") == 10.0);
    assert_eq!(gateway.shadow()["resting"], false);
}

#[test]
fn no_more_copies_than_allowed_are_under_way() {
    // Limits of the shadow, limits of all shadows.
    for (options, limits) in [(", max_in_flight: 2", ""), ("", "shadows: {max_in_flight: 2, queue: 1}\n")] {
        let shop = Shop::start();
        shop.canary.answer(|_| Answer::hang());
        let options = format!(", timeout: 10m{options}");
        let gateway = shop.gateway(&(shadowed(&options) + limits), dark());
        let mut client = gateway.client();
        for round in 1..=2 {
            assert_eq!(client.get("/").send().text(), "stable");
            shop.canary.wait_for(round);
        }
        for _ in 0..10 {
            assert_eq!(client.get("/").send().text(), "stable");
        }
        let what_is_full = || gateway.dropped("in_flight") + gateway.dropped("queue");
        // One may wait, where waiting is the way.
        eventually("the rest is dropped", || what_is_full() >= 9.0);
        let metrics = gateway.metrics();
        let waiting = metrics.sum("flagway_shadow_waiting", &[]);
        assert_eq!(what_is_full() + waiting, 10.0, "{options} {limits}");
        assert_eq!(metrics.sum("flagway_shadow_in_flight", &[]), 2.0, "{options} {limits}");
        assert_eq!(shop.canary.count(), 2, "{options} {limits}");
    }
}

#[test]
fn the_bytes_held_for_all_shadows_are_bounded() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::hang());
    let rest = shadowed(", methods: [POST], timeout: 10m, breaker: {failures: 1000, rest: 1s}")
        + "shadows: {max_bytes: 128KiB}\n";
    let gateway = shop.gateway(&rest, dark());
    let body: Vec<u8> = (0..50_000_u32).map(|byte| (byte * 3) as u8).collect();
    let mut client = gateway.client();
    for _ in 0..10 {
        assert_eq!(client.post("/", &body).send().text(), "stable");
        let held = gateway.metrics().sum("flagway_shadow_bytes", &[]);
        assert!(held <= f64::from(128 << 10), "{held} bytes are held");
    }
    assert!(shop.stable.requests().iter().all(|request| request.body == body), "the originals are whole");
    eventually("what finds no room is dropped", || gateway.dropped("memory") >= 8.0);
    let copies = gateway.copies("sent") as usize;
    assert!(copies >= 1, "what finds room is copied");
    assert!(shop.canary.wait_for(copies).iter().all(|copy| copy.body == body), "never truncated");
    // Once they are over there is room again.
    shop.canary.stop();
    gateway.wait_until_settled();
    let canary = Upstream::start_at(shop.canary.address, "canary");
    assert_eq!(client.post("/", &body).send().text(), "stable");
    assert!(canary.wait_for(1)[0].body == body);
}

#[test]
fn failures_of_a_shadow_are_no_failures_of_the_version() {
    let (stable, one) = (Upstream::start("stable"), Upstream::start("one"));
    let other = Upstream::start("other");
    let endpoints = format!("['{}', '{}']", one.address, other.address);
    let config = services(&format!("['{}']", stable.address), &endpoints)
        + &shadowed(", breaker: {failures: 1000, rest: 1s}");
    let gateway = Gateway::start(&config, json!({"v": opt_in(), "s": always("canary")}));
    let mut client = gateway.client();
    other.stop();
    eventually("a copy finds nobody", || {
        client.get("/").send();
        gateway.copies("connect") >= 1.0
    });
    let back = Upstream::start_at(other.address, "other");
    let mut served = [0, 0];
    for _ in 0..20 {
        let text = client.get("/").header("x-canary", "always").send().text();
        served[usize::from(text == "other")] += 1;
    }
    assert_eq!(served, [10, 10], "the endpoint was not given a rest for a shadow's sake");
    assert_eq!(gateway.metrics().sum("flagway_fallbacks_total", &[]), 0.0);
    drop(back);
}

#[test]
fn copies_take_no_turn_of_the_originals() {
    let (stable, one, other) = (Upstream::start("stable"), Upstream::start("one"), Upstream::start("other"));
    let endpoints = format!("['{}', '{}']", one.address, other.address);
    let config = services(&format!("['{}']", stable.address), &endpoints) + &shadowed("");
    let gateway = Gateway::start(&config, json!({"v": opt_in(), "s": always("canary")}));
    let mut client = gateway.client();
    let mut served = Vec::new();
    for round in 1..=10 {
        served.push(client.get("/").header("x-canary", "always").send().text());
        client.get("/").send();
        eventually("the copy is sent", || gateway.copies("answered") == f64::from(round));
    }
    assert!(served.windows(2).all(|pair| pair[0] != pair[1]), "by turns: {served:?}");
}

#[test]
fn shadows_that_hang_delay_no_stop() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::hang());
    let rest = shadowed(", timeout: 10m") + "shutdown: {grace: 10m}\n";
    let mut gateway: Gateway = shop.gateway(&rest, dark());
    let mut client = gateway.client();
    for _ in 0..5 {
        assert_eq!(client.get("/").send().text(), "stable");
    }
    shop.canary.wait_for(5);
    drop(client);
    gateway.signal("TERM");
    // It gives up long before one of those ten minutes is over.
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn a_client_that_leaves_in_the_middle_leaves_nothing_behind() {
    let shop = Shop::start();
    let gateway = shop.gateway(&shadowed(", methods: [POST]"), dark());
    for _ in 0..5 {
        let mut stream = TcpStream::connect(gateway.address("main")).unwrap();
        stream
            .write_all(b"POST / HTTP/1.1\r\nhost: shop.test\r\ncontent-length: 100000\r\n\r\nhalf")
            .unwrap();
    }
    gateway.wait_for_drops("unfinished", 5);
    gateway.wait_until_settled();
    assert_eq!((gateway.copies("sent"), shop.canary.count()), (0.0, 0), "half a request is no copy");
}

#[test]
fn a_slow_original_is_not_hurried_and_its_shadow_waits_within_bounds() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::new(200, "late but whole").after(Duration::from_millis(700)));
    let gateway = shop.gateway(&shadowed(""), dark());
    assert_eq!(gateway.get("/").text(), "late but whole");
    let shadow = gateway.compared(1);
    assert_eq!(shadow["differences"][0]["path"], "body", "{shadow:#}");
    gateway.wait_until_settled();
}

#[test]
fn a_configuration_without_shadows_has_none_to_tell_of() {
    let shop = Shop::start();
    let gateway = Setup::new(&shop.config(&one_route(""))).flags(dark()).start();
    gateway.get("/");
    assert_eq!(gateway.shadows(), Vec::<Value>::new());
    assert_eq!(gateway.metrics().sum("flagway_shadow_evaluations_total", &[]), 0.0);
}

#[test]
fn an_original_that_goes_on_for_ever_holds_nothing_for_its_shadow() {
    let canary = Upstream::start("canary");
    let stable = RawUpstream::start(|stream| {
        read_request(stream)?;
        stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        )?;
        loop {
            stream.write_all(b"6\r\ndata: \r\n")?;
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let config = services(&format!("['{}']", stable.address), &format!("['{}']", canary.address))
        + &shadowed(", timeout: 500ms");
    let gateway = Gateway::start(&config, dark());
    let mut client = TcpStream::connect(gateway.address("main")).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: shop.test\r\n\r\n").unwrap();
    canary.wait_for(1);
    eventually("its shadow waits no longer", || gateway.shadow()["uncompared"]["original"] == 1);
    gateway.wait_until_settled();
    // It still goes on.
    let mut bytes = [0; 64];
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for _ in 0..20 {
        assert!(io::Read::read(&mut client, &mut bytes).unwrap() > 0);
    }
}

#[test]
fn a_shadow_can_be_taken_away_while_its_copies_hang() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::hang());
    let gateway = shop.gateway(&shadowed(", timeout: 2s"), dark());
    let mut client = gateway.client();
    for round in 1..=5 {
        assert_eq!(client.get("/").send().text(), "stable");
        shop.canary.wait_for(round);
    }
    let configuration = || gateway.api("/api/v1/snapshot").json()["config_hash"].clone();
    let before = configuration();
    gateway.replace_config(&shop.config(&one_route("")));
    eventually("the shadow is gone", || configuration() != before);
    assert_eq!(client.get("/").send().text(), "stable");
    gateway.wait_until_settled();
    assert_eq!((gateway.copies("sent"), gateway.copies("timeout"), shop.canary.count()), (5.0, 5.0, 5));
}

#[test]
fn connections_that_a_shadow_closes_between_copies_are_no_failures() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::new(200, "stable").then_close());
    let gateway = shop.gateway(&shadowed(""), dark());
    let mut client = gateway.client();
    for round in 1..=30 {
        client.get("/").send();
        shop.canary.wait_for(round);
        eventually("it is answered", || gateway.copies("answered") == round as f64);
    }
    assert_eq!((gateway.shadow()["failed"].clone(), gateway.dropped("breaker")), (json!({}), 0.0));
}

#[test]
fn large_answers_are_read_to_their_end_and_held_by_nobody() {
    let shop = Shop::start();
    let large: Vec<u8> = (0..5_000_000_u32).map(|byte| (byte * 7) as u8).collect();
    let answer = Answer::new(200, &large);
    for upstream in [&shop.stable, &shop.canary] {
        let answer = answer.clone();
        upstream.answer(move |_| answer.clone());
    }
    // There is no room for one of them.
    let rest = shadowed(", compare: {slower_by: 1m}") + "shadows: {max_bytes: 1MiB}\n";
    let gateway = shop.gateway(&rest, dark());
    for _ in 0..3 {
        assert!(gateway.get("/").body == large, "the client has all of it");
    }
    let report = gateway.compared(3);
    assert_eq!((&report["equal"], &report["answered"]), (&json!(3), &json!(3)), "{report:#}");
    gateway.wait_until_settled();
}
