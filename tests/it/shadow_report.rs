//! What is told of a shadow: rates, examples, noise, one plain sentence; and what is told to nobody.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Answer, Client, Gateway, Recorded, Response, Shop, changes, comparing, dark, eventually, json_answer,
    named, one_route, opt_in, shadowed,
};

#[track_caller]
fn post(gateway: &Gateway, target: &str) -> Response {
    Client::new(gateway.admin()).request("POST", target).host("localhost").send()
}

#[test]
fn a_difference_comes_with_its_rate_and_with_examples() {
    let shop = Shop::start();
    let price = |total: Value| json!({"price": {"total": total}, "padding": "x".repeat(1_000)});
    shop.stable.answer(move |_| json_answer(price(json!(10))));
    shop.canary.answer(move |request| {
        let wrong = request.target().starts_with("/wrong");
        json_answer(price(if wrong { json!("10") } else { json!(10) }))
    });
    let gateway = shop.gateway(&comparing(", examples: 2"), dark());
    let mut client = gateway.client();
    for number in 0..10 {
        let path = if number % 3 == 1 { "/wrong" } else { "/right" };
        client.get(&format!("{path}/{number}?private=1")).send();
    }
    let report = gateway.compared(10);
    assert_eq!(
        (&report["route"], &report["flag"], &report["original"], &report["service"], &report["version"]),
        (&json!("all"), &json!("s"), &json!("stable"), &json!("shop"), &json!("canary"))
    );
    assert_eq!((&report["equal"], &report["differing"], &report["noise"]), (&json!(7), &json!(3), &json!(0)));
    assert_eq!(
        (&report["sent"], &report["answered"], &report["resting"]),
        (&json!(10), &json!(10), &json!(false))
    );
    assert_eq!(
        (&report["failed"], &report["dropped"], &report["uncompared"]),
        (&json!({}), &json!({}), &json!({}))
    );
    let verdict = report["verdict"].as_str().expect("a sentence");
    assert!(
        verdict.starts_with(
            "canary answered 7 of 10 requests like stable; 3 differ, all at /price/total; p95 is "
        ),
        "{verdict}"
    );

    let difference = &report["differences"][0];
    assert_eq!((&difference["path"], &difference["kind"]), (&json!("/price/total"), &json!("type")));
    assert_eq!((&difference["count"], &difference["rate"]), (&json!(3), &json!(0.3)));
    let bound = |index: usize| difference["interval"][index].as_f64().expect("a bound");
    // Wilson's interval of 3 in 10 at 95 %.
    assert!((bound(0) - 0.1078).abs() < 1e-3 && (bound(1) - 0.6032).abs() < 1e-3, "{difference:#}");
    let examples = difference["examples"].as_array().expect("examples");
    assert_eq!(examples.len(), 2, "no more than configured");
    let example = &examples[0];
    assert_eq!((&example["original"], &example["shadow"]), (&json!("10"), &json!("\"10\"")));
    assert_eq!((&example["method"], &example["at"]), (&json!("GET"), &json!("/price/total")));
    let path = example["path"].as_str().expect("a path");
    assert!(path.starts_with("/wrong/") && !path.contains("private"), "{path}");
    let original = shop.stable.requests().into_iter().find(|request| request.target().starts_with(path));
    assert_eq!(
        original.expect("it was sent").header("x-request-id").as_deref(),
        example["request_id"].as_str()
    );

    let exported = gateway.api("/api/v1/shadows/all/examples");
    assert_eq!(exported.header("content-type").as_deref(), Some("application/jsonl"));
    let lines: Vec<Value> =
        exported.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        assert_eq!(
            (&line["route"], &line["version"], &line["field"], &line["kind"], &line["class"]),
            (&json!("all"), &json!("canary"), &json!("/price/total"), &json!("type"), &json!("difference"))
        );
        assert_eq!((&line["original"], &line["shadow"]), (&json!("10"), &json!("\"10\"")), "{line}");
    }
}

/// A service whose every answer tells the time, a number of its own, and a list in no order.
fn restless(price: Value) -> impl Fn(&Recorded) -> Answer + Send + Sync + 'static {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    move |_| {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut tags = vec!["red", "green", "blue"];
        tags.rotate_left(count.wrapping_mul(7) % 3);
        json_answer(json!({
            "price": price, "tags": tags, "meta": {"request": format!("r-{count:06}"), "micros": count * 1_000_003},
        }))
    }
}

#[test]
fn noise_is_told_apart_from_differences() {
    const COUNT: u64 = 60;
    let shop = Shop::start();
    shop.stable.answer(restless(json!(10)));
    shop.canary.answer(restless(json!("10")));
    let gateway = shop.gateway(&comparing(", noise: 100%"), dark());
    let mut client = gateway.client();
    for round in 1..=COUNT {
        assert_eq!(client.get("/").send().status, 200);
        shop.canary.wait_for(round as usize);
    }
    let report = gateway.compared(COUNT);
    assert_eq!(report["twins"], COUNT);
    assert_eq!(named(&report["differences"]), [("/price".to_owned(), "type".to_owned())], "{report:#}");
    let noisy: Vec<_> = named(&report["noisy"]).into_iter().map(|(path, _)| path).collect();
    for path in ["/meta/micros", "/meta/request", "/tags"] {
        assert!(noisy.contains(&path.to_owned()), "{path} is noise: {report:#}");
    }
    assert_eq!(report["unsettled"], json!([]), "{report:#}");
    assert_eq!(report["differing"], COUNT);
    let noise = &report["noisy"][0];
    assert!(noise["twin_rate"].as_f64().is_some_and(|rate| rate > 0.3), "{noise:#}");
    // The twins went to the version that served, and bear the mark.
    let twins: Vec<_> = shop
        .stable
        .requests()
        .into_iter()
        .filter(|request| request.header("x-flagway-shadow").is_some())
        .collect();
    assert_eq!(twins.len() as u64, COUNT);
    assert!(twins.iter().all(|twin| twin.header("x-flag-v").as_deref() == Some("stable")));
    assert_eq!(shop.canary.count() as u64, COUNT);

    // What is pinned is not even noise.
    let configuration = || gateway.api("/api/v1/snapshot").json()["config_hash"].clone();
    let before = configuration();
    gateway.replace_config(&shop.config(&comparing(", noise: 100%, ignore: [/meta, /tags, /price]")));
    eventually("the rules serve", || configuration() != before);
    for _ in 0..10 {
        client.get("/").send();
    }
    let report = gateway.compared(10);
    assert_eq!(
        (&report["differences"], &report["noisy"]),
        (&json!([]), &json!([])),
        "counted anew: {report:#}"
    );
    assert_eq!(report["equal"], 10);
}

#[test]
fn requests_that_differ_by_noise_alone_are_as_good_as_equal() {
    let shop = Shop::start();
    shop.stable.answer(restless(json!(10)));
    shop.canary.answer(restless(json!(10)));
    let gateway = shop.gateway(&comparing(", noise: 100%"), dark());
    let mut client = gateway.client();
    for round in 1..=40 {
        client.get("/").send();
        shop.canary.wait_for(round);
    }
    let report = gateway.compared(40);
    assert_eq!(
        (&report["noise"], &report["differing"], &report["undecided"]),
        (&json!(40), &json!(0), &json!(0))
    );
    let verdict = report["verdict"].as_str().expect("a sentence");
    assert!(verdict.contains("40") && !verdict.contains("differ"), "{verdict}");
}

#[test]
fn writes_have_no_twin() {
    let shop = Shop::start();
    let gateway =
        shop.gateway(&shadowed(", methods: [GET, POST], compare: {slower_by: 1m, noise: 100%}"), dark());
    let mut client = gateway.client();
    for _ in 0..5 {
        client.post("/", "pay").send();
    }
    let report = gateway.compared(5);
    assert_eq!((&report["twins"], shop.stable.count()), (&json!(0), 5));
    client.get("/").send();
    assert_eq!(gateway.compared(6)["twins"], 1);
    assert_eq!(shop.stable.count(), 7);
}

#[test]
fn what_is_redacted_is_recorded_nowhere() {
    let shop = Shop::start();
    let person = |name: &str| json!({"customer": {"email": format!("{name}@shop.test"), "card": {"no": name}}, "n": name});
    shop.stable.answer(move |_| json_answer(person("ann")).header("location", "/ann"));
    shop.canary.answer(move |_| json_answer(person("bob")).header("location", "/bob"));
    let rules = ", redact: [/customer, 'header:location']";
    let gateway = shop.gateway(&comparing(rules), dark());
    gateway.get("/");
    let report = gateway.compared(1);
    let paths: Vec<_> = named(&report["differences"]).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["/customer/card/no", "/customer/email", "/n", "header:location"], "they still count");
    for field in report["differences"].as_array().expect("a list") {
        let example = &field["examples"][0];
        let told = field["path"] == "/n";
        assert_eq!(
            (example["original"].is_string(), example["shadow"].is_string()),
            (told, told),
            "{field:#}"
        );
    }
    let texts = [
        gateway.api("/api/v1/shadows").text(),
        gateway.api("/api/v1/shadows/all/examples").text(),
        gateway.stderr.text(),
    ];
    for secret in ["ann@", "bob@", "/ann", "/bob"] {
        assert!(texts.iter().all(|text| !text.contains(secret)), "{secret} is told: {texts:#?}");
    }
}

#[test]
fn a_share_of_the_copies_is_compared() {
    const COUNT: u64 = 300;
    for (sample, from, to) in [("0%", 0, 0), ("50%", 100, 200), ("100%", COUNT, COUNT)] {
        let shop = Shop::start();
        let gateway = shop.gateway(&comparing(&format!(", sample: {sample}")), dark());
        let mut client = gateway.client();
        for round in 1..=COUNT {
            client.get("/").send();
            shop.canary.wait_for(round as usize);
        }
        eventually("all are answered", || gateway.copies("answered") == COUNT as f64);
        gateway.wait_until_settled();
        let report = gateway.shadow();
        let compared = report["compared"].as_u64().expect("a number");
        assert!((from..=to).contains(&compared), "{compared} at {sample}");
        assert_eq!((&report["uncompared"], &report["differing"]), (&json!({}), &json!(compared)));
    }
}

#[test]
fn a_slower_shadow_is_told_of() {
    let shop = Shop::start();
    shop.canary.answer(|_| Answer::new(200, "stable").after(Duration::from_millis(400)));
    let gateway = shop.gateway(&shadowed(", compare: {slower_by: 100ms}"), dark());
    let mut client = gateway.client();
    for _ in 0..5 {
        client.get("/").send();
    }
    let report = gateway.compared(5);
    assert_eq!(named(&report["differences"]), [("latency".to_owned(), "slower".to_owned())]);
    let latency = &report["latency"];
    assert!(latency["shadow"]["p50"].as_f64() >= Some(0.35), "{latency}");
    assert!(latency["original"]["p50"].as_f64() < latency["shadow"]["p50"].as_f64(), "{latency}");
    assert_eq!(latency["slower_by"], 0.1);
    assert!(latency["slower"].as_f64() >= Some(0.8), "{latency}");
    assert!(report["verdict"].as_str().is_some_and(|verdict| verdict.contains("slower")), "{report:#}");
}

#[test]
fn a_report_is_kept_while_flags_change_and_begun_anew_on_demand() {
    let shop = Shop::start();
    let gateway = shop.gateway(&comparing(""), dark());
    let mut client = gateway.client();
    client.get("/").send();
    let report = gateway.compared(1);
    let before = gateway.revision();
    gateway.replace_flags(json!({"v": opt_in(), "s": dark()["s"]}));
    eventually("the flags changed", || gateway.revision() != before);
    client.get("/").send();
    assert_eq!(gateway.compared(2)["since"], report["since"], "the flags are not what is compared");

    let reset = post(&gateway, "/api/v1/shadows/all/reset");
    assert_eq!((reset.status, reset.body.len()), (204, 0), "{}", reset.text());
    assert!(gateway.shadows().iter().all(|shadow| shadow["compared"] == 0 && shadow["sent"] == 0));
    client.get("/").send();
    let report = gateway.compared(1);
    assert_eq!((&report["sent"], &report["differing"]), (&json!(1), &json!(1)));
}

#[test]
fn a_route_that_is_not_there_is_a_problem_with_a_hint() {
    let shop = Shop::start();
    let route = one_route("shadows: [{flag: s}],").replace("name: all", "name: checkout");
    let gateway = shop.gateway(&route, dark());
    for (method, target) in [
        ("GET", "/api/v1/shadows/chekout"),
        ("GET", "/api/v1/shadows/chekout/examples"),
        ("POST", "/api/v1/shadows/chekout/reset"),
    ] {
        let response = Client::new(gateway.admin()).request(method, target).host("localhost").send();
        assert_eq!(response.status, 404, "{target}: {}", response.text());
        let detail = response.json()["detail"].as_str().expect("a sentence").to_owned();
        assert!(detail.contains("did you mean `checkout`"), "{detail}");
    }
    assert_eq!(gateway.api("/api/v1/shadows/checkout").status, 200);
    assert_eq!(gateway.api("/api/v1/shadows/checkout/reset").status, 405);
}

#[test]
fn nothing_to_tell_yet_is_told_too() {
    let shop = Shop::start();
    let gateway = shop.gateway(&comparing(", sample: 0%"), dark());
    gateway.get("/");
    eventually("it is answered", || gateway.copies("answered") == 1.0);
    let report = gateway.shadow();
    assert_eq!((&report["compared"], &report["latency"]), (&json!(0), &Value::Null));
    let verdict = report["verdict"].as_str().expect("a sentence");
    assert!(verdict.contains("canary") && !verdict.contains("differ"), "{verdict}");
}

#[test]
fn what_is_redacted_does_not_show_in_what_stands_around_it() {
    let secrets = ["ann@shop.test", "bob@shop.test", "cyd@shop.test"];
    let person = |mail: &str, n: usize| json!({"email": mail, "n": n});
    // Where a whole is told of, a part of it must not be: an element, an array, an object, a body.
    let pairs = [
        (
            json!({"people": [person(secrets[0], 1), person(secrets[1], 2)]}),
            json!({"people": [person(secrets[0], 1)]}),
        ),
        (
            json!({"people": [person(secrets[0], 1)]}),
            json!({"people": [person(secrets[0], 1), person(secrets[2], 3)]}),
        ),
        (
            json!({"people": [person(secrets[0], 1), person(secrets[1], 2)]}),
            json!({"people": [person(secrets[1], 2), person(secrets[0], 1)]}),
        ),
        (json!({"people": [person(secrets[0], 1)]}), json!({"people": "none"})),
        (json!({"people": [person(secrets[0], 1)]}), json!({})),
        (json!({}), json!({"people": [person(secrets[2], 1)]})),
        (json!({"people": [person(secrets[0], 1)]}), json!("gone")),
    ];
    let count = pairs.len() as u64;
    let shop = Shop::start();
    let number = |request: &Recorded| request.target()[1..].parse::<usize>().expect("a number");
    let (old, new): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let last = old.len();
    let texts = old.clone();
    shop.stable.answer(move |request| match number(request) {
        at if at < last => json_answer(&old[at]),
        _ => json_answer(&texts[0]),
    });
    shop.canary.answer(move |request| match number(request) {
        at if at < last => json_answer(&new[at]),
        // No JSON at all, but with an address in it.
        _ => Answer::new(500, "cannot write to ann@shop.test").header("content-type", "application/json"),
    });
    let gateway = shop.gateway(&comparing(", redact: ['/people/*/email']"), dark());
    for number in 0..=count {
        gateway.get(&format!("/{number}"));
    }
    let report = gateway.compared(count + 1);
    assert_eq!(report["differing"], count + 1, "{report:#}");
    let told = [gateway.api("/api/v1/shadows").text(), gateway.api("/api/v1/shadows/all/examples").text()];
    for secret in secrets {
        assert!(told.iter().all(|text| !text.contains(secret)), "{secret} is told: {report:#}");
    }
}

#[test]
fn a_twin_is_its_original_but_for_the_mark() {
    let shop = Shop::start();
    let rules =
        ", request_headers: {set: {x-a: '1'}}, credentials: drop, host: next.test, compare: {noise: 100%}";
    let gateway = shop.gateway(&shadowed(rules), dark());
    gateway.get_with("/a?b", &[("authorization", "Bearer me"), ("cookie", "a=b")]);
    let requests = shop.stable.wait_for(2);
    let (twins, originals): (Vec<_>, Vec<_>) =
        requests.iter().partition(|request| request.header("x-flagway-shadow").is_some());
    let (gone, new) = changes(originals[0], twins[0]);
    assert_eq!((gone, new), (vec![], vec!["x-flagway-shadow: stable".to_owned()]));
    assert_eq!(gateway.copies("sent"), 1.0, "it is no copy of the shadow's");
}
