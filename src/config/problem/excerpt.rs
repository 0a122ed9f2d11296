//! A problem on a terminal: headline, place, the line with what is meant underlined, what was expected, the fix.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::{Place, Problem, Severity};

/// Characters of a line that are shown; of a longer one, the part around the place.
const WINDOW: usize = 110;

/// The whole text, without a last line break.
pub(super) fn render(problem: &Problem, style: bool) -> String {
    let paint = if style { Paint::colours(problem.severity) } else { Paint::plain() };
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(problem, &paint, &mut out);
    out.truncate(out.trim_end().len());
    out
}

fn write(problem: &Problem, paint: &Paint, out: &mut String) -> std::fmt::Result {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let (severity, found) =
        (paint.severity.of(severity), paint.strong.of(&format!(": {}", clean(&problem.found))));
    writeln!(out, "{severity}{found}")?;
    let gutter = match &problem.place {
        Some(place) if !place.text.is_empty() => place.line.to_string().len(),
        _ => 0,
    };
    let (margin, arrow, bar) = (" ".repeat(gutter), paint.frame.of("-->"), paint.frame.of("|"));
    let key = clean(&problem.key);
    match &problem.place {
        Some(place) => {
            write!(out, "{margin} {arrow} {}:{}:{}", clean(&place.file), place.line, place.column)?;
            writeln!(out, "{}", if key.is_empty() { String::new() } else { format!(" ({key})") })?;
        }
        None if !key.is_empty() => writeln!(out, "{margin} {arrow} {key}")?,
        None => {}
    }
    if let Some(place) = problem.place.as_ref().filter(|place| !place.text.is_empty()) {
        let (line, underline) = excerpt(place);
        writeln!(out, "{margin} {bar}")?;
        writeln!(out, "{} {bar} {}", paint.frame.of(&place.line.to_string()), line.trim_end())?;
        let spaces: String = underline.chars().take_while(|c| *c != '^').collect();
        writeln!(out, "{margin} {bar} {spaces}{}", paint.severity.of(underline.trim()))?;
    }
    for (label, text) in [("expected:", &problem.expected), ("fix:", &problem.fix)] {
        if let Some(text) = text {
            writeln!(out, "{margin} {} {} {}", paint.frame.of("="), paint.strong.of(label), clean(text))?;
        }
    }
    Ok(())
}

/// The part of the line to show and the marks under it.
fn excerpt(place: &Place) -> (String, String) {
    let characters: Vec<char> = place.text.chars().collect();
    let start = (place.column.max(1) as usize - 1).min(characters.len());
    let from = if characters.len() <= WINDOW { 0 } else { start.saturating_sub(WINDOW / 3) };
    let to = (from + WINDOW).min(characters.len());
    let mut line: String = if from > 0 { "...".into() } else { String::new() };
    let mut underline = " ".repeat(line.len());
    line.extend(characters[from..to].iter().map(|c| if c.is_control() { ' ' } else { *c }));
    if to < characters.len() {
        line.push_str("...");
    }
    underline.push_str(&" ".repeat(start - from));
    let width = (place.width.max(1) as usize).min(to.saturating_sub(start).max(1));
    underline.push_str(&"^".repeat(width));
    (line, underline)
}

/// One line, and nothing that a terminal would obey.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// The styles of a rendering.
struct Paint {
    severity: Brush,
    strong: Brush,
    frame: Brush,
}

struct Brush(Style);

impl Paint {
    fn plain() -> Paint {
        Paint { severity: Brush(Style::new()), strong: Brush(Style::new()), frame: Brush(Style::new()) }
    }

    fn colours(severity: Severity) -> Paint {
        let colour = match severity {
            Severity::Error => AnsiColor::Red,
            Severity::Warning => AnsiColor::Yellow,
        };
        Paint {
            severity: Brush(colour.on_default().bold()),
            strong: Brush(Style::new().bold()),
            frame: Brush(AnsiColor::Blue.on_default().bold()),
        }
    }
}

impl Brush {
    fn of(&self, text: &str) -> String {
        format!("{}{text}{}", self.0.render(), self.0.render_reset())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::ProblemKind;

    fn place(text: &str, column: u32, width: u32) -> Place {
        Place { file: Arc::from("flagway.yaml"), line: 12, column, text: Arc::from(text), width }
    }

    #[test]
    fn a_problem_reads_like_a_compilers() {
        let problem = Problem::error(ProblemKind::Config, "routes[0].servic", "unknown key `servic`")
            .at(place("    servic: checkout", 5, 6))
            .with_expected("name, match, service")
            .with_fix("write `service`");
        assert_eq!(
            problem.to_string(),
            "error: unknown key `servic`\n\
             \x20  --> flagway.yaml:12:5 (routes[0].servic)\n\
             \x20  |\n\
             12 |     servic: checkout\n\
             \x20  |     ^^^^^^\n\
             \x20  = expected: name, match, service\n\
             \x20  = fix: write `service`"
        );
    }

    #[test]
    fn without_a_place_the_key_stands_alone() {
        let problem = Problem::warning(ProblemKind::MissingFlag, "routes[0].version.flag", "no flag `x`");
        assert_eq!(problem.to_string(), "warning: no flag `x`\n --> routes[0].version.flag");
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let text = format!("{}servic{}", "a".repeat(500), "b".repeat(500));
        let shown = Problem::error(ProblemKind::Config, "", "x").at(place(&text, 501, 6)).to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines.iter().all(|line| line.len() < WINDOW + 20), "{shown}");
        let marks = lines[4].find('^').expect("it is underlined");
        assert_eq!(&lines[3][marks..marks + 6], "servic");
    }

    #[test]
    fn a_terminal_obeys_nothing_in_it() {
        let problem =
            Problem::error(ProblemKind::Config, "\u{1b}[1m", "\u{1b}[31m\n").at(place("a\u{1b}[31m", 1, 1));
        assert!(!problem.to_string().contains('\u{1b}'));
        assert!(problem.render(true).contains('\u{1b}'));
    }
}
