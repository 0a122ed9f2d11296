//! Equal keys in several flag sets, in one document and across sources: which of them routes, and what a kill, a broken definition and a
//! restart do to each.

use serde_json::{Value, json};

use crate::support::{Gateway, Setup, Shop, one_route, versions};

/// A list of flags with the key `v`, each of a set of its own; the variant is the one that serves.
fn list(flags: &[(&str, &str)]) -> Value {
    let flags = flags.iter().map(|(set, variant)| {
        let mut flag = versions(json!({"if": [true, variant]}));
        flag["key"] = "v".into();
        flag["metadata"] = json!({"flagSetId": set});
        flag
    });
    json!({"flags": flags.collect::<Vec<_>>()})
}

/// Two sources; the second one is written as it is given.
fn setup(shop: &Shop, first: &Value, second: &Value) -> Setup {
    let rest = "state_dir: state\nflags: {sources: [{file: flags.json}, {file: more.json}]}\n";
    let rest = rest.to_owned() + &one_route("");
    Setup::new(&shop.config(&rest))
        .file("flags.json", &first.to_string())
        .file("more.json", &second.to_string())
}

fn none() -> Value {
    json!({"flags": {}})
}

/// The flag sets of `v` and the variant that each of its flags gives, the one that counts last; `killed`: to everyone.
fn sets(gateway: &Gateway) -> Vec<String> {
    let flag = gateway.operator().flag("v");
    let told = |flag: &Value| {
        let set = flag["flag_set"].as_str().unwrap_or_default();
        match &flag["definition"]["targeting"] {
            Value::Null => {
                format!("{set}: {} to everyone", flag["definition"]["defaultVariant"].as_str().unwrap())
            }
            rule => format!("{set}: {}", rule["if"][1].as_str().unwrap()),
        }
    };
    let others = flag["others"].as_array().cloned().unwrap_or_default();
    others.iter().chain([&flag]).map(told).collect()
}

#[test]
fn of_equal_keys_the_last_one_routes_and_check_tells_where_the_others_stand() {
    let shop = Shop::start();
    let setup = setup(&shop, &list(&[("a", "stable"), ("b", "canary")]), &none());
    let checked = setup.command(&["check"]).succeeded();
    assert!(
        checked.output().contains("`v` is the key of 2 flags: of the flag set \"a\"")
            && checked.output().contains("the last one counts"),
        "{}",
        checked.output()
    );
    let gateway = setup.start();
    assert_eq!(gateway.get("/").text(), "canary");
    assert_eq!(sets(&gateway), ["a: stable", "b: canary"]);
    let revision = gateway.revision();

    // The other one counts now, though nothing was added and nothing went.
    gateway.replace("flags.json", &list(&[("b", "canary"), ("a", "stable")]).to_string());
    gateway.wait_for_log("the other order", |line| line["fields"]["message"] == "published");
    assert_eq!(gateway.get("/").text(), "stable");
    assert_ne!(gateway.revision(), revision);
}

#[test]
fn the_last_source_wins_within_a_set_and_counts_among_sets() {
    let shop = Shop::start();
    let gateway = setup(&shop, &list(&[("a", "canary"), ("b", "stable")]), &list(&[("a", "stable")])).start();
    assert_eq!(sets(&gateway), ["b: stable", "a: stable"]);
    assert_eq!(gateway.get("/").text(), "stable");
    gateway.replace("more.json", &list(&[("c", "canary")]).to_string());
    gateway.wait_for_log("a third set", |line| line["fields"]["message"] == "published");
    assert_eq!(sets(&gateway), ["a: canary", "b: stable", "c: canary"]);
    assert_eq!(gateway.get("/").text(), "canary");
}

#[test]
fn each_flag_keeps_its_own_last_good_definition_also_over_a_restart_without_sources() {
    let shop = Shop::start();
    let gateway = setup(&shop, &list(&[("a", "stable"), ("b", "stable")]), &list(&[("b", "canary")])).start();
    let mut broken = list(&[("a", "stable"), ("b", "canary")]);
    broken["flags"][0]["defaultVariant"] = "stabel".into();
    broken["flags"][0]["variants"] = json!({"canary": "canary", "stable": "new"});
    gateway.replace("flags.json", &broken.to_string());
    gateway.wait_for_log("the broken flag", |line| line.to_string().contains("stabel"));
    assert_eq!(sets(&gateway), ["a: stable", "b: canary"]);
    let problems = gateway.operator().flag("v")["problems"].to_string();
    assert!(problems.contains("the default variant \\\"stabel\\\" does not exist"), "{problems}");

    let gateway = gateway.stop().without("flags.json").without("more.json").start();
    assert_eq!(sets(&gateway), ["a: stable", "b: canary"], "as they were, each in its set and its place");
    assert_eq!(gateway.get("/").text(), "canary");
}

#[test]
fn a_kill_reaches_the_flags_of_its_key_in_every_set_and_is_released_for_all() {
    let shop = Shop::start();
    let gateway = setup(&shop, &list(&[("a", "canary")]), &list(&[("b", "canary")])).start();
    let revision = gateway.revision();
    gateway.operator().kill("v", "stable");
    let killed = ["a: stable to everyone", "b: stable to everyone"];
    assert_eq!(sets(&gateway), killed);
    assert_eq!(gateway.get("/").text(), "stable");

    let diffs = gateway.operator().get("/api/v1/diff").json();
    let files: Vec<_> =
        diffs["diffs"].as_array().unwrap().iter().map(|diff| diff["file"].as_str().unwrap()).collect();
    assert_eq!(files, ["flags.json", "more.json"], "each source would have to say it: {diffs}");

    let gateway = gateway.stop().without("flags.json").start();
    assert_eq!(sets(&gateway), killed, "killed after a restart without one of the sources");
    gateway.operator().does("v", "release", json!({}));
    assert_eq!(sets(&gateway), ["a: canary", "b: canary"]);
    assert_eq!(gateway.revision(), revision);
}

#[test]
fn what_is_wrong_with_one_flag_is_told_and_stops_no_other() {
    let shop = Shop::start();
    let flag = |more: Value| {
        let mut flag = versions(json!({"if": [true, "canary"]}));
        flag.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        flag
    };
    let deep = (0..70).fold(json!(true), |inner, _| json!({"!": inner}));
    let document = json!({"flags": {
        "v": flag(json!({"unknown": "tolerated"})),
        "default": flag(json!({"defaultVariant": "none"})),
        "operator": flag(json!({"targeting": {"frobnicate": [1]}})),
        "reference": flag(json!({"targeting": {"$ref": "nowhere"}})),
        "deep": flag(json!({"targeting": {"if": [deep, "canary"]}})),
    }});
    let setup = setup(&shop, &document, &none());
    let checked = setup.command(&["check"]).failed_with(1).output();
    let gateway = setup.start();
    assert_eq!(gateway.get("/").text(), "canary", "the others decide");
    for (key, found) in [
        ("default", "the default variant \"none\" does not exist"),
        ("operator", "unknown operator \"frobnicate\""),
        ("reference", "there is no evaluator \"nowhere\""),
        ("deep", "nested more than 64 operators deep"),
    ] {
        assert!(checked.contains(found), "{found}: {checked}");
        let told = gateway.operator().flag(key);
        assert_eq!(told["state"], "BROKEN");
        let problem = &told["problems"][0];
        assert!(problem["found"].as_str().unwrap().contains(found), "{told}");
        assert!(problem["line"].is_u64(), "{told}");
    }
    gateway.replace("flags.json", "{\"flags\": {\"v\": ");
    gateway.wait_for_log("a document that is none", |line| line.to_string().contains("not usable JSON"));
    assert_eq!(gateway.get("/").text(), "canary", "a document that is none changes nothing");
}
