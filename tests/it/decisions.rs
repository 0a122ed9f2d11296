//! Which version a flag chooses, and that trouble with a flag always ends at the default version.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::{Fields, Gateway, Shop, eventually, flag, one_route, opt_in, split, versions};

/// A shop behind [`one_route`] with the flag `v`.
fn with_flag(v: Value) -> (Shop, Gateway) {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), json!({ "v": v }));
    (shop, gateway)
}

const BY_USER: &str = "context: {targeting_key: [{cookie: uid}]}\n";

#[test]
fn a_string_value_names_the_version() {
    let (_shop, gateway) = with_flag(flag(json!({"on": "canary", "off": "stable"}), "on", Value::Null));
    assert_eq!(gateway.get("/").text(), "canary");
}

#[test]
fn a_boolean_flag_routes_when_its_values_are_mapped() {
    let shop = Shop::start();
    let rule = json!({"if": [{"==": [{"var": "header.x-new"}, "yes"]}, "on"]});
    let gateway = shop.gateway(
        "routes:\n  - {name: all, match: {path_prefix: /}, service: shop, version: {flag: new, values: {true: canary, false: stable}}}\n",
        json!({"new": flag(json!({"on": true, "off": false}), "off", rule)}),
    );
    assert_eq!(gateway.get("/").text(), "stable");
    assert_eq!(gateway.get_with("/", &[("x-new", "yes")]).text(), "canary");
}

#[test]
fn opting_in_and_out_wins_over_the_percentage() {
    let shop = Shop::start();
    let rule = json!({"if": [
        {"==": [{"var": "header.x-canary"}, "always"]}, "canary",
        {"==": [{"var": "header.x-canary"}, "never"]}, "stable",
        {"fractional": [["canary", 50], ["stable", 50]]}]});
    let gateway = shop.gateway(&(one_route("") + BY_USER), json!({"v": versions(rule)}));
    for user in 0..20 {
        let cookie = format!("uid=user-{user}");
        for (wish, served) in [("always", "canary"), ("never", "stable")] {
            assert_eq!(gateway.get_with("/", &[("cookie", &cookie), ("x-canary", wish)]).text(), served);
        }
    }
}

#[test]
fn a_percentage_sticks_to_the_key_and_holds_its_share() {
    let shop = Shop::start();
    let gateway = shop.gateway(&(one_route("") + BY_USER), json!({"v": split(30)}));
    let mut client = gateway.client();
    let mut ask = |user: usize| client.get("/").header("cookie", format!("uid=user-{user}")).send().text();
    let first: Vec<String> = (0..600).map(&mut ask).collect();
    let again: Vec<String> = (0..600).map(&mut ask).collect();
    assert_eq!(first, again, "the same key always gets the same version");
    let canaries = first.iter().filter(|served| *served == "canary").count();
    // 180 expected, the standard deviation is 11.2.
    assert!((135..=225).contains(&canaries), "{canaries} of 600 at 30 %");
}

#[test]
fn widening_a_canary_moves_nobody_out_of_it() {
    let shop = Shop::start();
    let gateway = shop.gateway(&(one_route("") + BY_USER), json!({"v": split(10)}));
    let mut client = gateway.client();
    let mut inside = Vec::<usize>::new();
    for percent in [10, 25, 60, 100] {
        let before = gateway.revision();
        if percent > 10 {
            gateway.replace_flags(json!({"v": split(percent)}));
            eventually("the wider canary is live", || gateway.revision() != before);
        }
        let mut ask =
            |user: &usize| client.get("/").header("cookie", format!("uid={user}")).send().text() == "canary";
        assert!(inside.iter().all(&mut ask), "at {percent} % someone fell out");
        inside = (0..150).filter(&mut ask).collect();
    }
    assert_eq!(inside.len(), 150);
}

#[test]
fn a_request_without_a_key_gets_the_default_version() {
    let shop = Shop::start();
    let gateway = shop.gateway(&(one_route("") + BY_USER), json!({"v": split(99)}));
    let mut client = gateway.client();
    for _ in 0..20 {
        assert_eq!(client.get("/").send().text(), "stable");
    }
}

#[test]
fn without_a_key_a_default_variant_that_names_the_canary_sends_nobody_there() {
    let shop = Shop::start();
    let mut flag = split(1);
    flag["defaultVariant"] = json!("canary");
    let gateway = shop.gateway(&(one_route("inject: [v],") + BY_USER), json!({"v": flag}));
    assert_eq!(gateway.get("/").text(), "stable");
    assert_eq!(shop.stable.last().header("x-flag-v").as_deref(), Some("stable"));
    assert_eq!(gateway.metrics().sum("flagway_fallbacks_total", &[]), 0.0);
    let told = crate::support::Client::new(gateway.admin())
        .post("/api/v1/explain", r#"{"method": "GET", "url": "/"}"#)
        .host("localhost")
        .send()
        .text();
    assert!(told.contains("`v` picks nothing without a targeting key"), "{told}");
}

#[test]
fn a_disabled_flag_is_a_way_of_working_and_warns_nobody() {
    let mut killed = versions(json!({"if": [true, "canary"]}));
    killed["state"] = json!("DISABLED");
    let (shop, gateway) = with_flag(killed);
    for _ in 0..3 {
        assert_eq!(gateway.get_with("/", &[("x-canary", "always")]).text(), "stable");
    }
    assert_eq!(shop.canary.count(), 0);
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("flagway_fallbacks_total", &[]), 0.0);
    assert_eq!(metrics.sum("flagway_evaluations_total", &[("flag", "v"), ("reason", "disabled")]), 3.0);
    let loud: Vec<Value> = gateway.stderr.json().into_iter().filter(|line| line["level"] != "INFO").collect();
    assert!(loud.is_empty(), "{loud:?}");
}

/// Serves three requests from the default version, counts them under `why`, and says so at least once but not each time.
#[track_caller]
fn falls_back(flags: Value, why: &str) {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), flags);
    for _ in 0..3 {
        assert_eq!(gateway.get("/").text(), "stable");
    }
    assert_eq!(shop.canary.count(), 0);
    let labels = [("route", "all"), ("why", why)];
    eventually("the fallbacks are counted", || {
        gateway.metrics().sum("flagway_fallbacks_total", &labels) == 3.0
    });
    let about_v = |line: &Value| line["level"] == "WARN" && line["fields"]["why"] == why;
    gateway.wait_for_log("the fallback", about_v);
    let line = gateway.access("the fallback", |line| !line["fallback"].is_null());
    assert_eq!(
        (&line["fallback"], &line["version"], &line["status"]),
        (&json!(why), &json!("stable"), &json!(200))
    );
    assert!(
        gateway.stderr.json().iter().filter(|line| about_v(line)).count() < 3,
        "the log line is rate-limited"
    );
}

#[test]
fn a_missing_flag_falls_back() {
    falls_back(json!({"other": versions(Value::Null)}), "missing_flag");
}

#[test]
fn a_value_of_the_wrong_type_falls_back() {
    falls_back(json!({"v": flag(json!({"a": 7}), "a", Value::Null)}), "wrong_type");
}

#[test]
fn a_value_that_names_no_version_falls_back() {
    falls_back(json!({"v": flag(json!({"a": "v42"}), "a", Value::Null)}), "unknown_version");
}

#[test]
fn a_rule_that_answers_no_variant_falls_back() {
    falls_back(json!({"v": versions(json!({"cat": ["no", "-such"]}))}), "evaluation_error");
}

#[test]
fn a_rule_that_never_compiled_falls_back() {
    falls_back(json!({"v": versions(json!({"frobnicate": [1]}))}), "evaluation_error");
}

#[test]
fn an_unmapped_value_falls_back() {
    let shop = Shop::start();
    let gateway = shop.gateway(
        "routes:\n  - {name: all, match: {path_prefix: /}, service: shop, version: {flag: v, values: {1: canary}}}\n",
        json!({"v": flag(json!({"one": 1, "two": 2}), "two", json!({"if": [{"var": "header.x-one"}, "one"]}))}),
    );
    assert_eq!(gateway.get_with("/", &[("x-one", "1")]).text(), "canary");
    assert_eq!(gateway.get("/").text(), "stable");
    eventually("the fallback is counted", || {
        gateway.metrics().sum("flagway_fallbacks_total", &[("why", "unknown_version")]) == 1.0
    });
}

#[test]
fn a_route_without_a_version_flag_serves_the_default() {
    let shop = Shop::start();
    let gateway = shop.gateway(
        "routes:\n  - {name: all, match: {path_prefix: /}, service: shop}\n",
        json!({"v": opt_in()}),
    );
    assert_eq!(gateway.get_with("/", &[("x-canary", "always")]).text(), "stable");
    assert_eq!(gateway.metrics().sum("flagway_evaluations_total", &[]), 0.0);
}

#[test]
fn a_ramp_follows_the_clock() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let ramp = |begin: i64, end: i64| {
        versions(json!({"fractional": [
            ["canary", {"-": [{"var": "$flagd.timestamp"}, begin]}],
            ["stable", {"-": [end, {"var": "$flagd.timestamp"}]}]]}))
    };
    let shop = Shop::start();
    let before = shop.gateway(&(one_route("") + BY_USER), json!({"v": ramp(now + 3600, now + 7200)}));
    let middle = shop.gateway(&(one_route("") + BY_USER), json!({"v": ramp(now - 3600, now + 3600)}));
    let after = shop.gateway(&(one_route("") + BY_USER), json!({"v": ramp(now - 7200, now - 3600)}));
    let canaries = |gateway: &Gateway| {
        let mut client = gateway.client();
        let mut ask = |user: usize| client.get("/").header("cookie", format!("uid={user}")).send().text();
        (0..200).filter(|user| ask(*user) == "canary").count()
    };
    assert_eq!(canaries(&before), 0);
    let half = canaries(&middle);
    assert!((60..=140).contains(&half), "{half} of 200 in the middle of the ramp");
    assert_eq!(canaries(&after), 200);
}

#[test]
fn many_kinds_of_rule_decide_on_real_requests() {
    let table: [(Value, Fields<'_>, bool); 12] = [
        (json!({"in": [{"var": "header.x-country"}, ["de", "fr"]]}), &[("x-country", "fr")], true),
        (json!({"in": [{"var": "header.x-country"}, ["de", "fr"]]}), &[("x-country", "us")], false),
        (json!({"starts_with": [{"var": "path"}, "/api/"]}), &[], true),
        (json!({"ends_with": [{"var": "host"}, ".test"]}), &[], true),
        (json!({"==": [{"var": "method"}, "GET"]}), &[], true),
        (json!({"==": [{"var": "query.beta"}, "1 2"]}), &[], true),
        (json!({"==": [{"var": "cookie.tier"}, "gold"]}), &[("cookie", "a=b; tier=gold; tier=tin")], true),
        (json!({"==": [{"var": "user_agent"}, "probe/1"]}), &[("user-agent", "probe/1")], true),
        (json!({"sem_ver": [{"var": "header.x-app"}, ">=", "2.1.0"]}), &[("X-App", "2.10.0")], true),
        (json!({"sem_ver": [{"var": "header.x-app"}, ">=", "2.1.0"]}), &[("X-App", "2.0.9")], false),
        (json!({"==": [{"var": ["header.x-none", "absent"]}, "absent"]}), &[], true),
        (
            json!({"and": [{"==": [{"var": "scheme"}, "http"]}, {"==": [{"var": "route"}, "all"]},
            {"==": [{"var": "listener"}, "main"]}, {"==": [{"var": "client_ip"}, "127.0.0.1"]}]}),
            &[],
            true,
        ),
    ];
    let shop = Shop::start();
    let names: Vec<String> = (0..table.len()).map(|row| format!("r{row}")).collect();
    let route = one_route(&format!("inject: [{}],", names.join(", ")));
    let rule = |condition: &Value| {
        flag(json!({"yes": true, "no": false}), "no", json!({"if": [condition, "yes", "no"]}))
    };
    let mut document: serde_json::Map<String, Value> =
        names.iter().zip(&table).map(|(name, (condition, ..))| (name.clone(), rule(condition))).collect();
    document.insert("v".to_owned(), opt_in());
    let gateway = shop.gateway(&route, Value::Object(document));
    for (name, (condition, lines, holds)) in names.iter().zip(table) {
        gateway.get_with("/api/x?beta=1%202", lines);
        let told = shop.stable.last().header(&format!("x-flag-{name}"));
        assert_eq!(told, Some(holds.to_string()), "{condition} {lines:?}");
    }
}
