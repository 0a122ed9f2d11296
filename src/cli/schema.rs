//! `flagway schema`: the JSON schemas of what an operator writes, for editors and pipelines.

use clap::{Args, ValueEnum};

use super::{Failure, output};
use crate::config;

/// Print a JSON schema, for editors
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  flagway schema config > flagway.schema.json
  # and in flagway.yaml:
  # yaml-language-server: $schema=flagway.schema.json")]
pub struct Schema {
    /// Of which file
    #[arg(value_enum)]
    pub of: Of,
}

/// The files that have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Of {
    /// flagway.yaml
    Config,
    /// Flag definitions, flagd's format
    Flags,
}

/// Written by hand, and printed in the order in which it was written.
const FLAGS: &str = include_str!("../../conf/schema/flags.schema.json");

impl Schema {
    /// Prints the schema.
    pub fn run(&self) -> Result<(), Failure> {
        output::print(&match self.of {
            Of::Config => format!("{:#}\n", config::schema()),
            Of::Flags => FLAGS.to_owned(),
        });
        Ok(())
    }
}
