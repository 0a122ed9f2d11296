//! A copy of a request: its original, but for the mark, its own version in the decision, and what is configured.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::support::{
    Authority, Fields, Gateway, H2Body, H2cUpstream, Recorded, Shop, Upstream, always, changes, dark,
    eventually, h2_request, opt_in, original_and_copy, services, shadowed,
};

#[test]
fn every_form_of_a_decision_tells_the_truth_on_a_copy() {
    let shop = Shop::start();
    let gateway = shop.gateway(&(shadowed("") + "injection: {as: [headers, dictionary, baggage]}\n"), dark());
    gateway.get("/");
    let (original, copy) = original_and_copy(&shop, 1);
    let dictionary =
        |request: &Recorded| request.header("flag-decisions").expect("told").replace(' ', "").to_lowercase();
    let (original, copy) = (dictionary(&original), dictionary(&copy));
    assert!(!original.contains("shadow"), "{original}");
    assert!(copy.contains("served=\"canary\"") && copy.contains("why=shadow"), "{copy}");
}

#[test]
fn configured_changes_touch_the_copy_alone() {
    let sent: Fields<'_> = &[
        ("authorization", "Bearer secret"),
        ("proxy-authorization", "Basic secret"),
        ("cookie", "a=b"),
        ("x-drop", "1"),
        ("x-keep", "1"),
    ];
    // Options, what is gone and what is new besides the decision and the mark.
    let table: [(&str, &[&str], &[&str]); 6] = [
        (", credentials: keep, cookies: keep", &[], &[]),
        (", credentials: drop", &["authorization: Bearer secret", "proxy-authorization: Basic secret"], &[]),
        (", cookies: drop", &["cookie: a=b"], &[]),
        (", host: 'next.internal:81'", &["host: shop.test"], &["host: next.internal:81"]),
        (
            ", request_headers: {rename: {authorization: x-original-authorization}, remove: [x-drop], set: {x-keep: '2'}, add: {x-new: '3'}}",
            &["authorization: Bearer secret", "x-drop: 1", "x-keep: 1"],
            &["x-keep: 2", "x-new: 3", "x-original-authorization: Bearer secret"],
        ),
        (
            ", credentials: drop, request_headers: {set: {authorization: Bearer test}}",
            &["authorization: Bearer secret", "proxy-authorization: Basic secret"],
            &["authorization: Bearer test"],
        ),
    ];
    for (options, gone, new) in table {
        let shop = Shop::start();
        let gateway = shop.gateway(&shadowed(options), dark());
        gateway.get_with("/", sent);
        let (original, copy) = original_and_copy(&shop, 1);
        for (name, value) in sent.iter().filter(|(name, _)| *name != "proxy-authorization") {
            assert_eq!(original.header(name).as_deref(), Some(*value), "the original keeps {name}");
        }
        let passed = |line: &&&str| original.text().to_lowercase().contains(&line.to_lowercase());
        let mut gone: Vec<&str> = gone.iter().filter(passed).copied().collect();
        gone.push("x-flag-v: stable");
        gone.sort_unstable();
        let mut new = [new, &["x-flag-v: canary", "x-flagway-shadow: canary"]].concat();
        new.sort_unstable();
        assert_eq!(changes(&original, &copy), (texts(&gone), texts(&new)), "{options}");
    }
}

fn texts(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn a_client_cannot_forge_the_mark() {
    let shop = Shop::start();
    let gateway = shop.gateway(&shadowed(""), dark());
    gateway.get_with("/", &[("x-flagway-shadow", "me"), ("X_Flagway_Shadow", "me")]);
    let (original, copy) = original_and_copy(&shop, 1);
    assert_eq!(original.starting("x-flagway"), []);
    assert_eq!(copy.header("x-flagway-shadow").as_deref(), Some("canary"));
    assert!(!copy.text().contains("me\r\n"), "{}", copy.text());
}

#[test]
fn what_changes_something_is_not_copied_unless_that_is_declared_safe() {
    let key: Fields<'_> = &[("idempotency-key", "k1")];
    // Options, method, fields; whether there is a copy.
    let table: [(&str, &str, Fields<'_>, bool); 15] = [
        ("", "GET", &[], true),
        ("", "HEAD", &[], true),
        ("", "OPTIONS", &[], true),
        ("", "POST", &[], false),
        ("", "PUT", &[], false),
        ("", "DELETE", key, false),
        (", methods: [POST]", "POST", &[], true),
        (", methods: [POST]", "PUT", &[], false),
        (", methods: [POST]", "GET", &[], false),
        (", writes: {keyed_by: idempotency-key}", "POST", &[], false),
        (", writes: {keyed_by: Idempotency-Key}", "POST", key, true),
        (", writes: {keyed_by: idempotency-key}", "GET", &[], true),
        (", writes: {dry_run: {x-dry-run: '1'}}", "POST", &[], true),
        (", writes: {dry_run: {x-dry-run: '1'}}", "DELETE", &[], true),
        (", methods: [POST], writes: {keyed_by: idempotency-key}", "POST", &[], true),
    ];
    for (options, method, fields, copied) in table {
        let what = format!("{method}{options} {fields:?}");
        let shop = Shop::start();
        let gateway = shop.gateway(&shadowed(options), dark());
        let mut client = gateway.client();
        let mut request = client.request(method, "/");
        for (name, value) in fields {
            request = request.header(name, value);
        }
        if matches!(method, "POST" | "PUT") {
            request = request.body("buy");
        }
        assert_eq!(request.send().status, 200, "{what}");
        if copied {
            let (original, copy) = original_and_copy(&shop, 1);
            let (gone, mut new) = changes(&original, &copy);
            assert_eq!(gone, ["x-flag-v: stable"], "{what}");
            if options.contains("dry_run") {
                assert_eq!(new.remove(0), "x-dry-run: 1", "{what}");
                assert_eq!(original.header("x-dry-run"), None, "the original is no trial");
            }
            assert_eq!(new, ["x-flag-v: canary", "x-flagway-shadow: canary"], "{what}");
        } else {
            gateway.wait_for_drops("method", 1);
            assert_eq!((gateway.copies("sent"), shop.canary.count()), (0.0, 0), "{what}");
        }
    }
}

#[test]
fn a_read_that_needs_no_trial_is_copied_as_it_is() {
    let shop = Shop::start();
    let gateway = shop.gateway(&shadowed(", writes: {dry_run: {x-dry-run: '1'}}"), dark());
    gateway.get("/");
    let (original, copy) = original_and_copy(&shop, 1);
    let extra = changes(&original, &copy).1;
    assert_eq!(extra.last().map(String::as_str), Some("x-flagway-shadow: canary"), "{extra:?}");
}

#[test]
fn a_body_arrives_whole_whatever_its_framing() {
    let shop = Shop::start();
    let gateway = shop.gateway(&shadowed(", methods: [POST]"), dark());
    let large: Vec<u8> = (0..250_000_u32).map(|byte| (byte * 7) as u8).collect();
    let mut client = gateway.client();
    let bodies: [&[u8]; 4] = [b"", b"x", b"a=1&b=2", &large];
    let mut count = 0;
    for body in bodies {
        for chunked in [false, true] {
            // An empty chunk would be the last one.
            if chunked && body.is_empty() {
                continue;
            }
            let request = client.post("/pay", body);
            let request = if chunked { request.chunked() } else { request };
            assert_eq!(request.send().text(), "stable");
            count += 1;
            let (original, copy) = original_and_copy(&shop, count);
            assert!(original.body == body, "the original has its body");
            let (gone, new) = changes(&original, &copy);
            let framing = chunked.then_some("transfer-encoding: chunked");
            let expected: Vec<&str> = framing.into_iter().chain(["x-flag-v: stable"]).collect();
            assert_eq!(gone, expected, "{} bytes", body.len());
            let length = if chunked { format!("content-length: {}\n", body.len()) } else { String::new() };
            assert_eq!(new.join("\n"), format!("{length}x-flag-v: canary\nx-flagway-shadow: canary"));
        }
    }
    gateway.wait_until_settled();
}

#[test]
fn a_request_that_waits_for_the_go_ahead_is_copied_without_that() {
    let shop = Shop::start();
    let gateway = shop.gateway(&shadowed(", methods: [POST]"), dark());
    let mut client = gateway.client();
    assert_eq!(client.post("/", "body").header("expect", "100-continue").send().text(), "stable");
    let (original, copy) = original_and_copy(&shop, 1);
    assert_eq!(copy.all("expect"), [""; 0]);
    assert_eq!((&*original.body, &*copy.body), (&b"body"[..], &b"body"[..]));
    assert_eq!(copy.header("content-length").as_deref(), Some("4"));
}

#[test]
fn an_upgrade_is_never_copied() {
    let shop = Shop::start();
    let gateway = shop.gateway(&shadowed(", methods: [GET, POST]"), dark());
    let response = gateway.get_with("/", &[("connection", "upgrade"), ("upgrade", "websocket")]);
    assert_eq!(response.status, 200);
    gateway.wait_for_drops("upgrade", 1);
    assert_eq!((gateway.copies("sent"), shop.canary.count()), (0.0, 0));
}

#[test]
fn a_body_over_the_cap_is_dropped_whole_and_reaches_its_own_version() {
    let shop = Shop::start();
    let gateway = shop.gateway(&shadowed(", methods: [POST], max_body: 64KiB"), dark());
    let body: Vec<u8> = (0..65_537_u32).map(|byte| byte as u8).collect();
    let mut client = gateway.client();
    assert_eq!(client.post("/", &body).send().text(), "stable");
    assert_eq!(client.post("/", &body).chunked().send().text(), "stable");
    gateway.wait_for_drops("body_too_large", 2);
    assert!(shop.stable.requests().iter().all(|request| request.body == body), "the originals are whole");
    assert_eq!(client.post("/", &body[..65_536]).send().text(), "stable");
    let (original, copy) = original_and_copy(&shop, 1);
    assert!(original.body == copy.body && copy.body.len() == 65_536, "what just fits is copied");
    gateway.wait_until_settled();
}

#[test]
fn http_2_requests_are_copied_with_every_kind_of_body() {
    let (authority, shop) = (Authority::new(), Shop::start());
    let issued = authority.issue(&["shop.test"]);
    let rest = shadowed(", methods: [GET, POST]")
        + "listeners: [{name: main, bind: '127.0.0.1:0', tls: {certificates: [{cert: s.pem, key: s.key}]}}]\n";
    let setup = shop.setup(&rest, dark()).file("s.pem", &issued.cert).file("s.key", &issued.key);
    let gateway = setup.start();
    let table = [
        ("GET", H2Body::None, ""),
        ("POST", H2Body::None, ""),
        ("POST", H2Body::Pieces(&[]), ""),
        ("POST", H2Body::Pieces(&["one ", "and ", "two"]), "one and two"),
        ("POST", H2Body::Trailed(&["with ", "trailers"]), "with trailers"),
        ("GET", H2Body::Trailed(&[]), ""),
    ];
    for (count, (method, body, whole)) in table.into_iter().enumerate() {
        let request = http::Request::builder().method(method).uri("https://shop.test/a?b").header("x-a", "1");
        let answer = h2_request(gateway.address("main"), "shop.test", &authority.client(), request, body);
        assert_eq!(answer, (http::StatusCode::OK, b"stable".to_vec()), "{method} {body:?}");
        let (original, copy) = original_and_copy(&shop, count + 1);
        let (_, new) = changes(&original, &copy);
        assert_eq!(copy.body, whole.as_bytes(), "{method} {body:?}");
        assert_eq!(copy.header("transfer-encoding"), None, "{method} {body:?}");
        assert!(new.contains(&"x-flagway-shadow: canary".to_owned()), "{new:?}");
    }
}

#[test]
fn a_shadow_can_speak_http_2() {
    let (stable, canary) = (Upstream::start("stable"), H2cUpstream::start("canary"));
    let config = services(&format!("['{}']", stable.address), &format!("['{}']", canary.address))
        .replace("canary: {", "canary: {http: h2, ")
        + &shadowed(", methods: [GET, POST]");
    let gateway = Gateway::start(&config, dark());
    let mut client = gateway.client();
    assert_eq!(client.get("/a?b=c").send().text(), "stable");
    assert_eq!(client.post("/d", "body").send().text(), "stable");
    assert_eq!(client.post("/e", "chunks").chunked().send().text(), "stable");
    eventually("the copies are answered", || gateway.copies("answered") == 3.0);
    let mut copies = canary.requests();
    copies.sort_by_key(Recorded::target);
    let told: Vec<_> = copies.iter().map(|copy| (copy.target(), copy.body.clone())).collect();
    let expected = [("/a?b=c", ""), ("/d", "body"), ("/e", "chunks")];
    assert_eq!(told, expected.map(|(target, body)| (target.to_owned(), body.as_bytes().to_vec())));
    for copy in &copies {
        assert_eq!(copy.header("x-flagway-shadow").as_deref(), Some("canary"), "{}", copy.text());
        assert_eq!(copy.header("x-flag-v").as_deref(), Some("canary"));
    }
    assert!(canary.connections() <= 3, "{} connections", canary.connections());
}

#[test]
fn connections_to_a_shadow_are_kept_and_are_its_own() {
    let shop = Shop::start();
    let gateway = shop.gateway(&shadowed(""), json!({"v": opt_in(), "s": always("canary")}));
    let mut client = gateway.client();
    for round in 0..20 {
        let who = if round % 2 == 0 { "always" } else { "never" };
        client.get("/").header("x-canary", who).send();
        shop.canary.wait_for(round + 1);
    }
    let of = |shadow: bool| -> std::collections::BTreeSet<usize> {
        let requests = shop.canary.requests().into_iter();
        requests
            .filter(|request| request.header("x-flagway-shadow").is_some() == shadow)
            .map(|request| request.connection)
            .collect()
    };
    assert!(of(true).is_disjoint(&of(false)), "{:?} and {:?}", of(true), of(false));
    assert!(of(true).len() <= 3, "{} connections for 10 copies", of(true).len());
}

#[test]
fn what_a_route_changes_for_its_service_is_changed_for_the_shadow_too() {
    let shop = Shop::start();
    let more = "rewrite: {prefix: /v2, host: inner.test}, request_headers: {set: {x-a: '2'}, remove: [x-b]}, inject: [v], \
                shadows: [{flag: s, request_headers: {set: {x-a: '3'}}}],";
    let rest = format!(
        "routes:\n  - {{name: all, match: {{path_prefix: /api}}, {more} service: shop, version: {{flag: v}}}}\n"
    );
    let gateway = shop.gateway(&rest, dark());
    gateway.get_with("/api/a%2Fb?c=%20", &[("x-a", "1"), ("x-b", "1")]);
    let (original, copy) = original_and_copy(&shop, 1);
    assert_eq!(copy.target(), "/v2/a%2Fb?c=%20");
    assert_eq!(copy.header("host").as_deref(), Some("inner.test"));
    let (gone, new) = changes(&original, &copy);
    assert_eq!(gone, ["x-a: 2", "x-flag-v: stable"]);
    assert_eq!(new, ["x-a: 3", "x-flag-v: canary", "x-flagway-shadow: canary"]);
}

#[test]
fn odd_requests_have_copies_as_odd() {
    let shop = Shop::start();
    let gateway = shop.gateway(&shadowed(""), dark());
    let odd: [&[u8]; 5] = [
        b"GET http://shop.test/absolute?a=b HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\n\r\n",
        b"GET /old HTTP/1.0\r\nhost: shop.test\r\n\r\n",
        b"GET /old/without/host HTTP/1.0\r\n\r\n",
        b"GET /bytes HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\nX-Bytes: \xe9\xff\r\nx-empty:\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\n\r\n",
    ];
    let mut count = 0;
    for bytes in odd {
        let what = String::from_utf8_lossy(bytes).into_owned();
        let mut stream = TcpStream::connect(gateway.address("main")).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        // What the gateway refuses itself has no copy.
        if shop.stable.count() == count {
            continue;
        }
        count += 1;
        assert!(String::from_utf8_lossy(&answer).contains("stable"), "{what}");
        let (original, copy) = original_and_copy(&shop, count);
        let (gone, new) = changes(&original, &copy);
        assert_eq!(gone, ["x-flag-v: stable"], "{what}");
        assert_eq!(new, ["x-flag-v: canary", "x-flagway-shadow: canary"], "{what}");
    }
    assert!(count >= 3, "{count} were forwarded");
    eventually("all are answered", || gateway.copies("answered") == count as f64);
}

#[test]
fn a_head_has_an_answer_without_a_body() {
    let shop = Shop::start();
    let gateway = shop.gateway(&shadowed(", timeout: 10m"), dark());
    let mut client = gateway.client();
    for method in ["HEAD", "GET", "HEAD"] {
        client.request(method, "/").send();
    }
    eventually("no copy waits for what never comes", || gateway.copies("answered") == 3.0);
    let report = gateway.compared(3);
    assert_eq!(report["failed"], json!({}), "{report:#}");
}
