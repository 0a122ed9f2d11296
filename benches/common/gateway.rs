//! The real binary in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A flag `v` that serves the version that `x-canary: always` opts in to.
pub const OPT_IN: &str = r#"{"flags": {"v": {"state": "ENABLED", "variants": {"stable": "stable", "canary": "canary"},
  "defaultVariant": "stable", "targeting": {"if": [{"==": [{"var": "header.x-canary"}, "always"]}, "canary"]}}}}"#;

/// A running gateway; it ends when dropped.
pub struct Gateway {
    child: Child,
    home: tempfile::TempDir,
}

/// What a process holds: MB of memory, open files.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    pub memory: u64,
    pub descriptors: usize,
}

impl Gateway {
    /// Starts it with this configuration and these flags, and waits until it serves.
    pub fn start(config: &str, flags: &str, serves: impl Fn() -> bool) -> Gateway {
        let home = tempfile::tempdir().expect("a folder");
        for (name, text) in [("flagway.yaml", config), ("flags.json", flags)] {
            std::fs::write(home.path().join(name), text).expect("a file");
        }
        let log = std::fs::File::create(home.path().join("log")).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_flagway"));
        command.args(["run", "--log", "warn"]).current_dir(home.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let gateway = Gateway { child: command.spawn().expect("the gateway starts"), home };
        let deadline = Instant::now() + PATIENCE;
        while !serves() {
            assert!(Instant::now() < deadline, "the gateway does not serve");
            thread::sleep(Duration::from_millis(20));
        }
        gateway
    }

    /// Its folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn held(&self) -> Held {
        let proc = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = std::fs::read_to_string(proc.join("status")).expect("it runs");
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory is told");
        let memory: u64 = memory.trim().trim_end_matches(" kB").parse().expect("a number");
        let descriptors = std::fs::read_dir(proc.join("fd")).expect("it runs").count();
        Held { memory: memory / 1000, descriptors }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
