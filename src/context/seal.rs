//! The seal of visitor cookies: HMAC-SHA256 over the cookie's name and value (RFC 2104), so that nobody tries ids until one is in
//! the canary.
//!
//! The first secret signs, all verify; comparing takes the same time whatever differs. It keeps nobody from asking for a new cookie again and
//! again: that is a rate limit's work, or a token's.

use ring::hmac;

use super::visitor::Visitor;
use crate::config::Name;
use crate::config::context::VisitorCookie;

/// Bytes of a signature.
pub(super) const BYTES: usize = 32;

/// Says which cookies are ours.
#[derive(Debug, Clone)]
pub(super) struct Seal {
    /// Not empty.
    keys: Vec<hmac::Key>,
    /// As configured: a cookie of another name is another cookie.
    name: Name,
    adopts: bool,
}

/// What a cookie that counts is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// It is as we would write it.
    Good,
    /// It is ours, but has to be signed anew.
    Old,
}

impl Seal {
    /// None: the cookie is not signed.
    pub fn new(cookie: &VisitorCookie) -> Option<Seal> {
        let key =
            |secret: &crate::config::secret::Secret| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let keys: Vec<_> = cookie.signed_by.iter().map(key).collect();
        (!keys.is_empty()).then(|| Seal { keys, name: cookie.name.clone(), adopts: cookie.adopt_unsigned })
    }

    /// What a cookie is worth; none: it is not ours.
    pub fn judge(&self, visitor: &Visitor<'_>) -> Option<Worth> {
        let Some(signature) = &visitor.signature else {
            return self.adopts.then_some(Worth::Old);
        };
        let message = self.message(visitor.signed);
        let by = self.keys.iter().position(|key| hmac::verify(key, &message, signature).is_ok())?;
        Some(if by == 0 { Worth::Good } else { Worth::Old })
    }

    /// The signature of a value.
    pub fn sign(&self, value: &str) -> [u8; BYTES] {
        let mut signature = [0; BYTES];
        let message = self.message(value);
        if let Some(key) = self.keys.first() {
            signature.copy_from_slice(hmac::sign(key, &message).as_ref());
        }
        signature
    }

    /// No name of a cookie has a `=`: no two pairs make one message.
    fn message(&self, value: &str) -> Vec<u8> {
        [b"flagway visitor 1 ", self.name.as_bytes(), b"=", value.as_bytes()].concat()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::visitor::tests::cookie;
    use super::*;
    use crate::config::secret::Secret;

    pub(in crate::context) fn secret(fill: char) -> Secret {
        Secret::for_tests(&fill.to_string().repeat(32))
    }

    fn seal(name: &str, secrets: &[char], adopt_unsigned: bool) -> Seal {
        let signed_by = secrets.iter().copied().map(secret).collect();
        Seal::new(&VisitorCookie { signed_by, adopt_unsigned, ..cookie(name) }).unwrap()
    }

    const VALUE: &str = "000000000000000000000000000000ab.6a";

    fn signed(by: &Seal) -> String {
        let hex: String = by.sign(VALUE).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{VALUE}.{hex}")
    }

    #[test]
    fn the_first_secret_signs_and_all_verify() {
        let (before, now, after) =
            (seal("v", &['a'], false), seal("v", &['b', 'a'], false), seal("v", &['b'], false));
        let judge = |seal: &Seal, value: &str| seal.judge(&Visitor::parse(value).unwrap());
        assert_eq!(judge(&before, &signed(&before)), Some(Worth::Good));
        assert_eq!(judge(&now, &signed(&before)), Some(Worth::Old), "it is signed anew in time");
        assert_eq!(judge(&now, &signed(&now)), Some(Worth::Good));
        assert_eq!(judge(&after, &signed(&now)), Some(Worth::Good));
        assert_eq!(judge(&after, &signed(&before)), None, "a secret that is gone verifies nothing");
        assert_eq!(judge(&before, &signed(&now)), None);
    }

    #[test]
    fn no_byte_can_be_changed_and_no_cookie_of_another_name_passes() {
        let seal = seal("v", &['a'], false);
        let good = signed(&seal);
        for at in 0..good.len() {
            for other in ['0', '1'] {
                let mut forged: Vec<char> = good.chars().collect();
                forged[at] = other;
                let forged: String = forged.into_iter().collect();
                let worth = Visitor::parse(&forged).and_then(|visitor| seal.judge(&visitor));
                assert_eq!(worth.is_some(), forged == good, "{forged}");
            }
        }
        assert_eq!(self::seal("w", &['a'], false).judge(&Visitor::parse(&good).unwrap()), None);
    }

    #[test]
    fn one_without_a_signature_counts_only_where_it_is_adopted() {
        let visitor = Visitor::parse(VALUE).unwrap();
        assert_eq!(seal("v", &['a'], false).judge(&visitor), None);
        assert_eq!(seal("v", &['a'], true).judge(&visitor), Some(Worth::Old));
        assert!(Seal::new(&cookie("v")).is_none());
    }
}
