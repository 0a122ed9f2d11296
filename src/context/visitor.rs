//! The visitor cookie: `<32 hex digits>.<issue time, hex seconds>`, and behind another dot its signature, 64 hex digits, where it is
//! signed. The first digits are the key; the time tells when to renew.
//!
//! Only the form that is minted is read: any other value counts as absent. Where nothing signs, a signature is not looked at, so that
//! signing can be taken back. It draws no randomness and asks no clock.

use std::fmt::Write;

use http::{HeaderValue, Method, header};

use super::RequestFacts;
use super::seal::{self, Seal};
use crate::config::context::{Mint, SameSite, VisitorCookie};

/// How far in the future an issue time may lie before it is mended, in seconds: clocks differ, but not by days.
const SKEW: i64 = 86_400;

/// A visitor cookie that the response must set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitorChange {
    /// 128 bits; its 32 hex digits are the key.
    pub id: u128,
    /// Unix seconds that go into the cookie.
    pub issued: i64,
    /// False: renewed, the id stays.
    pub minted: bool,
    /// Which of the list's sources it is of; index into the route's key sources.
    pub source: usize,
}

/// The `Set-Cookie` value. `secure` is whether the client speaks TLS: it decides `Secure` and a `__Host-` name.
///
/// None when the configured name or domain cannot stand in a header. On plain HTTP `SameSite=None` and `Partitioned`
/// would make browsers drop the cookie: they become `Lax` and nothing.
pub(super) fn set_cookie(
    cookie: &VisitorCookie,
    seal: Option<&Seal>,
    change: &VisitorChange,
    secure: bool,
) -> Option<HeaderValue> {
    let name = name(cookie, secure);
    let mut value = format!("{:032x}.{:x}", change.id, change.issued);
    if let Some(seal) = seal {
        let signature = seal.sign(&value);
        value.push('.');
        for byte in signature {
            // Writing to a String cannot fail.
            let _ = write!(value, "{byte:02x}");
        }
    }
    let max_age = cookie.max_age.as_secs();
    let same_site = match cookie.same_site {
        SameSite::Strict => "Strict",
        SameSite::None if secure => "None",
        SameSite::Lax | SameSite::None => "Lax",
    };
    let mut text = format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite={same_site}");
    if secure {
        text.push_str("; Secure");
    }
    // Browsers drop a `__Host-` cookie that has a domain.
    if let Some(domain) = cookie.domain.as_ref().filter(|_| !cookie.name.starts_with(HOST_PREFIX)) {
        text.push_str("; Domain=");
        text.push_str(domain);
    }
    if secure && cookie.partitioned {
        text.push_str("; Partitioned");
    }
    HeaderValue::try_from(text).ok()
}

const HOST_PREFIX: &str = "__Host-";

/// The cookie's name as sent. Browsers refuse the prefixed names on plain HTTP, so there the prefix is left off.
pub fn name(cookie: &VisitorCookie, secure: bool) -> &str {
    let prefixes = [HOST_PREFIX, "__Secure-"];
    let bare = prefixes.iter().find_map(|prefix| cookie.name.strip_prefix(prefix));
    if secure { &cookie.name } else { bare.unwrap_or(&cookie.name) }
}

/// A visitor cookie that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visitor<'a> {
    /// 32 lower-case hex digits.
    pub key: &'a str,
    pub id: u128,
    /// Unix seconds, 0 or later.
    pub issued: i64,
    /// What a signature is of: both.
    pub signed: &'a str,
    /// None: it has none.
    pub signature: Option<[u8; seal::BYTES]>,
}

impl<'a> Visitor<'a> {
    pub fn parse(value: &'a str) -> Option<Visitor<'a>> {
        let (key, rest) = value.split_once('.')?;
        let (signed, issued, signature) = match rest.split_once('.') {
            Some((issued, digits)) => {
                (&value[..key.len() + 1 + issued.len()], issued, Some(signature(digits)?))
            }
            None => (value, rest, None),
        };
        let hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if key.len() != 32 || !hex(key) || !hex(issued) {
            return None;
        }
        let id = u128::from_str_radix(key, 16).ok()?;
        let issued = i64::from_str_radix(issued, 16).ok()?;
        Some(Visitor { key, id, issued, signed, signature })
    }

    /// Past half its life, or from a future that no clock skew explains.
    pub fn is_due(&self, cookie: &VisitorCookie, now: i64) -> bool {
        let half = i64::try_from(cookie.max_age.as_secs() / 2).unwrap_or(i64::MAX);
        now.saturating_sub(self.issued) > half || self.issued.saturating_sub(now) > SKEW
    }
}

/// 64 lower-case hex digits.
fn signature(digits: &str) -> Option<[u8; seal::BYTES]> {
    let digits = digits.as_bytes();
    let mut signature = [0; seal::BYTES];
    if digits.len() != 2 * signature.len() {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    for (byte, pair) in signature.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(signature)
}

/// Whether this request may bring a new visitor into being: by default only the load of a page.
pub(super) fn may_mint(cookie: &VisitorCookie, facts: &RequestFacts<'_>) -> bool {
    match cookie.mint {
        Mint::Always => true,
        Mint::Navigation => is_navigation(facts),
    }
}

/// `Sec-Fetch-Mode` decides where it is sent; older clients ask for HTML.
fn is_navigation(facts: &RequestFacts<'_>) -> bool {
    if !matches!(*facts.method, Method::GET | Method::HEAD) {
        return false;
    }
    match facts.headers.get("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => facts.headers.get_all(header::ACCEPT).iter().any(asks_for_html),
    }
}

fn asks_for_html(accept: &HeaderValue) -> bool {
    accept.as_bytes().split(|byte| *byte == b',').any(|range| {
        let media = range.split(|byte| *byte == b';').next().unwrap_or_default();
        media.trim_ascii().eq_ignore_ascii_case(b"text/html")
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    pub(in crate::context) fn cookie(name: &str) -> VisitorCookie {
        VisitorCookie {
            name: name.into(),
            max_age: Duration::from_secs(1_000),
            domain: None,
            partitioned: false,
            same_site: SameSite::Lax,
            mint: Mint::Navigation,
            signed_by: Vec::new(),
            adopt_unsigned: false,
        }
    }

    const CHANGE: VisitorChange = VisitorChange { id: 0xab, issued: 0x6a, minted: true, source: 0 };
    const ID: &str = "000000000000000000000000000000ab";

    fn set(cookie: &VisitorCookie, secure: bool) -> String {
        set_cookie(cookie, None, &CHANGE, secure).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn the_cookie_is_set_as_browsers_take_it() {
        let tail = "Path=/; Max-Age=1000; HttpOnly; SameSite=";
        assert_eq!(set(&cookie("__Host-v"), true), format!("__Host-v={ID}.6a; {tail}Lax; Secure"));
        assert_eq!(set(&cookie("__Host-v"), false), format!("v={ID}.6a; {tail}Lax"));
        assert_eq!(set(&cookie("__Secure-v"), false), format!("v={ID}.6a; {tail}Lax"));

        let wide = VisitorCookie {
            domain: Some("example.org".into()),
            partitioned: true,
            same_site: SameSite::None,
            ..cookie("v")
        };
        let secure = format!("v={ID}.6a; {tail}None; Secure; Domain=example.org; Partitioned");
        assert_eq!(set(&wide, true), secure);
        assert_eq!(set(&wide, false), format!("v={ID}.6a; {tail}Lax; Domain=example.org"));

        let host_only = VisitorCookie { name: "__Host-v".into(), same_site: SameSite::Strict, ..wide };
        assert_eq!(set(&host_only, true), format!("__Host-v={ID}.6a; {tail}Strict; Secure; Partitioned"));
        assert_eq!(set_cookie(&cookie("a\r\nb"), None, &CHANGE, true), None);
    }

    #[test]
    fn only_the_minted_form_is_a_visitor() {
        let whole = format!("{ID}.6a");
        let visitor = Visitor { key: ID, id: 0xab, issued: 0x6a, signed: &whole, signature: None };
        assert_eq!(Visitor::parse(&whole), Some(visitor));
        let sealed = format!("{whole}.{}", "0f".repeat(32));
        assert_eq!(Visitor::parse(&sealed), Some(Visitor { signature: Some([0x0f; 32]), ..visitor }));
        for other in [
            "".to_owned(),
            ID.to_owned(),
            format!("{ID}."),
            format!("{ID}.6A"),
            format!("{ID}.+6"),
            format!("{ID}.-6"),
            format!("{ID}.6a.6a"),
            format!("{ID}.6a.{}", "0F".repeat(32)),
            format!("{ID}.6a.{}", "0".repeat(63)),
            format!("{ID}.6a.{}.", "0".repeat(64)),
            format!("{ID}.6a.{}é", "0".repeat(62)),
            format!("{ID}.8000000000000000"),
            format!("0{ID}.6a"),
            format!("{}.6a", &ID[1..]),
            format!("+{}.6a", &ID[1..]),
            format!("{}.6a", ID.to_uppercase()),
            format!("{}é.6a", &ID[2..]),
        ] {
            assert_eq!(Visitor::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn it_is_renewed_past_half_its_life_or_from_the_future() {
        let due = |issued, now| {
            let visitor = Visitor { key: ID, id: 0xab, issued, signed: "", signature: None };
            visitor.is_due(&cookie("v"), now)
        };
        assert!(!due(100, 100) && !due(100, 600) && due(100, 601) && due(100, i64::MAX));
        assert!(!due(100 + SKEW, 100) && due(101 + SKEW, 100) && due(i64::MAX, i64::MIN));
    }

    proptest! {
        #[test]
        fn what_is_set_is_read_again(id: u128, issued in 0..i64::MAX, signs: bool) {
            let signed_by = if signs { vec![super::super::seal::tests::secret('s')] } else { Vec::new() };
            let cookie = VisitorCookie { signed_by, ..cookie("v") };
            let seal = Seal::new(&cookie);
            let change = VisitorChange { id, issued, ..CHANGE };
            let set = set_cookie(&cookie, seal.as_ref(), &change, true).unwrap();
            let value = set.to_str().unwrap().strip_prefix("v=").unwrap().split(';').next().unwrap();
            let read = Visitor::parse(value).unwrap();
            prop_assert_eq!(read.signature.is_some(), signs);
            prop_assert_eq!(seal.map(|seal| seal.judge(&read)), signs.then_some(Some(super::super::seal::Worth::Good)));
            prop_assert_eq!((read.id, read.issued), (id, issued));
            prop_assert_eq!(read.key, format!("{id:032x}"));
        }

        #[test]
        fn no_value_panics(value in "\\PC{0,50}|[0-9a-f]{31,33}.[0-9a-f]{0,17}|[0-9a-f]{32}.6a.[0-9a-f]{63,65}") {
            let _ = Visitor::parse(&value);
        }
    }
}
