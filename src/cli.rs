//! The command line: one file a command.
//!
//! A command parses its arguments, asks the same code that serves requests, and prints. It decides nothing, so what it
//! says is what happens. Results go to stdout, everything else to stderr; colours only to a terminal.

pub mod answers;
pub mod audit;
pub mod check;
pub mod client;
pub mod completions;
pub mod demo;
pub mod eval;
pub mod explain;
pub mod flags;
pub mod health;
pub mod log;
pub mod output;
pub mod remote;
pub mod run;
pub mod schema;
pub mod settings;
pub mod shadow;
pub mod start;
pub mod status;
pub mod token;
pub mod upgrade;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Problem;

/// The front door for canary releases: feature flags decide, on every request, which version serves it.
#[derive(Debug, Parser)]
#[command(name = "flagway", version, about, after_help = AFTER_HELP, max_term_width = 100)]
#[command(arg_required_else_help = true, subcommand_required = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  flagway demo --traffic                                a gateway, two versions, visitors: try it
  flagway check                                         is ./flagway.yaml good, and what would run?
  flagway run /etc/flagway/flagway.yaml                 serve
  flagway explain -H 'x-canary: always' /checkout       why does this request go where it goes?
  flagway eval --flags flags.json new-pricing           what does a flag answer?
  flagway flags kill checkout-version stable            everyone back, now
  flagway status --watch                                who gets what, by second
  flagway shadow report --watch                         is the next version ready?

Exit codes:
  0  fine
  1  problems were found, or what was asked for failed
  2  the command line is wrong";

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Form of the log lines on stderr [default: text on a terminal, else json]
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// What is logged: a level, or levels by target, such as `info,flagway::source=debug`
    #[arg(long, global = true, env = "FLAGWAY_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line
    Json,
    /// For people
    Text,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve traffic
    Run(run::Run),
    /// Tell what is wrong in the configuration and the flags, or what would run
    Check(check::Check),
    /// Tell why a request goes where it goes
    Explain(explain::Explain),
    /// Tell what a flag of a document answers for a context, as JSON
    Eval(eval::Eval),
    /// Tell what the flags of a running gateway say, and change them by hand
    Flags(flags::Flags),
    /// Tell what a running gateway runs, how its sources are, and who gets what
    Status(status::Status),
    /// Tell how the answers to copies of requests differ from the originals
    Shadow(shadow::Shadow),
    /// Tell who changed what by hand, when and why
    Audit(audit::Audit),
    /// Make, list and take back tokens of the admin API
    Token(token::Token),
    /// Start a gateway, two versions of a service and, if asked, visitors; no file needed
    Demo(demo::Demo),
    /// Print a JSON schema, for editors
    Schema(schema::Schema),
    /// Put a new process in the place of a running gateway, without losing a request
    Upgrade(upgrade::Upgrade),
    /// Ask a running gateway whether it is ready, for health checks
    Health(health::Health),
    /// Print a completion script for a shell
    Completions(completions::Completions),
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// What an operator wrote is wrong.
    Problems(Vec<Problem>),
    /// One sentence, with the likely fix.
    Message(String),
    /// The command has said everything itself.
    Told,
}

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure::Message(message)
    }
}

/// Where the configuration is looked for.
#[derive(Debug, Clone, Args)]
pub struct ConfigFile {
    /// The configuration file
    #[arg(value_name = "FILE", default_value = DEFAULT_FILE)]
    pub file: PathBuf,
}

/// The configuration's name when none is given, in the current folder.
pub const DEFAULT_FILE: &str = "flagway.yaml";

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let Cli { global, command } = Cli::parse();
    output::choose_colors(global.color);
    let done = match command {
        Command::Run(command) => command.run(&global),
        Command::Check(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Eval(command) => command.run(),
        Command::Flags(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Shadow(command) => command.run(),
        Command::Audit(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Demo(command) => command.run(&global),
        Command::Schema(command) => command.run(),
        Command::Upgrade(command) => command.run(),
        Command::Health(command) => command.run(),
        Command::Completions(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::failure(&failure);
            ExitCode::from(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_holds() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example_in_its_help() {
        let mut all: Vec<clap::Command> = Cli::command().get_subcommands().cloned().collect();
        while let Some(mut command) = all.pop() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example") || command.get_name() == "help", "{help}");
            all.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in [["flagway", "--color", "never", "check"], ["flagway", "check", "--color", "never"]] {
            assert_eq!(Cli::try_parse_from(line).unwrap().global.color, Color::Never);
        }
    }

    #[test]
    fn a_wrong_command_line_is_exit_code_2() {
        for line in [&["flagway", "rum"][..], &["flagway", "run", "--fast"], &["flagway", "schema", "cofig"]]
        {
            assert_eq!(Cli::try_parse_from(line).unwrap_err().exit_code(), 2, "{line:?}");
        }
    }
}
