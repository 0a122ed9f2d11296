//! Fault drills: upstreams that fail in every way. For each, what the client sees, what metrics and access log say, and that memory and
//! open files are afterwards what they were.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Answer, DEAD, Drill, RawUpstream, Upstream, eventually, read_request, reset};

/// How often each goes wrong.
const TIMES: usize = 30;
/// Short, so that a drill is.
const SOON: &str = "timeouts: {connect: 1s, first_byte: 300ms, between: 300ms, idle: 300ms},";

/// An upstream that answers what is well with `well`, and else does what `fault` does once it has read the request.
fn upstream(fault: impl Fn(&mut TcpStream) -> io::Result<()> + Send + Sync + 'static) -> RawUpstream {
    RawUpstream::start(move |stream| {
        let mut head = [0; 9];
        stream.peek(&mut head)?;
        let well = head.starts_with(b"GET /well");
        read_request(stream)?;
        if well {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nwell")
        } else {
            fault(stream)
        }
    })
}

/// Says this much, and then nothing until the peer leaves.
fn hang(stream: &mut TcpStream, said: &str) -> io::Result<()> {
    stream.write_all(said.as_bytes())?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}

/// Every request of a drill is answered with `status`, or cut if that is none; the log has `logged` as status, and this error.
#[track_caller]
fn drill(
    version: &str,
    upstream: &RawUpstream,
    status: Option<u16>,
    logged: u16,
    error: Option<&str>,
) -> Drill {
    let mut drill = Drill::before(upstream.address, version, "");
    assert_eq!(drill.asks("/well").map(|response| response.text()), Some("well".to_owned()));
    assert_eq!(drill.asks("/faulty").map(|response| response.status), status);
    drill.logged("/faulty", logged, error);
    drill.normal();
    std::thread::scope(|scope| {
        let asks = || assert_eq!(drill.asks("/faulty").map(|response| response.status), status);
        for _ in 0..TIMES {
            scope.spawn(asks);
        }
    });
    assert_eq!(drill.asks("/well").map(|response| response.status), Some(200), "what is well is served");
    let class = format!("{}xx", logged / 100);
    let wells = if logged == 200 { 2 } else { 0 };
    eventually("all are counted", || drill.counted(&class) == (TIMES + 1 + wells) as f64);
    drill.is_over();
    drill
}

#[test]
fn one_that_refuses_connections_is_503() {
    let mut drill = Drill::before(DEAD, "", "");
    drill.normal();
    for _ in 0..TIMES {
        assert_eq!(drill.asks("/").map(|response| response.status), Some(503));
    }
    drill.logged("/", 503, Some("no endpoint takes a connection"));
    eventually("all are counted", || drill.counted("5xx") == TIMES as f64);
    drill.is_over();
}

#[test]
fn one_that_hangs_before_its_head_is_504() {
    let upstream = upstream(|stream| hang(stream, ""));
    drill(SOON, &upstream, Some(504), 504, Some("upstream timeout"));
}

#[test]
fn one_that_hangs_in_its_head_is_504() {
    let upstream = upstream(|stream| hang(stream, "HTTP/1.1 200 OK\r\ncontent-"));
    drill(SOON, &upstream, Some(504), 504, Some("upstream timeout"));
}

#[test]
fn one_that_hangs_in_its_body_is_cut() {
    let upstream = upstream(|stream| hang(stream, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"));
    drill(SOON, &upstream, None, 200, Some("upstream timeout"));
}

#[test]
fn one_that_resets_before_its_head_is_502() {
    let upstream = upstream(reset);
    drill(SOON, &upstream, Some(502), 502, Some("upstream closed"));
}

#[test]
fn one_that_resets_in_its_body_is_cut() {
    let upstream = upstream(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")?;
        std::thread::sleep(Duration::from_millis(20));
        reset(stream)
    });
    drill(SOON, &upstream, None, 200, Some("upstream closed"));
}

#[test]
fn one_that_sends_garbage_is_502() {
    let upstream =
        upstream(|stream| stream.write_all(&[0x16, 3, 1, 0, 200, 1, b'\r', b'\n', b'\r', b'\n', 0, 255]));
    drill(SOON, &upstream, Some(502), 502, Some("upstream protocol"));
}

#[test]
fn one_that_closes_without_a_word_is_502() {
    let upstream = upstream(|_| Ok(()));
    drill(SOON, &upstream, Some(502), 502, Some("upstream closed"));
}

/// Writes `whole`, then `drops` a byte at a time.
fn drip(stream: &mut TcpStream, whole: &[u8], drops: &[u8]) -> io::Result<()> {
    stream.write_all(whole)?;
    for byte in drops {
        stream.write_all(&[*byte])?;
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

const TWENTY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n";

/// No read of it took long, so that no timeout of a read saw it.
#[test]
fn one_whose_head_comes_a_byte_at_a_time_is_504() {
    let upstream = upstream(|stream| drip(stream, b"", &TWENTY.repeat(10)));
    drill(SOON, &upstream, Some(504), 504, Some("upstream timeout"));
}

#[test]
fn one_whose_body_comes_a_byte_at_a_time_is_waited_for_up_to_the_total() {
    let upstream = upstream(|stream| drip(stream, TWENTY, b"twenty bytes of body"));
    let mut slow = Drill::before(upstream.address, SOON, "");
    assert_eq!(slow.asks("/faulty").map(|response| response.text()), Some("twenty bytes of body".to_owned()));
    slow.logged("/faulty", 200, None);
    slow.normal();
    drop(slow);
    let total = "timeouts: {first_byte: 200ms, total: 250ms},";
    let line = drill(total, &upstream, None, 200, Some("upstream timeout")).gateway.stdout.text();
    assert!(line.contains("/faulty"), "{line}");
}

#[test]
fn one_with_a_giant_head_is_502_and_costs_no_memory() {
    let upstream = upstream(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
        for number in 0..8192 {
            stream.write_all(format!("x-{number}: {}\r\n", "a".repeat(1000)).as_bytes())?;
        }
        stream.write_all(b"content-length: 0\r\n\r\n")
    });
    drill("timeouts: {first_byte: 5s},", &upstream, Some(502), 502, Some("upstream protocol"));
}

#[test]
fn one_whose_head_never_ends_is_502_and_costs_no_memory() {
    let upstream = upstream(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nx: ")?;
        loop {
            stream.write_all(&[b'a'; 16 << 10])?;
        }
    });
    drill("timeouts: {first_byte: 5s},", &upstream, Some(502), 502, Some("upstream protocol"));
}

#[test]
fn one_whose_body_is_shorter_than_it_said_is_cut() {
    let upstream =
        upstream(|stream| stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"));
    drill(SOON, &upstream, None, 200, Some("upstream closed"));
}

#[test]
fn one_whose_chunks_do_not_end_is_cut() {
    let upstream = upstream(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n")
    });
    drill(SOON, &upstream, None, 200, Some("upstream closed"));
}

#[test]
fn what_comes_behind_a_body_is_nobodys_answer() {
    let more =
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nexactHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen";
    let upstream = upstream(move |stream| hang(stream, more));
    let mut drill = Drill::before(upstream.address, SOON, "");
    assert_eq!(drill.asks("/faulty").map(|response| response.text()), Some("exact".to_owned()));
    drill.normal();
    let mut client = drill.gateway.client();
    for _ in 0..TIMES {
        assert_eq!(client.get("/faulty").send().text(), "exact");
        assert_eq!(client.get("/well").send().text(), "well");
    }
    drill.logged("/faulty", 200, None);
    drop(client);
    drill.is_over();
}

#[test]
fn one_that_answers_before_it_has_read_the_body_is_heard() {
    let upstream = RawUpstream::start(|stream| {
        stream.read_exact(&mut [0; 20])?;
        stream.write_all(
            b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 5\r\nconnection: close\r\n\r\nlarge",
        )?;
        // It reads no more, but leaves the client time to.
        std::thread::sleep(Duration::from_millis(300));
        Ok(())
    });
    let mut drill = Drill::before(upstream.address, SOON, "");
    drill.normal();
    let body = vec![b'x'; 4 << 20];
    for _ in 0..5 {
        let answer = drill.gateway.client().post("/faulty", &body).try_send();
        assert_eq!(answer.expect("the answer is not lost").status, 413);
    }
    drill.logged("/faulty", 413, None);
    drill.is_over();
}

#[test]
fn errors_by_rate_are_passed_on_and_counted() {
    let upstream = Upstream::start("stable");
    let asked = Arc::new(AtomicUsize::new(0));
    upstream.answer(move |_| match asked.fetch_add(1, Ordering::SeqCst) % 3 {
        0 => Answer::new(500, "its own words"),
        _ => Answer::new(200, "well"),
    });
    let mut drill = Drill::before(upstream.address, "", "");
    let mut client = drill.gateway.client();
    let first = client.get("/").send();
    assert_eq!((first.status, first.text()), (500, "its own words".to_owned()));
    drill.normal();
    let statuses: Vec<u16> = (0..89).map(|_| client.get("/").send().status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 500).count(), 29);
    assert_eq!((drill.counted("5xx"), drill.counted("2xx")), (30.0, 60.0));
    drill.logged("/", 500, None);
    assert_eq!(upstream.count(), 90, "an answer is an answer: nothing is sent twice");
    drill.is_over();
}

#[test]
fn one_that_dies_and_comes_back_serves_again() {
    let upstream = Upstream::start("stable");
    let mut drill = Drill::before(upstream.address, SOON, "");
    let mut client = drill.gateway.client();
    assert_eq!(client.get("/").send().text(), "stable");
    drill.normal();
    upstream.stop();
    for _ in 0..TIMES {
        assert_eq!(client.get("/").send().status, 503);
        client = drill.gateway.client();
    }
    let back = Upstream::start_at(upstream.address, "back");
    let begun = Instant::now();
    eventually("it serves again", || client.get("/").send().text() == "back");
    assert!(begun.elapsed() < Duration::from_secs(9), "an endpoint is tried again soon");
    eventually("all are counted", || drill.counted("2xx") == (1 + back.count()) as f64);
    drill.is_over();
}
