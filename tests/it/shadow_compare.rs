//! What is told of two answers to one request: through the operator's door, as numbers, examples and one plain sentence.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Answer, Client, Gateway, RawUpstream, Recorded, Response, Shop, Upstream, dark, eventually, one_route,
    opt_in, read_request, services, shadowed,
};

/// A shadow whose answers are compared under these rules; each with a comma in front. Only where it says so is slow a difference.
fn comparing(rules: &str) -> String {
    shadowed(&format!(", compare: {{slower_by: 1m{rules}}}"))
}

fn json_answer(body: impl ToString) -> Answer {
    Answer::new(200, body.to_string()).header("content-type", "application/json")
}

/// Paths and kinds of a list of fields, in order of the paths.
fn fields(list: &Value) -> Vec<(String, String)> {
    let text = |field: &Value, key: &str| field[key].as_str().expect("a text").to_owned();
    let list = list.as_array().expect("a list of fields");
    let mut fields: Vec<_> = list.iter().map(|field| (text(field, "path"), text(field, "kind"))).collect();
    fields.sort();
    fields
}

#[track_caller]
fn post(gateway: &Gateway, target: &str) -> Response {
    Client::new(gateway.admin()).request("POST", target).host("localhost").send()
}

/// Two answers and what must be told of them.
struct Case {
    rules: &'static str,
    stable: Answer,
    canary: Answer,
    differences: &'static [(&'static str, &'static str)],
}

fn case(
    rules: &'static str,
    stable: Answer,
    canary: Answer,
    differences: &'static [(&'static str, &'static str)],
) -> Case {
    Case { rules, stable, canary, differences }
}

/// Both answers are JSON.
fn json_case(
    rules: &'static str,
    stable: &str,
    canary: &str,
    differences: &'static [(&'static str, &'static str)],
) -> Case {
    case(rules, json_answer(stable), json_answer(canary), differences)
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn deflate(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn brotli(text: &str) -> Vec<u8> {
    let mut encoded = Vec::new();
    brotli::CompressorWriter::new(&mut encoded, 4096, 5, 22).write_all(text.as_bytes()).unwrap();
    encoded
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 3).unwrap()
}

fn encoded(coding: &str, body: Vec<u8>) -> Answer {
    Answer::new(200, body).header("content-type", "application/json").header("content-encoding", coding)
}

fn typed(kind: &str, body: impl AsRef<[u8]>) -> Answer {
    Answer::new(200, body).header("content-type", kind)
}

const PRICED: &str = r#"{"id": 7, "price": {"total": 10.5, "currency": "EUR"}, "tags": ["a", "b"]}"#;

fn cases() -> Vec<Case> {
    let plain = || json_answer(PRICED);
    let long = |last: &str| typed("text/plain", "long ".repeat(2_000) + last);
    vec![
        // Equal is what means the same.
        case("", plain(), plain(), &[]),
        json_case("", PRICED, r#"{"tags":["a","b"],"price":{"currency":"EUR","total":10.50},"id":7.0}"#, &[]),
        case("", Answer::new(204, ""), Answer::new(204, ""), &[]),
        case("", typed("text/html; charset=utf-8", "<p>"), typed("Text/HTML ;charset=utf-8", "<p>"), &[]),
        case("", plain().header("x-a", "1"), plain().header("x-a", "2").header("date", "x"), &[]),
        // Status and headers.
        case(
            "",
            plain(),
            Answer::new(500, PRICED).header("content-type", "application/json"),
            &[("status", "changed")],
        ),
        case(
            "",
            plain().header("location", "/a"),
            plain().header("location", "/b"),
            &[("header:location", "changed")],
        ),
        case(
            "",
            plain().header("cache-control", "no-store"),
            plain(),
            &[("header:cache-control", "missing")],
        ),
        case(", headers: [x-a]", plain(), plain().header("x-a", "1"), &[("header:x-a", "added")]),
        case(
            ", headers: [x-a]",
            plain().header("x-a", "1").header("x-a", "2"),
            plain().header("x-a", "1, 2").header("location", "/"),
            &[],
        ),
        // Fields.
        json_case(
            "",
            PRICED,
            r#"{"id": 8, "price": {"total": 10.5, "currency": "EUR"}, "tags": ["a", "b"]}"#,
            &[("/id", "changed")],
        ),
        json_case(
            "",
            PRICED,
            r#"{"id": "7", "price": {"total": 10.5, "currency": "EUR"}, "tags": ["a", "b"]}"#,
            &[("/id", "type")],
        ),
        json_case(
            "",
            PRICED,
            r#"{"id": 7, "price": {"total": 10.5}, "tags": ["a", "b"]}"#,
            &[("/price/currency", "missing")],
        ),
        json_case(
            "",
            PRICED,
            r#"{"id": 7, "price": {"total": 10.5, "currency": "EUR", "vat": 0}, "tags": ["a", "b"]}"#,
            &[("/price/vat", "added")],
        ),
        json_case("", r#"{"a": 1}"#, r#"{"a": 1, "b": null}"#, &[("/b", "added")]),
        json_case("", r#"{"a": 1, "b": null}"#, r#"{"a": 1, "b": 2}"#, &[("/b", "type")]),
        json_case(
            "",
            r#"{"at": "2026-01-02T03:04:05Z"}"#,
            r#"{"at": "2026-01-02T04:04:05+01:00"}"#,
            &[("/at", "format")],
        ),
        json_case("", r#"{"a/b": {"~": 1}}"#, r#"{"a/b": {"~": 2}}"#, &[("/a~1b/~0", "changed")]),
        // Arrays.
        json_case(
            "",
            PRICED,
            r#"{"id": 7, "price": {"total": 10.5, "currency": "EUR"}, "tags": ["b", "a"]}"#,
            &[("/tags", "order")],
        ),
        json_case("", r#"{"of": [1, 2, 3]}"#, r#"{"of": [1, 2]}"#, &[("/of", "shorter")]),
        json_case("", r#"{"of": [1, 2]}"#, r#"{"of": [1, 2, 2]}"#, &[("/of", "longer")]),
        json_case(
            "",
            r#"{"of": [{"id": 1, "n": 1, "m": 1}, {"id": 2, "n": 2, "m": 2}]}"#,
            r#"{"of": [{"id": 1, "n": 1, "m": 1}, {"id": 2, "n": 3, "m": 2}]}"#,
            &[("/of/*/n", "changed")],
        ),
        json_case(
            ", arrays: {/of: id}",
            r#"{"of": [{"id": 1, "n": 1}, {"id": 2, "n": 2}]}"#,
            r#"{"of": [{"id": 2, "n": 2}, {"id": 1, "n": 1}]}"#,
            &[],
        ),
        json_case(
            ", arrays: {/of: id}",
            r#"{"of": [{"id": 1, "n": 1}, {"id": 2, "n": 2}]}"#,
            r#"{"of": [{"id": 2, "n": 1}, {"id": 1, "n": 1}]}"#,
            &[("/of/*/n", "changed")],
        ),
        // What an operator allows.
        json_case(", tolerance: {/total: 0.01}", r#"{"total": 1.0}"#, r#"{"total": 1.009}"#, &[]),
        json_case(
            ", tolerance: {/total: 0.01}",
            r#"{"total": 1.0}"#,
            r#"{"total": 1.02}"#,
            &[("/total", "changed")],
        ),
        json_case(
            ", ignore: [/price, status]",
            PRICED,
            r#"{"id": 8, "price": null, "tags": ["a", "b"]}"#,
            &[("/id", "changed")],
        ),
        json_case(", ignore: [/of/*/n]", r#"{"of": [{"n": 1}]}"#, r#"{"of": [{"n": 2}]}"#, &[]),
        case(
            ", ignore: ['header:location', status]",
            plain().header("location", "/a"),
            Answer::new(201, PRICED).header("content-type", "application/json").header("location", "/b"),
            &[],
        ),
        // Bodies that are no JSON.
        case("", typed("text/plain", "one"), typed("text/plain", "two"), &[("body", "changed")]),
        case(
            "",
            typed("image/png", [0, 159, 146]),
            typed("image/png", [0, 159, 147]),
            &[("body", "changed")],
        ),
        case(", headers: []", plain(), typed("text/html", "<h1>sorry</h1>"), &[("body", "type")]),
        case("", Answer::new(200, "{\"a\": 1}"), Answer::new(200, "{\"a\":1}"), &[]),
        // Bodies that are too long to be kept.
        case(", max_body: 1KiB", long("same"), long("same"), &[]),
        case(", max_body: 1KiB", long("same"), long("else"), &[("body", "changed")]),
        // Bodies that are compressed.
        case(", headers: [content-type]", encoded("gzip", gzip(PRICED)), plain(), &[]),
        case(", headers: [content-type]", plain(), encoded("br", brotli(PRICED)), &[]),
        case(
            ", headers: [content-type]",
            encoded("deflate", deflate(PRICED)),
            encoded("zstd", zstd(PRICED)),
            &[],
        ),
        case("", encoded("gzip", gzip(PRICED)), plain(), &[("header:content-encoding", "missing")]),
        case(
            ", headers: []",
            encoded("gzip", gzip(PRICED)),
            encoded("gzip", gzip(&PRICED.replace("10.5", "\"10.5\""))),
            &[("/price/total", "type")],
        ),
    ]
}

#[test]
fn two_answers_differ_where_they_mean_something_else_and_nowhere_else() {
    const EACH: u64 = 3;
    let cases = cases();
    let shop = Shop::start();
    let number =
        |request: &Recorded| request.target().split(['/', '?']).nth(1).and_then(|text| text.parse().ok());
    let answers = |pick: fn(&Case) -> Answer| -> Vec<Answer> { cases.iter().map(pick).collect() };
    for (upstream, answers) in [
        (&shop.stable, answers(|case| case.stable.clone())),
        (&shop.canary, answers(|case| case.canary.clone())),
    ] {
        upstream.answer(move |request| answers[number(request).unwrap_or(0_usize)].clone());
    }
    let route = |(number, case): (usize, &Case)| {
        format!(
            "  - {{name: case-{number}, match: {{path: /{number}}}, service: shop, version: {{flag: v}}, \
             shadows: [{{flag: s, compare: {{slower_by: 1m{}}}}}]}}\n",
            case.rules
        )
    };
    let routes: String = cases.iter().enumerate().map(route).collect();
    let gateway = shop.gateway(&format!("routes:\n{routes}"), dark());
    let mut client = gateway.client();
    for number in 0..cases.len() {
        for _ in 0..EACH {
            client.get(&format!("/{number}")).send();
        }
    }
    for (number, case) in cases.iter().enumerate() {
        let what = format!("case {number}: {:?} and {:?} under {:?}", case.stable, case.canary, case.rules);
        let report = || gateway.api(&format!("/api/v1/shadows/case-{number}")).json()["shadows"][0].clone();
        eventually(&what, || report()["compared"] == EACH);
        let report = report();
        let expected: Vec<_> =
            case.differences.iter().map(|(path, kind)| ((*path).to_owned(), (*kind).to_owned())).collect();
        assert_eq!(fields(&report["differences"]), expected, "{what}");
        let equal = if expected.is_empty() { EACH } else { 0 };
        assert_eq!((&report["equal"], &report["differing"]), (&json!(equal), &json!(EACH - equal)), "{what}");
        for field in report["differences"].as_array().expect("a list") {
            assert_eq!((&field["count"], &field["rate"]), (&json!(EACH), &json!(1.0)), "{what}");
        }
    }
    for result in ["equal", "differing"] {
        let wanted = cases.iter().filter(|case| case.differences.is_empty() == (result == "equal")).count();
        assert_eq!(
            gateway.metrics().sum("flagway_shadow_comparisons_total", &[("result", result)]),
            wanted as f64 * EACH as f64,
            "{result}"
        );
    }
    gateway.wait_until_settled();
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
    for _ in 0..COUNT {
        assert_eq!(client.get("/").send().status, 200);
    }
    let report = gateway.compared(COUNT);
    assert_eq!(report["twins"], COUNT);
    assert_eq!(fields(&report["differences"]), [("/price".to_owned(), "type".to_owned())], "{report:#}");
    let noisy: Vec<_> = fields(&report["noisy"]).into_iter().map(|(path, _)| path).collect();
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
    for _ in 0..40 {
        client.get("/").send();
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
    let paths: Vec<_> = fields(&report["differences"]).into_iter().map(|(path, _)| path).collect();
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
        for _ in 0..COUNT {
            client.get("/").send();
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
    assert_eq!(fields(&report["differences"]), [("latency".to_owned(), "slower".to_owned())]);
    let latency = &report["latency"];
    assert!(latency["shadow"]["p50"].as_f64() >= Some(0.35), "{latency}");
    assert!(latency["original"]["p50"].as_f64() < latency["shadow"]["p50"].as_f64(), "{latency}");
    assert_eq!(latency["slower_by"], 0.1);
    assert!(latency["slower"].as_f64() >= Some(0.8), "{latency}");
    assert!(report["verdict"].as_str().is_some_and(|verdict| verdict.contains("slower")), "{report:#}");
}

#[test]
fn what_cannot_be_compared_is_counted_by_why() {
    // An encoding that is none.
    let shop = Shop::start();
    shop.canary.answer(|_| encoded("gzip", b"no gzip".to_vec()));
    let gateway = shop.gateway(&comparing(""), dark());
    gateway.get("/");
    eventually("a broken encoding", || gateway.shadow()["uncompared"]["encoding"] == 1);
    assert_eq!(gateway.shadow()["compared"], 0);

    // An original that ends in the middle.
    let stable = RawUpstream::start(|stream| {
        read_request(stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    });
    let canary = Upstream::start("canary");
    let config =
        services(&format!("['{}']", stable.address), &format!("['{}']", canary.address)) + &comparing("");
    let gateway = Gateway::start(&config, dark());
    assert!(gateway.client().get("/").try_send().is_err(), "it was cut");
    canary.wait_for(1);
    eventually("half an answer", || gateway.shadow()["uncompared"]["original"] == 1);
    gateway.wait_until_settled();
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("flagway_shadow_comparisons_total", &[("result", "original")]), 1.0);
}

#[test]
fn a_bomb_is_not_inflated() {
    let shop = Shop::start();
    let bomb = gzip(&"0".repeat(50 << 20));
    assert!(bomb.len() < 200 << 10, "{} bytes inflate to 50 MiB", bomb.len());
    shop.canary.answer(move |_| encoded("gzip", bomb.clone()));
    let gateway = shop.gateway(&comparing(", headers: []"), dark());
    for round in 1..=3 {
        gateway.get("/");
        eventually("it is told", || {
            let report = gateway.shadow();
            report["uncompared"]["encoding"].as_u64().unwrap_or(0) + report["compared"].as_u64().unwrap_or(0)
                == round
        });
    }
    gateway.wait_until_settled();
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
