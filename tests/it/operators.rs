//! Who may use the operator's door of a running gateway, and what it tells whoever listens.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Client, Gateway, Response, Setup, Shop, flagway, one_route, split};

fn setup(shop: &Shop) -> Setup {
    shop.setup(&(one_route("") + "state_dir: state\n"), json!({"v": split(50)}))
}

fn ask(gateway: &Gateway, method: &str, path: &str, token: Option<&str>, body: &str) -> Response {
    let mut client = Client::new(gateway.admin());
    let request = client.request(method, path).host("localhost").body(body);
    match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")).send(),
        None => request.send(),
    }
}

const KILL: &str = r#"{"variant": "canary", "why": "trust me"}"#;

#[test]
fn tokens_come_and_go_while_the_gateway_runs() {
    let shop = Shop::start();
    let gateway = setup(&shop).start();
    let state = gateway.path("state");
    let state = state.to_str().unwrap();
    let token = |arguments: &[&str]| {
        flagway(&gateway.path(""), &[&["token"], arguments, &["--state-dir", state]].concat())
    };
    assert_eq!(ask(&gateway, "GET", "/api/v1/flags", None, "").status, 200, "no token is asked for yet");

    let new = |name: &str, role: &str| token(&["new", "--name", name, "--role", role]).succeeded().stdout;
    let (ann, bob) = (new("ann", "viewer"), new("bob", "operator"));
    assert!(ann.starts_with("fw_") && ann.ends_with('\n') && ann.len() == 68, "{ann}");
    let (ann, bob) = (ann.trim(), bob.trim());
    assert_eq!(ask(&gateway, "GET", "/api/v1/flags", None, "").status, 401);
    assert_eq!(ask(&gateway, "GET", "/api/v1/flags", Some(ann), "").status, 200);
    let refused = ask(&gateway, "POST", "/api/v1/flags/v/kill", Some(ann), KILL);
    assert_eq!(refused.json()["detail"], "`ann` is a viewer; this needs the role operator");
    assert_eq!(ask(&gateway, "POST", "/api/v1/flags/v/kill", Some(bob), KILL).status, 200);
    assert_eq!(gateway.get("/").text(), "canary");

    assert!(token(&["new", "--name", "bob", "--role", "admin"]).failed_with(1).output().contains("already"));
    let list = token(&["list"]).succeeded().stdout;
    assert!(list.contains("ann  viewer") && list.contains(&bob[bob.len() - 4..]), "{list}");
    assert!(!list.contains(bob) && !gateway.stderr.text().contains(bob), "told once");
    let json: Value = serde_json::from_str(&token(&["list", "--json"]).succeeded().stdout).unwrap();
    assert_eq!(json["tokens"][1]["role"], "operator");
    token(&["revoke", "bob"]).succeeded();
    assert_eq!(ask(&gateway, "DELETE", "/api/v1/overlay/v", Some(bob), "").status, 401);
    let audit = ask(&gateway, "GET", "/api/v1/audit?outcome=accepted", Some(ann), "").json();
    let kill = &audit["records"][0];
    assert_eq!(
        (&kill["by"], &kill["role"], &kill["from"]),
        (&json!("bob"), &json!("operator"), &json!("127.0.0.1"))
    );
    assert!(token(&["revoke", "ann"]).succeeded().stdout.contains("no token is left"));
    assert_eq!(ask(&gateway, "GET", "/api/v1/flags", None, "").status, 401, "nobody is let in by that");
}

#[test]
fn who_tries_tokens_has_to_wait() {
    let shop = Shop::start();
    let setup = setup(&shop);
    let made = setup.command(&["token", "new", "--name", "ann", "--role", "viewer"]).succeeded().stdout;
    let gateway = setup.start();
    let statuses: Vec<u16> =
        (0..12).map(|_| ask(&gateway, "GET", "/api/v1/flags", Some("fw_guess"), "").status).collect();
    assert_eq!(statuses, [[401; 10].as_slice(), &[429; 2]].concat());
    let told = ask(&gateway, "GET", "/api/v1/flags", Some("fw_guess"), "");
    let wait = told.header("retry-after").and_then(|wait| wait.parse::<u64>().ok());
    assert!(wait.is_some_and(|wait| (1..=60).contains(&wait)), "{wait:?}");
    assert_eq!(ask(&gateway, "GET", "/api/v1/flags", Some(made.trim()), "").status, 200);
}

#[test]
fn who_listens_is_told_what_happens_until_the_gateway_stops() {
    let shop = Shop::start();
    let mut gateway = setup(&shop).start();
    let mut stream = TcpStream::connect(gateway.admin()).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    stream.write_all(b"GET /api/v1/events?split=true HTTP/1.0\r\nhost: localhost\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("it is sent until the end"));
    let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(
        head[0].contains(" 200 ") && head.iter().any(|line| line == "content-type: text/event-stream"),
        "{head:?}"
    );

    assert_eq!(ask(&gateway, "POST", "/api/v1/flags/v/kill", None, KILL).status, 200);
    let mut event = |name: &str| {
        let line = format!("event: {name}");
        lines.by_ref().find(|told| *told == line).unwrap_or_else(|| panic!("no {name}"));
        let data = lines.by_ref().find_map(|line| line.strip_prefix("data: ").map(str::to_owned));
        serde_json::from_str::<Value>(&data.expect("an event has data")).unwrap()
    };
    // The order of the two is the keeper's.
    let told = event("overlay");
    assert_eq!((&told["record"]["action"], &told["record"]["why"]), (&json!("kill"), &json!("trust me")));
    gateway.get("/");
    loop {
        let split = event("split");
        match split["flags"].get("v") {
            Some(variants) => break assert_eq!(*variants, json!({"canary": 1})),
            None => assert_eq!(split["flags"], json!({})),
        }
    }
    gateway.signal("TERM");
    gateway.wait();
    lines.for_each(drop);
}
