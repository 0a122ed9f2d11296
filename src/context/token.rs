//! The token of a request (JWT, RFC 7519): who signed it, for whom, until when, and what it says.
//!
//! Verified when a rule or a key first asks, and once: who reads no claim pays nothing. Keys and time are given. A token that does not
//! count is as good as none; why, the operator is told. It fetches nothing, and takes no algorithm but those that are configured and
//! fit the key.

pub mod claims;
pub mod keys;

use std::cell::OnceCell;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::cookies::only_cookie;
use super::headers::only_header;
use crate::config::jwt::{Algorithm, Carrier, Jwt};
pub use claims::Claims;
pub(super) use claims::text_of;
pub use keys::KeySet;

/// What tokens are verified by.
#[derive(Debug)]
pub struct Verifier {
    rules: Jwt,
    /// None: they could not be had yet.
    keys: Option<KeySet>,
}

/// Why a token does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// There is none.
    Absent,
    /// Two, a text that is no token, or claims of the wrong type.
    Malformed,
    /// Over the limit.
    TooLong,
    /// Of an algorithm that is not taken, or none at all.
    Algorithm,
    /// It demands what is not understood (`crit`).
    Critical,
    /// The keys could not be had yet.
    NoKeys,
    /// No key of that name, or none that fits its algorithm.
    UnknownKey,
    /// Not signed by the key that it names.
    Signature,
    /// It does not say when it is over.
    NoExpiry,
    /// It is over.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// By someone else.
    Issuer,
    /// For someone else.
    Audience,
}

impl Refused {
    /// Every reason, in the order of its discriminant.
    pub const ALL: [Refused; 13] = [
        Refused::Absent,
        Refused::Malformed,
        Refused::TooLong,
        Refused::Algorithm,
        Refused::Critical,
        Refused::NoKeys,
        Refused::UnknownKey,
        Refused::Signature,
        Refused::NoExpiry,
        Refused::Expired,
        Refused::NotYetValid,
        Refused::Issuer,
        Refused::Audience,
    ];

    /// A token for the log, metrics and explanations.
    pub fn label(self) -> &'static str {
        match self {
            Refused::Absent => "absent",
            Refused::Malformed => "malformed",
            Refused::TooLong => "too_long",
            Refused::Algorithm => "algorithm",
            Refused::Critical => "critical",
            Refused::NoKeys => "no_keys",
            Refused::UnknownKey => "unknown_key",
            Refused::Signature => "signature",
            Refused::NoExpiry => "no_expiry",
            Refused::Expired => "expired",
            Refused::NotYetValid => "not_yet_valid",
            Refused::Issuer => "issuer",
            Refused::Audience => "audience",
        }
    }
}

/// A request's token, verified when somebody first asks.
#[derive(Debug, Clone, Default)]
pub struct Token<'a> {
    verifier: Option<&'a Verifier>,
    verified: OnceCell<Result<Claims, Refused>>,
}

impl<'a> Token<'a> {
    /// Without a verifier there is no token.
    pub fn new(verifier: Option<&'a Verifier>) -> Token<'a> {
        Token { verifier, verified: OnceCell::new() }
    }

    /// What the token among these fields says. `now` is Unix seconds.
    pub fn claims(&self, headers: &HeaderMap, now: i64) -> Result<&Claims, Refused> {
        let verify = || self.verifier.map_or(Err(Refused::Absent), |verifier| verifier.verify(headers, now));
        self.verified.get_or_init(verify).as_ref().map_err(|why| *why)
    }

    /// What became of it; none: nobody asked.
    pub fn asked(&self) -> Option<Result<(), Refused>> {
        self.verified.get().map(|verified| verified.as_ref().map(drop).map_err(|why| *why))
    }
}

/// The header of a token; what else it says is of no use here. A member that stands twice is refused.
#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    crit: Option<Json>,
}

impl Verifier {
    /// `keys`: none where they could not be had yet.
    pub fn new(rules: Jwt, keys: Option<KeySet>) -> Verifier {
        Verifier { rules, keys }
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.keys.as_ref().map_or(0, KeySet::len)
    }

    /// Verifies the token among these fields.
    pub fn verify(&self, headers: &HeaderMap, now: i64) -> Result<Claims, Refused> {
        match &self.rules.carrier {
            Carrier::Header(name) => {
                let sent = only_header(headers, name);
                let absent = if headers.contains_key(name) { Refused::Malformed } else { Refused::Absent };
                let token = sent.ok_or(absent)?.trim();
                // `Authorization` may hold something else altogether.
                match token.split_once(' ') {
                    Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                        self.read(token.trim_start(), now)
                    }
                    Some(_) => Err(Refused::Absent),
                    None => self.read(token, now),
                }
            }
            Carrier::Cookie(name) => match only_cookie(headers, name) {
                Some(token) => self.read(&token, now),
                None if super::cookies::count(headers, name) > 0 => Err(Refused::Malformed),
                None => Err(Refused::Absent),
            },
        }
    }

    fn read(&self, token: &str, now: i64) -> Result<Claims, Refused> {
        if token.len() > self.rules.max_bytes {
            return Err(Refused::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Refused::Malformed)?;
        let (head, payload) = message.split_once('.').ok_or(Refused::Malformed)?;
        let head: Head = part(head)?;
        if head.crit.is_some() {
            return Err(Refused::Critical);
        }
        let algorithm = head.alg.parse::<Algorithm>().map_err(|_| Refused::Algorithm)?;
        if !self.rules.algorithms.contains(&algorithm) {
            return Err(Refused::Algorithm);
        }
        let keys = self.keys.as_ref().ok_or(Refused::NoKeys)?;
        keys.verify(head.kid.as_deref(), algorithm, message, signature)?;
        // Only now is anything believed of what it says.
        let claims = part::<Map<String, Json>>(payload)?;
        self.check(&claims, now)?;
        Ok(Claims::new(claims))
    }

    fn check(&self, claims: &Map<String, Json>, now: i64) -> Result<(), Refused> {
        let leeway = self.rules.leeway.as_secs_f64();
        let now = now as f64;
        let expiry = claims.get("exp").ok_or(Refused::NoExpiry)?;
        if now - leeway >= expiry.as_f64().ok_or(Refused::Malformed)? {
            return Err(Refused::Expired);
        }
        if let Some(start) = claims.get("nbf")
            && now + leeway < start.as_f64().ok_or(Refused::Malformed)?
        {
            return Err(Refused::NotYetValid);
        }
        let is_one = |allowed: &[crate::config::Name], text: Option<&str>| {
            text.is_some_and(|text| allowed.iter().any(|one| **one == *text))
        };
        let Jwt { issuers, audiences, .. } = &self.rules;
        if !issuers.is_empty() && !is_one(issuers, claims.get("iss").and_then(Json::as_str)) {
            return Err(Refused::Issuer);
        }
        let meant = match claims.get("aud") {
            Some(Json::Array(list)) => list.iter().any(|one| is_one(audiences, one.as_str())),
            one => is_one(audiences, one.and_then(Json::as_str)),
        };
        if audiences.is_empty() || meant { Ok(()) } else { Err(Refused::Audience) }
    }
}

/// One part of a token.
fn part<T: DeserializeOwned>(text: &str) -> Result<T, Refused> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| Refused::Malformed)
}

#[cfg(test)]
mod tests;
