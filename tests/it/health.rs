//! Endpoints are asked whether they are well: over HTTP, TCP and gRPC, with the TLS of the traffic.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::{
    Answer, Authority, DEAD, Gateway, H2cUpstream, Recorded, Setup, Upstream, eventually, one_route,
    services, versions,
};

const QUICK: &str = "every: 50ms, timeout: 500ms, down_after: 2, up_after: 2";

fn everyone_to(version: &str) -> Value {
    json!({"v": versions(json!({"if": [true, version]}))})
}

/// Checks of `stable`'s endpoints.
fn config(stable: &str, canary: &str, probe: &str) -> String {
    services(stable, canary).replace("stable: {", &format!("stable: {{health: {{{probe}, {QUICK}}}, "))
        + &one_route("")
}

/// How many endpoints of a version are so.
fn count(gateway: &Gateway, version: &str, state: &str) -> f64 {
    gateway.metrics().sum("flagway_endpoints", &[("version", version), ("state", state)])
}

/// An upstream whose `/healthz` answers what is set.
fn checked(name: &'static str) -> (Upstream, Arc<AtomicU16>) {
    let (upstream, status) = (Upstream::start(name), Arc::new(AtomicU16::new(200)));
    let set = Arc::clone(&status);
    upstream.answer(move |request: &Recorded| match request.target() == "/healthz" {
        true => Answer::new(set.load(Ordering::SeqCst), ""),
        false => Answer::new(200, name),
    });
    (upstream, status)
}

#[test]
fn one_that_fails_its_checks_gets_nothing_until_it_passes_again() {
    let ((a, health), (b, _)) = (checked("a"), checked("b"));
    let stable = format!("['{}', '{}']", a.address, b.address);
    let probe = "http: {path: /healthz, host: shop.internal}";
    let gateway = Gateway::start(&config(&stable, &format!("['{DEAD}']"), probe), everyone_to("stable"));
    eventually("both are well", || count(&gateway, "stable", "serving") == 2.0);
    health.store(503, Ordering::SeqCst);
    eventually("one is down", || count(&gateway, "stable", "down") == 1.0);
    let mut client = gateway.client();
    assert!((0..20).all(|_| client.get("/").send().text() == "b"));
    let shown = &gateway.api("/api/v1/status").json()["upstreams"][0]["endpoints"][0];
    assert_eq!((&shown["state"], &shown["why"]), (&json!("down"), &json!("status 503")));
    let told = gateway.wait_for_log("it is down", |line| line["fields"]["state"] == "down");
    assert_eq!(told["fields"]["address"], a.address.to_string());
    health.store(204, Ordering::SeqCst);
    eventually("both are well again", || count(&gateway, "stable", "serving") == 2.0);
    assert!((0..20).any(|_| client.get("/").send().text() == "a"));
    for result in ["passed", "failed"] {
        let labels = [("service", "shop"), ("version", "stable"), ("result", result)];
        assert!(gateway.metrics().sum("flagway_health_checks_total", &labels) >= 2.0, "{result}");
    }
    let check = a.requests().into_iter().find(|request| request.target() == "/healthz").unwrap();
    assert_eq!((check.method().as_str(), check.header("host").as_deref()), ("GET", Some("shop.internal")));
    assert_eq!(check.header("user-agent").as_deref(), Some("flagway-health"));
}

#[test]
fn a_canary_that_is_down_falls_back_and_a_default_that_is_down_serves_all_the_same() {
    let ((stable, stable_health), (canary, canary_health)) = (checked("stable"), checked("canary"));
    let [a, b] = [&stable, &canary].map(|upstream| format!("['{}']", upstream.address));
    let health = format!("{{health: {{http: {{path: /healthz}}, {QUICK}}}, ");
    let config = services(&a, &b).replace("stable: {", &format!("stable: {health}"));
    let config = config.replace("canary: {", &format!("canary: {health}")) + &one_route("");
    let gateway = Gateway::start(&config, everyone_to("canary"));
    assert_eq!(gateway.get("/").text(), "canary");
    canary_health.store(500, Ordering::SeqCst);
    eventually("the canary is down", || count(&gateway, "canary", "down") == 1.0);
    assert_eq!(gateway.get("/").text(), "stable");
    assert_eq!(gateway.client().post("/", "anything").send().text(), "stable", "nothing was sent yet");
    let labels = [("from", "canary"), ("why", "no_endpoint")];
    eventually("both are counted", || gateway.metrics().sum("flagway_fallbacks_total", &labels) == 2.0);
    stable_health.store(500, Ordering::SeqCst);
    eventually("stable is down, too", || count(&gateway, "stable", "down") == 1.0);
    assert_eq!(gateway.get("/").text(), "stable", "there is nobody else");
}

#[test]
fn a_port_that_is_closed_is_seen_and_its_return() {
    let (dies, stays) = (Upstream::start("dies"), Upstream::start("stays"));
    let stable = format!("['{}', '{}']", dies.address, stays.address);
    let gateway =
        Gateway::start(&config(&stable, &format!("['{DEAD}']"), "tcp: true"), everyone_to("stable"));
    eventually("both are well", || count(&gateway, "stable", "serving") == 2.0);
    dies.stop();
    eventually("one is down", || count(&gateway, "stable", "down") == 1.0);
    let shown = &gateway.api("/api/v1/status").json()["upstreams"][0]["endpoints"][0];
    assert_eq!(shown["why"], "connection refused");
    let back = Upstream::start_at(dies.address, "back");
    eventually("it is well again", || count(&gateway, "stable", "serving") == 2.0);
    let mut client = gateway.client();
    assert!((0..20).any(|_| client.get("/").send().text() == "back"));
    assert!(back.count() > 0);
}

#[test]
fn one_that_hangs_is_down_and_a_redirect_is_not_well() {
    let (hangs, redirects) = (Upstream::start("hangs"), Upstream::start("redirects"));
    hangs.answer(|_| Answer::hang());
    redirects.answer(|_| Answer::new(302, "").header("location", "/elsewhere"));
    let stable = format!("['{}', '{}']", hangs.address, redirects.address);
    let gateway = Gateway::start(
        &config(&stable, &format!("['{DEAD}']"), "http: {path: /}").replace("500ms", "100ms"),
        everyone_to("stable"),
    );
    eventually("both are down", || count(&gateway, "stable", "down") == 2.0);
    let endpoints = gateway.api("/api/v1/status").json()["upstreams"][0]["endpoints"].clone();
    let why: Vec<_> = (0..2).map(|index| endpoints[index]["why"].as_str().unwrap()).collect();
    assert_eq!(why, ["no answer within 100ms", "status 302"]);
    gateway.replace_config(
        &config(&stable, &format!("['{DEAD}']"), "http: {path: /, status: [302, 200]}")
            .replace("500ms", "100ms"),
    );
    eventually("a redirect can be taken for well", || count(&gateway, "stable", "serving") == 1.0);
    assert_eq!(count(&gateway, "stable", "down"), 1.0, "what is known of the other stays over a reload");
}

#[test]
fn checks_have_the_tls_of_the_traffic() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let upstream = Upstream::start_tls("secret", authority.server(&["shop.test"]));
    let stable = format!("['{}']", upstream.address);
    for (ca, state) in [(&authority, "serving"), (&stranger, "down")] {
        for probe in ["http: {path: /}", "tcp: true"] {
            let config = config(&stable, &format!("['{DEAD}']"), probe)
                .replace("stable: {", "stable: {tls: {sni: shop.test, ca: ca.pem}, ");
            let gateway = Setup::new(&config).flags(everyone_to("stable")).file("ca.pem", &ca.pem()).start();
            let checks = || gateway.metrics().sum("flagway_health_checks_total", &[("version", "stable")]);
            eventually("it was checked", || checks() >= 3.0);
            assert_eq!(count(&gateway, "stable", state), 1.0, "{probe}");
        }
    }
}

#[test]
fn http_2_is_checked_over_http_2() {
    let upstream = H2cUpstream::start("h2");
    let config =
        config(&format!("['{}']", upstream.address), &format!("['{DEAD}']"), "http: {path: /healthz}")
            .replace("stable: {", "stable: {http: h2, ");
    let gateway = Gateway::start(&config, everyone_to("stable"));
    let checks = || gateway.metrics().sum("flagway_health_checks_total", &[("result", "passed")]);
    eventually("it was checked", || checks() >= 3.0);
    assert_eq!(count(&gateway, "stable", "serving"), 1.0);
    let check = upstream.requests().into_iter().find(|request| request.target() == "/healthz").unwrap();
    assert!(check.text().contains(&format!(":authority: {}\r\n", upstream.address)), "{}", check.text());
    assert_eq!(gateway.get("/").text(), "h2");
}

#[test]
fn grpc_says_by_itself_whether_it_serves() {
    let (address, says) = grpc_health();
    let config = config(&format!("['{address}']"), &format!("['{DEAD}']"), "grpc: {service: shop.v1.Cart}")
        .replace("stable: {", "stable: {http: h2, ");
    let gateway = Gateway::start(&config, everyone_to("stable"));
    let checks = || gateway.metrics().sum("flagway_health_checks_total", &[("result", "passed")]);
    eventually("it was checked", || checks() >= 3.0);
    assert_eq!(count(&gateway, "stable", "serving"), 1.0);
    says.store(2, Ordering::SeqCst);
    eventually("it is down", || count(&gateway, "stable", "down") == 1.0);
    let shown = &gateway.api("/api/v1/status").json()["upstreams"][0]["endpoints"][0];
    assert_eq!(shown["why"], "it says NOT_SERVING");
    says.store(1, Ordering::SeqCst);
    eventually("it is well again", || count(&gateway, "stable", "serving") == 1.0);
}

#[test]
fn checks_leave_nothing_open() {
    let (h1, h2, (grpc, _)) = (Upstream::start("h1"), H2cUpstream::start("h2"), grpc_health());
    let table = [
        (h1.address, "h1", "http: {path: /}"),
        (h1.address, "h1", "tcp: true"),
        (h2.address, "h2", "http: {path: /}"),
        (grpc, "h2", "grpc: {service: shop.v1.Cart}"),
    ];
    for (address, http, probe) in table {
        let config = config(&format!("['{address}']"), &format!("['{DEAD}']"), probe)
            .replace("every: 50ms", "every: 5ms")
            .replace("stable: {", &format!("stable: {{http: {http}, "));
        let gateway = Gateway::start(&config, everyone_to("stable"));
        let open = || std::fs::read_dir(format!("/proc/{}/fd", gateway.pid())).unwrap().count();
        let checks = || gateway.metrics().sum("flagway_health_checks_total", &[("result", "passed")]);
        eventually("it is checked", || checks() >= 20.0);
        let before = open();
        eventually("it is checked many times", || checks() >= 150.0);
        eventually("nothing is left of them", || open() <= before + 10);
    }
}

/// A server of `grpc.health.v1` that knows `shop.v1.Cart` alone, and says of it what is set.
fn grpc_health() -> (SocketAddr, Arc<AtomicU16>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let says = Arc::new(AtomicU16::new(1));
    let set = Arc::clone(&says);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let set = Arc::clone(&set);
                tokio::spawn(async move {
                    let mut streams = h2::server::handshake(stream).await?;
                    while let Some(next) = streams.accept().await {
                        let (request, mut respond) = next?;
                        assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
                        assert_eq!(request.headers()["content-type"], "application/grpc");
                        let set = Arc::clone(&set);
                        tokio::spawn(async move {
                            let mut body = request.into_body();
                            let mut asked = Vec::new();
                            while let Some(data) = body.data().await {
                                asked.extend_from_slice(&data?);
                            }
                            let head = http::Response::builder().header("content-type", "application/grpc");
                            let mut out = respond.send_response(head.body(()).unwrap(), false)?;
                            let known = asked == b"\0\0\0\0\x0e\x0a\x0cshop.v1.Cart";
                            if known {
                                let status = set.load(Ordering::SeqCst) as u8;
                                out.send_data(Bytes::copy_from_slice(&[0, 0, 0, 0, 2, 8, status]), false)?;
                            }
                            let mut trailers = http::HeaderMap::new();
                            trailers.insert("grpc-status", if known { "0" } else { "5" }.parse().unwrap());
                            out.send_trailers(trailers)
                        });
                    }
                    Ok::<_, h2::Error>(())
                });
            }
        });
    });
    (address, says)
}
