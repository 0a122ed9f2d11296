//! The token (JWT) that says who asks, as configured: where it travels, who signs it, whom it is for.
//!
//! One a file: a request carries one token, and all that is read of it is read of that one.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;
pub use jsonwebtoken::Algorithm;

use super::Name;
use super::secret::Secret;

/// How a token is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// Where it travels; default the header `authorization`.
    pub carrier: Carrier,
    /// What it is verified with.
    pub keys: KeysFrom,
    /// Its `iss` must be one of these; empty: it is not looked at.
    pub issuers: Vec<Name>,
    /// Its `aud` must name one of these; empty: it is not looked at.
    pub audiences: Vec<Name>,
    /// No other is taken; never empty, and never a secret's algorithm beside a public key's.
    pub algorithms: Vec<Algorithm>,
    /// What clocks may differ by; default 30 s.
    pub leeway: Duration,
    /// Bytes of a token; default 8 KiB.
    pub max_bytes: usize,
}

/// Where a token travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carrier {
    /// A request header; `Bearer` in front of the token is left off.
    Header(HeaderName),
    /// A cookie.
    Cookie(Name),
}

/// Where keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysFrom {
    /// Secrets that whoever signs has too.
    Secrets(Vec<Secret>),
    /// A JWK set as text.
    Inline(Name),
    /// A file with a JWK set, watched.
    File(PathBuf),
    /// An address that answers with a JWK set.
    Url {
        /// `https`, or `http` on this machine.
        url: http::Uri,
        /// How often it is fetched; default 10 minutes.
        refresh: Duration,
    },
}

/// Algorithms of public keys, in the order of the documentation.
pub const PUBLIC: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Algorithms of secrets.
pub const SECRET: [Algorithm; 3] = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
