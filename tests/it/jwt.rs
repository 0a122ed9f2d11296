//! Tokens that say who asks: verified, or as good as none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{
    Answer, Authority, Gateway, Issuer, Setup, Shop, Upstream, eventually, now, one_route, versions,
};

/// The canary is for `grace`, and for whoever is on the plan `pro`.
fn for_ada() -> Value {
    versions(
        json!({"if": [{"or": [{"==": [{"var": "targetingKey"}, "grace"]}, {"==": [{"var": "plan"}, "pro"]},
        {"in": ["beta", {"var": "groups"}]}]}, "canary"]}),
    )
}

const ATTRIBUTES: &str =
    "attributes: {plan: {jwt: org.plan}, groups: {jwt: groups}, level: {jwt: level, type: number}}";

fn config(more: &str, jwt: &str) -> String {
    one_route(more)
        + &format!(
            "context: {{{ATTRIBUTES}, targeting_key: {{jwt: {{header: authorization, claim: sub, {jwt}}}}}}}\n"
        )
}

fn start(shop: &Shop, issuer: &Issuer, more: &str, jwt: &str) -> Gateway {
    let setup = shop.setup(&config(more, &format!("jwks: keys.json{jwt}")), json!({"v": for_ada()}));
    setup.file("keys.json", &issuer.set()).start()
}

fn served(gateway: &Gateway, authorization: &str) -> String {
    gateway.get_with("/", &[("authorization", authorization)]).text()
}

fn explained(gateway: &Gateway, authorization: &str) -> Value {
    let body = json!({"url": "/", "headers": [["authorization", authorization]]}).to_string();
    let mut client = crate::support::Client::new(gateway.admin());
    client
        .post("/api/v1/explain", body)
        .host("127.0.0.1")
        .header("content-type", "application/json")
        .send()
        .json()
}

#[test]
fn a_verified_token_is_who_asks_and_its_claims_are_attributes() {
    let (shop, issuer) = (Shop::start(), Issuer::new("a"));
    let gateway = start(&shop, &issuer, "inject: [v],", "");
    for (claims, version) in [
        (json!({"sub": "grace"}), "canary"),
        (json!({"sub": "bob"}), "stable"),
        (json!({"sub": "bob", "org": {"plan": "pro"}}), "canary"),
        (json!({"sub": "bob", "org": {"plan": ["pro"]}}), "stable"),
        (json!({"sub": "bob", "groups": ["x", "beta"]}), "canary"),
        (json!({"org.plan": "pro"}), "canary"),
        (json!({}), "stable"),
    ] {
        assert_eq!(served(&gateway, &issuer.bearer(claims.clone())), version, "{claims}");
    }
    let seen = shop.canary.last();
    assert!(seen.header("authorization").is_some(), "it travels on, as any field of the client's");
    let answer = gateway.get_with("/", &[("authorization", &issuer.bearer(json!({"sub": "grace"})))]);
    assert_eq!(answer.header("cache-control").as_deref(), Some("private"));
}

#[test]
fn a_token_that_does_not_count_is_as_good_as_none_and_the_operator_is_told_why() {
    let (shop, issuer, other) = (Shop::start(), Issuer::new("a"), Issuer::new("a"));
    let gateway = start(&shop, &issuer, "", ", issuer: me, audience: shop, max_bytes: 1KiB");
    let good = |more: Value| {
        let mut claims = json!({"sub": "grace", "iss": "me", "aud": ["shop"]});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claims
    };
    assert_eq!(served(&gateway, &issuer.bearer(good(json!({})))), "canary");
    let none = |head: Value| {
        let token = issuer.signed(&head, &good(json!({"exp": now() + 60})));
        format!("Bearer {}.", token.rsplit_once('.').unwrap().0)
    };
    let table = [
        ("expired", issuer.bearer(good(json!({"exp": now() - 60})))),
        ("not_yet_valid", issuer.bearer(good(json!({"nbf": now() + 300})))),
        ("issuer", issuer.bearer(good(json!({"iss": "you"})))),
        ("audience", issuer.bearer(good(json!({"aud": "bank"})))),
        ("signature", other.bearer(good(json!({})))),
        ("unknown_key", Issuer::new("b").bearer(good(json!({})))),
        ("algorithm", none(json!({"alg": "none"}))),
        ("algorithm", none(json!({"alg": "HS256"}))),
        ("too_long", issuer.bearer(good(json!({"x": "y".repeat(2000)})))),
        ("malformed", "Bearer grace".to_owned()),
    ];
    for (why, bearer) in &table {
        let answer = gateway.get_with("/", &[("authorization", bearer)]);
        assert_eq!((answer.status, &*answer.text()), (200, "stable"), "{why}");
        assert_eq!(explained(&gateway, bearer)["targeting_key"]["token"], format!("jwt: {why}"));
        gateway.access(why, |line| line["jwt"] == *why);
    }
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("flagway_jwt_total", &[("result", "algorithm")]), 2.0);
    assert_eq!(metrics.sum("flagway_jwt_total", &[("result", "good")]), 1.0);
    let log = gateway.stdout.text() + &gateway.stderr.text();
    assert!(!log.contains("grace") && !log.contains("eyJ"), "neither tokens nor claims are logged");
}

#[test]
fn a_request_whose_rules_read_no_claim_is_not_looked_at() {
    let (shop, issuer) = (Shop::start(), Issuer::new("a"));
    let setup = shop.setup(&config("", "jwks: keys.json"), json!({"v": crate::support::opt_in()}));
    let gateway = setup.file("keys.json", &issuer.set()).start();
    assert_eq!(gateway.get_with("/", &[("authorization", "Bearer x.y.z")]).status, 200);
    assert_eq!(gateway.metrics().sum("flagway_jwt_total", &[]), 0.0);
}

#[test]
fn a_route_can_demand_a_key() {
    let (shop, issuer) = (Shop::start(), Issuer::new("a"));
    let gateway = start(&shop, &issuer, "require_key: true,", "");
    for (authorization, status, challenge) in [
        (None, 401, Some("Bearer")),
        (Some("Basic YTpi".to_owned()), 401, Some("Bearer")),
        (
            Some(issuer.bearer(json!({"sub": "grace", "exp": now() - 99}))),
            401,
            Some("Bearer error=\"invalid_token\""),
        ),
        (Some(issuer.bearer(json!({"name": "grace"}))), 401, Some("Bearer")),
        (Some(issuer.bearer(json!({"sub": ""}))), 401, Some("Bearer")),
        (Some(issuer.bearer(json!({"sub": "bob"}))), 200, None),
    ] {
        let lines: Vec<_> = authorization.iter().map(|value| ("authorization", value.as_str())).collect();
        let answer = gateway.get_with("/", &lines);
        assert_eq!(answer.status, status, "{authorization:?}");
        assert_eq!(answer.header("www-authenticate").as_deref(), challenge, "{authorization:?}");
    }
    assert_eq!(shop.stable.count() + shop.canary.count(), 1, "nobody behind sees who has no key");
    let told = explained(&gateway, "Bearer x");
    assert_eq!(told["status"], 401);
    assert!(told["why"].as_str().unwrap().contains("(jwt: malformed)"), "{told}");
    gateway.access("the refusal", |line| line["status"] == 401 && line["error"] == "no targeting key");
}

#[test]
fn a_demanded_key_may_be_a_signed_cookie() {
    let shop = Shop::start();
    let secret = "0123456789abcdef0123456789abcdef";
    let context =
        format!("context: {{targeting_key: [{{visitor_cookie: {{name: vid, signed_by: [{secret}]}}}}]}}\n");
    let gateway =
        shop.gateway(&(one_route("require_key: true,") + &context), json!({"v": crate::support::opt_in()}));
    let answer = gateway.get("/");
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, None));
    let page = gateway.get_with("/", &[("sec-fetch-mode", "navigate")]);
    assert_eq!(page.status, 200, "a page load is given one");
    let cookie = page.header("set-cookie").unwrap();
    assert_eq!(gateway.get_with("/", &[("cookie", cookie.split(';').next().unwrap())]).status, 200);
}

#[test]
fn a_file_of_keys_is_watched_and_a_broken_one_changes_nothing() {
    let (shop, issuer, next) = (Shop::start(), Issuer::new("a"), Issuer::new("b"));
    let gateway = start(&shop, &issuer, "", "");
    let grace = json!({"sub": "grace"});
    assert_eq!(served(&gateway, &next.bearer(grace.clone())), "stable");
    gateway.replace("keys.json", &json!({"keys": [issuer.public(), next.public()]}).to_string());
    eventually("the new key counts", || served(&gateway, &next.bearer(grace.clone())) == "canary");
    assert_eq!(served(&gateway, &issuer.bearer(grace.clone())), "canary");
    gateway.replace("keys.json", "<html>");
    let told = || gateway.api("/api/v1/snapshot").text();
    eventually("the problem is told", || told().contains("the keys of tokens cannot be read"));
    assert_eq!(served(&gateway, &next.bearer(grace.clone())), "canary");
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("flagway_jwks_keys", &[]), 2.0);
    assert!(metrics.sum("flagway_jwks_reads_total", &[("result", "failed")]) >= 1.0);
    assert!(metrics.sum("flagway_problems", &[("kind", "source")]) >= 1.0);
    gateway.replace("keys.json", &next.set());
    eventually("the old key is gone", || served(&gateway, &issuer.bearer(grace.clone())) == "stable");
    eventually("the problem is gone", || !told().contains("the keys of tokens cannot be read"));
}

#[test]
fn keys_are_fetched_kept_when_that_fails_and_looked_for_again_when_one_is_unknown() {
    let (shop, issuer, next) = (Shop::start(), Issuer::new("a"), Issuer::new("b"));
    let authority = Authority::new();
    let identity = Upstream::start_tls("keys", authority.server(&["localhost"]));
    let fetched = Arc::new(AtomicUsize::new(0));
    let (count, first) = (Arc::clone(&fetched), issuer.set());
    identity.answer(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Answer::new(200, &first)
    });
    let url = format!("jwks: 'https://localhost:{}/keys'", identity.address.port());
    let setup = shop.setup(&config("", &url), json!({"v": for_ada()})).file("ca.pem", &authority.pem());
    let trusted = setup.path("ca.pem").to_str().unwrap().to_owned();
    let gateway = setup.env("SSL_CERT_FILE", &trusted).start();
    let grace = json!({"sub": "grace"});
    assert_eq!(
        served(&gateway, &issuer.bearer(grace.clone())),
        "canary",
        "the first keys are there before the first request"
    );
    assert_eq!(identity.only().header("host"), Some(format!("localhost:{}", identity.address.port())));
    let both = json!({"keys": [issuer.public(), next.public()]}).to_string();
    let count = Arc::clone(&fetched);
    identity.answer(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Answer::new(200, &both)
    });
    for _ in 0..20 {
        assert_eq!(served(&gateway, &Issuer::new("made-up").bearer(grace.clone())), "stable");
    }
    crate::support::within(std::time::Duration::from_secs(30), "an unknown key is looked for", || {
        (served(&gateway, &next.bearer(grace.clone())) == "canary").then_some(())
    });
    assert_eq!(fetched.load(Ordering::SeqCst), 2, "twenty made-up names cost one fetch");
    identity.stop();
    assert_eq!(served(&gateway, &next.bearer(grace)), "canary");
}

#[test]
fn an_answer_that_is_no_key_set_makes_no_key() {
    let shop = Shop::start();
    let issuer = Issuer::new("a");
    let elsewhere = Upstream::start("elsewhere");
    let set = issuer.set();
    elsewhere.answer(move |_| Answer::new(200, &set));
    let location = format!("http://{}/", elsewhere.address);
    for answer in [
        Answer::new(200, "<html>"),
        Answer::new(500, issuer.set()),
        Answer::new(302, issuer.set()).header("location", &location),
        Answer::new(200, format!("{{\"keys\":[{}]{}}}", issuer.public(), " ".repeat(300 << 10))),
        Answer::close(),
    ] {
        let identity = Upstream::start("keys");
        let given = answer.clone();
        identity.answer(move |_| given.clone());
        let url = format!("jwks: 'http://{}/keys'", identity.address);
        let gateway = shop.gateway(&config("", &url), json!({"v": for_ada()}));
        let bearer = issuer.bearer(json!({"sub": "grace"}));
        assert_eq!(served(&gateway, &bearer), "stable", "{answer:?}");
        assert_eq!(explained(&gateway, &bearer)["targeting_key"]["token"], "jwt: no_keys");
        assert!(gateway.api("/api/v1/snapshot").text().contains("the keys of tokens cannot be read"));
    }
    assert_eq!(elsewhere.count(), 0, "redirects are not followed");
}

#[test]
fn a_token_may_come_in_a_cookie_and_be_signed_by_a_secret() {
    let shop = Shop::start();
    let secret = "an-own-secret-of-enough-characters";
    let jwt = format!(
        "context: {{{ATTRIBUTES}, jwt: {{cookie: session, secrets: ['{secret}'], algorithms: [HS256]}}, targeting_key: [{{jwt: sub}}]}}\n"
    );
    let gateway = shop.gateway(&(one_route("") + &jwt), json!({"v": for_ada()}));
    let token = |secret: &str, algorithm| {
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        let claims = json!({"sub": "grace", "exp": now() + 60});
        jsonwebtoken::encode(&jsonwebtoken::Header::new(algorithm), &claims, &key).unwrap()
    };
    let served = |token: &str| gateway.get_with("/", &[("cookie", &format!("session={token}"))]).text();
    use jsonwebtoken::Algorithm::{HS256, HS512};
    assert_eq!(served(&token(secret, HS256)), "canary");
    assert_eq!(served(&token(secret, HS512)), "stable", "not on the list");
    assert_eq!(served(&token("another-secret-of-enough-characters", HS256)), "stable");
}

#[test]
fn mistakes_are_told_with_their_place_and_fix() {
    let shop = Shop::start();
    let told = |context: &str, route: &str| {
        let ran = Setup::new(&shop.config(&(one_route(route) + context))).command(&["check"]);
        ran.stdout + &ran.stderr
    };
    for (context, route, expected) in [
        ("context: {targeting_key: [{jwt: sub}]}\n", "", "described nowhere"),
        ("context: {attributes: {plan: {jwt: plan}}}\n", "", "described nowhere"),
        ("context: {jwt: {jwks: 'http://keys.example/x'}}\n", "", "plain HTTP"),
        ("context: {jwt: {jwks: '{\"keys\": 1}'}}\n", "", "no JWK set"),
        ("context: {jwt: {jwks: nowhere.json}}\n", "", "the keys of tokens cannot be read"),
        ("context: {jwt: {jwks: a, secrets: [x]}}\n", "", "stand side by side"),
        ("context: {jwt: {jwks: a.json, algorithms: [HS256]}}\n", "", "does not fit the keys"),
        ("context: {jwt: {jwks: a.json, algorithms: [none]}}\n", "", "is no value"),
        (
            "context: {jwt: {jwks: a.json}, targeting_key: {jwt: {claim: sub, jwks: b.json}}}\n",
            "",
            "described twice",
        ),
        ("", "targeting_key: [{jwt: {jwks: b.json}}],", "described twice"),
        ("", "require_key: true,", "nobody has one"),
        ("context: {targeting_key: [{cookie: uid}]}\n", "require_key: true,", "anyone can make up"),
    ] {
        let told = told(context, route);
        assert!(told.contains(expected), "{context}{route}: {told}");
    }
}
