//! What the gateway says by itself when something is wrong: as the client likes to read it, with the request's id, and nothing of the inside.

use serde_json::json;

use crate::support::{Answer, DEAD, Gateway, Response, Setup, Shop, Upstream, one_route, opt_in, services};

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The answer holds nothing that only an operator should know.
fn tells_nothing(answer: &Response, gateway: &Gateway) {
    let told = format!("{:?}{}", answer.fields, answer.text()).to_lowercase();
    for inside in ["127.0.0.1", "pingora", "flagway/", "panic", "rust", "canary", "endpoint", "/tmp", "errno"]
    {
        assert!(!told.contains(inside), "{inside} in {told}");
    }
    assert!(answer.header("server").is_none() && gateway.pid() > 0);
}

#[test]
fn a_failure_is_told_as_text_or_json_with_the_id_of_the_log() {
    let stuck = Upstream::start("stuck");
    stuck.answer(|_| Answer::hang());
    let config = services(&format!("['{DEAD}']"), &format!("['{}']", stuck.address))
        .replace("    default: stable\n", "    default: stable\n    timeouts: {first_byte: 200ms}\n")
        + "routes:
  - {name: gone, match: {path: /gone}, service: shop}
  - {name: key, match: {path: /key}, service: shop, require_key: true, targeting_key: [{header: x-user}]}
limits: {body: 10B}\n";
    let gateway = Setup::new(&config).start();
    for (target, status, words) in [
        ("/nowhere", 404, "no route"),
        ("/gone", 503, "no upstream is available"),
        ("/key", 401, "a key is needed"),
        ("/a/%2e%2e/%2e%2e", 400, "bad path"),
    ] {
        let plain = gateway.get(target);
        let id = plain.header("x-request-id").expect("an id");
        assert_eq!((plain.status, plain.text()), (status, format!("{words} (request {id})\n")), "{target}");
        assert_eq!(plain.header("content-type").as_deref(), Some("text/plain; charset=utf-8"));
        assert_eq!(plain.header("cache-control").as_deref(), Some("private, no-store"));
        let json = gateway.get_with(target, &[("accept", "application/json")]);
        assert_eq!(json.header("content-type").as_deref(), Some("application/json"));
        let id = json.header("x-request-id").expect("an id");
        assert_eq!(json.json(), json!({"status": status, "error": words, "request_id": id}), "{target}");
        assert!(is_id(&id));
        gateway.access(target, |line| line["request_id"] == *id && line["status"] == status);
        tells_nothing(&plain, &gateway);
        tells_nothing(&json, &gateway);
    }
    let html = gateway.get_with("/nowhere", &[("accept", "text/html, */*;q=0.8")]);
    assert!(html.header("content-type").unwrap().starts_with("text/plain"));
}

#[test]
fn what_the_gate_refuses_has_an_id_as_well() {
    let shop = Shop::start();
    let gateway = shop.gateway(&(one_route("") + "limits: {body: 10B}\n"), json!({"v": opt_in()}));
    let answer = gateway.client().post("/", "more than ten bytes").send();
    let id = answer.header("x-request-id").expect("an id");
    assert_eq!((answer.status, is_id(&id)), (413, true));
    assert!(answer.text().contains(&id));
    gateway.access("the refusal", |line| line["request_id"] == *id && line["status"] == 413);
    tells_nothing(&answer, &gateway);
    let json = gateway.client().post("/", "more than ten bytes").header("accept", "application/json").send();
    let id = json.header("x-request-id").expect("an id");
    let told = json!({"status": 413, "error": "payload too large", "request_id": id});
    assert_eq!((json.status, json.json()), (413, told));
    let chunked = gateway.client().post("/", "more than ten bytes").chunked().send();
    assert_eq!(chunked.status, 413);
    assert!(chunked.header("x-request-id").is_some());
    assert_eq!(gateway.client().post("/", "ten bytes!").send().status, 200);
}

#[test]
fn an_id_is_made_or_kept_as_configured_and_is_everywhere_the_same() {
    let shop = Shop::start();
    let trusted = "context: {trusted_proxies: [127.0.0.1]}\n";
    for (config, brought, kept) in [
        ("", "abc-1", false),
        (trusted, "abc-1", true),
        ("request_id: trusted\n", "abc-1", false),
        ("request_id: keep\n", "abc-1", true),
        ("request_id: keep\n", "a b", false),
        ("request_id: keep\n", &"x".repeat(129), false),
        ("request_id: make\ncontext: {trusted_proxies: [127.0.0.1]}\n", "abc-1", false),
    ] {
        let gateway = shop.gateway(&(one_route("") + config), json!({"v": opt_in()}));
        gateway.get_with("/", &[("x-request-id", brought)]);
        let id = shop.stable.last().header("x-request-id").expect("an id");
        assert_eq!(id == brought, kept, "{config}{brought}");
        assert!(kept || is_id(&id), "{id}");
        gateway.access("the line", |line| line["request_id"] == *id);
        let own = gateway.get_with("/a/%2e%2e/%2e%2e", &[("x-request-id", brought)]);
        assert_eq!(own.header("x-request-id").as_deref() == Some(brought), kept, "{config}{brought}");
    }
    let gateway = shop.gateway(&(one_route("") + "request_id: keep\n"), json!({"v": opt_in()}));
    gateway.get_with("/", &[("x-request-id", "a"), ("x-request-id", "b")]);
    assert!(is_id(&shop.stable.last().header("x-request-id").expect("one")));
    shop.stable.answer(|_| Answer::new(200, "x").header("x-request-id", "the upstream's own"));
    assert_eq!(gateway.get("/").all("x-request-id"), ["the upstream's own"], "an answer passes as it is");
}

#[test]
fn a_trace_is_kept_or_started_and_told_to_the_upstream_and_the_log() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let brought = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    gateway.get_with("/", &[("traceparent", brought), ("tracestate", "a=1,b=2")]);
    let seen = shop.stable.last();
    assert_eq!(seen.header("traceparent").as_deref(), Some(brought));
    assert_eq!(seen.header("tracestate").as_deref(), Some("a=1,b=2"));
    gateway.access("the trace", |line| line["trace_id"] == "0af7651916cd43dd8448eb211c80319c");
    let mut started = Vec::new();
    for lines in [
        &[][..],
        &[("traceparent", "00-00000000000000000000000000000000-b7ad6b7169203331-01"), ("tracestate", "a=1")],
        &[("traceparent", brought), ("traceparent", brought), ("tracestate", "a=1")],
        &[("traceparent", "garbage"), ("tracestate", "a=1")],
    ] {
        gateway.get_with("/", lines);
        let seen = shop.stable.last();
        let parent = seen.header("traceparent").expect("a trace is started");
        let parts: Vec<&str> = parent.split('-').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        assert_eq!((lengths, parts[0], parts[3]), (vec![2, 32, 16, 2], "00", "01"), "{parent}");
        assert_eq!(seen.header("tracestate"), None, "the state of another trace does not go with it");
        gateway.access("the trace", |line| line["trace_id"] == parts[1]);
        started.push(parts[1].to_owned());
    }
    started.sort();
    started.dedup();
    assert_eq!(started.len(), 4, "each trace is its own");
    let quiet = shop.gateway(&(one_route("") + "traceparent: {sampled: 0%}\n"), json!({"v": opt_in()}));
    quiet.get("/");
    assert!(shop.stable.last().header("traceparent").unwrap().ends_with("-00"));
}
