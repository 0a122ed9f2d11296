//! The keys that tokens are verified with (JWK set, RFC 7517), each with the algorithms that it fits: a public key never verifies as a
//! secret, and no key one that its set says is of another algorithm.

use std::fmt;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::verify;
use serde_json::Value as Json;

use super::Refused;
use crate::config::jwt::Algorithm;
use crate::config::secret::Secret;

/// Keys of a set; more are a mistake.
const MOST: usize = 100;
/// Keys that are tried for one token: those of its `kid`, or that have none.
const TRIED: usize = 8;

/// Usable keys, in the order of their set.
#[derive(Debug, Clone)]
pub struct KeySet(Vec<Key>);

#[derive(Clone)]
struct Key {
    id: Option<Box<str>>,
    kind: Kind,
    /// None: all that fit its kind.
    algorithm: Option<Algorithm>,
    key: DecodingKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Secret,
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.kind, self.id)
    }
}

impl KeySet {
    /// Reads a JWK set. Keys of other use or other kinds are left out, and secrets as well: they do not belong into a set that travels.
    /// `Err` says why no key is left.
    pub fn parse(text: &str) -> Result<KeySet, String> {
        let set: Json = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
        let Some(listed) = set.get("keys").and_then(Json::as_array) else {
            return Err("it is no JWK set: there is no list `keys`".to_owned());
        };
        if listed.len() > MOST {
            return Err(format!("it has {} keys, more than {MOST}", listed.len()));
        }
        let keys: Vec<Key> = listed.iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(format!(
                "none of its {} keys can verify a signature (RSA, P-256, P-384, Ed25519)",
                listed.len()
            ));
        }
        Ok(KeySet(keys))
    }

    /// Of secrets shared with whoever signs.
    pub fn secrets(secrets: &[Secret]) -> KeySet {
        let key = |secret: &Secret| Key {
            id: None,
            kind: Kind::Secret,
            algorithm: None,
            key: DecodingKey::from_secret(secret.as_bytes()),
        };
        KeySet(secrets.iter().map(key).collect())
    }

    /// How many there are; never 0.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one of the keys that the token can mean has signed the message; `signature` as it stands in the token.
    pub(super) fn verify(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        message: &str,
        signature: &str,
    ) -> Result<(), Refused> {
        let named = |key: &&Key| id.is_none() || key.id.as_deref().is_none_or(|known| Some(known) == id);
        let mut tried = self.0.iter().filter(|key| key.fits(algorithm)).filter(named).take(TRIED).peekable();
        if tried.peek().is_none() {
            return Err(Refused::UnknownKey);
        }
        let signed =
            |key: &Key| verify(signature, message.as_bytes(), &key.key, algorithm).is_ok_and(|signed| signed);
        if tried.any(signed) { Ok(()) } else { Err(Refused::Signature) }
    }
}

impl Key {
    /// None: it cannot verify signatures of tokens.
    fn read(jwk: &Json) -> Option<Key> {
        let text = |name: &str| jwk.get(name).and_then(Json::as_str);
        if text("use").is_some_and(|used| used != "sig") {
            return None;
        }
        if let Some(operations) = jwk.get("key_ops").and_then(Json::as_array)
            && !operations.iter().any(|operation| operation == "verify")
        {
            return None;
        }
        let (kind, key) = match (text("kty")?, text("crv")) {
            ("RSA", _) => (Kind::Rsa, DecodingKey::from_rsa_components(text("n")?, text("e")?)),
            ("EC", Some("P-256")) => (Kind::P256, DecodingKey::from_ec_components(text("x")?, text("y")?)),
            ("EC", Some("P-384")) => (Kind::P384, DecodingKey::from_ec_components(text("x")?, text("y")?)),
            ("OKP", Some("Ed25519")) => (Kind::Ed25519, DecodingKey::from_ed_components(text("x")?)),
            _ => return None,
        };
        let algorithm = match text("alg") {
            Some(name) => Some(name.parse().ok()?),
            None => None,
        };
        let key = Key { id: text("kid").map(Box::from), kind, algorithm, key: key.ok()? };
        // One that says it is of an algorithm of another kind of key is for nothing.
        key.algorithm.is_none_or(|algorithm| key.kind.fits(algorithm)).then_some(key)
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        self.kind.fits(algorithm) && self.algorithm.is_none_or(|own| own == algorithm)
    }
}

impl Kind {
    /// What the library would otherwise take the key's bytes for.
    fn fits(self, algorithm: Algorithm) -> bool {
        use Algorithm::*;
        match algorithm {
            HS256 | HS384 | HS512 => self == Kind::Secret,
            RS256 | RS384 | RS512 | PS256 | PS384 | PS512 => self == Kind::Rsa,
            ES256 => self == Kind::P256,
            ES384 => self == Kind::P384,
            EdDSA => self == Kind::Ed25519,
        }
    }
}
