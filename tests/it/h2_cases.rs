//! Frames of HTTP/2 as they should not be, and as they may be (RFC 9113, RFC 7541), over plain connections and over TLS.

use std::time::Duration;

use serde_json::json;

use crate::support::h2_raw::*;
use crate::support::{Authority, Gateway, Setup, Shop, Upstream, bare, one_route};

/// What must come of it.
#[derive(Debug, Clone, Copy)]
enum Want {
    /// The upstream sees this method, target and body, and answers.
    Seen(&'static str, &'static str, &'static str),
    /// The gateway answers so.
    Status(u16),
    /// The request is refused: by a status, a reset, or with the connection.
    Malformed,
    /// The stream is reset with this code, or the connection ends.
    Reset(u32),
    /// The connection ends for an error; of its code the crate makes PROTOCOL_ERROR where the RFC has a closer one.
    Goaway,
    /// Nothing: the connection goes on.
    Nothing,
}
use Want::*;

const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;

struct Case {
    name: String,
    want: Want,
    said: Vec<u8>,
    /// What no head that the upstream sees has, in lower case, and what each has.
    unseen: &'static [&'static str],
    has: &'static [&'static str],
    /// Whether Pingora alone gets it wrong.
    bare: bool,
    /// Whether nothing behind us tells: named where it is known.
    missed: bool,
}

fn case(name: impl Into<String>, want: Want, said: &[&[u8]]) -> Case {
    let name = name.into();
    Case { name, want, said: said.concat(), unseen: &[], has: &[], bare: false, missed: false }
}

impl Case {
    fn bare(self) -> Case {
        Case { bare: true, ..self }
    }

    /// What is wrong with how it went; none: nothing.
    fn run(&self, way: &Way, upstream: &Upstream) -> Option<String> {
        const PATIENCE: Duration = Duration::from_millis(1500);
        let before = upstream.count();
        let mut raw = H2Raw::open(way);
        // Asks for a word behind whatever is answered.
        raw.say(&self.said);
        let (mut frames, mut closed, mut alive) = (Vec::new(), false, false);
        let ends = |frame: &Frame| {
            frame.stream != 0 && (frame.ends() || frame.kind == RST_STREAM) || frame.kind == GOAWAY
        };
        if !matches!(self.want, Nothing) {
            loop {
                match raw.next(PATIENCE) {
                    Ok(frame) => {
                        let last = ends(&frame);
                        frames.push(frame);
                        if last {
                            break;
                        }
                    }
                    Err(error) => {
                        closed = error.kind() != std::io::ErrorKind::WouldBlock;
                        break;
                    }
                }
            }
        }
        if !closed {
            raw.say(&frame(PING, 0, 0, b"still up"));
            alive = raw.until(PATIENCE, |frame| frame.kind == PING && frame.payload == b"still up").is_ok();
        }
        let status = frames.iter().map(Frame::status).find(|status| *status > 0);
        let reset = frames.iter().find(|frame| frame.kind == RST_STREAM).map(Frame::code);
        let goaway = frames.iter().find(|frame| frame.kind == GOAWAY).map(Frame::code);
        let seen = upstream.requests().split_off(before);
        let found: Vec<_> = seen
            .iter()
            .map(|request| {
                (request.method(), request.target(), String::from_utf8_lossy(&request.body).into_owned())
            })
            .collect();
        let heads: String = seen.iter().map(|request| request.text().to_ascii_lowercase()).collect();
        let refused = reset.is_some() || goaway.is_some_and(|code| code != 0) || closed;
        let right = match self.want {
            Seen(method, target, body) => {
                status == Some(200)
                    && alive
                    && found == [(method.to_owned(), target.to_owned(), body.to_owned())]
                    && self.unseen.iter().all(|text| !heads.contains(text))
                    && self.has.iter().all(|text| heads.contains(text))
            }
            Status(wanted) => status == Some(wanted) && found.is_empty(),
            Malformed => {
                (refused || status.is_some_and(|status| (400..500).contains(&status))) && found.is_empty()
            }
            Reset(code) => reset == Some(code) || goaway.is_some_and(|code| code != 0),
            Goaway => (goaway.is_some_and(|code| code != 0) || goaway.is_none() && closed) && !alive,
            Nothing => alive,
        };
        (!right).then(|| {
            format!(
                "{}: wanted {:?}; status {status:?} reset {reset:?} goaway {goaway:?} closed {closed} alive {alive}; seen {found:?} {heads:?}",
                self.name, self.want
            )
        })
    }
}

/// A request for `/` whose head is all of it, with these fields more.
fn head(lines: &[(&str, &str)]) -> Vec<u8> {
    let first = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "shop.test")];
    fields(&[&first, lines].concat())
}

fn get(lines: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, WHOLE, 1, head(lines))
}

/// A request that a body follows.
fn post(lines: &[(&str, &str)]) -> Vec<u8> {
    let first = [(":method", "POST"), (":scheme", "http"), (":path", "/p"), (":authority", "shop.test")];
    frame(HEADERS, END_HEADERS, 1, fields(&[&first, lines].concat()))
}

fn whole(lines: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, WHOLE, 1, fields(lines))
}

fn connection() -> Vec<Case> {
    let setting =
        |id: u16, value: u32| frame(SETTINGS, 0, 0, [&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
    let open = frame(HEADERS, 0, 1, head(&[]));
    let get = get(&[]);
    let waiting = post(&[]);
    vec![
        case("an unknown frame", Nothing, &[&frame(99, 255, 0, [0; 8])]),
        case("an unknown frame of a stream", Nothing, &[&frame(99, 255, 1, [0; 8])]),
        case("flags that nobody knows", Nothing, &[&frame(PING, 0xfe, 0, [0; 8])]),
        case("the reserved bit", Nothing, &[&frame(PING, 0, 1 << 31, [0; 8])]),
        case("a ping's answer that nobody waits for", Nothing, &[&frame(PING, ACK, 0, [0; 8])]),
        case("a ping of a stream", Goaway, &[&frame(PING, 0, 1, [0; 8])]),
        case("a short ping", Goaway, &[&frame(PING, 0, 0, [0; 6])]),
        case("a long ping", Goaway, &[&frame(PING, 0, 0, [0; 9])]),
        case("an acknowledgement with content", Goaway, &[&frame(SETTINGS, ACK, 0, [0; 6])]),
        case("settings of a stream", Goaway, &[&frame(SETTINGS, 0, 1, [])]),
        case("half a setting", Goaway, &[&frame(SETTINGS, 0, 0, [0; 3])]),
        case("a setting that nobody knows", Nothing, &[&setting(0xff, 1)]),
        case("push: 2", Goaway, &[&setting(2, 2)]),
        case("too large a window", Goaway, &[&setting(4, 1 << 31)]),
        case("too small a frame", Goaway, &[&setting(5, 16_383)]),
        case("too large a frame", Goaway, &[&setting(5, 1 << 24)]),
        case("a farewell of a stream", Goaway, &[&frame(GOAWAY, 0, 1, [0; 8])]),
        case("a window of nothing", Goaway, &[&frame(WINDOW_UPDATE, 0, 0, [0; 4])]),
        case("a window of three bytes", Goaway, &[&frame(WINDOW_UPDATE, 0, 0, [0; 3])]),
        case("a window over all", Goaway, &[&frame(WINDOW_UPDATE, 0, 0, u32::MAX.to_be_bytes())]),
        case(
            "a stream's window of nothing",
            Reset(PROTOCOL_ERROR),
            &[&waiting, &frame(WINDOW_UPDATE, 0, 1, [0; 4])],
        ),
        case(
            "a stream's window over all",
            Reset(FLOW_CONTROL_ERROR),
            &[
                &waiting,
                &frame(WINDOW_UPDATE, 0, 1, (u32::MAX >> 1).to_be_bytes()),
                &frame(WINDOW_UPDATE, 0, 1, 1_u32.to_be_bytes()),
            ],
        ),
        case("data of no stream", Goaway, &[&frame(DATA, END, 0, "a")]),
        case("data of an idle stream", Goaway, &[&frame(DATA, END, 1, "a")]),
        case("a reset of an idle stream", Goaway, &[&frame(RST_STREAM, 0, 1, [0; 4])]),
        case("a window of an idle stream", Goaway, &[&frame(WINDOW_UPDATE, 0, 1, [0, 0, 0, 1])]),
        case("a continuation of an idle stream", Goaway, &[&frame(CONTINUATION, 4, 1, head(&[]))]),
        case("a reset of no stream", Goaway, &[&frame(RST_STREAM, 0, 0, [0; 4])]),
        case("a short reset", Goaway, &[&waiting, &frame(RST_STREAM, 0, 1, [0; 3])]),
        case("a reset", Nothing, &[&waiting, &frame(RST_STREAM, 0, 1, [0, 0, 0, 8])]),
        case("a reset that nobody knows the code of", Nothing, &[&waiting, &frame(RST_STREAM, 0, 1, [9; 4])]),
        case("fields of no stream", Goaway, &[&frame(HEADERS, WHOLE, 0, head(&[]))]),
        case("a stream of the server", Goaway, &[&frame(HEADERS, WHOLE, 2, head(&[]))]),
        case("a promise", Goaway, &[&frame(PUSH_PROMISE, 4, 1, [&[0, 0, 0, 2][..], &head(&[])].concat())]),
        case(
            "a stream that should have come before",
            Goaway,
            &[
                &frame(HEADERS, WHOLE, 5, head(&[])),
                &frame(HEADERS, WHOLE, 3, head(&[])),
                &frame(HEADERS, WHOLE, 3, head(&[])),
            ],
        ),
        case("a priority of no stream", Goaway, &[&frame(PRIORITY, 0, 0, [0, 0, 0, 0, 1])]),
        case("a priority", Nothing, &[&frame(PRIORITY, 0, 3, [0, 0, 0, 0, 1])]),
        case("fields that are interrupted", Goaway, &[&open, &frame(PRIORITY, 0, 1, [0, 0, 0, 0, 1])]),
        case("fields and another stream's", Goaway, &[&open, &frame(HEADERS, WHOLE, 3, head(&[]))]),
        case("fields and data", Goaway, &[&open, &frame(DATA, END, 1, "a")]),
        case("fields and something unknown", Goaway, &[&open, &frame(99, 0, 1, "a")]),
        case("fields and another's continuation", Goaway, &[&open, &frame(CONTINUATION, 4, 3, head(&[]))]),
        case("a continuation behind the end", Goaway, &[&waiting, &frame(CONTINUATION, 4, 1, head(&[]))]),
        case("a continuation of no stream", Goaway, &[&open, &frame(CONTINUATION, 4, 0, head(&[]))]),
        case(
            "data behind the end",
            Reset(STREAM_CLOSED),
            &[&post(&[]), &frame(DATA, END, 1, "a"), &frame(DATA, END, 1, "a")],
        ),
        case(
            "fields behind the end",
            Reset(STREAM_CLOSED),
            &[&post(&[]), &frame(DATA, END, 1, ""), &frame(HEADERS, WHOLE, 1, head(&[]))],
        ),
        case(
            "data that is all padding and more",
            Goaway,
            &[&waiting, &frame(DATA, END | PADDED, 1, [9, 0, 0])],
        ),
        case(
            "fields that are all padding and more",
            Goaway,
            &[&frame(HEADERS, WHOLE | PADDED, 1, [200, 0, 0])],
        ),
        case("too large a data frame", Goaway, &[&waiting, &frame(DATA, END, 1, vec![0; 16_385])]),
        case("too large a frame of fields", Goaway, &[&frame(HEADERS, WHOLE, 1, vec![0; 16_385])]),
        case(
            "more data than there is room for",
            Reset(FLOW_CONTROL_ERROR),
            &[&waiting, &frame(DATA, 0, 1, vec![0; 16_384]).repeat(6)],
        ),
        case("index 0", Goaway, &[&frame(HEADERS, WHOLE, 1, [0x80])]),
        case("an index that is not there", Goaway, &[&frame(HEADERS, WHOLE, 1, [0xff, 0x20])]),
        case(
            "a table larger than allowed",
            Goaway,
            &[&frame(HEADERS, WHOLE, 1, [&[0x3f, 0xff, 0xff, 0x7f][..], &head(&[])].concat())],
        ),
        case(
            "padding of a Huffman text that is too long",
            Goaway,
            &[&frame(
                HEADERS,
                WHOLE,
                1,
                [&head(&[])[..], &[0, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x84, 0x49, 0x50, 0x9f, 0xff]]
                    .concat(),
            )],
        ),
        case("half a field", Goaway, &[&frame(HEADERS, WHOLE, 1, [0, 10, b'a'])]),
        case(
            "a padded head",
            Seen("GET", "/", ""),
            &[&frame(HEADERS, WHOLE | PADDED, 1, [&[2][..], &head(&[]), &[0, 0]].concat())],
        ),
        case(
            "a head with a priority",
            Seen("GET", "/", ""),
            &[&frame(HEADERS, WHOLE | 32, 1, [&[0, 0, 0, 0, 1][..], &head(&[])].concat())],
        ),
        case(
            "a head in three frames",
            Seen("GET", "/", ""),
            &[
                &frame(HEADERS, END, 1, &head(&[])[..5]),
                &frame(CONTINUATION, 0, 1, &head(&[])[5..9]),
                &frame(CONTINUATION, 4, 1, &head(&[])[9..]),
            ],
        ),
        case("unknown settings, then a request", Seen("GET", "/", ""), &[&setting(0xff, 1), &get]),
    ]
}

fn heads() -> Vec<Case> {
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

fn bodies() -> Vec<Case> {
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

fn all() -> Vec<Case> {
    [connection(), heads(), bodies()].into_iter().flatten().collect()
}

fn gateway(shop: &Shop) -> (Gateway, Authority) {
    let authority = Authority::new();
    let issued = authority.issue(&["shop.test"]);
    let listeners = "listeners:
  - {name: main, bind: '127.0.0.1:0'}
  - {name: tls, bind: '127.0.0.1:0', tls: {certificates: [{cert: it.pem, key: it.key}]}}
";
    let setup = Setup::new(&shop.config(&(one_route("") + listeners))).flags(json!({}));
    (setup.file("it.pem", &issued.cert).file("it.key", &issued.key).start(), authority)
}

#[test]
fn each_frame_is_served_or_refused_as_it_deserves() {
    let shop = Shop::start();
    let (gateway, authority) = gateway(&shop);
    let ways = [Way::Plain(gateway.address("main")), Way::Tls(gateway.address("tls"), authority.client())];
    let cases = all();
    assert!(cases.len() > 130, "{}", cases.len());
    for way in &ways {
        let known: Vec<_> = cases.iter().filter(|case| case.missed).map(|case| case.name.clone()).collect();
        let wrong: Vec<_> =
            cases.iter().filter_map(|case| Some((case.name.clone(), case.run(way, &shop.stable)?))).collect();
        let (missed, wrong): (Vec<_>, Vec<_>) = wrong.into_iter().partition(|(name, _)| known.contains(name));
        let wrong: Vec<_> = wrong.into_iter().map(|(_, wrong)| wrong).collect();
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
        assert_eq!(missed.len(), known.len(), "what is not missed any more should be said");
    }
}

#[test]
fn pingora_alone_takes_what_it_is_known_to_take() {
    let upstream = Upstream::start("bare");
    let way = Way::Plain(bare(upstream.address));
    let known: Vec<Case> = all().into_iter().filter(|case| case.bare).collect();
    assert!(known.len() >= 8, "{}", known.len());
    let right: Vec<_> =
        known.iter().filter(|case| case.run(&way, &upstream).is_none()).map(|case| &*case.name).collect();
    assert!(right.is_empty(), "{right:?}");
}
