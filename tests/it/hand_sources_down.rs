//! The operator's hand when every source is down: what runs are the flags that were kept on disk, and it can still be killed.

use serde_json::{Value, json};

use crate::support::{Gateway, Setup, Shop, flag, flagway, one_route};

/// A gateway that was restarted when its sources had gone.
fn without_sources(shop: &Shop) -> Gateway {
    let rest = format!(
        "flags: {{sources: [{{file: flags.json}}, {{file: more.json}}]}}\ncontext: {{targeting_key: [{{cookie: uid}}]}}\n{}",
        one_route("")
    );
    let rule = json!({"if": [{"==": [{"var": "header.x-canary"}, "always"]}, "canary",
                             {"fractional": [["canary", 10], ["stable", 90]]}]});
    let v = flag(json!({"stable": "stable", "canary": "canary"}), "stable", rule);
    let gateway = shop.setup(&rest, json!({"v": v})).file("more.json", "{\"flags\": {}}").start();
    let gateway = down(gateway.stop()).start();
    assert_eq!(opts_in(&gateway), "canary", "last good flags serve");
    let status = gateway.operator().get("/api/v1/status").json();
    let states: Vec<&Value> =
        status["sources"].as_array().unwrap().iter().map(|source| &source["state"]).collect();
    assert_eq!(states, ["stale", "stale"]);
    gateway
}

fn down(setup: Setup) -> Setup {
    setup.without("flags.json").without("more.json")
}

fn opts_in(gateway: &Gateway) -> String {
    gateway.get_with("/", &[("x-canary", "always")]).text()
}

#[test]
fn kill_weight_and_release_work_and_survive_a_restart_while_every_source_is_down() {
    let shop = Shop::start();
    let gateway = without_sources(&shop);
    gateway.operator().does("v", "weight", json!({"shares": {"canary": "40%"}}));
    gateway.operator().kill("v", "stable");
    assert_eq!(opts_in(&gateway), "stable");

    let gateway = gateway.stop().start();
    assert_eq!(opts_in(&gateway), "stable", "killed after the restart");
    assert_eq!(gateway.operator().kinds("v"), ["weight", "kill"]);
    gateway.operator().does("v", "release", json!({}));
    assert_eq!(opts_in(&gateway), "canary");

    let gateway = gateway.stop().start();
    assert_eq!(opts_in(&gateway), "canary", "released after the restart");
    let runs = gateway.operator().flag("v");
    let split = &runs["definition"]["targeting"]["if"][2]["fractional"];
    assert_eq!(split, &json!([["canary", 40], ["stable", 60]]), "the weight still stands: {runs}");
    assert_eq!(gateway.operator().audit("outcome=accepted").len(), 3);
}

#[test]
fn an_operator_kills_and_releases_by_command_while_every_source_is_down() {
    let shop = Shop::start();
    let gateway = without_sources(&shop);
    let admin = format!("http://{}", gateway.admin());
    let run = |words: &[&str]| {
        flagway(&gateway.path(""), &[&["flags"], words, &["--gateway", &admin]].concat()).succeeded()
    };
    let killed = run(&["kill", "v", "stable", "--why", "the store is down, too"]);
    assert!(killed.stdout.contains("everyone gets `stable`"), "{}", killed.output());
    assert_eq!(opts_in(&gateway), "stable");
    run(&["weight", "v", "canary=25%"]);
    let released = run(&["release", "v"]);
    assert!(released.stdout.contains("25%"), "{}", released.output());
    assert_eq!(opts_in(&gateway), "canary");
    let diff = flagway(&gateway.path(""), &["flags", "diff", "--gateway", &admin]).succeeded();
    assert!(diff.stderr.contains('v'), "a source that is away is told: {}", diff.output());
}
