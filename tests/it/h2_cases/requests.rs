//! Requests: their heads and bodies.

use super::*;

pub fn heads() -> Vec<Case> {
    const M: (&str, &str) = (":method", "GET");
    const S: (&str, &str) = (":scheme", "http");
    const P: (&str, &str) = (":path", "/");
    const A: (&str, &str) = (":authority", "shop.test");
    let malformed: Vec<(&str, Vec<(&str, &str)>)> = vec![
        ("no method", vec![S, P, A]),
        ("no scheme", vec![M, P, A]),
        ("no path", vec![M, S, A]),
        ("nobody asked", vec![M, S, P]),
        ("nothing", vec![]),
        ("two methods", vec![M, M, S, P, A]),
        ("two schemes", vec![M, S, S, P, A]),
        ("two paths", vec![M, S, P, P, A]),
        ("two authorities", vec![M, S, P, A, A]),
        ("a status", vec![M, S, P, A, (":status", "200")]),
        ("an unknown pseudo-field", vec![M, S, P, A, (":test", "1")]),
        ("a pseudo-field behind a field", vec![M, S, P, ("x-a", "1"), A]),
        ("an empty path", vec![M, S, (":path", ""), A]),
        ("an empty method", vec![(":method", ""), S, P, A]),
        ("a method that is none", vec![(":method", "G T"), S, P, A]),
        ("a method with a line", vec![(":method", "GET\r\n"), S, P, A]),
        ("an empty authority", vec![M, S, P, (":authority", "")]),
        ("an authority with a user", vec![M, S, P, (":authority", "u@shop.test")]),
        ("an authority with a space", vec![M, S, P, (":authority", "a b")]),
        ("an authority with a path", vec![M, S, P, (":authority", "a/b")]),
        ("an authority with a port of no use", vec![M, S, P, (":authority", "a:99999")]),
        ("another host", vec![M, S, P, A, ("host", "evil.test")]),
        ("two hosts", vec![M, S, P, ("host", "a"), ("host", "b")]),
        ("a host of nothing", vec![M, S, P, ("host", "")]),
        ("another scheme", vec![M, (":scheme", "ftp"), P, A]),
        ("an absolute path", vec![M, S, (":path", "http://shop.test/"), A]),
        ("a path with a space", vec![M, S, (":path", "/a b"), A]),
        ("a path with a line", vec![M, S, (":path", "/a\r\nx: 1"), A]),
        ("a path with NUL", vec![M, S, (":path", "/\u{0}"), A]),
        ("a path with DEL", vec![M, S, (":path", "/\u{7f}"), A]),
        ("a path that is none", vec![M, S, (":path", "shop"), A]),
        ("a star", vec![M, S, (":path", "*"), A]),
        ("connection", vec![M, S, P, A, ("connection", "close")]),
        ("keep-alive", vec![M, S, P, A, ("keep-alive", "1")]),
        ("proxy-connection", vec![M, S, P, A, ("proxy-connection", "close")]),
        ("upgrade", vec![M, S, P, A, ("upgrade", "websocket")]),
        ("transfer-encoding", vec![M, S, P, A, ("transfer-encoding", "chunked")]),
        ("te", vec![M, S, P, A, ("te", "trailers, deflate")]),
        ("capitals", vec![M, S, P, A, ("X-A", "1")]),
        ("a name of nothing", vec![M, S, P, A, ("", "1")]),
        ("a name with a space", vec![M, S, P, A, ("x a", "1")]),
        ("a name with a colon", vec![M, S, P, A, ("x:a", "1")]),
        ("a name with a line", vec![M, S, P, A, ("x\r\na", "1")]),
        ("a name beyond ASCII", vec![M, S, P, A, ("x\u{e9}", "1")]),
        ("a value with a line", vec![M, S, P, A, ("x-a", "1\r\nx-b: 2")]),
        ("a value with LF", vec![M, S, P, A, ("x-a", "1\n2")]),
        ("a value with CR", vec![M, S, P, A, ("x-a", "1\r2")]),
        ("a value with NUL", vec![M, S, P, A, ("x-a", "1\u{0}2")]),
        ("a length that is none", vec![M, S, P, A, ("content-length", "a")]),
        ("a length with a sign", vec![M, S, P, A, ("content-length", "+0")]),
        ("lengths that differ", vec![M, S, P, A, ("content-length", "0"), ("content-length", "5")]),
        ("a length and nothing", vec![M, S, P, A, ("content-length", "5")]),
        ("a tunnel", vec![(":method", "CONNECT"), A]),
        ("a tunnel for websockets", vec![(":method", "CONNECT"), (":protocol", "websocket"), S, P, A]),
        ("a tunnel with a path", vec![(":method", "CONNECT"), S, P, A]),
        ("a protocol without a tunnel", vec![M, (":protocol", "websocket"), S, P, A]),
    ];
    let known: Vec<(&str, Vec<(&str, &str)>)> = vec![
        ("a path that is a query", vec![M, S, (":path", "?a"), A]),
        ("a path beyond ASCII", vec![M, S, (":path", "/\u{c3}\u{a9}"), A]),
        ("a space in front", vec![M, S, P, A, ("x-a", " 1")]),
        ("a tab behind", vec![M, S, P, A, ("x-a", "1\t")]),
        ("a length twice", vec![M, S, P, A, ("content-length", "0"), ("content-length", "0")]),
        ("another expectation", vec![M, S, P, A, ("expect", "magic")]),
    ];
    let mut cases: Vec<Case> =
        malformed.iter().map(|(name, lines)| case(*name, Malformed, &[&whole(lines)])).collect();
    cases.extend(known.iter().map(|(name, lines)| case(*name, Malformed, &[&whole(lines)]).bare()));
    for (name, lines, unseen, has) in [
        ("a request", &[][..], &[][..], &["host: shop.test"][..]),
        ("te: trailers", &[("te", "trailers")], &["te: "], &[]),
        ("the same host", &[("host", "shop.test")], &[], &["host: shop.test"]),
        ("an underscore", &[("x_a", "1")], &["x_a"], &[]),
        (
            "decisions",
            &[
                ("x-flag-v", "canary"),
                ("x_flag_v", "canary"),
                ("x.flag.v", "canary"),
                ("flag-decisions", "v=canary"),
            ],
            &["canary"],
            &[],
        ),
        ("crumbs", &[("cookie", "a=1"), ("x-a", "1"), ("cookie", "b=2")], &[], &["cookie: a=1; b=2\r\n"]),
        ("no value", &[("x-a", "")], &[], &["x-a: \r\n"]),
        ("a value beyond ASCII", &[("x-a", "\u{e9}")], &[], &["x-a: "]),
        ("a field twice", &[("x-a", "1"), ("x-a", "2")], &[], &["x-a: 1\r\n", "x-a: 2\r\n"]),
        ("a length of nothing", &[("content-length", "0")], &[], &[]),
    ] {
        cases.push(Case { unseen, has, ..case(name, Seen("GET", "/", ""), &[&get(lines)]) });
    }
    let many: Vec<(&str, &str)> = vec![("x", "1"); 101];
    let crumbs: Vec<(&str, &str)> = vec![("cookie", "a=1"); 150];
    let long = "a".repeat(9 << 10);
    cases.extend([
        case("a host alone", Seen("GET", "/", ""), &[&whole(&[M, S, P, ("host", "shop.test")])]),
        case(
            "everything",
            Seen("OPTIONS", "*", ""),
            &[&whole(&[(":method", "OPTIONS"), S, (":path", "*"), A])],
        ),
        case("a method of one's own", Seen("PURGE", "/", ""), &[&whole(&[(":method", "PURGE"), S, P, A])]),
        case("too many fields", Status(431), &[&get(&many)]).bare(),
        case("many crumbs", Seen("GET", "/", ""), &[&get(&crumbs)]),
        case("too long a path", Status(414), &[&whole(&[M, S, (":path", &format!("/{long}")), A])]).bare(),
    ]);
    let huge = head(&[("x-a", &"a".repeat(70 << 10))]);
    let parts: Vec<&[u8]> = huge.chunks(16_384).collect();
    let mut said = frame(HEADERS, END, 1, parts[0]);
    for (left, part) in (0..parts.len() - 1).rev().zip(&parts[1..]) {
        said.extend(frame(CONTINUATION, if left == 0 { END_HEADERS } else { 0 }, 1, part));
    }
    cases.push(case("too large a list of fields", Status(431), &[&said]));
    // Of a fragment, the crate leaves nothing: the path goes on without it.
    cases.push(Case {
        missed: true,
        ..case("a fragment", Malformed, &[&whole(&[M, S, (":path", "/a#b"), A])])
    });
    cases
}

pub fn bodies() -> Vec<Case> {
    let length = |length: &'static str| post(&[("content-length", length)]);
    let trailers = |lines: &[(&str, &str)]| frame(HEADERS, WHOLE, 1, fields(lines));
    let data = |flags: u8, text: &str| frame(DATA, flags, 1, text);
    let hello = Seen("POST", "/p", "hello");
    vec![
        case("a body", hello, &[&post(&[]), &data(END, "hello")]),
        case("pieces", hello, &[&post(&[]), &data(0, "he"), &data(0, ""), &data(0, "llo"), &data(END, "")]),
        case(
            "padding",
            hello,
            &[&post(&[]), &frame(DATA, END | PADDED, 1, [&[3][..], b"hello", &[0; 3]].concat())],
        ),
        case("a length", hello, &[&length("5"), &data(END, "hello")]),
        case("a body of nothing", Seen("POST", "/p", ""), &[&post(&[]), &data(END, "")]),
        case("expected", hello, &[&post(&[("expect", "100-continue")]), &data(END, "hello")]),
        case("trailers", hello, &[&post(&[]), &data(0, "hello"), &trailers(&[("x-sum", "1")])]),
        Case {
            unseen: &["canary"],
            ..case(
                "decisions behind a body",
                hello,
                &[&post(&[]), &data(0, "hello"), &trailers(&[("x-flag-v", "canary")])],
            )
        },
        case("too little", Malformed, &[&length("6"), &data(END, "hello")]),
        case("too much", Malformed, &[&length("4"), &data(END, "hello")]),
        case("too much in pieces", Malformed, &[&length("4"), &data(0, "hel"), &data(END, "lo")]),
        case(
            "too little, then trailers",
            Malformed,
            &[&length("6"), &data(0, "hello"), &trailers(&[("x-sum", "1")])],
        ),
        case(
            "trailers that do not end it",
            Reset(PROTOCOL_ERROR),
            &[&post(&[]), &data(0, "hello"), &frame(HEADERS, END_HEADERS, 1, fields(&[("x", "1")]))],
        ),
        case(
            "trailers in capitals",
            Malformed,
            &[&post(&[]), &data(0, "hello"), &trailers(&[("X-Sum", "1")])],
        ),
        case(
            "trailers of a connection",
            Malformed,
            &[&post(&[]), &data(0, "hello"), &trailers(&[("connection", "close")])],
        ),
        // The crate leaves nothing of them: no upstream sees any trailer.
        Case {
            missed: true,
            ..case(
                "trailers that ask again",
                Malformed,
                &[&post(&[]), &data(0, "hello"), &trailers(&[(":path", "/evil")])],
            )
        },
    ]
}
