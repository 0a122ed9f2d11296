//! The doors are apart: however a client of the traffic spells a path of the operator's door, it gets what its route gives, and
//! nothing is done.

use serde_json::{Value, json};

use crate::support::{Client, Gateway, Response, Shop, one_route, versions};

/// Paths that lead to a flag's kill and to what is told of it, spelt as proxies and servers were fooled with before.
const SPELLINGS: [&str; 16] = [
    "/api/v1/flags",
    "/api/v1/flags/v/kill",
    "//api/v1/flags",
    "/./api/v1/flags",
    "/x/../api/v1/flags",
    "/x/%2e%2e/api/v1/flags",
    "/%61pi/v1/flags",
    "/api%2Fv1%2Fflags",
    "/api%2fv1/flags/v/kill",
    "/api\\v1\\flags",
    "/API/V1/FLAGS",
    "/api/v1/flags/",
    "/api/v1/flags;a=b",
    "/api/v1/flags?x=/",
    "/api//v1///flags",
    "/checkout/..;/api/v1/flags",
];

/// Asks for a kill and for the list, under names of the traffic's and of the operator's door.
fn ask(gateway: &Gateway, target: &str) -> Vec<(String, Response)> {
    let admin = gateway.admin().to_string();
    let mut all = Vec::new();
    for host in ["shop.test", "localhost", &admin] {
        let absolute = format!("http://{admin}{target}");
        for target in [target, &absolute] {
            for (method, body) in [("GET", ""), ("POST", r#"{"variant": "canary"}"#), ("DELETE", "")] {
                let mut client = Client::new(gateway.traffic());
                let request = client.request(method, target).host(host);
                let request = if body.is_empty() { request } else { request.body(body) };
                // A request that is closed on is refused, too.
                if let Ok(response) = request.try_send() {
                    all.push((format!("{method} {target} at {host}"), response));
                }
            }
        }
    }
    all
}

fn nothing_was_done(gateway: &Gateway, revision: &str) {
    assert_eq!(gateway.revision(), revision);
    assert_eq!(gateway.api("/api/v1/overlay").json()["entries"], json!([]));
    assert_eq!(gateway.api("/api/v1/audit").json()["records"], json!([]), "not even tried");
}

#[test]
fn a_traffic_listener_gives_a_path_of_the_admins_to_its_route() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), json!({"v": versions(Value::Null)}));
    let revision = gateway.revision();
    let mut reached = 0;
    for target in SPELLINGS {
        for (what, response) in ask(&gateway, target) {
            let is_upstreams = response.status == 200 && response.text() == "stable";
            assert!(
                is_upstreams || response.status >= 400,
                "{what}: {} {}",
                response.status,
                response.text()
            );
            assert!(
                response.header("x-content-type-options").is_none(),
                "{what}: the admin's door answers so"
            );
            reached += usize::from(is_upstreams);
        }
    }
    assert!(reached >= SPELLINGS.len(), "a path is a path: {reached}");
    nothing_was_done(&gateway, &revision);
}

#[test]
fn without_a_route_there_is_nothing_there() {
    let shop = Shop::start();
    let routes = "routes:\n  - {name: cart, match: {path: /cart}, service: shop, version: {flag: v}}\n";
    let gateway = shop.gateway(routes, json!({"v": versions(Value::Null)}));
    let revision = gateway.revision();
    for target in SPELLINGS {
        for (what, response) in ask(&gateway, target) {
            assert!((400..500).contains(&response.status), "{what}: {}", response.status);
            assert!(!response.text().contains(&revision), "{what}");
        }
        let probed = Client::new(gateway.probes()).get(target).host("localhost").send();
        assert_eq!(probed.status, 404, "{target} at the probes");
    }
    nothing_was_done(&gateway, &revision);
}
