//! Programs that are not ours, installed by `.ci/peers`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::lines::Lines;

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Where they are; installs them where they are not.
pub fn installed() -> &'static Path {
    static INSTALLED: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    INSTALLED.get_or_init(|| {
        let done = Command::new(root().join(".ci/peers")).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        root().join("target/peers")
    })
}

fn python(script: &str) -> Command {
    let mut command = Command::new(installed().join("venv/bin/python"));
    command.arg(root().join("tests/peers").join(script));
    command
}

/// A server in Python that tells its port first; it ends when this is dropped.
pub struct PythonServer {
    child: Child,
    pub port: u16,
}

impl PythonServer {
    #[track_caller]
    pub fn start(script: &str, name: &str) -> PythonServer {
        let mut command = python(script);
        let piped = command.args(["serve", name]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let lines = Lines::collect(child.stdout.take().expect("it is piped"));
        let port = lines.find(0, Duration::from_secs(60), |_| true).and_then(|line| line.parse().ok());
        PythonServer { child, port: port.unwrap_or_else(|| panic!("{script} does not start")) }
    }
}

impl Drop for PythonServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a client in Python tells at its end.
#[track_caller]
pub fn python_call(script: &str, arguments: &[&str]) -> Value {
    let done = python(script).arg("call").args(arguments).output().unwrap();
    let (told, trouble) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    serde_json::from_str(&told).unwrap_or_else(|error| panic!("{script}: {error}: {told}{trouble}"))
}
