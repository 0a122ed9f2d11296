//! Shared caches never mix variants: `Vary` where the inputs are headers, `private` where a cache cannot see them.

use serde_json::{Value, json};

use crate::support::{Answer, DEAD, Gateway, Response, Setup, Shop, one_route, services, versions};

/// A shop whose stable version answers 200, publicly cacheable; the flag decides on `condition`.
fn deciding_on(condition: Value, more: &str) -> (Shop, Gateway) {
    let shop = Shop::start();
    shop.stable.answer(|_| cacheable(200));
    let gateway =
        shop.gateway(&(one_route("") + more), json!({"v": versions(json!({"if": [condition, "canary"]}))}));
    (shop, gateway)
}

fn cacheable(status: u16) -> Answer {
    Answer::new(status, "x")
        .header("cache-control", "public, max-age=60, s-maxage=600")
        .header("vary", "accept-encoding")
}

#[track_caller]
fn is_shared(response: &Response, vary: &[&str]) {
    assert_eq!(response.list("vary"), vary, "{response:?}");
    assert_eq!(response.list("cache-control"), ["max-age=60", "public", "s-maxage=600"], "{response:?}");
}

#[track_caller]
fn is_private(response: &Response) {
    assert_eq!(response.list("cache-control"), ["max-age=60", "private"], "{response:?}");
}

#[test]
fn headers_and_cookies_are_named_in_vary() {
    let (_shop, gateway) = deciding_on(json!({"==": [{"var": "header.x-canary"}, "always"]}), "");
    is_shared(&gateway.get("/"), &["accept-encoding", "x-canary"]);
    let (_shop, gateway) = deciding_on(
        json!({"or": [{"==": [{"var": "cookie.tier"}, "gold"]}, {"==": [{"var": "user_agent"}, "x"]},
            {"==": [{"var": "header.X-Country"}, "de"]}]}),
        "",
    );
    is_shared(&gateway.get("/"), &["accept-encoding", "cookie", "user-agent", "x-country"]);
}

#[test]
fn every_branch_counts_not_only_the_one_taken() {
    let (_shop, gateway) = deciding_on(
        json!({"and": [{"==": [{"var": "header.a"}, "1"]}, {"==": [{"var": "header.b"}, "1"]}]}),
        "",
    );
    is_shared(&gateway.get("/"), &["a", "accept-encoding", "b"]);
}

#[test]
fn a_mapped_attribute_varies_by_its_header() {
    let mapped = "context: {attributes: {country: {header: cf-ipcountry}}}\n";
    let (_shop, gateway) = deciding_on(json!({"==": [{"var": "country"}, "de"]}), mapped);
    is_shared(&gateway.get("/"), &["accept-encoding", "cf-ipcountry"]);
}

#[test]
fn anything_but_headers_and_cookies_is_private() {
    for unseen in ["client_ip", "$flagd.timestamp", "listener", "path", "query.q"] {
        let (_shop, gateway) = deciding_on(json!({"==": [{"var": unseen}, "10.0.0.1"]}), "");
        is_private(&gateway.get("/"));
    }
}

#[test]
fn a_response_without_cache_control_becomes_private_too() {
    let (shop, gateway) = deciding_on(json!({"==": [{"var": "client_ip"}, "10.0.0.1"]}), "");
    shop.stable.answer(|_| Answer::new(200, "heuristically cacheable"));
    assert_eq!(gateway.get("/").list("cache-control"), ["private"]);
    shop.stable.answer(|_| Answer::new(200, "").header("cache-control", "no-store"));
    let response = gateway.get("/");
    assert!(response.list("cache-control").contains(&"no-store".to_owned()), "{response:?}");
}

#[test]
fn partial_unchanged_and_failed_answers_too() {
    let (shop, gateway) = deciding_on(json!({"==": [{"var": "client_ip"}, "10.0.0.1"]}), "");
    for status in [206, 304, 404, 500] {
        shop.stable.answer(move |_| cacheable(status));
        is_private(&gateway.get("/"));
    }
    let (shop, gateway) = deciding_on(json!({"==": [{"var": "header.x-canary"}, "always"]}), "");
    for status in [206, 304, 404, 500] {
        shop.stable.answer(move |_| cacheable(status));
        is_shared(&gateway.get("/"), &["accept-encoding", "x-canary"]);
    }
}

#[test]
fn the_gateways_own_error_answers_too() {
    let config = services(&format!("['{DEAD}']"), &format!("['{DEAD}']")) + &one_route("");
    let rule = |input: &str| json!({"v": versions(json!({"if": [{"==": [{"var": input}, "x"]}, "canary"]}))});
    let gateway = Setup::new(&config).flags(rule("header.x-canary")).start();
    let response = gateway.get("/");
    assert_eq!((response.status, response.list("vary")), (503, vec!["x-canary".to_owned()]));
    let gateway = Setup::new(&config).flags(rule("client_ip")).start();
    let response = gateway.get("/");
    assert_eq!(response.status, 503);
    assert!(response.list("cache-control").contains(&"private".to_owned()), "{response:?}");
}

#[test]
fn a_response_that_sets_our_cookie_is_private() {
    let visitor = "context: {targeting_key: [{visitor_cookie: {name: fw_vid, max_age: 90d}}]}\n";
    let shop = Shop::start();
    shop.stable.answer(|_| cacheable(200));
    let split = json!({"v": versions(json!({"fractional": [["stable", 1]]}))});
    let gateway = shop.gateway(&(one_route("") + visitor), split);
    let minted = gateway.get_with("/", &[("sec-fetch-mode", "navigate")]);
    assert!(minted.header("set-cookie").is_some());
    is_private(&minted);
    assert!(minted.list("vary").contains(&"cookie".to_owned()), "{minted:?}");
    let cookie = minted.header("set-cookie").and_then(|line| line.split(';').next().map(str::to_owned));
    let known = gateway.get_with("/", &[("cookie", &cookie.expect("a cookie"))]);
    assert_eq!(known.header("set-cookie"), None);
    is_shared(&known, &["accept-encoding", "cookie"]);
}

#[test]
fn an_upstream_that_varies_by_everything_keeps_its_word() {
    let (shop, gateway) = deciding_on(json!({"==": [{"var": "header.x-canary"}, "always"]}), "");
    shop.stable.answer(|_| Answer::new(200, "").header("vary", "*"));
    assert!(gateway.get("/").list("vary").contains(&"*".to_owned()));
    shop.stable.answer(|_| Answer::new(200, "").header("vary", "X-Canary"));
    assert_eq!(gateway.get("/").list("vary"), ["x-canary"], "a name is not repeated");
}

#[test]
fn a_route_without_flags_or_with_caching_off_is_left_alone() {
    let shop = Shop::start();
    shop.stable.answer(|_| cacheable(200));
    let routes = "routes:
  - {name: plain, match: {path_prefix: /plain}, service: shop}
  - {name: off, match: {path_prefix: /off}, caching: off, service: shop, version: {flag: v}}\n";
    let flags = json!({"v": versions(json!({"if": [{"==": [{"var": "client_ip"}, "10.0.0.1"]}, "canary"]}))});
    let gateway = shop.gateway(routes, flags);
    is_shared(&gateway.get("/plain"), &["accept-encoding"]);
    is_shared(&gateway.get("/off"), &["accept-encoding"]);
}

#[test]
fn injected_flags_count_like_the_version_flag() {
    let shop = Shop::start();
    shop.stable.answer(|_| cacheable(200));
    let by = |header: &str| {
        versions(json!({"if": [{"==": [{"var": format!("header.{header}")}, "1"]}, "canary"]}))
    };
    let gateway = shop.gateway(&one_route("inject: [b],"), json!({"v": by("a"), "b": by("b"), "c": by("c")}));
    is_shared(&gateway.get("/"), &["a", "accept-encoding", "b"]);
}
