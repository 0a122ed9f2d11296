//! How the gateway stops: requests in flight finish, nothing new begins, and who stays is told to go.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{
    Answer, Client, Gateway, LongUpstream, Setup, Shop, Stay, dark, eventually, one_route, opt_in, services,
    shadowed,
};

#[test]
fn on_sigterm_a_request_in_flight_is_answered_and_the_exit_is_0() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::new(200, "late but whole").after(Duration::from_millis(800)));
    let mut gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let (address, probes) = (gateway.address("main"), gateway.probes());
    let request = std::thread::spawn(move || Client::new(address).get("/").send());
    shop.stable.wait_for(1);
    gateway.signal("TERM");
    eventually("readiness is off, or the probes are gone", || {
        let ready = Client::new(probes).get("/readyz").host("localhost").try_send();
        ready.map_or(true, |response| response.status == 503)
    });
    let response = request.join().expect("the request was answered");
    assert_eq!((response.status, response.text()), (200, "late but whole".to_owned()));
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(Client::new(address).get("/").try_send().is_err());
    assert_eq!(gateway.stdout.json().len(), 1, "its access log line was written");
}

#[test]
fn the_drain_has_a_limit() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::hang());
    let mut gateway = shop.gateway(&(one_route("") + "shutdown: {grace: 1s}\n"), json!({"v": opt_in()}));
    let address = gateway.address("main");
    let request = std::thread::spawn(move || Client::new(address).get("/").try_send());
    shop.stable.wait_for(1);
    gateway.signal("TERM");
    assert_eq!(gateway.wait().code(), Some(0));
    let cut = request.join().expect("the client ends").expect("it is told");
    assert_eq!(cut.status, 503);
    let line = &gateway.stdout.json()[0];
    assert_eq!((&line["status"], &line["error"]), (&json!(503), &json!("ended by a stop")), "{line}");
}

#[test]
fn an_idle_connection_does_not_keep_it_alive() {
    let shop = Shop::start();
    let mut gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let mut idle = gateway.client();
    idle.get("/").send();
    gateway.signal("TERM");
    let begin = std::time::Instant::now();
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(
        begin.elapsed() < Duration::from_secs(8),
        "nothing was in flight, but it took {:?}",
        begin.elapsed()
    );
}

/// Clearing 2 MiB at once stopped every request of a worker for milliseconds, whenever many connections came.
#[test]
fn its_memory_grows_without_huge_pages() {
    let gateway = Shop::start().gateway(&one_route(""), json!({"v": opt_in()}));
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).expect("it runs");
    let enabled = status.lines().find_map(|line| line.strip_prefix("THP_enabled:")).map(str::trim);
    assert_eq!(enabled, Some("0"));
}

#[test]
fn on_sigint_it_ends_at_once() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::hang());
    let mut gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let address = gateway.address("main");
    let request = std::thread::spawn(move || Client::new(address).get("/").try_send());
    shop.stable.wait_for(1);
    let begin = std::time::Instant::now();
    gateway.signal("INT");
    gateway.wait();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(request.join().expect("the client ends").map_or(true, |response| response.status >= 500));
}

#[test]
fn a_signal_as_soon_as_it_is_ready_is_handled() {
    let shop = Shop::start();
    let mut setup = Some(Setup::new(&shop.config(&one_route(""))));
    for _ in 0..5 {
        // `stop` sends TERM and wants exit 0; a signal nobody handles would kill the process.
        setup = setup.take().map(|setup| setup.start().stop());
    }
}

/// A connection on which one request was answered, and which is kept.
fn kept(address: SocketAddr) -> BufReader<TcpStream> {
    let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
    stream.get_ref().set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = ask(&mut stream, 6).expect("an answer");
    assert!(!head.contains("connection: close"), "{head}");
    stream
}

/// Asks on a connection; the head of the answer, in lower case. None: it was closed instead.
fn ask(stream: &mut BufReader<TcpStream>, body: usize) -> Option<String> {
    stream.get_mut().write_all(b"GET / HTTP/1.1\r\nhost: shop.test\r\n\r\n").ok()?;
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    stream.read_exact(&mut vec![0; body]).ok()?;
    Some(head.to_lowercase())
}

#[test]
fn before_it_refuses_connections_it_takes_them_for_the_delay_and_is_not_ready() {
    let shop = Shop::start();
    let config = one_route("") + "shutdown: {grace: 20s, delay: 3s}\n";
    let mut gateway = shop.gateway(&config, json!({"v": opt_in()}));
    let begun = Instant::now();
    gateway.signal("TERM");
    eventually("readiness is off", || gateway.probe("/readyz").status == 503);
    assert_eq!(gateway.probe("/healthz").status, 200);
    let mut served = 0;
    while begun.elapsed() < Duration::from_secs(2) {
        let response = gateway.get("/");
        assert_eq!((response.status, response.header("connection").as_deref()), (200, Some("close")));
        served += 1;
    }
    assert!(served > 0);
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(begun.elapsed() >= Duration::from_secs(3), "the delay was cut short: {:?}", begun.elapsed());
}

#[test]
fn kept_connections_are_told_with_their_next_answer_and_else_closed_without_a_reset() {
    let shop = Shop::start();
    let mut gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let address = gateway.address("main");
    let (mut busy, mut idle) = (kept(address), kept(address));
    gateway.signal("TERM");
    eventually("readiness is off", || gateway.probe("/readyz").status == 503);
    let head = ask(&mut busy, 6).expect("it is still answered");
    assert!(head.contains("connection: close"), "{head}");
    assert_eq!(busy.read(&mut [0]).expect("the end, no reset"), 0);
    assert_eq!(idle.read(&mut [0]).expect("the end, no reset"), 0);
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn http2_is_told_to_go_away_and_its_streams_finish() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::new(200, "late but whole").after(Duration::from_secs(2)));
    let mut gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let address = gateway.address("main");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let body = runtime.block_on(async {
        let open = async || {
            let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
            let (sender, connection) = h2::client::handshake(tcp).await.unwrap();
            (sender, tokio::spawn(connection))
        };
        let ((mut busy, first), (idle, second)) = (open().await, open().await);
        let request = http::Request::get("http://shop.test/").body(()).unwrap();
        let (response, _) = busy.send_request(request, true).unwrap();
        tokio::task::spawn_blocking(move || {
            shop.stable.wait_for(1);
            shop
        })
        .await
        .unwrap();
        gateway.signal("TERM");
        let mut body = response.await.expect("an answer").into_body();
        let mut whole = Vec::new();
        while let Some(data) = body.data().await {
            whole.extend_from_slice(&data.expect("the whole body"));
        }
        // Told in good order, a connection ends without an error.
        first.await.unwrap().expect("the busy one was told to go away");
        second.await.unwrap().expect("the idle one was told to go away");
        drop((busy, idle));
        whole
    });
    assert_eq!(body, b"late but whole");
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for second in ["TERM", "INT"] {
        let shop = Shop::start();
        shop.stable.answer(|_| Answer::hang());
        let config = one_route("") + "shutdown: {grace: 10m, delay: 5m}\n";
        let mut gateway = shop.gateway(&config, json!({"v": opt_in()}));
        let address = gateway.address("main");
        let request = std::thread::spawn(move || Client::new(address).get("/").try_send());
        shop.stable.wait_for(1);
        gateway.signal("TERM");
        gateway.wait_for_log("it drains", |line| line["fields"]["message"] == "draining");
        gateway.signal(second);
        assert_eq!(gateway.wait().code(), Some(0), "{second}");
        assert!(request.join().expect("the client ends").is_err(), "it was not waited for");
    }
}

#[test]
fn event_streams_are_ended_as_their_format_has_it() {
    let shop = Shop::start();
    let route = one_route("") + "  - {name: flags, match: {path_prefix: /ofrep}, ofrep: {flags: all}}\n";
    let route = route.replace("{path_prefix: /},", "{path: /},");
    let mut gateway = shop.gateway(&route, json!({"v": opt_in()}));
    let of_clients = Stay::open(&gateway, "/ofrep/v1/stream", &[]);
    let admin = |target: &str| {
        let mut stream = TcpStream::connect(gateway.admin()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        stream
    };
    let of_operators = ["/api/v1/events?split=true", "/ofrep/v1/stream"].map(admin);
    gateway.signal("TERM");
    let begun = Instant::now();
    assert!(of_clients.end().ends_with("\r\n0\r\n\r\n"), "its last chunk says that it is the last");
    for mut stream in of_operators {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("no reset");
        assert!(rest.ends_with(b"\r\n0\r\n\r\n"), "{}", String::from_utf8_lossy(&rest));
    }
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "nobody waited for them: {:?}", begun.elapsed());
}

#[test]
fn streams_that_last_are_cut_when_the_grace_is_over_and_logged() {
    let upstream = LongUpstream::start("stable");
    let services = services(&format!("['{}']", upstream.address()), "['127.0.0.1:1']");
    let config = services + &one_route("") + "shutdown: {grace: 2s, delay: 0s}\n";
    let mut gateway = Gateway::start(&config, json!({"v": opt_in()}));
    let (mut tunnel, _) = Stay::tunnel(&gateway, &[]);
    let events = Stay::open(&gateway, "/events", &[("accept", "text/event-stream")]);
    gateway.signal("TERM");
    gateway.wait_for_log("it drains", |line| line["fields"]["message"] == "draining");
    tunnel.echoes("not yet");
    assert_eq!(tunnel.end(), "");
    assert!(!events.end().ends_with("\r\n0\r\n\r\n"), "what was cut does not look whole");
    assert_eq!(gateway.wait().code(), Some(0));
    assert_eq!(gateway.stdout.json().len(), 2, "both have their lines: {}", gateway.stdout.text());
}

#[test]
fn a_shadow_that_hangs_keeps_nobody() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::hang());
    let mut gateway = shop.gateway(&shadowed(", timeout: 5m"), dark());
    gateway.get("/");
    shop.canary.wait_for(1);
    let begun = Instant::now();
    gateway.signal("TERM");
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_request_whose_body_is_still_on_its_way_is_served() {
    let shop = Shop::start();
    let config = one_route("") + "shutdown: {grace: 20s, delay: 0s}\n";
    let mut gateway = shop.gateway(&config, json!({"v": opt_in()}));
    let mut stream = TcpStream::connect(gateway.address("main")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: shop.test\r\ncontent-length: 10\r\n\r\nfirst").unwrap();
    // A second connection is answered behind it: the gate has read the head by then.
    assert_eq!(gateway.get("/").status, 200);
    gateway.signal("TERM");
    gateway.wait_for_log("it drains", |line| line["fields"]["message"] == "draining");
    eventually("no connection is taken any more", || TcpStream::connect(gateway.address("main")).is_err());
    std::thread::sleep(Duration::from_secs(2));
    stream.write_all(b" half").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is answered");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("stable"), "{answer}");
    assert_eq!(shop.stable.last().body, b"first half");
    assert_eq!(gateway.wait().code(), Some(0));
}
