//! Two answers of any bytes: comparing them never panics, an answer is equal to itself, and the other way round the same fields differ.
//!
//! An input is a byte of rules, a byte for the headers of each answer, two for the length of the first body, and both bodies.

#![no_main]

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use flagway::compare::{Answer, Capture, Kind, compare};
use flagway::config::field_path::FieldPath;
use flagway::config::shadow::{CompareRules, Share};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;

const MEDIA: [&str; 4] = ["application/json", "application/problem+json", "text/plain", "text/html"];
const CODINGS: [&str; 8] = ["", "gzip", "deflate", "br", "zstd", "gzip, br", "zstd, deflate", "unknown"];

fuzz_target!(|input: &[u8]| {
    let [how, head, other_head, low, high, bodies @ ..] = input else { return };
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    let (body, other_body) = bodies.split_at(length.min(bodies.len()));
    let rules = rules(*how);
    let original = answer(*head, body, &rules);
    let other = answer(*other_head, other_body, &rules);

    let same = compare(&original, &original, &rules).expect("equal bytes are always compared");
    assert!(same.differences.is_empty());
    let there = compare(&original, &other, &rules);
    let back = compare(&other, &original, &rules);
    assert_eq!(there.is_ok(), back.is_ok());
    let (Ok(there), Ok(back)) = (there, back) else { return };
    for found in there.differences.iter().chain(&back.differences) {
        for shown in [&found.original, &found.other].into_iter().flatten() {
            assert!(shown.len() <= 256 && !shown.contains(char::is_control));
        }
        assert!(found.path.len() < 1024 && !found.path.contains(char::is_control));
    }
    let there: BTreeSet<_> = there.differences.iter().map(|found| (&found.path, found.kind)).collect();
    let back: BTreeSet<_> =
        back.differences.iter().map(|found| (&found.path, mirrored(found.kind))).collect();
    assert_eq!(there, back);
});

fn mirrored(kind: Kind) -> Kind {
    match kind {
        Kind::Missing => Kind::Added,
        Kind::Added => Kind::Missing,
        Kind::Shorter => Kind::Longer,
        Kind::Longer => Kind::Shorter,
        kind => kind,
    }
}

fn answer(head: u8, body: &[u8], rules: &CompareRules) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA[usize::from(head >> 3) % MEDIA.len()]));
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(CODINGS[usize::from(head) % CODINGS.len()]));
    let mut capture = Capture::new(rules.max_body);
    capture.push(&Bytes::copy_from_slice(body));
    Answer { status: StatusCode::OK, headers, body: capture.finish(), waited: Duration::ZERO }
}

/// A bit for each rule.
fn rules(how: u8) -> CompareRules {
    let path = |text: &str| FieldPath::parse(text).expect("it is a path");
    let on = |bit: u8| how >> bit & 1 == 1;
    CompareRules {
        sample: Share(1.0),
        noise: Share(0.0),
        headers: vec![CONTENT_TYPE, CONTENT_ENCODING],
        max_body: if on(0) { 64 } else { 64 << 10 },
        ignore: on(1).then(|| path("/*/b")).into_iter().collect(),
        arrays: if on(2) {
            vec![(FieldPath::Body, "id".into()), (path("/a"), "id".into())]
        } else {
            Vec::new()
        },
        tolerance: on(3).then(|| (path("/*"), 1.0)).into_iter().collect(),
        slower_by: Duration::ZERO,
        redact: on(4).then(|| path("/a/*")).into_iter().collect(),
        examples: 3,
    }
}
