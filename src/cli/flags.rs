//! `flagway flags`: what a running gateway's flags say, and the operator's hand on them.
//!
//! It edits no file: what is done by hand stands above every source until it is released, and `diff` tells what a source would
//! have to say instead.

pub mod confirm;
pub mod diff;
pub mod get;
pub mod list;
pub mod set;
pub mod words;
pub mod write;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use self::confirm::{Impact, confirm};
use self::write::{Options, Write, seen};
use super::Failure;
use super::answers::Flag;
use super::output::text::plain;
use crate::overlay::{Kind, Share, shares};

/// Tell what the flags of a running gateway say, and change them by hand
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, subcommand_required = true)]
#[command(after_help = "\
Examples:
  flagway flags list
  flagway flags kill checkout-version stable --why 'p99 doubled'
  flagway flags release checkout-version
  flagway flags weight checkout-version canary=5%
  flagway flags diff > by-hand.patch       what the sources would have to say

Exit codes: 0 done; 1 refused, or no answer; 2 the command line is wrong")]
pub struct Flags {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all flags: state, split, and what is on them by hand
    List(list::List),
    /// Tell all about one flag
    Get(get::Get),
    /// Give everyone one variant, at once, above every rule
    Kill(Kill),
    /// Take back what was done by hand
    Release(Release),
    /// Give a variant another share of everyone
    Weight(Weight),
    /// Let a disabled flag decide
    Enable(Enable),
    /// Take a flag out of use: it has no value, so defaults serve
    Disable(Disable),
    /// Give a flag a whole definition
    Set(set::Set),
    /// Print the patch that would make the sources say what runs
    Diff(diff::Diff),
}

/// Give everyone one variant, at once, above every rule
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway flags kill checkout-version                    everyone gets its default variant
  flagway flags kill checkout-version stable --for 2h --why 'p99 doubled'
  flagway flags kill checkout-version stable --drain 10s

Exit codes: 0 everyone gets it; 1 refused, or no answer")]
pub struct Kill {
    /// The flag
    #[arg(value_name = "KEY")]
    pub key: String,
    /// The variant [default: the flag's default variant]
    #[arg(value_name = "VARIANT")]
    pub variant: Option<String>,
    /// Release it by itself after this time: 30m, 2h, 1d
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub until: Option<String>,
    /// End the long-lived streams of other versions within this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub drain: Option<String>,
    /// Of every write.
    #[command(flatten)]
    pub options: Options,
}

/// Take back what was done by hand
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway flags release checkout-version          the kill; where there is none, everything
  flagway flags release checkout-version --all

Exit codes: 0 released; 1 there was nothing to release, or no answer")]
pub struct Release {
    /// The flag
    #[arg(value_name = "KEY")]
    pub key: String,
    /// Everything, not the kill alone
    #[arg(long)]
    pub all: bool,
    /// Of every write.
    #[command(flatten)]
    pub options: Options,
}

/// Give a variant another share of everyone
#[derive(Debug, Args)]
#[command(after_help = "\
The share is taken from the default variant, or given back to it. Whoever has the variant keeps it when the share grows.

Examples:
  flagway flags weight checkout-version canary=5%
  flagway flags weight checkout-version canary=5% beta=1% --why 'a quiet hour'

Exit codes: 0 done; 1 refused, or no answer")]
pub struct Weight {
    /// The flag
    #[arg(value_name = "KEY")]
    pub key: String,
    /// Variants and their shares
    #[arg(value_name = "VARIANT=SHARE", required = true, value_parser = shares)]
    pub shares: Vec<BTreeMap<String, Share>>,
    /// Release it by itself after this time: 30m, 2h, 1d
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub until: Option<String>,
    /// Of every write.
    #[command(flatten)]
    pub options: Options,
}

/// Let a disabled flag decide
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  flagway flags enable new-pricing --why 'legal said yes'

Exit codes: 0 done; 1 refused, or no answer")]
pub struct Enable {
    /// Which, and how.
    #[command(flatten)]
    pub state: State,
}

/// Take a flag out of use: it has no value, so defaults serve
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  flagway flags disable new-pricing --for 1h

Exit codes: 0 done; 1 refused, or no answer")]
pub struct Disable {
    /// Which, and how.
    #[command(flatten)]
    pub state: State,
}

/// A state to give a flag.
#[derive(Debug, Args)]
pub struct State {
    /// The flag
    #[arg(value_name = "KEY")]
    pub key: String,
    /// Release it by itself after this time: 30m, 2h, 1d
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub until: Option<String>,
    /// Of every write.
    #[command(flatten)]
    pub options: Options,
}

impl Flags {
    /// Does it.
    pub fn run(&self) -> Result<(), Failure> {
        match &self.command {
            Command::List(list) => list.run(),
            Command::Get(get) => get.run(),
            Command::Kill(kill) => kill.run(),
            Command::Release(release) => release.run(),
            Command::Weight(weight) => weight.run(),
            Command::Enable(Enable { state }) => state.run("enable"),
            Command::Disable(Disable { state }) => state.run("disable"),
            Command::Set(set) => set.run(),
            Command::Diff(diff) => diff.run(),
        }
    }
}

impl Kill {
    /// Without a condition: whoever was faster, everyone is to get this variant.
    fn run(&self) -> Result<(), Failure> {
        let remote = &self.options.remote;
        let (variant, mut note) = match &self.variant {
            Some(variant) => (variant.clone(), String::new()),
            None => (default_variant(&Flag::ask(remote, &self.key)?.1)?, "; its default variant".to_owned()),
        };
        confirm(remote, &self.key, &Impact::Everyone(&variant), self.options.yes)?;
        let mut body = timed(self.until.as_deref());
        body.insert("variant".to_owned(), variant.into());
        if let Some(drain) = &self.drain {
            body.insert("drain".to_owned(), drain.as_str().into());
            note.push_str(&format!("; streams of other versions end within {drain}"));
        }
        Write { key: &self.key, verb: "kill", body, etag: None }.run(&self.options, &note)
    }
}

impl Release {
    fn run(&self) -> Result<(), Failure> {
        let (_, etag) = seen(&self.options.remote, &self.key)?;
        let what = if self.all { "all" } else { "kill" };
        let body = Map::from_iter([("what".to_owned(), what.into())]);
        Write { key: &self.key, verb: "release", body, etag: Some(etag) }.run(&self.options, "")
    }
}

impl Weight {
    fn run(&self) -> Result<(), Failure> {
        let Options { remote, yes, .. } = &self.options;
        let (flag, etag) = seen(remote, &self.key)?;
        let mut shares = BTreeMap::new();
        for (variant, share) in self.shares.iter().flatten() {
            if shares.insert(variant.as_str(), *share).is_some() {
                return Err(
                    format!("`{}` stands there twice; expected each variant once", plain(variant)).into()
                );
            }
        }
        let impact = Impact::Shares(shares.iter().map(|(variant, share)| (*variant, *share)).collect());
        // Under a kill, a share shows only when the kill is released.
        if flag.entry(Kind::Kill).is_none() {
            confirm(remote, &self.key, &impact, *yes)?;
        }
        let mut body = timed(self.until.as_deref());
        body.insert("shares".to_owned(), json!(shares));
        Write { key: &self.key, verb: "weight", body, etag: Some(etag) }.run(&self.options, "")
    }
}

impl State {
    fn run(&self, verb: &'static str) -> Result<(), Failure> {
        let (flag, etag) = seen(&self.options.remote, &self.key)?;
        let wanted = if verb == "enable" { "ENABLED" } else { "DISABLED" };
        if flag.state != wanted {
            confirm(&self.options.remote, &self.key, &Impact::Anything, self.options.yes)?;
        }
        let body = timed(self.until.as_deref());
        Write { key: &self.key, verb, body, etag: Some(etag) }.run(&self.options, "")
    }
}

/// The variant of whom no rule picks one for.
fn default_variant(flag: &Flag) -> Result<String, Failure> {
    flag.default_variant.clone().ok_or_else(|| {
        let key = plain(&flag.key);
        let known: Vec<String> = flag.variants.keys().map(|name| plain(name)).collect();
        Failure::Message(format!(
            "{key} has no default variant; name the one that everyone gets: {}",
            known.join(", ")
        ))
    })
}

/// The body of a write that may release itself.
fn timed(until: Option<&str>) -> Map<String, Value> {
    until.map(|until| ("for".to_owned(), until.into())).into_iter().collect()
}

/// A time to wait, kept as it is written.
fn time(text: &str) -> Result<String, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time.as_secs() > 0 => Ok(text.to_owned()),
        _ => Err("expected a time such as 30s, 10m, 2h or 1d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Cli;
    use super::*;

    #[test]
    fn what_cannot_be_done_is_a_wrong_command_line() {
        for wrong in [
            &["weight", "f"][..],
            &["weight", "f", "canary"],
            &["weight", "f", "canary=5"],
            &["weight", "f", "canary=500%"],
            &["kill"],
            &["kill", "f", "stable", "--for", "soon"],
            &["kill", "f", "stable", "--for", "0s"],
            &["kill", "f", "stable", "--drain", "10"],
            &["release", "f", "--for", "1h"],
            &["set", "f"],
            &[],
        ] {
            let line = [&["flagway", "flags"][..], wrong].concat();
            assert_eq!(Cli::try_parse_from(line).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
        for right in [&["kill", "f", "stable", "--for", "1h 30m"][..], &["weight", "f", "a=1%", "b=0.5%"]] {
            Cli::try_parse_from([&["flagway", "flags"][..], right].concat()).unwrap();
        }
    }

    #[test]
    fn a_flag_without_a_default_variant_is_asked_for_one() {
        let flag: Flag = serde_json::from_value(
            json!({"key": "f", "state": "ENABLED", "variants": {"a": 1, "b": 2}, "default_variant": null}),
        )
        .unwrap();
        let Err(Failure::Message(told)) = default_variant(&flag) else { panic!("there is none") };
        assert_eq!(told, "f has no default variant; name the one that everyone gets: a, b");
        let flag = Flag { default_variant: Some("b".to_owned()), ..flag };
        assert_eq!(default_variant(&flag).unwrap(), "b");
    }
}
