//! Pages of other origins at the door of OpenFeature clients: exact ones may read, no other learns anything.

use serde_json::json;

use crate::support::{Client, Fields, Gateway, Response, Setup, opt_in, services};

const BULK: &str = "/ofrep/v1/evaluate/flags";
const PAGE: &str = "https://shop.test";

fn gateway(more: &str) -> Gateway {
    let route = format!(
        "routes:\n  - {{name: flags, match: {{path_prefix: /ofrep}}, ofrep: {{flags: all, origins: ['{PAGE}', 'http://localhost:3000'], {more}}}}}\n"
    );
    Setup::new(&(services("['127.0.0.1:1']", "['127.0.0.1:1']") + &route))
        .flags(json!({"v": opt_in()}))
        .start()
}

#[track_caller]
fn ask(gateway: &Gateway, method: &str, target: &str, lines: Fields<'_>) -> Response {
    let mut client = gateway.client();
    let request = client.request(method, target).header("content-type", "application/json");
    let request = if method == "POST" { request.body("{}") } else { request };
    lines.iter().fold(request, |request, (name, value)| request.header(name, value)).send()
}

/// What the answer lets a page of another origin do.
fn allows(response: &Response) -> [Option<String>; 3] {
    ["access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers"]
        .map(|name| response.header(name))
}

fn allowed(origin: &str) -> [Option<String>; 3] {
    [Some(origin.to_owned()), Some("true".to_owned()), Some("etag, retry-after".to_owned())]
}

#[test]
fn only_exact_origins_may_read() {
    let gateway = gateway("rate: off");
    for (origin, may) in [
        (PAGE, true),
        ("http://localhost:3000", true),
        ("https://shop.test:8443", false),
        ("http://shop.test", false),
        ("https://evil.test", false),
        ("https://shop.test.evil.test", false),
        ("null", false),
    ] {
        let response = ask(&gateway, "POST", BULK, &[("origin", origin)]);
        assert_eq!((response.status, response.list("vary")), (200, vec!["origin".to_owned()]), "{origin}");
        assert_eq!(allows(&response), if may { allowed(origin) } else { [None, None, None] }, "{origin}");
        assert!(response.header("etag").is_some());
    }
    let plain = ask(&gateway, "POST", BULK, &[]);
    assert_eq!(
        plain.list("vary"),
        ["origin"],
        "an answer without an origin must not be kept for one with it"
    );
    assert_eq!(allows(&plain), [None, None, None]);
}

#[test]
fn a_page_is_told_why_it_is_refused() {
    let gateway = gateway("keys: [web], max_body: 256B, rate: {per_second: 1, burst: 20}");
    let page = ("origin", PAGE);
    let key = ("x-api-key", "web");
    let etag = ask(&gateway, "POST", BULK, &[page, key]).header("etag").unwrap();
    let none = ("if-none-match", &*etag);
    let table: [(u16, &str, String, Fields<'_>); 5] = [
        (401, "POST", BULK.to_owned(), &[page]),
        (304, "POST", BULK.to_owned(), &[page, key, none]),
        (404, "POST", format!("{BULK}/never"), &[page, key]),
        (405, "GET", BULK.to_owned(), &[page, key]),
        (415, "POST", BULK.to_owned(), &[page, key, ("content-type", "text/plain")]),
    ];
    for (status, method, target, lines) in table {
        let response = ask(&gateway, method, &target, lines);
        assert_eq!((response.status, allows(&response)), (status, allowed(PAGE)), "{target}");
    }
    let mut client = gateway.client();
    let long = client.post(BULK, "x".repeat(300)).header("origin", PAGE).header("x-api-key", "web").send();
    assert_eq!((long.status, allows(&long)), (413, allowed(PAGE)));
    let busy =
        (0..200).map(|_| ask(&gateway, "POST", BULK, &[page, key])).find(|response| response.status == 429);
    assert_eq!(allows(&busy.expect("a refusal")), allowed(PAGE));
}

#[test]
fn a_preflight_needs_no_key_and_allows_what_the_page_wants_to_send() {
    let gateway = gateway("keys: [web]");
    let asks: Fields<'_> = &[
        ("origin", PAGE),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,x-api-key,x-canary"),
    ];
    let response = ask(&gateway, "OPTIONS", BULK, asks);
    assert_eq!((response.status, response.body.len(), allows(&response)), (204, 0, allowed(PAGE)));
    assert_eq!(response.list("access-control-allow-methods"), ["get", "post"]);
    assert_eq!(response.list("access-control-allow-headers"), ["content-type", "x-api-key", "x-canary"]);
    assert_eq!(response.header("access-control-max-age").as_deref(), Some("3600"));

    let elsewhere = ask(&gateway, "OPTIONS", BULK, &[("origin", "https://evil.test"), asks[1], asks[2]]);
    assert_eq!((elsewhere.status, allows(&elsewhere)), (204, [None, None, None]));
    assert_eq!(elsewhere.header("access-control-allow-headers"), None);
    assert_eq!(elsewhere.header("access-control-allow-methods"), None);
}

#[test]
fn without_origins_no_page_of_another_one_learns_anything() {
    let route = "routes:\n  - {name: flags, match: {path_prefix: /ofrep}, ofrep: {flags: all}}\n";
    let setup =
        Setup::new(&(services("['127.0.0.1:1']", "['127.0.0.1:1']") + route)).flags(json!({"v": opt_in()}));
    let gateway = setup.start();
    let response = ask(&gateway, "POST", BULK, &[("origin", PAGE)]);
    assert_eq!(
        (response.status, allows(&response), response.header("vary")),
        (200, [None, None, None], None)
    );
}

/// The operator's door has no CORS at all.
#[test]
fn the_operators_door_lets_no_page_in() {
    let gateway = gateway("rate: off");
    let mut client = Client::new(gateway.admin());
    let preflight = client
        .request("OPTIONS", BULK)
        .host("localhost")
        .header("origin", PAGE)
        .header("access-control-request-method", "POST")
        .send();
    assert_eq!((preflight.status, allows(&preflight)), (403, [None, None, None]));
}
