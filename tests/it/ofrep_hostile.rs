//! Clients that mean no good at the door of OpenFeature clients: whatever they send, they are answered or cut off, and nobody else notices.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use http::Request;
use serde_json::{Value, json};

use crate::support::{Authority, Gateway, H2Body, Setup, flag, h2_request, services};

const BULK: &str = "/ofrep/v1/evaluate/flags";

fn config(more: &str) -> String {
    let route = format!(
        "routes:\n  - {{name: flags, match: {{path_prefix: /ofrep}}, ofrep: {{flags: all, rate: off, {more}}}}}\n"
    );
    services("['127.0.0.1:1']", "['127.0.0.1:1']") + &route
}

fn flags() -> Value {
    let rule = json!({"if": [{"==": [{"cat": [{"var": "a"}, {"var": "b.c"}]}, "xy"]}, "on",
        {"in": [{"var": "a"}, {"var": "list"}]}, "on", {"fractional": [{"var": "targetingKey"}, ["on", 1]]}]});
    json!({"v": flag(json!({"on": true, "off": false}), "off", rule)})
}

fn gateway(more: &str) -> Gateway {
    Setup::new(&config(more)).flags(flags()).start()
}

#[track_caller]
fn serves(gateway: &Gateway) {
    let body = json!({"context": {"a": "x", "b": {"c": "y"}}}).to_string();
    let response = gateway.client().post(BULK, body).header("content-type", "application/json").send();
    assert_eq!((response.status, &response.json()["flags"][0]["value"]), (200, &json!(true)));
}

#[test]
fn hostile_bodies_are_answered() {
    let gateway = gateway("max_body: 1MiB");
    let deep = |n: usize| format!("{{\"context\":{}{}}}", "[".repeat(n), "]".repeat(n));
    let table: Vec<(Vec<u8>, &[u16])> = vec![
        (b"\xff\xfe\x00".to_vec(), &[400]),
        (b"{\"context\":{\"a\":\"\xff\"}}".to_vec(), &[400]),
        (br#"{"context":{"a":"\ud800"}}"#.to_vec(), &[400]),
        (br#"{"context":{"a":"\u0000"}}"#.to_vec(), &[200]),
        (br#"{"context":{"a":1e999}}"#.to_vec(), &[400]),
        (format!(r#"{{"context":{{"a":{}}}}}"#, "9".repeat(10_000)).into_bytes(), &[200, 400]),
        (br#"{"context":{"a":"x","a":{},"b":[],"b":{"c":1}},"context":{}}"#.to_vec(), &[200, 400]),
        (br#"{"context":{"targetingKey":{"a":1}}}"#.to_vec(), &[200]),
        (format!(r#"{{"context":{{"targetingKey":"{}"}}}}"#, "k".repeat(100_000)).into_bytes(), &[200]),
        (deep(100).into_bytes(), &[200, 400]),
        (deep(100_000).into_bytes(), &[400]),
        (format!("{{\"context\":{}1{}}}", "{\"a\":".repeat(50_000), "}".repeat(50_000)).into_bytes(), &[400]),
        (format!(r#"{{"context":{{"list":[{}0]}}}}"#, "1,".repeat(300_000)).into_bytes(), &[200]),
        (
            format!(
                r#"{{"context":{{{}"z":1}}}}"#,
                (0..20_000).map(|n| format!("\"k{n}\":{n},")).collect::<String>()
            )
            .into_bytes(),
            &[200],
        ),
        (br#"{"context":{"$flagd":{"timestamp":1},"":1,"__proto__":{}}}"#.to_vec(), &[200]),
        (b"null".to_vec(), &[200, 400]),
        (b"[]".to_vec(), &[200, 400]),
        (vec![b' '; 1 << 20], &[200, 400]),
    ];
    for (body, statuses) in table {
        let begin = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let response = gateway.client().post(BULK, &body).header("content-type", "application/json").send();
        assert!(statuses.contains(&response.status), "{begin}: {} {}", response.status, response.text());
        if response.status == 400 {
            assert_eq!(response.json()["errorCode"], "INVALID_CONTEXT", "{begin}");
        }
    }
    serves(&gateway);
}

#[test]
fn hostile_keys_and_paths_are_answered() {
    let gateway = gateway("");
    let long = format!("{BULK}/{}", "a".repeat(4000));
    for target in [
        &long,
        "/ofrep/v1/evaluate/flags/%00",
        "/ofrep/v1/evaluate/flags/%ff%fe",
        "/ofrep/v1/evaluate/flags/..%2f..%2fapi",
        "/ofrep/v1/evaluate/flags/%22%0d%0aset-cookie:%20a=b",
        "/ofrep/v1/evaluate/flags//",
        "/ofrep/ofrep/v1/evaluate/flags/v",
        "/ofrep",
    ] {
        let response = gateway.client().post(target, "{}").header("content-type", "application/json").send();
        assert!([200, 400, 404].contains(&response.status), "{target}: {}", response.status);
        assert_eq!(response.all("set-cookie"), [""; 0]);
    }
    serves(&gateway);
}

#[test]
fn a_connection_goes_on_after_a_body_and_after_a_refusal() {
    let gateway = gateway("max_body: 1KiB, keys: [web]");
    let mut client = gateway.client();
    for (key, body, status) in
        [("web", "{}", 200), ("no", "{\"context\": {}}", 401), ("web", "{", 400), ("web", "{}", 200)]
    {
        let response = client
            .post(BULK, body)
            .header("content-type", "application/json")
            .header("x-api-key", key)
            .send();
        assert_eq!(response.status, status);
    }
}

/// A client that waits for leave to send its body gets it, once it is known that the body fits.
#[test]
fn a_body_is_waited_for_only_when_it_fits() {
    let gateway = gateway("max_body: 256B");
    for (length, first) in [(2, "HTTP/1.1 100 "), (300, "HTTP/1.1 413 ")] {
        let mut stream = TcpStream::connect(gateway.traffic()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let head = format!(
            "POST {BULK} HTTP/1.1\r\nhost: a.test\r\nexpect: 100-continue\r\ncontent-length: {length}\r\ncontent-type: application/json\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert!(line.starts_with(first), "{line}");
        if length == 2 {
            stream.write_all(b"{}").unwrap();
            let told: Vec<String> = lines.lines().map_while(Result::ok).take(2).collect();
            assert!(told[1].starts_with("HTTP/1.1 200 "), "{told:?}");
        }
    }
}

/// A hundred bodies that do not come hold nobody up, and each is given up in its time.
#[test]
fn bodies_that_do_not_come_are_given_up() {
    let gateway = gateway("");
    let begin = || {
        let mut stream = TcpStream::connect(gateway.traffic()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let head = format!(
            "POST {BULK} HTTP/1.1\r\nhost: a.test\r\ncontent-length: 100\r\ncontent-type: application/json\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let slow: Vec<TcpStream> = (0..100).map(|_| begin()).collect();
    serves(&gateway);
    for mut stream in slow {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    // Small bodies are awaited by the gate.
    assert_eq!(gateway.metrics().sum("flagway_refused_total", &[("why", "body_time")]), 100.0);
}

#[test]
fn http_2_clients_are_served_alike() {
    let authority = Authority::new();
    let listener = authority.issue(&["shop.test"]);
    let listeners = "listeners: [{name: main, bind: '127.0.0.1:0', tls: {certificates: [{cert: cert.pem, key: key.pem}]}}]\n";
    let setup = Setup::new(&(listeners.to_owned() + &config("max_body: 256B"))).flags(flags());
    let gateway = setup.file("cert.pem", &listener.cert).file("key.pem", &listener.key).start();
    let ask = |body| {
        let request =
            Request::post(format!("https://shop.test{BULK}")).header("content-type", "application/json");
        h2_request(gateway.traffic(), "shop.test", &authority.client(), request, body)
    };
    let (status, body) = ask(H2Body::Pieces(&["{\"context\": {\"a\": \"x\",", "\"b\": {\"c\": \"y\"}}}"]));
    let told: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status.as_u16(), &told["flags"][0]["value"]), (200, &json!(true)));
    assert_eq!(ask(H2Body::None).0.as_u16(), 200);
    const LONG: &str = "                                                                                                    ";
    assert_eq!(ask(H2Body::Pieces(&[LONG, LONG, LONG])).0.as_u16(), 413);
}
