//! A connection of any bytes, as the gate reads it: nothing panics, no cut changes anything, and what is accepted, readers that were written for
//! clarity alone read the same.
//!
//! An input is a byte for the cut and the bytes of a connection: a head, and behind it what may be its body.

#![no_main]

use flagway::config::limits::ClientLimits;
use flagway::gateway::gate::chunks::Chunks;
use flagway::gateway::gate::head::{Body, Head, Scan};
use flagway::gateway::gate::refusal::Refusal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [cut, bytes @ ..] = input else { return };
    let limits = ClientLimits::default();
    let step = usize::from(*cut) + 1;

    let mut scan = Scan::default();
    let whole = Scan::default().look(bytes, &limits);
    let ends = (0..bytes.len()).step_by(step).skip(1).chain([bytes.len()]);
    let pieced = ends.map(|end| scan.look(&bytes[..end], &limits)).find(|found| *found != Ok(None));
    assert_eq!(pieced.unwrap_or(Ok(None)), whole, "the cut makes no difference");

    let Ok(Some(length)) = whole else { return };
    let (head, rest) = bytes.split_at(length);
    let Ok(read) = Head::read(head, &limits, |_| false) else { return };
    let shown = read.shown(head).collect::<Vec<_>>().concat();
    assert_eq!(read.body, framed(&shown), "{}", String::from_utf8_lossy(&shown));
    chunks(rest, step);
});

/// How a body is framed, by the text of a head that is taken to be good.
fn framed(head: &[u8]) -> Body {
    let text: String = head.iter().map(|byte| char::from(*byte)).collect();
    let mut lines = text.strip_suffix("\r\n\r\n").expect("a head ends with an empty line").split("\r\n");
    let request = lines.next().expect("a head has a first line");
    assert_eq!(request.split(' ').count(), 3, "{request}");
    let mut framing = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').expect("a line is a field");
        assert!(!name.is_empty() && !name.contains([' ', '\t', '\r', '\n', '\0']), "{line:?}");
        assert!(!value.contains(['\r', '\n', '\0']), "{line:?}");
        if ["content-length", "transfer-encoding"].contains(&&*name.to_ascii_lowercase()) {
            framing.push(value.trim_matches([' ', '\t']).to_ascii_lowercase());
        }
    }
    assert!(framing.len() <= 1, "nothing is said twice: {framing:?}");
    match framing.first().map(String::as_str) {
        None => Body::None,
        Some("chunked") => Body::Chunked,
        Some(length) => match length.parse().expect("a length is a number") {
            0 => Body::None,
            length => Body::Length(length),
        },
    }
}

/// A chunked body that ends does so where a naive reader sees its end.
fn chunks(bytes: &[u8], step: usize) {
    let mut whole = Chunks::default();
    let taken = whole.look(bytes);
    let (mut pieced, mut at) = (Chunks::default(), 0);
    let again: Result<(), Refusal> = bytes.chunks(step).try_for_each(|piece| {
        at += pieced.look(piece)?;
        Ok(())
    });
    assert_eq!(again.is_ok(), taken.is_ok(), "the cut makes no difference");
    let Ok(taken) = taken else { return };
    assert_eq!((at, pieced.is_done()), (taken, whole.is_done()));
    if whole.is_done() {
        assert_eq!(end(bytes), Some(taken));
    }
}

/// Where a chunked body ends.
fn end(bytes: &[u8]) -> Option<usize> {
    let line = |at: usize| {
        let length = bytes.get(at..)?.windows(2).position(|two| two == b"\r\n")?;
        Some((&bytes[at..at + length], at + length + 2))
    };
    let mut at = 0;
    loop {
        let (size, behind) = line(at)?;
        let digits = size.split(|byte| *byte == b';').next()?;
        let size = usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        at = behind;
        if size == 0 {
            break;
        }
        at = at.checked_add(size)?;
        (bytes.get(at..at + 2)? == b"\r\n").then_some(())?;
        at += 2;
    }
    loop {
        let (trailer, behind) = line(at)?;
        at = behind;
        if trailer.is_empty() {
            return Some(at);
        }
    }
}
