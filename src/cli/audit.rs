//! `flagway audit`: who changed what by hand, when and why, as a running gateway tells it or as its files have it.
//!
//! It changes nothing, and needs no gateway where it can read the files.

pub mod render;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::remote::{Remote, segment};
use super::{Failure, output};
use crate::source::audit::{Query, Record, Trail};

/// Tell who changed what by hand, when and why
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway audit                                    the newest 100 writes
  flagway audit --flag checkout-version --since 2h
  flagway audit --refused --by ann
  flagway audit --state-dir /var/lib/flagway       from the files: no gateway need run
  flagway audit --json --limit 1 | jq '.records[0].after'

Exit codes: 0 told; 1 the gateway does not answer, or the files cannot be read")]
pub struct Audit {
    /// Only writes of this flag
    #[arg(long, value_name = "FLAG")]
    pub flag: Option<String>,
    /// Only from then on: a duration back from now such as 2h, or a time such as 2026-12-03T10:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Only writes by this operator
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// Only what was refused
    #[arg(long)]
    pub refused: bool,
    /// The newest so many, at most 10000 [default: 100]
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Print JSON, as GET /api/v1/audit answers it
    #[arg(long)]
    pub json: bool,
    /// Read the files in this `state_dir` and ask no gateway
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Whom to ask.
    #[command(flatten)]
    pub remote: Remote,
}

/// What `GET /api/v1/audit` answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Records {
    /// Newest first.
    pub records: Vec<Record>,
}

impl Audit {
    /// Prints the records that are asked for.
    pub fn run(&self) -> Result<(), Failure> {
        let told = match &self.state_dir {
            Some(folder) => self.read(folder)?,
            None => self.ask()?,
        };
        output::print(&match self.json {
            true => {
                let text = serde_json::to_string_pretty(&told).map_err(|error| error.to_string())?;
                output::text::json(&text) + "\n"
            }
            false => render::render(&told.records, output::width()),
        });
        Ok(())
    }

    fn read(&self, folder: &Path) -> Result<Records, Failure> {
        let filter = self.query().filter(SystemTime::now())?;
        let records = Trail::open(folder).and_then(|trail| trail.read(&filter)).map_err(|error| {
            Failure::Message(format!("the audit in `{}` cannot be read: {error}", folder.display()))
        })?;
        Ok(Records { records })
    }

    fn ask(&self) -> Result<Records, Failure> {
        let Query { flag, by, since, outcome, limit } = self.query();
        let limit = limit.map(|limit| limit.to_string());
        let asked = [("flag", flag), ("by", by), ("since", since), ("outcome", outcome), ("limit", limit)];
        let asked = asked.iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let asked: Vec<String> = asked.map(|(name, value)| format!("{name}={}", segment(value))).collect();
        let answer = self.remote.ask("GET", &format!("/audit?{}", asked.join("&")), "")?;
        self.remote.read(&answer, "records of the audit")
    }

    fn query(&self) -> Query {
        Query {
            flag: self.flag.clone(),
            by: self.by.clone(),
            since: self.since.clone(),
            outcome: self.refused.then(|| "refused".to_owned()),
            limit: self.limit,
        }
    }
}
