//! A shadow that hangs, lies, floods or dies: the client never notices, and every copy is accounted for.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::behaviour::{Behaviour, flood, hang, say};
use crate::support::{
    Answer, DEAD, Gateway, RawUpstream, Response, Upstream, eventually, flag, one_route, read_request,
    services, versions,
};

/// What a shadow can do to harm, and what its copies may be counted as.
const HOSTILE: [(&str, Behaviour, &[&str]); 17] = [
    ("hangs", hang, &["timeout"]),
    // What is unread when a socket is closed makes it a reset.
    ("resets", |_| Ok(()), &["closed"]),
    ("closes", |stream| say(stream, b""), &["closed"]),
    ("closes-in-head", |stream| say(stream, b"HTTP/1.1 200 OK\r\ncontent-le"), &["closed"]),
    (
        "closes-in-body",
        |stream| say(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"),
        &["closed"],
    ),
    (
        "closes-in-chunk",
        |stream| say(stream, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhalf"),
        &["closed", "protocol"],
    ),
    (
        "garbage",
        |stream| say(stream, b"\x00\xff\x16\x03\x01 nothing that is HTTP\r\n\r\n\r\n\r\n"),
        &["protocol"],
    ),
    ("http-0-9", |stream| say(stream, b"<html>from long ago</html>\r\n\r\n"), &["protocol"]),
    (
        "http-2",
        |stream| say(stream, b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\0\xff\xff\r\n\r\n"),
        &["protocol"],
    ),
    (
        "bad-chunk",
        |stream| say(stream, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nbody\r\n0\r\n\r\n"),
        &["protocol", "closed"],
    ),
    (
        "bad-length",
        |stream| say(stream, b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nbody"),
        &["protocol", "closed"],
    ),
    (
        "floods-unframed",
        |stream| {
            say(stream, b"HTTP/1.1 200 OK\r\n\r\n")?;
            flood(stream, &[b'x'; 16 << 10])
        },
        &["answer_too_large"],
    ),
    (
        "floods-10-gib",
        |stream| {
            say(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n")?;
            flood(stream, &[b'x'; 16 << 10])
        },
        &["answer_too_large"],
    ),
    (
        "floods-chunks",
        |stream| {
            say(stream, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            flood(stream, b"10\r\n0123456789abcdef\r\n10\r\n0123456789abcdef\r\n")
        },
        &["answer_too_large"],
    ),
    (
        "floods-headers",
        |stream| {
            say(stream, b"HTTP/1.1 200 OK\r\n")?;
            flood(stream, b"x-more: and more and more and more\r\n")
        },
        &["protocol"],
    ),
    (
        "floods-continues",
        |stream| {
            read_request(stream)?;
            flood(stream, b"HTTP/1.1 100 Continue\r\n\r\n")
        },
        &["protocol", "timeout"],
    ),
    (
        "drips",
        |stream| {
            say(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")?;
            loop {
                stream.write_all(b"x")?;
                std::thread::sleep(Duration::from_millis(20));
            }
        },
        &["timeout"],
    ),
];

/// The service `hostile`, a version with these options for each way to be it, and a flag that takes the version's name from the query.
fn hostile(upstreams: &[(&str, RawUpstream)], options: &str) -> (String, Value) {
    let version = |(name, upstream): &(&str, RawUpstream)| {
        format!("      {name}: {{{options}endpoints: ['{}']}}\n", upstream.address)
    };
    let versions: String = upstreams.iter().map(version).collect();
    let service = format!("  hostile:\n    default: hangs\n    versions:\n{versions}");
    let names: serde_json::Map<_, _> =
        upstreams.iter().map(|(name, _)| ((*name).to_owned(), json!(name))).collect();
    let s = flag(names.into(), "hangs", json!({"var": "query.who"}));
    (service, s)
}

fn seen(response: &Response) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let fields = response.fields.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("date"));
    (response.status, fields.cloned().collect(), response.body.clone())
}

#[test]
fn whatever_a_shadow_does_the_client_gets_its_answer_and_the_copy_is_counted() {
    const EACH: usize = 4;
    let stable = Upstream::start("stable");
    let body: Vec<u8> = (0..100_000_u32).map(|byte| (byte * 31) as u8).collect();
    let answer = Answer::new(201, &body).header("etag", "\"1\"").header("x-a", "1").header("x-a", "2");
    stable.answer(move |_| answer.clone());
    let upstreams = HOSTILE.map(|(name, behaviour, _)| (name, RawUpstream::start(behaviour)));
    let (service, s) = hostile(&upstreams, "");
    let shop = services(&format!("['{}']", stable.address), &format!("['{DEAD}']"));
    let shadow = "{flag: s, service: hostile, methods: [GET, POST], timeout: 4s, max_answer: 256KiB, \
                  breaker: {failures: 1000, rest: 10s}, compare: {noise: 50%}}";
    let with = Gateway::start(
        &(shop.clone() + &service + &one_route(&format!("shadows: [{shadow}],"))),
        json!({"v": versions(Value::Null), "s": s}),
    );
    let without = Gateway::start(&(shop + &one_route("")), json!({"v": versions(Value::Null)}));
    let expected = seen(&without.get("/"));

    for (name, ..) in HOSTILE {
        let mut client = with.client();
        for number in 0..EACH {
            let target = format!("/?who={name}");
            let request =
                if number % 2 == 0 { client.get(&target) } else { client.post(&target, &body[..50_000]) };
            assert_eq!(seen(&request.send()), expected, "{name}");
        }
    }

    let posts = stable.requests().into_iter().filter(|request| request.method() == "POST");
    assert!(posts.map(|post| post.body).all(|sent| sent == body[..50_000]), "the originals are whole");
    for (name, _, results) in HOSTILE {
        let counted = || {
            let metrics = with.metrics();
            let of = |result: &&str| {
                metrics.sum("flagway_shadow_copies_total", &[("version", name), ("result", result)])
            };
            results.iter().map(of).sum::<f64>()
        };
        eventually(&format!("the copies to the one that {name} are counted as {results:?}"), || {
            counted() == EACH as f64
        });
    }
    with.wait_until_settled();
    let metrics = with.metrics();
    assert_eq!(metrics.sum("flagway_shadow_dropped_total", &[]), 0.0);
    assert_eq!(metrics.sum("flagway_shadow_copies_total", &[("result", "answered")]), 0.0);
    for (name, upstream) in &upstreams {
        assert_eq!(upstream.asked(), EACH, "nothing is sent twice to the one that {name}");
    }
    for shadow in with.shadows() {
        assert_eq!((&shadow["sent"], &shadow["compared"]), (&json!(EACH), &json!(0)), "{shadow:#}");
    }
}

#[test]
fn a_shadow_of_another_protocol_or_behind_tls_can_do_no_more_harm() {
    let stable = Upstream::start("stable");
    let shop = services(&format!("['{}']", stable.address), &format!("['{DEAD}']"));
    for options in ["http: h2, ", "tls: {verify: false}, ", "http: h2, tls: {verify: false}, "] {
        let upstreams = HOSTILE.map(|(name, behaviour, _)| (name, RawUpstream::start(behaviour)));
        let (service, s) = hostile(&upstreams, options);
        let shadow = "{flag: s, service: hostile, timeout: 2s, max_answer: 256KiB}";
        let config = shop.clone() + &service + &one_route(&format!("shadows: [{shadow}],"));
        let gateway = Gateway::start(&config, json!({"v": versions(Value::Null), "s": s}));
        let mut client = gateway.client();
        for (name, ..) in HOSTILE {
            assert_eq!(client.get(&format!("/?who={name}")).send().text(), "stable", "{name} {options}");
        }
        for (name, ..) in HOSTILE {
            let failed = || {
                let metrics = gateway.metrics();
                ["connect", "timeout", "closed", "protocol"]
                    .iter()
                    .map(|why| {
                        metrics.sum("flagway_shadow_copies_total", &[("version", name), ("result", why)])
                    })
                    .sum::<f64>()
            };
            eventually(&format!("the copy to the one that {name} with {options} failed"), || failed() == 1.0);
        }
        gateway.wait_until_settled();
    }
}
