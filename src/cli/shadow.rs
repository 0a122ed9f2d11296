//! `flagway shadow`: what a running gateway knows of its shadows.
//!
//! It switches none on or off: a flag decides about the copies.

pub mod fields;
pub mod figures;
pub mod render;
pub mod watch;

use std::collections::BTreeSet;

use clap::{Args, Subcommand};

use super::remote::{Remote, segment};
use super::{Failure, output};
use crate::admin::shadows::Shadows;

/// Tell how the answers to copies of requests differ from the originals
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, subcommand_required = true)]
#[command(after_help = "\
Examples:
  flagway shadow report                  is the next version ready?
  flagway shadow report checkout --watch
  flagway shadow examples checkout > differences.jsonl
  flagway shadow reset checkout          after a fix: begin anew")]
pub struct Shadow {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tell what was compared, and every field that differs
    Report(Report),
    /// Print every recorded difference, a JSON object a line
    Examples(Examples),
    /// Forget what was counted and recorded of a route's shadows, and begin anew
    Reset(Reset),
}

/// Tell what was compared, and every field that differs
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway shadow report
  flagway shadow report checkout --watch
  flagway shadow report checkout --json | jq '.shadows[].differences[].path'

Exit codes: 0 told; 1 the gateway does not answer, or there is no such route")]
pub struct Report {
    /// Only the shadows of this route
    #[arg(value_name = "ROUTE")]
    pub route: Option<String>,
    /// Redraw each second, until Ctrl-C; where stdout is no terminal, print each new verdict
    #[arg(long, conflicts_with = "json")]
    pub watch: bool,
    /// Print JSON, as GET /api/v1/shadows answers it
    #[arg(long)]
    pub json: bool,
    /// Whom to ask.
    #[command(flatten)]
    pub remote: Remote,
}

/// Print every recorded difference, a JSON object a line
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway shadow examples checkout > differences.jsonl
  flagway shadow examples | jq -r 'select(.class == \"difference\") | .request_id'

Exit codes: 0 printed; 1 the gateway does not answer, or there is no such route")]
pub struct Examples {
    /// Only the shadows of this route
    #[arg(value_name = "ROUTE")]
    pub route: Option<String>,
    /// Whom to ask.
    #[command(flatten)]
    pub remote: Remote,
}

/// Forget what was counted and recorded of a route's shadows, and begin anew
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  flagway shadow reset checkout

Exit codes: 0 forgotten; 1 the gateway does not answer, or there is no such route")]
pub struct Reset {
    /// The route
    #[arg(value_name = "ROUTE")]
    pub route: String,
    /// Whom to ask.
    #[command(flatten)]
    pub remote: Remote,
}

impl Shadow {
    /// Does it.
    pub fn run(&self) -> Result<(), Failure> {
        match &self.command {
            Command::Report(report) => report.run(),
            Command::Examples(examples) => examples.run(),
            Command::Reset(reset) => reset.run(),
        }
    }
}

impl Report {
    fn run(&self) -> Result<(), Failure> {
        let ask = || fetch(&self.remote, self.route.as_deref());
        let told = ask()?;
        if self.watch {
            return watch::watch(told, ask);
        }
        output::print(&match self.json {
            true => {
                let text = serde_json::to_string_pretty(&told).map_err(|error| error.to_string())?;
                output::text::json(&text) + "\n"
            }
            false => render::render(&told.shadows),
        });
        Ok(())
    }
}

impl Examples {
    fn run(&self) -> Result<(), Failure> {
        let routes = match &self.route {
            Some(route) => BTreeSet::from([route.clone()]),
            None => fetch(&self.remote, None)?.shadows.into_iter().map(|shadow| shadow.route).collect(),
        };
        for route in routes {
            let answer = self.remote.ask("GET", &format!("/shadows/{}/examples", segment(&route)), "")?;
            output::print(&output::text::json(&answer.body));
        }
        Ok(())
    }
}

impl Reset {
    fn run(&self) -> Result<(), Failure> {
        self.remote.ask("POST", &format!("/shadows/{}/reset", segment(&self.route)), "")?;
        output::print(&format!("what was known of the shadows of `{}` is forgotten\n", self.route));
        Ok(())
    }
}

fn fetch(remote: &Remote, route: Option<&str>) -> Result<Shadows, Failure> {
    let path = route.map(|route| format!("/{}", segment(route))).unwrap_or_default();
    let answer = remote.ask("GET", &format!("/shadows{path}"), "")?;
    remote.read(&answer, "reports of shadows")
}
