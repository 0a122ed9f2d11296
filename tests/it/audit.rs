//! `flagway audit`: the writes by hand, asked of a running gateway and read from the files that it left.

use serde_json::{Value, json};

use crate::support::{Client, DEAD, Gateway, Setup, flagway, one_route, services, split};

fn setup() -> Setup {
    let address = format!("['{DEAD}']");
    Setup::new(&(services(&address, &address) + &one_route(""))).flags(json!({"v": split(5), "w": split(5)}))
}

#[track_caller]
fn write(gateway: &Gateway, what: &str, body: &Value, condition: &str) -> u16 {
    let mut client = Client::new(gateway.admin());
    let request = client.post(&format!("/api/v1/flags/{what}"), body.to_string()).host("127.0.0.1");
    request.header("content-type", "application/json").header("if-match", condition).send().status
}

#[test]
fn the_audit_is_told_by_a_running_gateway_and_read_when_it_is_down() {
    let gateway = setup().start();
    let kill = json!({"variant": "stable", "why": "errors \u{9b}31m"});
    // No reason has a control character.
    assert_eq!(write(&gateway, "v/kill", &kill, "*"), 400);
    assert_eq!(write(&gateway, "v/kill", &json!({"variant": "stable", "why": "errors"}), "*"), 200);
    assert_eq!(write(&gateway, "w/weight", &json!({"shares": {"canary": "7%"}}), "*"), 200);
    assert_eq!(write(&gateway, "v/release", &json!({}), "\"0\""), 412);

    let address = format!("http://{}", gateway.admin());
    let home = gateway.path("");
    let asked = |more: &[&str]| {
        let asked = [&["audit", "--gateway", &address][..], more].concat();
        flagway(&home, &asked).succeeded().stdout
    };
    let all = asked(&[]);
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(lines.len(), 5, "a day and four writes:\n{all}");
    for (line, words) in lines[1..].iter().zip([
        ["anonymous", "release", "  v  refused 412"],
        ["anonymous", "weight", "  w  none -> canary 7%"],
        ["anonymous", "kill", "  v  none -> kill stable: errors"],
        ["anonymous", "kill", "  v  refused 400"],
    ]) {
        assert!(words.iter().all(|word| line.contains(word)), "{words:?} in {line}");
        assert!(line.chars().count() <= 80 && !line.contains(char::is_control), "{line}");
    }
    let count = |more: &[&str]| {
        let told: Value = serde_json::from_str(&asked(&[more, &["--json"]].concat())).unwrap();
        told["records"].as_array().unwrap().len()
    };
    for (more, expected) in [
        (&[][..], 4),
        (&["--flag", "w"][..], 1),
        (&["--refused"][..], 2),
        (&["--by", "anonymous", "--since", "1h"][..], 4),
        (&["--by", "ann"][..], 0),
        (&["--since", "2999-01-01T00:00:00Z"][..], 0),
        (&["--limit", "3"][..], 3),
    ] {
        assert_eq!(count(more), expected, "{more:?}");
    }
    let json: Value = serde_json::from_str(&asked(&["--json"])).unwrap();
    assert_eq!(json, gateway.api("/api/v1/audit").json());

    let setup = gateway.stop();
    assert_eq!(setup.command(&["audit", "--state-dir", "state"]).succeeded().stdout, all);
    let read = setup.command(&["audit", "--state-dir", "state", "--json"]).succeeded().stdout;
    assert_eq!(serde_json::from_str::<Value>(&read).unwrap(), json);
}

#[test]
fn what_cannot_be_told_is_an_error_with_a_reason() {
    let setup = setup();
    let nobody = format!("http://{DEAD}");
    for (arguments, words) in [
        (&["audit", "--gateway", &nobody][..], &["no answer", "127.0.0.1:1"][..]),
        (&["audit", "--state-dir", "nowhere"][..], &["`nowhere`", "audit.jsonl"]),
    ] {
        let ran = setup.command(arguments).failed_with(1);
        assert!(words.iter().all(|word| ran.stderr.contains(word)), "{}", ran.stderr);
    }
    let gateway = setup.start();
    let address = format!("http://{}", gateway.admin());
    for source in [["--gateway", &address], ["--state-dir", "state"]] {
        let wrong = [&["audit", "--since", "yesterday"][..], &source].concat();
        let ran = flagway(&gateway.path(""), &wrong).failed_with(1);
        assert!(
            ran.stderr.contains("`since` is \"yesterday\"; expected a duration such as `2h`"),
            "{}",
            ran.stderr
        );
        let none = [&["audit"][..], &source].concat();
        assert_eq!(flagway(&gateway.path(""), &none).succeeded().stdout, "there is no such record\n");
    }
}
