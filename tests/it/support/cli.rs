//! Commands of the binary that end by themselves.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a command left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Everything it printed.
    pub fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub fn succeeded(self) -> Ran {
        assert_eq!(self.code, Some(0), "{}", self.output());
        self
    }

    #[track_caller]
    pub fn failed_with(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{}", self.output());
        self
    }
}

/// Runs the real binary in a folder and waits for its end.
pub fn flagway(dir: &Path, arguments: &[&str]) -> Ran {
    let mut child = command(dir)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // Closed at once: no command may wait for a terminal.
    let _ = child.stdin.take().map(|mut stdin| stdin.flush());
    let output = child.wait_with_output().expect("its output can be read");
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The real binary in a folder, free of this machine's own settings.
pub fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flagway"));
    command.current_dir(dir).env("XDG_CONFIG_HOME", dir.join(".config"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FLAGWAY_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command
}
