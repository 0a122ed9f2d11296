//! W3C baggage: the client's own members without `flag.*`, then ours, within the limits of the specification.
//!
//! <https://www.w3.org/TR/baggage/>: at most 64 members and 8,192 bytes. Ours give way first; a client's baggage that does not parse is
//! dropped whole, since nobody behind could tell what it means.

use http::{HeaderMap, HeaderName, HeaderValue};

/// W3C baggage.
pub const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

const MAX_MEMBERS: usize = 64;
const MAX_BYTES: usize = 8192;

/// The value to send, `Some` with an empty text never: when nothing is left the field has to go, which [`strip`] tells.
pub fn merge<'a>(received: &HeaderMap, ours: impl Iterator<Item = &'a str>) -> Option<HeaderValue> {
    let client = client_members(received);
    let mut members = client.len();
    let mut text = client.join(",");
    for member in ours {
        let separator = usize::from(!text.is_empty());
        if members == MAX_MEMBERS || text.len() + separator + member.len() > MAX_BYTES {
            continue;
        }
        if separator == 1 {
            text.push(',');
        }
        text.push_str(member);
        members += 1;
    }
    if text.is_empty() { None } else { HeaderValue::try_from(text).ok() }
}

/// Whether what the client sent holds nothing that may be passed on.
pub fn strip(received: &HeaderMap) -> bool {
    client_members(received).is_empty()
}

/// The client's members without `flag.*`; none of them if any does not parse or they exceed the limits.
fn client_members(received: &HeaderMap) -> Vec<&str> {
    let mut kept = Vec::new();
    let mut bytes = 0;
    for line in received.get_all(BAGGAGE) {
        let Ok(line) = line.to_str() else { return Vec::new() };
        for member in line.split(',').map(str::trim).filter(|member| !member.is_empty()) {
            let Some(key) = key_of(member) else { return Vec::new() };
            bytes += member.len() + 1;
            if key.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("flag.")) {
                continue;
            }
            kept.push(member);
        }
    }
    if kept.len() > MAX_MEMBERS || bytes > MAX_BYTES + 1 { Vec::new() } else { kept }
}

/// The key of `key = value ; property`, if the member is well formed.
fn key_of(member: &str) -> Option<&str> {
    let (key, rest) = member.split_once('=')?;
    let key = key.trim_end();
    let (value, properties) = rest.split_once(';').unwrap_or((rest, ""));
    let token = |text: &str| !text.is_empty() && text.bytes().all(is_token);
    let octets = |text: &str| text.bytes().all(is_octet);
    let property = |property: &str| match property.split_once('=') {
        Some((key, value)) => token(key.trim()) && octets(value.trim()),
        None => token(property.trim()),
    };
    let well_formed =
        token(key) && octets(value.trim()) && (!rest.contains(';') || properties.split(';').all(property));
    well_formed.then_some(key)
}

/// RFC 7230's tchar.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// W3C's baggage-octet: visible ASCII without `"`, `,`, `;` and `\`.
fn is_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(lines: &[&str], ours: &[&str]) -> Option<String> {
        let mut received = HeaderMap::new();
        for line in lines {
            received.append(BAGGAGE, HeaderValue::from_str(line).unwrap());
        }
        merge(&received, ours.iter().copied()).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn keeps_the_clients_members_and_appends_ours() {
        let cases: [(&[&str], &[&str], Option<&str>); 8] = [
            (&[], &["flag.a=on"], Some("flag.a=on")),
            (&["k=v;p=1, l = w"], &["flag.a=on"], Some("k=v;p=1,l = w,flag.a=on")),
            (&["flag.a=off,k=v"], &["flag.a=on"], Some("k=v,flag.a=on")),
            (&["FLAG.a=off"], &[], None),
            (&["k=v", "l=w"], &[], Some("k=v,l=w")),
            (&["k"], &["flag.a=on"], Some("flag.a=on")),
            (&["k=v,l=\"w\""], &["flag.a=on"], Some("flag.a=on")),
            (&["k=v;"], &[], None),
        ];
        for (lines, ours, expected) in cases {
            assert_eq!(merged(lines, ours).as_deref(), expected, "{lines:?} + {ours:?}");
        }
    }

    #[test]
    fn ours_give_way_within_64_members_and_8192_bytes() {
        let many: Vec<String> = (0..63).map(|n| format!("k{n}=v")).collect();
        let text = merged(&[&many.join(",")], &["flag.a=1", "flag.b=2"]).unwrap();
        assert!(text.ends_with("k62=v,flag.a=1"), "{text}");
        let long = format!("k={}", "v".repeat(8184));
        assert_eq!(merged(&[&long], &["flag.a=1", "f=1"]).unwrap(), format!("{long},f=1"));
    }
}
