//! What commands print: colours where they are wanted, problems, failures.

pub mod screen;
pub mod text;

use std::io::{IsTerminal, Write};

use anstyle::{AnsiColor, Style};

use super::{Color, Failure};
use crate::config::{Problem, Severity};

/// Headings and names.
pub const STRONG: Style = Style::new().bold();
/// What matters less.
pub const FAINT: Style = Style::new().dimmed();
/// What is fine.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What an operator should look at.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// What is wrong.
pub const BAD: Style = AnsiColor::Red.on_default();

/// Follows `--color` in everything printed through `anstream`.
pub fn choose_colors(color: Color) {
    match color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

/// Whether `stream` gets colours.
pub fn colored(stream: &impl anstream::stream::RawStream) -> bool {
    !matches!(anstream::AutoStream::choice(stream), anstream::ColorChoice::Never)
}

/// A text in a style. `anstream` takes the style out where it is not wanted.
pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{}{text}{}", style.render(), style.render_reset())
}

/// Prints a whole text to stdout; a reader that has gone away (`| head`) is no error.
pub fn print(text: &str) {
    let _ = try_print(text);
}

/// Prints JSON, laid out and escaped for a terminal.
pub fn print_json(value: &serde_json::Value) {
    print(&(text::json(&format!("{value:#}")) + "\n"));
}

/// Prints to stdout for whoever goes on and on: an error says that nobody reads any more.
pub fn try_print(text: &str) -> std::io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Whether a person is looking at stdout.
pub fn on_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Columns of the terminal that stdout is; elsewhere 80.
pub fn width() -> usize {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    size.map_or(80, |(terminal_size::Width(columns), _)| columns.into())
}

/// Problems one after the other with an empty line between, then their count.
pub fn problems(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        text.push_str(&problem.render(true));
        text.push_str("\n\n");
    }
    text
}

/// `2 errors, 1 warning`; empty when there are none.
pub fn count(problems: &[Problem]) -> String {
    let of = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let counted = [(of(Severity::Error), "error"), (of(Severity::Warning), "warning")];
    let parts: Vec<String> =
        counted.iter().filter(|(n, _)| *n > 0).map(|(n, what)| plural(*n, what)).collect();
    parts.join(", ")
}

/// `1 flag`, `2 flags`.
pub fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Why a command failed, without colours.
pub fn told(failure: &Failure) -> String {
    match failure {
        Failure::Told => String::new(),
        Failure::Message(message) => message.clone(),
        Failure::Problems(found) => {
            let rendered: Vec<String> = found.iter().map(|problem| problem.render(false)).collect();
            rendered.join("\n\n")
        }
    }
}

/// Prints why a command failed, to stderr.
pub fn failure(failure: &Failure) {
    let text = match failure {
        Failure::Told => return,
        Failure::Message(message) => format!("{}: {message}\n", paint(BAD.bold(), "error")),
        Failure::Problems(found) => format!("{}{}\n", problems(found), paint(BAD.bold(), count(found))),
    };
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ProblemKind;

    fn problem(severity: Severity) -> Problem {
        Problem {
            kind: ProblemKind::Config,
            severity,
            place: None,
            key: "routes".to_owned(),
            found: "no route".to_owned(),
            expected: None,
            fix: None,
        }
    }

    #[test]
    fn problems_are_counted_by_severity() {
        let (error, warning) = (problem(Severity::Error), problem(Severity::Warning));
        assert_eq!(count(&[error.clone(), warning.clone(), error]), "2 errors, 1 warning");
        assert_eq!(count(&[warning]), "1 warning");
        assert_eq!(count(&[]), "");
    }
}
