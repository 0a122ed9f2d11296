//! `flagway flags get`: all about one flag, what decides first.

use std::fmt::Write;

use clap::Args;

use super::words;
use super::write::now;
use crate::cli::Failure;
use crate::cli::answers::{Flag, Split, Status};
use crate::cli::output::text::{json, plain};
use crate::cli::output::{self, FAINT, STRONG, WARN, paint};
use crate::cli::remote::Remote;
use crate::cli::shadow::figures::{count, share};
use crate::cli::shadow::render::line;
use crate::overlay::entry::rfc3339;

/// Tell all about one flag
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flagway flags get checkout-version
  flagway flags get checkout-version --json | jq .definition

Exit codes: 0 told; 1 there is no such flag, or no answer")]
pub struct Get {
    /// The flag
    #[arg(value_name = "KEY")]
    pub key: String,
    /// Print JSON, as GET /api/v1/flags/{key} answers it
    #[arg(long)]
    pub json: bool,
    /// Whom to ask.
    #[command(flatten)]
    pub remote: Remote,
}

impl Get {
    /// Asks, prints.
    pub fn run(&self) -> Result<(), Failure> {
        let (answer, flag) = Flag::ask(&self.remote, &self.key)?;
        if self.json {
            output::print_json(&self.remote.read(&answer, "a flag")?);
            return Ok(());
        }
        let status = Status::ask(&self.remote)?;
        output::print(&render(&flag, &status.split(), now()));
        Ok(())
    }
}

fn render(flag: &Flag, split: &Split, now: i64) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(flag, split, now, &mut out);
    out
}

fn write(flag: &Flag, split: &Split, now: i64, out: &mut String) -> std::fmt::Result {
    let state = plain(&flag.state.to_lowercase());
    writeln!(out, "{}  {state}\n", paint(STRONG, plain(&flag.key)))?;
    for entry in flag.entries.iter().rev() {
        let until = entry.until().map(|until| format!(", until {}", rfc3339(until))).unwrap_or_default();
        let what = words::does(entry.change());
        line(out, "by hand", &format!("{what} ({})", words::who(entry, now)))?;
        line(out, "", &format!("since {}{until}", rfc3339(entry.at())))?;
    }
    for (name, part, n) in split.shares(&flag.key) {
        let name = if name.is_empty() { "no value" } else { name };
        line(out, "split", &format!("{name} {} of all since the start, {}", share(part), count(n)))?;
    }
    let value =
        |(name, value): (&String, &serde_json::Value)| format!("{name} = {}", json(&value.to_string()));
    let variants: Vec<String> = flag.variants.iter().map(value).collect();
    line(out, "variants", &variants.join(", "))?;
    line(out, "default", flag.default_variant.as_deref().unwrap_or("none"))?;
    let routes = if flag.routes.is_empty() { "no route asks it".to_owned() } else { flag.routes.join(", ") };
    line(out, "routes", &routes)?;
    line(out, "source", flag.source.as_deref().unwrap_or("none: it is defined by hand"))?;
    for problem in &flag.problems {
        line(out, "problem", &words::problem(problem))?;
    }
    match &flag.definition {
        Some(definition) => {
            let heading = paint(FAINT, "what runs:");
            writeln!(out, "\n  {heading}\n{}", json(&format!("{definition:#}")))
        }
        None => writeln!(out, "\n  {}", paint(WARN, "no definition of it was ever good")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_flag_reads_from_what_decides_to_its_definition() {
        let flag: Flag = serde_json::from_value(json!({
            "key": "checkout-version", "state": "ENABLED", "variants": {"stable": "stable", "canary": "canary"},
            "default_variant": "stable", "targeting": false, "routes": ["checkout"], "source": "flags.json",
            "definition": {"state": "ENABLED"}, "reads": {}, "problems": [
                {"kind": "overlay", "severity": "error", "key": "overlay.f.weight", "found": "it does not apply", "fix": "release it"}],
            "entries": [{"flag": "checkout-version", "kind": "kill", "variant": "stable", "value": "stable", "by": "ann",
                "at": "2026-11-23T06:26:40Z", "why": "p99", "until": "2026-11-23T08:26:40Z"}],
        }))
        .unwrap();
        let split: Split =
            serde_json::from_value(json!({"flags": {"checkout-version": {"stable": 1234, "canary": 0}}}))
                .unwrap();
        let text = render(&flag, &split, 1_795_415_200 + 180);
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "\
checkout-version  enabled

  by hand    everyone gets `stable` (killed by ann, 3m ago, for 1h 57m more:
             \"p99\")
             since 2026-11-23T06:26:40Z, until 2026-11-23T08:26:40Z
  split      stable 100.0 % of all since the start, 1,234
  variants   canary = \"canary\", stable = \"stable\"
  default    stable
  routes     checkout
  source     flags.json
  problem    it does not apply; release it

  what runs:
{
  \"state\": \"ENABLED\"
}
"
        );
    }
}
