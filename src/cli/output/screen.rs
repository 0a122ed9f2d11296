//! A text that is drawn again and again in its own place on a terminal.

use std::io::Write;

use terminal_size::{Height, Width, terminal_size};

/// What is on the terminal now.
#[derive(Debug, Default)]
pub struct Screen {
    drawn: usize,
}

impl Screen {
    /// Draws a text over the one before. What the terminal has no lines for is left out, so that the next one finds its place.
    pub fn draw(&mut self, text: &str) -> std::io::Result<()> {
        let (columns, rows) = terminal_size()
            .map_or((80, 24), |(Width(columns), Height(rows))| (columns.max(1) as usize, rows as usize));
        let shown = fitting(text, columns, rows.saturating_sub(1).max(1));
        // Not through `anstream`, which would take it out where nobody wants colours.
        if self.drawn > 0 {
            write!(std::io::stdout().lock(), "\x1b[{}A\x1b[J", self.drawn)?;
        }
        self.drawn = rows_of(shown, columns);
        anstream::stdout().lock().write_all(shown.as_bytes())
    }
}

/// The lines that fit.
fn fitting(text: &str, columns: usize, rows: usize) -> &str {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        if rows_of(&text[..end + line.len()], columns) > rows {
            break;
        }
        end += line.len();
    }
    &text[..end]
}

/// Rows that lines take on a terminal, styles not counted.
fn rows_of(text: &str, columns: usize) -> usize {
    let width = |line: &str| super::text::columns(&anstream::adapter::strip_str(line).to_string());
    text.lines().map(|line| width(line).div_ceil(columns).max(1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_a_narrow_terminal_breaks_are_counted() {
        let text = "\x1b[1mabcd\x1b[0m\nabcdef\n\nab\n";
        assert_eq!((rows_of(text, 80), rows_of(text, 4), rows_of(text, 3)), (4, 5, 6));
        assert_eq!(fitting(text, 4, 4), "\x1b[1mabcd\x1b[0m\nabcdef\n\n");
        assert_eq!(fitting(text, 4, 2), "\x1b[1mabcd\x1b[0m\n");
        assert_eq!(fitting(text, 80, 99), text);
    }
}
