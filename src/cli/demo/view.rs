//! Who goes where, live: a table that is redrawn each second on a terminal, plain lines elsewhere.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::sample::{Counts, series};
use crate::admin::shadows::Shadows;
use crate::cli::output::screen::Screen;
use crate::cli::output::text::{cut, plain, wrap};
use crate::cli::output::{BAD, FAINT, GOOD, STRONG, WARN, on_terminal, paint, plural, print};
use crate::gateway::Server;
use crate::gateway::live::Published;
use crate::source::Status;
use crate::telemetry::Metrics;

/// Shares are told of this many seconds, so that a changed weight shows soon.
const WINDOW: usize = 10;
/// Rows of flags and variants at most; a terminal is not endless.
const ROWS: usize = 12;
/// Width of a bar that is full.
const BAR: usize = 30;
/// Columns of a sentence.
const WIDTH: usize = 80;

/// Looks at a running gateway.
pub struct View {
    live: Published,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    ended: Arc<AtomicBool>,
}

/// What the metrics said at one moment.
#[derive(Debug, Clone, PartialEq)]
struct Sample {
    at: Instant,
    /// By service and version.
    requests: Counts,
    /// By flag and variant.
    evaluations: Counts,
}

/// The state that decisions are made in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    revision: String,
    problems: Vec<String>,
    /// What the shadows' answers say.
    verdicts: Vec<String>,
}

impl View {
    /// A look at a server that is about to serve, until `ended`.
    pub fn new(server: &Server, ended: Arc<AtomicBool>) -> View {
        View {
            live: Arc::clone(&server.live),
            status: Arc::clone(&server.status),
            metrics: Arc::clone(&server.metrics),
            ended,
        }
    }

    /// Shows until the end.
    pub fn run(self) {
        let mut screen = on_terminal().then(Screen::default);
        let mut samples = VecDeque::with_capacity(WINDOW + 1);
        let mut last = String::new();
        while !self.ended.load(Ordering::Relaxed) {
            if samples.len() > WINDOW {
                samples.pop_front();
            }
            samples.push_back(self.sample());
            // The loop has just pushed one: both ends are there.
            if let (Some(first), Some(now)) = (samples.front(), samples.back()) {
                if let Some(screen) = &mut screen {
                    // A terminal that is gone needs no table.
                    let _ = screen.draw(&table(&self.state(), first, now));
                } else if let Some(text) = line(&self.state(), first, now).filter(|text| *text != last) {
                    print(&text);
                    last = text;
                }
            }
            std::thread::park_timeout(Duration::from_secs(1));
        }
    }

    fn sample(&self) -> Sample {
        let text = self.metrics.encode();
        Sample {
            at: Instant::now(),
            requests: named(series(&text, "flagway_requests_total", &["service", "version"])),
            evaluations: series(&text, "flagway_evaluations_total", &["flag", "variant"]),
        }
    }

    fn state(&self) -> State {
        let live = self.live.load();
        let state = self.status.problems.load();
        let problems = state.iter().chain(&live.snapshot.problems).map(|problem| {
            let place = problem.place.as_ref().map(|place| format!("{}:{}: ", place.file, place.line));
            format!("{}{}", place.unwrap_or_default(), problem.found)
        });
        let shadows = Shadows::of(&live, None).shadows;
        State {
            revision: live.snapshot.revision.to_string(),
            problems: problems.collect(),
            verdicts: shadows.into_iter().map(|shadow| shadow.verdict).collect(),
        }
    }
}

/// A row: its labels, its part of the window's whole, its count of all time.
struct Row<'a> {
    labels: &'a [String],
    share: f64,
    total: f64,
}

/// Rows whose count was ever above zero; shares are among those with the same first label.
fn rows<'a>(first: &Counts, now: &'a Counts) -> Vec<Row<'a>> {
    let recent = |labels: &[String], count: f64| count - first.get(labels).copied().unwrap_or(0.0);
    let whole = |group: &String| {
        let of_group = now.iter().filter(|(labels, _)| labels.first() == Some(group));
        of_group.map(|(labels, count)| recent(labels, *count)).sum::<f64>()
    };
    let row = |(labels, count): (&'a Vec<String>, &f64)| {
        let whole = labels.first().map(whole).unwrap_or_default();
        let share = if whole > 0.0 { recent(labels, *count) / whole } else { 0.0 };
        Row { labels, share, total: *count }
    };
    now.iter().filter(|(_, count)| **count > 0.0).map(row).collect()
}

fn rate(first: &Sample, now: &Sample) -> f64 {
    let seconds = (now.at - first.at).as_secs_f64();
    let all = |counts: &Counts| counts.values().sum::<f64>();
    if seconds > 0.0 { (all(&now.requests) - all(&first.requests)) / seconds } else { 0.0 }
}

fn table(state: &State, first: &Sample, now: &Sample) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_table(state, first, now, &mut out);
    out
}

fn write_table(state: &State, first: &Sample, now: &Sample, out: &mut String) -> std::fmt::Result {
    let total: f64 = now.requests.values().sum();
    let rate = rate(first, now);
    writeln!(
        out,
        "{} revision {}, {rate:.1} requests/s, {total} in all",
        paint(STRONG, "who goes where"),
        state.revision
    )?;
    if total == 0.0 {
        writeln!(out, "  {}", paint(FAINT, "nobody has come yet"))?;
    }
    for row in rows(&first.requests, &now.requests) {
        write_row(&row, GOOD, out)?;
    }
    let flags = rows(&first.evaluations, &now.evaluations);
    if !flags.is_empty() {
        writeln!(out, "{}", paint(STRONG, "what the flags say"))?;
    }
    for row in flags.iter().take(ROWS) {
        write_row(row, WARN, out)?;
    }
    for (index, verdict) in state.verdicts.iter().enumerate() {
        if index == 0 {
            writeln!(out, "{}", paint(STRONG, "what the shadow says"))?;
        }
        for line in wrap(verdict, WIDTH - 2) {
            writeln!(out, "  {line}")?;
        }
    }
    if let Some(problem) = state.problems.first() {
        let more = state.problems.len() - 1;
        let and = if more > 0 { format!(" and {} more", plural(more, "problem")) } else { String::new() };
        writeln!(out, "{} {}{and}", paint(BAD.bold(), "problem"), cut(problem, 60))?;
    }
    Ok(())
}

fn write_row(row: &Row<'_>, style: anstyle::Style, out: &mut String) -> std::fmt::Result {
    let label = |index: usize| row.labels.get(index).map(|label| cut(label, 18)).unwrap_or_default();
    // A flag that is disabled, or has no default, says nothing.
    let variant = if row.labels.len() > 1 && label(1).is_empty() { "no value".to_owned() } else { label(1) };
    let full = (row.share * BAR as f64).round() as usize;
    let bar = format!("{}{}", paint(style, "█".repeat(full)), " ".repeat(BAR.saturating_sub(full)));
    writeln!(out, "  {:<18} {variant:<10} {bar} {:>5.1} % {:>8}", label(0), 100.0 * row.share, row.total)
}

/// One line for a log; none while nothing happens.
fn line(state: &State, first: &Sample, now: &Sample) -> Option<String> {
    let rate = rate(first, now);
    let parts = |first: &Counts, now: &Counts| {
        let rows = rows(first, now);
        let part = |row: &Row<'_>| format!("{} {:.0} %", row.labels.join(" "), 100.0 * row.share);
        rows.iter().map(part).collect::<Vec<_>>().join(", ")
    };
    let problems = match state.problems.len() {
        0 => String::new(),
        n => format!("; {}", plural(n, "problem")),
    };
    let requests = parts(&first.requests, &now.requests);
    let flags = parts(&first.evaluations, &now.evaluations);
    let verdicts: String =
        state.verdicts.iter().map(|verdict| format!("shadow: {}\n", plain(verdict))).collect();
    (rate > 0.0).then(|| {
        format!(
            "{rate:.1} requests/s: {requests}; {flags}; revision {}{problems}\n{verdicts}",
            state.revision
        )
    })
}

/// Requests that no version served have no service either.
fn named(counts: Counts) -> Counts {
    let named = counts.into_iter().map(|(labels, count)| match labels.iter().any(|label| label.is_empty()) {
        true => (vec!["no version".to_owned()], count),
        false => (labels, count),
    });
    named.fold(Counts::new(), |mut all, (labels, count)| {
        *all.entry(labels).or_default() += count;
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: Instant, counts: &[(&str, &str, f64)]) -> Sample {
        let requests: Counts =
            counts.iter().map(|(a, b, n)| (vec![(*a).to_owned(), (*b).to_owned()], *n)).collect();
        Sample { at, evaluations: Counts::new(), requests }
    }

    fn state(problems: &[&str]) -> State {
        State {
            revision: "0123456789ab".to_owned(),
            problems: problems.iter().map(|problem| (*problem).to_owned()).collect(),
            verdicts: vec!["canary answered like stable".to_owned()],
        }
    }

    #[test]
    fn shares_are_of_the_window_and_within_a_service() {
        let start = Instant::now();
        let first = sample(start, &[("checkout", "stable", 100.0)]);
        let now = sample(
            start + Duration::from_secs(10),
            &[
                ("checkout", "stable", 175.0),
                ("checkout", "canary", 25.0),
                ("search", "v41", 10.0),
                ("x", "y", 0.0),
            ],
        );
        let text =
            anstream::adapter::strip_str(&table(&state(&["flags.json:3: no"]), &first, &now)).to_string();
        let squeezed: Vec<String> = text
            .lines()
            .map(|line| line.replace('█', "").split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            squeezed,
            [
                "who goes where revision 0123456789ab, 11.0 requests/s, 210 in all",
                "checkout canary 25.0 % 25",
                "checkout stable 75.0 % 175",
                "search v41 100.0 % 10",
                "what the shadow says",
                "canary answered like stable",
                "problem flags.json:3: no",
            ]
        );
        assert_eq!(
            line(&state(&[]), &first, &now).unwrap(),
            "11.0 requests/s: checkout canary 25 %, checkout stable 75 %, search v41 100 %; ; revision 0123456789ab\n\
             shadow: canary answered like stable\n"
        );
    }

    #[test]
    fn nothing_is_said_to_a_log_while_nothing_happens() {
        let start = Instant::now();
        let same = sample(start, &[("a", "b", 1.0)]);
        assert_eq!(
            line(&state(&[]), &same, &Sample { at: start + Duration::from_secs(1), ..same.clone() }),
            None
        );
    }
}
