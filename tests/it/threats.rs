//! Threats that no other test shows beaten, and the table in `SECURITY.md` that names the tests of all the others.

use std::path::Path;
use std::sync::Arc;

use flagway::config::service::VersionId;
use flagway::config::{Config, FlagLimits};
use flagway::context::{RawRequest, RequestFacts};
use flagway::decide::decide;
use flagway::flag::{Document, Entry, Format};
use flagway::snapshot::Snapshot;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};

use crate::support::{
    LongUpstream, Setup, Shop, Stay, Upstream, eventually, flag, one_route, opt_in, services, split, versions,
};

#[test]
fn which_of_two_fields_counts_is_defined_and_others_decide_nothing() {
    let shop = Shop::start();
    let by = |path: &str| versions(json!({"if": [{"==": [{"var": path}, "ada"]}, "canary"]}));
    let key = "context: {targeting_key: [{header: x-user}, {cookie: uid}]}\n";
    let gateway = shop.gateway(&(one_route("") + key), json!({"v": by("targetingKey")}));
    let served = |lines: &[(&str, &str)]| gateway.get_with("/", lines).text();
    for (lines, version) in [
        (&[("x-user", "ada")][..], "canary"),
        (&[("x-user", "ada"), ("connection", "x-user")], "canary"),
        (&[("connection", "cookie"), ("cookie", "uid=ada")], "canary"),
        (&[("x-user", "ada"), ("x-user", "ada")], "stable"),
        (&[("x-user", "bob"), ("cookie", "uid=ada")], "stable"),
        (&[("x-user", "ada, bob")], "stable"),
        (&[("cookie", "uid=ada; uid=bob")], "stable"),
        (&[("cookie", "uid=ada"), ("cookie", "uid=ada")], "stable"),
        (&[("cookie", "a=1"), ("cookie", "uid=ada"), ("cookie", "b=2")], "canary"),
        (&[("x-userx", "bob"), ("x-user", "ada"), ("x-userx", "eve")], "canary"),
    ] {
        assert_eq!(served(lines), version, "{lines:?}");
        // Neither order nor repetition of what nobody reads counts.
        let noise = [("x-a", "1"), ("accept", "b"), ("x-a", "2"), ("accept", "a")];
        let around: Vec<_> = noise.iter().chain(lines).chain(&noise).copied().collect();
        assert_eq!(served(&around), version, "{around:?}");
    }
}

#[test]
fn a_million_random_cookies_get_the_canary_at_its_weight() {
    const COOKIES: u64 = 1_000_000;
    let text = "listeners: [{bind: 127.0.0.1:8080}]
context: {targeting_key: [{cookie: uid}]}
services: {shop: {default: stable, versions: {stable: {endpoints: ['127.0.0.1:1']}, canary: {endpoints: ['127.0.0.1:2']}}}}
routes: [{name: all, service: shop, version: {flag: v}}]\n";
    let config = Config::parse("flagway.yaml", text, Path::new("/"), &|_| None).unwrap();
    let flags = json!({"flags": {"v": split(10)}}).to_string();
    let document = Document::parse("flags.json", &flags, Format::Json, &FlagLimits::default()).unwrap();
    let flags = document.flags.into_iter().map(|(key, flag)| (key, Entry::Good(flag.unwrap()))).collect();
    let snapshot = Arc::new(Snapshot::build(Arc::new(config), &flags));
    let canaries = |from: u64, snapshot: &Snapshot| {
        let is_canary = |n: &u64| {
            // A bijection: no cookie twice.
            let cookie = format!("uid={:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::try_from(cookie).unwrap())]);
            let raw = RawRequest {
                method: &Method::GET,
                path: "/",
                query: None,
                headers: &headers,
                authority: None,
                tls: false,
                peer: [192, 0, 2, 1].into(),
                secured: None,
                listener: "main",
            };
            let facts = RequestFacts::new(raw, &snapshot.config.context, snapshot.config.paths).unwrap();
            decide(snapshot, &facts, 0, 0).target.unwrap().version == VersionId(1)
        };
        (from..from + COOKIES / 4).filter(is_canary).count()
    };
    let found: usize = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..4)
            .map(|part| {
                scope.spawn({
                    let snapshot = &snapshot;
                    move || canaries(part * COOKIES / 4, snapshot)
                })
            })
            .collect();
        parts.into_iter().map(|part| part.join().unwrap()).sum()
    });
    let share = found as f64 / COOKIES as f64;
    assert!((share - 0.1).abs() < 0.002, "{share}");
}

#[test]
fn no_definition_makes_a_header_of_its_own() {
    let long = "x".repeat(100_000);
    let shop = Shop::start();
    let fixed = |value: Value| flag(json!({"it": value}), "it", Value::Null);
    let evil = "a\r\nx-evil: 1";
    let keys = [evil, "b\u{e9}\u{0}", "c\u{7f}", "A_b", "a-b"];
    let mut flags = json!({"v": opt_in(), "long": fixed(json!(long)), "eight": fixed(json!("gr\u{fc}n\u{85}")),
        "evil": fixed(json!(evil)), "list": fixed(json!({"a": [evil]})), "kept": fixed(json!("kept"))});
    for key in keys {
        flags[key] = fixed(json!("told"));
    }
    let inject: Vec<String> = ["v", "long", "eight", "evil", "list", "kept"]
        .iter()
        .copied()
        .chain(["A_b", "a-b"])
        .map(|key| json!(key).to_string())
        .collect();
    let rest = format!("inject: [{}],", inject.join(", "));
    let more = "injection: {as: [headers, dictionary, baggage], max_bytes: 4KiB}\n";
    let gateway = shop.gateway(&(one_route(&rest) + more), flags);
    assert_eq!(gateway.get("/").status, 200, "the snapshot serves all the rest");
    let seen = shop.stable.only();
    assert_eq!(seen.all("x-evil"), [""; 0], "{}", seen.text());
    assert_eq!(seen.header("x-flag-kept").as_deref(), Some("kept"));
    assert!(seen.head.len() < 6_000 && seen.head.is_ascii(), "{}", seen.text());
    assert_eq!(seen.all("x-flag-a-b").len(), 1);
    let names: Vec<_> = seen.starting("x-flag-").into_iter().map(|(name, _)| name).collect();
    assert!(
        names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')),
        "{names:?}"
    );
    let problems = gateway.api("/api/v1/snapshot").json()["problems"].to_string();
    for told in ["over_budget", "header_collision", "unsendable", "long"] {
        assert!(problems.contains(told), "{told}: {problems}");
    }
}

#[test]
fn neither_a_variant_nor_a_host_chooses_an_upstream() {
    let (shop, other) = (Shop::start(), Upstream::start("elsewhere"));
    let address = other.address.to_string();
    let named = json!({"address": address, "url": format!("http://{address}/"), "dns": "localhost", "up": "../canary", "none": ""});
    let gateway =
        shop.gateway(&one_route(""), json!({"v": flag(named, "none", json!({"var": "header.x-variant"}))}));
    for variant in ["address", "url", "dns", "up", "none"] {
        let answer = gateway.get_with("/", &[("x-variant", variant)]);
        assert_eq!((answer.status, &*answer.text()), (200, "stable"), "{variant}");
    }
    let mut client = gateway.client();
    for (target, host) in [
        ("/".to_owned(), address.as_str()),
        (format!("http://{address}/"), &address),
        ("//evil/".to_owned(), "evil"),
    ] {
        assert_eq!(client.get(&target).host(host).send().text(), "stable", "{target}");
    }
    assert_eq!(other.connections(), 0);
    assert!(gateway.metrics().sum("flagway_fallbacks_total", &[("why", "unknown_version")]) >= 5.0);
}

#[test]
fn flag_trouble_of_any_kind_leads_to_the_default_and_the_header_says_so() {
    let shop = Shop::start();
    // The canary stands first, last, and as the flag's own default.
    let variants = json!({"a-canary": "canary", "stable": "stable", "z-canary": "canary"});
    let nodes: Vec<u32> = (0..9_000).collect();
    let table = [
        ("an error", json!({"sem_ver": ["x", "bad", "y"], "nonsense": []})),
        ("no variant", json!({"if": [true, "nobody"]})),
        (
            "over its limit",
            json!({"reduce": [{"map": [nodes, {"cat": [{"var": ""}, "aaaaaaaaaaaaaaaa"]}]}, {"cat": [{"var": "accumulator"}, {"var": "current"}]}, "z-canary"]}),
        ),
        ("no key", json!({"fractional": [["z-canary", 1]]})),
    ];
    for (what, targeting) in table {
        let gateway = shop
            .gateway(&one_route("inject: [v],"), json!({"v": flag(variants.clone(), "z-canary", targeting)}));
        let answer = gateway.get("/");
        assert_eq!((answer.status, &*answer.text()), (200, "stable"), "{what}");
        assert_eq!(shop.stable.last().header("x-flag-v").as_deref(), Some("stable"), "{what}");
        let over = gateway.metrics().sum("flagway_evaluation_limits_total", &[]);
        assert_eq!(over > 0.0, what == "over its limit", "{what}");
    }
    assert_eq!(shop.canary.count(), 0);
}

#[test]
fn a_long_lived_stream_keeps_the_decision_of_its_handshake() {
    let (stable, canary) = (LongUpstream::start("stable"), LongUpstream::start("canary"));
    let address = |upstream: &LongUpstream| format!("['{}']", upstream.address());
    let config = services(&address(&stable), &address(&canary)) + &one_route("");
    let gateway = Setup::new(&config).flags(json!({"v": opt_in()})).start();
    let (mut tunnel, name) = Stay::tunnel(&gateway, &[("x-canary", "always")]);
    assert_eq!(name, "canary");
    let before = gateway.revision();
    gateway.replace_flags(json!({"v": flag(json!({"stable": "stable"}), "stable", Value::Null)}));
    eventually("the flag has changed", || gateway.revision() != before);
    tunnel.echoes("still the canary");
    let (_, name) = Stay::tunnel(&gateway, &[("x-canary", "always")]);
    assert_eq!(name, "stable", "who comes now is decided anew");
    tunnel.echoes("and still");
}

/// Every test that `SECURITY.md` names is there, so that the table cannot say more than the tests do.
#[test]
fn the_tests_that_are_named_as_proof_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let named: Vec<&str> =
        text.split('`').filter(|word| word.contains("::") && !word.contains(['*', ' '])).collect();
    assert!(named.len() >= 40, "only {} tests are named", named.len());
    for test in named {
        let (module, name) = test.rsplit_once("::").unwrap();
        let path = module.replace("::", "/");
        let files = [
            format!("tests/it/{path}.rs"),
            format!("tests/{path}.rs"),
            format!("src/{path}.rs"),
            format!("src/{path}/mod.rs"),
        ];
        let found = files.iter().filter_map(|file| std::fs::read_to_string(root.join(file)).ok());
        let wanted = format!("fn {name}(");
        assert!(
            found.into_iter().any(|text| text.contains(&wanted)),
            "{test} is named in SECURITY.md and nowhere to be found"
        );
    }
}
