//! What a targeting can read, as configured.

use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;

use super::jwt::Jwt;
use super::secret::Secret;
use super::{Name, Place};

/// What a targeting can read besides the built-in attributes.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Whose `X-Forwarded-*` and `trusted: true` headers count.
    pub trusted_proxies: Vec<IpNet>,
    /// The first one present wins. Empty: nobody has a key.
    pub targeting_key: Vec<KeySource>,
    /// In the order of the file; names are unique and none is built in.
    pub attributes: Vec<Attribute>,
    /// The token that keys and attributes may be claims of.
    pub jwt: Option<Jwt>,
}

/// Where a targeting key can come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A request header.
    Header {
        /// Its name.
        name: HeaderName,
        /// Whether it counts only when a trusted proxy sends it.
        trusted: bool,
    },
    /// A cookie of the client.
    Cookie(Name),
    /// A query parameter.
    Query(Name),
    /// A cookie that Flagway mints.
    Visitor(VisitorCookie),
    /// A claim of the token, by its path.
    Jwt(Name),
}

/// The cookie that Flagway mints for visitors it has no other key for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitorCookie {
    /// A `__Host-` name is used under TLS only; on plain HTTP its prefix is left off.
    pub name: Name,
    /// Default 90 days; renewed at half life.
    pub max_age: Duration,
    /// None: the host that was asked. Never there beside a `__Host-` name.
    pub domain: Option<Name>,
    /// Whether each site that embeds this one has its own.
    pub partitioned: bool,
    /// Default lax.
    pub same_site: SameSite,
    /// Default navigation.
    pub mint: Mint,
    /// The first signs, all verify; empty: it is not signed.
    pub signed_by: Vec<Secret>,
    /// Whether one that is not signed counts, and is signed then; default false.
    pub adopt_unsigned: bool,
}

/// Whether requests that other sites cause carry the cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameSite {
    /// None of them.
    Strict,
    /// Those that navigate here.
    #[default]
    Lax,
    /// All of them.
    None,
}

/// On which requests a visitor cookie may be minted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mint {
    /// Page loads.
    #[default]
    Navigation,
    /// All.
    Always,
}

/// An attribute beside the built-in ones: `attributes: {country: {header: cf-ipcountry}}`.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// As a flag's `var` has it.
    pub name: Name,
    /// Where it comes from.
    pub from: AttributeSource,
    /// What a targeting sees it as.
    pub kind: AttributeType,
    /// Of its name.
    pub place: Place,
}

/// Where an attribute comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeSource {
    /// A request header.
    Header {
        /// Its name.
        name: HeaderName,
        /// Whether it counts only when a trusted proxy sends it.
        trusted: bool,
    },
    /// A cookie.
    Cookie(Name),
    /// A query parameter.
    Query(Name),
    /// A claim of the token.
    Jwt {
        /// Its path.
        claim: Name,
        /// Whether it is made of the attribute's type; else it is what it is in the token, lists and objects too.
        typed: bool,
    },
}

/// What a targeting sees an attribute as. A value that is not of the type is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AttributeType {
    /// As it came.
    #[default]
    String,
    /// A decimal number.
    Number,
    /// `true` or `false`.
    Boolean,
}
