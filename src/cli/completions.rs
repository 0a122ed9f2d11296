//! `flagway completions`: a completion script for a shell, made of the command line's own definition.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Failure, output};

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  flagway completions bash > /etc/bash_completion.d/flagway")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub fn run(&self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "flagway", &mut script);
        output::print(&String::from_utf8_lossy(&script));
        Ok(())
    }
}
