//! `flagway token`: makes, lists and takes back the tokens of the admin API, in the state folder of a gateway.
//!
//! It needs no running gateway, and one that runs notices with the next request. The text of a token is printed once and kept nowhere.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{DEFAULT_FILE, Failure, output};
use crate::admin::role::Role;
use crate::admin::tokens::{FILE, Tokens};
use crate::config::Config;

/// Make, list and take back tokens of the admin API
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, subcommand_required = true)]
#[command(after_help = "\
Examples:
  flagway token new --role operator --name ann
  flagway token list
  flagway token revoke ann")]
pub struct Token {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a token and print it, once
    New(New),
    /// Tell who holds a token, since when, and what it is good for
    List(List),
    /// Take a token back
    Revoke(Revoke),
}

/// Make a token and print it, once
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway token new --role operator --name ann
  flagway token new --role viewer --name dashboard -c /etc/flagway/flagway.yaml
  FLAGWAY_TOKEN=$(flagway token new --role operator --name pipeline) flagway status

Roles: viewer reads; operator also changes flags; admin may everything

Exit codes: 0 made; 1 there is one of that name, or the file cannot be written")]
pub struct New {
    /// What it is good for
    #[arg(long, value_name = "ROLE", value_parser = role())]
    pub role: Role,
    /// Whose it is: the name in the audit
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// Where the tokens are.
    #[command(flatten)]
    pub state: State,
}

/// Tell who holds a token, since when, and what it is good for
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway token list
  flagway token list --json | jq -r '.tokens[].name'

Exit codes: 0 told; 1 the file cannot be read")]
pub struct List {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Where the tokens are.
    #[command(flatten)]
    pub state: State,
}

/// Take a token back
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  flagway token revoke ann

Exit codes: 0 taken back; 1 there is none of that name, or the file cannot be written")]
pub struct Revoke {
    /// Whose it is
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Where the tokens are.
    #[command(flatten)]
    pub state: State,
}

/// Where the tokens are.
#[derive(Debug, Clone, Args)]
pub struct State {
    /// The configuration, whose `state_dir` it is
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_FILE)]
    pub config: PathBuf,
    /// The state folder itself
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub state_dir: Option<PathBuf>,
}

fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str)).try_map(|name| name.parse::<Role>())
}

impl Token {
    /// Does it.
    pub fn run(&self) -> Result<(), Failure> {
        match &self.command {
            Command::New(new) => new.run(),
            Command::List(list) => list.run(),
            Command::Revoke(revoke) => revoke.run(),
        }
    }
}

impl New {
    fn run(&self) -> Result<(), Failure> {
        let folder = self.state.folder()?;
        let text = Tokens::edit(&folder, |tokens| {
            tokens.add(&self.name, self.role, rand::random(), SystemTime::now())
        })?;
        output::print(&format!("{text}\n"));
        Ok(())
    }
}

impl List {
    fn run(&self) -> Result<(), Failure> {
        let file = self.state.folder()?.join(FILE);
        let folder = file.parent().unwrap_or(Path::new(""));
        let tokens =
            Tokens::read(folder).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        let tokens = tokens.unwrap_or_default();
        let text = if self.json {
            let list = tokens.iter().map(|token| {
                json!({"name": token.name, "role": token.role, "created": token.created, "hint": token.hint})
            });
            format!("{:#}\n", json!({"tokens": list.collect::<Vec<_>>()}))
        } else {
            let width = tokens.iter().map(|token| token.name.len()).max().unwrap_or_default();
            let line = |token: &crate::admin::tokens::Token| {
                let (name, role) = (&token.name, token.role.as_str());
                format!("{name:width$}  {role:8}  ..{}  since {}\n", token.hint, token.created)
            };
            tokens.iter().map(line).collect()
        };
        output::print(&text);
        Ok(())
    }
}

impl Revoke {
    fn run(&self) -> Result<(), Failure> {
        let folder = self.state.folder()?;
        let (token, left) = Tokens::edit(&folder, |tokens| {
            let token = tokens.revoke(&self.name)?;
            Ok((token, tokens.iter().count()))
        })?;
        let mut text =
            format!("the token of `{}`, {}, is good for nothing any more\n", token.name, token.role);
        if left == 0 {
            let file = folder.join(FILE);
            text += &format!(
                "no token is left: only `admin.token` of the configuration passes. Without one, removing {} lets everyone on this machine in\n",
                file.display()
            );
        }
        output::print(&text);
        Ok(())
    }
}

impl State {
    #[expect(clippy::disallowed_methods, reason = "a configuration is read here, with its environment")]
    fn folder(&self) -> Result<PathBuf, Failure> {
        if let Some(folder) = &self.state_dir {
            return Ok(folder.clone());
        }
        let name = self.config.display();
        let text = std::fs::read_to_string(&self.config).map_err(|error| {
            format!("{name} cannot be read: {error}; -c names the configuration, --state-dir the folder")
        })?;
        let folder = self.config.parent().unwrap_or(Path::new(""));
        let environment = |name: &str| std::env::var(name).ok();
        let config =
            Config::parse(&name.to_string(), &text, folder, &environment).map_err(Failure::Problems)?;
        config.state_dir.ok_or_else(|| {
            Failure::Message(format!(
                "{name} has no `state_dir`, so tokens have no place; add one, or give --state-dir"
            ))
        })
    }
}
