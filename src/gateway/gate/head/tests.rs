//! Heads that pass, heads that are refused, and what is shown of them.

use proptest::prelude::*;

use super::*;

fn limits() -> ClientLimits {
    ClientLimits { head_bytes: 1024, target_bytes: 100, fields: 8, ..ClientLimits::default() }
}

fn read(text: &str) -> Result<Head, Refusal> {
    read_with(text.as_bytes(), &limits())
}

fn read_with(bytes: &[u8], limits: &ClientLimits) -> Result<Head, Refusal> {
    let length = Scan::default().look(bytes, limits)?.expect("the head is whole");
    Head::read(&bytes[..length], limits, |name| name.to_ascii_lowercase().starts_with(b"x-flag-"))
}

fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n")
}

fn body(fields: &str) -> Result<Body, Refusal> {
    read(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).map(|head| head.body)
}

#[test]
fn what_is_legal_passes() {
    for text in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET /a?b=%20|{}\"<>^`\\ HTTP/1.1\r\nHost: a:8080\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a/x HTTP/1.1\r\nHost: A\r\n\r\n",
        "GET HTTPS://a?x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a HTTP/1.0\r\n\r\n",
        "M-SEARCH / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:a \t\r\nX:\r\nY: \u{e4} \t z\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let head = read(text);
        assert_eq!(
            head.as_ref().map(|head| (head.length, head.body)),
            Ok((text.len(), Body::None)),
            "{text:?}"
        );
    }
}

#[test]
fn what_two_readers_could_understand_differently_is_refused() {
    let table = [
        ("GET /\r\n\r\n", RequestLine),
        ("GET  / HTTP/1.1\r\n\r\n", RequestLine),
        ("GET / HTTP/1.1 \r\n\r\n", RequestLine),
        ("GET / a HTTP/1.1\r\n\r\n", RequestLine),
        ("GET\t/\tHTTP/1.1\r\n\r\n", RequestLine),
        (" GET / HTTP/1.1\r\n\r\n", Method),
        ("G(T / HTTP/1.1\r\n\r\n", Method),
        ("GET / http/1.1\r\n\r\n", RequestLine),
        ("GET / HTTP/1.01\r\n\r\n", RequestLine),
        ("GET / HTTP/2.0\r\n\r\n", Version),
        ("GET / HTTP/1.2\r\n\r\n", Version),
        ("\r\n\r\nGET / HTTP/1.1\r\n\r\n", EmptyLine),
        ("GET / HTTP/1.1\nHost: a\n\n", LineEnd),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", LineEnd),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET /\u{e4} HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", Connect),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", HostMismatch),
        ("GET / HTTP/1.1\r\n\r\n", HostMissing),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", HostRepeated),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", HostRepeated),
        ("GET / HTTP/1.0\r\nHost: \r\n\r\n", HostInvalid),
    ];
    for (text, why) in table {
        assert_eq!(read(text), Err(why), "{text:?}");
    }
    let fields = [
        (" X: a\r\n", Folded),
        ("X: a\r\n b\r\n", Folded),
        ("X: a\r\n\tb\r\n", Folded),
        ("X : a\r\n", FieldName),
        ("X\r\n", FieldName),
        (": a\r\n", FieldName),
        ("X(: a\r\n", FieldName),
        ("X\0: a\r\n", FieldName),
        ("\u{e4}: a\r\n", FieldName),
        ("X: a\0\r\n", FieldValue),
        ("X: a\rb\r\n", FieldValue),
        ("X: a\u{7f}\r\n", FieldValue),
        ("X: \u{1}\r\n", FieldValue),
        ("Expect: 200-maybe\r\n", Expectation),
    ];
    for (field, why) in fields {
        assert_eq!(read(&get(field)), Err(why), "{field:?}");
    }
}

#[test]
fn a_body_is_framed_in_exactly_one_way() {
    let table = [
        ("", Ok(Body::None)),
        ("Content-Length: 0\r\n", Ok(Body::None)),
        ("Content-Length: 5\r\n", Ok(Body::Length(5))),
        ("content-length:007 \r\n", Ok(Body::Length(7))),
        ("Content-Length: 9223372036854775807\r\n", Ok(Body::Length(i64::MAX as u64))),
        ("Content-Length: 9223372036854775808\r\n", Err(Length)),
        ("Content-Length: 99999999999999999999\r\n", Err(Length)),
        ("Content-Length:\r\n", Err(Length)),
        ("Content-Length: +5\r\n", Err(Length)),
        ("Content-Length: -5\r\n", Err(Length)),
        ("Content-Length: 0x5\r\n", Err(Length)),
        ("Content-Length: 5, 5\r\n", Err(Length)),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", Err(LengthRepeated)),
        ("Transfer-Encoding: chunked\r\n", Ok(Body::Chunked)),
        ("Transfer-Encoding: Chunked \r\n", Ok(Body::Chunked)),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Err(LengthAndEncoding)),
        ("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", Err(LengthAndEncoding)),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(Encoding)),
        ("Transfer-Encoding: chunked, chunked\r\n", Err(Encoding)),
        ("Transfer-Encoding: chunked, gzip\r\n", Err(Encoding)),
        ("Transfer-Encoding: xchunked\r\n", Err(Encoding)),
        ("Transfer-Encoding: identity\r\n", Err(Encoding)),
        ("Transfer-Encoding: \r\n", Err(Encoding)),
        ("Transfer-Encoding: chunked;a=b\r\n", Err(Encoding)),
        ("Transfer-Encoding: \"chunked\"\r\n", Err(Encoding)),
        ("Transfer-Encoding: , chunked\r\n", Err(Encoding)),
        ("Transfer-Encoding: gzip, chunked\r\n", Err(Coding)),
    ];
    for (fields, expected) in table {
        assert_eq!(body(fields), expected, "{fields:?}");
    }
    assert_eq!(read("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(Encoding));
}

#[test]
fn an_upgrade_is_one_only_where_connection_names_it_and_nothing_follows() {
    let upgrade = |fields: &str| read(&get(fields)).map(|head| head.upgrade);
    assert_eq!(upgrade("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"), Ok(true));
    assert_eq!(upgrade("Upgrade: websocket\r\n"), Ok(false));
    assert_eq!(upgrade("Connection: Upgrade\r\n"), Ok(false));
    assert_eq!(upgrade("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n"), Ok(false));
    assert_eq!(read(&get("Expect: 100-Continue\r\n")).map(|head| head.expects), Ok(true));
}

fn shown(text: &str, limits: &ClientLimits) -> String {
    let head = read_with(text.as_bytes(), limits).unwrap();
    String::from_utf8(head.shown(text.as_bytes()).collect::<Vec<_>>().concat()).unwrap()
}

#[test]
fn what_only_the_gateway_may_say_is_left_out_whole() {
    let text = get("X-Flag-A: 1\r\nx_user: 2\r\nX-Keep: 3\r\nx-flag-b: 4\r\n");
    assert_eq!(shown(&text, &limits()), get("X-Keep: 3\r\n"));
    assert_eq!(shown(&format!("\r\n{text}"), &limits()), get("X-Keep: 3\r\n"));
    let allow = ClientLimits { underscores: Underscores::Allow, ..limits() };
    assert_eq!(shown(&text, &allow), get("x_user: 2\r\nX-Keep: 3\r\n"));
    let reject = ClientLimits { underscores: Underscores::Reject, ..limits() };
    assert_eq!(read_with(text.as_bytes(), &reject), Err(Underscore));
    let plain = get("X-Keep: 3\r\n");
    assert!(read(&plain).unwrap().is_whole(plain.as_bytes()));
    assert!(!read(&text).unwrap().is_whole(text.as_bytes()));
}

#[test]
fn an_absolute_target_is_shown_as_its_path() {
    for (target, path) in [
        ("http://a.test/x?y", "/x?y"),
        ("HTTPS://A.test/", "/"),
        ("http://a.test", "/"),
        ("http://a.test?x", "/?x"),
        ("/http://b/", "/http://b/"),
    ] {
        let with = |target: &str| format!("GET {target} HTTP/1.1\r\nX_A: 1\r\nHost: a.test\r\n\r\n");
        let expected = with(path).replace("X_A: 1\r\n", "");
        assert_eq!(shown(&with(target), &limits()), expected, "{target}");
        assert_eq!(shown(&format!("\r\n{}", with(target)), &limits()), expected, "{target}");
    }
    // Its authority is all that HTTP/1.0 has of a host.
    let old = "GET http://a.test/ HTTP/1.0\r\n\r\n";
    assert_eq!(shown(old, &limits()), old);
}

#[test]
fn nobody_is_led_to_http_2_on_a_connection_of_http_1() {
    let lead = "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
    assert_eq!(
        shown(&get(&format!("{lead}Connection: upgrade\r\n")), &limits()),
        get("Connection: upgrade\r\n")
    );
    for (upgrade, asked) in
        [("websocket", true), ("h2c", false), ("websocket, H2C", false), ("h2", false), ("x-h2", true)]
    {
        let text = get(&format!("Upgrade: {upgrade}\r\nConnection: Upgrade\r\n"));
        assert_eq!(read(&text).map(|head| head.upgrade), Ok(asked), "{upgrade}");
    }
}

#[test]
fn the_last_request_of_a_connection_says_so_in_any_line() {
    for (fields, closes) in [
        ("", false),
        ("Connection: close\r\n", true),
        ("Connection: x-a\r\nConnection: keep-alive, Close\r\n", true),
        ("Connection: closed\r\n", false),
    ] {
        assert_eq!(read(&get(fields)).map(|head| head.closes), Ok(closes), "{fields}");
    }
}

#[test]
fn a_field_that_is_left_out_frames_nothing() {
    let text = "POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\nTransfer_Encoding: chunked\r\n\r\n";
    assert_eq!(read(text).map(|head| head.body), Ok(Body::None));
}

#[test]
fn each_limit_is_told_by_its_own_refusal() {
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(100));
    assert_eq!(read(&long), Err(TargetTooLong));
    let endless = format!("GET /{}", "a".repeat(2000));
    assert_eq!(Scan::default().look(endless.as_bytes(), &limits()), Err(TargetTooLong));
    assert_eq!(read(&get(&"X: 1\r\n".repeat(7))).map(|head| head.body), Ok(Body::None));
    assert_eq!(read(&get(&"X: 1\r\n".repeat(8))), Err(TooManyFields));
    assert_eq!(read(&get(&format!("X: {}\r\n", "a".repeat(1024)))), Err(HeadTooLarge));
    let unfinished = get(&format!("X: {}", "a".repeat(1024)));
    assert_eq!(Scan::default().look(unfinished.as_bytes(), &limits()), Err(HeadTooLarge));
}

proptest! {
    #[test]
    fn no_bytes_panic_and_no_cut_changes_the_end(
        parts in prop::collection::vec(prop::sample::select(vec![
            "GET ", "POST ", "/", "/a?b ", "HTTP/1.1", "\r\n", "\r\n", "\n", "\r", "Host: a", "Content-Length: 5", "Transfer-Encoding: chunked", " ", ":", "\0", "\u{e4}", "x_y: 1",
        ]), 0..20),
        cuts in prop::collection::vec(1..9usize, 0..60),
    ) {
        let bytes = parts.concat().into_bytes();
        let whole = Scan::default().look(&bytes, &limits());
        if let Ok(Some(length)) = whole
            && let Ok(head) = Head::read(&bytes[..length], &limits(), |_| false) {
                let shown = head.shown(&bytes).collect::<Vec<_>>().concat();
                prop_assert!(shown.len() <= length && shown.ends_with(b"\r\n\r\n"));
                // What is shown is read the same, by us and by a parser that is not ours.
                let again = Head::read(&shown, &limits(), |_| false);
                prop_assert_eq!(again.map(|head| head.body), Ok(head.body));
                let mut fields = [httparse::EMPTY_HEADER; 16];
                let parsed = httparse::Request::new(&mut fields).parse(&shown);
                prop_assert_eq!(parsed, Ok(httparse::Status::Complete(shown.len())));
        }
        let (mut scan, mut end) = (Scan::default(), 0);
        let mut cuts = cuts.into_iter();
        let mut pieced = Ok(None);
        while end < bytes.len() && pieced == Ok(None) {
            end = (end + cuts.next().unwrap_or(bytes.len())).min(bytes.len());
            pieced = scan.look(&bytes[..end], &limits());
        }
        if !bytes.is_empty() {
            prop_assert_eq!(pieced, whole);
        }
    }
}
