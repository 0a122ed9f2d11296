//! `flagway eval`: what a flag of a document answers for a context, as JSON; or, line by line, for millions of them.
//!
//! It knows no configuration, no gateway and no last good definition: a document, a context and a time are all that counts. What
//! answers is the engine that decides requests.

pub mod answer;
pub mod batch;
pub mod question;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bytesize::ByteSize;
use clap::Args;
use serde_json::Value as Json;

use super::{Failure, output};
use crate::admin::explain::At;
use crate::config::{FlagLimits, FractionalVersion};
use crate::flag::{ErrorCode, Format};
use answer::{Answer, Asked, Flags, Type};

/// Tell what a flag of a document answers for a context, as JSON
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway eval --flags flags.json checkout-version --context '{\"targetingKey\": \"ann\"}'
  flagway eval --flags flags.json new-pricing --type boolean --context @ann.json --now 2026-12-24T12:00:00Z
  flagway eval --batch < cases.jsonl > answers.jsonl

  A case is a line: {\"flags\": {..}, \"flagKey\": \"..\", \"type\": \"boolean\", \"context\": {..}, \"now\": 1700000000}
  An answer is a line: {\"value\": .., \"variant\": \"..\", \"reason\": \"..\", \"errorCode\": \"..\"}, without what is absent

Exit codes: 0 answered, also when there is no value, and always with --batch; 1 the reason is ERROR, or a file cannot be read")]
pub struct Eval {
    /// The flag
    #[arg(value_name = "KEY", required_unless_present = "batch")]
    pub key: Option<String>,
    /// The document of flags, JSON or YAML by its name
    #[arg(long, value_name = "FILE", required_unless_present = "batch")]
    pub flags: Option<PathBuf>,
    /// The context, an object: as text, from a file, or from standard input [default: {}]
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub context: Option<String>,
    /// The type that the value must have
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    pub as_type: Option<Type>,
    /// Read cases from standard input, a JSON object a line; print an answer a line
    #[arg(long, conflicts_with_all = ["key", "flags", "context", "as_type"])]
    pub batch: bool,
    /// What `$flagd.timestamp` says: Unix seconds or RFC 3339; of a batch, where a case has no `now` [default: the clock]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = seconds)]
    pub now: Option<i64>,
    /// Which of flagd's hashes assigns the buckets
    #[arg(long, value_name = "v2|v3", default_value = "v3", value_parser = fractional)]
    pub fractional: FractionalVersion,
    /// Steps that one evaluation may take
    #[arg(long, value_name = "N", default_value_t = FlagLimits::default().steps)]
    pub steps: usize,
    /// Bytes that one evaluation may produce: 64KiB
    #[arg(long, value_name = "SIZE", default_value = "64KiB", value_parser = size)]
    pub produced: usize,
}

/// What an evaluation depends on beside document and context.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Which hash assigns the buckets.
    pub fractional: FractionalVersion,
    /// Bounds on what definitions may cost.
    pub limits: FlagLimits,
    /// Unix seconds; none: the clock's.
    pub now: Option<i64>,
}

impl Terms {
    /// The time of an evaluation that names none: Unix seconds.
    pub fn now(&self) -> i64 {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        self.now.unwrap_or_else(clock)
    }
}

impl Eval {
    /// Evaluates, prints.
    pub fn run(&self) -> Result<(), Failure> {
        let limits = FlagLimits { steps: self.steps, produced_bytes: self.produced, ..FlagLimits::default() };
        let terms = Terms { fractional: self.fractional, limits, now: self.now };
        match (&self.key, &self.flags) {
            (Some(key), Some(file)) => self.one(key, file, &terms),
            _ => batch::run(io::stdin(), io::stdout().lock(), &terms).map_err(|error| told("batch", &error)),
        }
    }

    fn one(&self, key: &str, file: &Path, terms: &Terms) -> Result<(), Failure> {
        let text = std::fs::read(file).map_err(|error| told(&file.display().to_string(), &error))?;
        let context = self.context()?;
        let flags =
            Flags::parse(&file.to_string_lossy(), &String::from_utf8_lossy(&text), Format::of(file), terms);
        let asked = Asked { key, as_type: self.as_type, context: &context, now: terms.now() };
        let answer = match &flags {
            Ok(flags) => flags.answer(&asked),
            Err(problems) => Answer::refused(problems),
        };
        let line = serde_json::to_string(&answer.with_key(key)).map_err(|error| error.to_string())?;
        output::print(&(output::text::json(&line) + "\n"));
        match flags {
            Err(problems) => Err(Failure::Problems(problems)),
            Ok(_) if answer.is_error() => Err(Failure::Told),
            Ok(_) => Ok(()),
        }
    }

    /// The context as it was given; an object or not.
    fn context(&self) -> Result<Json, Failure> {
        let text = match self.context.as_deref() {
            None => return Ok(Json::Object(Default::default())),
            Some("-") => {
                let mut text = String::new();
                io::stdin().read_to_string(&mut text).map_err(|error| told("standard input", &error))?;
                text
            }
            Some(given) => match given.strip_prefix('@') {
                Some(file) => std::fs::read_to_string(file).map_err(|error| told(file, &error))?,
                None => given.to_owned(),
            },
        };
        let wrong = |error| {
            let code = ErrorCode::InvalidContext.as_str();
            Failure::Message(format!(
                "the context is no JSON: {error} ({code})\n  fix: quote it for the shell: --context '{{\"targetingKey\": \"ann\"}}'"
            ))
        };
        serde_json::from_str(&text).map_err(wrong)
    }
}

fn told(what: &str, error: &io::Error) -> Failure {
    Failure::Message(format!("{what}: {error}"))
}

fn seconds(text: &str) -> Result<i64, String> {
    text.parse().map_or_else(|_| At::Rfc3339(text.to_owned()), At::Unix).seconds()
}

fn fractional(text: &str) -> Result<FractionalVersion, String> {
    match text {
        "v2" => Ok(FractionalVersion::V2),
        "v3" => Ok(FractionalVersion::V3),
        _ => Err("expected v2 or v3".to_owned()),
    }
}

fn size(text: &str) -> Result<usize, String> {
    let size: ByteSize = text.parse()?;
    usize::try_from(size.as_u64()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, Command};
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Eval, clap::Error> {
        match Cli::try_parse_from([&["flagway", "eval"], arguments].concat())?.command {
            Command::Eval(eval) => Ok(eval),
            other => panic!("not eval: {other:?}"),
        }
    }

    #[test]
    fn times_sizes_and_hashes_are_read() {
        let eval = parse(&[
            "--flags",
            "f.json",
            "key",
            "--now",
            "1970-01-01T00:01:00Z",
            "--fractional",
            "v2",
            "--produced",
            "1KiB",
            "--type",
            "double",
        ]);
        let eval = eval.unwrap();
        assert_eq!((eval.now, eval.produced, eval.steps), (Some(60), 1024, 10_000));
        assert_eq!((eval.fractional, eval.as_type), (FractionalVersion::V2, Some(Type::Number)));
        assert_eq!(parse(&["--batch", "--now", "-5"]).unwrap().now, Some(-5));
    }

    #[test]
    fn a_question_has_a_document_and_a_key_and_a_batch_has_neither() {
        for wrong in [
            &["key"][..],
            &["--flags", "f.json"],
            &["--batch", "key"],
            &["--batch", "--context", "{}"],
            &["--batch", "--now", "soon"],
            &["--batch", "--fractional", "v1"],
            &["--batch", "--produced", "much"],
        ] {
            assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
    }
}
