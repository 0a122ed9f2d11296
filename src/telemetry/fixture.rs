//! What telemetry's tests share: a snapshot, its decisions, outcomes.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Metrics, Outcome};
use crate::config::service::VersionId;
use crate::config::{Config, FlagLimits};
use crate::context::{RawRequest, RequestFacts};
use crate::decide::{Decision, decide};
use crate::flag::{Document, Entry, Format};
use crate::snapshot::{Definitions, Snapshot};
use http::{HeaderMap, Method};

const CONFIG: &str = "
listeners: [{bind: 127.0.0.1:0}]
context: {targeting_key: [{header: x-user}]}
services:
  shop:
    default: stable
    versions: {stable: {endpoints: [127.0.0.1:1]}, canary: {endpoints: [127.0.0.1:2]}}
routes:
  - {name: shop, match: {path_prefix: /shop}, service: shop, version: {flag: version}, inject: [price]}
  - {name: typo, match: {path_prefix: /typo}, service: shop, version: {flag: absent}}
  - {name: copied, match: {path_prefix: /copied}, service: shop, version: {flag: version}, shadows: [{flag: copy}, {flag: absent}]}
  - {name: hello, match: {path_prefix: /hello}, respond: {status: 200, body: hello}}
";

const FLAGS: &str = r#"{"flags": {
    "version": {"state": "ENABLED", "variants": {"stable": "stable", "canary": "canary", "odd": "v9"}, "defaultVariant": "stable",
        "targeting": {"var": "header.x-variant"}},
    "copy": {"state": "ENABLED", "variants": {"canary": "canary", "none": "none", "odd": "v9"}, "defaultVariant": "none",
        "targeting": {"var": "header.x-variant"}},
    "price": {"state": "DISABLED", "variants": {"on": true}}}}"#;

pub(super) fn snapshot() -> Snapshot {
    let config = Config::parse("flagway.yaml", CONFIG, Path::new("/etc"), &|_| None).unwrap();
    let document = Document::parse("flags.json", FLAGS, Format::Json, &FlagLimits::default()).unwrap();
    let flags = document.flags.into_iter().map(|(key, flag)| (key, Entry::Good(flag.unwrap())));
    Snapshot::build(Arc::new(config), &flags.collect::<Definitions>())
}

pub(super) fn decided(snapshot: &Snapshot, path: &str, variant: &str) -> Decision {
    let mut headers = HeaderMap::new();
    headers.insert("x-variant", variant.parse().unwrap());
    let raw = RawRequest {
        method: &Method::GET,
        path,
        query: None,
        headers: &headers,
        authority: Some("shop.example.org"),
        tls: false,
        secured: None,
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        listener: "web",
    };
    let facts = RequestFacts::new(raw, &snapshot.config.context, snapshot.config.paths).unwrap();
    decide(snapshot, &facts, 0, 0)
}

pub(super) fn outcome(status: u16, version: Option<usize>) -> Outcome {
    Outcome {
        grpc: None,
        status,
        total: Duration::from_micros(3_250),
        upstream: if version.is_some() { Duration::from_millis(3) } else { Duration::ZERO },
        bytes_in: 10,
        bytes_out: 20,
        version: version.map(VersionId),
        attempts: u32::from(version.is_some()),
        fallback: None,
        error: None,
    }
}

pub(super) fn version(snapshot: &Snapshot, name: &str) -> usize {
    snapshot.config.services[0].find(name).unwrap().0
}

/// The samples of a metric, without its name, sorted.
pub(super) fn samples(metrics: &Metrics, name: &str) -> Vec<String> {
    let text = metrics.encode();
    let lines = text.lines().filter_map(|line| line.strip_prefix(name));
    lines.map(str::to_owned).collect()
}
