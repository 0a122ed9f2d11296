//! Changes of flags and configuration go live at once, and nothing broken ever does.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Gateway, Setup, Shop, eventually, flag, flags, one_route, versions, within};

/// How soon a change must serve; many tests share the machine, alone it is a tenth of that.
const LIVE: Duration = Duration::from_secs(1);

fn serving(version: &str) -> Value {
    json!({"v": flag(json!({"stable": "stable", "canary": "canary"}), version, Value::Null)})
}

#[track_caller]
fn soon_serves(gateway: &Gateway, version: &str) {
    within(LIVE, &format!("{version} serves"), || (gateway.get("/").text() == version).then_some(()));
}

/// The value of `flagway_reloads_total` for a result.
fn reloads(gateway: &Gateway, result: &str) -> f64 {
    gateway.metrics().sum("flagway_reloads_total", &[("result", result)])
}

#[track_caller]
fn soon_refuses(gateway: &Gateway, before: f64) {
    eventually("the change is refused", || reloads(gateway, "refused") > before);
}

#[test]
fn flags_go_live_when_the_file_is_renamed_over() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), serving("stable"));
    for version in ["canary", "stable", "canary"] {
        gateway.replace_flags(serving(version));
        soon_serves(&gateway, version);
    }
}

#[test]
fn flags_go_live_when_the_file_is_written_in_place() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), serving("stable"));
    for version in ["canary", "stable", "canary"] {
        std::fs::write(gateway.path("flags.json"), flags(serving(version))).unwrap();
        soon_serves(&gateway, version);
    }
}

#[test]
fn flags_go_live_when_kubernetes_swaps_its_symlink() {
    let shop = Shop::start();
    let rest = one_route("") + "flags: {sources: [{file: mount/flags.json}]}\n";
    let setup = shop.setup(&rest, json!({})).file("mount/..1/flags.json", &flags(serving("stable")));
    std::os::unix::fs::symlink("..1", setup.path("mount/..data")).unwrap();
    std::os::unix::fs::symlink("..data/flags.json", setup.path("mount/flags.json")).unwrap();
    let gateway = setup.start();
    assert_eq!(gateway.get("/").text(), "stable");
    for (number, version) in [(2, "canary"), (3, "stable"), (4, "canary")] {
        let folder = gateway.path(&format!("mount/..{number}"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("flags.json"), flags(serving(version))).unwrap();
        std::os::unix::fs::symlink(format!("..{number}"), gateway.path("mount/..data_tmp")).unwrap();
        std::fs::rename(gateway.path("mount/..data_tmp"), gateway.path("mount/..data")).unwrap();
        std::fs::remove_dir_all(gateway.path(&format!("mount/..{}", number - 1))).unwrap();
        soon_serves(&gateway, version);
    }
}

#[test]
fn a_deleted_file_changes_nothing_and_may_return() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), serving("canary"));
    std::fs::remove_file(gateway.path("flags.json")).unwrap();
    eventually("the lost source is a problem", || {
        gateway.metrics().sum("flagway_problems", &[("kind", "source")]) > 0.0
    });
    assert_eq!(gateway.get("/").text(), "canary");
    assert_eq!(gateway.probe("/readyz").status, 200);
    std::fs::write(gateway.path("flags.json"), flags(serving("stable"))).unwrap();
    soon_serves(&gateway, "stable");
    eventually("the problem is gone", || {
        gateway.metrics().sum("flagway_problems", &[("kind", "source")]) == 0.0
    });
}

#[test]
fn a_hangup_reads_everything_again() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), serving("stable"));
    let (revision, before) = (gateway.revision(), reloads(&gateway, "unchanged"));
    gateway.signal("HUP");
    eventually("it was read again", || reloads(&gateway, "unchanged") > before);
    assert_eq!(gateway.revision(), revision, "the same flags have the same revision");
    gateway.replace_flags(serving("canary"));
    gateway.signal("HUP");
    soon_serves(&gateway, "canary");
}

#[test]
fn a_reload_says_what_is_published() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), serving("stable"));
    let mark = gateway.stderr.count();
    gateway.replace_flags(json!({"v": versions(Value::Null), "other": versions(json!({"frobnicate": []}))}));
    let line = gateway.wait_for_log_after(mark, "published", |line| line["fields"]["message"] == "published");
    assert_eq!(line["fields"]["revision"].as_str(), Some(&*gateway.revision()), "{line}");
    assert_eq!(line["fields"]["flags"], 2, "{line}");
    assert_eq!(line["fields"]["problems"], 1, "{line}");
    let metrics = gateway.metrics();
    assert_eq!(metrics.values("flagway_snapshot_info", "revision"), [gateway.revision()]);
}

#[test]
fn the_revision_depends_on_what_decides_and_on_nothing_else() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), serving("stable"));
    let first = gateway.revision();
    gateway.replace_flags(serving("canary"));
    eventually("another revision", || gateway.revision() != first);
    let text = flags(serving("stable")).replace("  ", "\t");
    gateway.replace("flags.json", &text);
    eventually("the first revision again, whatever the white space", || gateway.revision() == first);
    let twin = shop.gateway(&one_route(""), serving("stable"));
    assert_eq!(twin.revision(), first, "equal on every node");
}

#[test]
fn a_broken_document_changes_nothing() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), serving("canary"));
    let whole = flags(serving("stable"));
    for broken in
        ["", "{", &whole[..whole.len() - 3], "[]", "{\"flags\": 7}", "{}", "\u{0}\u{0}", "<html></html>"]
    {
        let (revision, before) = (gateway.revision(), reloads(&gateway, "refused"));
        gateway.replace("flags.json", broken);
        soon_refuses(&gateway, before);
        assert_eq!(
            (gateway.revision(), gateway.get("/").text()),
            (revision, "canary".to_owned()),
            "{broken:?}"
        );
        assert!(gateway.metrics().sum("flagway_problems", &[("kind", "document")]) >= 1.0, "{broken:?}");
    }
    gateway.replace_flags(serving("stable"));
    soon_serves(&gateway, "stable");
    eventually("the problem is gone", || {
        gateway.metrics().sum("flagway_problems", &[("kind", "document")]) == 0.0
    });
}

#[test]
fn a_document_that_cannot_be_read_changes_nothing() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), serving("canary"));
    std::fs::remove_file(gateway.path("flags.json")).unwrap();
    std::fs::create_dir(gateway.path("flags.json")).unwrap();
    eventually("the lost source is a problem", || {
        gateway.metrics().sum("flagway_problems", &[("kind", "source")]) > 0.0
    });
    assert_eq!(gateway.get("/").text(), "canary");
}

#[test]
fn a_broken_flag_keeps_its_last_good_definition_while_others_update() {
    let shop = Shop::start();
    let told = |value: &str| flag(json!({ "it": value }), "it", Value::Null);
    let broken = versions(json!({"frobnicate": [1]}));
    let gateway = shop
        .gateway(&one_route("inject: [other],"), json!({"v": serving("canary")["v"], "other": told("1")}));
    gateway.replace_flags(json!({"v": broken, "other": told("2")}));
    eventually("the other flag is updated", || {
        gateway.get("/");
        shop.canary.last().header("x-flag-other").as_deref() == Some("2")
    });
    assert_eq!(gateway.get("/").text(), "canary");
    assert_eq!(gateway.metrics().sum("flagway_problems", &[("kind", "definition")]), 1.0);
    let problem = gateway.wait_for_log("the problem", |line| line.to_string().contains("frobnicate"));
    let text = problem.to_string();
    assert!(text.contains("flags.json") && text.contains('v'), "file, flag and what was found: {text}");
    gateway.replace_flags(json!({"v": serving("stable")["v"], "other": told("3")}));
    soon_serves(&gateway, "stable");
    eventually("the problem is gone", || {
        gateway.metrics().sum("flagway_problems", &[("kind", "definition")]) == 0.0
    });
}

#[test]
fn a_deleted_flag_is_gone_even_beside_a_broken_one() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), serving("canary"));
    gateway
        .replace_flags(json!({"other": versions(json!({"frobnicate": [1]})), "good": versions(Value::Null)}));
    soon_serves(&gateway, "stable");
    eventually("it is missing", || {
        gateway.metrics().sum("flagway_fallbacks_total", &[("why", "missing_flag")]) > 0.0
    });
}

#[test]
fn from_some_flags_to_none_needs_permission() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), serving("canary"));
    let before = reloads(&gateway, "refused");
    gateway.replace_flags(json!({}));
    soon_refuses(&gateway, before);
    assert_eq!(gateway.get("/").text(), "canary");

    let rest = one_route("") + "flags: {sources: [{file: flags.json}], allow_empty: true}\n";
    let gateway = shop.gateway(&rest, serving("canary"));
    gateway.replace_flags(json!({}));
    soon_serves(&gateway, "stable");
}

#[test]
fn later_sources_win_key_by_key_and_yaml_is_read_too() {
    let shop = Shop::start();
    let rest =
        one_route("inject: [a, b],") + "flags: {sources: [{file: base.yaml}, {file: over/flags.json}]}\n";
    let base = "flags:
  v: {state: ENABLED, variants: {stable: stable, canary: canary}, defaultVariant: canary}
  a: {state: ENABLED, variants: {it: base}, defaultVariant: it}
  b: {state: ENABLED, variants: {it: base}, defaultVariant: it}\n";
    let over = |value: &str| flags(json!({"b": flag(json!({ "it": value }), "it", Value::Null)}));
    let gateway =
        shop.setup(&rest, json!({})).file("base.yaml", base).file("over/flags.json", &over("over")).start();
    let told = || {
        gateway.get("/");
        let seen = shop.canary.last();
        [seen.header("x-flag-a"), seen.header("x-flag-b")].map(Option::unwrap_or_default).join(" ")
    };
    assert_eq!(told(), "base over");
    std::fs::write(gateway.path("over/flags.json"), over("again")).unwrap();
    eventually("the later source is updated", || told() == "base again");
    gateway.replace("base.yaml", "flags: [");
    gateway.replace("over/flags.json", &flags(json!({"c": versions(Value::Null)})));
    eventually("a broken source keeps its last good document beside one that updates", || {
        told() == "base base"
    });
}

#[test]
fn routes_and_services_are_reloaded() {
    let shop = Shop::start();
    let gateway = shop.gateway("routes: [{name: a, match: {path: /a}, service: shop}]\n", json!({}));
    assert_eq!((gateway.get("/a").status, gateway.get("/b").status), (200, 404));
    let mut client = gateway.client();
    assert_eq!(client.get("/a").send().status, 200);
    gateway.replace_config(
        &shop.config("routes: [{name: b, match: {path: /b}, service: shop, version: {flag: v}}]\n"),
    );
    within(LIVE, "the new route serves", || (client.get("/b").send().status == 200).then_some(()));
    assert_eq!(client.get("/a").send().status, 404, "on the same connection");
    let swapped = Shop { stable: shop.canary, canary: shop.stable };
    gateway.replace_config(&swapped.config("routes: [{name: b, match: {path: /b}, service: shop}]\n"));
    within(LIVE, "the new endpoint serves", || (client.get("/b").send().text() == "canary").then_some(()));
}

#[test]
fn a_broken_configuration_keeps_the_old_one() {
    let shop = Shop::start();
    let gateway = shop.gateway("routes: [{name: a, match: {path: /a}, service: shop}]\n", json!({}));
    let before = reloads(&gateway, "refused");
    gateway.replace_config(&shop.config("routes: [{name: a, match: {path: /a}, servise: shop}]\n"));
    soon_refuses(&gateway, before);
    let line = gateway.wait_for_log("the problem", |line| line.to_string().contains("servise")).to_string();
    assert!(line.contains("flagway.yaml") && line.contains("service"), "file and likely fix: {line}");
    assert_eq!(gateway.get("/a").status, 200);
    assert!(gateway.metrics().sum("flagway_problems", &[("kind", "config")]) >= 1.0);
    gateway.replace_config(&shop.config("routes: [{name: b, match: {path: /b}, service: shop}]\n"));
    within(LIVE, "a good one again", || (gateway.get("/b").status == 200).then_some(()));
}

#[test]
fn listeners_change_only_at_a_restart_and_that_is_said() {
    let shop = Shop::start();
    let gateway = shop.gateway("routes: [{name: a, match: {path: /a}, service: shop}]\n", json!({}));
    let more = "listeners: [{name: main, bind: '127.0.0.1:0'}, {name: more, bind: '127.0.0.1:0'}]
routes: [{name: b, match: {path: /b}, service: shop}]\n";
    gateway.replace_config(&shop.config(more));
    gateway.wait_for_log("a warning", |line| {
        line["level"] == "WARN"
            && line.to_string().contains("listener")
            && line.to_string().contains("restart")
    });
    within(LIVE, "the rest is live", || (gateway.get("/b").status == 200).then_some(()));
}

#[test]
fn the_last_good_flags_serve_after_a_restart_without_any() {
    for lost in [None, Some("{ broken"), Some("")] {
        let shop = Shop::start();
        let setup = shop.gateway(&one_route(""), serving("canary")).stop();
        let setup = match lost {
            None => setup.without("flags.json"),
            Some(text) => setup.file("flags.json", text),
        };
        let gateway = setup.start();
        assert_eq!(gateway.get("/").text(), "canary", "{lost:?}");
        gateway.replace_flags(serving("stable"));
        soon_serves(&gateway, "stable");
    }
}

#[test]
fn a_flag_that_broke_while_the_gateway_was_down_has_its_last_good_definition() {
    let shop = Shop::start();
    let setup = shop.gateway(&one_route(""), serving("canary")).stop();
    let gateway = setup.flags(json!({"v": versions(json!({"frobnicate": [1]}))})).start();
    assert_eq!(gateway.get("/").text(), "canary");
    assert_eq!(gateway.metrics().sum("flagway_problems", &[("kind", "definition")]), 1.0);
}

#[test]
fn it_is_ready_once_flags_have_loaded_and_serves_defaults_before() {
    let shop = Shop::start();
    let setup = Setup::new(&shop.config(&one_route(""))).without("flags.json").unready();
    let gateway = setup.start();
    let response = gateway.probe("/readyz");
    assert_eq!(response.status, 503);
    assert!(!response.text().trim().is_empty(), "it says why");
    assert_eq!(gateway.probe("/healthz").status, 200);
    assert_eq!(gateway.get("/").text(), "stable", "never worse than without it");
    gateway.replace_flags(serving("canary"));
    eventually("it is ready", || gateway.probe("/readyz").status == 200);
    assert_eq!(gateway.get("/").text(), "canary");
}
