//! Upgrades: another process takes the sockets, and nobody notices; or it does not, and nothing has happened.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::support::{Answer, Client, Gateway, Setup, Shop, Stay, eventually, one_route, opt_in};

fn generation(gateway: &Gateway) -> f64 {
    gateway.metrics().sum("flagway_generation", &[])
}

#[test]
fn a_new_process_serves_on_the_same_sockets_and_the_old_one_ends() {
    let shop = Shop::start();
    let mut gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let (began, old) = (gateway.metrics().sum("flagway_start_time_seconds", &[]), gateway.pid());
    assert_eq!(generation(&gateway), 1.0);
    for number in 2..4_u8 {
        let new = gateway.begin_upgrade();
        assert_ne!(new, old);
        if number == 2 {
            assert_eq!(gateway.wait_for_former().code(), Some(0));
        }
        assert_eq!(gateway.get("/").status, 200);
        assert_eq!(gateway.probe("/readyz").status, 200);
        eventually("the probes are the new process's", || generation(&gateway) == f64::from(number));
        assert_eq!(gateway.api("/api/v1/status").status, 200);
    }
    assert!(gateway.metrics().sum("flagway_start_time_seconds", &[]) >= began);
    gateway.stop_heir("TERM");
}

#[test]
fn a_request_in_flight_is_answered_by_the_old_process() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::new(200, "late but whole").after(Duration::from_millis(1500)));
    let mut gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let address = gateway.address("main");
    let request = std::thread::spawn(move || Client::new(address).get("/").send());
    shop.stable.wait_for(1);
    gateway.begin_upgrade();
    shop.stable.answer(|_| Answer::new(200, "new"));
    assert_eq!(gateway.get("/").text(), "new");
    let response = request.join().expect("the request was answered");
    assert_eq!((response.status, response.text()), (200, "late but whole".to_owned()));
    assert_eq!(response.header("connection").as_deref(), Some("close"));
    assert_eq!(gateway.wait_for_former().code(), Some(0));
}

#[test]
fn what_was_done_by_hand_in_the_last_moment_stands_in_the_new_process() {
    let shop = Shop::start();
    let mut gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let kill = |variant: &str| json!({"variant": variant, "why": "errors"}).to_string();
    let admin = gateway.admin();
    let mut operator = Client::new(admin);
    let mut post = |body: String| {
        operator
            .post("/api/v1/flags/v/kill", body)
            .header("content-type", "application/json")
            .host("127.0.0.1")
            .try_send()
    };
    // As many as fit beside the upgrade: each is either done and stands, or refused.
    let upgraded = std::thread::scope(|scope| {
        let upgrade = scope.spawn(|| gateway.begin_upgrade());
        let (mut done, mut last) = (0, "stable");
        while !upgrade.is_finished() {
            let next = if last == "stable" { "canary" } else { "stable" };
            match post(kill(next)) {
                Ok(response) if response.status == 200 => (done, last) = (done + 1, next),
                Ok(response) => assert_eq!(response.status, 503, "{}", response.text()),
                // The door was closed in between.
                Err(_) => {}
            }
        }
        upgrade.join().expect("it took over");
        (done, last)
    });
    assert!(upgraded.0 > 0, "something was done beside the upgrade");
    assert_eq!(gateway.get("/").text(), upgraded.1);
    let audit = gateway.api("/api/v1/audit?limit=1000").json();
    let accepted =
        audit["records"].as_array().expect("records").iter().filter(|record| record["accepted"] == true);
    assert_eq!(accepted.count(), upgraded.0);
}

#[test]
fn the_new_process_has_the_new_configuration_with_its_listeners() {
    let shop = Shop::start();
    let mut gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    gateway.replace_config(&shop.config(
        &(one_route("")
            + "listeners: [{name: main, bind: '127.0.0.1:0'}, {name: more, bind: '127.0.0.1:0'}]\n"),
    ));
    gateway.upgrade();
    assert_eq!(gateway.get("/").status, 200);
    assert_eq!(Client::new(gateway.address("more")).get("/").send().status, 200);
}

#[test]
fn a_new_process_that_fails_changes_nothing_and_the_command_says_why() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let broken = gateway.path("broken");
    std::fs::write(&broken, "#!/bin/sh\nexit 3\n").unwrap();
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).unwrap();
    let upgrade = |arguments: &[&str]| {
        crate::support::flagway(&gateway.path(""), &[&["upgrade"], arguments].concat())
            .failed_with(1)
            .output()
    };
    let told = upgrade(&["--to", "broken"]);
    assert!(told.contains("ended before it was ready (exit status: 3)"), "{told}");
    let told = upgrade(&["--to", "missing"]);
    assert!(told.contains("missing cannot be started: No such file"), "{told}");

    // It takes the state folder, and fails behind that.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    gateway.replace_config(
        &shop.config(&(one_route("") + &format!("listeners: [{{name: main, bind: '127.0.0.1:{port}'}}]\n"))),
    );
    let told = upgrade(&[]);
    assert!(told.contains(&format!("another process has port {port}")), "{told}");
    gateway.replace_config("services: {}\n");
    let told = upgrade(&["--state-dir", "state"]);
    assert!(told.contains("the gateway serves on") && told.contains("routes"), "{told}");

    assert_eq!(gateway.get("/").text(), "stable");
    let kill = Client::new(gateway.admin())
        .post("/api/v1/flags/v/kill", json!({"variant": "canary", "why": "it writes again"}).to_string())
        .header("content-type", "application/json")
        .host("127.0.0.1")
        .send();
    assert_eq!(kill.status, 200, "{}", kill.text());
    assert_eq!(gateway.get("/").text(), "canary");
    gateway.stop();
}

#[test]
fn two_processes_never_have_one_state_folder() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let told = crate::support::flagway(&gateway.path(""), &["run"]).failed_with(1).output();
    for word in ["state_dir", &format!("the process {}", gateway.pid()), "flagway upgrade"] {
        assert!(told.contains(word), "{word} in:\n{told}");
    }
    gateway.stop().start();
}

#[test]
fn without_a_gateway_or_a_folder_the_command_says_so() {
    let setup = Setup::new(&Shop::start().config(&one_route("")));
    let told = setup.command(&["upgrade"]).failed_with(1).output();
    assert!(told.contains("no gateway runs with this state folder"), "{told}");
    let told = setup.command(&["run", "--taking-over"]).failed_with(1).output();
    assert!(told.contains("nothing to take over"), "{told}");
}

#[test]
fn streams_of_the_old_process_last_until_its_grace_is_over() {
    let shop = crate::support::LongUpstream::start("stable");
    let services = crate::support::services(&format!("['{}']", shop.address()), "['127.0.0.1:1']");
    let config = services + &one_route("") + "shutdown: {grace: 2s}\n";
    let mut gateway = Setup::new(&config).flags(json!({"v": opt_in()})).start();
    let (mut tunnel, _) = Stay::tunnel(&gateway, &[]);
    gateway.begin_upgrade();
    tunnel.echoes("still here");
    let (mut new, _) = Stay::tunnel(&gateway, &[]);
    assert_eq!(tunnel.end(), "");
    assert_eq!(gateway.wait_for_former().code(), Some(0));
    new.echoes("and here");
    let line = gateway.access("the cut tunnel", |line| line["path"] == "/tunnel");
    assert_eq!(line["status"], 101);
}

#[test]
fn a_supervisor_is_told_who_serves_and_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let told = || {
        let mut text = [0; 200];
        let length = socket.recv(&mut text).expect("something is told");
        String::from_utf8_lossy(&text[..length]).trim().to_owned()
    };
    let setup = Shop::start().setup(&one_route(""), json!({"v": opt_in()}));
    let mut gateway = setup.env("NOTIFY_SOCKET", &folder.path().join("notify").display().to_string()).start();
    assert_eq!(told(), "READY=1");
    let new = gateway.upgrade();
    assert_eq!([told(), told()], [format!("MAINPID={new}"), "READY=1".to_owned()]);
    gateway.stop_heir("TERM");
    assert_eq!(told(), "STOPPING=1");
}

#[test]
fn a_signal_to_all_processes_does_not_cut_what_the_old_one_finishes() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::new(200, "late but whole").after(Duration::from_secs(2)));
    let mut gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let address = gateway.address("main");
    let request = std::thread::spawn(move || Client::new(address).get("/").send());
    shop.stable.wait_for(1);
    gateway.begin_upgrade();
    gateway.signal("TERM");
    gateway.stop_heir("TERM");
    assert_eq!(request.join().expect("the request was answered").text(), "late but whole");
    assert_eq!(gateway.wait_for_former().code(), Some(0));
}

#[test]
fn the_unit_for_systemd_is_one_that_systemd_takes() {
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/flagway.service");
    let text = std::fs::read_to_string(unit).unwrap();
    for line in
        ["Type=notify", "ExecReload=/bin/kill -HUP $MAINPID", "NoNewPrivileges=yes", "ProtectSystem=strict"]
    {
        assert!(text.lines().any(|have| have == line), "{line}");
    }
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("flagway.service");
    std::fs::write(&copy, text.replace("/usr/local/bin/flagway", env!("CARGO_BIN_EXE_flagway"))).unwrap();
    match Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&copy).output() {
        Ok(verified) => {
            let told = String::from_utf8_lossy(&verified.stderr);
            assert!(verified.status.success() && !told.contains("flagway.service"), "{told}");
        }
        Err(error) => eprintln!("not verified: systemd-analyze: {error}"),
    }
}
