//! `flagway status`: what a running gateway runs, how its sources are, and who gets what.

pub mod news;
pub mod render;
pub mod watch;

use clap::Args;

use super::flags::write::now;
use super::remote::Remote;
use super::{Failure, answers, output};

/// Tell what a running gateway runs, how its sources are, and who gets what
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway status
  flagway status --watch                 by second, until Ctrl-C
  flagway status --watch | tee changes   a line for each change
  flagway status --json | jq -r '.problems[].found'

Exit codes: 0 told; 1 refused, or no answer")]
pub struct Status {
    /// Go on until Ctrl-C: redrawn each second; where stdout is no terminal, a line for each change
    #[arg(long)]
    pub watch: bool,
    /// Print JSON, as GET /api/v1/status answers it; with --watch, each event of GET /api/v1/events on a line
    #[arg(long)]
    pub json: bool,
    /// Whom to ask.
    #[command(flatten)]
    pub remote: Remote,
}

impl Status {
    /// Asks, prints.
    pub fn run(&self) -> Result<(), Failure> {
        if self.watch {
            return watch::watch(&self.remote, self.json);
        }
        let answer = self.remote.ask("GET", "/status", "")?;
        let status: answers::Status = self.remote.read(&answer, "its status")?;
        match self.json {
            true => output::print_json(&self.remote.read(&answer, "its status")?),
            false => output::print(&render::render(&status, &status.split(), render::SINCE_START, now())),
        }
        Ok(())
    }
}
