//! Visitor cookies that are signed: nobody tries ids until one is in the canary.

use serde_json::json;

use crate::support::{Fields, Gateway, Setup, Shop, one_route, split};

const NAVIGATION: (&str, &str) = ("sec-fetch-mode", "navigate");
const FIRST: &str = "first-secret-first-secret-first-secret";
const SECOND: &str = "second-secret-second-secret-second!";

fn config(options: &str) -> String {
    one_route("") + &format!("context: {{targeting_key: [{{visitor_cookie: {{name: vid{options}}}}}]}}\n")
}

fn signed(by: &str) -> String {
    format!(", signed_by: [{by}]")
}

/// `name=value` of the cookie that a page load sets.
fn cookie(gateway: &Gateway, lines: Fields<'_>) -> Option<String> {
    let answer = gateway.get_with("/", &[&[NAVIGATION], lines].concat());
    answer.header("set-cookie").and_then(|line| Some(line.split(';').next()?.to_owned()))
}

#[test]
fn a_cookie_that_is_not_signed_by_us_counts_as_none_and_a_new_one_is_set() {
    let shop = Shop::start();
    let gateway = shop.gateway(&config(&signed(FIRST)), json!({"v": split(100)}));
    let own = cookie(&gateway, &[]).expect("minted");
    assert_eq!(own.split('.').count(), 3, "{own}");
    assert_eq!(gateway.get_with("/", &[("cookie", &own)]).text(), "canary");
    assert_eq!(cookie(&gateway, &[("cookie", &own)]), None, "it is known, and still fresh");
    let (value, signature) = own.rsplit_once('.').unwrap();
    let last = signature.chars().last().unwrap();
    let other_id = format!("vid={}.{}.{signature}", "0".repeat(32), value.split('.').nth(1).unwrap());
    let flipped = format!("{}{}", &own[..own.len() - 1], if last == '0' { '1' } else { '0' });
    for forged in
        [value.to_owned(), other_id, flipped, format!("vid={}.6a", "0".repeat(32)), "vid=x".to_owned()]
    {
        let answer = gateway.get_with("/", &[("cookie", &forged)]);
        assert_eq!(answer.text(), "stable", "no key, and no page load: the default version ({forged})");
        assert_eq!(answer.header("set-cookie"), None);
        let new = cookie(&gateway, &[("cookie", &forged)]).expect("a new one");
        assert!(!forged.starts_with(&new[..36]), "the id is not taken over: {forged} {new}");
    }
}

#[test]
fn secrets_rotate_without_losing_a_visitor() {
    let shop = Shop::start();
    let start = |secrets: &str| shop.setup(&config(&signed(secrets)), json!({"v": split(50)})).start();
    let old = cookie(&start(FIRST), &[]).expect("minted");
    let both = start(&format!("'{SECOND}', '{FIRST}'"));
    let new = cookie(&both, &[("cookie", &old)]).expect("signed anew");
    assert_eq!(old[..36], new[..36], "the visitor is the same");
    assert_ne!(old, new);
    let after = start(SECOND);
    assert_eq!(cookie(&after, &[("cookie", &new)]), None, "it is good");
    assert_ne!(cookie(&after, &[("cookie", &old)]).expect("a new one")[..36], old[..36]);
}

#[test]
fn unsigned_ones_are_adopted_only_where_that_is_configured() {
    let shop = Shop::start();
    let unsigned = format!("vid={}.{:x}", "0123456789abcdef".repeat(2), crate::support::now());
    let adopts = |more: &str| {
        let gateway = shop.gateway(&config(&(signed(FIRST) + more)), json!({"v": split(50)}));
        let set = cookie(&gateway, &[("cookie", &unsigned)]).expect("set in any case");
        set[..36] == unsigned[..36]
    };
    assert!(!adopts(""));
    assert!(adopts(", adopt_unsigned: true"));
    // And back: where nothing signs, signatures are not looked at.
    let signing = shop.gateway(&config(&signed(FIRST)), json!({"v": split(50)}));
    let own = cookie(&signing, &[]).unwrap();
    let plain = shop.gateway(&config(""), json!({"v": split(50)}));
    assert_eq!(cookie(&plain, &[("cookie", &own)]), None);
}

#[test]
fn a_million_ids_are_worth_nothing_to_who_makes_them_up() {
    let shop = Shop::start();
    let gateway = shop.gateway(&config(&signed(FIRST)), json!({"v": split(99)}));
    let mut client = gateway.client();
    for id in 0..300_u128 {
        let forged = format!("vid={:032x}.{:x}.{}", id * 7919, crate::support::now(), "ab".repeat(32));
        assert_eq!(client.get("/").header("cookie", &forged).send().text(), "stable", "{forged}");
    }
    assert_eq!(shop.canary.count(), 0);
}

#[test]
fn secrets_are_long_come_from_the_environment_and_are_told_nowhere() {
    let shop = Shop::start();
    let text = shop.config(&config(", signed_by: ['${VISITOR_SECRET}']"));
    let setup = Setup::new(&text).flags(json!({"v": split(50)})).env("VISITOR_SECRET", FIRST);
    let gateway = setup.start();
    assert!(cookie(&gateway, &[]).is_some());
    let told =
        [gateway.api("/api/v1/snapshot").text(), gateway.stderr.text(), gateway.probe("/metrics").text()];
    assert!(told.iter().all(|text| !text.contains("first-secret")));
    let short = Setup::new(&shop.config(&config(", signed_by: [too-short-a-secret]"))).command(&["check"]);
    assert!(
        short.stdout.contains("at least 32") || short.stderr.contains("at least 32"),
        "{}{}",
        short.stdout,
        short.stderr
    );
    assert!(!short.stdout.contains("is no good secret: too"), "{}", short.stdout);
    let alone = Setup::new(&shop.config(&config(", adopt_unsigned: true"))).command(&["check"]);
    assert!((alone.stdout + &alone.stderr).contains("not signed at all"));
}
