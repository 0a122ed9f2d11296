//! Who may use the operator's hand: roles, one by one, and what is written down of whoever may not.

use serde_json::{Value, json};

use crate::support::{Gateway, Shop, eventually, flagway, one_route, split};

fn start() -> (Shop, Gateway) {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), json!({"v": split(10)}));
    (shop, gateway)
}

/// Makes a token, as root would beside a running gateway.
fn token(gateway: &Gateway, name: &str, role: &str) -> String {
    let state = gateway.path("state");
    let state = state.to_str().expect("a path is text");
    let words = ["token", "new", "--name", name, "--role", role, "--state-dir", state];
    flagway(&gateway.path(""), &words).succeeded().stdout.trim().to_owned()
}

#[test]
fn each_role_may_do_what_it_is_for() {
    let (_shop, gateway) = start();
    let [viewer, operator, admin] = ["viewer", "operator", "admin"].map(|role| token(&gateway, role, role));
    let kill = || json!({"variant": "stable"});
    let share = || json!({"shares": {"canary": "5%"}});
    let cases = [
        ("GET", "/api/v1/flags", Value::Null, [200, 200, 200]),
        ("GET", "/api/v1/flags/v", Value::Null, [200, 200, 200]),
        ("GET", "/api/v1/overlay", Value::Null, [200, 200, 200]),
        ("GET", "/api/v1/audit", Value::Null, [200, 200, 200]),
        ("GET", "/api/v1/diff", Value::Null, [200, 200, 200]),
        ("GET", "/api/v1/status", Value::Null, [200, 200, 200]),
        ("POST", "/api/v1/explain", json!({"url": "/"}), [200, 200, 200]),
        ("POST", "/api/v1/flags/v/kill", kill(), [403, 200, 200]),
        ("POST", "/api/v1/flags/v/weight", share(), [403, 200, 200]),
        ("POST", "/api/v1/flags/v/release", Value::Null, [403, 200, 200]),
        ("POST", "/api/v1/flags/v/disable", Value::Null, [403, 200, 200]),
        ("POST", "/api/v1/flags/v/enable", Value::Null, [403, 200, 200]),
        ("POST", "/api/v1/flags/v/set", json!({"definition": split(20)}), [403, 200, 200]),
        (
            "PUT",
            "/api/v1/overlay/v",
            json!({"entries": [{"kind": "kill", "variant": "stable"}]}),
            [403, 200, 200],
        ),
        ("DELETE", "/api/v1/overlay/v", Value::Null, [403, 200, 409]),
        ("GET", "/api/v1/flags", Value::Null, [200, 200, 200]),
    ];
    for (method, target, body, expected) in cases {
        for (token, status) in [&viewer, &operator, &admin].into_iter().zip(expected) {
            let answer = gateway.operator_with(token).ask(method, target, &[("if-match", "*")], &body);
            assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
        }
        let nobody = gateway.operator_with("fw_nobody").ask(method, target, &[("if-match", "*")], &body);
        assert!(matches!(nobody.status, 401 | 429), "{method} {target}: {}", nobody.status);
    }
    let mut viewer = gateway.operator_with(&viewer);
    eventually("the refusals are in the audit", || viewer.audit("by=viewer").len() == 8);
    let by = |viewer: &mut crate::support::Operator, name: &str| {
        let all = viewer.audit(&format!("by={name}&limit=1000"));
        let accepted = all.iter().filter(|record| record["accepted"] == true).count();
        (accepted, all.len() - accepted)
    };
    assert_eq!(by(&mut viewer, "viewer"), (0, 8));
    assert_eq!(by(&mut viewer, "operator"), (8, 0));
    assert_eq!(by(&mut viewer, "admin"), (7, 1));
}

#[test]
fn a_revoked_token_is_worth_nothing_at_the_next_request() {
    let (_shop, gateway) = start();
    token(&gateway, "ann", "admin");
    let bob = token(&gateway, "bob", "operator");
    let mut operator = gateway.operator_with(&bob);
    operator.kill("v", "stable");
    let state = gateway.path("state");
    let words = ["token", "revoke", "bob", "--state-dir", state.to_str().expect("a path is text")];
    flagway(&gateway.path(""), &words).succeeded();
    assert_eq!(operator.write("v", "release", json!({})).status, 401);
    assert_eq!(gateway.client().get("/").send().text(), "stable", "what was done by it stands");
}

#[test]
fn who_fails_too_often_waits_and_a_right_token_never_does() {
    let (_shop, gateway) = start();
    let right = token(&gateway, "ann", "operator");
    let mut wrong = gateway.operator_with("fw_wrong");
    let answers: Vec<_> = (0..12).map(|_| wrong.write("v", "kill", json!({"variant": "canary"}))).collect();
    assert_eq!(answers[0].status, 401);
    let last = answers.last().expect("there are some");
    assert_eq!(last.status, 429);
    let wait: u64 = last.header("retry-after").expect("how long").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    gateway.operator_with(&right).kill("v", "stable");
}

#[test]
fn a_page_in_a_browser_writes_nothing_and_is_written_down() {
    let (_shop, gateway) = start();
    let mut operator = gateway.operator();
    let revision = gateway.revision();
    let body = json!({"variant": "canary"});
    let lines: [(&str, &str); 3] =
        [("origin", "https://evil.example"), ("origin", "null"), ("host", "evil.example")];
    for line in lines {
        let answer = operator.ask("POST", "/api/v1/flags/v/kill", &[line], &body);
        assert_eq!(answer.status, 403, "{line:?}: {}", answer.text());
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    assert_eq!(operator.ask("OPTIONS", "/api/v1/flags/v/kill", &[lines[0]], &Value::Null).status, 403);
    assert_eq!(gateway.revision(), revision);
    // Whoever has no right does not wait for the disk.
    eventually("all three are in the audit", || operator.audit("outcome=refused").len() == 3);
    let audit = operator.audit("");
    assert!(audit.iter().all(|record| record["status"] == 403 && record["from"] == "127.0.0.1"), "{audit:?}");
}
