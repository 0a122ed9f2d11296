//! Bodies in their encodings, too long ones, and what is no JSON.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;
use crate::compare::Capture;

const TEXT: &str = r#"{"name":"Ada","list":[1,2,3],"text":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;

/// How a coding is written; `raw` is deflate without the wrapper that the standard asks for.
pub(super) fn encoded(coding: &str, body: &[u8]) -> Vec<u8> {
    let level = Compression::default();
    let finished = match coding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), level);
            encoder.write_all(body).and_then(|()| encoder.finish())
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(body).and_then(|()| encoder.finish())
        }
        "raw" => {
            let mut encoder = DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(body).and_then(|()| encoder.finish())
        }
        "br" => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
            encoder.write_all(body).map(|()| encoder.into_inner())
        }
        "zstd" => zstd::encode_all(body, 3),
        coding => panic!("{coding}"),
    };
    finished.expect("a Vec takes all")
}

fn coded(coding: &str, body: impl Into<Bytes>) -> Answer {
    answer(&[("content-type", "application/json"), ("content-encoding", coding)], body)
}

/// As it is captured when no more than `cap` bytes are kept.
fn captured(mut answer: Answer, cap: usize) -> Answer {
    let mut capture = Capture::new(cap);
    capture.push(&answer.body.bytes().expect("it is whole").into_owned().into());
    answer.body = capture.finish();
    answer
}

/// What is told, without the header of the encoding.
fn bodies(original: &Answer, other: &Answer, rules: &CompareRules) -> Result<String, Uncompared> {
    let mut told = told_of(original, other, rules)?;
    told.retain(|told| !told.starts_with("header:content-encoding"));
    Ok(told.join(", "))
}

const CODINGS: [(&str, &str); 5] =
    [("gzip", "gzip"), ("deflate", "deflate"), ("deflate", "raw"), ("br", "br"), ("zstd", "zstd")];

#[test]
fn bodies_are_compared_by_what_they_say_whatever_their_encoding() {
    let changed = TEXT.replace("Ada", "Eva");
    for (coding, writer) in CODINGS {
        let original = coded(coding, encoded(writer, TEXT.as_bytes()));
        let other = coded(coding, encoded(writer, changed.as_bytes()));
        let plain = json(TEXT);
        assert_eq!(bodies(&original, &plain, &rules()).as_deref(), Ok(""), "{writer}");
        assert_eq!(bodies(&other, &plain, &rules()).as_deref(), Ok("/name changed"), "{writer}");
        assert_eq!(bodies(&original, &other, &rules()).as_deref(), Ok("/name changed"), "{writer}");
        assert_eq!(
            told_of(&plain, &original, &rules()),
            Ok(vec!["header:content-encoding added".to_owned()])
        );

        let twice = coded(
            &format!("{}, identity , BR", coding.to_uppercase()),
            encoded("br", &encoded(writer, TEXT.as_bytes())),
        );
        assert_eq!(bodies(&twice, &plain, &rules()).as_deref(), Ok(""), "{writer}, br");
    }
    let lines = answer(
        &[("content-encoding", "gzip"), ("content-encoding", "zstd")],
        encoded("zstd", &encoded("gzip", TEXT.as_bytes())),
    );
    assert_eq!(bodies(&lines, &answer(&[], TEXT), &rules()).as_deref(), Ok(""));
}

#[test]
fn a_body_that_cannot_be_decoded_is_not_compared() {
    for (coding, writer) in CODINGS {
        let whole = encoded(writer, TEXT.as_bytes());
        for cut in 1..whole.len() - 1 {
            let found = bodies(&coded(coding, whole[..cut].to_vec()), &json(TEXT), &rules());
            assert_eq!(found, Err(Uncompared::Encoding), "{writer}, {cut} of {}", whole.len());
        }
        let garbage = bodies(&coded(coding, "\u{1}no such thing"), &json(TEXT), &rules());
        assert_eq!(garbage, Err(Uncompared::Encoding), "{writer}");
        // An answer to HEAD tells how its body would be encoded.
        assert_eq!(bodies(&coded(coding, ""), &json(""), &rules()).as_deref(), Ok(""), "{writer}");
    }
    for coding in ["compress", "gzip, sdch", "br,br,br,br,br"] {
        assert_eq!(
            bodies(&coded(coding, TEXT), &json(TEXT), &rules()),
            Err(Uncompared::Encoding),
            "{coding}"
        );
        assert_eq!(
            bodies(&coded(coding, TEXT), &coded(coding, TEXT), &rules()).as_deref(),
            Ok(""),
            "{coding}"
        );
    }
}

#[test]
fn a_window_beyond_the_standards_bound_is_refused() {
    let windowed = |log: i32| {
        let params =
            brotli::enc::BrotliEncoderParams { large_window: log > 24, lgwin: log, ..Default::default() };
        let mut body = Vec::new();
        brotli::BrotliCompress(&mut TEXT.as_bytes(), &mut body, &params).expect("a Vec takes all");
        coded("br", body)
    };
    assert_eq!(bodies(&windowed(24), &json(TEXT), &rules()).as_deref(), Ok(""));
    assert_eq!(bodies(&windowed(25), &json(TEXT), &rules()), Err(Uncompared::Encoding));

    let windowed = |log: u32| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
        encoder.window_log(log).and_then(|()| encoder.write_all(TEXT.as_bytes())).expect("a Vec takes all");
        coded("zstd", encoder.finish().expect("a Vec takes all"))
    };
    assert_eq!(bodies(&windowed(23), &json(TEXT), &rules()).as_deref(), Ok(""));
    assert_eq!(bodies(&windowed(24), &json(TEXT), &rules()), Err(Uncompared::Encoding));
}

#[test]
fn a_body_that_inflates_beyond_the_bound_is_compared_by_hash_and_far_beyond_it_not_at_all() {
    let rules = CompareRules { max_body: 1000, ..rules() };
    let body = |length: usize| "0".repeat(length);
    for (coding, writer) in CODINGS {
        let inflating = |length| coded(coding, encoded(writer, body(length).as_bytes()));
        let plain = |length| captured(json(body(length)), rules.max_body);
        assert_eq!(bodies(&inflating(60_000), &plain(60_000), &rules).as_deref(), Ok(""), "{writer}");
        assert_eq!(
            bodies(&inflating(60_001), &plain(60_000), &rules).as_deref(),
            Ok("body changed"),
            "{writer}"
        );
        assert_eq!(bodies(&inflating(64_000), &plain(64_000), &rules).as_deref(), Ok(""), "{writer}");
        assert_eq!(bodies(&inflating(64_001), &plain(10), &rules), Err(Uncompared::Encoding), "{writer}");
        // What comes out between two codings is bounded as well.
        let hidden = coded(&format!("gzip, {coding}"), encoded(writer, &encoded("gzip", b"").repeat(10_000)));
        assert_eq!(bodies(&hidden, &json("x"), &rules), Err(Uncompared::Encoding), "{writer}");
    }
}

#[test]
fn bodies_without_their_bytes_are_compared_by_length_and_hash() {
    let rules = CompareRules { max_body: 64, ..rules() };
    let long = |cap| captured(json(TEXT), cap);
    let changed = captured(json(TEXT.replace("Ada", "Eva")), 64);
    assert_eq!(bodies(&long(64), &long(64), &rules).as_deref(), Ok(""));
    assert_eq!(bodies(&long(64), &json(TEXT), &rules).as_deref(), Ok(""));
    assert_eq!(bodies(&long(64), &changed, &rules).as_deref(), Ok("body changed"));
    assert_eq!(bodies(&json("{}"), &changed, &rules).as_deref(), Ok("body changed"));
    let found = compare(&long(64), &changed, &rules).expect("they can be compared");
    assert!(found.differences[0].original.as_ref().is_some_and(|shown| shown.contains("SHA-256")));

    let zipped = |text: &str, cap| captured(coded("gzip", encoded("gzip", text.as_bytes())), cap);
    assert_eq!(bodies(&zipped(TEXT, 0), &zipped(TEXT, 0), &rules).as_deref(), Ok(""));
    assert_eq!(bodies(&zipped(TEXT, 0), &long(64), &rules), Err(Uncompared::Encoding));
    assert_eq!(bodies(&zipped(TEXT, 1000), &long(64), &rules).as_deref(), Ok(""));
}

#[test]
fn a_short_body_that_was_let_go_is_not_said_to_differ() {
    let let_go = |text: &'static str| captured(json(text), 0);
    assert_eq!(bodies(&let_go("[1]"), &json("[1]"), &rules()).as_deref(), Ok(""));
    assert_eq!(bodies(&let_go("[1]"), &json("[2]"), &rules()), Err(Uncompared::Memory));
    assert_eq!(bodies(&let_go("[1]"), &let_go("[2]"), &rules()), Err(Uncompared::Memory));
}

#[test]
fn what_is_json_is_told_by_the_types_and_by_what_the_bodies_are() {
    let deep = |depth: usize, end: &str| format!("{}{end}{}", "[".repeat(depth), "]".repeat(depth));
    let (deep, deeper) = (deep(200, "1"), deep(200, "2"));
    let table = [
        ("application/json", "[1]", "application/vnd.api+json", "[2]", "/* changed"),
        ("application/problem+json; charset=utf-8", "[1]", "text/json", "[2]", "/* changed"),
        ("", "[1]", "text/plain", "[2]", "/* changed"),
        ("", "[1]", "application/json", "[2]", "/* changed"),
        ("text/html", "[1]", "application/json", "[2]", "/* changed"),
        ("text/html", "[1]", "text/html", "[2]", "body changed"),
        ("text/html", "<p>", "application/json", "[2]", "body type"),
        ("application/json", "[1]", "application/json", "[2", "body type"),
        ("application/json", "[1", "application/json", "[2", "body changed"),
        ("application/json", "[1] [1]", "application/json", "[1]", "body type"),
        ("", "one", "", "two", "body changed"),
        ("", "1", "", "two", "body changed"),
        ("application/json", "", "application/json", "[]", "body added"),
        ("text/html", "<p>", "text/html", "", "body missing"),
        ("application/json", "\u{feff}[1]", "application/json", "[1.0]", ""),
        ("application/json", deep.as_str(), "application/json", deeper.as_str(), "body changed"),
        ("application/json", "1e400", "application/json", "1e500", "body changed"),
    ];
    for (one, original, two, other, expected) in table {
        let typed = |media: &str, body: &str| match media {
            "" => answer(&[], body.to_owned()),
            media => answer(&[("content-type", media)], body.to_owned()),
        };
        let mut told =
            told_of(&typed(one, original), &typed(two, other), &rules()).expect("they can be compared");
        told.retain(|told| !told.starts_with("header:"));
        assert_eq!(told.join(", "), expected, "{one} {original:.20} -> {two} {other:.20}");
    }
}

#[test]
fn texts_are_shown_from_where_they_differ_and_bytes_by_their_hash() {
    let shown = |original: &[u8], other: &[u8]| {
        let html = |body: &[u8]| answer(&[("content-type", "text/html")], body.to_vec());
        let found = compare(&html(original), &html(other), &rules()).expect("they can be compared");
        let found = found.differences.into_iter().next().expect("they differ");
        (found.original.unwrap_or_default(), found.other.unwrap_or_default())
    };
    let (one, two) = shown("<p>Hello, this is Ada.\n".as_bytes(), "<p>Hello, this is Éva.\n".as_bytes());
    assert_eq!((one.as_str(), two.as_str()), ("…>Hello, this is Ada.\\n", "…>Hello, this is Éva.\\n"));
    let (one, two) = shown(b"short", b"shorter");
    assert_eq!((one.as_str(), two.as_str()), ("short", "shorter"));
    let (one, two) = shown(&[0xff, 0], b"text");
    assert!(one.starts_with("2 bytes, SHA-256 ") && two.starts_with("4 bytes, SHA-256 "), "{one} {two}");
}

#[test]
fn no_value_of_a_body_is_shown_when_something_of_it_is_redacted() {
    let rules = CompareRules { redact: paths(&["/email"]), ..rules() };
    for (original, other) in [("<p>ada@a", "<p>eve@a"), ("ada@a", ""), ("\0ada@a", "eve@a")] {
        let html = |body: &'static str| answer(&[("content-type", "text/html")], body);
        let found = compare(&html(original), &html(other), &rules).expect("they can be compared");
        let found = &found.differences[0];
        assert_eq!((&found.original, &found.other), (&None, &None));
    }
}
