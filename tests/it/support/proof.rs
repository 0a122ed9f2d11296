//! The harness itself: a recording upstream shows exactly what a client sent.

use std::io::Write;
use std::time::Duration;

use super::{
    Answer, Authority, Client, H2cUpstream, Lines, Metrics, RawUpstream, Recorded, Upstream, changes,
    eventually, read_request,
};

#[test]
fn an_upstream_shows_every_byte_that_the_client_sent() {
    let upstream = Upstream::start("one");
    let mut client = Client::new(upstream.address);
    let response = client.get("/a?b").header("X-Odd", b"\xffx").header("x-odd", "2").send();
    assert_eq!((response.status, response.text()), (200, "one".to_owned()));
    assert!(upstream.only().head.windows(11).any(|bytes| bytes == b"X-Odd: \xffx\r\n"));

    assert_eq!(client.post("/b", "length").send().text(), "one");
    assert_eq!(client.post("/c", "chunks").chunked().send().text(), "one");
    let seen = upstream.wait_for(3);
    assert_eq!(seen[0].all("X-ODD"), ["\u{fffd}x", "2"]);
    assert_eq!(
        (seen[1].method(), seen[1].target(), &*seen[1].body),
        ("POST".into(), "/b".into(), &b"length"[..])
    );
    assert_eq!(seen[2].body, b"chunks");
    assert_eq!(upstream.connections(), 1, "the client keeps its connection");
}

#[test]
fn an_upstream_answers_as_it_is_told() {
    let upstream = Upstream::start("one");
    let mut client = Client::new(upstream.address);
    upstream.answer(|request| match request.target().as_str() {
        "/close" => Answer::close(),
        _ => Answer::new(304, "").header("etag", "x").after(Duration::from_millis(5)),
    });
    assert_eq!(client.get("/").send().header("ETag").as_deref(), Some("x"));
    assert!(client.get("/close").try_send().is_err());
    upstream.stop();
    assert!(client.get("/").try_send().is_err());
}

#[test]
fn tls_peers_trust_their_authority() {
    let authority = Authority::new();
    let upstream = Upstream::start_tls("safe", authority.server(&["shop.test", "127.0.0.1"]));
    let mut client = Client::tls(upstream.address, "shop.test", authority.client());
    assert_eq!(client.get("/").send().text(), "safe");
    assert_eq!(upstream.only().sni.as_deref(), Some("shop.test"));
    let stranger = Authority::new().client();
    assert!(Client::tls(upstream.address, "shop.test", stranger).get("/").try_send().is_err());
    let strict = Upstream::start_tls("strict", authority.mutual_server(&["shop.test"]));
    assert!(Client::tls(strict.address, "shop.test", authority.client()).get("/").try_send().is_err());
}

#[test]
fn an_h2c_upstream_answers_a_client_of_its_protocol() {
    let upstream = H2cUpstream::start("two");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = runtime.block_on(async {
        let tcp = tokio::net::TcpStream::connect(upstream.address).await.unwrap();
        let (mut sender, connection) = h2::client::handshake(tcp).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get("http://shop.test/a?b").body(()).unwrap();
        sender.send_request(request, true).unwrap().0.await.unwrap().status()
    });
    assert_eq!(status, 200);
    assert_eq!(upstream.requests()[0].target(), "/a?b");
}

#[test]
fn lines_can_be_awaited_and_metrics_added_up() {
    let lines = Lines::collect(&b"one\n{\"two\": 2}\n"[..]);
    eventually("both lines", || lines.count() == 2);
    assert!(lines.find(0, Duration::ZERO, |line| line == "one").is_some());
    assert!(lines.find(1, Duration::ZERO, |line| line == "one").is_none());
    assert_eq!(lines.json()[0]["two"], 2);

    let metrics = Metrics::parse("# HELP a b\na{x=\"1\",y=\"2,3\"} 4\na{x=\"1\",y=\"4\"} 1.5\nb 7\n");
    assert_eq!(metrics.sum("a", &[("x", "1")]), 5.5);
    assert_eq!(metrics.sum("a", &[("y", "2,3")]), 4.0);
    assert_eq!((metrics.sum("b", &[]), metrics.series("a", &[])), (7.0, 2));
    assert_eq!(metrics.values("a", "y"), ["2,3", "4"]);
}

#[test]
fn a_raw_upstream_says_what_it_likes_and_counts() {
    let upstream = RawUpstream::start(|stream| {
        read_request(stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
    });
    let mut client = Client::new(upstream.address);
    for _ in 0..2 {
        assert!(client.post("/", "body").try_send().is_err(), "half an answer is none");
    }
    assert_eq!(upstream.asked(), 2);
}

#[test]
fn changes_of_a_copy_are_lines_in_any_order() {
    let recorded = |head: &str, body: &str| Recorded {
        head: head.replace('\n', "\r\n").into_bytes(),
        body: body.into(),
        connection: 0,
        sni: None,
    };
    let original = recorded("GET / HTTP/1.1\nb: 1\na: 1\na: 1\n", "x");
    let copy = recorded("GET / HTTP/1.1\na: 1\nb: 2\nc: 3\n", "x");
    let (gone, new) = changes(&original, &copy);
    assert_eq!((gone.join(","), new.join(",")), ("a: 1,b: 1".to_owned(), "b: 2,c: 3".to_owned()));
    for other in [recorded("GET /a HTTP/1.1\n", "x"), recorded("GET / HTTP/1.1\n", "y")] {
        let compared = std::panic::catch_unwind(|| changes(&original, &other));
        assert!(compared.is_err(), "{}", other.text());
    }
}
