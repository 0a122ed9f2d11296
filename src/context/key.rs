//! The targeting key: the first configured source that is present once and holds 1 to 256 bytes.
//!
//! Whatever is ambiguous counts as absent: a field sent twice decides for nobody. A visitor is minted only when every
//! source is absent.

use std::borrow::Cow;

use http::HeaderValue;

use super::Input;
use super::cookies::{only_cookie, only_parameter};
use super::facts::{RequestFacts, Scheme};
use super::headers::only_header;
use super::seal::{Seal, Worth};
use super::visitor::{self, Visitor, VisitorChange};
use crate::config::context::{KeySource, VisitorCookie};

/// The longest key, in bytes.
pub const MAX_BYTES: usize = 256;

/// A compiled list of sources.
#[derive(Debug, Clone)]
pub struct KeyRules {
    sources: Vec<KeySource>,
    /// Of its visitor cookie, where that is signed.
    seal: Option<Seal>,
}

/// Who a decision sticks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetingKey<'a> {
    /// 1 to 256 bytes; owned only when it was minted or had to be decoded.
    pub value: Cow<'a, str>,
    /// A visitor cookie to set: newly minted, or due for renewal.
    pub visitor: Option<VisitorChange>,
}

impl KeyRules {
    /// Takes the sources in the order in which they are asked.
    pub fn new(sources: &[KeySource]) -> KeyRules {
        let visitor = sources.iter().find_map(|source| match source {
            KeySource::Visitor(cookie) => Some(cookie),
            _ => None,
        });
        KeyRules { sources: sources.to_vec(), seal: visitor.and_then(Seal::new) }
    }

    /// The key of a request, if any. `may_mint` is whether a flag of the route reads the key; `fresh` are 128 random bits, `now` Unix seconds.
    ///
    /// Without `may_mint` no cookie is set at all, not even a renewed one: a response that depends on no key stays cacheable.
    pub fn resolve<'a>(
        &self,
        facts: &RequestFacts<'a>,
        may_mint: bool,
        now: i64,
        fresh: u128,
    ) -> Option<TargetingKey<'a>> {
        let sent = self.sources.iter().enumerate().find_map(|(source, from)| match from {
            KeySource::Header { trusted: true, .. } if !facts.trusted => None,
            KeySource::Header { name, .. } => usable(only_header(facts.headers, name).map(Cow::Borrowed)),
            KeySource::Cookie(name) => usable(only_cookie(facts.headers, name)),
            KeySource::Query(name) => usable(only_parameter(facts.query, name)),
            KeySource::Visitor(cookie) => {
                let visitor = sent_visitor(cookie, facts)?;
                let worth = self.seal.as_ref().map_or(Some(Worth::Good), |seal| seal.judge(&visitor))?;
                let renewed = VisitorChange { id: visitor.id, issued: now, minted: false, source };
                let due = may_mint && (worth == Worth::Old || visitor.is_due(cookie, now));
                Some(TargetingKey { value: Cow::Borrowed(visitor.key), visitor: due.then_some(renewed) })
            }
            KeySource::Jwt(claim) => {
                let claims = facts.token.claims(facts.headers, now).ok()?;
                usable(claims.key(claim).map(|key| Cow::Owned(key.into_owned())))
            }
        });
        sent.or_else(|| if may_mint { self.mint(facts, now, fresh) } else { None })
    }

    /// The `Set-Cookie` value of a change; `secure` is whether the client speaks TLS.
    pub fn set_cookie(&self, change: &VisitorChange, secure: bool) -> Option<HeaderValue> {
        match self.sources.get(change.source)? {
            KeySource::Visitor(cookie) => visitor::set_cookie(cookie, self.seal.as_ref(), change, secure),
            _ => None,
        }
    }

    /// Whether a cookie of that name is the visitor's, with its prefix or without.
    pub fn sets_cookie(&self, name: &[u8]) -> bool {
        self.sources.iter().any(|source| match source {
            KeySource::Visitor(cookie) => {
                [true, false].iter().any(|secure| visitor::name(cookie, *secure).as_bytes() == name)
            }
            _ => false,
        })
    }

    /// Whether one of the sources is a token: who is refused is told to bring one.
    pub fn asks_token(&self) -> bool {
        self.sources.iter().any(|source| matches!(source, KeySource::Jwt(_)))
    }

    /// What the key depends on, for `Vary`: header and cookie names.
    pub fn inputs(&self) -> impl Iterator<Item = Input> + '_ {
        self.sources.iter().map(|source| match source {
            KeySource::Header { name, .. } => Input::Header(name.clone()),
            KeySource::Cookie(_) | KeySource::Visitor(_) => Input::Cookie,
            KeySource::Query(_) => Input::CacheKey,
            // Whether a token counts is a matter of time, too.
            KeySource::Jwt(_) => Input::Unseen,
        })
    }

    fn mint(&self, facts: &RequestFacts<'_>, now: i64, id: u128) -> Option<TargetingKey<'static>> {
        let mintable =
            |from: &KeySource| matches!(from, KeySource::Visitor(cookie) if visitor::may_mint(cookie, facts));
        let source = self.sources.iter().position(mintable)?;
        let visitor = Some(VisitorChange { id, issued: now, minted: true, source });
        Some(TargetingKey { value: Cow::Owned(format!("{id:032x}")), visitor })
    }
}

fn usable(value: Option<Cow<'_, str>>) -> Option<TargetingKey<'_>> {
    let value = value.filter(|value| (1..=MAX_BYTES).contains(&value.len()))?;
    Some(TargetingKey { value, visitor: None })
}

fn sent_visitor<'a>(cookie: &VisitorCookie, facts: &RequestFacts<'a>) -> Option<Visitor<'a>> {
    match only_cookie(facts.headers, visitor::name(cookie, facts.scheme == Scheme::Https))? {
        Cow::Borrowed(value) => Visitor::parse(value),
        // We never send one that needs decoding.
        Cow::Owned(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::*;
    use crate::config::context::{Mint, SameSite};
    use crate::context::Token;

    const NOW: i64 = 1_000_000;
    const ID: &str = "000000000000000000000000000000ab";

    /// A request by its field lines, over TLS.
    struct Sent {
        headers: HeaderMap,
        method: Method,
        query: &'static str,
        trusted: bool,
        scheme: Scheme,
    }

    fn sent(lines: &[(&'static str, &str)]) -> Sent {
        let line = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        let headers = HeaderMap::from_iter(lines.iter().map(line));
        Sent { headers, method: Method::GET, query: "", trusted: false, scheme: Scheme::Https }
    }

    fn resolve(sources: &[KeySource], sent: &Sent) -> Option<(String, Option<VisitorChange>)> {
        let facts = RequestFacts {
            method: &sent.method,
            scheme: sent.scheme,
            host: "".into(),
            path: "/".into(),
            query: Some(sent.query),
            headers: &sent.headers,
            client_ip: IpAddr::from([192, 0, 2, 1]),
            trusted: sent.trusted,
            secured: None,
            listener: "main",
            token: Token::default(),
        };
        let key = KeyRules::new(sources).resolve(&facts, true, NOW, 0xcd)?;
        let unminted = KeyRules::new(sources).resolve(&facts, false, NOW, 0xcd);
        let minted = key.visitor.is_some_and(|change| change.minted);
        assert_eq!(
            unminted.map(|key| (key.value, key.visitor)),
            (!minted).then(|| (key.value.clone(), None))
        );
        Some((key.value.into_owned(), key.visitor))
    }

    fn key(sources: &[KeySource], sent: &Sent) -> Option<String> {
        resolve(sources, sent).map(|(key, _)| key)
    }

    fn header(name: &'static str, trusted: bool) -> KeySource {
        KeySource::Header { name: HeaderName::from_static(name), trusted }
    }

    fn visitor(mint: Mint) -> KeySource {
        KeySource::Visitor(VisitorCookie {
            name: "__Host-v".into(),
            max_age: Duration::from_secs(1_000),
            domain: None,
            partitioned: false,
            same_site: SameSite::Lax,
            mint,
            signed_by: Vec::new(),
            adopt_unsigned: false,
        })
    }

    #[test]
    fn the_first_source_present_wins() {
        let sources = [header("x-user", true), KeySource::Cookie("uid".into()), KeySource::Query("u".into())];
        let all = Sent { query: "u=q", ..sent(&[("x-user", "h"), ("cookie", "uid=c")]) };
        assert_eq!(key(&sources, &all).as_deref(), Some("c"));
        assert_eq!(key(&sources, &Sent { trusted: true, ..all }).as_deref(), Some("h"));
        assert_eq!(key(&sources, &Sent { query: "u=q%2B", ..sent(&[]) }).as_deref(), Some("q+"));
        assert_eq!(key(&sources, &sent(&[])), None);
        assert_eq!(key(&[], &sent(&[("x-user", "h")])), None);
    }

    #[test]
    fn repeated_empty_and_long_values_count_as_absent() {
        let sources =
            [header("x-user", false), KeySource::Cookie("uid".into()), KeySource::Query("u".into())];
        let (fits, long) = ("a".repeat(256), "a".repeat(257));
        assert_eq!(key(&sources, &sent(&[("x-user", &fits)])).as_deref(), Some(&*fits));
        assert_eq!(key(&sources, &sent(&[("x-user", &long)])), None);
        assert_eq!(key(&sources, &sent(&[("x-user", "")])), None);
        assert_eq!(key(&sources, &sent(&[("x-user", "a"), ("x-user", "a")])), None);
        assert_eq!(key(&sources, &sent(&[("cookie", "uid=a; uid=a")])), None);
        assert_eq!(key(&sources, &sent(&[("cookie", "uid=a"), ("cookie", "uid=b")])), None);
        assert_eq!(key(&sources, &Sent { query: "u=a&%75=b", ..sent(&[]) }), None);
    }

    #[test]
    fn a_visitor_is_known_by_its_cookie_and_renewed_in_time() {
        let list = [header("x-user", false), visitor(Mint::Navigation)];
        let cookie = |issued: i64| format!("__Host-v={ID}.{issued:x}");
        let renewed = VisitorChange { id: 0xab, issued: NOW, minted: false, source: 1 };
        for (issued, change) in
            [(NOW, None), (NOW - 500, None), (NOW - 501, Some(renewed)), (NOW + 100_000, Some(renewed))]
        {
            assert_eq!(resolve(&list, &sent(&[("cookie", &cookie(issued))])), Some((ID.into(), change)));
        }
    }

    #[test]
    fn on_plain_http_the_host_prefix_is_left_off() {
        let list = [visitor(Mint::Navigation)];
        let plain =
            |name| Sent { scheme: Scheme::Http, ..sent(&[("cookie", &format!("{name}={ID}.f4240"))]) };
        assert_eq!(key(&list, &plain("v")).as_deref(), Some(ID));
        assert_eq!(key(&list, &plain("__Host-v")), None);
    }

    #[test]
    fn a_visitor_is_minted_on_navigations_only() {
        let html = ("accept", "application/xml, Text/HTML;q=0.9");
        for (method, lines, minted) in [
            (Method::GET, &[("sec-fetch-mode", "navigate")][..], true),
            (Method::HEAD, &[("sec-fetch-mode", "navigate")], true),
            (Method::GET, &[html], true),
            (Method::POST, &[("sec-fetch-mode", "navigate"), html], false),
            (Method::GET, &[("sec-fetch-mode", "cors"), html], false),
            (Method::GET, &[("accept", "*/*, text/htmlx")], false),
            (Method::GET, &[], false),
            (Method::GET, &[html, ("cookie", "__Host-v=forged")], true),
        ] {
            let request = Sent { method, ..sent(lines) };
            let change = VisitorChange { id: 0xcd, issued: NOW, minted: true, source: 0 };
            let expected = Some((format!("{:032x}", 0xcd), Some(change)));
            let found = resolve(&[visitor(Mint::Navigation)], &request);
            assert_eq!(found, expected.clone().filter(|_| minted), "{} {lines:?}", request.method);
            assert_eq!(resolve(&[visitor(Mint::Always)], &request), expected);
        }
    }

    #[test]
    fn minting_is_the_last_resort() {
        let list = [visitor(Mint::Always), KeySource::Cookie("uid".into())];
        assert_eq!(resolve(&list, &sent(&[("cookie", "uid=a")])), Some(("a".into(), None)));
    }

    #[test]
    fn inputs_name_what_a_cache_must_tell_apart() {
        let rules =
            KeyRules::new(&[header("x-user", true), visitor(Mint::Always), KeySource::Query("u".into())]);
        let inputs: Vec<_> = rules.inputs().collect();
        assert_eq!(
            inputs,
            [Input::Header(HeaderName::from_static("x-user")), Input::Cookie, Input::CacheKey]
        );
        let set =
            |source| rules.set_cookie(&VisitorChange { id: 1, issued: NOW, minted: true, source }, true);
        assert!(set(1).is_some() && set(0).is_none() && set(9).is_none());
    }
}
