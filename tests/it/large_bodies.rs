//! Bodies of a gibibyte, both ways and in both versions of HTTP: none of it is kept.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{Gateway, RawUpstream, one_route, services};

const WHOLE: u64 = 1 << 30;
static PIECE: [u8; 64 << 10] = [b'x'; 64 << 10];
/// What a gateway may need at its highest, beside what it needs to be there.
const MORE_KIB: u64 = 24 << 10;

/// An upstream that takes a body of [`WHOLE`] bytes, if one is sent, and answers with as many.
fn upstream() -> RawUpstream {
    RawUpstream::start(|stream| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        if head.starts_with(b"POST") {
            let mut left = WHOLE;
            let mut bytes = vec![0; 64 << 10];
            while left > 0 {
                let most = bytes.len().min(left as usize);
                let came = stream.read(&mut bytes[..most])?;
                left -= if came == 0 { return Ok(()) } else { came as u64 };
            }
        }
        stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {WHOLE}\r\n\r\n").as_bytes())?;
        (0..WHOLE / PIECE.len() as u64).try_for_each(|_| stream.write_all(&PIECE))
    })
}

fn high_kib(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_gibibyte_passes_both_ways_and_stays_nowhere() {
    let upstream = upstream();
    let config = services(&format!("['{}']", upstream.address), "['127.0.0.1:1']") + &one_route("");
    let gateway = Gateway::start(&config, json!({}));
    gateway.get("/none");
    let before = high_kib(&gateway);
    let url = format!("http://{}/", gateway.address("main"));
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let mut curl = Command::new("curl");
        curl.args(["-sS", version, "-o", "/dev/null", "-w", "%{http_code} %{size_upload} %{size_download}"]);
        curl.args(["-X", "POST", "-T", "-", "-H", "transfer-encoding:", "-H"])
            .arg(format!("content-length: {WHOLE}"));
        let mut curl = curl.arg(&url).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut body = curl.stdin.take().unwrap();
        let writing = std::thread::spawn(move || {
            (0..WHOLE / PIECE.len() as u64).try_for_each(|_| body.write_all(&PIECE)).unwrap();
        });
        let told = String::from_utf8(curl.wait_with_output().unwrap().stdout).unwrap();
        writing.join().unwrap();
        assert_eq!(told, format!("200 {WHOLE} {WHOLE}"), "{version}");
        let more = high_kib(&gateway) - before;
        assert!(more < MORE_KIB, "{version}: {more} KiB more");
    }
}
