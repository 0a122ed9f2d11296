//! A canary that hangs, lies, floods or dies: whatever can be repeated, the default version serves; nothing else is sent twice.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::behaviour::{Behaviour, flood, say, say_and_hang};
use crate::support::{Gateway, RawUpstream, Stay, Upstream, eventually, flag, one_route, read_request};

/// What a canary can do before its answer has begun, what that counts as, and what a request is told that cannot be repeated.
const BEFORE: [(&str, Behaviour, &str, u16); 22] = [
    ("hangs", |stream| say_and_hang(stream, b""), "timeout", 504),
    ("hangs-in-head", |stream| say_and_hang(stream, b"HTTP/1.1 200 OK\r\ncontent-le"), "timeout", 504),
    (
        "drips-head",
        |stream| {
            say(stream, b"HTTP/1.1 200 OK\r\nx: ")?;
            loop {
                stream.write_all(b"x")?;
                std::thread::sleep(Duration::from_millis(20));
            }
        },
        "timeout",
        504,
    ),
    // What is unread when a socket is closed makes it a reset.
    ("resets", |_| Ok(()), "closed", 502),
    ("closes", |stream| say(stream, b""), "closed", 502),
    ("closes-in-head", |stream| say(stream, b"HTTP/1.1 200 OK\r\ncontent-le"), "closed", 502),
    ("garbage", |stream| say(stream, b"\x00\xff\x16\x03\x01 no HTTP\r\n\r\n\r\n\r\n"), "protocol", 502),
    ("http-0-9", |stream| say(stream, b"<html>from long ago</html>\r\n\r\n"), "protocol", 502),
    (
        "http-2",
        |stream| say(stream, b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\0\xff\xff\r\n\r\n"),
        "protocol",
        502,
    ),
    (
        "bad-length",
        |stream| say(stream, b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nbody"),
        "protocol",
        502,
    ),
    (
        "two-lengths",
        |stream| say(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nbody!"),
        "protocol",
        502,
    ),
    (
        "bad-coding",
        |stream| say(stream, b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nbody"),
        "protocol",
        502,
    ),
    (
        "bad-field",
        |stream| say(stream, b"HTTP/1.1 200 OK\r\nx y: z\r\ncontent-length: 0\r\n\r\n"),
        "protocol",
        502,
    ),
    ("status-099", |stream| say(stream, b"HTTP/1.1 099 Odd\r\ncontent-length: 0\r\n\r\n"), "protocol", 502),
    ("status-1000", |stream| say(stream, b"HTTP/1.1 1000 Odd\r\ncontent-length: 0\r\n\r\n"), "protocol", 502),
    (
        "nul",
        |stream| say(stream, b"HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n"),
        "protocol",
        502,
    ),
    (
        "early-101",
        |stream| {
            say_and_hang(
                stream,
                b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nhi",
            )
        },
        "protocol",
        502,
    ),
    (
        "giant-field",
        |stream| {
            say(stream, b"HTTP/1.1 200 OK\r\nx: ")?;
            flood(stream, &[b'x'; 16 << 10])
        },
        "protocol",
        502,
    ),
    (
        "floods-headers",
        |stream| {
            say(stream, b"HTTP/1.1 200 OK\r\n")?;
            flood(stream, b"x-more: and more and more and more\r\n")
        },
        "protocol",
        502,
    ),
    (
        "floods-continues",
        |stream| {
            read_request(stream)?;
            flood(stream, b"HTTP/1.1 100 Continue\r\n\r\n")
        },
        "protocol",
        502,
    ),
    (
        "drips-hints",
        |stream| {
            read_request(stream)?;
            loop {
                stream.write_all(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n")?;
                std::thread::sleep(Duration::from_millis(50));
            }
        },
        "protocol",
        502,
    ),
    ("hints-and-closes", |stream| say(stream, b"HTTP/1.1 103 Early Hints\r\n\r\n"), "closed", 502),
];

/// A canary for each way to fail, chosen by the query, and a default version that is well.
fn shop(ways: &[(&'static str, RawUpstream)], stable: &Upstream, options: &str) -> (String, Value) {
    let version = |(name, upstream): &(&str, RawUpstream)| {
        format!(
            "      {name}: {{{options}timeouts: {{first_byte: 400ms, between: 400ms}}, endpoints: ['{}']}}\n",
            upstream.address
        )
    };
    let versions: String = ways.iter().map(version).collect();
    let config = format!(
        "services:\n  shop:\n    default: stable\n    versions:\n      stable: {{endpoints: ['{}']}}\n{versions}",
        stable.address
    );
    let names = ways.iter().map(|(name, _)| *name).chain(["stable"]);
    let variants: serde_json::Map<_, _> = names.map(|name| (name.to_owned(), json!(name))).collect();
    (
        config + &one_route("inject: [v],"),
        json!({"v": flag(variants.into(), "stable", json!({"var": "query.who"}))}),
    )
}

#[test]
fn whatever_a_canary_does_before_its_answer_the_default_version_serves_what_can_be_repeated() {
    let stable = Upstream::start("stable");
    let ways = BEFORE.map(|(name, behaviour, ..)| (name, RawUpstream::start(behaviour)));
    let (config, flags) = shop(&ways, &stable, "");
    let gateway = Gateway::start(&config, flags);
    let body: Vec<u8> = (0..60_000_u32).map(|byte| (byte * 31) as u8).collect();
    for (name, _, why, status) in BEFORE {
        let mut client = gateway.client();
        let target = format!("/?who={name}");
        for (method, body) in [("GET", None), ("PUT", Some(&body[..])), ("PUT", None), ("DELETE", None)] {
            let request = client.request(method, &target);
            let response = match body {
                Some(body) => request.body(body),
                None => request,
            }
            .send();
            assert_eq!((response.status, response.text()), (200, "stable".to_owned()), "{method} {name}");
            let seen = stable.last();
            assert_eq!(
                seen.header("x-flag-v").as_deref(),
                Some("stable"),
                "{method} {name}: who serves is told"
            );
            assert!(seen.method() == method && seen.body == body.unwrap_or_default(), "{method} {name}");
        }
        let before = stable.count();
        assert_eq!(client.post(&target, &body[..1000]).send().status, status, "POST {name}");
        assert_eq!(stable.count(), before, "POST {name} is not repeated");
        let counted = |metric: &str, labels: &[(&str, &str)]| gateway.metrics().sum(metric, labels);
        eventually(&format!("the one that {name} is counted"), || {
            counted("flagway_fallbacks_total", &[("from", name), ("why", why)]) == 4.0
                && counted("flagway_version_failures_total", &[("version", name), ("why", why)]) == 5.0
        });
    }
    for (name, upstream) in &ways {
        assert_eq!(upstream.asked(), 5, "each request came once to the one that {name}");
    }
}

/// What a canary can do once its answer has begun.
const AFTER: [(&str, Behaviour, &str); 5] = [
    (
        "hangs-in-body",
        |stream| say_and_hang(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"),
        "timeout",
    ),
    ("closes-in-body", |stream| say(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"), "closed"),
    (
        "closes-in-chunk",
        |stream| say(stream, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhalf"),
        "closed",
    ),
    (
        "closes-between-chunks",
        |stream| say(stream, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
        "closed",
    ),
    (
        "bad-chunk",
        |stream| {
            say(
                stream,
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\nbody\r\n0\r\n\r\n",
            )
        },
        "protocol",
    ),
];

#[test]
fn an_answer_that_has_begun_and_breaks_off_is_seen_to_and_counted() {
    let stable = Upstream::start("stable");
    let ways = AFTER.map(|(name, behaviour, ..)| (name, RawUpstream::start(behaviour)));
    let (config, flags) = shop(&ways, &stable, "");
    let gateway = Gateway::start(&config, flags);
    for (name, _, why) in AFTER {
        let stay = Stay::open(&gateway, &format!("/?who={name}"), &[]);
        assert!(stay.head.starts_with("HTTP/1.1 200 "), "{name}: {}", stay.head);
        let rest = stay.end();
        let whole = rest.ends_with("0\r\n\r\n") || rest.len() == 100;
        assert!(!whole, "{name}: nobody may take {rest:?} for a whole answer");
        let labels = [("version", name), ("why", why)];
        eventually(&format!("the one that {name} is counted"), || {
            gateway.metrics().sum("flagway_version_failures_total", &labels) == 1.0
        });
    }
    assert_eq!(stable.count(), 0, "what the client has begun to read is not begun anew");
    assert_eq!(gateway.metrics().sum("flagway_fallbacks_total", &[]), 0.0);
}

#[test]
fn a_canary_of_another_protocol_or_behind_tls_can_do_no_more_harm() {
    let stable = Upstream::start("stable");
    for options in ["http: h2, ", "tls: {verify: false}, ", "http: h2, tls: {verify: false}, "] {
        let ways = BEFORE.map(|(name, behaviour, ..)| (name, RawUpstream::start(behaviour)));
        let (config, flags) = shop(&ways, &stable, options);
        let config = config.replace("first_byte: 400ms", "connect: 400ms, first_byte: 400ms");
        let gateway = Gateway::start(&config, flags);
        for (name, ..) in BEFORE {
            assert_eq!(gateway.get(&format!("/?who={name}")).text(), "stable", "{name} {options}");
        }
    }
}
