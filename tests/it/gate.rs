//! What never reaches an upstream, and what does, over sockets that say exactly what the test says.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::support::{self, Gateway, Shop, eventually, one_route, statuses};

/// Everything that is answered until the gateway closes.
fn say(gateway: &Gateway, text: impl AsRef<[u8]>) -> String {
    support::say(gateway.address("main"), text)
}

fn gateway(shop: &Shop, limits: &str) -> Gateway {
    shop.gateway(&(one_route("") + limits), json!({}))
}

#[test]
fn what_is_ambiguous_is_refused_and_no_upstream_sees_it() {
    let shop = Shop::start();
    let gateway = gateway(&shop, "");
    let post = |fields: &str| {
        format!("POST / HTTP/1.1\r\nhost: shop.test\r\n{fields}\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    };
    let table = [
        ("400", "length_and_encoding", post("content-length: 5\r\ntransfer-encoding: chunked")),
        ("400", "length", post("content-length: 5, 5")),
        ("400", "length_repeated", post("content-length: 5\r\ncontent-length: 5")),
        ("400", "encoding", post("transfer-encoding: chunked, chunked")),
        ("501", "coding", post("transfer-encoding: gzip, chunked")),
        ("400", "field_name", post("transfer-encoding : chunked")),
        ("400", "folded", post("x-a: 1\r\n 2")),
        ("400", "line_end", "GET / HTTP/1.1\nhost: shop.test\n\n".to_owned()),
        ("400", "host_missing", "GET / HTTP/1.1\r\n\r\n".to_owned()),
        ("400", "host_repeated", "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned()),
        ("400", "target", "GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        ("405", "connect", "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n".to_owned()),
        ("414", "target_too_long", format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(9000))),
        ("431", "too_many_fields", format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: 1\r\n".repeat(101))),
    ];
    for (status, why, text) in &table {
        let answer = say(&gateway, text);
        assert_eq!(statuses(&answer), [*status], "{why}: {answer}");
        assert_eq!(gateway.metrics().sum("flagway_refused_total", &[("why", why)]), 1.0, "{why}");
        let refused = format!("\"refused: {why}\"");
        eventually(why, || gateway.stdout.all().iter().any(|line| line.contains(&refused)));
    }
    assert_eq!(shop.stable.count(), 0);
}

#[test]
fn requests_that_are_sent_ahead_are_answered_in_order_up_to_the_one_that_is_wrong() {
    let shop = Shop::start();
    let gateway = gateway(&shop, "");
    let get = "GET / HTTP/1.1\r\nhost: shop.test\r\n\r\n";
    let chunked = "POST / HTTP/1.1\r\nhost: shop.test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-flag-v: canary\r\n\r\n";
    let sized = "POST / HTTP/1.1\r\nhost: shop.test\r\ncontent-length: 5\r\n\r\nhello";
    let answers = say(&gateway, [get, chunked, sized, get, "GET / HTTP/1.1\r\n\r\n", get].concat());
    assert_eq!(statuses(&answers), ["200", "200", "200", "200", "400"], "{answers}");
    let bodies: Vec<Vec<u8>> = shop.stable.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies, [&b""[..], b"hello", b"hello", b""]);
}

#[test]
fn a_head_that_drips_is_cut_whatever_its_pace_and_a_slow_body_holds_no_upstream() {
    let shop = Shop::start();
    let gateway = gateway(&shop, "limits: {head_time: 300ms, idle: 300ms, body_idle: 300ms}\n");
    let drip = |text: &str| {
        let mut stream = TcpStream::connect(gateway.address("main")).unwrap();
        let mut reader = stream.try_clone().unwrap();
        let answer = std::thread::spawn(move || {
            let mut answer = String::new();
            let _ = reader.read_to_string(&mut answer);
            answer
        });
        // A byte every 50 ms, for ever: it ends when the gateway does not listen any more.
        for byte in text.bytes().cycle() {
            if stream.write_all(&[byte]).is_err() || answer.is_finished() {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        answer.join().unwrap()
    };
    assert_eq!(statuses(&drip("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaa")), ["408"]);
    let silent = "POST / HTTP/1.1\r\nhost: shop.test\r\ncontent-length: 5\r\n\r\nhel";
    assert_eq!(statuses(&say(&gateway, silent)), ["408"]);
    assert_eq!(say(&gateway, ""), "", "a connection that says nothing is closed without a word");
    assert_eq!(shop.stable.count(), 0);
}

#[test]
fn connections_of_one_address_are_counted_from_their_begin_to_their_end() {
    let shop = Shop::start();
    let gateway = gateway(&shop, "limits: {connections_per_address: 2}\n");
    let open = || {
        let mut stream = TcpStream::connect(gateway.address("main")).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: shop.test\r\n\r\n").unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        (stream, String::from_utf8_lossy(&status[9..]).into_owned())
    };
    let ((first, one), (_second, two), (_third, three)) = (open(), open(), open());
    assert_eq!((&*one, &*two, &*three), ("200", "200", "503"));
    drop(first);
    eventually("a place is free", || open().1 == "200");
}

#[test]
fn a_field_with_an_underscore_is_dropped_refused_or_passed_as_configured() {
    let shop = Shop::start();
    for (policy, status, passed) in [("drop", "200", false), ("reject", "400", false), ("allow", "200", true)]
    {
        let gateway = gateway(&shop, &format!("limits: {{underscores: {policy}}}\n"));
        let before = shop.stable.count();
        let text = "GET / HTTP/1.1\r\nhost: shop.test\r\nx_user: ada\r\nconnection: close\r\n\r\n";
        assert_eq!(statuses(&say(&gateway, text)), [status], "{policy}");
        let seen = shop.stable.requests().split_off(before);
        assert_eq!(seen.iter().any(|request| request.header("x_user").is_some()), passed, "{policy}");
    }
}
