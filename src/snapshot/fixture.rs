//! Snapshots from text, for tests of everything that stands on them.

use std::path::Path;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{Definitions, Snapshot};
use crate::config::{Config, FlagLimits};
use crate::context::{RawRequest, RequestFacts};
use crate::flag::{Document, Entry, Format};

/// A service with two versions, another one, and one route, whose lines are given from `version:` on.
pub fn config(extra: &str, route: &str) -> Arc<Config> {
    let text = format!(
        r#"
listeners:
  - bind: 127.0.0.1:8080
flags:
  sources:
    - file: flags.json
context:
  trusted_proxies: [10.0.0.0/8]
  targeting_key:
    - header: {{name: x-user, trusted: true}}
    - cookie: uid
{extra}
services:
  shop:
    default: stable
    versions:
      stable: {{endpoints: ["127.0.0.1:9001"]}}
      canary: {{endpoints: ["127.0.0.1:9002"]}}
  rewrite:
    default: v2
    versions:
      v1: {{endpoints: ["127.0.0.1:9003"]}}
      v2: {{endpoints: ["127.0.0.1:9004"]}}
routes:
  - name: shop
    service: shop
{route}
"#
    );
    let config = Config::parse("flagway.yaml", &text, Path::new("/"), &|_| None);
    Arc::new(config.unwrap_or_else(|problems| panic!("{problems:#?}")))
}

/// Definitions from a document; what does not compile is broken.
pub fn definitions(flags: &str) -> Definitions {
    let document = Document::parse("flags.json", flags, Format::Json, &FlagLimits::default());
    document
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
        .flags
        .into_iter()
        .map(|(key, flag)| (key, flag.map_or_else(|_| Entry::Broken("broken".into()), Entry::Good)))
        .collect()
}

/// Both joined.
pub fn snapshot(extra: &str, route: &str, flags: &str) -> Snapshot {
    Snapshot::build(config(extra, route), &definitions(flags))
}

/// Header fields from pairs; repeated names are repeated fields.
pub fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    map
}

/// The facts of a plain GET from outside.
pub fn facts<'a>(snapshot: &Snapshot, path: &'a str, headers: &'a HeaderMap) -> RequestFacts<'a> {
    let raw = RawRequest {
        method: &Method::GET,
        path,
        query: None,
        headers,
        authority: None,
        tls: false,
        secured: None,
        peer: [192, 0, 2, 1].into(),
        listener: "main",
    };
    RequestFacts::new(raw, &snapshot.config.context, snapshot.config.paths).unwrap()
}
