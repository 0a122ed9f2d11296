//! A small world to decide in: two versions of a service, one route with or without a shadow, any number of targeted and split flags.
//!
//! Shared by the benchmarks and by the test that counts allocations, so that both measure the same work.
#![allow(clippy::panic, reason = "who cannot build the world has nothing to go on with")]

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use flagway::config::Config;
use flagway::config::service::VersionId;
use flagway::context::{RawRequest, RequestFacts};
use flagway::flag::{Document, Entry, Format};
use flagway::snapshot::{Definitions, Snapshot};
use http::{HeaderMap, HeaderValue, Method};

/// The version that serves by default.
pub const STABLE: VersionId = VersionId(0);

/// A configuration whose one route takes its version from `flag-0` and injects the first `flags` of them.
pub fn config(flags: usize, injected: &str) -> Arc<Config> {
    config_with(flags, injected, "")
}

/// The same; `more` are further lines of the route.
fn config_with(flags: usize, injected: &str, more: &str) -> Arc<Config> {
    let names: Vec<String> = (0..flags).map(|n| format!("flag-{n}")).collect();
    let version = if flags > 0 { "    version: {flag: flag-0}\n" } else { "" };
    let text = format!(
        "listeners:
  - bind: 127.0.0.1:8080
flags:
  sources:
    - file: flags.json
context:
  targeting_key:
    - cookie: uid
injection: {{as: {injected}, max_bytes: 64KiB, max_fields: 200}}
services:
  checkout:
    default: stable
    versions:
      stable: {{endpoints: [\"127.0.0.1:9001\"]}}
      canary: {{endpoints: [\"127.0.0.1:9002\"]}}
routes:
  - name: checkout
    match: {{path_prefix: /checkout}}
    service: checkout
{version}    inject: [{}]
{more}",
        names.join(", ")
    );
    let config = Config::parse("flagway.yaml", &text, Path::new("/"), &|_| None);
    Arc::new(config.unwrap_or_else(|problems| panic!("{problems:?}")))
}

/// A document of `flags` flags, each with an opt-in, an opt-out and a split: the canary of the design.
pub fn flags(flags: usize) -> String {
    let mut text = String::from(r#"{"flags": {"#);
    for n in 0..flags {
        let comma = if n > 0 { "," } else { "" };
        let _ = write!(
            text,
            r#"{comma}
"flag-{n}": {{"state": "ENABLED", "variants": {{"stable": "stable", "canary": "canary"}}, "defaultVariant": "stable",
  "targeting": {{"if": [{{"==": [{{"var": "header.x-canary"}}, "always"]}}, "canary",
                       {{"==": [{{"var": "header.x-canary"}}, "never"]}}, "stable",
                       {{"fractional": [["canary", 1], ["stable", 99]]}}]}},
  "metadata": {{"owner": "team-checkout", "type": "release", "expires": "2026-12-31"}}}}"#
        );
    }
    text.push_str("}}");
    text
}

/// A document's text to a snapshot: all that a reload does.
pub fn build(config: Arc<Config>, text: &str) -> Snapshot {
    let document = Document::parse("flags.json", text, Format::Json, &config.flags.limits);
    let definitions: Definitions = document
        .unwrap_or_else(|problems| panic!("{problems:?}"))
        .flags
        .into_iter()
        .map(|(key, flag)| (key, Entry::Good(flag.unwrap_or_else(|problems| panic!("{problems:?}")))))
        .collect();
    Snapshot::build(config, &definitions)
}

/// A snapshot whose route reads `number` flags.
pub fn snapshot(number: usize, injected: &str) -> Snapshot {
    build(config(number, injected), &flags(number.max(1)))
}

/// The same with a shadow, which the flag after those decides.
pub fn shadowed(number: usize, injected: &str) -> Snapshot {
    let shadow =
        format!("    shadows: [{{flag: flag-{number}, values: {{canary: canary, stable: none}}}}]\n");
    build(config_with(number, injected, &shadow), &flags(number + 1))
}

/// What a browser sends.
pub fn request() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "shop.example.org"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("accept-language", "en-US,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br"),
        ("cookie", "theme=dark; uid=user-4711; session=8c2f0f4a"),
        ("sec-fetch-mode", "navigate"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}

/// The facts of that request.
pub fn facts<'a>(snapshot: &Snapshot, headers: &'a HeaderMap) -> RequestFacts<'a> {
    let raw = RawRequest {
        method: &Method::GET,
        path: "/checkout/cart",
        query: Some("page=2"),
        headers,
        authority: None,
        tls: false,
        secured: None,
        peer: [127, 0, 0, 1].into(),
        listener: "main",
    };
    RequestFacts::new(raw, &snapshot.config.context, snapshot.config.paths).expect("a good path")
}
