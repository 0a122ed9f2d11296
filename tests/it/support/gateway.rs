//! The real binary, started in a folder of its own on ports that the system picks.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::cli::{self, Ran};
use super::client::{Client, Response};
use super::lines::Lines;
use super::prometheus::Metrics;
use super::wait::{PATIENCE, eventually, within};

/// A gateway that is about to start: its configuration and files.
pub struct Setup {
    home: TempDir,
    environment: Vec<(String, String)>,
    ready: bool,
}

/// Sections that a test does not care about.
const DEFAULTS: [(&str, &str); 5] = [
    ("listeners:", "listeners: [{name: main, bind: '127.0.0.1:0'}]"),
    ("probes:", "probes: {bind: '127.0.0.1:0'}"),
    ("admin:", "admin: {bind: '127.0.0.1:0'}"),
    ("state_dir:", "state_dir: state"),
    ("flags:", "flags: {sources: [{file: flags.json}]}"),
];

impl Setup {
    /// `config` is the content of `flagway.yaml`; the sections in [`DEFAULTS`] are put in front where it has none.
    pub fn new(config: &str) -> Setup {
        let home = tempfile::tempdir().unwrap();
        let setup = Setup { home, environment: Vec::new(), ready: true };
        setup.config(config).file("flags.json", "{\"flags\": {}}")
    }

    pub fn file(self, name: &str, text: &str) -> Setup {
        let path = self.home.path().join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(path, text).unwrap();
        self
    }

    /// The flags, as the object under `flags`.
    pub fn flags(self, flags: Value) -> Setup {
        self.file("flags.json", &super::flags(flags))
    }

    /// Another configuration, completed as [`Setup::new`] does it.
    pub fn config(self, config: &str) -> Setup {
        self.file("flagway.yaml", &complete(config))
    }

    pub fn without(self, name: &str) -> Setup {
        std::fs::remove_file(self.home.path().join(name)).unwrap();
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Setup {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Does not wait for `/readyz`.
    pub fn unready(mut self) -> Setup {
        self.ready = false;
        self
    }

    /// Runs another command of the binary in the folder.
    pub fn command(&self, arguments: &[&str]) -> Ran {
        cli::flagway(self.home.path(), arguments)
    }

    #[track_caller]
    pub fn start(self) -> Gateway {
        let mut child = cli::command(self.home.path())
            .arg("run")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stdout = Lines::collect(child.stdout.take().expect("its stdout is ours"));
        let stderr = Lines::collect(child.stderr.take().expect("its stderr is ours"));
        let gateway = Gateway { child, heirs: Vec::new(), stdout, stderr, setup: Some(self) };
        if gateway.setup.as_ref().is_some_and(|setup| setup.ready) {
            eventually("the gateway is ready", || gateway.probe("/readyz").status == 200);
        }
        gateway
    }
}

fn complete(config: &str) -> String {
    let has = |section: &str| config.lines().any(|line| line.starts_with(section));
    let missing = DEFAULTS.iter().filter(|(section, _)| !has(section)).map(|(_, text)| format!("{text}\n"));
    missing.collect::<String>() + config
}

/// A running gateway; it is killed when dropped.
pub struct Gateway {
    child: Child,
    /// Processes that took its place; they have its stdout and stderr.
    heirs: Vec<u32>,
    /// The access log.
    pub stdout: Lines,
    /// What it logs.
    pub stderr: Lines,
    setup: Option<Setup>,
}

impl Gateway {
    #[track_caller]
    pub fn start(config: &str, flags: Value) -> Gateway {
        Setup::new(config).flags(flags).start()
    }

    /// The address of a traffic listener.
    #[track_caller]
    pub fn address(&self, listener: &str) -> SocketAddr {
        self.listening(&format!("the listener {listener}"), |fields| {
            fields["kind"] == "traffic" && fields["listener"] == listener
        })
    }

    /// The address of the traffic listener that was bound first.
    #[track_caller]
    pub fn traffic(&self) -> SocketAddr {
        self.listening("a listener", |fields| fields["kind"] == "traffic")
    }

    #[track_caller]
    pub fn probes(&self) -> SocketAddr {
        self.listening("the probes", |fields| fields["kind"] == "probes")
    }

    #[track_caller]
    pub fn admin(&self) -> SocketAddr {
        self.listening("the admin API", |fields| fields["kind"] == "admin")
    }

    #[track_caller]
    fn listening(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> SocketAddr {
        let line = self
            .wait_for_log(what, |line| line["fields"]["message"] == "listening" && is_it(&line["fields"]));
        line["fields"]["address"].as_str().and_then(|text| text.parse().ok()).expect("an address is logged")
    }

    /// A client of the listener `main`.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::new(self.address("main"))
    }

    /// One request on a connection of its own.
    #[track_caller]
    pub fn get(&self, target: &str) -> Response {
        self.client().get(target).send()
    }

    /// One request with field lines on a connection of its own.
    #[track_caller]
    pub fn get_with(&self, target: &str, lines: &[(&str, &str)]) -> Response {
        let mut client = self.client();
        lines.iter().fold(client.get(target), |request, (name, value)| request.header(name, value)).send()
    }

    /// What the probes answer.
    #[track_caller]
    pub fn probe(&self, target: &str) -> Response {
        Client::new(self.probes()).get(target).host("127.0.0.1").send()
    }

    /// What the admin API answers.
    #[track_caller]
    pub fn api(&self, target: &str) -> Response {
        Client::new(self.admin()).get(target).host("127.0.0.1").send()
    }

    #[track_caller]
    pub fn metrics(&self) -> Metrics {
        Metrics::parse(&self.probe("/metrics").text())
    }

    /// The revision that serves now.
    #[track_caller]
    pub fn revision(&self) -> String {
        self.api("/api/v1/snapshot").json()["revision"].as_str().expect("a revision").to_owned()
    }

    /// The first log line so far or to come that `wanted` takes.
    #[track_caller]
    pub fn wait_for_log(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.wait_for_log_after(0, what, wanted)
    }

    /// The same among the lines behind the first `from`; [`Lines::count`] gives that mark.
    #[track_caller]
    pub fn wait_for_log_after(&self, from: usize, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        awaited(&self.stderr, from, wanted).unwrap_or_else(|| panic!("no log line: {what}"))
    }

    /// The access log's line of a request, awaited.
    #[track_caller]
    pub fn access(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        awaited(&self.stdout, 0, wanted).unwrap_or_else(|| panic!("no access log line: {what}"))
    }

    /// A file or folder in the gateway's home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.setup.as_ref().expect("the home is there").path(name)
    }

    /// Replaces a file as a careful tool does: writes another and renames it.
    pub fn replace(&self, name: &str, text: &str) {
        let path = self.path(name);
        let aside = path.with_file_name(".new");
        std::fs::write(&aside, text).unwrap();
        std::fs::rename(aside, path).unwrap();
    }

    pub fn replace_flags(&self, flags: Value) {
        self.replace("flags.json", &super::flags(flags));
    }

    /// Replaces the configuration, completed as [`Setup::new`] does it.
    pub fn replace_config(&self, config: &str) {
        self.replace("flagway.yaml", &complete(config));
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `HUP`, `TERM`, `INT` or `USR1`.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Waits for the process to end by itself.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.stdout.wait_for_end(PATIENCE);
                self.stderr.wait_for_end(PATIENCE);
                return status;
            }
            assert!(Instant::now() < deadline, "the gateway did not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Puts a new process in its place and waits for the end of the one before; gives the new one's number.
    #[track_caller]
    pub fn upgrade(&mut self) -> u32 {
        let process = self.begin_upgrade();
        self.wait_for_former();
        process
    }

    /// Puts a new process in its place; the one before may still be busy.
    #[track_caller]
    pub fn begin_upgrade(&mut self) -> u32 {
        let ran = cli::flagway(self.path("").as_path(), &["upgrade"]).succeeded();
        let process = ran.stdout.split(' ').nth(2).and_then(|word| word.parse().ok());
        self.heirs.push(process.unwrap_or_else(|| panic!("no process is named: {}", ran.stdout)));
        self.heirs[self.heirs.len() - 1]
    }

    /// Waits for the end of the process that was started first.
    #[track_caller]
    pub fn wait_for_former(&mut self) -> ExitStatus {
        within(Duration::from_secs(30), "the process before has ended", || self.child.try_wait().unwrap())
    }

    /// Signals the process that took its place last, and waits until nobody writes any more.
    pub fn stop_heir(&self, name: &str) {
        let heir = self.heirs.last().expect("there was an upgrade");
        signal(*heir, name);
        self.stderr.wait_for_end(Duration::from_secs(30));
        assert!(self.stderr.has_ended(), "the process {heir} did not end");
    }

    /// Stops it in good order; its folder can be started again.
    #[track_caller]
    pub fn stop(self) -> Setup {
        self.signal("TERM");
        let (setup, status) = self.ended();
        assert!(status.success(), "{status}");
        setup
    }

    /// Waits for its end, whatever that is; its folder can be started again.
    #[track_caller]
    pub fn ended(mut self) -> (Setup, ExitStatus) {
        let status = self.wait();
        (self.setup.take().expect("the home is there"), status)
    }
}

fn signal(process: u32, name: &str) {
    let status = std::process::Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status();
    assert!(status.expect("kill runs").success());
}

fn awaited(lines: &Lines, from: usize, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
    let parse = |line: &str| serde_json::from_str::<Value>(line).ok();
    lines
        .find(from, PATIENCE, |line| parse(line).is_some_and(|value| wanted(&value)))
        .and_then(|line| parse(&line))
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for heir in &self.heirs {
            // It may have ended.
            let kill = std::process::Command::new("kill")
                .args(["-KILL", &heir.to_string()])
                .stderr(Stdio::null())
                .status();
            let _ = kill;
        }
        if std::thread::panicking() {
            self.stderr.wait_for_end(Duration::from_secs(1));
            eprintln!(
                "--- the gateway's log\n{}\n--- its access log\n{}\n---",
                self.stderr.text(),
                self.stdout.text()
            );
        }
    }
}
