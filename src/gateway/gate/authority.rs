//! Whether an authority can be understood in one way only: a name or an address, and perhaps a port. No user, no list.

use std::net::Ipv6Addr;

/// Names of letters, digits, `-`, `.`, `_` and `~`; IPv6 in brackets; a port of digits, up to 65,535, or none behind a colon.
pub fn is_valid(authority: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(authority) else { return false };
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let Some((address, port)) = rest.split_once(']') else { return false };
            (address.parse::<Ipv6Addr>().is_ok(), port)
        }
        None => {
            let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            (!name.is_empty() && name.bytes().all(known), port)
        }
    };
    host && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

fn is_port(text: &str) -> bool {
    text.is_empty()
        || text.len() <= 5
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse::<u32>().is_ok_and(|port| port <= 65_535)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_name_or_an_address_with_or_without_a_port() {
        for good in
            ["a", "a.test", "a.test:80", "a.test:", "127.0.0.1:1", "[::1]", "[::1]:443", "a_b", "xn--4ca.ch"]
        {
            assert!(is_valid(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            ":80",
            "a b",
            "a,b",
            "a/b",
            "a@b",
            "user:pw@a",
            "a:b",
            "a:99999",
            "a:+1",
            "a:1:2",
            "[::1",
            "::1",
            "[a]",
            "[::1]x",
            "a#",
            "a%41",
            "ä",
            "[::1%25eth0]",
            "a:000080",
        ] {
            assert!(!is_valid(bad.as_bytes()), "{bad}");
        }
    }
}
