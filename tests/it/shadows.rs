//! Shadows: which requests are copied, to whom, and that nobody else notices.

use serde_json::{Value, json};

use crate::support::{
    Answer, DEAD, Fields, Gateway, Response, Shop, Upstream, always, changes, dark, eventually, flag,
    one_route, opt_in, original_and_copy, services, shadowed, split, versions,
};

const NAVIGATION: (&str, &str) = ("sec-fetch-mode", "navigate");

/// What a client sees, but for the time.
fn seen(response: &Response) -> (u16, Vec<(String, String)>, String) {
    let fields = response.fields.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("date"));
    (response.status, fields.cloned().collect(), response.text())
}

#[test]
fn the_value_of_a_flag_names_the_version_that_gets_a_copy() {
    let shop = Shop::start();
    let gateway = shop.gateway(&shadowed(""), dark());
    let response = gateway.get_with("/cart?a=b%20c&&", &[("X-Odd", "1"), ("x-odd", "2"), ("cookie", "a=b")]);
    assert_eq!((response.status, response.text()), (200, "stable".to_owned()));
    let (original, copy) = original_and_copy(&shop, 1);
    let (gone, new) = changes(&original, &copy);
    assert_eq!(gone, ["x-flag-v: stable"]);
    assert_eq!(new, ["x-flag-v: canary", "x-flagway-shadow: canary"]);
    assert!(copy.header("x-request-id").is_some(), "its original's: {}", copy.text());
    assert_eq!(shop.stable.count(), 1);
}

#[test]
fn without_a_version_to_name_there_is_no_copy() {
    let mut off = always("canary");
    off["state"] = json!("DISABLED");
    // The flag, drops for trouble, problems.
    let table = [
        (Some(always("none")), 0, 0),
        (Some(off), 0, 0),
        (Some(always("nobody")), 1, 1),
        (Some(flag(json!({"it": 1}), "it", Value::Null)), 1, 1),
        (None, 1, 1),
    ];
    for (s, drops, problems) in table {
        let shop = Shop::start();
        let mut flags = json!({"v": versions(Value::Null)});
        if let Some(s) = &s {
            flags["s"] = s.clone();
        }
        let gateway = shop.gateway(&shadowed(""), flags);
        assert_eq!(gateway.get("/").text(), "stable", "{s:?}");
        eventually("the request is counted", || gateway.metrics().sum("flagway_requests_total", &[]) == 1.0);
        assert_eq!((gateway.copies("sent"), gateway.dropped("flag")), (0.0, f64::from(drops)), "{s:?}");
        assert_eq!(gateway.metrics().sum("flagway_problems", &[]), f64::from(problems), "{s:?}");
        assert_eq!(
            gateway.metrics().sum("flagway_fallbacks_total", &[]),
            0.0,
            "the original is none the worse"
        );
        assert_eq!(shop.canary.count(), 0, "{s:?}");
    }
}

#[test]
fn any_value_can_be_mapped_to_a_version_or_to_none() {
    let shop = Shop::start();
    let targeting = json!({"if": [{"==": [{"var": "query.copy"}, "yes"]}, "on", "off"]});
    let s = flag(json!({"on": true, "off": false}), "off", targeting);
    let gateway =
        shop.gateway(&shadowed(", values: {true: canary, false: none}"), json!({"v": opt_in(), "s": s}));
    for target in ["/?copy=no", "/?copy=yes", "/", "/?copy=yes"] {
        gateway.get(target);
    }
    let copies = shop.canary.wait_for(2);
    assert!(copies.iter().all(|copy| copy.target() == "/?copy=yes"));
    assert_eq!((gateway.copies("sent"), shop.canary.count()), (2.0, 2));
}

#[test]
fn the_copies_follow_the_flag_while_it_changes() {
    let shop = Shop::start();
    let gateway = shop.gateway(&shadowed(""), json!({"v": opt_in(), "s": always("none")}));
    let mut client = gateway.client();
    let mut copies = 0;
    for (round, value) in ["none", "canary", "none", "canary"].into_iter().enumerate() {
        let before = gateway.revision();
        if round > 0 {
            gateway.replace_flags(json!({"v": opt_in(), "s": always(value)}));
            eventually("the change serves", || gateway.revision() != before);
        }
        for _ in 0..5 {
            assert_eq!(client.get("/").send().text(), "stable");
        }
        copies += if value == "canary" { 5 } else { 0 };
        shop.canary.wait_for(copies);
        assert_eq!(gateway.copies("sent"), copies as f64, "round {round}");
    }
    assert_eq!(shop.canary.count(), 10);
}

/// A shop with a service `next` beside it, whose version `v2` is an upstream of its own.
fn shop_and_next(shadows: &str, more: &str) -> (Shop, Upstream, String) {
    let (shop, next) = (Shop::start(), Upstream::start("next"));
    let service = format!("  next: {{default: v2, versions: {{v2: {{endpoints: ['{}']}}}}}}\n", next.address);
    let route = one_route(&format!("inject: [v], shadows: [{shadows}],"));
    let config = shop.config(&(service + &route + more));
    (shop, next, config)
}

#[test]
fn a_shadow_can_be_a_service_of_its_own() {
    let (shop, next, config) = shop_and_next("{flag: s, service: next}", "");
    let gateway = Gateway::start(&config, json!({"v": versions(Value::Null), "s": always("v2")}));
    assert_eq!(gateway.get("/a").text(), "stable");
    let copy = next.wait_for(1).remove(0);
    let (gone, new) = changes(&shop.stable.only(), &copy);
    assert_eq!(gone, ["x-flag-v: stable"]);
    assert_eq!(new, ["x-flag-v: v2", "x-flagway-shadow: v2"]);
    let labels = [("route", "all"), ("service", "next"), ("version", "v2"), ("result", "sent")];
    assert_eq!(gateway.metrics().sum("flagway_shadow_copies_total", &labels), 1.0);
}

#[test]
fn each_shadow_of_a_route_gets_its_own_copy() {
    let (shop, next, config) = shop_and_next("{flag: s}, {flag: t, service: next, host: next.test}", "");
    let flags = json!({"v": versions(Value::Null), "s": always("canary"), "t": always("v2")});
    let gateway = Gateway::start(&config, flags);
    assert_eq!(gateway.get("/a").text(), "stable");
    let (original, copy) = original_and_copy(&shop, 1);
    assert_eq!(changes(&original, &copy).1, ["x-flag-v: canary", "x-flagway-shadow: canary"]);
    let copy = next.wait_for(1).remove(0);
    let (gone, new) = changes(&original, &copy);
    assert_eq!(gone, ["host: shop.test", "x-flag-v: stable"]);
    assert_eq!(new, ["host: next.test", "x-flag-v: v2", "x-flagway-shadow: v2"]);
    eventually("both are answered", || gateway.copies("answered") == 2.0);
    assert_eq!(gateway.shadows().len(), 2, "each has a report");
}

#[test]
fn a_version_gets_no_copy_of_what_it_serves() {
    let shop = Shop::start();
    let gateway = shop.gateway(&shadowed(""), json!({"v": opt_in(), "s": always("canary")}));
    assert_eq!(gateway.get_with("/", &[("x-canary", "always")]).text(), "canary");
    gateway.wait_for_drops("same_version", 1);
    assert_eq!(gateway.get_with("/", &[("x-canary", "never")]).text(), "stable");
    shop.canary.wait_for(2);
    assert_eq!((shop.canary.count(), shop.stable.count()), (2, 1));
}

#[test]
fn what_was_tried_again_is_not_copied_again() {
    // A version that takes no connection: the copy belongs to an attempt that never was.
    let (stable, next) = (Upstream::start("stable"), Upstream::start("next"));
    let config = |canary: &str| {
        services(&format!("['{}']", stable.address), &format!("['{canary}']"))
            + &format!("      next: {{endpoints: ['{}']}}\n", next.address)
            + &shadowed("")
    };
    let flags = json!({"v": versions(json!({"if": [true, "canary"]})), "s": always("next")});
    let gateway = Gateway::start(&config(DEAD), flags.clone());
    assert_eq!(gateway.get("/").text(), "stable");
    gateway.wait_for_drops("retried", 1);
    assert_eq!((gateway.copies("sent"), next.count()), (0.0, 0));

    // One that takes the request and closes: the copy is out already, and stays the only one.
    let canary = Upstream::start("canary");
    canary.answer(|_| Answer::close());
    let gateway = Gateway::start(&config(&canary.address.to_string()), flags);
    let mut client = gateway.client();
    for round in 1..=5 {
        assert_eq!(client.get("/").send().text(), "stable");
        let copy = next.wait_for(round).remove(round - 1);
        assert_eq!(copy.header("x-flag-v").as_deref(), Some("next"));
    }
    eventually("every copy is accounted for", || gateway.copies("answered") == 5.0);
    assert_eq!((next.count(), canary.count(), gateway.copies("sent")), (5, 5, 5.0));
    let uncompared = |gateway: &Gateway| gateway.shadow()["uncompared"]["fallback"].as_u64();
    eventually("no answer of another version is taken for the original's", || {
        uncompared(&gateway) == Some(5)
    });
}

#[test]
fn an_original_on_a_connection_gone_stale_has_one_copy_or_none() {
    const COUNT: usize = 60;
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::new(200, "stable").then_close());
    let gateway = shop.gateway(&shadowed(", methods: [GET, PUT]"), dark());
    let mut client = gateway.client();
    for number in 0..COUNT {
        let request = client.request(if number % 2 == 0 { "GET" } else { "PUT" }, "/");
        let request = if number % 2 == 0 { request } else { request.body("put") };
        assert_eq!(request.send().text(), "stable");
        eventually("it is decided", || {
            gateway.copies("sent") + gateway.dropped("retried") == (number + 1) as f64
        });
    }
    eventually("each copy is answered", || gateway.copies("answered") == gateway.copies("sent"));
    let mut ids: Vec<_> = shop.canary.requests().iter().map(|copy| copy.header("x-request-id")).collect();
    let copies = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), copies, "no request is copied twice");
    assert_eq!(copies as f64, gateway.copies("sent"));
}

#[test]
fn a_shadow_that_closes_without_an_answer_gets_no_second_copy() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::close());
    let gateway = shop.gateway(&shadowed(", breaker: {failures: 1000}"), dark());
    let mut client = gateway.client();
    for round in 1..=10 {
        assert_eq!(client.get("/").send().text(), "stable");
        eventually("the failure is counted", || gateway.copies("closed") == f64::from(round));
    }
    assert_eq!(shop.canary.count(), 10);
}

#[test]
fn a_client_sees_the_same_with_and_without_shadows() {
    let context = "context: {targeting_key: [{visitor_cookie: {name: vid, max_age: 90d}}]}\n";
    // It reads the key, a header, and the country: inputs that a cache would have to know of if they decided an answer.
    let s = flag(
        json!({"canary": "canary", "none": "none"}),
        "canary",
        json!({"if": [{"==": [{"var": "header.x-dark"}, "no"]}, "none", {"fractional": [["canary", 100], ["none", 0]]}]}),
    );
    let day = 86_400;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let old = format!("vid=0123456789abcdef0123456789abcdef.{:x}", now - 80 * day);
    let requests: [Fields<'_>; 5] =
        [&[], &[NAVIGATION], &[NAVIGATION, ("cookie", &old)], &[("x-canary", "always")], &[("x-dark", "no")]];
    let shop = Shop::start();
    for upstream in [&shop.stable, &shop.canary] {
        let name = if upstream.address == shop.stable.address { "stable" } else { "canary" };
        upstream.answer(move |_| {
            Answer::new(200, name).header("cache-control", "public, s-maxage=60").header("set-cookie", "a=b")
        });
    }
    let with = shop.gateway(&(shadowed("") + context), json!({"v": opt_in(), "s": s}));
    let without = shop.gateway(&(one_route("inject: [v],") + context), json!({"v": opt_in()}));
    for lines in requests {
        let (with, without) = (with.get_with("/a", lines), without.get_with("/a", lines));
        assert_eq!(seen(&with), seen(&without), "{lines:?}");
        assert_eq!(with.all("set-cookie"), ["a=b"], "no visitor is made for a shadow's sake: {lines:?}");
    }
    // Only the visitor who came with a cookie has a key, and only a key is in a sample.
    eventually("every request is decided", || {
        with.metrics().sum("flagway_shadow_evaluations_total", &[]) == requests.len() as f64
    });
    eventually("one copy is answered", || with.copies("answered") == 1.0);
    assert_eq!(with.copies("sent"), 1.0);
}

#[test]
fn a_visitor_made_for_the_routes_own_flags_is_in_the_shadows_sample_too() {
    let shop = Shop::start();
    let context = "context: {targeting_key: [{visitor_cookie: {name: vid, max_age: 90d}}]}\n";
    let seeded = |variants: Value, default: &str, one: &str, other: &str| {
        let targeting =
            json!({"fractional": [{"cat": ["same", {"var": "targetingKey"}]}, [one, 50], [other, 50]]});
        flag(variants, default, targeting)
    };
    // The same hash decides both: whoever is served by stable gets a copy to the canary, and nobody else asks for one.
    let v = seeded(json!({"stable": "stable", "canary": "canary"}), "stable", "stable", "canary");
    let s = seeded(json!({"canary": "canary", "none": "none"}), "none", "canary", "none");
    let gateway = shop.gateway(&(shadowed("") + context), json!({"v": v, "s": s}));
    let mut served = [0, 0];
    for _ in 0..40 {
        let response = gateway.get_with("/", &[NAVIGATION]);
        assert!(response.header("set-cookie").is_some(), "a new visitor");
        served[usize::from(response.text() == "canary")] += 1;
    }
    assert!(served[0] > 0 && served[1] > 0, "{served:?}");
    eventually("each visitor of stable is copied", || gateway.copies("sent") == f64::from(served[0]));
    assert_eq!(gateway.metrics().sum("flagway_shadow_dropped_total", &[]), 0.0);
}

#[test]
fn nothing_of_a_shadows_answer_reaches_the_client() {
    let shop = Shop::start();
    shop.canary.answer(|_| {
        Answer::new(500, "leak")
            .header("set-cookie", "leak=1")
            .header("location", "/leak")
            .header("x-leak", "1")
    });
    let gateway = shop.gateway(&shadowed(""), dark());
    let mut client = gateway.client();
    for count in 1..=5 {
        let response = client.get("/").send();
        assert!(!format!("{response:?}").contains("leak"), "{response:?}");
        assert_eq!((response.status, response.text()), (200, "stable".to_owned()));
        shop.canary.wait_for(count);
    }
    eventually("an answer is an answer, whatever its status", || gateway.copies("answered") == 5.0);
}

#[test]
fn an_evaluation_for_a_shadow_is_no_exposure_of_a_user() {
    let shop = Shop::start();
    let gateway = shop.gateway(&shadowed(""), dark());
    let mut client = gateway.client();
    for _ in 0..3 {
        client.get("/").send();
    }
    let shadows = [("flag", "s"), ("variant", "it"), ("reason", "static")];
    eventually("they are counted", || {
        gateway.metrics().sum("flagway_shadow_evaluations_total", &shadows) == 3.0
    });
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("flagway_shadow_evaluations_total", &[]), 3.0, "the shadow's flag alone");
    assert_eq!(metrics.sum("flagway_evaluations_total", &[("flag", "v")]), 3.0);
    assert_eq!(metrics.series("flagway_evaluations_total", &[("flag", "s")]), 0);
    eventually("the copies are answered", || gateway.copies("answered") == 3.0);
    eventually("the requests are counted and logged", || {
        gateway.metrics().sum("flagway_requests_total", &[]) >= 3.0 && gateway.stdout.count() >= 3
    });
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("flagway_requests_total", &[]), 3.0, "a copy is no request");
    assert_eq!(metrics.sum("flagway_requests_total", &[("version", "canary")]), 0.0);
    // Lines are written beside the requests.
    eventually("the requests are logged", || gateway.stdout.json().len() >= 3);
    assert_eq!(gateway.stdout.json().len(), 3, "and has no line in the access log");
}

#[test]
fn whoever_has_no_key_is_in_no_sample() {
    let shop = Shop::start();
    let rest = shadowed("") + "context: {targeting_key: [{cookie: uid}]}\n";
    let mut s = split(100);
    s["defaultVariant"] = json!("canary");
    let gateway = shop.gateway(&rest, json!({"v": opt_in(), "s": s}));
    assert_eq!(gateway.get("/").text(), "stable");
    assert_eq!(gateway.get_with("/", &[("cookie", "uid=ann")]).text(), "stable");
    let (_, copy) = original_and_copy(&shop, 1);
    assert_eq!(copy.header("cookie").as_deref(), Some("uid=ann"));
    assert_eq!(gateway.copies("sent"), 1.0);
}

#[test]
fn a_shadow_can_be_configured_while_traffic_flows() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route("inject: [v],"), dark());
    let mut client = gateway.client();
    assert_eq!(client.get("/").send().text(), "stable");
    assert_eq!(shop.canary.count(), 0);
    gateway.replace_config(&shop.config(&shadowed("")));
    eventually("copies come", || {
        client.get("/").send();
        shop.canary.count() > 0
    });
    assert_eq!(shop.canary.last().header("x-flagway-shadow").as_deref(), Some("canary"));
}
