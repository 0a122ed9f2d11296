//! The head that a load balancer in front says before a connection's first byte: who its client is (PROXY protocol, versions 1 and 2).
//!
//! Whether it is believed, or read at all, is decided by whose connection it is. What it says beside addresses is skipped.

use std::net::SocketAddr;

use ppp::{v1, v2};

use super::refusal::Refusal;

/// Bytes of a head: of version 1 at most 107, of version 2 as many as those that are known need with all their extras.
const MOST: usize = 4 << 10;
/// Bytes of a line of version 1, with its end.
const LINE: usize = 107;
/// Bytes of version 2 before what its length counts.
const FIXED: usize = 16;

/// A head that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Its bytes.
    pub length: usize,
    /// The client; none: nothing is said of it, and the socket's own address counts.
    pub client: Option<SocketAddr>,
}

/// Reads a head. None: it is not whole yet.
pub fn read(bytes: &[u8]) -> Result<Option<Told>, Refusal> {
    let begins = |with: &[u8]| bytes.starts_with(&with[..bytes.len().min(with.len())]);
    if begins(v2::PROTOCOL_PREFIX) {
        binary(bytes)
    } else if begins(b"PROXY ") {
        line(bytes)
    } else {
        Err(Refusal::ProxyHead)
    }
}

fn line(bytes: &[u8]) -> Result<Option<Told>, Refusal> {
    let Some(end) = bytes.windows(2).take(LINE - 1).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < LINE { Ok(None) } else { Err(Refusal::ProxyHead) };
    };
    let (length, line) = (end + 2, &bytes[..end + 2]);
    // The library takes `+80` for a port.
    let odd = line[..end].contains(&b'\r') || line.contains(&b'+');
    let head = v1::Header::try_from(line).ok().filter(|_| !odd).ok_or(Refusal::ProxyHead)?;
    let client = match head.addresses {
        v1::Addresses::Unknown => None,
        v1::Addresses::Tcp4(ip) => Some((ip.source_address, ip.source_port).into()),
        v1::Addresses::Tcp6(ip) => Some((ip.source_address, ip.source_port).into()),
    };
    Ok(Some(Told { length, client }))
}

fn binary(bytes: &[u8]) -> Result<Option<Told>, Refusal> {
    let Some(fixed) = bytes.get(..FIXED) else { return Ok(None) };
    let length = FIXED + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if length > MOST {
        return Err(Refusal::ProxyHead);
    }
    // What is wrong in the first bytes is refused before the rest is waited for.
    let head = match v2::Header::try_from(&bytes[..length.min(bytes.len())]) {
        Ok(head) => head,
        Err(v2::ParseError::Incomplete(_) | v2::ParseError::Partial(..)) => return Ok(None),
        Err(_) => return Err(Refusal::ProxyHead),
    };
    let stream = head.command == v2::Command::Proxy && head.protocol == v2::Protocol::Stream;
    let client = match head.addresses {
        v2::Addresses::IPv4(ip) if stream => Some((ip.source_address, ip.source_port).into()),
        v2::Addresses::IPv6(ip) if stream => Some((ip.source_address, ip.source_port).into()),
        _ => None,
    };
    Ok(Some(Told { length, client }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v2_head(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut head = v2::PROTOCOL_PREFIX.to_vec();
        head.extend([command, family]);
        head.extend((body.len() as u16).to_be_bytes());
        head.extend(body);
        head
    }

    /// From 192.0.2.7:4711 to 198.51.100.1:443.
    const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 1, 187];

    fn v6() -> Vec<u8> {
        let mut body = vec![0x20, 1, 0x0d, 0xb8];
        body.extend([0; 11]);
        body.push(7);
        body.extend([0; 15]);
        body.push(1);
        body.extend([0x12, 0x67, 1, 187]);
        body
    }

    fn heads() -> Vec<(Vec<u8>, Option<&'static str>)> {
        let line = |text: &str| text.as_bytes().to_vec();
        let extras = [&V4[..], &[4, 0, 3, 1, 2, 3], &[1, 0, 2, b'h', b'2']].concat();
        let four = Some("192.0.2.7:4711");
        let six = Some("[2001:db8::7]:4711");
        vec![
            (line("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"), four),
            (line("PROXY TCP6 2001:db8::7 ::1 4711 443\r\n"), six),
            (line("PROXY UNKNOWN\r\n"), None),
            (line("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), None),
            (v2_head(0x21, 0x11, &V4), four),
            (v2_head(0x21, 0x21, &v6()), six),
            (v2_head(0x21, 0x11, &extras), four),
            (v2_head(0x20, 0x11, &V4), None),
            (v2_head(0x20, 0x00, &[]), None),
            (v2_head(0x21, 0x00, &[4, 0, 1, 0]), None),
            (v2_head(0x21, 0x12, &V4), None),
            (v2_head(0x21, 0x31, &[0; 216]), None),
        ]
    }

    #[test]
    fn both_versions_tell_the_client_or_nothing() {
        for (head, client) in heads() {
            let told = Told { length: head.len(), client: client.map(|text| text.parse().unwrap()) };
            for rest in [&b""[..], b"GET / HTTP/1.1\r\n", b"\r\n", b"\x16\x03\x01"] {
                assert_eq!(read(&[&head, rest].concat()), Ok(Some(told)), "{head:?}");
            }
            for cut in 0..head.len() {
                assert_eq!(read(&head[..cut]), Ok(None), "{cut} of {head:?}");
            }
        }
    }

    #[test]
    fn what_is_no_head_is_refused_as_soon_as_it_can_be_told() {
        let line = |text: &str| text.as_bytes().to_vec();
        let table = [
            line("G"),
            line("PROXX"),
            line("proxy TCP4"),
            line("PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n"),
            line("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443 1\r\n"),
            line("PROXY TCP4 192.0.2.7 198.51.100.1 +4711 443\r\n"),
            line("PROXY TCP4 192.0.2.7 198.51.100.1 04711 443\r\n"),
            line("PROXY TCP4 192.0.2.7 198.51.100.1 4711 65536\r\n"),
            line("PROXY TCP4 2001:db8::7 ::1 4711 443\r\n"),
            line("PROXY TCP6 192.0.2.7 198.51.100.1 4711 443\r\n"),
            line("PROXY TCP4  192.0.2.7 198.51.100.1 4711 443\r\n"),
            line("PROXY UDP4 192.0.2.7 198.51.100.1 4711 443\r\n"),
            line("PROXY \r\n"),
            [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 93]].concat(),
            [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 93], b"\r\n".to_vec()].concat(),
            v2_head(0x11, 0x11, &V4),
            v2_head(0x22, 0x11, &V4),
            v2_head(0x21, 0x41, &V4),
            v2_head(0x21, 0x11, &V4[..11]),
            v2_head(0x21, 0x21, &V4),
            v2_head(0x21, 0x11, &[0; MOST]),
            b"\r\n\r\n\0\r\nQUIT ".to_vec(),
        ];
        for head in table {
            assert_eq!(read(&head), Err(Refusal::ProxyHead), "{head:?}");
        }
        assert_eq!(read(&v2_head(0x21, 0x11, &[0; MOST])[..16]), Err(Refusal::ProxyHead), "by its length");
    }

    proptest! {
        #[test]
        fn nothing_panics_and_more_bytes_change_no_answer(
            index in 0usize..12, at in 0usize..40, byte: u8, rest in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut head = heads().swap_remove(index).0;
            let at = at % head.len();
            head[at] = byte;
            head.extend(rest);
            let whole = read(&head);
            for cut in 0..head.len() {
                match read(&head[..cut]) {
                    Ok(None) => {}
                    early => prop_assert_eq!(early, whole, "{} bytes", cut),
                }
            }
            if let Ok(Some(told)) = whole {
                prop_assert!(told.length <= head.len() && told.length <= MOST);
            }
        }
    }
}
