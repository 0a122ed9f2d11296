//! Whoever signs tokens: an Ed25519 key, its public set, and tokens that say what a test wants.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::sign;
use jsonwebtoken::{Algorithm, EncodingKey};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

pub struct Issuer {
    name: String,
    key: Vec<u8>,
}

impl Issuer {
    /// `name` is its key's id.
    pub fn new(name: &str) -> Issuer {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Issuer { name: name.to_owned(), key: key.as_ref().to_vec() }
    }

    /// Its public key.
    pub fn public(&self) -> Value {
        let pair = Ed25519KeyPair::from_pkcs8(&self.key).unwrap();
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.name, "x": b64(pair.public_key())})
    }

    /// Its key set.
    pub fn set(&self) -> String {
        json!({"keys": [self.public()]}).to_string()
    }

    /// A token with these claims, and five minutes to live where they say nothing of that.
    pub fn token(&self, mut claims: Value) -> String {
        let claimed = claims.as_object_mut().unwrap();
        claimed.entry("exp").or_insert_with(|| json!(now() + 300));
        self.signed(&json!({"alg": "EdDSA", "kid": self.name}), &claims)
    }

    pub fn signed(&self, head: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", b64(head.to_string()), b64(claims.to_string()));
        let signature =
            sign(message.as_bytes(), &EncodingKey::from_ed_der(&self.key), Algorithm::EdDSA).unwrap();
        format!("{message}.{signature}")
    }

    /// The value of an `Authorization` field.
    pub fn bearer(&self, claims: Value) -> String {
        format!("Bearer {}", self.token(claims))
    }
}

/// Unix seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
