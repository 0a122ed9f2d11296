//! `flagway run`: serves traffic until a signal ends it.

use std::net::{SocketAddr, TcpListener};

use clap::Args;

use super::{ConfigFile, Failure, Global, log, start};
use crate::gateway;

/// Serve traffic
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway run                                  with ./flagway.yaml
  flagway run /etc/flagway/flagway.yaml --log-format json
  kill -HUP $(pidof flagway)                   read configuration and flags again, now

Signals:
  TERM  stop: not ready any more, requests in flight finish, exit 0
  INT   stop at once
  HUP   read configuration and flags again
  USR1  reopen the access log's file

Exit codes: 0 stopped by a signal; 1 the configuration is wrong, a port is taken, or serving failed")]
pub struct Run {
    /// What to serve.
    #[command(flatten)]
    pub config: ConfigFile,
    /// Where to die, for tests
    #[cfg(debug_assertions)]
    #[arg(long, hide = true, env = "FLAGWAY_FAIL_AT", hide_env = true, value_name = "POINT:N")]
    pub fail_at: Option<crate::source::fail::Point>,
}

impl Run {
    /// Serves until a signal.
    pub fn run(&self, global: &Global) -> Result<(), Failure> {
        log::to_stderr(global)?;
        #[cfg(debug_assertions)]
        self.fail_at.clone().into_iter().for_each(crate::source::fail::Point::arm);
        let server = start::prepare(&self.config.file, TcpListener::bind::<SocketAddr>)?;
        gateway::serve(server).map_err(Failure::Message)
    }
}
