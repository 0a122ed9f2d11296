//! A version that fails is served for by the default version: which requests, with what body, and who is told what.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Answer, DEAD, Gateway, H2cUpstream, RawUpstream, Shop, Upstream, eventually, one_route, read_request,
    services, split, versions,
};

/// Everyone goes to the canary.
fn all_canary() -> Value {
    json!({"v": versions(json!({"if": [true, "canary"]}))})
}

/// More of the canary's settings.
fn canary(config: &str, settings: &str) -> String {
    config.replace("canary: {", &format!("canary: {{{settings}, "))
}

#[test]
fn an_unfit_answer_is_thrown_away_and_everyone_is_told_who_served() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::new(503, "canary is sick").header("x-from", "canary"));
    let config = shop.config(&one_route("inject: [v],"))
        + "injection: {as: [headers, dictionary, baggage], client_version: true}\n";
    let gateway = Gateway::start(&config, all_canary());
    let response = gateway.get("/thing");
    assert_eq!((response.status, response.text()), (200, "stable".to_owned()));
    assert_eq!(response.header("x-from"), None, "nothing of the canary's answer is left");
    assert_eq!(response.header("x-flagway-version").as_deref(), Some("stable"));
    assert_eq!(shop.canary.only().header("x-flag-v").as_deref(), Some("canary"));
    let seen = shop.stable.only();
    assert_eq!(seen.header("x-flag-v").as_deref(), Some("stable"));
    let dictionary = seen.header("flag-decisions").expect("the dictionary");
    assert!(dictionary.contains("served=\"stable\"") || dictionary.contains("served=stable"), "{dictionary}");
    assert!(dictionary.contains("why=status") || dictionary.contains("why=\"status\""), "{dictionary}");
    let line = gateway.access("the request", |line| line["path"] == "/thing");
    assert_eq!(
        (&line["version"], &line["fallback"], &line["attempts"], &line["flags"]["v"]["variant"]),
        (&json!("stable"), &json!("status"), &json!(2), &json!("canary"))
    );
    let sum = |name: &str, labels: &[(&str, &str)]| gateway.metrics().sum(name, labels);
    assert_eq!(sum("flagway_requests_total", &[("version", "stable"), ("class", "2xx")]), 1.0);
    assert_eq!(sum("flagway_requests_total", &[("version", "canary")]), 0.0);
    assert_eq!(sum("flagway_fallbacks_total", &[("from", "canary"), ("why", "status")]), 1.0);
    assert_eq!(sum("flagway_version_failures_total", &[("version", "canary"), ("why", "status")]), 1.0);
    assert_eq!(sum("flagway_version_failures_total", &[("version", "stable")]), 0.0);
}

#[test]
fn which_statuses_are_unfit_is_configured() {
    let shop = Shop::start();
    shop.canary.answer(|request| {
        let status = request.target().trim_start_matches('/').parse().expect("a status");
        Answer::new(status, "canary")
    });
    let config = shop.config(&one_route(""));
    let table: [(&str, &[u16], &[u16]); 3] = [
        ("http: h1", &[502, 503, 504], &[200, 404, 500, 501, 505, 429]),
        ("unfit: [500, 404]", &[500, 404], &[502, 503, 200]),
        ("unfit: []", &[], &[500, 502, 503, 504]),
    ];
    for (settings, unfit, fit) in table {
        let gateway = Gateway::start(&canary(&config, settings), all_canary());
        for status in unfit {
            assert_eq!(gateway.get(&format!("/{status}")).text(), "stable", "{status} with {settings}");
        }
        for status in fit {
            let response = gateway.get(&format!("/{status}"));
            assert_eq!((response.status, response.text()), (*status, "canary".to_owned()), "{settings}");
        }
    }
}

#[test]
fn what_was_sent_is_repeated_whole_where_that_is_safe_and_not_at_all_elsewhere() {
    const KIB: usize = 1024;
    let shop = Shop::start();
    let gateway = Gateway::start(&canary(&shop.config(&one_route("")), "hold_out: off"), all_canary());
    let body: Vec<u8> = (0..300_000_u32).map(|byte| (byte * 31) as u8).collect();
    type Program = fn() -> Answer;
    let unfit: Program = || Answer::new(503, "canary is sick");
    let closes: Program = Answer::close;
    let table: [(&str, usize, bool, Program, u16); 13] = [
        // method, body, in one chunk; what the canary does; what the client sees
        ("PUT", 1, false, unfit, 200),
        ("PUT", 64 * KIB, false, unfit, 200),
        ("PUT", 64 * KIB + 1, false, unfit, 503),
        ("PUT", 60 * KIB, true, unfit, 200),
        ("PUT", 300_000, true, unfit, 503),
        ("PUT", 64 * KIB, false, closes, 200),
        ("PUT", 64 * KIB + 1, false, closes, 502),
        ("DELETE", 10, false, closes, 200),
        ("GET", 10, false, closes, 200),
        ("POST", 1, false, unfit, 503),
        ("POST", 1, false, closes, 502),
        ("PATCH", 1, false, unfit, 503),
        ("PATCH", 300_000, false, closes, 502),
    ];
    for (method, length, chunked, program, status) in table {
        shop.canary.answer(move |_| program());
        let (sent, before) = (&body[..length], shop.stable.count());
        let mut client = gateway.client();
        let request = client.request(method, "/").body(sent);
        let response = if chunked { request.chunked() } else { request }.send();
        let what = format!("{method} of {length} bytes, chunked: {chunked}");
        assert_eq!(response.status, status, "{what}");
        if status == 503 {
            assert_eq!(response.text(), "canary is sick", "{what}: what cannot be replaced is passed on");
        }
        let repeated = shop.stable.count() - before;
        assert_eq!(repeated, usize::from(status == 200), "{what}");
        if repeated == 1 {
            assert!(shop.stable.last().body == sent, "{what}: the body is damaged");
        }
    }
    // What is idempotent may come twice where its connection had been used before.
    let once = |method: &str| ["POST", "PATCH"].contains(&method);
    let came = shop.canary.requests().iter().filter(|request| once(&request.method())).count();
    assert_eq!(came, table.iter().filter(|row| once(row.0)).count(), "the canary got each of these once");
}

#[test]
fn an_unfit_answer_is_better_than_none() {
    let canary = Upstream::start("canary");
    canary.answer(|_| Answer::new(503, "canary is sick"));
    let full = services("['127.0.0.1:9']", &format!("['{}']", canary.address))
        .replace("stable: {", "stable: {limits: {requests: 0}, ");
    let gateway = Gateway::start(&(full + &one_route("inject: [v],")), all_canary());
    let response = gateway.get("/");
    assert_eq!((response.status, response.text()), (503, "canary is sick".to_owned()));
    let line = gateway.access("the request", |line| line["status"] == 503);
    assert_eq!((&line["version"], line.get("fallback")), (&json!("canary"), None));
}

#[test]
fn the_visitor_stays_assigned() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::new(503, ""));
    let rest = one_route("inject: [v],") + "context: {targeting_key: [{cookie: uid}]}\n";
    let flags = json!({"v": split(50)});
    let gateway = shop.gateway(&rest, flags);
    let visitor = (0..50).map(|n| format!("uid=u{n}")).find(|cookie| {
        let before = shop.canary.count();
        gateway.get_with("/", &[("cookie", cookie)]);
        shop.canary.count() > before
    });
    let visitor = visitor.expect("one of fifty is in the canary");
    let before = shop.canary.count();
    for _ in 0..5 {
        assert_eq!(gateway.get_with("/", &[("cookie", &visitor)]).text(), "stable");
    }
    assert_eq!(shop.canary.count() - before, 5, "each time the canary is asked first");
    shop.canary.answer(|_| Answer::new(200, "canary"));
    assert_eq!(gateway.get_with("/", &[("cookie", &visitor)]).text(), "canary");
}

#[test]
fn another_endpoint_of_the_version_is_asked_first() {
    let (stable, sick, well) =
        (Upstream::start("stable"), Upstream::start("sick"), Upstream::start("canary"));
    let config =
        services(&format!("['{}']", stable.address), &format!("['{}', '{}']", sick.address, well.address))
            + &one_route("");
    for program in [(|| Answer::new(503, "")) as fn() -> Answer, Answer::close] {
        sick.answer(move |_| program());
        let gateway = Gateway::start(&config, all_canary());
        let mut client = gateway.client();
        for _ in 0..10 {
            assert_eq!(client.get("/").send().text(), "canary");
        }
        let retried = || gateway.metrics().sum("flagway_retries_total", &[("version", "canary")]);
        eventually("the retries are counted", || retried() > 0.0);
        assert_eq!(gateway.metrics().sum("flagway_version_failures_total", &[]), 0.0, "the version served");
    }
    assert_eq!(stable.count(), 0);
}

#[test]
fn a_version_that_takes_too_long_is_left_at_once() {
    let (stable, slow) = (Upstream::start("stable"), Upstream::start("slow"));
    slow.answer(|_| Answer::hang());
    let other = Upstream::start("canary");
    other.answer(|_| Answer::hang());
    let endpoints = format!("['{}', '{}']", slow.address, other.address);
    let config = services(&format!("['{}']", stable.address), &endpoints) + &one_route("");
    let gateway = Gateway::start(&canary(&config, "timeouts: {first_byte: 300ms}"), all_canary());
    assert_eq!(gateway.get("/").text(), "stable");
    assert_eq!(slow.count() + other.count(), 1, "its other endpoints would take as long");
}

#[test]
fn hints_that_came_before_a_failure_are_no_answer() {
    let stable = Upstream::start("stable");
    let hints = RawUpstream::start(|stream: &mut TcpStream| {
        read_request(stream)?;
        stream.write_all(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n")?;
        std::thread::sleep(Duration::from_millis(50));
        Ok(())
    });
    let config = services(&format!("['{}']", stable.address), &format!("['{}']", hints.address));
    let gateway = Gateway::start(&(config + &one_route("")), all_canary());
    assert_eq!(gateway.get("/").text(), "stable");
}

#[test]
fn a_large_body_goes_to_the_default_version_as_long_as_nothing_was_sent() {
    let stable = Upstream::start("stable");
    let config = services(&format!("['{}']", stable.address), &format!("['{DEAD}']")) + &one_route("");
    let gateway = Gateway::start(&canary(&config, "limits: {requests: 0}"), all_canary());
    let body = vec![7; 1_000_000];
    assert_eq!(gateway.client().post("/", &body).send().text(), "stable");
    assert!(stable.last().body == body);
    let line = gateway.access("the request", |line| line["method"] == "POST");
    assert_eq!(line["fallback"], "limit");
}

#[test]
fn http_2_to_the_version_changes_nothing() {
    let (stable, sick) = (Upstream::start("stable"), H2cUpstream::start("canary"));
    let config =
        services(&format!("['{}']", stable.address), &format!("['{}']", sick.address)) + &one_route("");
    let gateway = Gateway::start(&canary(&config, "http: h2"), all_canary());
    let body: Vec<u8> = (0..60_000_u32).map(|byte| (byte * 31) as u8).collect();
    let mut client = gateway.client();
    for status in [503, 0] {
        sick.answer(status);
        assert_eq!(client.get("/").send().text(), "stable", "{status}");
        assert_eq!(client.request("PUT", "/").body(&body).send().text(), "stable", "{status}");
        assert!(stable.last().body == body, "{status}");
        let posted = client.post("/", "pay").send();
        assert_eq!(posted.status, if status == 0 { 502 } else { status }, "{status}");
    }
    assert_eq!((stable.count(), sick.requests().len()), (4, 6));
    sick.answer(200);
    assert_eq!(client.get("/").send().text(), "canary", "one bad stream is no bad connection");
}

#[test]
fn a_canary_that_dies_under_load_fails_nobody() {
    let shop = Shop::start();
    let rest = one_route("") + "context: {targeting_key: [{header: x-user}]}\n";
    let gateway = shop.gateway(&rest, json!({"v": split(50)}));
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (gateway, over) = (&gateway, &over);
            scope.spawn(move || {
                let mut client = gateway.client();
                for number in 0.. {
                    let user = format!("{thread}-{number}");
                    let answer = client.get("/").header("x-user", user).send();
                    assert!(answer.status == 200, "{} at the {number}th", answer.status);
                    if over.load(std::sync::atomic::Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        shop.canary.wait_for(200);
        shop.canary.stop();
        let before = shop.stable.count();
        shop.stable.wait_for(before + 500);
        let back = Upstream::start_at(shop.canary.address, "canary");
        back.wait_for(50);
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(gateway.metrics().sum("flagway_fallbacks_total", &[("from", "canary")]) > 0.0);
}
