//! A request of any bytes: what its cookies and fields say is read without a panic, once and for all, and believed only where it may be.
//!
//! An input is a byte for the connection, a line with path and query, and a line for each header field.

#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use flagway::config::Config;
use flagway::context::{RawRequest, RequestFacts, cookies, key};
use flagway::decide::{decide, targeting_key};
use flagway::snapshot::Snapshot;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

mod support;

const CONFIG: &str = "
listeners: [{bind: '127.0.0.1:8080'}]
flags: {sources: [{file: flags.json}]}
context:
  trusted_proxies: [10.0.0.0/8]
  targeting_key:
    - header: {name: x-user-id, trusted: true}
    - cookie: uid
    - query: uid
    - visitor_cookie: {name: __Host-fw_vid, max_age: 90d}
  attributes:
    staff: {header: {name: x-staff, trusted: true}, type: boolean}
    build: {cookie: app_build, type: number}
    country: {header: cf-ipcountry}
services:
  shop: {default: stable, versions: {stable: {endpoints: ['127.0.0.1:9001']}, canary: {endpoints: ['127.0.0.1:9002']}}}
routes:
  - {name: shop, match: {path_prefix: /}, service: shop, version: {flag: version}, inject: [version, staff, everything, computed, split]}
";

static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| {
    let flag = |targeting| {
        json!({"state": "ENABLED", "defaultVariant": "stable", "targeting": targeting,
               "variants": {"stable": "stable", "canary": "canary"}})
    };
    let flags = json!({"flags": {
        "version": flag(json!({"if": [{"==": [{"var": "header.x-canary"}, "always"]}, "canary",
                                      {">": [{"var": "build"}, 5]}, "canary",
                                      {"in": [{"var": "cookie.theme"}, {"var": "query.themes"}]}, "canary"]})),
        "staff": flag(json!({"if": [{"var": "staff"}, "canary", "stable"]})),
        "everything": flag(json!({"if": [{"starts_with": [{"cat": [{"var": ""}]}, "{"]}, "stable", "canary"]})),
        "computed": flag(json!({"if": [{"var": {"cat": ["cookie.", {"var": "country"}]}}, "canary", "stable"]})),
        "split": flag(json!({"fractional": [["canary", 1], ["stable", 1]]})),
    }});
    let config =
        Config::parse("flagway.yaml", CONFIG, Path::new("/"), &|_| None).expect("the configuration is good");
    support::snapshot(Arc::new(config), &flags.to_string())
});

fuzz_target!(|input: &[u8]| {
    let [how, lines @ ..] = input else { return };
    let mut lines = lines.split(|byte| *byte == b'\n');
    let target = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let (path, query) = target.split_once('?').map_or((&*target, None), |(path, query)| (path, Some(query)));
    let headers = headers(lines);
    let trusted = how & 1 == 1;
    let raw = RawRequest {
        method: if how & 2 == 0 { &Method::GET } else { &Method::OPTIONS },
        path,
        query,
        headers: &headers,
        authority: None,
        tls: how & 4 == 4,
        secured: None,
        peer: if trusted { [10, 0, 0, 1] } else { [192, 0, 2, 1] }.into(),
        listener: "main",
    };
    cookies_agree(&headers, query);
    let snapshot = &*SNAPSHOT;
    let Ok(facts) = RequestFacts::new(raw, &snapshot.config.context, snapshot.config.paths) else { return };
    assert_eq!(facts.trusted, trusted);
    assert!(!facts.host.bytes().any(|byte| byte.is_ascii_uppercase()));
    if let Some(key) = targeting_key(&snapshot.plans[0], &facts, 1_790_000_000, 7) {
        assert!((1..=key::MAX_BYTES).contains(&key.value.len()));
    }

    let decision = decide(snapshot, &facts, 1_790_000_000, 7);
    assert_eq!(decision, decide(snapshot, &facts, 1_790_000_000, 7));
    let Some(target) = decision.target else { return };
    assert!(target.version.0 < 2);
    let variant = |key: &str| {
        let resolved =
            decision.resolved[snapshot.plans[0].flags.iter().position(|flag| &*flag.key == key)?];
        snapshot.flags.get(resolved.flag?).variant_name(resolved.variant?).map(|name| &**name)
    };
    if !trusted {
        assert_ne!(variant("staff"), Some("canary"), "a stranger is believed");
    }
    support::told(snapshot, &decision, &headers);
});

/// Whatever is no field is left out, as the HTTP parser in front would refuse it.
fn headers<'a>(lines: impl Iterator<Item = &'a [u8]>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.take(100) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

/// One by one or all together, cookies and parameters say the same.
fn cookies_agree(headers: &HeaderMap, query: Option<&str>) {
    let mut seen = Vec::new();
    for (name, value) in cookies::cookies(headers) {
        let count = cookies::count(headers, name);
        assert!(count >= 1);
        if !seen.contains(&name) {
            // A cookie before it that is no text hides it from those who ask by name.
            assert!(cookies::cookie(headers, name).is_none_or(|first| first == value) || count > 1);
            seen.push(name);
        }
        if count == 1 {
            assert_eq!(cookies::only_cookie(headers, name), Some(value));
        } else {
            assert_eq!(cookies::only_cookie(headers, name), None);
        }
    }
    let mut seen = Vec::new();
    for (name, value) in cookies::parameters(query) {
        if !seen.contains(&name) {
            assert_eq!(cookies::parameter(query, &name), Some(value));
            seen.push(name);
        }
    }
}
