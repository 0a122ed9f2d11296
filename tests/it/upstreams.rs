//! Which endpoint serves, what happens when one does not, and that no request is sent twice that must not be.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Answer, Authority, DEAD, Gateway, H2Body, H2cUpstream, RawUpstream, Setup, Shop, Upstream, eventually,
    h2_request, one_route, read_request, services, versions,
};

/// Everyone goes to the canary.
fn all_canary() -> Value {
    json!({"v": versions(json!({"if": [true, "canary"]}))})
}

fn all_stable() -> Value {
    json!({"v": versions(Value::Null)})
}

#[test]
fn endpoints_share_by_weight() {
    let (heavy, light) = (Upstream::start("heavy"), Upstream::start("light"));
    let endpoints = format!("[{{address: '{}', weight: 3}}, '{}']", heavy.address, light.address);
    let gateway =
        Gateway::start(&(services(&endpoints, &format!("['{DEAD}']")) + &one_route("")), all_stable());
    let mut client = gateway.client();
    for _ in 0..80 {
        assert_eq!(client.get("/").send().status, 200);
    }
    assert_eq!(heavy.count() + light.count(), 80);
    assert!((56..=64).contains(&heavy.count()), "{} of 80 at 3 : 1", heavy.count());
}

#[test]
fn names_are_resolved() {
    let stable = Upstream::start("stable");
    let endpoints = format!("['localhost:{}']", stable.address.port());
    let gateway =
        Gateway::start(&(services(&endpoints, &format!("['{DEAD}']")) + &one_route("")), all_stable());
    eventually("the name is resolved", || gateway.get("/").status == 200);
}

#[test]
fn the_other_endpoint_serves_when_one_is_dead() {
    let stable = Upstream::start("stable");
    let endpoints = format!("['{DEAD}', '{}']", stable.address);
    let gateway =
        Gateway::start(&(services(&endpoints, &format!("['{DEAD}']")) + &one_route("")), all_stable());
    let mut client = gateway.client();
    for _ in 0..20 {
        assert_eq!(client.get("/").send().text(), "stable");
        assert_eq!(client.post("/", "body").send().text(), "stable");
    }
    assert!(stable.requests().iter().all(|request| request.method() == "GET" || request.body == b"body"));
    assert_eq!(stable.count(), 40);
}

#[test]
fn a_dead_canary_falls_back_with_the_body_intact() {
    let stable = Upstream::start("stable");
    let config =
        services(&format!("['{}']", stable.address), &format!("['{DEAD}']")) + &one_route("inject: [v],");
    let gateway = Gateway::start(&config, all_canary());
    let body: Vec<u8> = (0..300_000_u32).map(|byte| byte as u8).collect();
    assert_eq!(gateway.client().get("/").send().text(), "stable");
    assert_eq!(gateway.client().post("/small", &body[..1000]).send().text(), "stable");
    assert_eq!(gateway.client().post("/large", &body).send().text(), "stable");
    assert_eq!(gateway.client().post("/chunked", &body).chunked().send().text(), "stable");
    let seen = stable.requests();
    assert_eq!(seen.len(), 4);
    assert!(
        seen[1].body == body[..1000] && seen[2].body == body && seen[3].body == body,
        "a body was damaged"
    );
    assert!(seen.iter().all(|request| request.header("x-flag-v").as_deref() == Some("stable")));
    let labels = [("route", "all"), ("from", "canary"), ("why", "connect")];
    eventually("the fallbacks are counted", || {
        gateway.metrics().sum("flagway_fallbacks_total", &labels) == 4.0
    });
    let line = gateway.access("the large one", |line| line["path"] == "/large");
    assert_eq!((&line["version"], &line["fallback"]), (&json!("stable"), &json!("connect")));
    assert!(line["attempts"].as_u64() >= Some(2), "{line}");
}

#[test]
fn without_any_endpoint_it_is_503() {
    let config = services(&format!("['{DEAD}']"), &format!("['{DEAD}']")) + &one_route("");
    for flags in [all_stable(), all_canary()] {
        let gateway = Gateway::start(&config, flags);
        let response = gateway.get("/");
        assert_eq!(response.status, 503);
        assert_eq!(response.header("content-type").map(|kind| kind.starts_with("text/plain")), Some(true));
        assert_eq!(response.text().trim().lines().count(), 1, "{}", response.text());
        assert!(
            !response.text().contains("127.0.0.1"),
            "an inner address is nobody's business: {}",
            response.text()
        );
        assert_eq!(gateway.client().post("/", "x").send().status, 503);
    }
}

#[test]
fn an_upstream_that_says_nothing_is_504_and_gets_the_request_once() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::hang());
    let config = shop.config(&one_route("")).replace("stable: {", "stable: {timeouts: {first_byte: 300ms}, ");
    let gateway = Gateway::start(&config, all_stable());
    assert_eq!(gateway.get("/").status, 504);
    assert_eq!(gateway.client().post("/", "x").send().status, 504);
    assert_eq!(shop.stable.requests().iter().filter(|request| request.method() == "POST").count(), 1);
    assert_eq!(shop.canary.count(), 0);
}

#[test]
fn a_hanging_canary_costs_a_get_no_more_than_its_timeout_and_a_post_is_not_repeated() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::hang());
    let config = shop.config(&one_route("")).replace("canary: {", "canary: {timeouts: {first_byte: 300ms}, ");
    let gateway = Gateway::start(&config, all_canary());
    assert_eq!(gateway.get("/").text(), "stable", "a GET can be repeated");
    let gets = shop.stable.count();
    assert_eq!(gateway.client().post("/", "pay").send().status, 504);
    assert_eq!(shop.stable.count(), gets, "a request whose bytes went out is not sent again");
    assert_eq!(shop.canary.requests().iter().filter(|request| request.method() == "POST").count(), 1);
}

#[test]
fn the_whole_exchange_can_be_limited() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::new(200, "late").after(Duration::from_secs(3)));
    let config = shop.config(&one_route("")).replace("stable: {", "stable: {timeouts: {total: 300ms}, ");
    assert_eq!(Gateway::start(&config, all_stable()).get("/").status, 504);
}

#[test]
fn a_post_is_never_sent_twice_once_bytes_went_out() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::close());
    let gateway = shop.gateway(&one_route(""), all_canary());
    for _ in 0..3 {
        assert_eq!(gateway.client().post("/", "pay").send().status, 502);
    }
    assert_eq!((shop.canary.count(), shop.stable.count()), (3, 0));
}

#[test]
fn a_connection_that_went_stale_in_the_pool_fails_nobody() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::new(200, "stable").then_close());
    let gateway = shop.gateway(&one_route(""), all_stable());
    let mut client = gateway.client();
    for number in 0..40 {
        assert_eq!(client.get("/").send().text(), "stable", "request {number}");
    }
}

#[test]
fn connections_are_kept() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), all_stable());
    let mut client = gateway.client();
    for _ in 0..30 {
        assert_eq!(client.get("/").send().status, 200);
    }
    assert!(shop.stable.connections() <= 3, "{} connections for 30 requests", shop.stable.connections());
}

#[test]
fn stable_and_canary_never_share_a_connection_even_to_one_address() {
    let both = Upstream::start("both");
    let endpoints = format!("['{}']", both.address);
    let flags =
        json!({"v": versions(json!({"if": [{"==": [{"var": "header.x-canary"}, "always"]}, "canary"]}))});
    let gateway = Gateway::start(&(services(&endpoints, &endpoints) + &one_route("inject: [v],")), flags);
    let mut client = gateway.client();
    for round in 0..30 {
        client.get("/").header("x-canary", if round % 2 == 0 { "always" } else { "never" }).send();
    }
    let requests = both.requests();
    let on = |version: &str| -> BTreeSet<usize> {
        let of = requests.iter().filter(|request| request.header("x-flag-v").as_deref() == Some(version));
        of.map(|request| request.connection).collect()
    };
    assert!(!on("stable").is_empty() && !on("canary").is_empty());
    assert!(on("stable").is_disjoint(&on("canary")), "{:?} and {:?}", on("stable"), on("canary"));
}

#[test]
fn a_version_can_speak_http_2() {
    let (stable, canary) = (Upstream::start("stable"), H2cUpstream::start("canary"));
    let config = services(&format!("['{}']", stable.address), &format!("['{}']", canary.address))
        .replace("canary: {", "canary: {http: h2, ")
        + &one_route("inject: [v],");
    let gateway = Gateway::start(&config, all_canary());
    let mut client = gateway.client();
    for _ in 0..10 {
        assert_eq!(client.get("/a?b=c").send().text(), "canary");
    }
    assert_eq!(client.post("/a?b=c", "body").send().text(), "canary");
    let seen = canary.requests();
    assert_eq!(seen.len(), 11);
    assert!(seen.iter().all(|request| request.target() == "/a?b=c"));
    assert!(seen.iter().all(|request| request.header("x-flag-v").as_deref() == Some("canary")));
    assert_eq!(seen[10].body, b"body");
    assert!(canary.connections() <= 2, "{} connections", canary.connections());
}

#[test]
fn end_to_end_fields_pass_and_hop_by_hop_fields_do_not() {
    let shop = Shop::start();
    shop.stable.answer(|_| {
        Answer::new(201, "made").header("X-Multi", "1").header("x-multi", "2").header("etag", "\"e\"")
    });
    let gateway = shop.gateway(&one_route(""), all_stable());
    let mut client = gateway.client();
    let request = client.request("PUT", "/thing?q=a%20b&c").host("Shop.Test:8080").body("body");
    let response = request
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("accept", "a")
        .header("accept", "b")
        .send();
    assert_eq!((response.status, response.text()), (201, "made".to_owned()));
    assert_eq!(response.all("x-multi"), ["1", "2"]);
    let seen = shop.stable.only();
    assert_eq!((seen.method(), seen.target()), ("PUT".to_owned(), "/thing?q=a%20b&c".to_owned()));
    assert_eq!((seen.header("host").as_deref(), &*seen.body), (Some("Shop.Test:8080"), &b"body"[..]));
    assert_eq!(seen.all("accept"), ["a", "b"]);
    assert_eq!(seen.all("x-hop"), [""; 0], "a field that Connection names is for this hop alone");
}

#[test]
fn an_upstream_that_returns_is_used_again() {
    let stable = Upstream::start("stable");
    let config = services(&format!("['{}']", stable.address), &format!("['{DEAD}']")) + &one_route("");
    let gateway = Setup::new(&config).flags(all_stable()).start();
    assert_eq!(gateway.get("/").status, 200);
    stable.stop();
    assert_eq!(gateway.get("/").status, 503);
    let back = Upstream::start_at(stable.address, "back");
    eventually("the endpoint serves again", || gateway.get("/").status == 200);
    assert_eq!(back.last().method(), "GET");
}

#[test]
fn an_http_2_body_that_ends_in_an_empty_frame_ends_once() {
    let (authority, shop) = (Authority::new(), Shop::start());
    let issued = authority.issue(&["shop.test"]);
    let rest = one_route("")
        + "listeners: [{name: main, bind: '127.0.0.1:0', tls: {certificates: [{cert: s.pem, key: s.key}]}}]\n";
    let setup = shop.setup(&rest, all_stable()).file("s.pem", &issued.cert).file("s.key", &issued.key);
    let gateway = setup.start();
    // A second last chunk would be the beginning of the connection's next request.
    for (count, pieces) in [&[][..], &["one", ""], &["one", "", "two", ""]].into_iter().enumerate() {
        let request = http::Request::post("https://shop.test/");
        let body = H2Body::Pieces(pieces);
        let answer = h2_request(gateway.address("main"), "shop.test", &authority.client(), request, body);
        assert_eq!(answer, (http::StatusCode::OK, b"stable".to_vec()), "{pieces:?}");
        assert_eq!(shop.stable.last().body, pieces.concat().as_bytes(), "{pieces:?}");
        assert_eq!(shop.stable.count(), count + 1, "{pieces:?}");
    }
    eventually("three requests are counted", || gateway.metrics().sum("flagway_requests_total", &[]) == 3.0);
}

#[test]
fn what_is_spoken_over_tls_is_settled_by_the_handshake() {
    let authority = Authority::new();
    let (old, new) = (Upstream::start_tls("old", authority.server(&["shop.test"])), tls_h2(&authority));
    for (address, expected) in [(old.address, "old"), (new, "new over HTTP/2.0")] {
        let config = services(&format!("['{address}']"), &format!("['{DEAD}']"))
            .replace("stable: {", "stable: {http: auto, tls: {sni: shop.test, ca: ca.pem}, ")
            + &one_route("");
        let gateway = Setup::new(&config).flags(all_stable()).file("ca.pem", &authority.pem()).start();
        for _ in 0..3 {
            assert_eq!(gateway.get("/").text(), expected);
        }
    }
}

/// A server that speaks HTTP/2 alone, over TLS, and says so.
fn tls_h2(authority: &Authority) -> std::net::SocketAddr {
    let mut tls = (*authority.server(&["shop.test"])).clone();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(tls));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let stream = acceptor.accept(stream).await?;
                    let mut streams = h2::server::handshake(stream).await.map_err(std::io::Error::other)?;
                    while let Some(Ok((request, mut respond))) = streams.accept().await {
                        let said = format!("new over {:?}", request.version());
                        let sent = respond.send_response(http::Response::new(()), false);
                        let mut out = sent.map_err(std::io::Error::other)?;
                        out.send_data(said.into(), true).map_err(std::io::Error::other)?;
                    }
                    std::io::Result::Ok(())
                });
            }
        });
    });
    address
}

#[test]
fn a_stream_may_pause_for_longer_than_a_first_byte_and_not_for_ever() {
    let shop = Shop::start();
    shop.stable.answer(|request| {
        let pause = if request.target() == "/long" { 3000 } else { 400 };
        Answer::new(200, "event")
            .header("content-type", "text/event-stream")
            .after(Duration::from_millis(pause))
    });
    let timeouts = "stable: {timeouts: {first_byte: 100ms, between: 1s}, ";
    let gateway = Gateway::start(&shop.config(&one_route("")).replace("stable: {", timeouts), all_stable());
    let get =
        |target: &str, accept: &str| gateway.client().get(target).header("accept", accept).send().status;
    assert_eq!(get("/", "text/html"), 504);
    assert_eq!(get("/", "text/event-stream"), 200);
    assert_eq!(get("/long", "text/event-stream"), 504);
}

#[test]
fn a_body_may_pause_for_longer_than_a_first_byte() {
    let upstream = RawUpstream::start(|stream| {
        read_request(stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nnow ")?;
        std::thread::sleep(Duration::from_millis(600));
        stream.write_all(b"later")
    });
    let config = services(&format!("['{}']", upstream.address), "['127.0.0.1:1']") + &one_route("");
    let config = config.replace("stable: {", "stable: {timeouts: {first_byte: 200ms, between: 5s}, ");
    let gateway = Gateway::start(&config, all_stable());
    assert_eq!(gateway.get("/").text(), "now later");
}

#[test]
fn a_name_that_nobody_knows_is_a_problem_that_passes() {
    let (stable, canary) = (Upstream::start("stable"), "['nowhere.invalid:80']");
    let config = services(&format!("['{}']", stable.address), canary) + &one_route("");
    let gateway = Gateway::start(&config, all_canary());
    assert_eq!(gateway.get("/").text(), "stable");
    let problems = || gateway.api("/api/v1/status").json()["problems"].clone();
    eventually("it is a problem", || problems().as_array().is_some_and(|problems| problems.len() == 1));
    let problem = &problems()[0];
    assert_eq!(problem["key"], "services.shop.versions.canary.endpoints");
    let found = problem["found"].as_str().unwrap();
    assert!(found.starts_with("`nowhere.invalid` cannot be resolved, it has no address yet: "), "{found}");
    assert_eq!(gateway.metrics().sum("flagway_problems", &[("kind", "config")]), 1.0);
    gateway.replace_config(&config.replace("nowhere.invalid", "localhost"));
    eventually("it is none any more", || problems().as_array().is_some_and(Vec::is_empty));
}
