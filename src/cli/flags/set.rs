//! `flagway flags set`: a whole definition, from a file or a pipe.

use std::io::Read;

use clap::Args;
use serde_json::Value;

use super::confirm::{Impact, confirm};
use super::write::{Options, Write, seen};
use super::{time, timed};
use crate::cli::Failure;
use crate::cli::output::text::plain;
use crate::cli::remote::segment;
use crate::config::ProblemKind;
use crate::config::tree::{self, Limits};

/// Give a flag a whole definition
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway flags set checkout-version checkout-version.json
  flagway flags set checkout-version flags.yaml            the flag's part of a document
  flagway flags get checkout-version --json | jq .definition | flagway flags set checkout-version -

Exit codes: 0 done; 1 refused, or no answer")]
pub struct Set {
    /// The flag
    #[arg(value_name = "KEY")]
    pub key: String,
    /// Its definition, or a document that has it, in flagd's format, JSON or YAML; `-` reads stdin
    #[arg(value_name = "FILE")]
    pub file: String,
    /// Release it by itself after this time: 30m, 2h, 1d
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub until: Option<String>,
    /// Of every write.
    #[command(flatten)]
    pub options: Options,
}

/// Bytes of a file that are read at most: more than the gateway takes.
const LONGEST: u64 = 1 << 20;

impl Set {
    /// Reads the definition, and writes it.
    pub fn run(&self) -> Result<(), Failure> {
        let name = if self.file == "-" { "stdin" } else { &self.file };
        let text = self.text().map_err(|error| format!("{name} cannot be read: {error}"))?;
        let definition = definition(name, &text, &self.key)?;
        let remote = &self.options.remote;
        let found = remote.send("GET", &format!("/flags/{}", segment(&self.key)), &[], "")?;
        let etag = if found.status == 404 {
            // It becomes one.
            "*".to_owned()
        } else {
            let (_, etag) = seen(remote, &self.key)?;
            confirm(remote, &self.key, &Impact::Anything, self.options.yes)?;
            etag
        };
        let mut body = timed(self.until.as_deref());
        body.insert("definition".to_owned(), definition);
        Write { key: &self.key, verb: "set", body, etag: Some(etag) }.run(&self.options, "")
    }

    fn text(&self) -> std::io::Result<String> {
        let mut text = String::new();
        if self.file == "-" {
            std::io::stdin().lock().take(LONGEST).read_to_string(&mut text)?;
        } else {
            std::fs::File::open(&self.file)?.take(LONGEST).read_to_string(&mut text)?;
        }
        Ok(text)
    }
}

/// The definition in a text: the text itself, or what a document has for the flag.
fn definition(file: &str, text: &str, key: &str) -> Result<Value, Failure> {
    let value: Value = match serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        Ok(value) => value,
        // JSON that is wrong is told as JSON: as YAML it would be wrong elsewhere.
        Err(error) if text.trim_start().starts_with('{') => {
            return Err(
                format!("{file}:{}:{}: {}", error.line(), error.column(), plain(&error.to_string())).into()
            );
        }
        Err(_) => {
            let tree = tree::parse(file, text, ProblemKind::Document, &Limits::CONFIG);
            let tree = tree.map_err(|problem| Failure::Problems(vec![*problem]))?;
            if !tree.duplicates.is_empty() {
                return Err(Failure::Problems(tree.duplicates));
            }
            tree::to_json(&tree.root)
        }
    };
    let found = match value.get("flags") {
        Some(flags) => flags.get(key).cloned(),
        None => Some(value),
    };
    found.filter(Value::is_object).ok_or_else(|| {
        let key = plain(key);
        Failure::Message(format!("{file} has no definition of `{key}`; expected an object with `variants`, or a document with `{key}` under `flags`"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_is_found_alone_and_in_a_document_in_json_and_in_yaml() {
        let wanted = json!({"state": "ENABLED", "variants": {"a": 1}});
        for text in [
            r#"{"state": "ENABLED", "variants": {"a": 1}}"#,
            r#"{"flags": {"f": {"state": "ENABLED", "variants": {"a": 1}}, "g": {}}}"#,
            "state: ENABLED\nvariants: {a: 1}\n",
            "flags:\n  f:\n    state: ENABLED\n    variants: {a: 1}\n",
        ] {
            assert_eq!(definition("f.json", text, "f").unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_none_is_told_with_its_place() {
        for (text, told) in [
            ("{\"state\": \n}", "f.json:2:1"),
            (r#"{"flags": {"g": {}}}"#, "no definition of `f`"),
            ("[]", "no definition of `f`"),
            ("", "no definition of `f`"),
        ] {
            let Err(Failure::Message(found)) = definition("f.json", text, "f") else { panic!("{text}") };
            assert!(found.contains(told), "{found}");
        }
        assert!(matches!(definition("f.yaml", "a: [", "f"), Err(Failure::Problems(_))));
    }
}
