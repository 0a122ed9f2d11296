//! Reports as they change: redrawn each second on a terminal, elsewhere a line for each new verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use super::render::{render, verdict};
use crate::admin::shadows::Shadows;
use crate::cli::Failure;
use crate::cli::output::screen::Screen;
use crate::cli::output::{BAD, on_terminal, paint, try_print};

/// Shows until Ctrl-C, or until nobody reads any more. A gateway that answered once may be away for a while.
#[expect(clippy::disallowed_methods, reason = "a command that shows something each second serves no request")]
pub fn watch(first: Shadows, ask: impl Fn() -> Result<Shadows, Failure>) -> Result<(), Failure> {
    let mut screen = on_terminal().then(Screen::default);
    let mut said = BTreeMap::new();
    let mut told = Ok(first);
    loop {
        let shown = match &mut screen {
            Some(screen) => screen.draw(&match &told {
                Ok(told) => render(&told.shadows),
                Err(failure) => away(failure),
            }),
            None => try_print(&news(&mut said, &told)),
        };
        if shown.is_err() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_secs(1));
        told = ask();
    }
}

/// Verdicts that were not said yet, a line each.
fn news(said: &mut BTreeMap<String, String>, told: &Result<Shadows, Failure>) -> String {
    let lines = match told {
        Ok(told) => told.shadows.iter().map(verdict).collect(),
        Err(failure) => vec![(String::new(), away(failure))],
    };
    // Whoever comes back says it again.
    if told.is_ok() {
        said.remove("");
    }
    let mut out = String::new();
    for (whose, line) in lines {
        if said.get(&whose) != Some(&line) {
            out.push_str(&line);
            said.insert(whose, line);
        }
    }
    out
}

fn away(failure: &Failure) -> String {
    match failure {
        Failure::Message(message) => format!("{}: {message}\n", paint(BAD.bold(), "error")),
        Failure::Problems(_) | Failure::Told => String::new(),
    }
}
