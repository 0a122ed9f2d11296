//! The visitor cookie: minted when it is needed, for those who need it, and kept.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::{Authority, Client, Fields, Gateway, Shop, one_route, opt_in, split};

const NAVIGATION: Fields<'_> = &[("sec-fetch-mode", "navigate")];

fn visitors(options: &str, v: Value) -> (Shop, Gateway) {
    let shop = Shop::start();
    let context = format!(
        "context: {{targeting_key: [{{visitor_cookie: {{name: __Host-fw_vid, max_age: 90d{options}}}}}]}}\n"
    );
    let gateway = shop.gateway(&(one_route("") + &context), json!({ "v": v }));
    (shop, gateway)
}

/// A `Set-Cookie` line taken apart: name, value, attributes in lower case.
fn parts(line: &str) -> (String, String, Vec<String>) {
    let mut pieces = line.split(';').map(str::trim);
    let (name, value) = pieces.next().and_then(|pair| pair.split_once('=')).expect("a cookie");
    (name.to_owned(), value.to_owned(), pieces.map(str::to_ascii_lowercase).collect())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn it_is_minted_on_navigation_only() {
    let (_shop, gateway) = visitors("", split(50));
    let minted: [(Fields<'_>, bool); 6] = [
        (NAVIGATION, true),
        (&[("accept", "text/html,application/xhtml+xml;q=0.9")], true),
        (&[("sec-fetch-mode", "cors"), ("accept", "text/html")], false),
        (&[("sec-fetch-mode", "no-cors")], false),
        (&[("accept", "application/json")], false),
        (&[], false),
    ];
    for (lines, mints) in minted {
        let response = gateway.get_with("/", lines);
        assert_eq!(response.header("set-cookie").is_some(), mints, "{lines:?}");
        if !mints {
            assert_eq!(response.text(), "stable", "keyless and not minted: the default version");
        }
    }
}

#[test]
fn mint_always_gives_everyone_one() {
    let (_shop, gateway) = visitors(", mint: always", split(50));
    assert!(gateway.get_with("/", &[("sec-fetch-mode", "cors")]).header("set-cookie").is_some());
    assert!(gateway.get("/").header("set-cookie").is_some());
}

#[test]
fn it_is_not_minted_when_no_flag_reads_the_key() {
    let (_shop, gateway) = visitors("", opt_in());
    assert_eq!(gateway.get_with("/", NAVIGATION).header("set-cookie"), None);
}

#[test]
fn on_plain_http_it_has_no_host_prefix_and_is_not_secure() {
    let (_shop, gateway) = visitors("", split(50));
    let (name, value, attributes) =
        parts(&gateway.get_with("/", NAVIGATION).header("set-cookie").expect("minted"));
    assert_eq!(name, "fw_vid");
    for attribute in ["httponly", "samesite=lax", "path=/", "max-age=7776000"] {
        assert!(attributes.iter().any(|have| have == attribute), "{attribute} in {attributes:?}");
    }
    assert!(!attributes.contains(&"secure".to_owned()), "{attributes:?}");
    let (id, issued) = value.split_once('.').expect("an id and a time");
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    let issued = u64::from_str_radix(issued, 16).expect("hexadecimal seconds");
    assert!(issued.abs_diff(now()) < 60);
    assert_ne!(
        gateway.get_with("/", NAVIGATION).header("set-cookie").map(|line| parts(&line).1),
        Some(value)
    );
}

#[test]
fn under_tls_it_is_a_secure_host_cookie() {
    let authority = Authority::new();
    let shop = Shop::start();
    let issued = authority.issue(&["shop.test"]);
    let rest = one_route("")
        + "listeners: [{name: main, bind: '127.0.0.1:0', tls: {certificates: [{cert: s.pem, key: s.key}]}}]
context: {targeting_key: [{visitor_cookie: {name: __Host-fw_vid, max_age: 90d, partitioned: true}}]}\n";
    let setup =
        shop.setup(&rest, json!({"v": split(50)})).file("s.pem", &issued.cert).file("s.key", &issued.key);
    let gateway = setup.start();
    let mut client = Client::tls(gateway.address("main"), "shop.test", authority.client());
    let response = client.get("/").header("sec-fetch-mode", "navigate").send();
    let (name, _, attributes) = parts(&response.header("set-cookie").expect("minted"));
    assert_eq!(name, "__Host-fw_vid");
    assert!(
        attributes.contains(&"secure".to_owned()) && attributes.contains(&"path=/".to_owned()),
        "{attributes:?}"
    );
    assert!(attributes.iter().all(|attribute| !attribute.starts_with("domain")), "{attributes:?}");
}

#[test]
fn domain_and_same_site_are_configurable() {
    let shop = Shop::start();
    let cookie = "{name: vid, max_age: 1h, domain: shop.test, same_site: strict}";
    let context = format!("context: {{targeting_key: [{{visitor_cookie: {cookie}}}]}}\n");
    let gateway = shop.gateway(&(one_route("") + &context), json!({"v": split(50)}));
    let (name, _, attributes) =
        parts(&gateway.get_with("/", NAVIGATION).header("set-cookie").expect("minted"));
    assert_eq!(name, "vid");
    for attribute in ["domain=shop.test", "samesite=strict", "max-age=3600"] {
        assert!(attributes.iter().any(|have| have == attribute), "{attribute} in {attributes:?}");
    }
}

#[test]
fn a_visitor_who_comes_back_stays_where_they_were() {
    let (shop, gateway) = visitors("", split(50));
    let mut served = [0, 0];
    for _ in 0..30 {
        let first = gateway.get_with("/", NAVIGATION);
        let (name, value, _) = parts(&first.header("set-cookie").expect("minted"));
        let cookie = format!("{name}={value}");
        for lines in [
            [("cookie", cookie.as_str()), ("sec-fetch-mode", "navigate")],
            [("cookie", &cookie), ("accept", "*/*")],
        ] {
            let again = gateway.get_with("/", &lines);
            assert_eq!(again.text(), first.text(), "{cookie}");
            assert_eq!(again.header("set-cookie"), None, "a fresh cookie is not renewed");
        }
        served[usize::from(first.text() == "canary")] += 1;
    }
    assert!(served[0] > 0 && served[1] > 0, "both versions are served: {served:?}");
    assert_eq!(shop.stable.count() + shop.canary.count(), 90);
}

#[test]
fn it_is_renewed_at_half_life_and_the_visitor_stays() {
    let (_shop, gateway) = visitors("", split(50));
    let day = 86_400;
    let id = "0123456789abcdef0123456789abcdef";
    let asked = |age: u64| {
        let cookie = format!("fw_vid={id}.{:x}", now() - age);
        gateway.get_with("/", &[("cookie", &cookie), ("sec-fetch-mode", "navigate")])
    };
    let young = asked(44 * day);
    assert_eq!(young.header("set-cookie"), None);
    let old = asked(46 * day);
    let (_, value, attributes) = parts(&old.header("set-cookie").expect("renewed"));
    assert!(value.starts_with(&format!("{id}.")), "the id stays: {value}");
    let issued =
        value.split_once('.').and_then(|(_, time)| u64::from_str_radix(time, 16).ok()).expect("a time");
    assert!(issued.abs_diff(now()) < 60, "the time is new");
    assert!(attributes.contains(&"max-age=7776000".to_owned()), "{attributes:?}");
    assert_eq!(young.text(), old.text());
}

#[test]
fn a_cookie_that_is_not_ours_is_replaced() {
    let (_shop, gateway) = visitors("", split(50));
    for odd in
        ["", "x", "0123456789abcdef0123456789abcdef", "0123.ffffffff", "zz23456789abcdef0123456789abcdef.0"]
    {
        let cookie = format!("fw_vid={odd}");
        let response = gateway.get_with("/", &[("cookie", &cookie), ("sec-fetch-mode", "navigate")]);
        assert!(response.header("set-cookie").is_some(), "{odd:?}");
    }
}

#[test]
fn the_upstreams_own_cookies_stay_beside_it() {
    let (shop, gateway) = visitors("", split(50));
    for upstream in [&shop.stable, &shop.canary] {
        upstream.answer(|_| {
            crate::support::Answer::new(200, "").header("set-cookie", "a=1").header("set-cookie", "b=2")
        });
    }
    let lines = gateway.get_with("/", NAVIGATION).all("set-cookie");
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines.contains(&"a=1".to_owned()) && lines.contains(&"b=2".to_owned()), "{lines:?}");
}
