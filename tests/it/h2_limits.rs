//! Clients of HTTP/2 that cost more than they ask for: how each ends, and that it does not on Pingora alone.

use std::io;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::h2_raw::*;
use crate::support::{Answer, Gateway, H2cUpstream, Shop, Upstream, bare, eventually, one_route, services};

const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection is watched that does not end.
const WHILE: Duration = Duration::from_millis(800);
const CALM: u32 = 11;

fn head(method: &str) -> Vec<u8> {
    fields(&[(":method", method), (":scheme", "http"), (":path", "/"), (":authority", "shop.test")])
}

fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, WHOLE, stream, head("GET"))
}

fn gateway(shop: &Shop, limits: &str) -> (Gateway, Way) {
    let gateway = shop.gateway(&(one_route("") + &format!("limits: {{{limits}}}\n")), json!({}));
    let way = Way::Plain(gateway.address("main"));
    (gateway, way)
}

fn refused(gateway: &Gateway, why: &str) {
    eventually(why, || gateway.metrics().sum("flagway_refused_total", &[("why", why)]) == 1.0);
}

/// Whether the connection is there, and hears.
fn is_up(raw: &mut H2Raw) -> bool {
    raw.say(&frame(PING, 0, 0, b"still up"))
        && raw.until(PATIENCE, |frame| frame.kind == PING && frame.payload == b"still up").is_ok()
}

fn ends(raw: &mut H2Raw) -> bool {
    let error = raw.until(PATIENCE, |_| false).unwrap_err();
    error.kind() != io::ErrorKind::WouldBlock
}

/// Asks and gives up, each time only once the request is on its way.
fn reset_late(raw: &mut H2Raw, count: u32) -> io::Result<()> {
    for stream in (1..).step_by(2).take(count as usize) {
        raw.say(&frame(HEADERS, END_HEADERS, stream, head("POST")));
        if !is_up(raw) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        raw.say(&frame(RST_STREAM, 0, stream, [0, 0, 0, 8]));
    }
    if is_up(raw) { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[test]
fn a_connection_that_gives_up_most_of_what_it_asks_for_is_closed() {
    let shop = Shop::start();
    let (gateway, way) = gateway(&shop, "h2: {resets: 20}");
    assert!(reset_late(&mut H2Raw::open(&way), 20).is_ok());
    let mut raw = H2Raw::open(&way);
    assert!(reset_late(&mut raw, 40).is_err());
    refused(&gateway, "resets");
    // The crate has a limit of its own on those that nobody had looked at.
    let mut raw = H2Raw::open(&way);
    raw.say(
        &(1..)
            .step_by(2)
            .take(200)
            .flat_map(|id| [get(id), frame(RST_STREAM, 0, id, [0, 0, 0, 8])].concat())
            .collect::<Vec<_>>(),
    );
    assert!(ends(&mut raw));
    eventually("they are counted", || {
        gateway.metrics().sum("flagway_refused_total", &[("why", "resets")]) == 2.0
    });
    let mut raw = H2Raw::open(&way);
    raw.say(&frame(PING, 0, 1, [0; 8]));
    assert!(ends(&mut raw));
    refused(&gateway, "malformed");
    let alone = Upstream::start("bare");
    assert!(
        reset_late(&mut H2Raw::open(&Way::Plain(bare(alone.address))), 300).is_ok(),
        "Pingora alone counts none"
    );
}

#[test]
fn frames_that_carry_nothing_end_a_connection_with_a_word() {
    let shop = Shop::start();
    let (gateway, way) = gateway(&shop, "h2: {control_frames: 100}");
    let alone = Upstream::start("bare");
    let alone = Way::Plain(bare(alone.address));
    for (number, (kind, said)) in [
        ("settings", frame(SETTINGS, 0, 0, [])),
        ("pings", frame(PING, 0, 0, [0; 8])),
        ("priorities", frame(PRIORITY, 0, 1, [0, 0, 0, 3, 1])),
        ("windows", frame(WINDOW_UPDATE, 0, 0, [0, 0, 0, 1])),
        ("unknown", frame(99, 0, 0, [])),
    ]
    .into_iter()
    .enumerate()
    {
        let mut raw = H2Raw::open(&way);
        raw.say(&said.repeat(300));
        let last = raw.until(PATIENCE, |frame| frame.kind == GOAWAY);
        assert_eq!(last.map(|frame| frame.code()).ok(), Some(CALM), "{kind}");
        assert!(ends(&mut raw), "{kind}");
        let count = || gateway.metrics().sum("flagway_refused_total", &[("why", "control_frames")]);
        eventually("it is counted", || count() == (number + 1) as f64);
        let mut raw = H2Raw::open(&alone);
        raw.say(&said.repeat(5_000));
        assert!(is_up(&mut raw), "Pingora alone answers any number of {kind}");
    }
    let mut honest = H2Raw::open(&way);
    honest.say(&frame(PING, 0, 0, [0; 8]).repeat(50));
    honest.say(&get(1));
    assert_eq!(honest.until(PATIENCE, |frame| frame.kind == HEADERS).unwrap().status(), 200);
}

#[test]
fn a_preface_a_silence_and_a_head_that_drips_have_an_end() {
    let shop = Shop::start();
    let (gateway, way) = gateway(&shop, "head_time: 300ms, idle: 300ms");
    let alone = Upstream::start("bare");
    let alone = Way::Plain(bare(alone.address));
    let half = |way: &Way| {
        let mut raw = H2Raw::silent(way);
        raw.say(&PREFACE[..12]);
        raw
    };
    let drip = |raw: &mut H2Raw, patience: Duration| {
        let until = Instant::now() + patience;
        let mut bytes = frame(HEADERS, WHOLE, 1, [&head("GET")[..], &[0; 4000]].concat()).into_iter();
        while Instant::now() < until && raw.say(&[bytes.next().unwrap()]) {
            if raw
                .until(Duration::from_millis(30), |frame| frame.kind == GOAWAY)
                .is_ok_and(|frame| frame.code() == CALM)
            {
                return true;
            }
        }
        Instant::now() < until
    };
    assert!(ends(&mut half(&way)));
    let mut silent = H2Raw::open(&way);
    let last = silent.until(PATIENCE, |frame| frame.kind == GOAWAY).unwrap();
    assert_eq!(last.code(), 0, "who is only silent is told so politely");
    assert!(ends(&mut silent));
    assert!(drip(&mut H2Raw::open(&way), PATIENCE));
    eventually("the drip is counted", || {
        gateway.metrics().sum("flagway_refused_total", &[("why", "head_time")]) >= 1.0
    });
    assert_eq!(shop.stable.count(), 0);
    // Pingora alone waits.
    let waits = |raw: &mut H2Raw| {
        raw.until(WHILE, |_| false).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    };
    assert!(waits(&mut half(&alone)));
    assert!(waits(&mut H2Raw::open(&alone)));
    assert!(!drip(&mut H2Raw::open(&alone), WHILE));
}

#[test]
fn a_body_that_does_not_come_is_given_up_with_its_stream_alone() {
    let shop = Shop::start();
    let (gateway, way) = gateway(&shop, "body_idle: 300ms");
    let mut raw = H2Raw::open(&way);
    raw.say(&frame(HEADERS, END_HEADERS, 1, head("POST")));
    raw.say(&frame(DATA, 0, 1, "hel"));
    let last = raw.until(PATIENCE, |frame| frame.stream == 1).unwrap();
    assert_eq!(last.kind, RST_STREAM);
    refused(&gateway, "body_time");
    gateway.access("it is told", |line| line["method"] == "POST" && line["error"] == "refused: body_time");
    raw.say(&get(3));
    assert_eq!(raw.until(PATIENCE, |frame| frame.kind == HEADERS).unwrap().status(), 200, "the others go on");
    let alone = Upstream::start("bare");
    let mut raw = H2Raw::open(&Way::Plain(bare(alone.address)));
    raw.say(&frame(HEADERS, END_HEADERS, 1, head("POST")));
    assert!(raw.until(WHILE, |frame| frame.stream == 1).is_err(), "Pingora alone waits");
}

#[test]
fn a_body_over_the_limit_is_refused_by_its_length_and_without_one() {
    let shop = Shop::start();
    let (_gateway, way) = gateway(&shop, "body: 10");
    for (lines, body) in [(&[("content-length", "11")][..], ""), (&[], "hello, world")] {
        let first = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "shop.test")];
        let mut raw = H2Raw::open(&way);
        raw.say(&frame(HEADERS, END_HEADERS, 1, fields(&[&first, lines].concat())));
        raw.say(&frame(DATA, 0, 1, body));
        assert_eq!(raw.until(PATIENCE, |frame| frame.stream == 1).unwrap().status(), 413, "{body}");
    }
    assert_eq!(shop.stable.count(), 0, "of a body too long, no upstream sees the end");
}

#[test]
fn an_answer_that_is_not_taken_holds_no_upstream() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::new(200, vec![b'x'; 4 << 20]));
    let (gateway, way) = gateway(&shop, "body_idle: 300ms");
    let closed = |raw: &mut H2Raw, patience: Duration| {
        raw.say(&frame(SETTINGS, 0, 0, [0, 4, 0, 0, 0, 0]));
        raw.say(&get(1));
        raw.until(patience, |frame| frame.kind == RST_STREAM).is_ok()
    };
    assert!(closed(&mut H2Raw::open(&way), PATIENCE));
    gateway.access("its end", |line| line["status"] == 200 && line["error"] == "client timeout");
    let alone = Upstream::start("bare");
    alone.answer(|_| Answer::new(200, vec![b'x'; 4 << 20]));
    assert!(!closed(&mut H2Raw::open(&Way::Plain(bare(alone.address))), WHILE), "Pingora alone waits");
}

#[test]
fn a_connection_has_so_many_requests_at_once_and_in_all() {
    let shop = Shop::start();
    shop.stable
        .answer(|request| if request.target() == "/" { Answer::hang() } else { Answer::new(200, "now") });
    let (_gateway, way) = gateway(&shop, "requests: 3, h2: {streams: 2}");
    let mut raw = H2Raw::open(&way);
    raw.say(&[get(1), get(3), get(5)].concat());
    let refused = raw.until(PATIENCE, |frame| frame.kind == RST_STREAM).unwrap();
    assert_eq!((refused.stream, refused.code()), (5, 7), "REFUSED_STREAM: it may be asked again");
    raw.say(&frame(RST_STREAM, 0, 1, [0, 0, 0, 8]));
    assert!(is_up(&mut raw));
    let now =
        fields(&[(":method", "GET"), (":scheme", "http"), (":path", "/now"), (":authority", "shop.test")]);
    raw.say(&frame(HEADERS, WHOLE, 7, now));
    let (mut answered, mut told) = (false, false);
    while !(answered && told) {
        let frame = raw.next(PATIENCE).unwrap();
        answered |= frame.kind == HEADERS && frame.stream == 7;
        told |= frame.kind == GOAWAY && frame.code() == 0;
    }
}

#[test]
fn a_request_has_all_of_its_time_and_no_more() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::hang());
    let (gateway, way) = gateway(&shop, "request_time: 300ms");
    assert_eq!(gateway.get("/").status, 504);
    let mut raw = H2Raw::open(&way);
    raw.say(&get(1));
    assert_eq!(raw.until(PATIENCE, |frame| frame.kind == HEADERS).unwrap().status(), 504);
}

#[test]
fn a_stop_is_told_to_idle_connections_and_waits_for_none_of_them() {
    let shop = Shop::start();
    let (mut gateway, way) = gateway(&shop, "");
    let mut raw = H2Raw::open(&way);
    raw.say(&get(1));
    assert_eq!(raw.until(PATIENCE, |frame| frame.kind == HEADERS).unwrap().status(), 200);
    gateway.signal("TERM");
    assert_eq!(raw.until(PATIENCE, |frame| frame.kind == GOAWAY).unwrap().code(), 0);
    assert!(gateway.wait().success());
}

#[test]
fn an_upstream_in_http_2_sees_what_one_in_http_1_does() {
    let upstream = H2cUpstream::start("two");
    let config = services(&format!("['{}']", upstream.address), "['127.0.0.1:1']")
        .replace("endpoints:", "http: h2, endpoints:");
    let gateway = Gateway::start(&(config + &one_route("")), json!({}));
    let mut raw = H2Raw::open(&Way::Plain(gateway.address("main")));
    let first = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "shop.test")];
    let more =
        [("te", "trailers"), ("cookie", "a=1"), ("cookie", "b=2"), ("x-flag-v", "canary"), ("x_a", "1")];
    raw.say(&frame(HEADERS, END_HEADERS, 1, fields(&[&first[..], &more].concat())));
    raw.say(&frame(DATA, 0, 1, "hello"));
    raw.say(&frame(HEADERS, WHOLE, 1, fields(&[("x-flag-v", "canary"), ("x-sum", "1")])));
    assert_eq!(raw.until(PATIENCE, |frame| frame.kind == HEADERS).unwrap().status(), 200);
    let seen = upstream.requests().remove(0);
    assert_eq!(seen.body, b"hello");
    assert_eq!(seen.all("cookie"), ["a=1; b=2"]);
    assert!(!seen.text().contains("canary") && seen.all("x_a").is_empty(), "{}", seen.text());
}
