//! A gateway's status for people, in 80 columns: what is wrong or done by hand before what is as always.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use crate::cli::answers::{Endpoint, Problem, Source, Split, Status, Upstream};
use crate::cli::flags::words::{self, span};
use crate::cli::output::text::{columns, padded, plain, wrap};
use crate::cli::output::{BAD, FAINT, GOOD, STRONG, WARN, paint};
use crate::cli::shadow::figures::{count, share};
use crate::cli::shadow::render::WIDTH;

/// Of what time a split is.
pub const SINCE_START: &str = "since the start";
/// Of what time a split is.
pub const LAST_SECOND: &str = "in the last second";

/// Columns of a source's or flag's name, and of a variant's.
const NAME: usize = 30;
const VARIANT: usize = 20;
/// Problems that are shown; the JSON has them all.
const PROBLEMS: usize = 8;

/// The whole text. `now` in Unix seconds.
pub fn render(status: &Status, split: &Split, of: &str, now: i64) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(status, split, of, now, &mut out);
    out
}

fn write(status: &Status, split: &Split, of: &str, now: i64, out: &mut String) -> std::fmt::Result {
    let since = status.since.as_deref().map(|since| match age(since, now) {
        Some(age) => format!("; the gateway runs for {}", span(age)),
        None => format!("; the gateway runs since {}", plain(since)),
    });
    writeln!(out, "revision {}{}", paint(STRONG, plain(&status.revision)), since.unwrap_or_default())?;
    write_problems(&status.problems, out)?;
    let held_out: Vec<_> = status.upstreams.iter().filter(|version| version.held_out).collect();
    if !held_out.is_empty() {
        heading(out, "held out", "")?;
    }
    for version in held_out {
        let line = format!("{}/{} fails: the default version serves", version.service, version.version);
        item(out, &paint(BAD, "!"), &line)?;
    }
    write_out(&status.upstreams, out)?;
    if !status.overlay.is_empty() {
        let lost = if status.durable == Some(false) { "gone after a restart: no `state_dir`" } else { "" };
        heading(out, "by hand", lost)?;
    }
    for entry in &status.overlay {
        let line = format!("{}: {} ({})", entry.flag(), words::does(entry.change()), words::who(entry, now));
        item(out, "", &line)?;
    }
    write_split(split, of, out)?;
    heading(out, "sources", "")?;
    for source in &status.sources {
        write_source(source, out)?;
    }
    if !status.shadows.is_empty() {
        heading(out, "shadows", "")?;
    }
    for shadow in &status.shadows {
        item(out, "", &format!("{} -> {}: {}", shadow.route, shadow.version, shadow.verdict))?;
    }
    Ok(())
}

fn write_problems(problems: &[Problem], out: &mut String) -> std::fmt::Result {
    if problems.is_empty() {
        return Ok(());
    }
    heading(out, "problems", "")?;
    for problem in problems.iter().take(PROBLEMS) {
        let style = if problem.severity == "error" { BAD } else { WARN };
        item(out, &paint(style, plain(&problem.severity)), &words::problem(problem))?;
    }
    match problems.len().saturating_sub(PROBLEMS) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more; --json tells all"),
    }
}

/// Endpoints that get no requests; that all others do is as always.
fn write_out(upstreams: &[Upstream], out: &mut String) -> std::fmt::Result {
    let is_out = |endpoint: &&Endpoint| matches!(&*endpoint.state, "ejected" | "down");
    let all = upstreams
        .iter()
        .flat_map(|version| version.endpoints.iter().filter(is_out).map(move |endpoint| (version, endpoint)));
    for (index, (version, endpoint)) in all.enumerate() {
        if index == 0 {
            heading(out, "endpoints", "that get no requests")?;
        }
        let Upstream { service, version, .. } = version;
        let why = endpoint.why.as_deref().unwrap_or_default();
        let line = format!("{service}/{version} {}: {why}", endpoint.address);
        item(out, &paint(BAD, plain(&endpoint.state)), &line)?;
    }
    Ok(())
}

fn write_source(source: &Source, out: &mut String) -> std::fmt::Result {
    let style = match &*source.state {
        "ready" => GOOD,
        "stale" => WARN,
        _ => BAD,
    };
    let read = match source.age_seconds {
        Some(age) => format!("good {} ago", span(age as i64)),
        None => "never good".to_owned(),
    };
    let flags = format!("{} flag{}", count(source.flags), if source.flags == 1 { "" } else { "s" });
    let (name, state) = (padded(&source.name, NAME), paint(style, padded(&source.state, 8)));
    writeln!(out, "  {name}  {state} {flags:<12} {read}")
}

fn write_split(split: &Split, of: &str, out: &mut String) -> std::fmt::Result {
    heading(out, "split", of)?;
    let mut is_empty = true;
    for flag in split.flags.keys() {
        let mut name = padded(flag, NAME);
        for (variant, part, n) in split.shares(flag) {
            is_empty = false;
            let variant = if variant.is_empty() { "no value" } else { variant };
            writeln!(out, "  {name}  {} {:>8} {:>13}", padded(variant, VARIANT), share(part), count(n))?;
            name = " ".repeat(NAME);
        }
    }
    if is_empty { writeln!(out, "  no flag was asked") } else { Ok(()) }
}

fn heading(out: &mut String, title: &str, of: &str) -> std::fmt::Result {
    let of = if of.is_empty() { String::new() } else { format!(" {}", paint(FAINT, of)) };
    writeln!(out, "\n{}{of}", paint(STRONG, title))
}

/// A line behind a mark, wrapped.
fn item(out: &mut String, mark: &str, text: &str) -> std::fmt::Result {
    let gap = if mark.is_empty() { "" } else { " " };
    let taken = 2 + columns(&anstream::adapter::strip_str(mark).to_string()) + gap.len();
    for (index, part) in wrap(text, WIDTH.saturating_sub(taken).max(20)).into_iter().enumerate() {
        if index == 0 {
            writeln!(out, "  {mark}{gap}{part}")?;
        } else {
            writeln!(out, "{:1$}{part}", "", taken)?;
        }
    }
    Ok(())
}

/// Seconds since a time of RFC 3339.
fn age(since: &str, now: i64) -> Option<i64> {
    let since = humantime::parse_rfc3339(since).ok()?.duration_since(UNIX_EPOCH).ok();
    Some(now.saturating_sub(since.unwrap_or(Duration::ZERO).as_secs() as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_795_415_200 + 180;

    fn status() -> Status {
        serde_json::from_value(json!({
            "revision": "03b1c2d3e4f5", "since": "2026-11-23T06:26:40.250Z",
            "sources": [
                {"name": "file:flags.json", "state": "ready", "age_seconds": 3.2, "flags": 2},
                {"name": "file:more.yaml", "state": "missing", "age_seconds": null, "flags": 0},
            ],
            "problems": [{"kind": "source", "severity": "error", "file": "more.yaml", "line": 3, "key": "", "found": "it cannot be read",
                "fix": "look at it, and at everything else that might be the reason why it is so"}],
            "evaluations": [
                {"flag": "checkout-version", "variant": "canary", "reason": "SPLIT", "count": 12},
                {"flag": "checkout-version", "variant": "stable", "reason": "SPLIT", "count": 1188},
            ],
            "overlay": [{"flag": "checkout-version", "kind": "kill", "variant": "stable", "value": "stable", "by": "ann",
                "at": "2026-11-23T06:26:40Z", "why": "p99", "until": null}],
            "upstreams": [{"service": "shop", "version": "canary", "endpoints": [
                {"address": "10.0.0.3:9001", "weight": 1, "state": "down", "why": "status 503", "requests": 0},
                {"address": "10.0.0.4:9001", "weight": 1, "state": "serving", "requests": 2}]}],
            "shadows": [{"route": "checkout", "version": "v2", "verdict": "v2 answered 14 of 14 requests like stable."}],
        }))
        .unwrap()
    }

    const TEXT: &str = "\
revision 03b1c2d3e4f5; the gateway runs for 3m

problems
  error more.yaml:3: it cannot be read; look at it, and at everything else that
        might be the reason why it is so

endpoints that get no requests
  down shop/canary 10.0.0.3:9001: status 503

by hand
  checkout-version: everyone gets `stable` (killed by ann, 3m ago: \"p99\")

split since the start
  checkout-version                stable                 99.0 %         1,188
                                  canary                 1.00 %            12

sources
  file:flags.json                 ready    2 flags      good 3s ago
  file:more.yaml                  missing  0 flags      never good

shadows
  checkout -> v2: v2 answered 14 of 14 requests like stable.
";

    fn shown(status: &Status) -> String {
        let text = render(status, &status.split(), SINCE_START, NOW);
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn a_status_reads_from_what_is_wrong_to_who_gets_what() {
        assert_eq!(shown(&status()), TEXT);
    }

    #[test]
    fn nothing_leaves_80_columns_or_moves_the_cursor() {
        let hostile = "\u{1b}]0;evil\u{7}漢\u{202e} ".repeat(30);
        let mut status = status();
        status.problems[0].found.push_str(&hostile);
        status.problems[0].file = Some(hostile.clone());
        status.problems[0].severity = "\u{1b}[2J".to_owned();
        status.sources[0].name.push_str(&hostile);
        status.sources[0].state.push_str(&hostile);
        status.shadows[0].verdict.push_str(&hostile);
        status.upstreams[0].endpoints[0].state = "down".to_owned();
        status.upstreams[0].endpoints[0].why = Some(hostile.clone());
        status.evaluations[0].flag.push_str(&hostile);
        status.evaluations[1].variant = hostile.clone();
        status.since = None;
        for line in shown(&status).lines() {
            assert!(columns(line) <= WIDTH, "{line}");
            assert!(line.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{line:?}");
        }
    }
}
