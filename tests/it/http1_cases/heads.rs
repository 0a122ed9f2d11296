//! Heads: request lines, field lines, hosts.

use super::{CLOSE, Case, case, get};

pub fn request_lines() -> Vec<Case> {
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

pub fn fields() -> Vec<Case> {
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

pub fn hosts() -> Vec<Case> {
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
