//! The access log: one line a request with the decision in it, and nothing private.

use serde_json::{Value, json};

use crate::support::{Answer, Shop, eventually, one_route, opt_in, split};

#[test]
fn a_line_tells_the_request_the_decision_and_the_outcome() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::new(201, "made it"));
    let gateway = shop.gateway(&one_route("inject: [other],"), json!({"v": opt_in(), "other": split(50)}));
    let mut client = gateway.client();
    client.post("/a/../b?q=1", "four").header("x-canary", "always").send();
    let line = gateway.access("the request", |line| line["status"] == 201);
    let expected = json!({"method": "POST", "host": "shop.test", "route": "all", "service": "shop", "version": "canary",
        "listener": "main", "bytes_in": 4, "bytes_out": 7, "attempts": 1, "revision": gateway.revision()});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&line[key], value, "{key} in {line}");
    }
    assert_eq!(line["flags"]["v"], json!({"variant": "canary", "reason": "targeting_match"}), "{line}");
    assert!(line["flags"]["other"].is_object(), "{line}");
    assert!(line["path"].as_str().is_some_and(|path| !path.contains('?')), "without the query: {line}");
    let time = line["time"].as_str().expect("a time");
    assert!(
        time.len() == 24 && time.ends_with('Z') && time.contains('T'),
        "RFC 3339 with milliseconds: {time}"
    );
    assert_eq!(line["request_id"].as_str(), shop.canary.only().header("x-request-id").as_deref());
    let seconds = |key: &str| line[key].as_f64().unwrap_or(-1.0);
    assert!(seconds("upstream_seconds") > 0.0 && seconds("seconds") >= seconds("upstream_seconds"), "{line}");
    for absent in ["fallback", "error", "client", "shadow"] {
        assert!(line[absent].is_null(), "{absent} in {line}");
    }
}

#[test]
fn each_request_has_exactly_one_line() {
    let shop = Shop::start();
    let gateway = shop.gateway("routes: [{name: a, match: {path: /a}, service: shop}]\n", json!({}));
    let mut client = gateway.client();
    for path in ["/a", "/none", "/a", "/a\\b"] {
        client.get(path).send();
    }
    eventually("four lines", || gateway.stdout.count() >= 4);
    gateway.stop();
    let shop = Shop::start();
    let gateway = shop.gateway("routes: [{name: a, match: {path: /a}, service: shop}]\n", json!({}));
    let mut client = gateway.client();
    for _ in 0..200 {
        client.get("/a").send();
    }
    let stdout = gateway.stdout.clone();
    gateway.stop();
    assert_eq!(stdout.json().len(), 200, "lines that wait are written before the end");
}

#[test]
fn what_fails_is_in_the_log_with_its_reason() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::close());
    let gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    assert_eq!(gateway.client().post("/", "x").send().status, 502);
    let line = gateway.access("the failure", |line| line["status"] == 502);
    assert!(line["error"].as_str().is_some_and(|error| !error.is_empty()), "{line}");
    assert_eq!((&line["route"], &line["version"]), (&json!("all"), &json!("stable")));
}

#[test]
fn nothing_private_is_in_any_log_or_metric() {
    let shop = Shop::start();
    let secret = "secret-4711";
    let more = "context:
  trusted_proxies: [127.0.0.0/8]
  targeting_key: [{header: x-user}, {cookie: uid}]
  attributes: {country: {header: x-country}}
injection: {as: [headers, dictionary, baggage]}\n";
    let targeting = json!({"if": [{"==": [{"var": "country"}, "de"]}, "canary", {"fractional": [["canary", 1], ["stable", 1]]}]});
    let v = crate::support::versions(targeting);
    let gateway = shop.gateway(&(one_route("inject: [v, missing],") + more), json!({"v": v}));
    let lines: Vec<(String, String)> = [
        "x-user",
        "x-country",
        "authorization",
        "user-agent",
        "referer",
        "x-forwarded-for",
        "baggage",
        "x-flag-v",
        "x-other",
    ]
    .iter()
    .map(|name| ((*name).to_owned(), format!("{secret}-{name}")))
    .chain([("cookie".to_owned(), format!("uid={secret}-uid; session={secret}-session; fw={secret}"))])
    .collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|(name, value)| (&**name, &**value)).collect();
    for target in
        [format!("/a?token={secret}-query"), format!("/a/../../b?{secret}=1"), format!("/a\\?{secret}")]
    {
        gateway.get_with(&target, &lines);
    }
    shop.stable.answer(|_| Answer::close());
    shop.canary.answer(|_| Answer::close());
    gateway.get_with(&format!("/fails?{secret}"), &lines);
    gateway.access("the failure", |line| line["path"] == "/fails");
    let (metrics, stdout, stderr) =
        (gateway.probe("/metrics").text(), gateway.stdout.clone(), gateway.stderr.clone());
    gateway.stop();
    for (what, text) in [("metrics", metrics), ("access log", stdout.text()), ("log", stderr.text())] {
        let found: Vec<&str> = text.lines().filter(|line| line.contains("secret-")).collect();
        assert!(found.is_empty(), "in the {what}: {found:?}");
    }
}

#[test]
fn a_targeting_key_is_logged_only_as_a_hash_and_only_where_configured() {
    let shop = Shop::start();
    let rest =
        one_route("") + "context: {targeting_key: [{cookie: uid}]}\naccess_log: {targeting_key: hashed}\n";
    let gateway = shop.gateway(&rest, json!({"v": split(50)}));
    for (path, user) in [("/1", "ann"), ("/2", "ann"), ("/3", "bob")] {
        gateway.get_with(path, &[("cookie", &format!("uid={user}"))]);
    }
    let hash = |path: &str| {
        gateway.access(path, |line| line["path"] == path)["targeting_key"].as_str().map(str::to_owned)
    };
    assert!(hash("/1").is_some_and(|hash| hash.len() == 16));
    assert_eq!(hash("/1"), hash("/2"));
    assert_ne!(hash("/1"), hash("/3"));
}

#[test]
fn what_a_client_sends_cannot_forge_a_line() {
    let shop = Shop::start();
    let gateway = shop.gateway("routes: [{name: a, match: {path: /a}, service: shop}]\n", json!({}));
    let mut client = gateway.client();
    client.get("/a%0A{\"status\":999}%1B[2J").host("a\"b").send();
    client.get("/b\u{9b}2J\u{7f}").send();
    eventually("both lines", || gateway.stdout.count() >= 2);
    for line in gateway.stdout.all() {
        let parsed: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_ne!(parsed["status"], 999);
        assert!(line.chars().all(|letter| !letter.is_control()), "{line:?}");
    }
}

#[test]
fn a_log_file_is_reopened_on_sigusr1() {
    let shop = Shop::start();
    let rest = one_route("") + "access_log: {to: logs/access.log}\n";
    let gateway = shop.setup(&rest, json!({"v": opt_in()})).file("logs/.keep", "").start();
    let lines = |name: &str| std::fs::read_to_string(gateway.path(name)).unwrap_or_default().lines().count();
    gateway.get("/1");
    eventually("the first line", || lines("logs/access.log") == 1);
    std::fs::rename(gateway.path("logs/access.log"), gateway.path("logs/access.log.1")).unwrap();
    gateway.signal("USR1");
    eventually("a new file", || gateway.path("logs/access.log").exists());
    gateway.get("/2");
    eventually("the second line", || lines("logs/access.log") == 1);
    assert_eq!(lines("logs/access.log.1"), 1);
    assert_eq!(gateway.stdout.count(), 0, "nothing goes to stdout");
}

#[test]
fn a_reader_that_does_not_read_costs_lines_that_are_counted_but_no_request() {
    let shop = Shop::start();
    let rest = one_route("") + "access_log: {to: stuck, queue: 10}\n";
    let setup = shop.setup(&rest, json!({"v": opt_in()}));
    let made = std::process::Command::new("mkfifo").arg(setup.path("stuck")).status();
    assert!(made.expect("mkfifo runs").success());
    // Both ends are open, and nobody reads: the pipe takes 64 KiB.
    let reader = std::fs::OpenOptions::new().read(true).write(true).open(setup.path("stuck")).unwrap();
    let gateway = setup.start();
    let mut client = gateway.client();
    for _ in 0..400 {
        assert_eq!(client.get(&format!("/{}", "x".repeat(1000))).send().status, 200);
    }
    let dropped = gateway.metrics().sum("flagway_access_log_dropped_total", &[]);
    assert!((200.0..=400.0).contains(&dropped), "{dropped} were dropped");
    drop(reader);
}
