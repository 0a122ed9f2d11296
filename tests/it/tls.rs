//! TLS on both sides of the gateway: towards clients, and towards a version's endpoints.

use serde_json::{Value, json};

use crate::support::{
    Authority, Client, Gateway, Setup, Shop, Upstream, one_route, opt_in, services, versions,
};

fn all_canary() -> Value {
    json!({"v": versions(json!({"if": [true, "canary"]}))})
}

/// A gateway whose canary is reached by TLS with these options; `ca.pem` is there, `me.pem` with `me.key` too.
fn tls_canary(authority: &Authority, options: &str, stable: &Upstream, canary: &Upstream) -> Gateway {
    let config = services(&format!("['{}']", stable.address), &format!("['{}']", canary.address))
        .replace("canary: {", &format!("canary: {{tls: {{{options}}}, "))
        + &one_route("");
    let me = authority.issue(&["gateway.test"]);
    let setup = Setup::new(&config).flags(all_canary()).file("ca.pem", &authority.pem());
    setup.file("me.pem", &me.cert).file("me.key", &me.key).start()
}

#[test]
fn an_upstream_is_verified_against_its_authority_and_name() {
    let authority = Authority::new();
    let stranger = Authority::new();
    // What the upstream shows, the options, who serves: an upstream that is not who it should be is one that does not connect.
    let table = [
        (authority.server(&["shop.test"]), "ca: ca.pem, sni: shop.test", "canary"),
        (authority.server(&["127.0.0.1"]), "ca: ca.pem", "canary"),
        (authority.server(&["other.test"]), "ca: ca.pem, sni: shop.test", "stable"),
        (stranger.server(&["shop.test"]), "ca: ca.pem, sni: shop.test", "stable"),
        (authority.server(&["shop.test"]), "sni: shop.test", "stable"),
        (stranger.server(&["shop.test"]), "sni: shop.test, verify: false", "canary"),
        (authority.mutual_server(&["shop.test"]), "ca: ca.pem, sni: shop.test", "stable"),
        (
            authority.mutual_server(&["shop.test"]),
            "ca: ca.pem, sni: shop.test, client_cert: {cert: me.pem, key: me.key}",
            "canary",
        ),
    ];
    for (server, options, served) in table {
        let (stable, canary) = (Upstream::start("stable"), Upstream::start_tls("canary", server));
        let gateway = tls_canary(&authority, options, &stable, &canary);
        assert_eq!(gateway.get("/").text(), served, "{options}");
        if options.contains("sni") && served == "canary" {
            assert_eq!(canary.only().sni.as_deref(), Some("shop.test"), "{options}");
        }
    }
}

#[test]
fn versions_that_differ_in_tls_share_no_connection() {
    let authority = Authority::new();
    let both = Upstream::start_tls("both", authority.server(&["shop.test", "canary.test"]));
    let endpoints = format!("['{}']", both.address);
    let config = services(&endpoints, &endpoints)
        .replace("stable: {", "stable: {tls: {ca: ca.pem, sni: shop.test}, ")
        .replace("canary: {", "canary: {tls: {ca: ca.pem, sni: canary.test}, ")
        + &one_route("inject: [v],");
    let gateway = Setup::new(&config).flags(json!({"v": opt_in()})).file("ca.pem", &authority.pem()).start();
    let mut client = gateway.client();
    for round in 0..10 {
        client.get("/").header("x-canary", if round % 2 == 0 { "always" } else { "never" }).send();
    }
    for request in both.wait_for(10) {
        let name =
            if request.header("x-flag-v").as_deref() == Some("canary") { "canary.test" } else { "shop.test" };
        assert_eq!(request.sni.as_deref(), Some(name));
    }
}

#[test]
fn a_listener_speaks_tls_with_its_certificate() {
    let authority = Authority::new();
    let issued = authority.issue(&["shop.test"]);
    let shop = Shop::start();
    let rest = one_route("")
        + "listeners:
  - {name: main, bind: '127.0.0.1:0'}
  - {name: safe, bind: '127.0.0.1:0', tls: {certificates: [{cert: certs/s.pem, key: certs/s.key}]}}\n";
    let gateway = shop
        .setup(&rest, json!({"v": opt_in()}))
        .file("certs/s.pem", &issued.cert)
        .file("certs/s.key", &issued.key)
        .start();
    let safe = gateway.address("safe");
    let mut client = Client::tls(safe, "shop.test", authority.client());
    assert_eq!(client.get("/").header("x-canary", "always").send().text(), "canary");
    assert_eq!(client.get("/").send().text(), "stable");
    assert_eq!(shop.stable.only().header("x-forwarded-proto").as_deref(), Some("https"));
    assert!(Client::tls(safe, "shop.test", Authority::new().client()).get("/").try_send().is_err());
    assert!(
        Client::new(safe).get("/").try_send().map_or(true, |response| response.status >= 400),
        "no TLS, no answer"
    );
    assert_eq!(gateway.get("/").text(), "stable", "the plain listener is still there");
    let line = gateway.wait_for_log("the listener", |line| line["fields"]["listener"] == "safe");
    assert_eq!(line["fields"]["tls"], true);
}
