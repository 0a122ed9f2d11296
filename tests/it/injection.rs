//! How decisions travel to the services behind the door, and that nobody outside can write them.

use serde_json::{Value, json};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use crate::support::{Answer, DEAD, Recorded, Setup, Shop, Upstream, flag, one_route, opt_in, services};

fn fixed(value: Value) -> Value {
    flag(json!({ "it": value }), "it", Value::Null)
}

/// What the stable version saw of one plain request, with these flags injected.
fn injected(more: &str, inject: &str, flags: Value) -> Recorded {
    let shop = Shop::start();
    let gateway = shop.gateway(&(one_route(&format!("inject: [{inject}],")) + more), flags);
    assert_eq!(gateway.get("/").status, 200);
    shop.stable.only()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn each_injected_flag_is_a_header_with_its_value() {
    let seen = injected(
        "",
        "v, new-pricing, limit, rate, layout",
        json!({"v": opt_in(), "new-pricing": fixed(json!(true)), "limit": fixed(json!(250)), "rate": fixed(json!(0.25)),
            "layout": fixed(json!({"columns": 2, "side": ["a", null]})), "unused": fixed(json!("not injected"))}),
    );
    assert_eq!(
        seen.starting("x-flag-"),
        [
            pair("x-flag-layout", r#"{"columns":2,"side":["a",null]}"#),
            pair("x-flag-limit", "250"),
            pair("x-flag-new-pricing", "true"),
            pair("x-flag-rate", "0.25"),
            pair("x-flag-v", "stable"),
        ]
    );
    assert_eq!(seen.all("flag-decisions"), [""; 0], "the dictionary is off by default");
    assert_eq!(seen.all("baggage"), [""; 0], "baggage is off by default");
}

#[test]
fn names_are_folded_and_two_that_fold_to_one_are_reported() {
    let shop = Shop::start();
    let gateway = shop.gateway(
        &one_route("inject: [New_Pricing.v2, new-pricing-v2],"),
        json!({"v": opt_in(), "New_Pricing.v2": fixed(json!("a")), "new-pricing-v2": fixed(json!("b"))}),
    );
    assert_eq!(gateway.get("/").status, 200);
    assert_eq!(shop.stable.only().all("x-flag-new-pricing-v2").len(), 1, "never two lines of one name");
    assert!(gateway.metrics().sum("flagway_problems", &[("kind", "header_collision")]) >= 1.0);
}

#[test]
fn a_flag_without_a_value_sends_no_header() {
    let mut disabled = fixed(json!("on"));
    disabled["state"] = json!("DISABLED");
    let no_default = json!({"state": "ENABLED", "variants": {"on": true},
        "targeting": {"if": [{"var": "header.x-on"}, "on"]}});
    let seen = injected(
        "",
        "disabled, empty, missing",
        json!({"v": opt_in(), "disabled": disabled, "empty": no_default}),
    );
    assert_eq!(seen.starting("x-flag-"), []);
}

#[test]
fn after_a_fallback_the_version_flag_tells_the_default() {
    let stable = Upstream::start("stable");
    let config = services(&format!("['{}']", stable.address), &format!("['{DEAD}']"))
        + &one_route("inject: [v, other],")
        + "injection: {as: [headers, dictionary]}\n";
    let gateway = Setup::new(&config)
        .flags(json!({"v": fixed(json!("canary")), "other": fixed(json!("kept"))}))
        .start();
    assert_eq!(gateway.get("/").text(), "stable");
    let seen = stable.only();
    assert_eq!(seen.header("x-flag-v").as_deref(), Some("stable"));
    assert_eq!(
        seen.header("x-flag-other").as_deref(),
        Some("kept"),
        "other flags never change between attempts"
    );
    let dictionary = dictionary(&seen);
    assert_eq!(parameter(&dictionary, "v", "served").as_deref(), Some("stable"));
    assert_eq!(parameter(&dictionary, "v", "why").as_deref(), Some("connect"));
    assert_eq!(parameter(&dictionary, "other", "why"), None);
}

#[test]
fn a_value_that_names_no_version_is_told_as_the_default() {
    let seen = injected("", "v", json!({"v": fixed(json!("v42"))}));
    assert_eq!(seen.header("x-flag-v").as_deref(), Some("stable"));
}

fn dictionary(seen: &Recorded) -> Dictionary {
    let text = seen.header("flag-decisions").expect("the dictionary is sent");
    Parser::new(&text).parse().unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn item<'a>(dictionary: &'a Dictionary, key: &str) -> &'a sfv::Item {
    match dictionary.iter().find(|(name, _)| name.as_str() == key) {
        Some((_, ListEntry::Item(item))) => item,
        other => panic!("{key}: {other:?} in {dictionary:?}"),
    }
}

fn parameter(dictionary: &Dictionary, key: &str, name: &str) -> Option<String> {
    let found = item(dictionary, key).params.iter().find(|(have, _)| have.as_str() == name)?.1;
    Some(match found {
        BareItem::String(text) => text.as_str().to_owned(),
        BareItem::Token(token) => token.as_str().to_owned(),
        other => panic!("{key};{name} is {other:?}"),
    })
}

#[test]
fn the_dictionary_holds_typed_values_variants_and_reasons() {
    let shop = Shop::start();
    let rest = one_route("inject: [v, yes, limit, rate, huge, word, emoji, layout, 2fast],")
        + "injection: {as: [dictionary]}\n";
    let gateway = shop.gateway(
        &rest,
        json!({"v": opt_in(), "yes": fixed(json!(true)), "limit": fixed(json!(-250)), "rate": fixed(json!(0.25)),
            "huge": fixed(json!(1e15)), "word": fixed(json!("a \"b\"")), "emoji": fixed(json!("gr\u{fc}n")),
            "layout": fixed(json!({"a": 1})), "2fast": fixed(json!("x"))}),
    );
    gateway.get_with("/", &[("x-canary", "always")]);
    let seen = shop.canary.only();
    assert_eq!(seen.starting("x-flag-"), [], "headers were not asked for");
    let dictionary = dictionary(&seen);
    assert_eq!(item(&dictionary, "v").bare_item.as_string().map(|text| text.as_str()), Some("canary"));
    assert_eq!(parameter(&dictionary, "v", "v").as_deref(), Some("canary"));
    assert_eq!(parameter(&dictionary, "v", "r").as_deref(), Some("targeting_match"));
    assert_eq!(parameter(&dictionary, "v", "why"), None);
    assert_eq!(item(&dictionary, "yes").bare_item.as_boolean(), Some(true));
    assert_eq!(parameter(&dictionary, "yes", "v").as_deref(), Some("it"));
    assert_eq!(parameter(&dictionary, "yes", "r").as_deref(), Some("static"));
    assert_eq!(item(&dictionary, "limit").bare_item.as_integer().map(i64::from), Some(-250));
    assert_eq!(item(&dictionary, "rate").bare_item.as_decimal().map(f64::from), Some(0.25));
    assert_eq!(item(&dictionary, "word").bare_item.as_string().map(|text| text.as_str()), Some("a \"b\""));
    assert_eq!(
        item(&dictionary, "emoji").bare_item.as_display_string().map(String::as_str),
        Some("gr\u{fc}n")
    );
    assert_eq!(item(&dictionary, "*2fast").bare_item.as_string().map(|text| text.as_str()), Some("x"));
    let keys: Vec<&str> = dictionary.keys().map(|key| key.as_str()).collect();
    assert!(!keys.contains(&"layout"), "objects are left out");
    assert_eq!(keys.last(), Some(&"*rev"));
    assert_eq!(
        item(&dictionary, "*rev").bare_item.as_string().map(|text| text.as_str().to_owned()),
        Some(gateway.revision())
    );
}

#[test]
fn baggage_carries_variants_beside_the_clients_own_members() {
    let shop = Shop::start();
    let rest = one_route("inject: [v, New_Price],") + "injection: {as: [baggage]}\n";
    let flags = json!({"v": opt_in(), "New_Price": flag(json!({"50 %": true}), "50 %", Value::Null)});
    let gateway = shop.gateway(&rest, flags);
    gateway.get_with("/", &[("baggage", "user=7;p=1, flag.v=canary , flag.other=x"), ("baggage", "b=2")]);
    gateway.get_with("/", &[("baggage", "not baggage at all")]);
    let members = |seen: &Recorded| -> Vec<String> {
        let lines = seen.all("baggage").join(",");
        lines.split(',').map(|member| member.trim().to_owned()).collect()
    };
    let seen = shop.stable.requests();
    assert_eq!(members(&seen[0]), ["user=7;p=1", "b=2", "flag.v=stable", "flag.new-price=50%20%25"]);
    assert_eq!(
        members(&seen[1]),
        ["flag.v=stable", "flag.new-price=50%20%25"],
        "an unparsable one is dropped whole"
    );
}

#[test]
fn ours_give_way_when_the_baggage_is_full() {
    let shop = Shop::start();
    let gateway =
        shop.gateway(&(one_route("inject: [v],") + "injection: {as: [baggage]}\n"), json!({"v": opt_in()}));
    let full: Vec<String> = (0..64).map(|member| format!("m{member}=1")).collect();
    gateway.get_with("/", &[("baggage", &full.join(","))]);
    let seen = shop.stable.only().all("baggage").join(",");
    assert_eq!(seen.split(',').count(), 64);
    assert!(!seen.contains("flag.v"), "{seen}");
}

/// Spellings of one name that all fold to it.
fn spellings(name: &str) -> Vec<String> {
    let mut all = vec![name.to_owned(), name.to_uppercase()];
    all.extend(['_', '.', '~', '!', '*'].map(|other| name.replace('-', &other.to_string())));
    all.push(name.replacen('-', "_", 1));
    all
}

#[test]
fn a_spoofed_decision_never_gets_in_in_any_spelling() {
    let shop = Shop::start();
    let gateway = shop.gateway(
        &one_route("inject: [v, seen],"),
        json!({"v": opt_in(), "seen": flag(json!({"yes": "yes", "no": "no"}), "no",
            json!({"if": [{"var": "header.x-flag-secret"}, "yes"]}))}),
    );
    let names = [
        "x-flag-v",
        "x-flag-other",
        "x-flagway-version",
        "x-flagway-anything",
        "flag-decisions",
        "x-flag-secret",
    ];
    for name in names.iter().flat_map(|name| spellings(name)) {
        let mut client = gateway.client();
        let request =
            client.get("/").header(&name, "spoofed").header("x-flags", "honest").header(&name, "spoofed");
        assert_eq!(request.send().status, 200, "{name}");
        let seen = shop.stable.last();
        assert!(!seen.text().contains("spoofed"), "{name} got in:\n{}", seen.text());
        assert_eq!(
            seen.starting("x-flag-"),
            [pair("x-flag-seen", "no"), pair("x-flag-v", "stable")],
            "{name}"
        );
        assert_eq!(seen.header("x-flags").as_deref(), Some("honest"), "a neighbouring name is nobody's");
    }
}

#[test]
fn nominating_a_decision_by_connection_does_not_remove_it() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route("inject: [v],"), json!({"v": opt_in()}));
    gateway.get_with("/", &[("connection", "x-flag-v, keep-alive"), ("x-flag-v", "canary")]);
    assert_eq!(shop.stable.only().header("x-flag-v").as_deref(), Some("stable"));
}

#[test]
fn a_prefix_of_ones_own_is_protected_alike() {
    let shop = Shop::start();
    let rest = one_route("inject: [v],") + "injection: {prefix: x-exp-}\n";
    let gateway = shop.gateway(&rest, json!({"v": opt_in()}));
    gateway.get_with(
        "/",
        &[("X_Exp.v", "canary"), ("x-exp-w", "1"), ("x-flagway-y", "1"), ("x-flag-v", "free")],
    );
    let seen = shop.stable.only();
    assert_eq!(seen.starting("x-exp"), [pair("x-exp-v", "stable")]);
    assert_eq!(seen.all("X_Exp.v"), [""; 0]);
    assert_eq!(seen.starting("x-flagway"), []);
    assert_eq!(seen.header("x-flag-v").as_deref(), Some("free"), "the default prefix is not in use");
}

#[test]
fn a_response_cannot_carry_decisions_out() {
    let shop = Shop::start();
    shop.stable.answer(|_| {
        Answer::new(200, "ok")
            .header("X-Flag-V", "leak")
            .header("x_flagway_version", "leak")
            .header("Flag-Decisions", "leak=1")
            .header("x-kept", "1")
    });
    let gateway = shop.gateway(&one_route("inject: [v],"), json!({"v": opt_in()}));
    let response = gateway.get("/");
    assert_eq!(response.header("x-kept").as_deref(), Some("1"));
    let leaks: Vec<_> = response.fields.iter().filter(|(_, value)| value.contains("leak")).collect();
    assert!(leaks.is_empty(), "{leaks:?}");
    assert!(
        response.fields.iter().all(|(name, _)| !name.to_lowercase().starts_with("x-flag")),
        "{response:?}"
    );
}

#[test]
fn an_inner_gateway_keeps_what_a_trusted_outer_one_decided() {
    for (network, kept) in [("127.0.0.0/8", Some("outer")), ("10.0.0.0/8", None)] {
        let shop = Shop::start();
        let rest = one_route("inject: [v],")
            + &format!(
                "injection: {{accept_from: trusted_proxies}}\ncontext: {{trusted_proxies: [{network}]}}\n"
            );
        let gateway = shop.gateway(&rest, json!({"v": opt_in()}));
        gateway.get_with("/", &[("x-flag-elsewhere", "outer")]);
        let seen = shop.stable.only();
        assert_eq!(seen.header("x-flag-elsewhere").as_deref(), kept, "trusting {network}");
        assert_eq!(seen.header("x-flag-v").as_deref(), Some("stable"));
    }
}

#[test]
fn what_does_not_fit_is_left_out_and_reported() {
    let long = "y".repeat(300);
    for (budget, fits) in
        [("max_fields: 2", vec!["x-flag-a", "x-flag-b"]), ("max_bytes: 200B", vec!["x-flag-a", "x-flag-c"])]
    {
        let shop = Shop::start();
        let rest = one_route("inject: [a, b, c],") + &format!("injection: {{{budget}}}\n");
        // Short now, but its longest variant is what counts.
        let b = flag(json!({"short": "2", "long": long}), "short", Value::Null);
        let gateway = shop
            .gateway(&rest, json!({"v": opt_in(), "a": fixed(json!("1")), "b": b, "c": fixed(json!("3"))}));
        assert_eq!(gateway.get("/").status, 200);
        let names: Vec<String> =
            shop.stable.only().starting("x-flag-").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, fits, "{budget}");
        assert_eq!(gateway.metrics().sum("flagway_problems", &[("kind", "over_budget")]), 1.0, "{budget}");
        let problems = gateway.api("/api/v1/snapshot").json()["problems"].to_string();
        assert!(problems.contains(if budget.starts_with("max_f") { "c" } else { "b" }), "{problems}");
    }
}

#[test]
fn the_client_is_told_the_version_only_where_configured() {
    for (more, told) in [("", None), ("injection: {client_version: true}\n", Some("canary"))] {
        let shop = Shop::start();
        shop.canary.answer(|_| Answer::new(200, "").header("x-flagway-version", "of the upstream"));
        let gateway = shop.gateway(&(one_route("") + more), json!({"v": opt_in()}));
        let response = gateway.get_with("/", &[("x-canary", "always")]);
        assert_eq!(response.header("x-flagway-version").as_deref(), told, "{more}");
    }
}

#[test]
fn a_value_that_could_end_a_line_makes_no_new_header() {
    let shop = Shop::start();
    let gateway = shop.gateway(
        &one_route("inject: [v, evil],"),
        json!({"v": opt_in(), "evil": fixed(json!("a\r\nx-evil: 1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"))}),
    );
    assert_eq!(gateway.get("/").status, 200);
    let seen = shop.stable.only();
    assert_eq!(seen.all("x-evil"), [""; 0]);
    assert_eq!(seen.target(), "/");
    assert!(gateway.metrics().sum("flagway_problems", &[]) >= 1.0, "it is reported");
}
