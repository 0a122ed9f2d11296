//! Who clients are: asked by TLS, told to targetings, and by nobody else; and how plain requests come to TLS.

use serde_json::{Value, json};

use crate::support::{
    Authority, Client, Gateway, H2Body, Issued, Shop, eventually, flag, flagway, h2_request, one_route,
    opt_in, versions,
};

/// Injects what TLS told as one flag each.
const TOLD: [(&str, &str); 4] = [
    ("subject", "tls.client.subject"),
    ("san", "tls.client.san"),
    ("sni", "tls.sni"),
    ("version", "tls.version"),
];

fn flags() -> Value {
    let told = |path: &str| {
        flag(json!({"it": "none"}), "it", json!({"if": [{"var": path}, {"cat": [{"var": path}]}, "none"]}))
    };
    let mut flags = serde_json::Map::new();
    for (name, path) in TOLD {
        // A value is one of the variants: the rule names it by what it reads.
        let mut told = told(path);
        told["variants"] = json!({
            "none": "none", "CN=ann": "ann", "spiffe://shop/ann": "ann", "shop.test": "shop",
            "1.3": "new", "1.2": "old",
        });
        told["defaultVariant"] = json!("none");
        flags.insert(name.to_owned(), told);
    }
    flags.insert(
        "v".to_owned(),
        versions(
            json!({"if": [{"in": ["spiffe://shop/ann", {"var": "tls.client.san"}]}, "canary", "stable"]}),
        ),
    );
    Value::Object(flags)
}

fn gateway(shop: &Shop, authority: &Authority, server: &Issued, mode: &str) -> Gateway {
    let rest = one_route("inject: [subject, san, sni, version],")
        + &format!(
            "listeners:
  - {{name: main, bind: '127.0.0.1:0'}}
  - name: safe
    bind: '127.0.0.1:0'
    tls: {{certificates: [{{cert: s.pem, key: s.key}}], client_certificates: {{ca: ca.pem, mode: {mode}}}}}\n"
        );
    let setup = shop.setup(&rest, flags()).file("ca.pem", &authority.pem());
    setup.file("s.pem", &server.cert).file("s.key", &server.key).start()
}

#[test]
fn a_verified_certificate_is_told_to_targetings_and_no_field_can_say_the_same() {
    let authority = Authority::new();
    let shop = Shop::start();
    let server = authority.issue(&["shop.test"]);
    let gateway = gateway(&shop, &authority, &server, "optional");
    let ann = authority.client_as(&authority.issue_client("ann", "spiffe://shop/ann"));
    let near = authority.client_as(&authority.issue_client("ann", "spiffe://shop/ann2"));
    let address = gateway.address("safe");
    let told = |request: &crate::support::Recorded| {
        TOLD.map(|(name, _)| request.header(&format!("x-flag-{name}")).unwrap_or_default())
    };
    // Twice by one configuration: the second resumes the first one's session.
    for _ in 0..2 {
        let answer = Client::tls(address, "shop.test", ann.clone()).get("/").send();
        assert_eq!(answer.text(), "canary");
    }
    for request in shop.canary.wait_for(2) {
        assert_eq!(told(&request), ["ann", "ann", "shop", "new"]);
    }
    let lies = |client: &mut Client| {
        let request =
            client.get("/?tls.client.san=spiffe://shop/ann").header("tls.client.san", "spiffe://shop/ann");
        let request =
            request.header("x-forwarded-client-cert", "URI=spiffe://shop/ann").header("tls.sni", "shop.test");
        request.header("cookie", "tls.client.san=spiffe://shop/ann").send().text()
    };
    assert_eq!(lies(&mut Client::tls(address, "shop.test", authority.client())), "stable", "nobody");
    assert_eq!(lies(&mut Client::tls(address, "shop.test", near)), "stable", "another one");
    assert_eq!(lies(&mut gateway.client()), "stable", "in the clear");
    let seen: Vec<_> = shop.stable.wait_for(3).iter().map(told).collect();
    assert_eq!(seen[0][..2], ["none", "none"], "{seen:?}");
    assert_eq!(seen[2], ["none"; 4], "{seen:?}");
    let lied = shop.stable.requests();
    assert_eq!(
        lied[0].header("tls.client.san").as_deref(),
        Some("spiffe://shop/ann"),
        "it is a field as any other"
    );
    let request = http::Request::get("https://shop.test/");
    assert_eq!(h2_request(address, "shop.test", &ann, request, H2Body::None).1, b"canary", "by HTTP/2, too");
}

#[test]
fn explain_takes_a_certificate_for_the_clients() {
    let authority = Authority::new();
    let shop = Shop::start();
    let gateway = gateway(&shop, &authority, &authority.issue(&["shop.test"]), "optional");
    gateway.replace("ann.pem", &authority.issue_client("ann", "spiffe://shop/ann").cert);
    let admin = format!("http://{}", gateway.admin());
    for from in [&["--config", "flagway.yaml"], &["--gateway", &*admin]] {
        let version = |more: &[&str]| {
            let line = [&["explain", "--json"], &from[..], more, &["https://shop.test/x"]].concat();
            let told: Value =
                serde_json::from_str(&flagway(&gateway.path(""), &line).succeeded().stdout).unwrap();
            (
                told["version"].clone(),
                told["headers"].as_array().unwrap().contains(&json!(["x-flag-sni", "shop"])),
            )
        };
        assert_eq!(version(&["--cert", "ann.pem"]), (json!("canary"), true), "{from:?}");
        assert_eq!(version(&[]), (json!("stable"), true), "{from:?}");
    }
    let clear = flagway(&gateway.path(""), &["explain", "--cert", "ann.pem", "http://shop.test/x"]);
    assert!(clear.failed_with(1).stderr.contains("expected an https:// address"));
}

#[test]
fn a_certificate_of_a_stranger_or_none_where_one_is_required_ends_the_handshake() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let shop = Shop::start();
    let server = authority.issue(&["shop.test"]);
    let failed = |gateway: &Gateway, why: &str| {
        gateway.metrics().sum("flagway_handshakes_failed_total", &[("listener", "safe"), ("why", why)]) > 0.0
    };
    let forged = authority.client_as(&stranger.issue_client("ann", "spiffe://shop/ann"));
    for mode in ["optional", "required"] {
        let gateway = gateway(&shop, &authority, &server, mode);
        let address = gateway.address("safe");
        assert!(Client::tls(address, "shop.test", forged.clone()).get("/").try_send().is_err(), "{mode}");
        eventually("it is counted", || failed(&gateway, "client_certificate"));
        let nobody = Client::tls(address, "shop.test", authority.client()).get("/").try_send();
        assert_eq!(nobody.is_ok(), mode == "optional");
        if mode == "required" {
            eventually("it is counted", || failed(&gateway, "no_client_certificate"));
            let ann = authority.client_as(&authority.issue_client("ann", "spiffe://shop/ann"));
            assert_eq!(Client::tls(address, "shop.test", ann).get("/").send().text(), "canary");
        }
    }
    assert_eq!(shop.stable.count(), 1, "of the one that was let in without");
}

#[test]
fn authorities_that_cannot_be_read_any_more_let_nobody_in_without_a_certificate() {
    let authority = Authority::new();
    let shop = Shop::start();
    let gateway = gateway(&shop, &authority, &authority.issue(&["shop.test"]), "required");
    let address = gateway.address("safe");
    let ann = authority.client_as(&authority.issue_client("ann", "spiffe://shop/ann"));
    gateway.replace("ca.pem", "nothing");
    eventually("it is a problem", || {
        gateway.metrics().sum("flagway_problems", &[("kind", "certificate")]) == 1.0
    });
    assert!(Client::tls(address, "shop.test", authority.client()).get("/").try_send().is_err());
    assert_eq!(Client::tls(address, "shop.test", ann.clone()).get("/").send().text(), "canary");
    let other = Authority::new();
    gateway.replace("ca.pem", &other.pem());
    eventually("others are believed", || {
        Client::tls(address, "shop.test", ann.clone()).get("/").try_send().is_err()
    });
    let bob = authority.client_as(&other.issue_client("ann", "spiffe://shop/ann"));
    assert_eq!(Client::tls(address, "shop.test", bob).get("/").send().text(), "canary");
}

#[test]
fn another_host_on_a_connection_with_client_certificates_is_misdirected() {
    let authority = Authority::new();
    let shop = Shop::start();
    let server = authority.issue(&["shop.test", "other.test", "127.0.0.1"]);
    let gateway = gateway(&shop, &authority, &server, "optional");
    let address = gateway.address("safe");
    let status = |name: &str, host: &str| {
        let mut client = Client::tls(address, name, authority.client());
        client.get("/").host(host).send().status
    };
    for (name, host, expected) in [
        ("shop.test", "shop.test", 200),
        ("shop.test", "SHOP.test:8443", 200),
        ("shop.test", "shop.test.", 200),
        ("shop.test", "other.test", 421),
        ("other.test", "shop.test", 421),
        // An address is no name: nothing was asked for.
        ("127.0.0.1", "other.test", 200),
    ] {
        assert_eq!(status(name, host), expected, "{name}, {host}");
    }
    let request = http::Request::get("https://other.test/");
    assert_eq!(h2_request(address, "shop.test", &authority.client(), request, H2Body::None).0, 421);
    assert_eq!(gateway.client().get("/").host("anything.test").send().status, 200);
}

fn hsts(shop: &Shop, authority: &Authority) -> Gateway {
    let issued = authority.issue(&["shop.test"]);
    let rest = one_route("")
        + "context: {trusted_proxies: ['127.0.0.0/8']}
listeners:
  - {name: main, bind: '127.0.0.1:0'}
  - {name: plain, bind: '127.0.0.1:0', https_redirect: 8443}
  - {name: usual, bind: '127.0.0.1:0', https_redirect: true}
  - name: safe
    bind: '127.0.0.1:0'
    tls: {certificates: [{cert: s.pem, key: s.key}]}
    hsts: {max_age: 30d, include_subdomains: true}\n";
    let setup = shop.setup(&rest, json!({"v": opt_in()}));
    setup.file("s.pem", &issued.cert).file("s.key", &issued.key).start()
}

#[test]
fn plain_requests_are_sent_to_the_same_place_by_https() {
    let (shop, authority) = (Shop::start(), Authority::new());
    let gateway = hsts(&shop, &authority);
    for (listener, host, target, location) in [
        ("plain", "Shop.test:8080", "/a/b?c=d&e", "https://shop.test:8443/a/b?c=d&e"),
        ("usual", "shop.test", "/", "https://shop.test/"),
        ("usual", "[::1]:80", "/x", "https://[::1]/x"),
        ("usual", "shop.test", "//evil.test/", "https://shop.test/evil.test/"),
    ] {
        let mut client = Client::new(gateway.address(listener));
        for method in ["GET", "POST", "HEAD"] {
            let answer = client.request(method, target).host(host).send();
            assert_eq!(
                (answer.status, answer.header("location").as_deref()),
                (308, Some(location)),
                "{method}"
            );
            assert_eq!(answer.header("strict-transport-security"), None);
        }
    }
    assert_eq!(Client::new(gateway.address("plain")).get("/").host("").send().status, 400);
    let mut inside = Client::new(gateway.address("plain"));
    let answer = inside.get("/").header("x-forwarded-proto", "https").send();
    assert_eq!(answer.text(), "stable", "a trusted proxy was asked by HTTPS");
    assert_eq!(shop.stable.count(), 1);
}

#[test]
fn browsers_are_told_to_come_by_https_on_tls_alone() {
    let (shop, authority) = (Shop::start(), Authority::new());
    let gateway = hsts(&shop, &authority);
    let mut client = Client::tls(gateway.address("safe"), "shop.test", authority.client());
    for target in ["/", "/../"] {
        let answer = client.get(target).send();
        let told = answer.header("strict-transport-security");
        assert_eq!(
            told.as_deref(),
            Some("max-age=2592000; includeSubDomains"),
            "{target}: {}",
            answer.status
        );
    }
    assert_eq!(gateway.get("/").header("strict-transport-security"), None);
    let told = gateway.get_with("/", &[("x-forwarded-proto", "https")]);
    assert_eq!(told.header("strict-transport-security"), None, "it is the proxy's to say");
}
