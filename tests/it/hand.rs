//! The operator's hand on a running gateway: kill, weight, state and set, and the way back from each.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Client, Gateway, Operator, Setup, Shop, eventually, flag, flags, one_route};

const CONTEXT: &str = "context: {targeting_key: [{cookie: uid}]}\n";
const USERS: usize = 1_000;

/// The flag of the route: an opt-in, and `percent` of everyone else.
fn canary(percent: u32) -> Value {
    let rule = json!({"if": [{"==": [{"var": "header.x-canary"}, "always"]}, "canary",
                             {"fractional": [["canary", percent], ["stable", 100 - percent]]}]});
    flag(json!({"stable": "stable", "canary": "canary"}), "stable", rule)
}

fn setup(shop: &Shop) -> Setup {
    let color = flag(json!({"red": "#f00", "blue": "#00f"}), "red", Value::Null);
    let rest =
        format!("{}{CONTEXT}threads: 4\naccess_log: {{to: 'off'}}\n", one_route("inject: [v, color],"));
    shop.setup(&rest, json!({"v": canary(10), "color": color}))
}

fn start() -> (Shop, Gateway) {
    let shop = Shop::start();
    let gateway = setup(&shop).start();
    (shop, gateway)
}

fn opts_in(client: &mut Client) -> String {
    client.get("/").header("x-canary", "always").send().text()
}

/// The users that the canary serves.
fn on_canary(gateway: &Gateway) -> BTreeSet<usize> {
    let mut client = gateway.client();
    let mut is_on = |user: &usize| {
        let response = client.get("/").header("cookie", format!("uid=user-{user}")).send();
        assert_eq!(response.status, 200);
        response.text() == "canary"
    };
    (0..USERS).filter(|user| is_on(user)).collect()
}

#[test]
fn the_very_next_request_after_a_kill_is_served_by_its_version_on_every_connection() {
    let (_shop, gateway) = start();
    let mut operator = gateway.operator();
    let mut clients: Vec<Client> = (0..32).map(|_| gateway.client()).collect();
    for _ in 0..10 {
        assert!(clients.iter_mut().all(|client| opts_in(client) == "canary"));
        let answer = operator.kill("v", "stable");
        assert_eq!(
            (&answer["durable"], &answer["flag"]["entries"][0]["kind"]),
            (&json!(true), &json!("kill"))
        );
        let versions: Vec<String> = clients.iter_mut().map(opts_in).collect();
        assert!(versions.iter().all(|version| version == "stable"), "{versions:?}");
        assert_eq!(gateway.revision(), answer["revision"]);
        operator.does("v", "release", json!({}));
    }
}

#[test]
fn a_kill_needs_no_etag_and_everything_else_does() {
    let (_shop, gateway) = start();
    let mut operator = gateway.operator();
    let post = |operator: &mut Operator, verb: &str, body: Value| {
        operator.ask("POST", &format!("/api/v1/flags/v/{verb}"), &[], &body)
    };
    let killed = post(&mut operator, "kill", json!({"variant": "stable"}));
    assert_eq!(killed.status, 200, "{}", killed.text());
    assert_eq!(killed.header("etag"), Some(operator.etag("v")));
    for (verb, body) in [
        ("release", json!({})),
        ("weight", json!({"shares": {"canary": "5%"}})),
        ("enable", json!({})),
        ("disable", json!({})),
        ("set", json!({"definition": canary(5)})),
    ] {
        let refused = post(&mut operator, verb, body);
        assert_eq!(refused.status, 428, "{verb}: {}", refused.text());
        assert!(refused.text().contains("If-Match"), "{}", refused.text());
    }
    let stale = [("if-match", "\"0\"")];
    let refused = operator.ask("POST", "/api/v1/flags/v/kill", &stale, &json!({"variant": "canary"}));
    assert_eq!(refused.status, 412, "a condition that is there counts: {}", refused.text());
    assert_eq!(operator.kinds("v"), ["kill"]);
}

#[test]
fn a_release_leads_back_to_exactly_what_was_before() {
    let (_shop, gateway) = start();
    let mut operator = gateway.operator();
    let from_source = on_canary(&gateway);
    operator.does("v", "weight", json!({"shares": {"canary": "30%"}}));
    let (weighed, revision, etag) = (on_canary(&gateway), gateway.revision(), operator.etag("v"));
    assert!(weighed.is_superset(&from_source) && weighed.len() > from_source.len());

    operator.kill("v", "stable");
    assert!(on_canary(&gateway).is_empty());
    operator.kill("v", "canary");
    assert_eq!(on_canary(&gateway).len(), USERS, "a second kill stands in the place of the first");
    assert_eq!(operator.kinds("v"), ["weight", "kill"]);
    operator.does("v", "release", json!({}));
    assert_eq!((on_canary(&gateway), gateway.revision(), operator.etag("v")), (weighed, revision, etag));

    operator.does("v", "release", json!({"what": "all"}));
    assert_eq!(on_canary(&gateway), from_source);
    let nothing = operator.is_refused("v", "release", json!({}), 409);
    assert!(nothing.contains("nothing to release"), "{nothing}");
}

#[test]
fn a_kill_for_two_seconds_releases_itself_and_says_so() {
    let (_shop, gateway) = start();
    let (mut operator, events) = (gateway.operator(), gateway.listen());
    let mut client = gateway.client();
    let answer = operator.does("v", "kill", json!({"variant": "stable", "for": "2s", "why": "a look"}));
    assert_eq!(opts_in(&mut client), "stable");
    assert!(answer["flag"]["entries"][0]["until"].is_string(), "{answer}");
    let told = events.wait_for("the release", |event| event["record"]["action"] == "expired");
    assert_eq!((&told["record"]["by"], &told["record"]["flag"]), (&json!("flagway"), &json!("v")));
    assert_eq!(opts_in(&mut client), "canary");
    assert!(operator.kinds("v").is_empty());
    let audit = operator.audit("flag=v");
    let actions: Vec<&Value> = audit.iter().map(|record| &record["action"]).collect();
    assert_eq!(actions, ["kill", "expired"]);
}

#[test]
fn a_kill_outlives_a_restart_and_whatever_its_source_says() {
    let (_shop, gateway) = start();
    gateway.operator().does("v", "kill", json!({"variant": "stable", "why": "p99"}));
    let gateway = gateway.stop().start();
    let mut client = gateway.client();
    assert_eq!(opts_in(&mut client), "stable", "the first request after a restart");
    assert_eq!(gateway.operator().entries("v")[0]["why"], "p99");

    let publish = |what: &str, text: &str| {
        let seen = gateway.revision();
        gateway.replace("flags.json", text);
        // What is killed hides what its source says: another flag tells that the document was taken.
        eventually(what, || gateway.revision() != seen);
        assert_eq!(
            std::fs::read_to_string(gateway.path("flags.json")).unwrap(),
            text,
            "a source's file is its own"
        );
    };
    let other = |color: &str| flag(json!({"it": color}), "it", Value::Null);
    let all = flag(json!({"canary": "canary"}), "canary", Value::Null);
    publish("no stable any more", &flags(json!({"v": all, "color": other("1")})));
    assert_eq!(opts_in(&mut client), "stable");
    publish("no such flag any more", &flags(json!({"color": other("2")})));
    assert_eq!(opts_in(&mut client), "stable");
    publish("the flag is back", &flags(json!({"v": canary(100), "color": other("3")})));
    assert_eq!(opts_in(&mut client), "stable");
    gateway.operator().does("v", "release", json!({}));
    assert_eq!(opts_in(&mut client), "canary");
    assert_eq!(on_canary(&gateway).len(), USERS, "the way back leads to what the source says now");
}

#[test]
fn what_its_source_has_caught_up_with_releases_itself_and_says_so() {
    let (_shop, gateway) = start();
    let (mut operator, events) = (gateway.operator(), gateway.listen());
    operator.does("v", "weight", json!({"shares": {"canary": "30%"}}));
    let weighed = on_canary(&gateway);
    gateway.replace_flags(json!({"v": canary(30)}));
    let told = events.wait_for("the release", |event| event["record"]["action"] == "caught_up");
    assert_eq!((&told["event"], &told["record"]["by"]), (&json!("overlay"), &json!("flagway")));
    assert!(operator.kinds("v").is_empty());
    assert_eq!(on_canary(&gateway), weighed, "nothing changed for anyone");
    let last = operator.audit("flag=v").pop().unwrap();
    assert_eq!((&last["action"], &last["after"]), (&json!("caught_up"), &json!([])));
    gateway.wait_for_log("the release", |line| line["fields"]["action"] == "caught_up");
}

#[test]
fn a_share_that_grows_moves_nobody_out_and_leaves_opt_ins_alone() {
    let (_shop, gateway) = start();
    let mut operator = gateway.operator();
    let mut client = gateway.client();
    let mut before = BTreeSet::new();
    for (share, least, most) in
        [("0.5%", 1, 15), ("12.5%", 90, 160), ("33.3%", 280, 390), ("100%", USERS, USERS)]
    {
        operator.does("v", "weight", json!({"shares": {"canary": share}}));
        let now = on_canary(&gateway);
        assert!(now.is_superset(&before), "{share}: {:?} moved out", &before - &now);
        assert!((least..=most).contains(&now.len()), "{share}: {}", now.len());
        before = now;
    }
    operator.does("v", "weight", json!({"shares": {"canary": "0%"}}));
    assert!(on_canary(&gateway).is_empty());
    assert_eq!(opts_in(&mut client), "canary");
    assert_eq!(operator.kinds("v"), ["weight"], "one entry of a kind");
}

#[test]
fn a_share_that_cannot_be_given_is_refused_with_what_to_do_instead() {
    let shop = Shop::start();
    let with =
        |rule: Value| flag(json!({"stable": "stable", "canary": "canary", "beta": "canary"}), "stable", rule);
    let split = || json!({"fractional": [["canary", 10], ["stable", 90]]});
    let several = json!({"if": [{"==": [{"var": "path"}, "/a"]}, split(), split()]});
    let computed = json!({"fractional": [["canary", {"var": "$flagd.timestamp"}], ["stable", 1]]});
    let gateway = shop.gateway(
        &(one_route("") + CONTEXT),
        json!({"v": with(split()), "plain": with(Value::Null), "several": with(several), "computed": with(computed),
               "named": with(json!({"if": [true, "canary"]}))}),
    );
    let mut operator = gateway.operator();
    let revision = gateway.revision();
    let cases = [
        ("plain", "canary", "5%", "has no rule", "flags kill"),
        ("named", "canary", "5%", "has no split", "flags set"),
        ("several", "canary", "5%", "has two splits", "flags set"),
        ("computed", "canary", "5%", "is computed", "flags set"),
        ("v", "canry", "5%", "has no variant `canry`", "did you mean `canary`?"),
        ("v", "beta", "5%", "has no part for `beta`", "add a part"),
        ("v", "stable", "5%", "is the default variant", "the others"),
        ("v", "canary", "120%", "", ""),
    ];
    for (key, variant, share, found, fix) in cases {
        let response = operator.write(key, "weight", json!({"shares": {variant: share}}));
        let told = response.text();
        assert!(matches!(response.status, 400 | 422), "{key} {variant}={share}: {} {told}", response.status);
        assert!(told.contains(found) && told.contains(fix), "{key} {variant}={share}: {told}");
    }
    assert_eq!(gateway.revision(), revision, "a refusal changes nothing");
    assert_eq!(operator.get("/api/v1/overlay").json()["entries"], json!([]));
    let refused = operator.audit("outcome=refused");
    assert_eq!(refused.len(), cases.len(), "and is in the audit");
    assert!(refused.iter().all(|record| record["problem"].is_string() && record["by"] == "anonymous"));
}

#[test]
fn a_flag_is_disabled_enabled_and_set() {
    let (shop, gateway) = start();
    let mut operator = gateway.operator();
    let seen = |what: &str| {
        assert_eq!(gateway.get("/").text(), "stable", "{what}");
        shop.stable.requests().pop().expect("a request").header("x-flag-color")
    };
    assert_eq!(seen("at first").as_deref(), Some("#f00"));
    operator.does("color", "disable", json!({}));
    assert_eq!(seen("disabled"), None);
    operator.does("color", "enable", json!({}));
    assert_eq!(seen("enabled").as_deref(), Some("#f00"));
    assert_eq!(operator.kinds("color"), ["state"]);
    let green = flag(json!({"green": "#0f0"}), "green", Value::Null);
    operator.does("color", "set", json!({"definition": green}));
    assert_eq!(seen("set").as_deref(), Some("#0f0"));
    assert_eq!(operator.kinds("color"), ["set", "state"]);
    operator.does("color", "release", json!({"what": "all"}));
    assert_eq!(seen("released").as_deref(), Some("#f00"));
}

#[test]
fn a_flag_whose_source_has_a_problem_can_be_disabled_and_enabled_again() {
    let shop = Shop::start();
    let rule = json!({"if": [{"==": [{"var": "contry"}, "NZ"]}, "canary"]});
    let odd = flag(json!({"stable": "stable", "canary": "canary", "next": "v9"}), "stable", rule);
    let gateway = shop.gateway(&one_route(""), json!({ "v": odd }));
    let mut operator = gateway.operator();
    for verb in ["disable", "enable"] {
        operator.does("v", verb, json!({}));
    }
    assert_eq!(gateway.get("/").text(), "stable");
}

#[test]
fn a_definition_that_is_broken_or_names_no_version_is_refused() {
    let (_shop, gateway) = start();
    let mut operator = gateway.operator();
    let (revision, before) = (gateway.revision(), on_canary(&gateway));
    let cases = [
        (
            json!({"state": "ENABLED", "variants": {"stable": "stable"}, "defaultVariant": "stable", "targeting": {"fractionl": []}}),
            "fraction",
        ),
        (json!({"state": "ENABLED", "variants": {"stable": "stable"}, "defaultVariant": "stabel"}), "stabel"),
        (
            json!({"state": "ENABLED", "variants": {"stable": "stable", "next": "v9"}, "defaultVariant": "stable"}),
            "v9",
        ),
    ];
    for (definition, told) in cases {
        let detail = operator.is_refused("v", "set", json!({ "definition": definition }), 422);
        assert!(detail.contains(told), "{detail}");
    }
    let detail = operator.is_refused("v", "kill", json!({"variant": "stabel"}), 422);
    assert!(detail.contains("did you mean `stable`?"), "{detail}");
    let detail = operator.is_refused("colour", "kill", json!({"variant": "red"}), 404);
    assert!(detail.contains("did you mean `color`?"), "{detail}");
    let detail = operator.is_refused("v", "kill", json!({"variant": "stable", "fro": "2h"}), 400);
    assert!(detail.contains("did you mean `for`?"), "{detail}");
    assert_eq!((gateway.revision(), on_canary(&gateway)), (revision, before));
    assert!(operator.kinds("v").is_empty());
}

#[test]
fn without_a_state_folder_every_answer_says_that_it_will_not_last() {
    let shop = Shop::start();
    let setup = setup(&shop);
    let config = std::fs::read_to_string(setup.path("flagway.yaml")).unwrap();
    let gateway = setup.file("flagway.yaml", &config.replace("state_dir: state\n", "")).start();
    let mut operator = gateway.operator();
    assert_eq!(operator.kill("v", "stable")["durable"], false);
    assert_eq!(operator.get("/api/v1/overlay").json()["durable"], false);
    assert_eq!(operator.audit("").len(), 1, "the audit is there, too");
    assert!(!gateway.path("state").exists());
}
