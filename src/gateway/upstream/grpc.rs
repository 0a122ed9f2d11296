//! The question and the answer of gRPC's health protocol, `grpc.health.v1`: two messages of one field each, so no library for them.

use bytes::Bytes;
use http::HeaderMap;

/// What is called.
pub const PATH: &[u8] = b"/grpc.health.v1.Health/Check";

/// `ServingStatus.SERVING`
const SERVING: u64 = 1;

/// `HealthCheckRequest { service = 1 }` as a message of gRPC; empty: the whole server.
pub fn question(service: &str) -> Bytes {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a);
        write_varint(&mut message, service.len() as u64);
        message.extend_from_slice(service.as_bytes());
    }
    let mut framed = vec![0];
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(&message);
    Bytes::from(framed)
}

/// Whether an answer says that it serves; else what it says.
pub fn verdict(headers: &HeaderMap, body: &[u8], trailers: Option<&HeaderMap>) -> Result<(), String> {
    let said = |fields: &HeaderMap| {
        fields.get("grpc-status").and_then(|value| value.to_str().ok()?.parse::<u32>().ok())
    };
    match trailers.and_then(said).or_else(|| said(headers)) {
        Some(0) => {}
        Some(12) => return Err("it has no health service (grpc-status 12)".to_owned()),
        Some(code) => return Err(format!("grpc-status {code}")),
        None => return Err("no grpc-status".to_owned()),
    }
    let message = match body {
        [0, a, b, c, d, message @ ..] if u32::from_be_bytes([*a, *b, *c, *d]) as usize == message.len() => {
            message
        }
        _ => return Err("no message of gRPC".to_owned()),
    };
    match status(message) {
        Some(SERVING) => Ok(()),
        Some(other) => Err(match other {
            2 => "it says NOT_SERVING".to_owned(),
            3 => "it says SERVICE_UNKNOWN".to_owned(),
            other => format!("it says status {other}"),
        }),
        None => Err("no answer of grpc.health.v1".to_owned()),
    }
}

/// `HealthCheckResponse { status = 1 }`; a field that is not there is 0. None: that is no such message.
fn status(mut message: &[u8]) -> Option<u64> {
    let mut status = 0;
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match (tag >> 3, tag & 7) {
            (1, 0) => status = varint(&mut message)?,
            (_, 0) => drop(varint(&mut message)?),
            (_, 1) => message = message.get(8..)?,
            (_, 2) => {
                let length = varint(&mut message)?;
                message = message.get(usize::try_from(length).ok()?..)?;
            }
            (_, 5) => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(status: Option<&str>) -> HeaderMap {
        let mut fields = HeaderMap::new();
        if let Some(status) = status {
            fields.insert("grpc-status", status.parse().unwrap());
        }
        fields
    }

    #[test]
    fn a_question_names_its_service() {
        assert_eq!(question("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(question("a.B")[..], [0, 0, 0, 0, 5, 0x0a, 3, b'a', b'.', b'B']);
        let long = question(&"x".repeat(200));
        assert_eq!(long[..8], [0, 0, 0, 0, 203, 0x0a, 200, 1]);
    }

    /// A body, `grpc-status` of the head, of the trailers, and what is wrong.
    type Case<'a> = (&'a [u8], Option<&'a str>, Option<&'a str>, &'a str);

    #[test]
    fn only_serving_is_well() {
        let serving: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
        let table: [Case<'_>; 12] = [
            (serving, None, Some("0"), ""),
            (serving, Some("0"), None, ""),
            (&[0, 0, 0, 0, 6, 0x12, 2, 8, 2, 8, 1], None, Some("0"), ""),
            (&[0, 0, 0, 0, 2, 8, 2], None, Some("0"), "it says NOT_SERVING"),
            (&[0, 0, 0, 0, 2, 8, 3], None, Some("0"), "it says SERVICE_UNKNOWN"),
            (&[0, 0, 0, 0, 0], None, Some("0"), "it says status 0"),
            (serving, None, None, "no grpc-status"),
            (b"", Some("12"), None, "it has no health service (grpc-status 12)"),
            (serving, None, Some("14"), "grpc-status 14"),
            (b"<html>", None, Some("0"), "no message of gRPC"),
            (&[1, 0, 0, 0, 2, 8, 1], None, Some("0"), "no message of gRPC"),
            (&[0, 0, 0, 0, 2, 8, 0x80], None, Some("0"), "no answer of grpc.health.v1"),
        ];
        for (body, head, trailers, wrong) in table {
            let trailers = trailers.map(|status| fields(Some(status)));
            let verdict = verdict(&fields(head), body, trailers.as_ref());
            assert_eq!(verdict.err().unwrap_or_default(), wrong, "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_answered_panics(body: Vec<u8>) {
            let _ = verdict(&fields(Some("0")), &body, None);
            let _ = status(&body);
        }
    }
}
