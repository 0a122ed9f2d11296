//! OpenFeature clients at a route of their own and at the operator's door: every status, who may ask and how often, and that a page is
//! told the very decision that routed it.

use serde_json::{Value, json};

use crate::support::{Client, Fields, Gateway, Response, Setup, Shop, flag, opt_in, versions};

const BULK: &str = "/ofrep/v1/evaluate/flags";

/// The route `flags` for clients, before one for pages.
fn routes(ofrep: &str) -> String {
    format!(
        "routes:
  - {{name: flags, match: {{path_prefix: /ofrep}}, ofrep: {{{ofrep}}}}}
  - {{name: all, match: {{path_prefix: /}}, service: shop, version: {{flag: v}}, inject: [v]}}
"
    )
}

fn documents() -> Value {
    json!({
        "v": opt_in(),
        "colour": flag(json!({"red": "red", "blue": "blue"}), "blue",
            json!({"if": [{"==": [{"var": "tier"}, "gold"]}, "red", {"==": [{"var": "tier"}, "odd"]}, "none"]})),
        "off": {"state": "DISABLED", "variants": {"on": true}, "defaultVariant": "on"},
        "free": {"state": "ENABLED", "variants": {"on": true}},
        "wrong": {"state": "ENABLED", "variants": {"on": true}, "targeting": {"nonsense": []}},
        "hidden": flag(json!({"on": true}), "on", Value::Null),
    })
}

fn gateway(ofrep: &str) -> Gateway {
    Setup::new(&(shopless() + &routes(ofrep))).flags(documents()).start()
}

fn shopless() -> String {
    crate::support::services("['127.0.0.1:1']", "['127.0.0.1:1']")
}

const SHOWN: &str = "flags: [v, colour, 'off', free, wrong]";

fn one(key: &str) -> String {
    format!("{BULK}/{key}")
}

#[track_caller]
fn ask(gateway: &Gateway, target: &str, lines: Fields<'_>, body: &str) -> Response {
    post(&mut gateway.client(), target, lines, body)
}

#[track_caller]
fn post(client: &mut Client, target: &str, lines: Fields<'_>, body: &str) -> Response {
    let request = client.post(target, body).header("content-type", "application/json");
    lines.iter().fold(request, |request, (name, value)| request.header(name, value)).send()
}

fn context(attributes: Value) -> String {
    json!({"context": attributes}).to_string()
}

#[test]
fn every_question_has_its_status() {
    let gateway = gateway(&format!("{SHOWN}, max_body: 1KiB, rate: off"));
    let long = context(json!({"a": "a".repeat(1024)}));
    let deep = format!("{{\"context\": {}1{}}}", "{\"a\":".repeat(150), "}".repeat(150));
    let table = [
        (
            one("v"),
            "{}",
            200,
            json!({"key": "v", "value": "stable", "variant": "stable", "reason": "DEFAULT"}),
        ),
        (one("v"), "", 200, json!({"key": "v", "value": "stable", "variant": "stable", "reason": "DEFAULT"})),
        (
            one("%76"),
            "{}",
            200,
            json!({"key": "v", "value": "stable", "variant": "stable", "reason": "DEFAULT"}),
        ),
        (
            one("colour"),
            r#"{"context": {"tier": "gold"}}"#,
            200,
            json!({"value": "red", "reason": "TARGETING_MATCH"}),
        ),
        (one("off"), "{}", 200, json!({"key": "off", "reason": "DISABLED"})),
        (one("free"), "{}", 200, json!({"key": "free", "reason": "DEFAULT"})),
        (
            one("colour"),
            r#"{"context": {"tier": "odd"}}"#,
            400,
            json!({"key": "colour", "errorCode": "GENERAL"}),
        ),
        (one("wrong"), "{}", 400, json!({"key": "wrong", "errorCode": "PARSE_ERROR"})),
        (one("v"), "{", 400, json!({"key": "v", "errorCode": "INVALID_CONTEXT"})),
        (one("v"), &deep, 400, json!({"key": "v", "errorCode": "INVALID_CONTEXT"})),
        (BULK.to_owned(), "[", 400, json!({"errorCode": "INVALID_CONTEXT"})),
        (one("never"), "{}", 404, json!({"key": "never", "errorCode": "FLAG_NOT_FOUND"})),
        (one("hidden"), "{}", 404, json!({"key": "hidden", "errorCode": "FLAG_NOT_FOUND"})),
        (one("v"), &long, 413, json!({})),
        ("/ofrep/v1/nothing".to_owned(), "{}", 404, json!({})),
        ("/ofrep/v2/evaluate/flags".to_owned(), "{}", 404, json!({})),
    ];
    let mut client = gateway.client();
    for (target, body, status, told) in table {
        // A body over the bound is read no further than its length.
        let response = post(&mut client, &target, &[], body);
        assert_eq!(response.status, status, "{target} {}", response.text());
        assert_eq!(response.header("content-type").as_deref(), Some("application/json"), "{target}");
        let answer = response.json();
        for (name, value) in told.as_object().unwrap() {
            assert_eq!(&answer[name], value, "{target} {answer}");
        }
        if answer["reason"] == "DISABLED" {
            assert!(answer.get("value").is_none() && answer.get("variant").is_none(), "{answer}");
        }
    }
    let chunked =
        client.post(BULK, long.as_bytes()).header("content-type", "application/json").chunked().send();
    assert_eq!(chunked.status, 413);
    assert_eq!(ask(&gateway, BULK, &[("content-type", "text/plain")], "{}").status, 415);
    assert_eq!(ask(&gateway, BULK, &[("flagd-selector", "colour=red")], "{}").status, 400);
    let wrong = gateway.get(BULK);
    assert_eq!((wrong.status, wrong.header("allow").as_deref()), (405, Some("POST")));
}

#[test]
fn all_flags_that_are_shown_are_answered_at_once() {
    let gateway = gateway(SHOWN);
    let response = ask(&gateway, BULK, &[], &context(json!({"tier": "gold"})));
    assert_eq!(response.status, 200);
    let body = response.json();
    let told: Vec<(&str, &Value)> = body["flags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flag| (flag["key"].as_str().unwrap(), flag.get("value").unwrap_or(&Value::Null)))
        .collect();
    let (red, stable) = (json!("red"), json!("stable"));
    assert_eq!(
        told,
        [
            ("colour", &red),
            ("free", &Value::Null),
            ("off", &Value::Null),
            ("v", &stable),
            ("wrong", &Value::Null)
        ]
    );
    let etag = response.header("etag").expect("it has one");
    let again = ask(&gateway, BULK, &[("if-none-match", &etag)], &context(json!({"tier": "gold"})));
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(etag.clone())));
    assert_eq!(
        ask(&gateway, BULK, &[("if-none-match", &etag)], &context(json!({"tier": "iron"}))).status,
        200
    );
}

#[test]
fn by_default_nothing_is_shown() {
    let gateway = gateway("");
    assert_eq!(ask(&gateway, &one("v"), &[], "{}").status, 404);
    assert_eq!(ask(&gateway, BULK, &[], "{}").json()["flags"], json!([]));
}

#[test]
fn where_keys_are_asked_for_nobody_without_one_is_heard() {
    let gateway = gateway("flags: all, keys: [web-shop, ios]");
    let table: [(Fields<'_>, u16); 6] = [
        (&[], 401),
        (&[("authorization", "Bearer web-shop")], 200),
        (&[("x-api-key", "ios")], 200),
        (&[("x-api-key", "android")], 401),
        (&[("authorization", "Basic web-shop")], 401),
        (&[("cookie", "x-api-key=ios")], 401),
    ];
    for (lines, status) in table {
        let response = ask(&gateway, BULK, lines, "{}");
        assert_eq!(response.status, status, "{lines:?}");
        assert_eq!(response.body.is_empty(), status == 401);
    }
}

#[test]
fn a_client_that_asks_too_often_is_told_when_to_come_again() {
    let config =
        routes("flags: all, rate: {per_second: 1, burst: 3}") + "context: {trusted_proxies: [127.0.0.0/8]}\n";
    let gateway = Setup::new(&(shopless() + &config)).flags(documents()).start();
    let of = |address: &str| ask(&gateway, BULK, &[("x-forwarded-for", address)], "{}");
    let statuses: Vec<u16> = (0..3).map(|_| of("192.0.2.1").status).collect();
    assert_eq!(statuses, [200, 200, 200]);
    // A machine so slow that a second goes by between two requests gives a token back.
    let refused =
        (0..100).map(|_| of("192.0.2.1")).find(|response| response.status == 429).expect("a refusal");
    assert_eq!((refused.header("retry-after").as_deref(), refused.body.len()), (Some("1"), 0));
    assert_eq!(of("192.0.2.2").status, 200, "others have tokens of their own");
}

/// What routes the page is what a client of that page is told, whatever it claims.
#[test]
fn a_page_is_told_the_decision_that_routed_it() {
    let shop = Shop::start();
    let rule = json!({"if": [
        {"and": [{"==": [{"var": "country"}, "DE"]}, {"==": [{"var": "tenant"}, "acme"]}]}, "canary",
        {"==": [{"var": "header.x-canary"}, "always"]}, "canary",
        {"fractional": [["canary", 50], ["stable", 50]]},
    ]});
    let context_config = "context:
  targeting_key: [{cookie: uid}]
  attributes:
    country: {header: cf-ipcountry}
    tenant: {header: {name: x-tenant, trusted: true}}
";
    let gateway =
        shop.gateway(&(routes("flags: [v], rate: off") + context_config), json!({"v": versions(rule)}));
    let claims = context(json!({
        "targetingKey": "someone-else", "country": "DE", "tenant": "acme", "cookie": {"uid": "eve"},
        "header": {"x-canary": "always", "x-tenant": "acme"}, "client_ip": "10.0.0.1",
    }));
    let mut seen = [0, 0];
    for user in 0..40 {
        let cookie = format!("uid=user-{user}");
        let lines: Fields<'_> = match user % 4 {
            0 => &[("cookie", &cookie), ("x-tenant", "acme"), ("cf-ipcountry", "DE")],
            1 => &[("cookie", &cookie), ("x-canary", "always")],
            _ => &[("cookie", &cookie)],
        };
        assert_eq!(gateway.get_with("/", lines).status, 200);
        let routed = [&shop.stable, &shop.canary].map(|upstream| upstream.count());
        let served = if routed[0] > seen[0] { "stable" } else { "canary" };
        seen = routed;
        let told = ask(&gateway, &one("v"), lines, &claims).json();
        assert_eq!(told["value"], served, "{user} {told}");
        let all = ask(&gateway, BULK, lines, &claims).json();
        assert_eq!(all["flags"][0]["value"], served, "{user} {all}");
    }
    assert!(seen[0] > 5 && seen[1] > 5, "both versions serve: {seen:?}");
}

#[test]
fn without_enriching_a_context_is_what_the_body_says() {
    let rule = json!({"if": [{"==": [{"var": "targetingKey"}, "ada"]}, "canary"]});
    let config = |enrich: bool| {
        routes(&format!("flags: [v], enrich: {enrich}")) + "context: {targeting_key: [{cookie: uid}]}\n"
    };
    for (enrich, told) in [(true, "stable"), (false, "canary")] {
        let setup = Setup::new(&(shopless() + &config(enrich))).flags(json!({"v": versions(rule.clone())}));
        let body = context(json!({"targetingKey": "ada"}));
        let answer = ask(&setup.start(), &one("v"), &[("cookie", "uid=eve")], &body).json();
        assert_eq!(answer["value"], told, "enrich: {enrich}");
    }
}

#[test]
fn a_flag_without_a_value_can_be_told_as_one_that_is_not_there() {
    let gateway = gateway("flags: all, valueless: not_found");
    for key in ["off", "free"] {
        let response = ask(&gateway, &one(key), &[], "{}");
        assert_eq!(
            (response.status, &response.json()["errorCode"]),
            (404, &json!("FLAG_NOT_FOUND")),
            "{key}"
        );
    }
    assert_eq!(ask(&gateway, &one("v"), &[], "{}").status, 200);
}

#[test]
fn a_reload_changes_what_is_told() {
    let gateway = gateway("flags: [hidden, later]");
    assert_eq!(ask(&gateway, &one("later"), &[], "{}").status, 404);
    let before = gateway.revision();
    gateway.replace_flags(json!({"later": flag(json!({"on": 7}), "on", Value::Null)}));
    crate::support::eventually("the new flags", || gateway.revision() != before);
    assert_eq!(ask(&gateway, &one("later"), &[], "{}").json()["value"], 7);
    assert_eq!(ask(&gateway, &one("hidden"), &[], "{}").status, 404);
}

#[test]
fn the_operators_door_tells_every_flag_to_whoever_may_read() {
    let gateway = gateway("flags: []");
    let ask = |target: &str, body: &str| {
        let mut client = Client::new(gateway.admin());
        let request = client.post(target, body).host("localhost").header("content-type", "application/json");
        request.header("cookie", "uid=eve").send()
    };
    assert_eq!(ask(&one("hidden"), "{}").json()["value"], true);
    assert_eq!(ask(BULK, "").json()["flags"].as_array().unwrap().len(), 6);
    assert_eq!(ask(&one("never"), "{}").status, 404);
    assert_eq!(ask(BULK, &context(json!({"a": "a".repeat(70_000)}))).status, 413);
    let page = Client::new(gateway.admin()).post(BULK, "{}").header("origin", "https://evil.test").send();
    assert_eq!(page.status, 403, "no page but its own");
    let elsewhere = Client::new(gateway.traffic()).post("/api/v1/flags", "{}").send();
    assert_ne!(elsewhere.status, 200);
}

#[test]
fn what_was_asked_is_counted_and_logged() {
    let gateway = gateway(&format!("{SHOWN}, keys: [web]"));
    let key = [("x-api-key", "web")];
    let etag = ask(&gateway, BULK, &key, "{}").header("etag").unwrap();
    ask(&gateway, BULK, &[key[0], ("if-none-match", &etag)], "{}");
    ask(&gateway, &one("colour"), &key, &context(json!({"tier": "gold"})));
    ask(&gateway, BULK, &[], "{}");
    let metrics = gateway.metrics();
    for (kind, code, count) in
        [("bulk", "200", 1.0), ("bulk", "304", 1.0), ("flag", "200", 1.0), ("bulk", "401", 1.0)]
    {
        let labels = [("door", "flags"), ("kind", kind), ("code", code)];
        assert_eq!(metrics.sum("flagway_ofrep_requests_total", &labels), count, "{kind} {code}");
    }
    let red = [("flag", "colour"), ("variant", "red"), ("reason", "targeting_match")];
    assert_eq!(metrics.sum("flagway_evaluations_total", &red), 1.0);
    let line = gateway.access("the bulk answer", |line| line["path"] == BULK && line["status"] == 304);
    assert_eq!(line["route"], "flags");
}

#[test]
fn the_configuration_is_checked_and_explained() {
    let setup = Setup::new(&(shopless() + &routes("flags: [v, colour, collour]"))).flags(documents());
    let checked = setup.command(&["check"]);
    assert!(checked.output().contains("no source defines the flag `collour`"), "{}", checked.output());
    assert!(checked.output().contains("did you mean `colour`?"), "{}", checked.output());
    assert!(!checked.output().contains("`tier`"), "clients provide it: {}", checked.output());
    let explained = setup.command(&["explain", "-X", "POST", "/ofrep/v1/evaluate/flags"]);
    assert!(explained.output().contains("OpenFeature clients"), "{}", explained.output());
}
