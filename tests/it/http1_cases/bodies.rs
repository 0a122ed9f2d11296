//! Bodies: how they are framed, their chunks, and what follows them on a connection.

use super::{CHUNKS, Case, HOST, case, get, post};

pub fn bodies() -> Vec<Case> {
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

pub fn chunks() -> Vec<Case> {
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

pub fn rows() -> Vec<Case> {
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
