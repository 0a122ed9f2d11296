//! An engine that answers JSON lines, one for one: ours and the other two.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value as Json;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// npm `@openfeature/flagd-core`: it hashes as v2.
    Npm,
    /// PyPI `openfeature-flagd-core`: it hashes as v3.
    PyPi,
}

impl Peer {
    /// Both.
    pub const ALL: [Peer; 2] = [Peer::Npm, Peer::PyPi];

    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Peer::Npm => "npm",
            Peer::PyPi => "PyPI",
        }
    }

    /// What it says to every line.
    pub fn answers(self, lines: &[String]) -> Vec<Json> {
        let scripts = here("tests/peers");
        let mut command = match self {
            Peer::Npm => Command::new("node"),
            Peer::PyPi => Command::new(here("target/peers/venv/bin/python")),
        };
        command.arg(scripts.join(if self == Peer::Npm { "flagd_core.mjs" } else { "flagd_core.py" }));
        // Where .ci/peers has put its packages.
        let packages = here("target/peers");
        assert!(packages.join("installed").exists(), "the peers are not installed: run .ci/peers");
        command.current_dir(packages);
        ask(command, lines)
    }

    /// What our own binary says to every line, with the hash of this peer.
    pub fn ours(self, lines: &[String]) -> Vec<Json> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flagway"));
        command.args(["eval", "--batch", "--fractional", if self == Peer::Npm { "v2" } else { "v3" }]);
        ask(command, lines)
    }
}

fn here(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Writes all lines while it reads the answers; there must be one for each.
fn ask(mut command: Command, lines: &[String]) -> Vec<Json> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    // Both were asked for above.
    let (stdin, stdout) = (child.stdin.take().expect("stdin"), child.stdout.take().expect("stdout"));
    let answers: Vec<Json> = thread::scope(|scope| {
        scope.spawn(move || {
            let mut stdin = BufWriter::new(stdin);
            for line in lines {
                // An engine that went away is told of by the number of its answers.
                if writeln!(stdin, "{line}").is_err() {
                    return;
                }
            }
        });
        BufReader::new(stdout)
            .lines()
            .map(|line| {
                let line = line.expect("UTF-8");
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{command:?}: {error}: {line}"))
            })
            .collect()
    });
    let status = child.wait().expect("a child of our own");
    assert!(status.success(), "{command:?}: {status}");
    assert_eq!(answers.len(), lines.len(), "answers of {command:?}");
    answers
}
