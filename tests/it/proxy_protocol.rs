//! Who is told by a load balancer in front: the PROXY protocol before plain and TLS listeners, from whom it is believed, and from whom not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use serde_json::json;

use crate::support::{Authority, Gateway, Setup, Shop, eventually, one_route};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\n\r\n";

fn setup(shop: &Shop, authority: &Authority, from: &str, rest: &str) -> Setup {
    let issued = authority.issue(&["shop.test"]);
    let rest = one_route("")
        + &format!(
            "listeners:
  - {{name: main, bind: '127.0.0.1:0', proxy_protocol: [{from}]}}
  - name: safe
    bind: '127.0.0.1:0'
    proxy_protocol: [{from}]
    tls: {{certificates: [{{cert: s.pem, key: s.key}}]}}
{rest}"
        );
    shop.setup(&rest, json!({})).file("s.pem", &issued.cert).file("s.key", &issued.key)
}

fn connect(gateway: &Gateway, listener: &str) -> TcpStream {
    let stream = TcpStream::connect(gateway.address(listener)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Everything that comes until the end.
fn rest(mut stream: impl Read) -> String {
    let mut answer = Vec::new();
    // A connection that is reset has said what it had to say.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// What is answered to a head and a request in one piece, in the clear.
fn plain(gateway: &Gateway, head: &[u8]) -> String {
    let mut stream = connect(gateway, "main");
    stream.write_all(&[head, GET].concat()).unwrap();
    rest(stream)
}

/// The same under TLS.
fn secured(gateway: &Gateway, authority: &Authority, head: &[u8]) -> String {
    let mut stream = connect(gateway, "safe");
    stream.write_all(head).unwrap();
    let name = ServerName::try_from("shop.test").unwrap();
    let session = ClientConnection::new(Arc::clone(&authority.client()), name).unwrap();
    let mut stream = StreamOwned::new(session, stream);
    match stream.write_all(GET) {
        Ok(()) => rest(stream),
        Err(_) => String::new(),
    }
}

fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let mut head = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    head.extend([command, family]);
    head.extend((body.len() as u16).to_be_bytes());
    head.extend(body);
    head
}

const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 1, 187];

fn v6() -> Vec<u8> {
    let ip = |last: u8| [&[0x20, 1, 0x0d, 0xb8][..], &[0; 11], &[last]].concat();
    [ip(7), ip(1), vec![0x12, 0x67, 1, 187]].concat()
}

/// Heads and the client that a service behind is told.
fn heads() -> Vec<(Vec<u8>, &'static str)> {
    let socket = "127.0.0.1";
    vec![
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n".to_vec(), "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n".to_vec(), "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n".to_vec(), socket),
        (v2(0x21, 0x11, &V4), "192.0.2.7"),
        (v2(0x21, 0x21, &v6()), "2001:db8::7"),
        // An authority of TLS and a checksum that nobody reads.
        (
            v2(0x21, 0x11, &[&V4[..], &[2, 0, 4, b's', b'h', b'o', b'p', 3, 0, 4, 0, 0, 0, 0]].concat()),
            "192.0.2.7",
        ),
        (v2(0x20, 0x00, &[]), socket),
        (v2(0x21, 0x00, &[]), socket),
    ]
}

#[test]
fn a_told_client_is_the_client_everywhere_in_the_clear_and_under_tls() {
    let (shop, authority) = (Shop::start(), Authority::new());
    let gateway = setup(&shop, &authority, "127.0.0.0/8", "").start();
    for (index, (head, client)) in heads().into_iter().enumerate() {
        let answers = [plain(&gateway, &head), secured(&gateway, &authority, &head)];
        for answer in answers {
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("stable"), "{head:?}: {answer}");
        }
        let seen = shop.stable.wait_for(2 * (index + 1));
        for request in &seen[2 * index..] {
            assert_eq!(request.header("x-forwarded-for").as_deref(), Some(client), "{head:?}");
        }
    }
}

#[test]
fn a_told_client_can_be_a_trusted_proxy_and_has_its_own_cap() {
    let (shop, authority) = (Shop::start(), Authority::new());
    let more = "context: {trusted_proxies: [192.0.2.0/24]}\nlimits: {connections_per_address: 2}\n";
    let gateway = setup(&shop, &authority, "127.0.0.0/8", more).start();
    let head = |ip: &str| format!("PROXY TCP4 {ip} 198.51.100.1 4711 443\r\n");
    let told =
        "GET / HTTP/1.1\r\nhost: shop.test\r\nx-forwarded-for: 203.0.113.9\r\nconnection: close\r\n\r\n";
    for ip in ["192.0.2.7", "198.51.100.9"] {
        let mut stream = connect(&gateway, "main");
        stream.write_all((head(ip) + told).as_bytes()).unwrap();
        assert!(rest(stream).starts_with("HTTP/1.1 200 "));
    }
    let seen: Vec<_> =
        shop.stable.wait_for(2).iter().map(|request| request.header("x-forwarded-for").unwrap()).collect();
    assert_eq!(seen, ["203.0.113.9, 192.0.2.7", "198.51.100.9"], "one is believed, the other is not");
    let mut idle = Vec::new();
    eventually("both places of that address are taken", || {
        let mut stream = connect(&gateway, "main");
        stream.write_all(head("203.0.113.1").as_bytes()).unwrap();
        idle.push(stream);
        plain(&gateway, head("203.0.113.1").as_bytes()).starts_with("HTTP/1.1 503 ")
    });
    assert!(
        plain(&gateway, head("203.0.113.2").as_bytes()).starts_with("HTTP/1.1 200 "),
        "another has its own"
    );
    drop(idle);
}

#[test]
fn whoever_has_to_say_it_and_says_something_else_is_refused() {
    let (shop, authority) = (Shop::start(), Authority::new());
    let gateway = setup(&shop, &authority, "127.0.0.0/8", "limits: {handshake_time: 400ms}\n").start();
    let table = [
        b"".to_vec(),
        b"PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.7, 198.51.100.1 4711 443\r\n".to_vec(),
        [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200], b"\r\n".to_vec()].concat(),
        v2(0x11, 0x11, &V4),
        v2(0x21, 0x11, &[0; 5000]),
        v2(0x21, 0x21, &V4),
    ];
    for head in &table {
        let answer = plain(&gateway, head);
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.matches("HTTP/1.1").count() == 1,
            "{head:?}: {answer}"
        );
        assert_eq!(secured(&gateway, &authority, head), "", "{head:?}");
    }
    let refused = |why: &str| gateway.metrics().sum("flagway_refused_total", &[("why", why)]);
    assert_eq!(refused("proxy_head"), 2.0 * table.len() as f64);
    // Cut short, and one that never comes to its end whatever its pace.
    let whole = v2(0x21, 0x11, &V4);
    let mut cut = connect(&gateway, "main");
    cut.write_all(&whole[..20]).unwrap();
    cut.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(rest(cut).starts_with("HTTP/1.1 400 "));
    for listener in ["main", "safe"] {
        let mut drip = connect(&gateway, listener);
        for byte in b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443" {
            if drip.write_all(&[*byte]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(rest(drip).starts_with("HTTP/1.1 408 "), listener == "main", "{listener}");
    }
    assert_eq!(refused("proxy_time"), 2.0);
    assert_eq!(shop.stable.count(), 0);
}

#[test]
fn from_all_others_it_is_no_request() {
    let (shop, authority) = (Shop::start(), Authority::new());
    let gateway = setup(&shop, &authority, "10.0.0.0/8", "").start();
    for (head, _) in heads() {
        assert!(plain(&gateway, &head).starts_with("HTTP/1.1 400 "), "{head:?}");
        assert_eq!(secured(&gateway, &authority, &head), "", "{head:?}");
    }
    assert_eq!(shop.stable.count(), 0);
    assert!(plain(&gateway, b"").starts_with("HTTP/1.1 200 "));
    assert!(secured(&gateway, &authority, b"").starts_with("HTTP/1.1 200 "));
    assert_eq!(shop.stable.wait_for(2)[0].header("x-forwarded-for").as_deref(), Some("127.0.0.1"));
}
