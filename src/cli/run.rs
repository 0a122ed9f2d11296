//! `flagway run`: serves traffic until a signal ends it.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use clap::Args;

use super::start::Origin;
use super::{ConfigFile, Failure, Global, log, output, start};
use crate::gateway;
use crate::gateway::upgrade::heir::Heir;

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
    /// Take the place of the process that started this one, which hands its sockets over
    #[arg(long, hide = true, env = gateway::upgrade::TAKING_OVER, hide_env = true)]
    pub taking_over: bool,
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
        keep_pages_small();
        let origin = if self.taking_over { inherit()? } else { Origin::default() };
        let heir = origin.heir.clone();
        let served = start::prepare(&self.config.file, origin, TcpListener::bind::<SocketAddr>)
            .and_then(|server| gateway::serve(server).map_err(Failure::Message));
        if let (Err(failure), Some(heir)) = (&served, heir) {
            heir.failed(&output::told(failure));
        }
        served
    }
}

/// A huge page is cleared while the request whose memory it is to be waits: milliseconds for each 2 MiB by which traffic grows. A kernel
/// that cannot be told goes on as it does.
fn keep_pages_small() {
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

fn inherit() -> Result<Origin, Failure> {
    let (heir, sockets) = Heir::inherited()
        .map_err(|error| format!("nothing to take over ({error}); `flagway upgrade` starts an upgrade"))?;
    Ok(Origin { heir: Some(Arc::new(heir)), sockets })
}
