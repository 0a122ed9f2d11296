//! Event streams: who listens is told of every published change, by the thousand, and holds nothing up.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Fields, Gateway, Setup, Stay, eventually, flag, opt_in, services, versions, within};

const BULK: &str = "/ofrep/v1/evaluate/flags";
const STREAM: &str = "/ofrep/v1/stream";

fn config(ofrep: &str) -> String {
    let route = format!(
        "routes:\n  - {{name: flags, match: {{path_prefix: /ofrep}}, ofrep: {{flags: all, {ofrep}}}}}\n"
    );
    services("['127.0.0.1:1']", "['127.0.0.1:1']") + &route
}

fn gateway(ofrep: &str) -> Gateway {
    // Thousands of listeners from one address are what is tried here.
    let limits = "limits: {connections_per_address: 10000}\n";
    Setup::new(&(config(ofrep) + limits)).flags(json!({"v": opt_in()})).start()
}

/// A listener that knows of what is live.
#[track_caller]
fn listen(gateway: &Gateway, lines: Fields<'_>) -> Stay {
    let revision = gateway.revision();
    let stay = Stay::open(gateway, STREAM, &[lines, &[("last-event-id", &revision)]].concat());
    assert!(stay.head.starts_with("HTTP/1.1 200 "), "{}", stay.head);
    stay
}

fn open(gateway: &Gateway, door: &str) -> f64 {
    gateway.metrics().sum("flagway_ofrep_streams", &[("door", door)])
}

#[track_caller]
fn told(stay: &mut Stay) -> Value {
    serde_json::from_str(&stay.event()).unwrap()
}

fn refetch(gateway: &Gateway) -> Value {
    json!({"type": "refetchEvaluation", "etag": gateway.revision()})
}

#[track_caller]
fn bulk(gateway: &Gateway, query: &str, lines: Fields<'_>) -> (u16, Option<String>, Vec<u8>) {
    let mut client = gateway.client();
    let request = client.post(&format!("{BULK}{query}"), "{}").header("content-type", "application/json");
    let response = lines.iter().fold(request, |request, (name, value)| request.header(name, value)).send();
    (response.status, response.header("etag"), response.body)
}

#[test]
fn every_change_is_told_and_the_answer_to_it_is_new() {
    let gateway = gateway("rate: off");
    let (_, etag, body) = bulk(&gateway, "", &[]);
    let body: Value = serde_json::from_slice(&body).unwrap();
    let stream = &body["eventStreams"][0];
    assert_eq!((&stream["type"], &stream["endpoint"]["requestUri"]), (&json!("sse"), &json!(STREAM)));

    let mut stay = listen(&gateway, &[]);
    assert!(stay.head.to_lowercase().contains("content-type: text/event-stream"), "{}", stay.head);
    let etag = etag.unwrap();
    for variant in ["canary", "stable", "canary"] {
        gateway.operator().kill("v", variant);
        let event = told(&mut stay);
        assert_eq!(event, refetch(&gateway));
        let query = format!("?flagConfigEtag={}", event["etag"].as_str().unwrap());
        let (status, _, body) = bulk(&gateway, &query, &[("if-none-match", &etag)]);
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        // Killed to what it was before, it may be told that nothing changed but its reason.
        assert_eq!((status, &answer["flags"][0]["value"]), (200, &json!(variant)));
    }
}

#[test]
fn who_comes_back_is_told_what_it_missed_and_nothing_else() {
    let gateway = gateway("rate: off");
    let before = gateway.revision();
    gateway.operator().kill("v", "canary");
    let mut late = Stay::open(&gateway, STREAM, &[("last-event-id", &before)]);
    assert_eq!(told(&mut late), refetch(&gateway));
    // It began just after a change: it may have asked just before.
    let mut fresh = Stay::open(&gateway, STREAM, &[]);
    assert_eq!(told(&mut fresh), refetch(&gateway));
    let mut knows = listen(&gateway, &[]);
    gateway.operator().kill("v", "stable");
    for stay in [&mut late, &mut fresh, &mut knows] {
        assert_eq!(told(stay), refetch(&gateway), "one event for one change");
    }
}

#[test]
fn a_stream_needs_no_key_and_a_page_may_read_it() {
    let gateway = gateway("keys: [web], origins: ['https://shop.test']");
    let stay = listen(&gateway, &[("origin", "https://shop.test")]);
    let head = stay.head.to_lowercase();
    assert!(head.contains("access-control-allow-origin: https://shop.test\r\n"), "{head}");
    assert!(head.contains("vary: origin"), "{head}");
    let post = gateway.client().post(STREAM, "").send();
    assert_eq!((post.status, post.header("allow").as_deref()), (405, Some("GET, OPTIONS")));
}

#[test]
fn streams_are_bounded_and_a_place_is_free_again_once_its_client_is_gone() {
    let gateway = gateway("streams: 2");
    let (first, _second) = (listen(&gateway, &[]), listen(&gateway, &[]));
    let full = gateway.get(STREAM);
    assert_eq!((full.status, full.header("retry-after").as_deref()), (503, Some("60")));
    assert_eq!(open(&gateway, "flags"), 2.0);
    drop(first);
    eventually("the place is free", || open(&gateway, "flags") < 2.0);
    let _third = listen(&gateway, &[]);
}

#[test]
fn without_streams_none_is_offered() {
    let gateway = gateway("streams: 0");
    let (_, _, body) = bulk(&gateway, "", &[]);
    assert!(serde_json::from_slice::<Value>(&body).unwrap().get("eventStreams").is_none());
    assert_eq!(gateway.get(STREAM).status, 404);
}

#[test]
fn a_reload_that_takes_the_door_away_ends_its_streams_and_another_one_moves_them_on() {
    let gateway = gateway("streams: 10");
    let (mut stays, ends) = (listen(&gateway, &[]), listen(&gateway, &[]));
    gateway.replace_config(&config("streams: 10, keys: [web]"));
    gateway.signal("HUP");
    gateway.operator().kill("v", "canary");
    assert_eq!(told(&mut stays), refetch(&gateway));
    gateway.replace_config(&config("streams: 0"));
    gateway.signal("HUP");
    assert!(ends.end().ends_with("0\r\n\r\n"), "it ends as a whole answer does");
    stays.end();
    eventually("no stream is open", || open(&gateway, "flags") == 0.0);
}

#[test]
fn draining_ends_streams_at_once() {
    let mut gateway =
        Setup::new(&(config("") + "shutdown: {grace: 60s}\n")).flags(json!({"v": opt_in()})).start();
    let stay = listen(&gateway, &[]);
    let began = std::time::Instant::now();
    gateway.signal("TERM");
    assert!(stay.end().ends_with("0\r\n\r\n"));
    assert!(gateway.wait().success());
    assert!(began.elapsed().as_secs() < 30, "nobody waits for the grace's end");
}

#[test]
fn operators_listen_too() {
    let gateway = gateway("");
    let stream = TcpStream::connect(gateway.admin()).unwrap();
    (&stream).write_all(format!("GET {STREAM} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).unwrap();
    gateway.operator().kill("v", "canary");
    let wanted = format!("\"etag\":\"{}\"", gateway.revision());
    let mut text = String::new();
    let mut piece = [0; 1024];
    while !text.contains(&wanted) {
        let read = (&stream).read(&mut piece).unwrap();
        assert!(read > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    assert_eq!(open(&gateway, "admin"), 1.0);
}

/// Two thousand pages are open; a change reaches each, requests go on meanwhile, and none of the pages holds an old snapshot.
#[test]
fn thousands_of_idle_listeners_are_told_and_hold_nothing_up() {
    const LISTENERS: usize = 2000;
    let gateway = gateway("rate: off");
    let mut all: Vec<Stay> = (0..LISTENERS).map(|_| listen_quickly(&gateway)).collect();
    assert_eq!(open(&gateway, "flags"), LISTENERS as f64);
    let before = memory(&gateway);
    for round in 0..3 {
        let variant = if round % 2 == 0 { "canary" } else { "stable" };
        gateway.operator().kill("v", variant);
        assert_eq!(bulk(&gateway, "", &[]).0, 200);
        let expected = refetch(&gateway);
        for stay in &mut all {
            let event = loop {
                let event = told(stay);
                if event == expected {
                    break event;
                }
            };
            assert_eq!(event, expected);
        }
    }
    let grown = memory(&gateway).saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more for three changes");
    drop(all);
    within(std::time::Duration::from_secs(60), "nobody listens any more", || {
        (open(&gateway, "flags") == 0.0).then_some(())
    });
}

#[track_caller]
fn listen_quickly(gateway: &Gateway) -> Stay {
    Stay::open(gateway, STREAM, &[])
}

/// Bytes that the gateway holds.
fn memory(gateway: &Gateway) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<usize>().unwrap() * 1024
}

/// A definition that is changed while pages listen never leaves one with an older answer.
#[test]
fn no_listener_is_told_before_the_new_answer_is_there() {
    let gateway = gateway("rate: off");
    let mut stay = listen(&gateway, &[]);
    for number in 0..20 {
        let value = format!("v{number}");
        gateway.replace_flags(
            json!({"v": flag(json!({"on": value}), "on", Value::Null), "w": versions(Value::Null)}),
        );
        told(&mut stay);
        let (_, _, body) = bulk(&gateway, "", &[]);
        assert!(String::from_utf8_lossy(&body).contains(&value), "{value}");
    }
}
