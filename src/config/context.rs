//! What a targeting can read, as configured.

use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;

use super::{Name, Place};

#[derive(Debug, Clone)]
pub struct Context {
    /// Whose `X-Forwarded-*` and `trusted: true` headers count.
    pub trusted_proxies: Vec<IpNet>,
    /// The first one present wins. Empty: nobody has a key.
    pub targeting_key: Vec<KeySource>,
    pub attributes: Vec<Attribute>,
}

/// Where a targeting key can come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    Header { name: HeaderName, trusted: bool },
    Cookie(Name),
    Query(Name),
    Visitor(VisitorCookie),
}

/// The cookie that Flagway mints for visitors it has no other key for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitorCookie {
    /// A `__Host-` name is used under TLS only; on plain HTTP its prefix is left off.
    pub name: Name,
    /// Default 90 days; renewed at half life.
    pub max_age: Duration,
    pub domain: Option<Name>,
    pub partitioned: bool,
    pub same_site: SameSite,
    pub mint: Mint,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameSite {
    Strict,
    #[default]
    Lax,
    None,
}

/// On which requests a visitor cookie may be minted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mint {
    #[default]
    Navigation,
    Always,
}

/// An attribute beside the built-in ones: `attributes: {country: {header: cf-ipcountry}}`.
#[derive(Debug, Clone)]
pub struct Attribute {
    pub name: Name,
    pub from: AttributeSource,
    pub kind: AttributeType,
    pub place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeSource {
    Header { name: HeaderName, trusted: bool },
    Cookie(Name),
    Query(Name),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AttributeType {
    #[default]
    String,
    Number,
    Boolean,
}
