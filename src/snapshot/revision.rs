//! The revision: a short hash of all that can change a decision.
//!
//! Effective definitions, fractional version, context mapping and limits. Not what only moves traffic (endpoints,
//! listeners), so that the nodes of a fleet which decide alike show the same revision.

use std::fmt::{self, Write};

use http::HeaderValue;
use sha2::{Digest, Sha256};

use super::Definitions;
use crate::config::context::{Attribute, AttributeSource, KeySource};
use crate::config::jwt::Jwt;
use crate::config::{Config, Name};
use crate::flag::Entry;

/// 12 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revision(Name);

impl Revision {
    /// Hashes what decides.
    pub fn of(config: &Config, definitions: &Definitions) -> Revision {
        let mut hash = Sha256::new();
        // In their order: of one key, which flag counts is part of it.
        for stated in definitions.iter() {
            part(&mut hash, &stated.identity.key);
            part(&mut hash, &stated.identity.set);
            part(&mut hash, &stated.source);
            match &stated.flag {
                Entry::Good(definition) => part(&mut hash, &definition.canonical()),
                Entry::Broken(_) => part(&mut hash, "broken"),
            }
        }
        part(&mut hash, &format!("{:?} {:?}", config.flags.fractional, config.flags.limits));
        part(&mut hash, &format!("{:?} {}", config.context.trusted_proxies, config.injection.prefix));
        part(&mut hash, &keys(&config.context.targeting_key));
        for Attribute { name, from, kind, .. } in &config.context.attributes {
            let from = match from {
                AttributeSource::Header { name, trusted } => format!("header {name} {trusted}"),
                AttributeSource::Cookie(name) => format!("cookie {name}"),
                AttributeSource::Query(name) => format!("query {name}"),
                AttributeSource::Jwt { claim, typed } => format!("jwt {claim} {typed}"),
            };
            part(&mut hash, &format!("{name} {from} {kind:?}"));
        }
        if let Some(Jwt { carrier, issuers, audiences, algorithms, leeway, .. }) = &config.context.jwt {
            // Not its keys: they come and go while what they sign stays the same.
            part(&mut hash, &format!("{carrier:?} {issuers:?} {audiences:?} {algorithms:?} {leeway:?}"));
        }
        for route in &config.routes {
            if let Some(sources) = &route.targeting_key {
                part(&mut hash, &format!("{} {}", route.name, keys(sources)));
            }
        }
        let digest = hash.finalize();
        let mut text = String::with_capacity(12);
        for byte in &digest[..6] {
            let _ = write!(text, "{byte:02x}");
        }
        Revision(text.into())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Ready for a header.
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Length first, so that no two lists of parts hash alike.
fn part(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}

/// Key sources without what decides nothing about the key.
fn keys(sources: &[KeySource]) -> String {
    let mut text = String::new();
    for source in sources {
        let _ = match source {
            KeySource::Header { name, trusted } => write!(text, "header {name} {trusted};"),
            KeySource::Cookie(name) => write!(text, "cookie {name};"),
            KeySource::Query(name) => write!(text, "query {name};"),
            KeySource::Visitor(cookie) => {
                let _ = write!(text, "visitor {} {:?}", cookie.name, cookie.mint);
                // Not by which secret: one that is added or left out decides nothing about who was assigned by the others.
                let signed = if cookie.signed_by.is_empty() { "" } else { " signed" };
                write!(text, "{signed}{};", if cookie.adopt_unsigned { " adopted" } else { "" })
            }
            KeySource::Jwt(claim) => write!(text, "jwt {claim};"),
        };
    }
    text
}
