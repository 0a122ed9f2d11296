//! `flagway flags diff`: what the sources would have to say for the overlay to be superfluous.
//!
//! Patches go to stdout and nothing else does, so that they can be applied as they come.

use std::io::Write;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::cli::Failure;
use crate::cli::output::text::{json, plain};
use crate::cli::output::{self, WARN, paint};
use crate::cli::remote::Remote;
use crate::source::hand::SourceDiff;

/// Print the patch that would make the sources say what runs
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway flags diff
  flagway flags diff checkout-version | git apply -p0
  flagway flags diff --json | jq '.diffs[] | select(.form == \"json-patch\") | .patch | fromjson'

Exit codes: 0 told, whether there is something to patch or not; 1 refused, or no answer")]
pub struct Diff {
    /// Only this flag
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
    /// Print JSON, as GET /api/v1/diff answers it
    #[arg(long)]
    pub json: bool,
    /// Whom to ask.
    #[command(flatten)]
    pub remote: Remote,
}

/// `GET /diff`
#[derive(Debug, Serialize, Deserialize)]
struct Diffs {
    diffs: Vec<SourceDiff>,
}

impl Diff {
    /// Asks, prints.
    pub fn run(&self) -> Result<(), Failure> {
        let answer = self.remote.ask("GET", "/diff", "")?;
        let Diffs { mut diffs } = self.remote.read(&answer, "a diff")?;
        diffs.retain(|diff| self.key.as_ref().is_none_or(|key| is_of(diff, key)));
        if self.json {
            let text = serde_json::to_string_pretty(&Diffs { diffs }).map_err(|error| error.to_string())?;
            output::print(&(json(&text) + "\n"));
            return Ok(());
        }
        let (patches, remarks) = tell(&diffs, self.key.as_deref());
        print(&patches);
        let mut stderr = anstream::stderr().lock();
        for remark in remarks {
            let _ = writeln!(stderr, "{}: {remark}", paint(WARN.bold(), "note"));
        }
        Ok(())
    }
}

/// Whether it is of a flag: a patch of a file is of all its flags with entries.
fn is_of(diff: &SourceDiff, key: &str) -> bool {
    diff.flag == key || diff.flag.split(", ").any(|flag| flag == key)
}

/// Byte for byte into a file or a pipe; a terminal gets no character that moves its cursor.
fn print(patches: &str) {
    if output::on_terminal() {
        let line = |line: &str| line.split('\t').map(plain).collect::<Vec<_>>().join("\t") + "\n";
        output::print(&patches.lines().map(line).collect::<String>());
    } else {
        let mut stdout = std::io::stdout().lock();
        // A reader that has gone away is no error.
        let _ = stdout.write_all(patches.as_bytes()).and_then(|()| stdout.flush());
    }
}

/// The patches, and what there is to say of what cannot be patched.
fn tell(diffs: &[SourceDiff], key: Option<&str>) -> (String, Vec<String>) {
    let mut patches = String::new();
    let mut remarks = Vec::new();
    for SourceDiff { flag, file, form, patch } in diffs {
        let file = file.as_deref().map_or("its source".to_owned(), plain);
        let is_more = key.is_some_and(|key| key != flag);
        let flag = plain(flag);
        match &**form {
            "unified" => patches.push_str(patch),
            "json-patch" => remarks.push(format!(
                "{flag}: {file} is not edited as text; a JSON Patch (RFC 6902) for it:\n{}",
                json(patch)
            )),
            _ => remarks.push(format!("{flag}: no patch: {}", plain(patch))),
        }
        if is_more {
            remarks.push(format!("the patch of {file} is of all that was done by hand there: {flag}"));
        }
    }
    if diffs.is_empty() {
        let of = key.map(|key| format!(" on {}", plain(key))).unwrap_or_default();
        remarks.push(format!("nothing is done by hand{of} that its source does not say"));
    }
    (patches, remarks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_and_remarks_go_different_ways() {
        let diff = |flag: &str, file: Option<&str>, form: &str, patch: &str| SourceDiff {
            flag: flag.to_owned(),
            file: file.map(str::to_owned),
            form: form.to_owned(),
            patch: patch.to_owned(),
        };
        let diffs = [
            diff("a, e", Some("flags.json"), "unified", "--- flags.json\n+++ flags.json\n"),
            diff("b", Some("flags.yaml"), "json-patch", "[\n]"),
            diff("c\u{1b}", Some("x.json"), "none", "nested too deeply"),
        ];
        let (patches, remarks) = tell(&diffs, None);
        assert_eq!(patches, "--- flags.json\n+++ flags.json\n");
        assert_eq!(
            remarks,
            [
                "b: flags.yaml is not edited as text; a JSON Patch (RFC 6902) for it:\n[\n]",
                "c\\u{1b}: no patch: nested too deeply",
            ]
        );
        assert!(is_of(&diffs[0], "a") && is_of(&diffs[0], "e") && !is_of(&diffs[0], "b"));
        let (_, remarks) = tell(&diffs[..1], Some("e"));
        assert_eq!(remarks, ["the patch of flags.json is of all that was done by hand there: a, e"]);
        let (patches, remarks) = tell(&[], Some("a"));
        assert!(patches.is_empty() && remarks[0].contains("nothing is done by hand on a"), "{remarks:?}");
    }
}
