//! Requests of HTTP/1 as they should not be, and as they may be (RFC 9110, RFC 9112): each is said as it stands here, byte for byte. What
//! Pingora by itself is known to take is shown to be taken by it.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use crate::support::{Shop, Upstream, bare, one_route, say_for, statuses};

/// What is said, and what may come of it.
struct Case {
    name: String,
    said: Vec<u8>,
    /// Of the answers, in order; nothing comes behind them.
    answers: Vec<&'static str>,
    /// What the upstream sees: method, target, body.
    seen: Vec<(&'static str, &'static str, &'static str)>,
    /// What no head that it sees has, in lower case.
    unseen: &'static [&'static str],
    /// Whether Pingora alone gets it wrong.
    bare: bool,
}

/// Characters up to U+00FF stand for their byte.
fn case(name: impl Into<String>, said: &str) -> Case {
    let said = said.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    Case { name: name.into(), said, answers: Vec::new(), seen: Vec::new(), unseen: &[], bare: false }
}

impl Case {
    fn refused(mut self, status: &'static str) -> Case {
        self.answers.push(status);
        self
    }

    /// One more request that is answered by the upstream.
    fn seen(mut self, method: &'static str, target: &'static str, body: &'static str) -> Case {
        self.answers.push("200");
        self.seen.push((method, target, body));
        self
    }

    fn without(self, unseen: &'static [&'static str]) -> Case {
        Case { unseen, ..self }
    }

    fn bare(self) -> Case {
        Case { bare: true, ..self }
    }

    /// What is wrong with how it went; none: nothing.
    fn run(&self, address: SocketAddr, upstream: &Upstream, patience: Duration) -> Option<String> {
        let before = upstream.count();
        let said = say_for(address, &self.said, patience);
        let seen = upstream.requests().split_off(before);
        let found: Vec<_> = seen.iter().map(|request| (request.method(), request.target())).collect();
        let bodies: Vec<_> = seen.iter().map(|request| String::from_utf8_lossy(&request.body)).collect();
        let heads: String = seen.iter().map(|request| request.text().to_ascii_lowercase()).collect();
        let as_expected = found.len() == self.seen.len()
            && self
                .seen
                .iter()
                .zip(&found)
                .zip(&bodies)
                .all(|((expected, (method, target)), body)| *expected == (&**method, &**target, &**body))
            && self.unseen.iter().all(|text| !heads.contains(text));
        let last: Vec<&str> = statuses(&said).into_iter().filter(|status| *status != "100").collect();
        (!as_expected || last != self.answers)
            .then(|| format!("{}: answered {said:?}; seen {found:?} {bodies:?} {heads:?}", self.name))
    }
}

const HOST: &str = "host: shop.test\r\n";
const CLOSE: &str = "connection: close\r\n";
const CHUNKS: &str = "5\r\nhello\r\n0\r\n\r\n";

/// A request that ends its connection.
fn get(line: &str, fields: &str) -> String {
    format!("{line}\r\n{HOST}{fields}{CLOSE}\r\n")
}

fn post(fields: &str, body: &str) -> String {
    format!("POST /p HTTP/1.1\r\n{HOST}{fields}{CLOSE}\r\n{body}")
}

fn request_lines() -> Vec<Case> {
    let refused = [
        ("400", "GET  / HTTP/1.1"),
        ("400", "GET /  HTTP/1.1"),
        ("400", " GET / HTTP/1.1"),
        ("400", "GET / HTTP/1.1 "),
        ("400", "GET\t/\tHTTP/1.1"),
        ("400", "GET /\u{b}HTTP/1.1"),
        ("400", "GET /"),
        ("400", "GET"),
        ("400", "GET / http/1.1"),
        ("400", "GET / Http/1.1"),
        ("400", "GET / HTTP/1"),
        ("400", "GET / HTTP/1."),
        ("400", "GET / HTTP/.1"),
        ("400", "GET / HTTP/1,1"),
        ("400", "GET / HTTP/1.10"),
        ("400", "GET / HTTP/01.1"),
        ("400", "GET / HTTP/1.1x"),
        ("400", "GET / HTTP 1.1"),
        ("400", "GET / HTTPS/1.1"),
        ("400", "GET / XTTP/1.1"),
        ("400", "GET / HTTP/\u{ff}.1"),
        ("505", "GET / HTTP/1.2"),
        ("505", "GET / HTTP/2.0"),
        ("505", "GET / HTTP/0.9"),
        ("505", "GET / HTTP/9.9"),
        ("400", "G@T / HTTP/1.1"),
        ("400", "G(T / HTTP/1.1"),
        ("400", "GE\u{0}T / HTTP/1.1"),
        ("400", "G\u{e9}T / HTTP/1.1"),
        ("400", "GET: / HTTP/1.1"),
        ("400", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1} / HTTP/1.1"),
        ("405", "CONNECT shop.test:443 HTTP/1.1"),
        ("405", "CONNECT / HTTP/1.1"),
        ("400", "GET * HTTP/1.1"),
        ("400", "GET shop HTTP/1.1"),
        ("400", "GET ?a HTTP/1.1"),
        ("400", "GET shop.test:80 HTTP/1.1"),
        ("400", "GET http:/// HTTP/1.1"),
        ("400", "GET http://shop.test@evil.test/ HTTP/1.1"),
        ("400", "GET http://evil.test/ HTTP/1.1"),
        ("400", "GET http://shop.test:81/ HTTP/1.1"),
        ("400", "GET ftp://shop.test/ HTTP/1.1"),
        ("400", "GET http:/shop.test HTTP/1.1"),
        ("400", "GET /\u{7f} HTTP/1.1"),
        ("400", "GET /\u{1b} HTTP/1.1"),
        ("400", "GET /\u{e9} HTTP/1.1"),
        ("400", "GET /\u{ff} HTTP/1.1"),
    ];
    let known = [
        ("400", "GET /a\u{0}b HTTP/1.1"),
        ("400", "GET /a\rb HTTP/1.1"),
        ("400", "GET /a b HTTP/1.1"),
        ("400", "GET /a#b HTTP/1.1"),
    ];
    let line = |(status, line): (&'static str, &str)| case(line, &get(line, "")).refused(status);
    let mut cases: Vec<Case> = refused.into_iter().map(line).collect();
    cases.extend(known.into_iter().map(|known| line(known).bare()));
    for (line, method, target) in [
        ("GET / HTTP/1.1", "GET", "/"),
        ("get / HTTP/1.1", "get", "/"),
        ("PURGE /x HTTP/1.1", "PURGE", "/x"),
        ("M-SEARCH /x HTTP/1.1", "M-SEARCH", "/x"),
        ("A!#$%&'*+.^_`|~9 / HTTP/1.1", "A!#$%&'*+.^_`|~9", "/"),
        ("OPTIONS * HTTP/1.1", "OPTIONS", "*"),
        ("OPTIONS / HTTP/1.1", "OPTIONS", "/"),
        ("TRACE / HTTP/1.1", "TRACE", "/"),
        ("GET /a?b=c&d=%20 HTTP/1.1", "GET", "/a?b=c&d=%20"),
        ("GET /%00 HTTP/1.1", "GET", "/%00"),
        ("GET /a;b=c,d:e@f!$&'()*+~ HTTP/1.1", "GET", "/a;b=c,d:e@f!$&'()*+~"),
        ("GET /?a=[1]|{2} HTTP/1.1", "GET", "/?a=[1]|{2}"),
        ("GET /?q=http://other.test/ HTTP/1.1", "GET", "/?q=http://other.test/"),
        ("GET http://shop.test/a?b HTTP/1.1", "GET", "/a?b"),
        ("GET HTTP://SHOP.test/a HTTP/1.1", "GET", "/a"),
        ("GET / HTTP/1.0", "GET", "/"),
    ] {
        cases.push(case(line, &get(line, "")).seen(method, target, ""));
    }
    cases
}

fn fields() -> Vec<Case> {
    let get = |fields: &str| get("GET / HTTP/1.1", fields);
    let mut cases = Vec::new();
    for field in [
        "x-a : 1",
        "x-a\t: 1",
        "x a: 1",
        " x-a: 1",
        "\tx-a: 1",
        ": 1",
        "x-a",
        "x-a\u{0}: 1",
        "x\u{e9}: 1",
        "x(a): 1",
        "x/a: 1",
        "\"x\": 1",
        "x-a: 1\u{0}",
        "x-a: 1\r2",
        "x-a: \u{1}",
        "x-a: \u{1b}[0m",
        "x-a: 1\u{7f}",
        "x-a: 1\r\n 2",
        "x-a: 1\r\n\t2",
        "x-a: 1\r\n ",
        "x-a: 1\n2",
        "x-a: 1\r\rx-b: 1",
    ] {
        cases.push(case(field, &get(&format!("{field}\r\n"))).refused("400"));
    }
    cases.push(case("a line that ends in LF", &get("x-a: 1\n")).refused("400").bare());
    cases.push(
        case("only LF", "GET / HTTP/1.1\nhost: shop.test\nconnection: close\n\n").refused("400").bare(),
    );
    cases.push(
        case("LF behind the request line", "GET / HTTP/1.1\nhost: shop.test\r\n\r\n").refused("400").bare(),
    );
    cases.push(case("LF as the last line", "GET / HTTP/1.1\r\nhost: shop.test\r\n\n").refused("400").bare());
    cases.push(case("two empty lines in front", &format!("\r\n\r\n{}", get(""))).refused("400").bare());
    cases.push(case("an empty line in front", &format!("\r\n{}", get(""))).seen("GET", "/", ""));
    cases.push(case("an empty line of LF in front", &format!("\n{}", get(""))).refused("400").bare());
    cases.push(case("CR in front", &format!("\r{}", get(""))).refused("400"));
    cases
        .push(case("a space before the fields", "GET / HTTP/1.1\r\n host: shop.test\r\n\r\n").refused("400"));
    for field in [
        "x-a:1",
        "x-a: \t 1 \t",
        "x-a:",
        "x-a: \u{e9}\u{ff}",
        "X-A: \"a\\\"b\"",
        "x-a: 1, 2,, 3",
        "!#$%&'*+.^`|~9: 1",
    ] {
        cases.push(case(field, &get(&format!("{field}\r\n"))).seen("GET", "/", ""));
    }
    for (name, field, unseen) in [
        ("an underscore", "x_a: 1", &["x_a"][..]),
        ("a decision", "X-Flag-V: canary", &["x-flag-v: canary"]),
        ("a decision with an underscore", "X_Flag_V: canary", &["canary"]),
        ("a decision with a dot", "x.flag.v: canary", &["canary"]),
        ("the dictionary", "Flag-Decisions: v=canary", &["canary"]),
        ("nominated by Connection", "x-a: 1\r\nconnection: x-a", &["x-a: 1"]),
        (
            "HTTP/2 by upgrade",
            "upgrade: h2c\r\nhttp2-settings: AAMAAABk\r\nconnection: upgrade, http2-settings, close",
            &["h2c", "http2-settings"],
        ),
        (
            "HTTP/2 by upgrade, among others",
            "upgrade: websocket, H2C\r\nconnection: upgrade, close",
            &["h2c"],
        ),
        (
            "hop by hop",
            "te: trailers\r\nkeep-alive: 5\r\nproxy-connection: close",
            &["keep-alive", "proxy-connection"],
        ),
    ] {
        cases.push(case(name, &get(&format!("{field}\r\n"))).seen("GET", "/", "").without(unseen));
    }
    let many = |count: usize| "x: 1\r\n".repeat(count);
    cases.push(case("a hundred fields", &get(&many(98))).seen("GET", "/", ""));
    cases.push(case("more fields", &get(&many(99))).refused("431"));
    cases.push(case("a long value", &get(&format!("x: {}\r\n", "a".repeat(16 << 10)))).seen("GET", "/", ""));
    cases.push(case("too long a value", &get(&format!("x: {}\r\n", "a".repeat(33 << 10)))).refused("431"));
    cases.push(case("too long a name", &get(&format!("{}: 1\r\n", "a".repeat(33 << 10)))).refused("431"));
    cases.push(
        case("a value without end", &format!("GET / HTTP/1.1\r\nx: {}", "a".repeat(40 << 10))).refused("431"),
    );
    cases.push(case("a long target", &format!("GET /{} HTTP/1.1\r\n", "a".repeat(9 << 10))).refused("414"));
    cases.push(case("a target without end", &format!("GET /{}", "a".repeat(40 << 10))).refused("414"));
    cases
}

fn hosts() -> Vec<Case> {
    let said = |version: &str, fields: &str| format!("GET / HTTP/1.{version}\r\n{fields}{CLOSE}\r\n");
    let mut cases = vec![
        case("no host", &said("1", "")).refused("400").bare(),
        case("an empty host", &said("1", "host:\r\n")).refused("400").bare(),
        case("no host, in HTTP/1.0", &said("0", "")).seen("GET", "/", ""),
        case("two hosts in HTTP/1.0", &said("0", "host: a\r\nhost: a\r\n")).refused("400"),
        case("two hosts", &said("1", "host: a\r\nhost: b\r\n")).refused("400"),
        case("a host twice", &said("1", "host: a\r\nhost: a\r\n")).refused("400"),
        case(
            "an absolute target without a host",
            "GET http://shop.test/ HTTP/1.1\r\nconnection: close\r\n\r\n",
        )
        .refused("400"),
        case("nominated by Connection", &said("1", "host: shop.test\r\nconnection: host\r\n")).refused("400"),
    ];
    for host in [
        "a b",
        "a,b",
        "a, b",
        "a/b",
        "a@b",
        "u:p@a",
        "a?b",
        "a#b",
        "a\\b",
        "a:b",
        "a:80:80",
        "a:99999",
        "a:-1",
        "a:+80",
        ":80",
        "[::1",
        "::1",
        "[zz]",
        "[::1]x",
        "[::1%25eth0]",
        "a\u{e9}",
        "a\u{0}",
        "<a>",
        "a|b",
        "a\tb",
    ] {
        cases.push(case(host, &said("1", &format!("host: {host}\r\n"))).refused("400"));
    }
    for host in [
        "a",
        "A.Test",
        "a.test.",
        "a.test:80",
        "a.test:",
        "127.0.0.1",
        "[::1]",
        "[::1]:8080",
        "a_b.test",
        "xn--4ca.test",
        "-",
    ] {
        cases.push(case(host, &said("1", &format!("host: {host}\r\n"))).seen("GET", "/", ""));
    }
    cases
}

fn bodies() -> Vec<Case> {
    let mut cases = Vec::new();
    for length in [
        "",
        "a",
        "+5",
        "-5",
        "5a",
        "0x5",
        "5 5",
        "5;5",
        "5.0",
        "\"5\"",
        "1e1",
        "18446744073709551616",
        "99999999999999999999",
        "9223372036854775808",
        "\u{b2}",
        "5\u{b}",
    ] {
        cases.push(
            case(format!("length {length}"), &post(&format!("content-length: {length}\r\n"), "hello"))
                .refused("400"),
        );
    }
    cases.push(case("two in one", &post("content-length: 5, 5\r\n", "hello")).refused("400").bare());
    cases.push(
        case("twice", &post("content-length: 5\r\ncontent-length: 5\r\n", "hello")).refused("400").bare(),
    );
    cases.push(
        case("two lengths", &post("content-length: 5\r\ncontent-length: 6\r\n", "hello!")).refused("400"),
    );
    cases.push(
        case("both", &post("content-length: 5\r\ntransfer-encoding: chunked\r\n", CHUNKS))
            .refused("400")
            .bare(),
    );
    cases.push(
        case("both, the other way", &post("transfer-encoding: chunked\r\ncontent-length: 15\r\n", CHUNKS))
            .refused("400")
            .bare(),
    );
    cases.push(
        case("both, and none", &post("content-length: 0\r\ntransfer-encoding: chunked\r\n", CHUNKS))
            .refused("400")
            .bare(),
    );
    for (status, coding) in [
        ("400", "xchunked"),
        ("400", "identity"),
        ("400", "chunked, identity"),
        ("400", "chunked;q=1"),
        ("400", "\u{b}chunked"),
        ("400", "\"chunked\""),
        ("400", "chunked "),
        ("400", ""),
        ("400", ","),
        ("400", "chunked,"),
        ("400", "gzip"),
        ("400", "chunkedchunked"),
        ("400", "chunked\u{0}"),
    ]
    .into_iter()
    // White space around a value is none of it.
    .filter(|(_, coding)| *coding != "chunked ")
    {
        cases.push(
            case(format!("coding {coding}"), &post(&format!("transfer-encoding: {coding}\r\n"), CHUNKS))
                .refused(status),
        );
    }
    cases.push(
        case("chunked twice", &post("transfer-encoding: chunked, chunked\r\n", CHUNKS)).refused("400").bare(),
    );
    cases.push(
        case("two lines", &post("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", CHUNKS))
            .refused("400"),
    );
    cases.push(
        case(
            "identity and chunked",
            &post("transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n", CHUNKS),
        )
        .refused("400"),
    );
    cases.push(case("gzip", &post("transfer-encoding: gzip, chunked\r\n", CHUNKS)).refused("501").bare());
    cases.push(case("a space", &post("transfer-encoding : chunked\r\n", CHUNKS)).refused("400"));
    cases.push(case("folded", &post("transfer-encoding:\r\n chunked\r\n", CHUNKS)).refused("400"));
    cases.push(
        case(
            "chunked in HTTP/1.0",
            &format!("POST / HTTP/1.0\r\n{HOST}transfer-encoding: chunked\r\n\r\n{CHUNKS}"),
        )
        .refused("400"),
    );
    for (name, fields, body) in [
        ("a length", "content-length: 5\r\n", "hello"),
        ("a length with zeros", "content-length: 005\r\n", "hello"),
        ("a length and space", "content-length: \t5 \r\n", "hello"),
        ("nominated length", "content-length: 5\r\nconnection: content-length\r\n", "hello"),
        ("chunks", "transfer-encoding: chunked\r\n", CHUNKS),
        ("CHUNKS", "Transfer-Encoding: CHUNKED\r\n", CHUNKS),
        ("space", "transfer-encoding: chunked \r\n", CHUNKS),
        ("nominated chunks", "transfer-encoding: chunked\r\nconnection: transfer-encoding\r\n", CHUNKS),
        ("two chunks", "transfer-encoding: chunked\r\n", "2\r\nhe\r\n003\r\nllo\r\n0\r\n\r\n"),
        ("an extension", "transfer-encoding: chunked\r\n", "5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n"),
        (
            "trailers",
            "transfer-encoding: chunked\r\n",
            "5\r\nhello\r\n0\r\nx-flag-v: canary\r\nx-sum: 1\r\n\r\n",
        ),
    ] {
        cases
            .push(case(name, &post(fields, body)).seen("POST", "/p", "hello").without(&["x-flag-v: canary"]));
    }
    cases
}

fn chunks() -> Vec<Case> {
    let mut cases = Vec::new();
    for chunks in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello!\r\n0\r\n\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "g\r\nhello\r\n0\r\n\r\n",
        ";a\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;\u{0}\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\nx : 1\r\n\r\n",
        "5\r\nhello\r\n0\r\nx\r\n\r\n",
        "5\r\nhello\r\n0\r\n x: 1\r\n\r\n",
        "5\r\nhello\r\n0\r\nx: \u{0}\r\n\r\n",
        "5\r\nhello\r\n0\r\nx: 1\n\r\n",
        "5\u{b}\r\nhello\r\n0\r\n\r\n",
        "5,5\r\nhello\r\n0\r\n\r\n",
        "\u{b2}\r\nhello\r\n0\r\n\r\n",
    ] {
        cases.push(
            case(format!("chunks {chunks}"), &post("transfer-encoding: chunked\r\n", chunks)).refused("400"),
        );
    }
    cases
}

fn rows() -> Vec<Case> {
    let one = format!("GET /1 HTTP/1.1\r\n{HOST}\r\n");
    let last = get("GET /2 HTTP/1.1", "");
    let chunked = format!("POST /p HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n{CHUNKS}");
    vec![
        case("two in a row", &format!("{one}{last}")).seen("GET", "/1", "").seen("GET", "/2", ""),
        case("chunks first", &format!("{chunked}{last}")).seen("POST", "/p", "hello").seen("GET", "/2", ""),
        case("nothing behind the last", &format!("{last}{one}")).seen("GET", "/2", ""),
        case("the second is wrong", &format!("{one}GET / HTTP/1.1\r\n\r\n{last}"))
            .seen("GET", "/1", "")
            .refused("400"),
        case(
            "the second is a body",
            &post("content-length: 5\r\n", "helloGET /2 HTTP/1.1\r\nhost: a\r\n\r\n"),
        )
        .seen("POST", "/p", "hello"),
        case(
            "an underscore hides no body",
            &format!("POST /p HTTP/1.1\r\n{HOST}transfer_encoding: chunked\r\n\r\n{CHUNKS}"),
        )
        .seen("POST", "/p", "")
        .refused("400"),
        case("a GET with a body", &format!("GET /1 HTTP/1.1\r\n{HOST}content-length: 5\r\n\r\nhello{last}"))
            .seen("GET", "/1", "hello")
            .seen("GET", "/2", ""),
        case("expected", &post("expect: 100-continue\r\ncontent-length: 5\r\n", "hello"))
            .seen("POST", "/p", "hello"),
        case("expected in capitals", &post("Expect: 100-Continue\r\ncontent-length: 5\r\n", "hello"))
            .seen("POST", "/p", "hello"),
        case("expected otherwise", &post("expect: 200-ok\r\ncontent-length: 5\r\n", "hello")).refused("417"),
        case("keep-alive of HTTP/1.0", &format!("GET /1 HTTP/1.0\r\nconnection: keep-alive\r\n\r\n{last}"))
            .seen("GET", "/1", "")
            .seen("GET", "/2", ""),
        case("no keep-alive of HTTP/1.0", &format!("GET /1 HTTP/1.0\r\n\r\n{last}")).seen("GET", "/1", ""),
    ]
}

fn all() -> Vec<Case> {
    [request_lines(), fields(), hosts(), bodies(), chunks(), rows()].into_iter().flatten().collect()
}

#[test]
fn each_request_is_served_or_refused_as_it_deserves() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), json!({}));
    let address = gateway.address("main");
    let cases = all();
    assert!(cases.len() > 200, "{}", cases.len());
    let wrong: Vec<String> =
        cases.iter().filter_map(|case| case.run(address, &shop.stable, Duration::from_secs(5))).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn pingora_alone_takes_what_it_is_known_to_take() {
    let upstream = Upstream::start("bare");
    let address = bare(upstream.address);
    let known: Vec<Case> = all().into_iter().filter(|case| case.bare).collect();
    assert!(known.len() >= 15, "{}", known.len());
    for case in known {
        // It serves on, so that nothing but time ends what it says.
        assert!(case.run(address, &upstream, Duration::from_millis(200)).is_some(), "{}", case.name);
    }
}
