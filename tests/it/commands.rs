//! The commands that end by themselves: what they print and how they exit.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::{
    DEAD, Gateway, Setup, command, flag, flagway, one_route, opt_in, services, split, versions,
};

const BY_USER: &str = "context: {targeting_key: [{cookie: uid}]}\n";

/// A folder with a configuration whose endpoints nobody asks.
fn files(rest: &str, flags: Value) -> Setup {
    let address = format!("['{DEAD}']");
    Setup::new(&(services(&address, &address) + rest)).flags(flags)
}

/// Whether these words stand in a text, one after the other.
#[track_caller]
fn in_order(text: &str, words: &[&str]) {
    let mut rest = text;
    for word in words {
        let at = rest
            .find(word)
            .unwrap_or_else(|| panic!("`{word}` does not come next, of {words:?} in:\n{text}"));
        rest = &rest[at + word.len()..];
    }
}

#[test]
fn check_prints_what_would_run_with_routes_in_order() {
    let routes = "routes:
  - {name: fallback-route, match: {path_prefix: /}, service: shop}
  - {name: cart-route, match: {path_prefix: /shop/cart}, service: shop, version: {flag: v}}
  - {name: shop-route, match: {path_prefix: /shop}, service: shop}
  - {name: exact-route, match: {path: /shop}, respond: {status: 204}}\n";
    let ran = files(routes, json!({"v": opt_in()})).command(&["check"]).succeeded();
    in_order(&ran.stdout, &["routes", "exact-route", "cart-route", "shop-route", "fallback-route"]);
    in_order(&ran.stdout, &["stable", "canary"]);
    assert!(ran.stdout.contains("127.0.0.1:1") && ran.stdout.contains("flags.json"), "{}", ran.stdout);
    assert_eq!(ran.stderr, "");
}

#[test]
fn check_reports_every_error_at_once_with_its_place_and_fix() {
    let broken = "routes:
  - {name: a, match: {path_prefix: /a}, servce: shop}
  - {name: b, match: {path_prefix: /b}, service: shopp}
  - {name: c, match: {path_regex: '('}, service: shop}
contxt: {}\n";
    let ran = files(broken, json!({})).command(&["check"]).failed_with(1);
    let text = ran.output();
    for word in
        ["flagway.yaml", "servce", "`service`", "shopp", "`shop`", "path_regex", "contxt", "`context`"]
    {
        assert!(text.contains(word), "{word} in:\n{text}");
    }
}

#[test]
fn check_reports_flags_and_versions_that_are_named_and_missing() {
    let flags = json!({"v": flag(json!({"a": "stable", "b": "v42"}), "a", Value::Null)});
    let setup = files(&one_route("inject: [new-pricing],"), flags);
    let ran = setup.command(&["check"]).succeeded();
    for word in ["new-pricing", "v42", "flags.json"] {
        assert!(ran.output().contains(word), "{word} in:\n{}", ran.output());
    }
    setup.command(&["check", "--strict"]).failed_with(1);
    let json: Value = serde_json::from_str(&setup.command(&["check", "--json"]).succeeded().stdout).unwrap();
    let kinds: Vec<&str> =
        json["problems"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"missing_flag") && kinds.contains(&"missing_version"), "{kinds:?}");
}

#[test]
fn check_fails_on_flags_that_cannot_be_used() {
    files(&one_route(""), json!({"v": versions(json!({"frobnicate": [1]}))}))
        .command(&["check"])
        .failed_with(1);
    let setup = files(&one_route(""), json!({})).file("flags.json", "{\"flags\": {");
    let text = setup.command(&["check"]).failed_with(1).output();
    assert!(text.contains("flags.json:1"), "file and line: {text}");
    let text = setup.without("flags.json").command(&["check"]).failed_with(1).output();
    assert!(text.contains("flags.json"), "{text}");
}

#[test]
fn a_route_that_can_never_match_is_an_error() {
    let routes = "routes:
  - {name: first, match: {path_prefix: /a}, service: shop}
  - {name: second, match: {path_prefix: /a}, service: shop}\n";
    let text = files(routes, json!({})).command(&["check"]).failed_with(1).output();
    assert!(text.contains("second") && text.contains("first"), "{text}");
}

#[test]
fn a_missing_configuration_is_named() {
    let empty = tempfile::tempdir().unwrap();
    for command in ["run", "check"] {
        let ran = flagway(empty.path(), &[command]).failed_with(1);
        assert!(ran.output().contains("flagway.yaml"), "{}", ran.output());
        let ran = flagway(empty.path(), &[command, "other.yaml"]).failed_with(1);
        assert!(ran.output().contains("other.yaml"), "{}", ran.output());
    }
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    let empty = tempfile::tempdir().unwrap();
    for wrong in [
        &["rum"][..],
        &["run", "--no-such"],
        &["schema"],
        &["schema", "routes"],
        &["check", "a", "b"],
        &["flags"],
        &["flags", "kill"],
        &["flags", "weight", "f", "canary=5"],
        &["shadow"],
        &["shadow", "reset"],
        &["shadow", "report", "--json", "--watch"],
        &["token"],
        &["token", "new", "--name", "ann"],
        &["token", "new", "--role", "root", "--name", "ann"],
        &["token", "list", "-c", "flagway.yaml", "--state-dir", "state"],
        &["token", "revoke"],
    ] {
        flagway(empty.path(), wrong).failed_with(2);
    }
    let help = flagway(empty.path(), &["--help"]).succeeded().stdout;
    in_order(
        &help,
        &[
            "run",
            "check",
            "explain",
            "flags",
            "status",
            "shadow",
            "token",
            "demo",
            "schema",
            "health",
            "completions",
        ],
    );
}

#[test]
fn colours_are_for_terminals() {
    let setup = files(&one_route(""), json!({"v": opt_in()}));
    assert!(!setup.command(&["check"]).succeeded().output().contains('\u{1b}'));
    assert!(setup.command(&["check", "--color", "always"]).succeeded().output().contains('\u{1b}'));
}

#[test]
fn the_published_schemas_are_those_of_the_binary() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/schema");
    let files = std::fs::read_dir(&folder).expect("conf/schema is there");
    let published: Vec<String> =
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    for of in ["config", "flags"] {
        let printed = flagway(&folder, &["schema", of]).succeeded().stdout;
        let schema: Value =
            serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
        assert!(schema["$schema"].is_string() && schema["properties"].is_object(), "{of}");
        assert!(published.contains(&printed), "conf/schema holds no copy of `schema {of}`");
    }
}

#[test]
fn completions_exist_for_every_shell() {
    let empty = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = flagway(empty.path(), &["completions", shell]).succeeded().stdout;
        assert!(script.contains("explain") && script.contains("flagway"), "{shell}");
    }
}

#[test]
fn health_asks_a_running_gateway() {
    let gateway = Gateway::start("routes: [{name: a, respond: {status: 204}}]\n", json!({"v": opt_in()}));
    let url = format!("http://{}/readyz", gateway.probes());
    let home = gateway.path("");
    flagway(&home, &["health", "--url", &url]).succeeded();
    let config = format!(
        "probes: {{bind: '{}'}}\nlisteners: [{{bind: '127.0.0.1:0'}}]\nroutes: [{{name: a, respond: {{}}}}]\n",
        gateway.probes()
    );
    std::fs::write(gateway.path("asked.yaml"), config).unwrap();
    flagway(&home, &["health", "-c", "asked.yaml"]).succeeded();
    flagway(&home, &["health", "--url", &format!("http://{}/none", gateway.probes())]).failed_with(1);
    flagway(&home, &["health", "--url", &format!("http://{DEAD}/readyz")]).failed_with(1);
}

#[test]
fn explain_tells_rule_bucket_and_headers_without_a_gateway() {
    let rule = json!({"if": [{"==": [{"var": "header.x-canary"}, "always"]}, "canary",
        {"fractional": [["canary", 25], ["stable", 75]]}]});
    let setup = files(
        &(one_route("inject: [v, new-pricing],") + BY_USER),
        json!({"v": versions(rule),
        "new-pricing": flag(json!({"on": true, "off": false}), "on", Value::Null)}),
    );
    let ran =
        setup.command(&["explain", "-H", "x-canary: always", "http://shop.test/checkout?a=b"]).succeeded();
    in_order(&ran.stdout, &["canary", "all", "header.x-canary", "always", "x-flag-new-pricing: true"]);
    assert!(ran.stdout.contains("x-flag-v: canary"), "{}", ran.stdout);

    let ran = setup.command(&["explain", "-b", "uid=ann", "/checkout"]).succeeded();
    in_order(&ran.stdout, &["fractional", "bucket", "of 100"]);
    assert!(!ran.stdout.contains("uid=ann"), "{}", ran.stdout);

    let ran = setup.command(&["explain", "--json", "-X", "POST", "/checkout"]).succeeded();
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&told["version"], &told["request"]["method"]), (&json!("stable"), &json!("POST")));
    assert!(told["targeting_key"]["source"].is_null(), "{told}");
    let ran = setup.command(&["explain", "/../x"]).succeeded();
    assert!(ran.stdout.contains("400"), "{}", ran.stdout);
}

#[test]
fn explain_asks_a_running_gateway() {
    let address = format!("['{DEAD}']");
    let config = services(&address, &address) + &one_route("") + BY_USER;
    let gateway = Gateway::start(&config, json!({"v": split(100)}));
    let admin = format!("http://{}", gateway.admin());
    let ran =
        flagway(&gateway.path(""), &["explain", "--gateway", &admin, "-b", "uid=ann", "/x"]).succeeded();
    in_order(&ran.stdout, &["canary", &gateway.revision()]);
    flagway(&gateway.path(""), &["explain", "--gateway", &format!("http://{DEAD}"), "/x"]).failed_with(1);
}

#[test]
fn explain_reads_files_whatever_token_the_environment_has() {
    let setup = files(&one_route(""), json!({"v": opt_in()}));
    let mut explain = command(&setup.path(""));
    let ran = explain.env("FLAGWAY_TOKEN", "secret").args(["explain", "/x"]).output();
    assert!(ran.expect("the binary runs").status.success());
}

#[test]
fn explain_can_look_at_another_time() {
    let later = 4_000_000_000_u64;
    let rule = json!({"if": [{">": [{"var": "$flagd.timestamp"}, later]}, "canary"]});
    let setup = files(&one_route(""), json!({"v": versions(rule)}));
    let version = |at: &str| -> Value {
        let ran = setup.command(&["explain", "--json", "--at", at, "/x"]).succeeded();
        serde_json::from_str::<Value>(&ran.stdout).unwrap()["version"].clone()
    };
    assert_eq!(version("2026-01-01T00:00:00Z"), "stable");
    assert_eq!(version("4000000001"), "canary");
}

#[test]
fn a_taken_port_is_an_error_of_run_only() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for section in [
        "listeners: [{name: main, bind: 'ADDRESS'}]",
        "probes: {bind: 'ADDRESS'}",
        "admin: {bind: 'ADDRESS'}",
    ] {
        let section = section.replace("ADDRESS", &address);
        let setup = files(&format!("{}{section}\n", one_route("")), json!({"v": opt_in()}));
        setup.command(&["check"]).succeeded();
        let text = setup.command(&["run"]).failed_with(1).output();
        assert!(text.contains(&address) && text.to_lowercase().contains("in use"), "{text}");
    }
}

#[test]
fn run_refuses_a_broken_configuration_with_the_same_words_as_check() {
    let setup = files("routes: [{name: a, match: {path: /a}, servce: shop}]\n", json!({}));
    let text = setup.command(&["run"]).failed_with(1).output();
    assert!(text.contains("flagway.yaml") && text.contains("servce") && text.contains("service"), "{text}");
}

#[test]
fn the_environment_fills_scalars_and_a_missing_variable_is_an_error() {
    let setup = files(
        &one_route("").replace("name: all", "name: '${FLAGWAY_TEST_NAME:-unnamed}'"),
        json!({"v": opt_in()}),
    );
    assert!(setup.command(&["check"]).succeeded().stdout.contains("unnamed"));
    let setup =
        files(&one_route("").replace("name: all", "name: '${FLAGWAY_TEST_NAME}'"), json!({"v": opt_in()}));
    assert!(setup.command(&["check"]).failed_with(1).output().contains("FLAGWAY_TEST_NAME"));
}
