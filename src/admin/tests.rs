//! The operator's hand, through the whole door: what a write is answered with, what is refused and how, and what the audit says of it.

use serde_json::{Value, json};

use super::fixture::{Door, Told};
use super::role::Role;
use super::tokens::Tokens;

const CONFIG: &str = r#"
listeners: [{bind: "127.0.0.1:8080"}]
flags: {sources: [{file: flags.json}]}
services:
  shop:
    default: stable
    versions: {stable: {endpoints: ["127.0.0.1:1"]}, canary: {endpoints: ["127.0.0.1:1"]}}
routes:
  - {name: shop, match: {path_prefix: /}, service: shop, version: {flag: v}}
"#;

fn flags() -> Value {
    json!({"flags": {
        "v": {"state": "ENABLED", "variants": {"stable": "stable", "canary": "canary"}, "defaultVariant": "stable",
            "targeting": {"fractional": [["canary", 1], ["stable", 99]]}},
        "diff": {"state": "DISABLED", "variants": {"on": true}},
    }})
}

fn door() -> Door {
    Door::open(CONFIG, &flags().to_string(), None)
}

impl Door {
    async fn act(&self, verb: &str, lines: &[(&str, &str)], body: Value) -> Told {
        self.ask("POST", &format!("/api/v1/flags/v/{verb}"), lines, &body.to_string()).await
    }

    async fn etag(&self) -> String {
        self.get("/api/v1/flags/v").await.good().header("etag").to_owned()
    }

    /// The audit, oldest first, once it has as many records: refusals come to it after their answer.
    async fn audit(&self, count: usize) -> Vec<Value> {
        loop {
            let told = self.get("/api/v1/audit").await.good().json();
            let mut records = told["records"].as_array().unwrap().clone();
            if records.len() >= count {
                records.reverse();
                return records;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_kill_is_live_when_it_is_answered_and_a_release_leads_back() {
    let door = door();
    let before = door.get("/api/v1/flags/v").await.good();
    let body = json!({"variant": "canary", "why": "trust me", "for": "2h"});
    let killed = door.act("kill", &[], body).await.good();
    let told = killed.json();
    assert_eq!(
        (&told["durable"], &told["again"], &told["streams"]),
        (&json!(true), &json!(false), &Value::Null)
    );
    assert_eq!(told["revision"], door.live.load().snapshot.revision.to_string());
    let flag = &told["flag"];
    let entry = &flag["entries"][0];
    assert_eq!(
        (&entry["kind"], &entry["variant"], &entry["by"]),
        (&json!("kill"), &json!("canary"), &json!("anonymous"))
    );
    assert_eq!(entry["why"], "trust me");
    assert!(entry["until"].as_str() > entry["at"].as_str(), "{entry}");
    assert_eq!((&flag["default_variant"], &flag["targeting"]), (&json!("canary"), &json!(false)));
    assert_eq!(flag["source_definition"], flags()["flags"]["v"], "what its source says is beside it");
    assert_ne!(killed.header("etag"), before.header("etag"));
    assert_eq!(killed.header("etag"), format!("\"{}\"", flag["etag"].as_str().unwrap()));

    let one = door.get("/api/v1/overlay/v").await.good();
    assert_eq!((one.header("etag"), &one.json()["entries"]), (killed.header("etag"), &flag["entries"]));
    assert_eq!(door.get("/api/v1/overlay").await.good().json()["entries"], flag["entries"]);
    let list = door.get("/api/v1/flags").await.good().json();
    assert_eq!(list["flags"][1]["entries"], flag["entries"]);
    assert_eq!(door.get("/api/v1/status").await.good().json()["overlay"], flag["entries"]);

    let drained = door.act("kill", &[], json!({"variant": "canary", "drain": "0s"})).await.good();
    assert_eq!(drained.json()["streams"], 0, "none is open");
    let killed = drained;

    let released = door.act("release", &[("if-match", killed.header("etag"))], json!({})).await.good();
    assert_eq!(released.header("etag"), before.header("etag"));
    assert_eq!(released.json()["flag"], before.json());
}

#[tokio::test]
async fn every_write_does_what_it_says() {
    let door = door();
    let any = [("if-match", "*")];
    let weighed = door.act("weight", &any, json!({"shares": {"canary": "5%"}})).await.good().json();
    let rule = json!({"fractional": [["canary", 5], ["stable", 95]]});
    assert_eq!(weighed["flag"]["definition"]["targeting"], rule);
    let state = |told: Told| told.good().json()["flag"]["state"].clone();
    assert_eq!(state(door.act("disable", &any, json!({})).await), "DISABLED");
    assert_eq!(state(door.act("enable", &any, json!({})).await), "ENABLED");
    let definition =
        json!({"state": "ENABLED", "variants": {"stable": "stable"}, "defaultVariant": "stable"});
    let new =
        door.ask("POST", "/api/v1/flags/new/set", &any, &json!({"definition": definition}).to_string()).await;
    assert_eq!(new.good().json()["flag"]["definition"], definition);
    let gone = door.ask("DELETE", "/api/v1/overlay/new", &any, "").await.good().json();
    assert_eq!(gone["flag"], Value::Null, "nothing but the hand defined it");

    let entries =
        json!({"entries": [{"kind": "kill", "variant": "stable"}, {"kind": "state", "state": "ENABLED"}]});
    let put = door.ask("PUT", "/api/v1/overlay/v", &any, &entries.to_string()).await.good().json();
    let kinds: Vec<&Value> =
        put["flag"]["entries"].as_array().unwrap().iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds, ["state", "kill"], "in the order in which they apply");
    let cleared = door.ask("DELETE", "/api/v1/overlay/v", &any, "").await.good().json();
    assert_eq!(cleared["flag"]["entries"], json!([]));
    let records = door.audit(7).await;
    let actions: Vec<&Value> = records.iter().map(|record| &record["action"]).collect();
    assert_eq!(actions, ["weight", "disable", "enable", "set", "release", "replace", "release"]);
    assert!(
        records.iter().all(|record| record["accepted"] == true && record["status"] == 200),
        "{records:?}"
    );
}

#[tokio::test]
async fn two_who_write_one_flag_never_overwrite_each_other() {
    let door = door();
    let seen = door.etag().await;
    let without = door.act("disable", &[], json!({})).await;
    assert!(without.problem(428).contains("If-Match"), "{}", without.text);
    door.act("disable", &[("if-match", &seen)], json!({"why": "not today"})).await.good();
    let late = door.act("weight", &[("if-match", &seen)], json!({"shares": {"canary": "5%"}})).await;
    let detail = late.problem(412);
    assert!(
        detail.contains("anonymous changed it at 2") && detail.contains("(disable, \"not today\")"),
        "{detail}"
    );
    assert_eq!(late.header("etag"), door.etag().await, "it is told what is");
    let weak = format!("W/{}", late.header("etag"));
    assert_eq!(door.act("enable", &[("if-match", &weak)], json!({})).await.status, 412);
    let listed = format!("\"x\", {}", late.header("etag"));
    door.act("enable", &[("if-match", &listed)], json!({})).await.good();
    assert_eq!(
        door.act("kill", &[("if-match", &seen)], json!({"variant": "stable"})).await.status,
        412,
        "if asked"
    );
    door.act("kill", &[], json!({"variant": "stable"})).await.good();
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_done_once() {
    let door = door();
    let key = [("idempotency-key", "k-1"), ("if-match", "*")];
    let once = door.act("disable", &key, json!({"why": "a"})).await.good();
    let again = door.act("disable", &key, json!({"why": "a"})).await.good();
    let (once, again) = (once.json(), again.json());
    assert_eq!(
        (&again["seq"], &again["revision"], &again["flag"]),
        (&once["seq"], &once["revision"], &once["flag"])
    );
    assert_eq!((&once["again"], &again["again"]), (&json!(false), &json!(true)));
    assert!(door.act("disable", &key, json!({"why": "b"})).await.problem(422).contains("idempotency key"));
    assert_eq!(
        door.act("disable", &[("idempotency-key", "a b"), ("if-match", "*")], json!({})).await.status,
        400
    );
}

#[tokio::test]
async fn what_is_refused_says_why_and_is_in_the_audit() {
    let door = door();
    let long = json!({"definition": {"x": "y".repeat(1 << 20)}});
    let medium = json!({"variant": "stable", "why": "w".repeat(70_000)});
    let cases = [
        ("v", "kill", json!({}), 400, "there is no `variant`"),
        ("v", "kill", json!({"variant": "stabel"}), 422, "did you mean `stable`?"),
        ("v", "kill", json!({"variant": "stable", "fro": "2h"}), 400, "did you mean `for`?"),
        ("w", "kill", json!({"variant": "stable"}), 404, "no source defines"),
        ("v", "release", json!({}), 409, "nothing to release"),
        ("v", "weight", json!({"shares": {"stable": "5%"}}), 422, "default variant"),
        ("diff", "weight", json!({"shares": {"on": "5%"}}), 422, "no rule"),
        ("v", "set", json!({"definition": {"state": "ENABLED"}}), 422, "variants"),
        ("v", "kill", medium, 413, "64 KiB"),
        ("v", "set", long, 413, "1024 KiB"),
    ];
    for (flag, verb, body, status, words) in &cases {
        let path = format!("/api/v1/flags/{flag}/{verb}");
        let told = door.ask("POST", &path, &[("if-match", "*")], &body.to_string()).await;
        let detail = told.problem(*status);
        assert!(detail.contains(words), "{path}: {detail}");
    }
    let records = door.audit(cases.len()).await;
    assert_eq!(records.len(), cases.len());
    for (record, (flag, verb, _, status, words)) in records.iter().zip(&cases) {
        let told = (&record["flag"], &record["action"], &record["status"], &record["accepted"]);
        assert_eq!(told, (&json!(flag), &json!(verb), &json!(status), &json!(false)), "{record}");
        assert!(record["problem"].as_str().is_some_and(|problem| problem.contains(words)), "{record}");
    }
    assert_eq!(door.get("/api/v1/overlay").await.good().json()["entries"], json!([]));

    let broken = door
        .act("set", &[("if-match", "*")], json!({"definition": {"state": "ENABLED", "variants": {}}}))
        .await;
    assert!(broken.json()["problems"][0]["found"].is_string(), "{}", broken.text);
    for (method, path, status) in [
        ("POST", "/api/v1/flags/v/kil", 404),
        ("GET", "/api/v1/flags/v/kill", 405),
        ("POST", "/api/v1/overlay/v", 405),
        ("GET", "/api/v1/overlay/w", 404),
        ("GET", "/api/v1/flags/%ff", 400),
        ("POST", "/api/v1/flags/%ff/kill", 400),
        ("GET", "/api/v1/audit?since=soon", 400),
        ("GET", "/api/v1/audit?outcome=maybe", 400),
        ("GET", "/api/v1/events?splt=true", 400),
    ] {
        door.ask(method, path, &[], "").await.problem(status);
    }
}

#[tokio::test]
async fn a_role_may_what_it_may_and_the_audit_knows_who_tried() {
    let door = door();
    let state = door.folder.path().join("state");
    let token = |name: &str, role, random| {
        let now = std::time::SystemTime::now();
        let text = Tokens::edit(&state, |tokens| tokens.add(name, role, [random; 32], now)).unwrap();
        format!("Bearer {text}")
    };
    let (viewer, operator) = (token("ann", Role::Viewer, 1), token("bob", Role::Operator, 2));
    let admin = token("eve", Role::Admin, 3);
    let kill = json!({"variant": "stable"});
    assert_eq!(door.act("kill", &[], kill.clone()).await.status, 401);
    assert_eq!(door.act("kill", &[("authorization", "Bearer fw_x")], kill.clone()).await.status, 401);
    let told = door.act("kill", &[("authorization", &viewer)], kill.clone()).await;
    assert_eq!(told.problem(403), "`ann` is a viewer; this needs the role operator");
    let page = [("authorization", &*operator), ("origin", "https://evil.example")];
    assert_eq!(door.act("kill", &page, kill.clone()).await.status, 403);
    for bearer in [&operator, &admin] {
        door.act("kill", &[("authorization", bearer)], kill.clone()).await.good();
    }
    for path in ["/api/v1/flags", "/api/v1/flags/v", "/api/v1/overlay", "/api/v1/overlay/v", "/api/v1/diff"] {
        door.ask("GET", path, &[("authorization", &viewer)], "").await.good();
    }
    let explained =
        door.ask("POST", "/api/v1/explain", &[("authorization", &viewer)], r#"{"url": "/"}"#).await;
    assert_eq!(explained.good().json()["version"], "stable");
    let records = loop {
        let told = door.ask("GET", "/api/v1/audit", &[("authorization", &viewer)], "").await.good().json();
        let records = told["records"].as_array().unwrap().clone();
        if records.len() == 6 {
            break records;
        }
        tokio::task::yield_now().await;
    };
    let mut who: Vec<(&str, &str, u64)> = records
        .iter()
        .map(|record| {
            let text = |name: &str| record[name].as_str().unwrap();
            (text("by"), text("role"), record["status"].as_u64().unwrap())
        })
        .collect();
    who.sort_unstable();
    let expected = [
        ("", "", 401),
        ("", "", 401),
        ("", "", 403),
        ("ann", "viewer", 403),
        ("bob", "operator", 200),
        ("eve", "admin", 200),
    ];
    assert_eq!(who, expected);
}

#[tokio::test]
async fn the_audit_is_asked_by_flag_and_outcome() {
    let door = door();
    door.act("kill", &[], json!({"variant": "stable", "why": "p99"})).await.good();
    door.act("kill", &[], json!({"variant": "nothing"})).await.problem(422);
    let any = [("if-match", "*")];
    door.ask("POST", "/api/v1/flags/diff/enable", &any, "").await.good();
    let count = async |query: &str| {
        let told = door.get(&format!("/api/v1/audit?{query}")).await.good().json();
        told["records"].as_array().unwrap().len()
    };
    for (query, expected) in [
        ("", 3),
        ("flag=v", 2),
        ("flag=diff", 1),
        ("outcome=refused", 1),
        ("flag=v&outcome=accepted", 1),
        ("by=anonymous", 3),
        ("by=ann", 0),
        ("since=1h", 3),
        ("limit=1", 1),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
    let newest = door.get("/api/v1/audit?limit=1").await.good().json();
    assert_eq!(newest["records"][0]["flag"], "diff", "newest first");
}

#[tokio::test]
async fn the_diff_is_told_beside_the_overlay_where_a_flag_may_have_its_name() {
    let door = door();
    door.act("weight", &[("if-match", "*")], json!({"shares": {"canary": "5%"}})).await.good();
    let told = door.get("/api/v1/diff").await.good().json();
    let diff = &told["diffs"][0];
    assert_eq!((&diff["flag"], &diff["file"]), (&json!("v"), &json!("flags.json")), "{diff}");
    assert!(diff["patch"].as_str().is_some_and(|patch| !patch.is_empty()), "{diff}");
    assert_eq!(door.get("/api/v1/overlay/diff").await.good().json()["flag"], "diff");
}

#[tokio::test]
async fn the_status_tells_what_an_operator_looks_at_first() {
    let door = door();
    let told = door.get("/api/v1/status").await.good().json();
    assert_eq!(told["revision"], door.live.load().snapshot.revision.to_string());
    assert_eq!((&told["durable"], &told["flags"]), (&json!(true), &json!(2)));
    assert_eq!(told["sources"][0]["state"], "ready");
    assert_eq!((&told["problems"], &told["overlay"]), (&json!([]), &json!([])));
    assert_eq!((&told["evaluations"], &told["shadows"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn so_many_may_listen_and_no_more() {
    let door = door();
    let mut listening = Vec::new();
    for _ in 0..64 {
        listening.push(door.listen().await);
    }
    assert!(listening.iter().all(|response| response.status() == 200));
    assert_eq!(listening[0].headers()["content-type"], "text/event-stream");
    assert_eq!(door.listen().await.status(), 503);
    drop(listening.pop());
    assert_eq!(door.listen().await.status(), 200);
}
