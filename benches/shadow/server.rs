//! The servers under load, each in a folder of its own: what they are configured to do, what they used.

use std::fmt::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::load::Connection;

/// Clock ticks a second in `/proc`: the same on every Linux.
const TICKS: f64 = 100.0;

/// A running server; it ends when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// Where its metrics are.
    probes: SocketAddr,
    _home: tempfile::TempDir,
}

impl Server {
    /// Routes by the first part of the path: `/without` has no shadow, `/hangs` copies all to `hangs`, `/tenth` copies a tenth of
    /// the users to `next`, `/compared` does so and compares.
    pub fn flagway(stable: SocketAddr, hangs: SocketAddr, next: SocketAddr) -> Server {
        let (address, probes) = (free_port(), free_port());
        let mut config = format!(
            "listeners: [{{bind: '{address}'}}]
probes: {{bind: '{probes}'}}
threads: 1
access_log: {{to: 'off'}}
flags: {{sources: [{{file: flags.json}}]}}
context: {{targeting_key: [{{cookie: uid}}]}}
services:
  shop:
    default: stable
    versions:
      stable: {{endpoints: ['{stable}']}}
      hangs: {{endpoints: ['{hangs}']}}
      next: {{endpoints: ['{next}']}}
routes:
  - {{name: without, match: {{path_prefix: /without}}, service: shop}}
"
        );
        // Copies are given up and followed by others several times a round. The breaker would spare the hanging version nearly all of
        // them, and prove nothing.
        let hanging = "timeout: 1s, breaker: {failures: 1000000}";
        for (name, flag, rest) in [
            ("hangs", "all", hanging),
            ("tenth", "tenth", "compare: {sample: 0%}"),
            ("compared", "tenth", "compare: {sample: 100%}"),
        ] {
            let _ = writeln!(
                config,
                "  - {{name: {name}, match: {{path_prefix: /{name}}}, service: shop, shadows: [{{flag: {flag}, {rest}}}]}}"
            );
        }
        let flags = r#"{"flags": {
  "all": {"state": "ENABLED", "variants": {"hangs": "hangs"}, "defaultVariant": "hangs"},
  "tenth": {"state": "ENABLED", "variants": {"next": "next", "none": "none"}, "defaultVariant": "none",
            "targeting": {"fractional": [["next", 10], ["none", 90]]}}}}"#;
        let files = [("flagway.yaml", config.as_str()), ("flags.json", flags)];
        let server =
            Self::start(env!("CARGO_BIN_EXE_flagway"), |_| vec!["run".into()], &files, address, probes);
        wait("the gateway is ready", || matches!(get(probes, "/readyz"), Some((200, _))));
        server
    }

    /// `/without` has no mirror, `/tenth` copies a tenth of the users to `next`; the way its manual does it, by a subrequest of
    /// every request.
    pub fn nginx(stable: SocketAddr, next: SocketAddr) -> Server {
        let address = free_port();
        let config = format!(
            "daemon off;
worker_processes 1;
error_log stderr error;
pid nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    split_clients $cookie_uid $copied {{ 10% 1; * 0; }}
    upstream stable {{ server {stable}; keepalive 64; keepalive_requests 1000000; }}
    upstream next {{ server {next}; keepalive 64; keepalive_requests 1000000; }}
    proxy_http_version 1.1;
    proxy_set_header connection '';
    server {{
        listen {address};
        location /without {{ proxy_pass http://stable; }}
        location /tenth {{ mirror /copy; proxy_pass http://stable; }}
        location = /copy {{
            internal;
            if ($copied = 0) {{ return 204; }}
            proxy_pass http://next$request_uri;
        }}
    }}
}}
"
        );
        let arguments = |home: &Path| {
            let home = home.display().to_string();
            vec![
                "-p".into(),
                home.clone(),
                "-c".into(),
                format!("{home}/nginx.conf"),
                "-e".into(),
                "stderr".into(),
            ]
        };
        let server = Self::start("nginx", arguments, &[("nginx.conf", &config)], address, address);
        wait("nginx is ready", || matches!(get(address, "/without"), Some((200, _))));
        server
    }

    fn start(
        program: &str,
        arguments: impl Fn(&Path) -> Vec<String>,
        files: &[(&str, &str)],
        address: SocketAddr,
        probes: SocketAddr,
    ) -> Server {
        let home = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(home.path().join(name), text).expect("a file");
        }
        let log = std::fs::File::create(home.path().join("log")).expect("a file");
        let child = Command::new(program)
            .args(arguments(home.path()))
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the server starts");
        Server { child, address, probes, _home: home }
    }

    /// User and system time of all its processes, in seconds.
    pub fn cpu(&self) -> f64 {
        self.processes().iter().map(|pid| ticks(pid) / TICKS).sum()
    }

    /// Resident memory of all its processes, in MiB.
    pub fn resident(&self) -> f64 {
        let of = |pid: &String| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0)
        };
        self.processes().iter().map(of).sum::<f64>() / 1024.0
    }

    fn processes(&self) -> Vec<String> {
        let pid = self.child.id();
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        std::iter::once(pid.to_string()).chain(children.split_whitespace().map(str::to_owned)).collect()
    }

    /// The sum of a metric's series whose labels contain this text.
    pub fn metric(&self, name: &str, label: &str) -> f64 {
        let (_, text) = get(self.probes, "/metrics").expect("the metrics");
        let lines = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']) && rest.contains(label))
        });
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).fold(0.0, |sum, one| sum + one)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both take it as a quick end, nginx with its worker.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// Waits until it holds.
pub fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    Connection::open(address).and_then(|mut connection| connection.get(path, "connection: close\r\n")).ok()
}

fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address")
}

/// Fields 14 and 15 of `/proc/<pid>/stat`, counted from behind the name, which may hold anything.
fn ticks(pid: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum()
}
