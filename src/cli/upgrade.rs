//! `flagway upgrade`: has a running gateway replaced by a new process, without a refused connection or a failed request.
//!
//! It starts nothing itself: the gateway does, so that its successor has its sockets, environment, user and supervisor.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::{ConfigFile, Failure, output};
use crate::gateway::upgrade::channel::Channel;
use crate::gateway::upgrade::{Ask, NAME, Told};
use crate::source;

/// Put a new process in the place of a running gateway, without losing a request
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway upgrade                                       the gateway of ./flagway.yaml, to this binary
  flagway upgrade --state-dir /var/lib/flagway          its configuration need not be readable here
  flagway upgrade --to /opt/flagway-1.3/bin/flagway

The gateway starts the new process with its own arguments and environment. That one reads the configuration anew, listeners too.
Once it accepts connections, the old one finishes what it has begun, and ends. If it cannot, the old one goes on.

Exit codes: 0 the new process serves; 1 it does not, and the old one goes on")]
pub struct Upgrade {
    /// Of the gateway.
    #[command(flatten)]
    pub config: ConfigFile,
    /// The gateway's `state_dir`, instead of its configuration
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    pub state_dir: Option<PathBuf>,
    /// The binary that is to run [default: this one]
    #[arg(long, value_name = "PATH")]
    pub to: Option<PathBuf>,
}

/// A new process may take its time; the gateway gives up on it first.
const PATIENCE: Duration = Duration::from_secs(180);

impl Upgrade {
    /// Asks, and tells what became of it.
    pub fn run(&self) -> Result<(), Failure> {
        let folder = match &self.state_dir {
            Some(folder) => folder.clone(),
            None => source::state_dir(&self.config.file).map_err(Failure::Problems)?.ok_or_else(|| {
                format!(
                    "{} names no `state_dir`, through which a gateway is asked: set one, and restart",
                    self.config.file.display()
                )
            })?,
        };
        let binary = match &self.to {
            Some(path) => std::path::absolute(path),
            None => std::env::current_exe(),
        };
        let binary = binary.map_err(|error| format!("the binary that is to run is not known: {error}"))?;
        match ask(&folder, &Ask { binary })? {
            Told::Serves(process) => {
                output::print(&format!(
                    "The process {process} serves; the one before finishes what it has begun.\n"
                ));
                Ok(())
            }
            Told::Failed(why) => Err(Failure::Message(format!("no upgrade, the gateway serves on: {why}"))),
        }
    }
}

fn ask(state_dir: &Path, ask: &Ask) -> Result<Told, String> {
    let path = state_dir.join(NAME);
    let gateway = UnixStream::connect(&path).map_err(|error| {
        let path = path.display();
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                format!("no gateway runs with this state folder: {path}: {error}")
            }
            ErrorKind::PermissionDenied => format!("{path}: {error}: ask as the gateway's user, or as root"),
            _ => format!("{path}: {error}"),
        }
    })?;
    let told = || {
        let gateway = Channel::over(gateway).with_patience(PATIENCE)?;
        gateway.say(ask)?;
        gateway.hear()
    };
    told().map_err(|error| format!("the gateway does not say what became of it: {error}"))
}
