//! What an operator writes, parsed into types that cannot be wrong.
//!
//! [`Config::parse`] is the only way in: text and environment go in, a [`Config`] or every [`Problem`] at once comes out.
//! After it nothing is validated again: names are indexes, addresses are addresses, durations are durations.
//! It knows nothing of flags' contents, of HTTP traffic or of Pingora, and it reads no file.

pub mod context;
mod decode;
mod environment;
pub mod field_path;
pub mod jwt;
pub mod limits;
pub mod listener;
mod markdown;
pub mod namespace;
pub mod problem;
pub mod protection;
mod reference;
pub mod route;
mod schema;
pub mod secret;
pub mod service;
pub mod shadow;
mod suggest;
pub mod tree;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use environment::Environment;
pub use markdown::markdown;
pub use suggest::suggest;

pub use problem::{Place, Problem, ProblemKind, Severity};
pub use schema::{flags_schema, schema};

use sha2::{Digest, Sha256};

use crate::config::context::Context;
use crate::config::decode::Decoder;
use crate::config::limits::ClientLimits;
use crate::config::listener::{Admin, Listener, Probes};
use crate::config::route::Route;
use crate::config::service::{Service, ServiceId, Version, VersionId};
use crate::config::shadow::{ShadowLimits, Share};
use crate::config::tree::{Content, Limits, Node};

/// A whole configuration. Every reference inside it is resolved.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where traffic is accepted; at least one.
    pub listeners: Vec<Listener>,
    /// What clients may cost.
    pub limits: ClientLimits,
    /// Health, readiness and metrics.
    pub probes: Option<Probes>,
    /// The operator's door.
    pub admin: Option<Admin>,
    /// Where last good flags are kept; none: they live as long as the process.
    pub state_dir: Option<PathBuf>,
    /// Where flags come from.
    pub flags: Flags,
    /// What a targeting can read.
    pub context: Context,
    /// How decisions travel to services.
    pub injection: Injection,
    /// By [`ServiceId`].
    pub services: Vec<Service>,
    /// In the order of the file; at least one.
    pub routes: Vec<Route>,
    /// How the path is brought into the form that is matched and forwarded.
    pub paths: Paths,
    /// Whose request ids are kept.
    pub request_id: RequestIds,
    /// Of the traces that are started: how many ask to be recorded.
    pub sampled: Share,
    /// Where the access log goes.
    pub access_log: AccessLog,
    /// Bounds on metrics.
    pub metrics: MetricsLimits,
    /// Bounds on all shadows together.
    pub shadows: ShadowLimits,
    /// Worker threads of the gateway; none: one a core.
    pub threads: Option<usize>,
    /// How the gateway stops.
    pub shutdown: Shutdown,
    /// SHA-256 of the tree after the environment was put in, 12 hex digits: comments and layout do not change it.
    pub hash: String,
    /// What works, but hardly as it was meant.
    pub warnings: Vec<Problem>,
}

impl Config {
    /// Parses a whole file. `file` is its name for messages, `folder` what relative paths are relative to, `environment`
    /// answers `${NAME}`. `Err` has every problem, ordered by place; for text that is no YAML it is one.
    pub fn parse(
        file: &str,
        text: &str,
        folder: &Path,
        environment: Environment<'_>,
    ) -> Result<Config, Vec<Problem>> {
        let tree = tree::parse(file, text, ProblemKind::Config, &Limits::CONFIG)
            .map_err(|problem| vec![*problem])?;
        let mut root = tree.root;
        let mut problems = tree.duplicates;
        environment::substitute(&mut root, "", environment, &mut problems);
        let mut decoder = Decoder::new(folder);
        let config = decode::file::file(&root, &mut decoder, hash(&root));
        // Of a value that the environment did not give, nothing else can be said.
        let missing: Vec<Option<Place>> = problems.iter().map(|problem| problem.place.clone()).collect();
        problems.extend(decoder.problems.into_iter().filter(|problem| !missing.contains(&problem.place)));
        Problem::sort(&mut problems);
        let refused = problems.iter().any(|problem| problem.severity == Severity::Error);
        match config {
            Some(config) if !refused => Ok(Config { warnings: problems, ..config }),
            _ => Err(problems),
        }
    }

    /// The listener of that name.
    pub fn listener(&self, name: &str) -> Option<&Listener> {
        self.listeners.iter().find(|listener| *listener.name == *name)
    }

    /// The service an id names.
    pub fn service(&self, id: ServiceId) -> &Service {
        &self.services[id.0]
    }

    /// The version an id names.
    pub fn version(&self, service: ServiceId, version: VersionId) -> &Version {
        &self.services[service.0].versions[version.0]
    }
}

/// How the gateway stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    /// From the signal to the exit at most; default 20 s.
    pub grace: Duration,
    /// Of that, how long connections are still accepted after readiness went off; default 1 s, or a tenth of a grace that is shorter than 10 s.
    pub delay: Duration,
}

/// Which of flagd's bucket hashes `fractional` uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FractionalVersion {
    /// Over the text itself; other values than text do not count. As flagd 0.15 and 0.16.
    V2,
    /// Over its deterministic CBOR, so that numbers and booleans count too. As flagd's newer engines.
    #[default]
    V3,
}

/// Where flag definitions come from, and how much of them is accepted.
#[derive(Debug, Clone)]
pub struct Flags {
    /// The hash that assigns buckets.
    pub fractional: FractionalVersion,
    /// Later ones win, key by key.
    pub sources: Vec<Source>,
    /// Whether a document without flags may replace one with flags; default false.
    pub allow_empty: bool,
    /// What definitions may cost.
    pub limits: FlagLimits,
}

/// One source of flag definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file in flagd's format; the path is absolute or relative to the config's own folder, already joined.
    File(PathBuf),
}

/// Bounds on what definitions may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlagLimits {
    /// Bytes of one document; default 16 MiB.
    pub document_bytes: usize,
    /// Flags in one document; default 50,000.
    pub flags: usize,
    /// Values of one document, counting every scalar, list and object, and again of all its rules after `$ref` was put in: what
    /// bounds the memory that a document can take. Default 2,000,000.
    pub values: usize,
    /// Nesting of one rule after `$ref` was put in; default 64.
    pub rule_depth: usize,
    /// Nodes of one rule after `$ref` was put in; default 20,000.
    pub rule_nodes: usize,
    /// Steps of one evaluation: an expression, an item of a list, some bytes of text that is walked; default 10,000.
    pub steps: usize,
    /// Bytes of text and lists that one evaluation may produce; default 64 KiB.
    pub produced_bytes: usize,
}

impl Default for FlagLimits {
    fn default() -> Self {
        Self {
            document_bytes: 16 << 20,
            flags: 50_000,
            values: 2_000_000,
            rule_depth: 64,
            rule_nodes: 20_000,
            steps: 10_000,
            produced_bytes: 64 << 10,
        }
    }
}

/// How decisions travel to the services behind the door.
#[derive(Debug, Clone)]
pub struct Injection {
    /// One `x-flag-<key>` field a flag; default on.
    pub headers: bool,
    /// One `flag-decisions` field, an RFC 9651 dictionary; default off.
    pub dictionary: bool,
    /// W3C baggage members; default off.
    pub baggage: bool,
    /// Lower case, ends with `-`; default `x-flag-`.
    pub prefix: String,
    /// Bytes of all decision fields of a request; default 4 KiB.
    pub max_bytes: usize,
    /// Number of decision fields of a request; default 32.
    pub max_fields: usize,
    /// Whether decisions that a trusted proxy sends are kept; default false.
    pub accept_from_trusted_proxies: bool,
    /// Whether the client is told `x-flagway-version`; default false.
    pub client_version: bool,
}

impl Default for Injection {
    fn default() -> Self {
        Self {
            headers: true,
            dictionary: false,
            baggage: false,
            prefix: "x-flag-".into(),
            max_bytes: 4 << 10,
            max_fields: 32,
            accept_from_trusted_proxies: false,
            client_version: false,
        }
    }
}

/// The form of path that is matched and forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Paths {
    /// Unreserved octets decoded, dot segments resolved, slashes merged.
    #[default]
    Normalised,
    /// Untouched, for matching and forwarding.
    AsReceived,
}

/// Whose request ids are kept; everyone else's are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequestIds {
    /// Those of trusted proxies.
    #[default]
    Trusted,
    /// Everyone's.
    Keep,
    /// Nobody's.
    Make,
}

/// Where the access log goes.
#[derive(Debug, Clone)]
pub struct AccessLog {
    /// Where lines go; default stdout.
    pub to: LogTarget,
    /// Lines that may wait for the writer; more are dropped and counted. Default 8192.
    pub queue: usize,
    /// Whether a keyed hash of the targeting key is written; default false.
    pub targeting_key_hash: bool,
}

/// What the access log is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Nowhere.
    Off,
    /// The process's standard output.
    Stdout,
    /// A file, opened again on SIGUSR1.
    File(PathBuf),
}

/// Bounds on metrics.
#[derive(Debug, Clone, Copy)]
pub struct MetricsLimits {
    /// Series one metric may have; what comes later is counted as `other`. Default 2,000.
    pub max_series: usize,
}

/// A text shared by everything that names the same thing.
pub type Name = Arc<str>;

/// The hash of a tree: the same for any order of keys, layout and comments.
fn hash(root: &Node) -> String {
    let mut text = String::new();
    canonical(root, &mut text);
    Sha256::digest(text.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// JSON with sorted keys; a key keeps its type, as `true` and `"true"` differ.
fn canonical(node: &Node, out: &mut String) {
    match &node.content {
        Content::Scalar(scalar) => out.push_str(&scalar.value().to_string()),
        Content::List(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Content::Map(entries) => {
            let key =
                |node: &Node| node.scalar().map_or_else(String::new, |scalar| scalar.value().to_string());
            let mut sorted: Vec<_> = entries.iter().map(|entry| (key(&entry.key), &entry.value)).collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            out.push('{');
            for (key, value) in sorted {
                out.push_str(&key);
                out.push(':');
                canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
    }
}
