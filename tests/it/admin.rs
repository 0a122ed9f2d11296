//! The operator's door: what it answers, and to whom.

use serde_json::{Value, json};

use crate::support::{Client, Gateway, Response, Setup, Shop, flag, one_route, split, versions};

const CONTEXT: &str = "context: {targeting_key: [{cookie: uid}]}\n";
const TOKEN: &str = "0123456789abcdef-secret";

fn shop() -> (Shop, Gateway) {
    let shop = Shop::start();
    let mut v = split(50);
    v["metadata"] = json!({"owner": "team-shop"});
    let mut off = flag(json!({"on": true}), "on", Value::Null);
    off["state"] = json!("DISABLED");
    let gateway = shop.gateway(&(one_route("inject: [off],") + CONTEXT), json!({"v": v, "off": off}));
    (shop, gateway)
}

#[track_caller]
fn is_problem(response: &Response, status: u16) {
    assert_eq!(response.status, status, "{}", response.text());
    assert_eq!(response.header("content-type").as_deref(), Some("application/problem+json"));
    assert_eq!(response.json()["status"], status);
    assert!(response.json()["detail"].is_string(), "{}", response.text());
}

#[test]
fn flags_are_listed_and_shown_one_by_one() {
    let (_shop, gateway) = shop();
    let list = gateway.api("/api/v1/flags").json();
    assert_eq!(list["revision"], gateway.revision());
    let keys: Vec<&str> =
        list["flags"].as_array().unwrap().iter().map(|flag| flag["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["off", "v"]);
    let one = gateway.api("/api/v1/flags/v").json();
    assert_eq!((&one["key"], &one["state"]), (&json!("v"), &json!("ENABLED")));
    assert_eq!(one["metadata"]["owner"], "team-shop");
    assert_eq!(one["variants"], json!({"stable": "stable", "canary": "canary"}));
    assert_eq!(gateway.api("/api/v1/flags/off").json()["state"], "DISABLED");
    is_problem(&gateway.api("/api/v1/flags/none"), 404);
}

#[test]
fn the_snapshot_tells_revision_sources_and_problems() {
    let (_shop, gateway) = shop();
    let snapshot = gateway.api("/api/v1/snapshot").json();
    assert!(snapshot["revision"].as_str().is_some_and(|revision| revision.len() >= 8), "{snapshot}");
    assert!(snapshot["config_hash"].as_str().is_some_and(|hash| hash.len() >= 8), "{snapshot}");
    assert_eq!(snapshot["fractional"], "v3");
    assert_eq!(snapshot["problems"], json!([]));
    let source = &snapshot["sources"][0];
    assert!(source["name"].as_str().is_some_and(|name| name.contains("flags.json")), "{source}");
    assert_eq!(source["state"], "ready");
    assert!(source["age_seconds"].as_f64().is_some_and(|age| (0.0..60.0).contains(&age)), "{source}");
    gateway.replace("flags.json", "{");
    gateway.wait_for_log("the problem", |line| line["level"] == "ERROR" || line["level"] == "WARN");
    let problems = gateway.api("/api/v1/snapshot").json()["problems"].clone();
    assert!(problems[0]["file"].as_str().is_some_and(|file| file.contains("flags.json")), "{problems}");
    assert_eq!((&problems[0]["kind"], &problems[0]["line"]), (&json!("document"), &json!(1)), "{problems}");
}

#[test]
fn a_request_is_explained_without_being_sent() {
    let (shop, gateway) = shop();
    let asked = json!({"method": "GET", "url": "/checkout?a=b", "headers": [["cookie", "uid=ann"], ["x-flag-v", "spoofed"]]});
    let told = Client::new(gateway.admin())
        .post("/api/v1/explain", asked.to_string())
        .host("localhost")
        .send()
        .json();
    assert_eq!((&told["route"], &told["service"]), (&json!("all"), &json!("shop")));
    assert_eq!(told["revision"], gateway.revision());
    assert_eq!(told["request"]["path"], "/checkout");
    let served = gateway.get_with("/", &[("cookie", "uid=ann")]).text();
    assert_eq!(told["version"], served, "what it says is what happens");
    let flag = &told["flags"][0];
    assert_eq!(
        (&flag["key"], &flag["variant"], &flag["reason"]),
        (&json!("v"), &json!(served), &json!("TARGETING_MATCH"))
    );
    assert!(flag["steps"].to_string().contains("of 100"), "the bucket of how many: {flag}");
    assert!(
        !told.to_string().contains("spoofed") && !told.to_string().contains("ann\""),
        "nothing private: {told}"
    );
    assert_eq!(shop.stable.count() + shop.canary.count(), 1);
}

#[test]
fn what_cannot_be_explained_is_a_problem() {
    let (_shop, gateway) = shop();
    let ask =
        |body: &str| Client::new(gateway.admin()).post("/api/v1/explain", body).host("localhost").send();
    for body in
        ["", "{", "[]", "{\"method\": \"GET\"}", "{\"url\": \"/\", \"headres\": []}", "{\"url\": \"\"}"]
    {
        is_problem(&ask(body), 400);
    }
    is_problem(&ask(&format!("{{\"url\": \"/{}\"}}", "a".repeat(100_000))), 413);
}

#[test]
fn there_is_nothing_else_and_no_other_method() {
    let (_shop, gateway) = shop();
    for path in
        ["/", "/api", "/api/v1", "/api/v1/", "/metrics", "/healthz", "/api/v1/snapshot/x", "/../etc/passwd"]
    {
        is_problem(&gateway.api(path), 404);
    }
    let mut client = Client::new(gateway.admin());
    is_problem(&client.request("DELETE", "/api/v1/flags/v").host("localhost").send(), 405);
    is_problem(&client.get("/api/v1/explain").host("localhost").send(), 405);
}

#[test]
fn a_page_that_found_the_port_is_refused() {
    let (_shop, gateway) = shop();
    let mut client = Client::new(gateway.admin());
    is_problem(&client.get("/api/v1/flags").host("evil.test").send(), 403);
    let response = client.get("/api/v1/flags").host("127.0.0.1").header("origin", "https://evil.test").send();
    assert_eq!(response.header("access-control-allow-origin"), None);
    assert_eq!(response.header("cache-control").as_deref(), Some("no-store"));
}

#[test]
fn the_token_is_asked_for_and_appears_nowhere() {
    let shop = Shop::start();
    let rest = one_route("") + "admin: {bind: '127.0.0.1:0', token: '${ADMIN_TOKEN}'}\n";
    let gateway = shop.setup(&rest, json!({"v": versions(Value::Null)})).env("ADMIN_TOKEN", TOKEN).start();
    let mut client = Client::new(gateway.admin());
    let mut asked = |authorization: Option<&str>| {
        let request = client.get("/api/v1/snapshot").host("127.0.0.1");
        match authorization {
            Some(value) => request.header("authorization", value).send(),
            None => request.send(),
        }
    };
    for wrong in
        [None, Some("Bearer"), Some("Bearer 0123456789abcdef-secreT"), Some("Basic abc"), Some(TOKEN)]
    {
        let response = asked(wrong);
        is_problem(&response, 401);
        assert_eq!(response.header("www-authenticate").as_deref(), Some("Bearer"));
    }
    let response = asked(Some(&format!("Bearer {TOKEN}")));
    assert_eq!(response.status, 200);
    assert!(!response.text().contains(TOKEN));
    assert!(!gateway.stderr.text().contains(TOKEN), "in no log");
}

#[test]
fn a_bind_that_others_can_reach_needs_a_token() {
    for (admin, runs) in
        [("{bind: '0.0.0.0:0'}", false), ("{bind: '[::]:0'}", false), ("{bind: '127.0.0.1:0'}", true)]
    {
        let shop = Shop::start();
        let setup = Setup::new(&shop.config(&(one_route("") + &format!("admin: {admin}\n"))));
        let checked = setup.flags(json!({"v": versions(Value::Null)})).command(&["check"]);
        assert_eq!(checked.code, Some(i32::from(!runs)), "{admin}: {}", checked.output());
        if !runs {
            assert!(checked.output().contains("token"), "{}", checked.output());
        }
    }
}

#[test]
fn the_traffic_port_never_serves_the_operators_paths() {
    let shop = Shop::start();
    let gateway = shop
        .gateway("routes: [{name: only, match: {path: /only}, service: shop}]\n", json!({"v": split(50)}));
    for path in [
        "/api/v1/flags",
        "/API/v1/flags",
        "//api/v1/flags",
        "/%61pi/v1/snapshot",
        "/metrics",
        "/readyz",
        "/healthz",
    ] {
        assert_eq!(gateway.get(path).status, 404, "{path}");
    }
}
