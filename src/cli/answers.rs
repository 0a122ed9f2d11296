//! What a gateway answers, as far as commands look at it.
//!
//! What is new in an answer is passed over, what a command can do without may be missing: a command and a gateway of
//! neighbouring versions understand each other.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Failure;
use super::remote::{Remote, segment};
use crate::overlay::{Entry, Kind};

/// `GET /flags`
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Flags {
    /// By key.
    pub flags: Vec<Flag>,
}

/// A flag, in a list or alone.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Flag {
    /// The flag.
    pub key: String,
    /// `ENABLED`, `DISABLED`, `BROKEN`; with what was done by hand.
    pub state: String,
    /// Values by variant.
    #[serde(default)]
    pub variants: Map<String, Value>,
    /// Where no rule picks one.
    #[serde(default)]
    pub default_variant: Option<String>,
    /// Whether a rule picks the variant.
    #[serde(default)]
    pub targeting: bool,
    /// The routes that ask it.
    #[serde(default)]
    pub routes: Vec<String>,
    /// The file it comes from.
    #[serde(default)]
    pub source: Option<String>,
    /// What runs.
    #[serde(default)]
    pub definition: Option<Value>,
    /// What was done by hand, in the order in which it applies.
    #[serde(default)]
    pub entries: Vec<Entry>,
    /// What is wrong with it.
    #[serde(default)]
    pub problems: Vec<Problem>,
}

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// `error` or `warning`
    pub severity: String,
    /// Where it is.
    #[serde(default)]
    pub file: Option<String>,
    /// From 1.
    #[serde(default)]
    pub line: Option<u32>,
    /// One sentence.
    pub found: String,
    /// The likely fix.
    #[serde(default)]
    pub fix: Option<String>,
}

/// A write that was done.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Written {
    /// As it is now; none: it was made by hand, and released.
    #[serde(default)]
    pub flag: Option<Flag>,
    /// That is live now.
    pub revision: String,
    /// Whether it survives the gateway's process.
    pub durable: bool,
}

/// `GET /status`
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Status {
    /// That is live.
    pub revision: String,
    /// When the gateway started, as RFC 3339.
    #[serde(default)]
    pub since: Option<String>,
    /// Whether what is done by hand survives the process.
    #[serde(default)]
    pub durable: Option<bool>,
    /// In the order configured.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// All that is wrong now.
    #[serde(default)]
    pub problems: Vec<Problem>,
    /// Since the gateway started.
    #[serde(default)]
    pub evaluations: Vec<Evaluations>,
    /// What was done by hand.
    #[serde(default)]
    pub overlay: Vec<Entry>,
    /// Versions and their endpoints.
    #[serde(default)]
    pub upstreams: Vec<Upstream>,
    /// What is known of shadows.
    #[serde(default)]
    pub shadows: Vec<Shadow>,
}

/// A version and its endpoints.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Upstream {
    /// The service.
    pub service: String,
    /// Of the service.
    pub version: String,
    /// The default version serves in its place, as it fails.
    #[serde(default)]
    pub held_out: bool,
    /// All of them.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint and what it gets now.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Endpoint {
    /// `10.0.0.1:9001`
    pub address: String,
    /// `serving`, `warming`, `resting`, `ejected`, `down`
    pub state: String,
    /// What took it out.
    #[serde(default)]
    pub why: Option<String>,
}

/// A source and how it is doing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Source {
    /// `file:flags.json`
    pub name: String,
    /// `ready`, `stale`, `missing`
    pub state: String,
    /// Since its content was last found good.
    #[serde(default)]
    pub age_seconds: Option<f64>,
    /// That it gives.
    pub flags: u64,
}

/// How often a flag came out in a way.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Evaluations {
    /// The flag.
    pub flag: String,
    /// Empty: it had no value.
    pub variant: String,
    /// How often.
    pub count: u64,
}

/// A shadow's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Shadow {
    /// The route.
    pub route: String,
    /// The version that gets copies.
    pub version: String,
    /// One sentence.
    pub verdict: String,
}

/// What a `split` event says: by flag and variant, how often in its second.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Split {
    /// By flag, then variant.
    pub flags: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Flag {
    /// What was done by hand of a kind.
    pub fn entry(&self, kind: Kind) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.kind() == kind)
    }

    /// Asks for one flag: the answer as it is, and what it says.
    pub fn ask(remote: &Remote, key: &str) -> Result<(super::client::Answer, Flag), Failure> {
        let answer = remote.ask("GET", &format!("/flags/{}", segment(key)), "")?;
        let flag = remote.read(&answer, "a flag")?;
        Ok((answer, flag))
    }
}

impl Status {
    /// Asks for it.
    pub fn ask(remote: &Remote) -> Result<Status, Failure> {
        remote.read(&remote.ask("GET", "/status", "")?, "its status")
    }

    /// How often each flag's variants came out since the gateway started.
    pub fn split(&self) -> Split {
        let mut split = Split::default();
        for Evaluations { flag, variant, count } in &self.evaluations {
            let variants = split.flags.entry(flag.clone()).or_default();
            let counted: &mut u64 = variants.entry(variant.clone()).or_default();
            *counted = counted.saturating_add(*count);
        }
        split
    }
}

impl Split {
    /// The variants of a flag that came out at all, each with its share and how often, the most frequent first.
    pub fn shares(&self, flag: &str) -> Vec<(&str, f64, u64)> {
        let Some(variants) = self.flags.get(flag) else { return Vec::new() };
        let whole: f64 = variants.values().map(|count| *count as f64).sum();
        let counted = variants.iter().filter(|(_, count)| **count > 0);
        let mut shares: Vec<_> =
            counted.map(|(name, count)| (name.as_str(), *count as f64 / whole, *count)).collect();
        shares.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
        shares
    }

    /// The share of one variant of a flag; none: the flag was not asked.
    pub fn share(&self, flag: &str, variant: &str) -> Option<f64> {
        let shares = self.shares(flag);
        let of = shares.iter().find(|(name, ..)| *name == variant).map_or(0.0, |(_, share, _)| *share);
        (!shares.is_empty()).then_some(of)
    }
}
