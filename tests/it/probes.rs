//! Health, readiness and metrics.

use serde_json::{Map, Value, json};

use crate::support::{Client, Shop, eventually, flag, one_route, opt_in, versions};

#[test]
fn the_probes_answer_three_paths_and_nothing_else() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let health = gateway.probe("/healthz");
    assert_eq!((health.status, health.text().trim()), (200, "ok"));
    assert_eq!(gateway.probe("/readyz").status, 200);
    let metrics = gateway.probe("/metrics");
    assert_eq!(metrics.status, 200);
    assert!(metrics.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
    for path in ["/", "/metrics/", "/api/v1/flags", "/debug/pprof", "/healthz/x", "/../healthz"] {
        assert_eq!(gateway.probe(path).status, 404, "{path}");
    }
    assert!(Client::new(gateway.probes()).post("/metrics", "x").host("localhost").send().status >= 400);
}

#[test]
fn every_metric_counts_what_its_name_says() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let mut client = gateway.client();
    for _ in 0..3 {
        client.get("/").send();
    }
    client.get("/").header("x-canary", "always").send();
    shop.stable.answer(|_| crate::support::Answer::new(503, "busy"));
    client.get("/").send();
    let served = |version: &str, class: &str| {
        let labels = [("route", "all"), ("service", "shop"), ("version", version), ("class", class)];
        gateway.metrics().sum("flagway_requests_total", &labels)
    };
    eventually("five requests are counted", || {
        served("stable", "2xx") == 3.0 && served("canary", "2xx") == 1.0 && served("stable", "5xx") == 1.0
    });
    let metrics = gateway.metrics();
    let evaluated = |variant: &str, reason: &str| {
        metrics.sum("flagway_evaluations_total", &[("flag", "v"), ("variant", variant), ("reason", reason)])
    };
    assert_eq!(evaluated("canary", "targeting_match"), 1.0);
    assert_eq!(evaluated("stable", "default"), 4.0);
    for part in ["gateway", "upstream"] {
        assert_eq!(metrics.sum("flagway_request_seconds_count", &[("part", part)]), 5.0, "{part}");
        assert!(metrics.sum("flagway_request_seconds_sum", &[("part", part)]) > 0.0, "{part}");
    }
    assert_eq!(metrics.sum("flagway_snapshot_info", &[("revision", &gateway.revision())]), 1.0);
    assert_eq!(metrics.series("flagway_source_age_seconds", &[]), 1);
    assert!((0.0..60.0).contains(&metrics.sum("flagway_source_age_seconds", &[])));
    assert_eq!(metrics.sum("flagway_problems", &[]), 0.0);
    assert!(metrics.series("flagway_problems", &[]) >= 5, "each kind shows its zero");
    assert_eq!(metrics.sum("flagway_access_log_dropped_total", &[]), 0.0);
    assert_eq!(metrics.sum("flagway_reloads_total", &[("result", "refused")]), 0.0);
    assert_eq!(metrics.sum("flagway_fallbacks_total", &[]), 0.0);
}

#[test]
fn what_the_gateway_answers_itself_is_counted_too() {
    let shop = Shop::start();
    let gateway = shop.gateway("routes: [{name: a, match: {path: /a}, respond: {status: 204}}]\n", json!({}));
    gateway.get("/a");
    gateway.get("/none");
    gateway.get("/..");
    eventually("all three are counted", || gateway.metrics().sum("flagway_requests_total", &[]) == 3.0);
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("flagway_requests_total", &[("route", "a"), ("class", "2xx")]), 1.0);
    assert_eq!(metrics.sum("flagway_requests_total", &[("class", "4xx")]), 2.0);
}

#[test]
fn no_metric_has_more_series_than_its_bound() {
    let shop = Shop::start();
    let names: Vec<String> = (0..150).map(|number| format!("f{number}")).collect();
    let mut flags: Map<String, Value> =
        names.iter().map(|name| (name.clone(), flag(json!({"on": true}), "on", Value::Null))).collect();
    flags.insert("v".to_owned(), opt_in());
    let rest = one_route(&format!("inject: [{}],", names.join(", ")))
        + "injection: {max_fields: 200, max_bytes: 64KiB}\nmetrics: {max_series: 40}\n";
    let gateway = shop.gateway(&rest, Value::Object(flags));
    gateway.get("/");
    gateway.get("/");
    let all = || gateway.metrics().sum("flagway_evaluations_total", &[]);
    eventually("nothing is lost", || all() == 302.0);
    let metrics = gateway.metrics();
    assert!(metrics.series("flagway_evaluations_total", &[]) <= 40);
    assert!(metrics.sum("flagway_evaluations_total", &[("flag", "other")]) >= 200.0);
}

#[test]
fn label_values_are_escaped_and_never_come_from_a_client() {
    let shop = Shop::start();
    let odd = "a\"b\\c";
    let flags = json!({"v": opt_in(), odd: versions(json!({"if": [{"var": "header.x-canary"}, "canary"]}))});
    let gateway = shop.gateway(&one_route("inject: [\"a\\\"b\\\\c\"],"), flags);
    let marker = "marker-7f3a";
    let mut client = gateway.client();
    for number in 0..20 {
        let request =
            client.request(&format!("M{marker}{number}"), &format!("/{marker}{number}?{marker}={number}"));
        request
            .host(&format!("{marker}{number}.test"))
            .header("x-canary", format!("{marker}{number}"))
            .send();
    }
    let text = gateway.probe("/metrics").text();
    assert!(!text.contains(marker), "a client's words are labels:\n{text}");
    assert!(text.contains(r#"a\"b\\c"#), "{text}");
}
