//! Which certificate is shown, and how it is replaced under way: by whoever writes files as certbot or Kubernetes do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Authority, Client, Gateway, Issued, Setup, Shop, eventually, one_route, within};

/// A TLS listener `safe` with these keys.
pub fn safe(keys: &str) -> String {
    one_route("") + &format!("listeners: [{{name: safe, bind: '127.0.0.1:0', tls: {{{keys}}}}}]\n")
}

fn pair(name: &str) -> String {
    format!("{{cert: {name}.pem, key: {name}.key}}")
}

fn with(setup: Setup, name: &str, issued: &Issued) -> Setup {
    setup.file(&format!("{name}.pem"), &issued.cert).file(&format!("{name}.key"), &issued.key)
}

/// Puts the files of a pair in place one after the other, as certbot does.
fn replace(gateway: &Gateway, name: &str, issued: &Issued) {
    gateway.replace(&format!("{name}.pem"), &issued.cert);
    gateway.replace(&format!("{name}.key"), &issued.key);
}

fn problems(gateway: &Gateway) -> Vec<String> {
    let snapshot = gateway.api("/api/v1/snapshot").json();
    let problems = snapshot["problems"].as_array().expect("a list");
    let about = problems.iter().filter(|problem| problem["kind"] == "certificate");
    about.map(|problem| problem["found"].as_str().unwrap_or_default().to_owned()).collect()
}

fn told(gateway: &Gateway) -> f64 {
    gateway.metrics().sum("flagway_problems", &[("kind", "certificate")])
}

#[test]
fn a_certificate_is_picked_by_name_and_the_first_serves_all_others() {
    let authority = Authority::new();
    // Both names of the first, so that a client takes it where no other fits.
    let first = authority.issue(&["first.test", "nobody.test", "a.b.shop.test"]);
    let (wild, exact) = (authority.issue(&["*.shop.test"]), authority.issue(&["a.shop.test"]));
    let shop = Shop::start();
    let certificates = format!("certificates: [{}, {}, {}]", pair("first"), pair("wild"), pair("exact"));
    let setup = shop.setup(&safe(&certificates), json!({}));
    let gateway = [("first", &first), ("wild", &wild), ("exact", &exact)]
        .into_iter()
        .fold(setup, |setup, (name, issued)| with(setup, name, issued))
        .start();
    let (address, client) = (gateway.address("safe"), authority.client());
    let table = [
        ("first.test", &first),
        ("a.shop.test", &exact),
        ("A.Shop.Test", &exact),
        ("b.shop.test", &wild),
        ("a.b.shop.test", &first),
        ("nobody.test", &first),
    ];
    for (name, expected) in table {
        assert!(expected.is_shown(address, name, &client), "{name}");
    }
    assert!(!first.is_shown(address, "stranger.test", &client), "it is not its name");
    let metrics = gateway.metrics();
    for name in ["first.test", "*.shop.test", "a.shop.test"] {
        let left =
            metrics.sum("flagway_certificate_expires_seconds", &[("listener", "safe"), ("name", name)]);
        assert!(left > 1e9, "{name}: {left}");
    }
}

#[test]
fn a_pair_that_cannot_be_used_leaves_the_old_one_and_is_told_until_it_is_mended() {
    let authority = Authority::new();
    let names = ["shop.test"];
    let (old, new) = (authority.issue(&names), authority.issue(&names));
    let shop = Shop::start();
    let config = safe(&format!("certificates: [{}]", pair("s")));
    let gateway = with(shop.setup(&config, json!({})), "s", &old).start();
    let (address, client) = (gateway.address("safe"), authority.client());
    let broken = [new.cert.clone(), String::from("nothing"), new.cert[..new.cert.len() / 2].to_owned()];
    for (index, text) in broken.iter().enumerate() {
        gateway.replace("s.pem", text);
        eventually("it is a problem", || told(&gateway) == 1.0);
        let found = problems(&gateway);
        assert!(found[0].contains("s.pem") && found[0].contains("the one before is shown"), "{found:?}");
        assert!(old.is_shown(address, "shop.test", &client));
        if index == 0 {
            gateway.wait_for_log("what is wrong", |line| {
                line["fields"]["key"] == "listeners[0].tls.certificates[0]"
                    && line["fields"]["message"].as_str().is_some_and(|text| text.contains("does not belong"))
            });
        }
    }
    std::fs::remove_file(gateway.path("s.key")).unwrap();
    eventually("what is not there is told, too", || problems(&gateway)[0].contains("cannot be read"));
    replace(&gateway, "s", &new);
    eventually("the new one is shown", || new.is_shown(address, "shop.test", &client));
    eventually("nothing is wrong any more", || told(&gateway) == 0.0);
    assert_eq!(problems(&gateway), [""; 0]);
}

#[test]
fn a_start_without_a_usable_pair_says_why() {
    let authority = Authority::new();
    let shop = Shop::start();
    let config = safe(&format!("certificates: [{}, {}]", pair("s"), pair("t")));
    let (own, other) = (authority.issue(&["s.test"]), authority.issue(&["t.test"]));
    let setup = with(shop.setup(&config, json!({})), "s", &own).file("t.pem", &other.cert);
    let setup = setup.file("t.key", &own.key);
    for command in ["run", "check"] {
        let ran = setup.command(&[command]);
        assert_eq!(ran.code, Some(1), "{command}");
        let output = ran.output();
        assert!(output.contains("the key does not belong to the certificate"), "{command}: {output}");
        assert!(output.contains("listeners[0].tls.certificates[1]"), "{command}: {output}");
    }
}

#[test]
fn check_warns_of_an_end_that_comes_near_and_fails_at_one_that_is_over() {
    let authority = Authority::new();
    let shop = Shop::start();
    let config = safe(&format!("certificates: [{}, {}]", pair("s"), pair("t")));
    let checked = |days: i64, arguments: &[&str]| {
        let setup = with(
            shop.setup(&config, json!({"v": crate::support::opt_in()})),
            "s",
            &authority.issue(&["s.test"]),
        );
        with(setup, "t", &authority.issue_for(&["t.test"], days)).command(arguments)
    };
    let fine = checked(22, &["check", "--strict"]);
    assert_eq!(fine.code, Some(0), "{}", fine.output());
    let soon = checked(20, &["check"]);
    assert_eq!(soon.code, Some(0), "{}", soon.output());
    assert!(soon.output().contains("the certificate t.pem expires in "), "{}", soon.output());
    assert_eq!(checked(20, &["check", "--strict"]).code, Some(1));
    let over = checked(-1, &["check"]);
    assert_eq!(over.code, Some(1), "{}", over.output());
    assert!(over.output().contains("expired on"), "{}", over.output());
}

#[test]
fn a_configuration_changes_certificates_without_a_restart() {
    let authority = Authority::new();
    let (one, two) = (authority.issue(&["one.test"]), authority.issue(&["two.test"]));
    let shop = Shop::start();
    let config = |keys: &str| shop.config(&safe(keys));
    let only = format!("certificates: [{}]", pair("one"));
    let setup = with(shop.setup(&safe(&only), json!({})), "one", &one);
    let gateway = with(setup, "two", &two).start();
    let (address, client) = (gateway.address("safe"), authority.client());
    assert!(!two.is_shown(address, "two.test", &client));
    let mut kept = Client::tls(address, "one.test", client.clone());
    assert_eq!(kept.get("/").host("one.test").send().status, 200);
    gateway.replace_config(&config(&format!(
        "certificates: [{}, {}], min_version: '1.3'",
        pair("one"),
        pair("two")
    )));
    eventually("the second is shown", || two.is_shown(address, "two.test", &client));
    assert!(one.is_shown(address, "one.test", &client));
    let old = authority.client_with(&[&rustls::version::TLS12]);
    assert!(!one.is_shown(address, "one.test", &old), "TLS 1.2 is not spoken any more");
    assert_eq!(kept.get("/").host("one.test").send().status, 200, "the connection goes on");
    gateway.replace_config(&config(&format!("certificates: [{}, {}]", pair("one"), pair("none"))));
    eventually("what is not there is told", || {
        problems(&gateway).iter().any(|found| found.contains("none.pem"))
    });
    assert!(one.is_shown(address, "one.test", &client));
    assert!(one.is_shown(address, "one.test", &old), "the rest of it holds");
    assert!(gateway.stderr.all().iter().all(|line| !line.contains("only at a restart")));
}

/// How files are replaced.
#[derive(Clone, Copy)]
enum Way {
    Rename,
    InPlace,
    /// As Kubernetes does: a link to a folder with both is swapped.
    Swap,
}

fn write(gateway: &Gateway, number: usize, way: Way, issued: &Issued) {
    let folder = gateway.path("mount");
    match way {
        Way::Rename => {
            gateway.replace("mount/s.pem", &issued.cert);
            gateway.replace("mount/s.key", &issued.key);
        }
        Way::InPlace => {
            std::fs::write(folder.join("s.pem"), &issued.cert).unwrap();
            std::fs::write(folder.join("s.key"), &issued.key).unwrap();
        }
        Way::Swap => {
            let data = folder.join(format!("..{number}"));
            std::fs::create_dir(&data).unwrap();
            std::fs::write(data.join("s.pem"), &issued.cert).unwrap();
            std::fs::write(data.join("s.key"), &issued.key).unwrap();
            let swap = |target: String, link: &str| {
                let aside = folder.join("..tmp");
                std::os::unix::fs::symlink(target, &aside).unwrap();
                std::fs::rename(aside, folder.join(link)).unwrap();
            };
            swap(format!("..{number}"), "..data");
            swap("..data/s.pem".to_owned(), "s.pem");
            swap("..data/s.key".to_owned(), "s.key");
        }
    }
}

#[test]
fn certificates_are_replaced_under_load_and_no_request_fails() {
    let authority = Authority::new();
    let issue = || authority.issue(&["shop.test"]);
    let shop = Shop::start();
    let config = safe("certificates: [{cert: mount/s.pem, key: mount/s.key}]") + "access_log: {to: 'off'}\n";
    let first = issue();
    let setup = shop.setup(&config, json!({})).file("mount/s.pem", &first.cert);
    let gateway = setup.file("mount/s.key", &first.key).start();
    let (address, client) = (gateway.address("safe"), authority.client());
    let (done, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let (done, count, client, authority) = (&done, &count, &client, &authority);
        for keeps in [true, false, false] {
            scope.spawn(move || {
                let _end = OnDrop(done);
                let mut kept = Client::tls(address, "shop.test", client.clone());
                while !done.load(Ordering::Relaxed) {
                    if !keeps {
                        kept = Client::tls(address, "shop.test", authority.client());
                    }
                    let response = kept.get("/").send();
                    assert_eq!((response.status, &*response.text()), (200, "stable"));
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _end = OnDrop(done);
        for number in 0..60 {
            let way = [Way::Rename, Way::InPlace, Way::Swap][number % 3];
            let issued = issue();
            if number % 4 == 1 {
                // The key of another: it must never be taken.
                write(&gateway, number, way, &Issued { key: issue().key, cert: issued.cert });
                continue;
            }
            write(&gateway, number, way, &issued);
            within(Duration::from_secs(10), "it is shown", || {
                assert!(!done.load(Ordering::Relaxed), "a request failed");
                issued.is_shown(address, "shop.test", client).then_some(())
            });
        }
    });
    let made = count.load(Ordering::Relaxed);
    eprintln!("{made} requests over 60 replacements");
    assert!(made > 500, "{made} requests");
}

struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn curl_and_openssl_speak_with_it() {
    let authority = Authority::new();
    let shop = Shop::start();
    let config = safe(&format!("certificates: [{}]", pair("s")));
    let setup = with(shop.setup(&config, json!({})), "s", &authority.issue(&["shop.test"]));
    let gateway = setup.file("ca.pem", &authority.pem()).start();
    let (port, ca) = (gateway.address("safe").port(), gateway.path("ca.pem"));
    for (option, version) in [("--http2", "2"), ("--http1.1", "1.1"), ("--tls-max=1.2", "2")] {
        let mut curl = std::process::Command::new("curl");
        curl.args(["-sS", "-w", " %{http_version}", "--cacert"]).arg(&ca);
        match option.split_once('=') {
            Some((option, value)) => curl.args([option, value]),
            None => curl.arg(option),
        };
        let resolve = format!("shop.test:{port}:127.0.0.1");
        let ran = curl.args(["--resolve", &resolve, &format!("https://shop.test:{port}/")]).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        assert_eq!(said, format!("stable {version}"), "{option}");
    }
    for (option, version) in [("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2"), ("-tls1_1", "")] {
        let mut openssl = std::process::Command::new("openssl");
        openssl.args(["s_client", "-brief", "-servername", "shop.test", "-verify_return_error", "-CAfile"]);
        let connect = format!("127.0.0.1:{port}");
        let openssl =
            openssl.arg(&ca).args(["-connect", &connect, option]).stdin(std::process::Stdio::null());
        let ran = openssl.output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        let spoken = said.lines().find_map(|line| line.strip_prefix("Protocol version: ")).unwrap_or("");
        assert_eq!(spoken, version, "{said}");
    }
}

#[test]
fn handshakes_that_fail_are_counted_by_reason_and_flood_no_log() {
    let authority = Authority::new();
    let shop = Shop::start();
    let config = safe(&format!("certificates: [{}]", pair("s"))) + "limits: {handshake_time: 300ms}\n";
    let setup = with(shop.setup(&config, json!({})), "s", &authority.issue(&["shop.test"]));
    let gateway = setup.start();
    let address = gateway.address("safe");
    let failed = |why: &str| {
        gateway.metrics().sum("flagway_handshakes_failed_total", &[("listener", "safe"), ("why", why)])
    };
    for _ in 0..20 {
        assert!(Client::new(address).get("/").try_send().is_err(), "no TLS, no answer");
        assert!(Client::tls(address, "shop.test", Authority::new().client()).get("/").try_send().is_err());
        drop(std::net::TcpStream::connect(address).unwrap());
    }
    let silent: Vec<_> = (0..20).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    for (why, least) in [("no_tls", 20.0), ("refused_by_client", 20.0), ("closed", 20.0), ("time", 20.0)] {
        eventually(why, || failed(why) >= least);
    }
    drop(silent);
    let log = gateway.stderr.all();
    let lines: Vec<Value> = log.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let about: Vec<_> = lines.iter().filter(|line| line.to_string().contains("handshake")).collect();
    assert!((1..=2).contains(&about.len()), "{about:?}");
    assert!(lines.iter().all(|line| line["level"] != "ERROR"), "{log:?}");
}

#[test]
fn a_connection_over_the_cap_gets_no_handshake() {
    let authority = Authority::new();
    let shop = Shop::start();
    let config = safe(&format!("certificates: [{}]", pair("s"))) + "limits: {connections_per_address: 2}\n";
    let issued = authority.issue(&["shop.test"]);
    let gateway = with(shop.setup(&config, json!({})), "s", &issued).start();
    let (address, client) = (gateway.address("safe"), authority.client());
    let mut idle = Vec::new();
    let refused = || gateway.metrics().sum("flagway_refused_total", &[("why", "connections")]);
    eventually("both places are taken by who says nothing", || {
        idle.push(std::net::TcpStream::connect(address).unwrap());
        !issued.is_shown(address, "shop.test", &client) && refused() > 0.0
    });
    drop(idle);
    eventually("there is a place again", || issued.is_shown(address, "shop.test", &client));
}
