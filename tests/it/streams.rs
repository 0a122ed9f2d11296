//! Long-lived streams: what a kill ends and what it leaves alone; that no tunnel is lost at its beginning.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustls::{ServerConnection, StreamOwned};
use serde_json::{Value, json};
use tokio_rustls::TlsConnector;

use crate::support::{
    Authority, Client, EchoUpstream, Gateway, LongUpstream, RawUpstream, Setup, Shop, Stay, eventually,
    one_route, opt_in, read_request, services, versions,
};

const CANARY: (&str, &str) = ("x-canary", "always");
const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
const EVENTS: (&str, &str) = ("accept", "text/event-stream");

struct Long {
    stable: LongUpstream,
    canary: LongUpstream,
    gateway: Gateway,
}

/// A gateway before two versions of a service whose answers last. The flag `v` names the version; `w` does where `x-other` is sent.
fn long() -> Long {
    let (stable, canary) = (LongUpstream::start("stable"), LongUpstream::start("canary"));
    let address = |upstream: &LongUpstream| format!("['{}']", upstream.address());
    let routes = "routes:
  - {name: other, match: {path_prefix: /, headers: {x-other: '1'}}, service: shop, version: {flag: w}}
  - {name: all, match: {path_prefix: /}, service: shop, version: {flag: v}}
";
    let config = services(&address(&stable), &address(&canary)) + routes;
    let gateway = Gateway::start(&config, json!({"v": opt_in(), "w": opt_in()}));
    Long { stable, canary, gateway }
}

#[track_caller]
fn act(gateway: &Gateway, verb: &str, body: Value) {
    let mut client = Client::new(gateway.admin());
    let path = format!("/api/v1/flags/v/{verb}");
    let request = client.request("POST", &path).host("localhost").header("if-match", "*");
    let response = request.body(body.to_string()).send();
    assert_eq!(response.status, 200, "{}", response.text());
}

fn kill(gateway: &Gateway, drain: Option<&str>) {
    let mut body = json!({"variant": "stable", "why": "p99 is up"});
    if let Some(drain) = drain {
        body["drain"] = json!(drain);
    }
    act(gateway, "kill", body);
}

fn open(gateway: &Gateway, version: &str) -> f64 {
    gateway.metrics().sum("flagway_streams", &[("service", "shop"), ("version", version)])
}

fn ended(gateway: &Gateway) -> f64 {
    gateway.metrics().sum("flagway_streams_ended_total", &[("reason", "kill")])
}

/// Reads on until something comes that was sent after now.
#[track_caller]
fn goes_on(stay: &mut Stay, upstream: &LongUpstream) {
    let from = upstream.sent();
    while stay.event().parse::<usize>().map_or(true, |number| number <= from) {}
}

#[test]
fn streams_of_a_killed_version_end_with_the_time_and_nobody_elses_do() {
    let Long { stable, canary, gateway } = &long();
    let (mut tunnel, name) = Stay::tunnel(gateway, &[CANARY]);
    assert_eq!(name, "canary");
    let mut events = Stay::open(gateway, "/events", &[CANARY, EVENTS]);
    let mut unasked = Stay::open(gateway, "/ticks", &[CANARY]);
    assert_eq!([events.event(), unasked.event()], ["canary", "canary"]);
    eventually("three streams are open", || open(gateway, "canary") == 3.0);

    // Of the other version, by another flag, and no stream at all.
    let (mut kept, name) = Stay::tunnel(gateway, &[]);
    assert_eq!(name, "stable");
    let mut kept_events = Stay::open(gateway, "/ticks", &[EVENTS]);
    let (mut other, name) = Stay::tunnel(gateway, &[CANARY, ("x-other", "1")]);
    assert_eq!(name, "canary");
    let mut download = Stay::open(gateway, "/download", &[CANARY]);

    let start = Instant::now();
    kill(gateway, Some("1s"));
    gateway.wait_for_log("the drain begins", |line| {
        line["fields"]["message"] == "streams will be ended after a kill" && line["fields"]["streams"] == 3
    });
    tunnel.echoes("still here");
    let (_, name) = Stay::tunnel(gateway, &[CANARY]);
    assert_eq!(name, "stable", "new requests know of the kill at once");
    assert_eq!(tunnel.end(), "", "a tunnel is closed, and nothing is said in it");
    assert!(start.elapsed() >= Duration::from_secs(1), "not before");
    assert!(!events.end().contains("0\r\n\r\n"), "a client can tell that there would have been more");
    assert!(!unasked.end().ends_with("0\r\n\r\n"));

    kept.echoes("one");
    other.echoes("two");
    goes_on(&mut kept_events, stable);
    goes_on(&mut download, canary);
    assert_eq!(ended(gateway), 3.0);
    eventually("only the other flag's is open", || open(gateway, "canary") == 1.0);
    for target in ["/tunnel", "/events", "/ticks"] {
        gateway.access(target, |line| line["path"] == target && line["error"] == "ended by a kill");
    }
}

#[test]
fn without_a_drain_streams_live_on() {
    let Long { gateway, .. } = &long();
    let (mut tunnel, _) = Stay::tunnel(gateway, &[CANARY]);
    kill(gateway, None);
    assert_eq!(Stay::tunnel(gateway, &[CANARY]).1, "stable");
    tunnel.echoes("still here");
    assert_eq!(ended(gateway), 0.0);
    kill(gateway, Some("0s"));
    assert_eq!(tunnel.end(), "");
}

#[test]
fn a_release_within_the_time_ends_nothing() {
    let Long { gateway, .. } = &long();
    let (mut tunnel, _) = Stay::tunnel(gateway, &[CANARY]);
    kill(gateway, Some("500ms"));
    act(gateway, "release", json!({"what": "kill"}));
    gateway.wait_for_log("the drain is off", |line| {
        line["fields"]["message"] == "the kill does not stand any more; streams go on"
    });
    tunnel.echoes("still here");
    // What begins now is no concern of that kill, and of the next one only once it is there.
    let (mut later, _) = Stay::tunnel(gateway, &[CANARY]);
    kill(gateway, Some("0s"));
    assert_eq!((tunnel.end(), later.line()), (String::new(), None));
}

#[test]
fn a_stream_that_fell_back_was_not_sent_there_by_the_flag() {
    let stable = LongUpstream::start("stable");
    let config = services(&format!("['{}']", stable.address()), "['127.0.0.1:1']") + &one_route("");
    let everyone = json!({"v": versions(json!({"if": [true, "canary"]}))});
    let gateway = Gateway::start(&config, everyone);
    let (mut tunnel, name) = Stay::tunnel(&gateway, &[]);
    assert_eq!(name, "stable");
    kill(&gateway, Some("0s"));
    gateway.wait_for_log("nobody is concerned", |line| {
        line["fields"]["message"] == "streams will be ended after a kill" && line["fields"]["streams"] == 0
    });
    tunnel.echoes("still here");
}

#[test]
fn a_tunnel_over_tls_ends_too() {
    let authority = Authority::new();
    let server = authority.server(&["shop.test"]);
    let canary = RawUpstream::start(move |stream| {
        let session = ServerConnection::new(Arc::clone(&server)).map_err(io::Error::other)?;
        let mut stream = BufReader::new(StreamOwned::new(session, stream));
        while stream.read_line(&mut String::new())? > "\r\n".len() {}
        stream.get_mut().write_all(format!("{SWITCHING}canary\n").as_bytes())?;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            stream.get_mut().write_all(line.as_bytes())?;
        }
    });
    let versions = format!(
        "services: {{shop: {{default: stable, versions: {{
  stable: {{endpoints: ['127.0.0.1:1']}},
  canary: {{endpoints: ['{}'], tls: {{ca: ca.pem, sni: shop.test}}}}}}}}}}\n",
        canary.address
    );
    let setup = Setup::new(&(versions + &one_route(""))).flags(json!({"v": opt_in()}));
    let gateway = setup.file("ca.pem", &authority.pem()).start();
    let (mut tunnel, name) = Stay::tunnel(&gateway, &[CANARY]);
    assert_eq!(name, "canary");
    tunnel.echoes("through TLS");
    kill(&gateway, Some("0s"));
    assert_eq!(tunnel.end(), "");
}

#[test]
fn a_client_that_leaves_a_stream_frees_the_upstream() {
    let Long { gateway, canary, .. } = &long();
    let mut events = Stay::open(gateway, "/events", &[CANARY, EVENTS]);
    assert_eq!(events.event(), "canary");
    let (tunnel, _) = Stay::tunnel(gateway, &[CANARY]);
    drop((events, tunnel));
    eventually("both connections are closed", || canary.left() == 2);
    eventually("no stream is open", || open(gateway, "canary") == 0.0);
}

#[test]
fn answers_that_are_no_stream_though_one_was_asked_for_leave_their_connection_to_the_next() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let mut client = gateway.client();
    let mut ask = || client.get("/").header(CANARY.0, CANARY.1).header(EVENTS.0, EVENTS.1).send().text();
    for _ in 0..5 {
        assert_eq!(ask(), "canary");
    }
    assert_eq!(shop.canary.connections(), 1);
    // They were over before the kill.
    kill(&gateway, Some("0s"));
    assert_eq!(ask(), "stable");
    act(&gateway, "release", json!({"what": "kill"}));
    assert_eq!(ask(), "canary");
    assert_eq!(ended(&gateway), 0.0);
}

#[test]
fn grpc_streams_of_one_connection_end_without_those_of_another_version() {
    let (stable, canary, authority) = (EchoUpstream::start(), EchoUpstream::start(), Authority::new());
    let issued = authority.issue(&["shop.test"]);
    let version = |upstream: &EchoUpstream| format!("{{endpoints: ['{}'], http: h2}}", upstream.address);
    let config = format!(
        "listeners: [{{name: main, bind: '127.0.0.1:0', tls: {{certificates: [{{cert: s.pem, key: s.key}}]}}}}]
services: {{shop: {{default: stable, versions: {{stable: {}, canary: {}}}}}}}
{}",
        version(&stable),
        version(&canary),
        one_route("")
    );
    let setup = Setup::new(&config).flags(json!({"v": opt_in()}));
    let gateway = setup.file("s.pem", &issued.cert).file("s.key", &issued.key).start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut tls = (*authority.client()).clone();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let tcp = tokio::net::TcpStream::connect(gateway.address("main")).await.unwrap();
        let name = "shop.test".try_into().unwrap();
        let tls = TlsConnector::from(Arc::new(tls)).connect(name, tcp).await.unwrap();
        let (sender, connection) = h2::client::handshake(tls).await.unwrap();
        tokio::spawn(connection);
        let mut calls = Vec::new();
        for opted_in in [true, false, true] {
            let mut call = Call::begin(&sender, opted_in).await;
            call.echoes("hello").await;
            calls.push(call);
        }
        let [mut first, mut kept, mut second]: [Call; 3] = calls.try_into().ok().unwrap();
        assert_eq!((stable.connections(), canary.connections()), (1, 1), "connections are shared");
        kill(&gateway, Some("500ms"));
        first.echoes("still here").await;
        for call in [&mut first, &mut second] {
            assert!(call.answer.data().await.expect("no orderly end").is_err());
        }
        kept.echoes("me too").await;
    });
}

struct Call {
    body: h2::SendStream<Bytes>,
    answer: h2::RecvStream,
}

impl Call {
    async fn begin(sender: &h2::client::SendRequest<Bytes>, opted_in: bool) -> Call {
        let mut request =
            http::Request::post("https://shop.test/chat").header("content-type", "application/grpc");
        if opted_in {
            request = request.header(CANARY.0, CANARY.1);
        }
        let mut sender = sender.clone().ready().await.unwrap();
        let (answer, body) = sender.send_request(request.body(()).unwrap(), false).unwrap();
        Call { body, answer: answer.await.unwrap().into_body() }
    }

    async fn echoes(&mut self, text: &'static str) {
        self.body.send_data(Bytes::from_static(text.as_bytes()), false).unwrap();
        assert_eq!(self.answer.data().await.unwrap().unwrap(), text);
    }
}

#[test]
fn no_tunnel_is_lost_when_the_upstream_is_quick_to_switch() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // Before a byte of the request has come.
            stream.write_all(format!("{SWITCHING}quick\n").as_bytes()).unwrap();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone()?);
                while reader.read_line(&mut String::new())? > "\r\n".len() {}
                io::copy(&mut reader, &mut stream)
            });
        }
    });
    let config = services(&format!("['{address}']"), "['127.0.0.1:1']") + &one_route("");
    let gateway = Gateway::start(&config, json!({"v": versions(Value::Null)}));
    for number in 0..300 {
        let (mut tunnel, name) = Stay::tunnel(&gateway, &[]);
        assert_eq!(name, "quick", "tunnel {number}");
        tunnel.echoes("one");
        tunnel.echoes("two");
    }
    eventually("all are closed", || open(&gateway, "stable") == 0.0);
}

#[test]
fn nothing_is_said_in_a_tunnel_whose_upstream_fails() {
    let failing = RawUpstream::start(|stream| {
        read_request(stream)?;
        let head =
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nfailing\n";
        stream.write_all(head.as_bytes())?;
        // What is closed with bytes unread is reset.
        stream.peek(&mut [0]).map(drop)
    });
    let config = services(&format!("['{}']", failing.address), "['127.0.0.1:1']") + &one_route("");
    let gateway = Gateway::start(&config, json!({"v": versions(Value::Null)}));
    for _ in 0..20 {
        let (mut tunnel, name) = Stay::tunnel(&gateway, &[]);
        assert_eq!(name, "failing");
        tunnel.say("more than is read");
        assert_eq!(tunnel.end(), "");
    }
}

/// The version says one event and is silent: whoever waited for more before passing it on would wait for ever.
#[test]
fn events_pass_over_http_2_as_they_come_and_end_with_a_kill() {
    let Long { canary, gateway, .. } = long();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tcp = tokio::net::TcpStream::connect(gateway.address("main")).await.unwrap();
        let (mut sender, connection) = h2::client::handshake(tcp).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get("http://shop.test/events");
        let request = request.header(EVENTS.0, EVENTS.1).header(CANARY.0, CANARY.1).body(()).unwrap();
        let mut answer = sender.send_request(request, true).unwrap().0.await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let event = answer.body_mut().data().await.expect("an event").unwrap();
        assert_eq!(event, "data: canary\n\n");
        assert_eq!(open(&gateway, "canary"), 1.0);
        kill(&gateway, Some("100ms"));
        assert!(answer.body_mut().data().await.expect("no end").is_err(), "what was cut does not look whole");
    });
    eventually("its version is left", || canary.left() == 1);
    assert_eq!(ended(&gateway), 1.0);
}
