//! One write of one flag: sent so that it is done once, on what its operator saw, and told as what is true now.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::{Map, Value};

use super::words;
use crate::cli::Failure;
use crate::cli::answers::{Flag, Written};
use crate::cli::client::Answer;
use crate::cli::output::text::plain;
use crate::cli::output::{self, STRONG, WARN, paint};
use crate::cli::remote::{Remote, segment};

/// Options of every write.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Why, for whoever looks at it later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub why: String,
    /// Ask nothing
    #[arg(short, long)]
    pub yes: bool,
    /// Print JSON, as the API answers the write
    #[arg(long)]
    pub json: bool,
    /// Whom to ask.
    #[command(flatten)]
    pub remote: Remote,
}

/// The status that says that the flag is not what its operator saw.
const OVERTAKEN: u16 = 412;

/// A write to be sent.
#[derive(Debug, Clone)]
pub struct Write<'a> {
    /// The flag.
    pub key: &'a str,
    /// What is done, as the API's path names it.
    pub verb: &'static str,
    /// What it needs to know.
    pub body: Map<String, Value>,
    /// The flag's, as the operator saw it; none: whatever it is now.
    pub etag: Option<String>,
}

/// A flag with its ETag.
pub fn seen(remote: &Remote, key: &str) -> Result<(Flag, String), Failure> {
    let (answer, flag) = Flag::ask(remote, key)?;
    // Without an ETag there is nothing to compare: what stands is replaced.
    let etag = answer.header("etag").unwrap_or("*").to_owned();
    Ok((flag, etag))
}

impl Write<'_> {
    /// Sends it, and prints what is true now, with `note` behind its first line.
    pub fn run(mut self, options: &Options, note: &str) -> Result<(), Failure> {
        if !options.why.is_empty() {
            self.body.insert("why".to_owned(), options.why.as_str().into());
        }
        let answer = self.send(&options.remote)?;
        let written: Written = options.remote.read(&answer, "what is true after a write")?;
        if options.json {
            output::print_json(&options.remote.read(&answer, "JSON")?);
        } else {
            output::print(&tell(self.key, &written, note, now()));
        }
        warn(self.key, &written);
        Ok(())
    }

    /// A connection that breaks is tried once more: with its key the write is done once, however often it is sent.
    fn send(&self, remote: &Remote) -> Result<Answer, Failure> {
        let path = format!("/flags/{}/{}", segment(self.key), self.verb);
        let once = format!("{:032x}", rand::random::<u128>());
        let mut headers = vec![("idempotency-key", once.as_str())];
        headers.extend(self.etag.as_deref().map(|etag| ("if-match", etag)));
        let body = Value::Object(self.body.clone()).to_string();
        let send = || remote.send("POST", &path, &headers, &body);
        let answer = send().or_else(|_| send())?;
        if (200..300).contains(&answer.status) { Ok(answer) } else { Err(self.refused(remote, &answer)) }
    }

    /// Why it was not done; to whoever was overtaken, what is true by now.
    fn refused(&self, remote: &Remote, answer: &Answer) -> Failure {
        let failure = remote.refused(answer);
        match (failure, Flag::ask(remote, self.key)) {
            (Failure::Message(message), Ok((_, flag))) if answer.status == OVERTAKEN => {
                let truth = words::truth(&flag, now());
                Failure::Message(format!("{message}\nnothing was done; now {}", truth.trim_end()))
            }
            (failure, _) => failure,
        }
    }
}

/// What is true now, and how to go back.
fn tell(key: &str, written: &Written, note: &str, now: i64) -> String {
    let shown = plain(key);
    let truth = match &written.flag {
        Some(flag) => words::truth(flag, now),
        None => format!("{shown}: no source defines it, so it is gone\n"),
    };
    let (first, rest) = truth.split_once('\n').unwrap_or((&truth, ""));
    let what = first.strip_prefix(&shown).unwrap_or(first);
    let back = match &written.flag {
        Some(flag) if !flag.entries.is_empty() => {
            format!("; back with: flagway flags release {}", words::shell(key))
        }
        _ => String::new(),
    };
    let revision = plain(&written.revision);
    format!("{}{what}{note}\n{rest}revision {revision} is live{back}\n", paint(STRONG, shown))
}

/// What an operator should know beside that.
fn warn(key: &str, written: &Written) {
    let mut warnings = Vec::new();
    if let Some(flag) = &written.flag {
        warnings.extend(flag.problems.iter().map(words::problem));
        if flag.routes.is_empty() {
            warnings.push(format!("no route asks {}", plain(key)));
        }
    }
    if !written.durable {
        let lost = "this is gone after a restart: the gateway has no `state_dir` to keep it in";
        warnings.push(lost.to_owned());
    }
    let mut stderr = anstream::stderr().lock();
    for warning in warnings {
        let line = format!("{}: {warning}\n", paint(WARN.bold(), "warning"));
        let _ = std::io::Write::write_all(&mut stderr, line.as_bytes());
    }
}

/// Unix seconds; a clock before 1970 is at its beginning.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_write_is_told_as_what_is_true_now_and_how_to_go_back() {
        let written = |entries: Value| -> Written {
            serde_json::from_value(
                json!({"revision": "03b1c2d3e4f5", "durable": true, "seq": 7, "again": false,
                "flag": {"key": "checkout-version", "state": "ENABLED", "variants": {"stable": "stable"},
                    "routes": ["checkout"], "entries": entries}}),
            )
            .unwrap()
        };
        let shown = |written: &Written, note: &str| {
            anstream::adapter::strip_str(&tell("checkout-version", written, note, 1_795_415_200)).to_string()
        };
        let kill = json!([{"flag": "checkout-version", "kind": "kill", "variant": "stable", "value": "stable",
            "by": "ann", "at": "2026-11-23T06:26:40Z", "why": "p99", "until": "2026-11-23T08:26:40Z"}]);
        assert_eq!(
            shown(&written(kill), "; its streams end within 10s"),
            "checkout-version: everyone gets `stable` (killed by ann, for 2h: \"p99\"); its streams end within 10s\n\
             revision 03b1c2d3e4f5 is live; back with: flagway flags release checkout-version\n"
        );
        assert_eq!(
            shown(&written(json!([])), ""),
            "checkout-version: nothing is on it by hand, what its source says runs\n\
             revision 03b1c2d3e4f5 is live\n"
        );
        let gone = Written { flag: None, ..written(json!([])) };
        assert!(shown(&gone, "").starts_with("checkout-version: no source defines it, so it is gone\n"));
    }
}
