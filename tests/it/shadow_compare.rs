//! Two answers to one request: what makes them differ, as the operator's door tells it.

use std::io::Write;

use serde_json::json;

use crate::support::{
    Answer, Gateway, RawUpstream, Recorded, Shop, Upstream, comparing, dark, eventually, json_answer, named,
    read_request, services,
};

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
        assert_eq!(named(&report["differences"]), expected, "{what}");
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
fn hints_before_an_answer_are_not_the_answer() {
    let shop = Shop::start();
    let canary = RawUpstream::start(|stream| {
        read_request(stream)?;
        stream
            .write_all(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstable")
    });
    let config = services(&format!("['{}']", shop.stable.address), &format!("['{}']", canary.address));
    let gateway = Gateway::start(&(config + &comparing("")), dark());
    assert_eq!(gateway.get("/").text(), "stable");
    assert_eq!(gateway.compared(1)["equal"], 1);
}

#[test]
fn answers_that_are_hard_to_compare_are_compared_within_bounds() {
    // Deep, wide, many alike, and all at once: whatever becomes of it, it is over soon.
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let objects = |from: usize| -> String {
        let rows: Vec<String> = (from..from + 6_000).map(|n| format!("{{\"a\":{n},\"b\":[{n}]}}")).collect();
        format!("[{}]", rows.join(","))
    };
    let keys = |name: &str| -> String {
        let keys: Vec<String> = (0..10_000).map(|n| format!("\"{name}{n}\":{n}")).collect();
        format!("{{{}}}", keys.join(","))
    };
    let numbers = |from: usize| {
        format!("[{}]", (from..from + 30_000).map(|n| n.to_string()).collect::<Vec<_>>().join(","))
    };
    let answers = [
        (deep.clone(), deep[1..deep.len() - 1].to_owned()),
        (objects(0), objects(3_000)),
        (keys("a"), keys("b")),
        (numbers(0), numbers(15_000)),
        ("[[],".repeat(60) + "1" + &"]".repeat(60), "[[],".repeat(60) + "2" + &"]".repeat(60)),
    ];
    let count = answers.len() as u64;
    let shop = Shop::start();
    let number = |request: &Recorded| request.target()[1..].parse::<usize>().expect("a number");
    let (old, new): (Vec<_>, Vec<_>) = answers.into_iter().unzip();
    shop.stable.answer(move |request| json_answer(&old[number(request)]));
    shop.canary.answer(move |request| json_answer(&new[number(request)]));
    let gateway = shop.gateway(&(comparing("") + "shadows: {max_fields: 20}\n"), dark());
    for number in 0..count {
        assert_eq!(gateway.get(&format!("/{number}")).status, 200);
    }
    let report = gateway.compared(count);
    assert_eq!(report["differing"], count, "{report:#}");
    let told = report["differences"].as_array().expect("a list").len();
    assert!(told <= 20, "{told} fields are told apart");
    assert!(report["other"].as_u64() > Some(0), "the rest is counted together: {}", report["other"]);
    assert!(gateway.api("/api/v1/shadows").body.len() < 100_000, "a report is short");
    gateway.wait_until_settled();
}
