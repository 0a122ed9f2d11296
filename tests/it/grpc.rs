//! Calls of gRPC and tunnels of WebSocket through the gateway, by clients and servers that are not ours.

use serde_json::json;

use crate::support::peers::{PythonServer, python_call};
use crate::support::{Gateway, eventually, one_route, opt_in, services};

const GRPC: &str = "grpc_peer.py";
const WEBSOCKETS: &str = "websockets_peer.py";

/// A gateway before two servers in Python; `http` is how versions are spoken to.
fn before(script: &str, http: &str) -> (Gateway, [PythonServer; 2]) {
    let servers = ["stable", "canary"].map(|name| PythonServer::start(script, name));
    let [stable, canary] = servers.each_ref().map(|server| format!("['127.0.0.1:{}']", server.port));
    let config = services(&stable, &canary).replace("endpoints:", &format!("http: {http}, endpoints:"));
    (Gateway::start(&(config + &one_route("inject: [v],")), json!({"v": opt_in()})), servers)
}

#[test]
fn calls_of_each_kind_go_both_ways_and_their_status_is_what_became_of_them() {
    let (gateway, _servers) = before(GRPC, "h2");
    let address = gateway.address("main").to_string();
    for (version, metadata) in [("stable", &[][..]), ("canary", &["x-canary=always"])] {
        let told = python_call(GRPC, &[&[&*address][..], metadata].concat());
        for (call, status, came) in [
            ("unary", "OK", json!(["hello"])),
            ("collect", "OK", json!(["a+b+c"])),
            ("split", "OK", json!(["a", "b", "c"])),
            ("break", "DATA_LOSS", json!(["a"])),
            ("UNAVAILABLE", "UNAVAILABLE", json!([])),
            ("NOT_FOUND", "NOT_FOUND", json!([])),
            ("PERMISSION_DENIED", "PERMISSION_DENIED", json!([])),
        ] {
            let told = &told[call];
            assert_eq!((&told["status"], &told["came"]), (&json!(status), &came), "{version} {call}: {told}");
            assert_eq!(
                (&told["served"], &told["trailed"]),
                (&json!(version), &json!(version)),
                "{call}: {told}"
            );
            assert_eq!(told["forged"], json!(null), "no trailer tells a decision: {call}");
        }
        assert_eq!(told["missing"]["status"], "UNIMPLEMENTED");
        assert_eq!(told["large"], 3 << 20);
        let talk =
            json!({"heard": ["you said one", "you said two", "you said three"], "rest": [], "status": "OK"});
        assert_eq!(told["talk"], talk, "{version}");
        let calls = |status: &str| {
            gateway.metrics().sum("flagway_grpc_calls_total", &[("version", version), ("status", status)])
        };
        let down = f64::from(version == "canary");
        eventually("all calls are counted", || calls("ok") == 6.0 - down);
        assert_eq!(["data_loss", "not_found", "permission_denied", "unimplemented"].map(calls), [1.0; 4]);
        assert_eq!(calls("unavailable"), 1.0 + down);
        let classes = ["2xx", "4xx", "5xx"].map(|class| {
            gateway.metrics().sum("flagway_requests_total", &[("version", version), ("class", class)])
        });
        assert_eq!(classes, [6.0 - down, 2.0, 3.0 + down], "what fails is a failure, whatever HTTP says");
        let failures = gateway.metrics().sum("flagway_version_failures_total", &[("version", version)]);
        assert_eq!(failures, down, "of a call that is over with its head, the version knows");
        gateway.access("the call that broke", |line| {
            line["path"] == "/shop.Shop/break" && line["status"] == 200 && line["grpc_status"] == "data_loss"
        });
    }
}

#[test]
fn a_websocket_goes_to_the_version_that_the_flag_names() {
    let (gateway, _servers) = before(WEBSOCKETS, "h1");
    let url = format!("ws://{}/", gateway.address("main"));
    for (version, fields) in [("stable", &[][..]), ("canary", &["x-canary=always", "x-flag-v=forged"])] {
        let told = python_call(WEBSOCKETS, &[&[&*url][..], fields].concat());
        let expected = json!({"first": format!("{version} {version}"), "heard": [true, true, true, true], "ponged": true, "closed": 1000});
        assert_eq!(told, expected);
    }
}
