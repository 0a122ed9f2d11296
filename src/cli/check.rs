//! `flagway check`: what is wrong in the configuration and the flags, or what would run.
//!
//! It opens no socket and changes nothing. Errors are what refuses a file or a definition; warnings are what serves, but
//! hardly as it was meant.

pub mod report;
pub mod text;

use std::time::SystemTime;

use clap::Args;

use super::{ConfigFile, Failure, output};
use crate::admin::view::ProblemView;
use crate::config::{Problem, Severity};
use crate::gateway::{keyring, tls};
use crate::source;
use report::Report;

/// Tell what is wrong in the configuration and the flags, or what would run
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway check
  flagway check --strict conf/flagway.yaml         in a pipeline: a flag that no source defines fails it
  flagway check --json | jq '.problems[].found'

Exit codes: 0 good, warnings or not; 1 there are errors, or with --strict warnings")]
pub struct Check {
    /// What to check.
    #[command(flatten)]
    pub config: ConfigFile,
    /// Exit with 1 on warnings too: flags and versions that are named and missing, unknown attributes, ..
    #[arg(long)]
    pub strict: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl Check {
    /// Checks, prints.
    pub fn run(&self) -> Result<(), Failure> {
        let (report, problems) = match source::check(&self.config.file) {
            Ok(checked) => {
                let mut problems = tls::check(&checked.config, SystemTime::now());
                problems.extend(keyring::once(&checked.config).1);
                let report = Report::new(&checked);
                problems.extend(checked.problems);
                Problem::sort(&mut problems);
                (Some(report), problems)
            }
            Err(problems) => (None, problems),
        };
        let fails = |severity| severity == Severity::Error || self.strict;
        let failed = report.is_none() || problems.iter().any(|problem| fails(problem.severity));
        let text = if self.json {
            let views: Vec<ProblemView> = problems.iter().map(ProblemView::from).collect();
            let json = serde_json::json!({"ok": !failed, "runs": report, "problems": views});
            format!("{json:#}\n")
        } else {
            text::render(&self.config.file, report.as_ref(), &problems)
        };
        output::print(&text);
        if failed { Err(Failure::Told) } else { Ok(()) }
    }
}
