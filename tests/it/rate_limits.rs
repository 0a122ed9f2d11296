//! How often one client may ask of a route.

use serde_json::json;

use crate::support::{Gateway, Issuer, Setup, Shop, one_route, opt_in};

fn limited(shop: &Shop, limit: &str, context: &str) -> Gateway {
    let route = one_route(&format!("rate_limit: {{{limit}}},"));
    shop.gateway(&(route + context), json!({"v": opt_in()}))
}

/// How many of twenty requests with these fields are refused.
fn refused(gateway: &Gateway, fields: impl Fn(usize) -> Vec<(&'static str, String)>) -> usize {
    let answers = (0..20).map(|index| {
        let fields = fields(index);
        let lines: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        gateway.get_with("/", &lines)
    });
    let refused: Vec<_> = answers.filter(|answer| answer.status == 429).collect();
    for answer in &refused {
        let wait: u64 = answer.header("retry-after").expect("when to come again").parse().unwrap();
        assert!((1..=2).contains(&wait), "{wait}");
        assert!(answer.header("x-request-id").is_some() && answer.text().starts_with("Too Many Requests ("));
    }
    refused.len()
}

#[test]
fn an_address_has_its_burst_and_is_told_when_to_come_again() {
    let shop = Shop::start();
    let gateway = limited(&shop, "per_second: 1, burst: 5", "");
    let refused = refused(&gateway, |_| Vec::new());
    assert!((10..=15).contains(&refused), "{refused}");
    assert_eq!(shop.stable.count(), 20 - refused, "nobody behind sees them");
    assert_eq!(gateway.metrics().sum("flagway_rate_limited_total", &[("route", "all")]), refused as f64);
    gateway.access("the refusal", |line| {
        line["status"] == 429 && line["error"] == "rate limit" && line["route"] == "all"
    });
}

#[test]
fn behind_a_trusted_proxy_each_client_has_a_bucket_and_an_ipv6_network_one() {
    let shop = Shop::start();
    let gateway = limited(&shop, "per_second: 1, burst: 2", "context: {trusted_proxies: [127.0.0.1]}\n");
    let from = |address: fn(usize) -> String| refused(&gateway, |n| vec![("x-forwarded-for", address(n))]);
    assert_eq!(from(|n| format!("192.0.2.{n}")), 0);
    assert_eq!(from(|n| format!("2001:db8:0:{n:x}::1")), 0);
    assert!(from(|n| format!("2001:db8:ffff:ffff::{n:x}")) >= 15);
    let spoofed = limited(&shop, "per_second: 1, burst: 2", "");
    let refused = refused(&spoofed, |n| vec![("x-forwarded-for", format!("192.0.2.{n}"))]);
    assert!(refused >= 15, "who is not trusted has one address: {refused}");
}

#[test]
fn a_key_or_a_header_names_a_client() {
    let (shop, issuer) = (Shop::start(), Issuer::new("a"));
    let context = format!("context: {{targeting_key: {{jwt: {{jwks: '{}'}}}}}}\n", issuer.set());
    let gateway = limited(&shop, "by: targeting_key, per_second: 1, burst: 2", &context);
    let bearer = |sub: usize| vec![("authorization", issuer.bearer(json!({"sub": sub.to_string()})))];
    assert_eq!(refused(&gateway, bearer), 0);
    assert!(refused(&gateway, |_| bearer(99)) >= 15);
    let forged = |n: usize| vec![("authorization", Issuer::new("a").bearer(json!({"sub": n.to_string()})))];
    assert!(refused(&gateway, forged) >= 15, "a token that does not count makes no bucket");
    let gateway = limited(&shop, "by: {header: x-api-key}, per_second: 1, burst: 2", "");
    assert_eq!(refused(&gateway, |n| vec![("x-api-key", n.to_string())]), 0);
    assert!(refused(&gateway, |_| vec![("x-api-key", "one".to_owned())]) >= 15);
}

#[test]
fn a_limit_is_a_routes_own_survives_a_reload_and_is_left_out_where_it_is_not_written() {
    let shop = Shop::start();
    let config = |more: &str| {
        format!(
            "routes:
  - {{name: free, match: {{path_prefix: /free}}, service: shop{more}}}
  - {{name: slow, match: {{path_prefix: /}}, respond: {{body: hello}}, rate_limit: {{per_second: 1, burst: 2}}}}\n"
        )
    };
    let gateway = shop.gateway(&config(""), json!({}));
    let statuses =
        |path: &str| (0..10).map(|_| gateway.get(path).status).filter(|status| *status == 429).count();
    assert!(statuses("/") >= 6);
    assert_eq!(statuses("/free"), 0);
    let before = gateway.revision();
    gateway.replace_config(&shop.config(&config(", caching: off")));
    crate::support::eventually("the configuration is taken", || {
        gateway.metrics().sum("flagway_reloads_total", &[("result", "published")]) >= 1.0
    });
    assert_eq!(gateway.revision(), before);
    assert_eq!(gateway.get("/").status, 429, "a reload forgives nothing");
}

#[test]
fn a_limit_by_a_key_that_nobody_has_is_a_mistake() {
    let shop = Shop::start();
    let route = one_route("rate_limit: {by: targeting_key, per_second: 1},");
    let ran = Setup::new(&shop.config(&route)).command(&["check"]);
    assert!((ran.stdout + &ran.stderr).contains("nobody has one"));
}
