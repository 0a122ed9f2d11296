//! What a targeting can see of a request, whom the gateway believes, and to whom a decision sticks.

use serde_json::{Value, json};

use crate::support::{Shop, flag, one_route, opt_in};

/// A boolean flag that holds on `condition`.
fn holds(condition: Value) -> Value {
    flag(json!({"yes": true, "no": false}), "no", json!({"if": [condition, "yes", "no"]}))
}

/// What the stable version saw as header `x-flag-seen` when `condition` met a request with these lines.
fn seen(context: &str, condition: Value, lines: &[(&str, &str)]) -> bool {
    let shop = Shop::start();
    let rest = one_route("inject: [seen],") + &format!("context: {{{context}}}\n");
    let gateway = shop.gateway(&rest, json!({"v": opt_in(), "seen": holds(condition)}));
    assert_eq!(gateway.get_with("/?build=7&flag=true", lines).status, 200);
    shop.stable.only().header("x-flag-seen").as_deref() == Some("true")
}

#[test]
fn mapped_attributes_have_their_types() {
    let context = "attributes: {country: {header: cf-ipcountry}, build: {cookie: app_build, type: number}, \
                   page: {query: build, type: number}, beta: {query: flag, type: boolean}, sid: {cookie: connect.sid}}";
    let lines = [("CF-IPCountry", "DE"), ("cookie", "app_build=1200; connect.sid=s%3A1")];
    let conditions = [
        json!({"===": [{"var": "country"}, "DE"]}),
        json!({"===": [{"var": "build"}, 1200]}),
        json!({"===": [{"var": "page"}, 7]}),
        json!({"===": [{"var": "beta"}, true]}),
        json!({"===": [{"var": "sid"}, "s:1"]}),
    ];
    assert!(seen(context, json!({ "and": conditions }), &lines));
    let unreadable = [("cookie", "app_build=many")];
    assert!(seen(context, json!({"===": [{"var": "build"}, null]}), &unreadable), "no number: as if absent");
}

#[test]
fn repeated_header_lines_are_joined_and_the_first_cookie_counts() {
    let lines = [("x-a", "1"), ("X-A", "2"), ("cookie", "c=first"), ("cookie", "c=second; d=%41")];
    let condition = json!({"and": [{"==": [{"var": "header.x-a"}, "1, 2"]}, {"==": [{"var": "cookie.c"}, "first"]},
        {"==": [{"var": "cookie.d"}, "A"]}]});
    assert!(seen("", condition, &lines));
}

#[test]
fn a_trusted_header_counts_only_from_a_trusted_proxy() {
    let mapped = "attributes: {user: {header: {name: x-user-id, trusted: true}}}";
    let condition = json!({"==": [{"var": "user"}, "ann"]});
    let lines = [("x-user-id", "ann")];
    assert!(seen(&format!("trusted_proxies: [127.0.0.0/8], {mapped}"), condition.clone(), &lines));
    assert!(!seen(&format!("trusted_proxies: [10.0.0.0/8], {mapped}"), condition.clone(), &lines));
    assert!(!seen(mapped, condition, &lines));
}

#[test]
fn the_client_address_is_the_first_that_is_no_trusted_proxy() {
    let is = |address: &str| json!({"==": [{"var": "client_ip"}, address]});
    let lines = [("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.1.2.3")];
    assert!(seen("trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]", is("203.0.113.9"), &lines));
    assert!(seen("trusted_proxies: [127.0.0.0/8]", is("10.1.2.3"), &lines));
    assert!(seen("", is("127.0.0.1"), &lines));
}

#[test]
fn forwarding_headers_are_appended_for_a_trusted_proxy_and_replaced_for_anyone_else() {
    let sent = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "outer.test"),
    ];
    let expected = [
        ("context: {trusted_proxies: [127.0.0.0/8]}\n", ["203.0.113.9, 127.0.0.1", "https", "outer.test"]),
        ("", ["127.0.0.1", "http", "shop.test"]),
    ];
    for (context, [address, scheme, host]) in expected {
        let shop = Shop::start();
        let gateway = shop.gateway(&(one_route("") + context), json!({"v": opt_in()}));
        gateway.get_with("/", &sent);
        let seen = shop.stable.only();
        assert_eq!(seen.all("x-forwarded-for").join(", "), address, "{context}");
        assert_eq!(seen.header("x-forwarded-proto").as_deref(), Some(scheme), "{context}");
        assert_eq!(seen.header("x-forwarded-host").as_deref(), Some(host), "{context}");
        assert_eq!(seen.header("host").as_deref(), Some("shop.test"), "the host itself is passed on");
    }
}

#[test]
fn a_request_id_is_made_or_kept_from_a_trusted_proxy() {
    for (context, kept) in [("context: {trusted_proxies: [127.0.0.0/8]}\n", true), ("", false)] {
        let shop = Shop::start();
        let gateway = shop.gateway(&(one_route("") + context), json!({"v": opt_in()}));
        gateway.get("/");
        gateway.get("/");
        gateway.get_with("/", &[("x-request-id", "from-outside")]);
        let ids: Vec<String> = shop
            .stable
            .requests()
            .iter()
            .map(|request| request.header("x-request-id").expect("an id"))
            .collect();
        assert!(ids[0].len() >= 16 && ids[0] != ids[1], "{ids:?}");
        assert_eq!(ids[2] == "from-outside", kept, "{ids:?}");
        gateway.access("the same id", |line| line["request_id"] == ids[2].as_str());
    }
}

/// Whether a request with these lines has a targeting key, and which.
fn key(context: &str, lines: &[(&str, &str)]) -> Option<String> {
    let shop = Shop::start();
    let rest = one_route("inject: [has, ann, bob],") + &format!("context: {{{context}}}\n");
    let is = |name: &str| holds(json!({"==": [{"var": "targetingKey"}, name]}));
    let gateway = shop.gateway(
        &rest,
        json!({"v": opt_in(), "has": holds(json!({"!!": [{"var": "targetingKey"}]})), "ann": is("ann"), "bob": is("bob")}),
    );
    gateway.get_with("/?uid=bob", lines);
    let seen = shop.stable.only();
    let holds = |name: &str| seen.header(&format!("x-flag-{name}")).as_deref() == Some("true");
    ["ann", "bob"].into_iter().find(|name| holds(name)).or(holds("has").then_some("other")).map(str::to_owned)
}

#[test]
fn the_first_key_present_wins() {
    let sources = "targeting_key: [{header: x-user}, {cookie: uid}, {query: uid}]";
    assert_eq!(key(sources, &[("x-user", "ann"), ("cookie", "uid=carl")]).as_deref(), Some("ann"));
    assert_eq!(key(sources, &[("cookie", "uid=ann")]).as_deref(), Some("ann"));
    assert_eq!(key(sources, &[("x-user", "")]).as_deref(), Some("bob"), "an empty one is absent");
    assert_eq!(key("targeting_key: [{cookie: uid}]", &[]), None);
}

#[test]
fn a_key_that_is_repeated_or_too_long_counts_as_absent() {
    let sources = "targeting_key: [{header: x-user}, {cookie: uid}]";
    assert_eq!(key(sources, &[("x-user", "ann"), ("x-user", "ann")]), None);
    assert_eq!(
        key(sources, &[("x-user", "carl"), ("X-User", "ann"), ("cookie", "uid=bob")]).as_deref(),
        Some("bob")
    );
    assert_eq!(key(sources, &[("cookie", "uid=ann; uid=bob")]), None);
    assert_eq!(key(sources, &[("x-user", &"x".repeat(257))]), None);
    assert_eq!(key(sources, &[("x-user", &"x".repeat(256))]).as_deref(), Some("other"));
}

#[test]
fn a_trusted_key_header_counts_only_from_a_trusted_proxy() {
    let sources = "targeting_key: [{header: {name: x-user, trusted: true}}]";
    assert_eq!(key(sources, &[("x-user", "ann")]), None);
    let trusting = format!("trusted_proxies: [127.0.0.1], {sources}");
    assert_eq!(key(&trusting, &[("x-user", "ann")]).as_deref(), Some("ann"));
}

#[test]
fn a_route_may_have_its_own_list_of_keys() {
    let shop = Shop::start();
    let routes = "routes:
  - {name: own, match: {path_prefix: /own}, targeting_key: [{header: x-own}], service: shop, inject: [ann]}
  - {name: all, match: {path_prefix: /}, service: shop, inject: [ann]}
context: {targeting_key: [{header: x-user}]}\n";
    let ann = holds(json!({"==": [{"var": "targetingKey"}, "ann"]}));
    let gateway = shop.gateway(routes, json!({"ann": ann}));
    let told = |path: &str, name: &str| {
        gateway.get_with(path, &[(name, "ann")]);
        shop.stable.last().header("x-flag-ann").expect("the flag is injected")
    };
    assert_eq!([told("/own", "x-own"), told("/own", "x-user")], ["true", "false"]);
    assert_eq!([told("/", "x-own"), told("/", "x-user")], ["false", "true"]);
}
