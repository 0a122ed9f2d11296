//! Fault drills: clients that are slow, silent, abrupt, many. For each, what it sees, what metrics and access log say, that others are served
//! meanwhile, and that memory and open files are afterwards what they were.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::support::{
    Answer, Drill, LongUpstream, Setup, Upstream, eventually, one_route, opt_in, reset, services,
};

const TIMES: usize = 50;
const SOON: &str = "limits: {head_time: 500ms, idle: 500ms, body_idle: 500ms}\n";

/// A gateway before an upstream that is well, and a connection to it is kept.
fn drill(upstream: &Upstream, more: &str) -> Drill {
    let mut drill = Drill::before(upstream.address, "", more);
    assert_eq!(drill.asks("/well").map(|response| response.status), Some(200));
    drill.normal();
    drill
}

/// Connections on which this much was said.
fn connections(drill: &Drill, number: usize, said: &str) -> Vec<TcpStream> {
    let address = drill.gateway.address("main");
    let connect = |_| {
        let mut stream = TcpStream::connect(address).expect("a connection is taken");
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        stream
    };
    (0..number).map(connect).collect()
}

/// Connections that are kept after an answer, made one after the other.
fn answered(drill: &Drill, number: usize) -> Vec<TcpStream> {
    let one = |_| {
        let mut stream = connections(drill, 1, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").remove(0);
        let mut answer = [0; 500];
        let read = stream.read(&mut answer).expect("an answer");
        assert!(answer[..read].starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer[..read]));
        stream
    };
    (0..number).map(one).collect()
}

/// What comes until the end.
fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn refused(drill: &Drill, why: &str) -> f64 {
    drill.gateway.metrics().sum("flagway_refused_total", &[("why", why)])
}

#[test]
fn those_that_drip_a_head_are_told_408() {
    let upstream = Upstream::start("stable");
    let drill = drill(&upstream, SOON);
    let mut slow = connections(&drill, TIMES, "GET / HTTP/1.1\r\nhost: a\r\n");
    for _ in 0..20 {
        // Whatever their pace is: they are cut off by the whole time.
        slow.iter_mut().for_each(|stream| drop(stream.write_all(b"x")));
        std::thread::sleep(Duration::from_millis(40));
    }
    assert_eq!(drill.asks("/well").map(|response| response.status), Some(200));
    for stream in slow {
        let said = rest(stream);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{said}");
    }
    assert_eq!(refused(&drill, "head_time"), TIMES as f64);
    drill.gateway.access("each is told", |line| line["status"] == 408);
    assert_eq!(upstream.count(), 2, "no upstream hears of them");
    drill.is_over();
}

#[test]
fn those_that_say_nothing_are_closed_without_a_word() {
    let upstream = Upstream::start("stable");
    let drill = drill(&upstream, SOON);
    for stream in connections(&drill, TIMES, "") {
        assert_eq!(rest(stream), "");
    }
    drill.is_over();
}

#[test]
fn those_that_stop_in_a_body_are_told_408_and_hold_no_upstream() {
    let upstream = Upstream::start("stable");
    let drill = drill(&upstream, SOON);
    let head = "POST /slow HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nhalf";
    for stream in connections(&drill, TIMES, head) {
        let said = rest(stream);
        assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    }
    assert_eq!(refused(&drill, "body_time"), TIMES as f64);
    assert_eq!((upstream.count(), upstream.connections()), (1, 1), "a small body is awaited first");
    drill.gateway.access("each is told", |line| line["status"] == 408);
    drill.is_over();
}

/// They could have had a version held out that only waited for them.
#[test]
fn those_that_take_their_time_with_a_body_are_not_the_versions_fault() {
    let (stable, canary) = (Upstream::start("stable"), Upstream::start("canary"));
    let services = services(&format!("['{}']", stable.address), &format!("['{}']", canary.address));
    for (timeouts, body_idle) in [("{first_byte: 200ms, between: 200ms}", "1s"), ("{total: 300ms}", "10s")] {
        let config = services.replace("canary: {", &format!("canary: {{timeouts: {timeouts}, "));
        let limits = format!("limits: {{buffered_body: 0B, body_idle: {body_idle}}}\n");
        let config = config + &one_route("") + &limits;
        let gateway = Setup::new(&config).flags(json!({"v": opt_in()})).start();
        for _ in 0..10 {
            let mut slow = TcpStream::connect(gateway.address("main")).expect("a connection is taken");
            slow.write_all(
                b"POST /slow HTTP/1.1\r\nhost: a\r\nx-canary: always\r\ncontent-length: 9\r\n\r\n",
            )
            .unwrap();
            std::thread::sleep(Duration::from_millis(400));
            let _ = slow.write_all(b"half");
            let said = rest(slow);
            assert!(said.starts_with("HTTP/1.1 408 "), "{timeouts}: {said}");
        }
        gateway.access("each is told", |line| line["status"] == 408 && line["error"] == "client timeout");
        assert_eq!(gateway.metrics().sum("flagway_version_failures_total", &[("version", "canary")]), 0.0);
        assert_eq!(gateway.get_with("/", &[("x-canary", "always")]).text(), "canary");
    }
}

#[test]
fn those_that_leave_in_the_middle_of_anything_leave_nothing_behind() {
    let upstream = Upstream::start("stable");
    upstream.answer(|request| match request.target().as_str() {
        "/well" => Answer::new(200, "well"),
        _ => Answer::new(200, vec![b'x'; 1 << 20]).after(Duration::from_millis(50)),
    });
    let drill = drill(&upstream, "");
    let large =
        format!("POST /l HTTP/1.1\r\nhost: a\r\ncontent-length: 10000000\r\n\r\n{}", "x".repeat(200_000));
    for said in [
        "GET / HT",
        "GET / HTTP/1.1\r\nhost: a\r\n",
        "GET /big HTTP/1.1\r\nhost: a\r\n\r\n",
        &large,
        "POST /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
    ] {
        for (number, mut stream) in connections(&drill, TIMES, said).into_iter().enumerate() {
            match number % 3 {
                0 => reset(&mut stream).unwrap(),
                1 => drop(stream),
                // It may have seen a part of the answer.
                _ => drop(
                    stream
                        .set_read_timeout(Some(Duration::from_millis(80)))
                        .and_then(|()| stream.read(&mut [0; 100])),
                ),
            }
        }
        assert_eq!(
            drill.asks("/well").map(|response| response.text()),
            Some("well".to_owned()),
            "{said:.20}"
        );
    }
    let line = drill.gateway.access("a client that left", |line| {
        line["path"] == "/big" && line["error"] != serde_json::Value::Null
    });
    assert_eq!(line["error"], "client closed", "{line}");
    drill.is_over();
}

#[test]
fn those_that_do_not_read_hold_the_upstream_back_and_no_memory() {
    let upstream = Upstream::start("stable");
    upstream.answer(|request| {
        Answer::new(200, vec![b'x'; if request.target() == "/well" { 4 } else { 64 << 20 }])
    });
    upstream.forget();
    let drill = drill(&upstream, "");
    let deaf = connections(&drill, 10, "GET /big HTTP/1.1\r\nhost: a\r\n\r\n");
    for mut stream in &deaf {
        stream.read_exact(&mut [0; 15]).expect("the answer has begun");
    }
    assert_eq!(drill.asks("/well").map(|response| response.status), Some(200));
    let before = drill.gateway.held();
    std::thread::sleep(Duration::from_millis(500));
    let after = drill.gateway.held();
    assert!(after.memory < before.memory + (32 << 10), "it grows while nobody reads: {before:?} {after:?}");
    drop(deaf);
    let cut = drill.gateway.access("one that left", |line| line["path"] == "/big");
    assert_eq!(cut["error"], "client closed", "{cut}");
    drill.is_over();
}

#[test]
fn thousands_that_are_idle_leave_room_for_others_and_go() {
    const MANY: usize = 3000;
    let upstream = Upstream::start("stable");
    let mut drill = drill(&upstream, "limits: {connections_per_address: 10000}\n");
    // The first time memory is taken that the next time is there.
    drop(answered(&drill, MANY));
    drill.normal_after(|held| held.descriptors < 100);
    let idle = answered(&drill, MANY);
    assert!(drill.gateway.held().descriptors >= MANY, "they are kept");
    assert_eq!(drill.asks("/well").map(|response| response.status), Some(200));
    drop(idle);
    eventually("all are counted", || drill.counted("2xx") == (2 * MANY + 2) as f64);
    drill.is_over();
}

#[test]
fn more_than_there_is_room_for_are_told_503_at_once() {
    let upstream = Upstream::start("stable");
    let drill = drill(&upstream, "limits: {connections_per_address: 20}\n");
    // The one that was used first may count for a moment.
    eventually("the first one is gone", || drill.gateway.held().descriptors <= drill.normally().descriptors);
    let kept = answered(&drill, 20);
    for stream in connections(&drill, TIMES, "GET / HTTP/1.1\r\nhost: a\r\n\r\n") {
        let said = rest(stream).to_lowercase();
        assert!(said.starts_with("http/1.1 503 ") && said.contains("retry-after: 1"), "{said}");
    }
    assert!(refused(&drill, "connections") >= TIMES as f64);
    drop(kept);
    eventually("there is room again", || drill.asks("/well").is_some_and(|response| response.status == 200));
    drill.is_over();
}

#[test]
fn streams_whose_clients_vanish_end_at_the_upstream_too() {
    let long = LongUpstream::start("stable");
    let mut drill = Drill::before(long.address(), "", "");
    assert_eq!(long.left(), 0);
    drill.normal();
    let said = [
        "GET /ticks HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\n\r\n",
        "GET /tunnel HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    ];
    for said in said {
        for mut stream in connections(&drill, 20, said) {
            stream.read_exact(&mut [0; 15]).expect("it has begun");
            reset(&mut stream).unwrap();
        }
    }
    eventually("every stream is over", || long.left() == 40);
    drill.is_over();
}
