//! A status as it changes, by second, from the gateway's events.
//!
//! A gateway that answered once may go away and come back, as it does when it is restarted.

use std::collections::VecDeque;
use std::time::Duration;

use super::news::News;
use super::render::{LAST_SECOND, render};
use crate::cli::Failure;
use crate::cli::answers::{Split, Status};
use crate::cli::client::events::Event;
use crate::cli::flags::write::now;
use crate::cli::output::screen::Screen;
use crate::cli::output::text::{cut, json};
use crate::cli::output::{BAD, FAINT, on_terminal, paint, try_print};
use crate::cli::remote::Remote;
use crate::cli::shadow::render::WIDTH;
use crate::overlay::entry::rfc3339;

/// News that a terminal shows.
const LATEST: usize = 6;

/// Shows until Ctrl-C, or until nobody reads any more.
#[expect(clippy::disallowed_methods, reason = "a command that waits for a gateway serves no request")]
pub fn watch(remote: &Remote, as_json: bool) -> Result<(), Failure> {
    let mut view = match (as_json, on_terminal()) {
        (true, _) => View::Json,
        (false, true) => View::Screen(Box::default()),
        (false, false) => View::Lines { news: News::default(), away: None },
    };
    let mut answered = false;
    loop {
        let end = listen(remote, &mut view, &mut answered);
        match end {
            End::Unread => return Ok(()),
            End::Away(failure) if !answered => return Err(failure),
            End::Away(failure) => {
                if view.away(&failure).is_err() {
                    return Ok(());
                }
            }
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Why there is nothing more to show.
enum End {
    /// Nobody reads.
    Unread,
    /// The gateway has gone away.
    Away(Failure),
}

/// Listens first and asks then: nothing that happens in between is missed.
fn listen(remote: &Remote, view: &mut View, answered: &mut bool) -> End {
    let beginning = remote.listen("/events?split=true").and_then(|events| Ok((events, Status::ask(remote)?)));
    let (mut events, mut status) = match beginning {
        Ok(beginning) => beginning,
        Err(failure) => return End::Away(failure),
    };
    *answered = true;
    if view.begin(&status).is_err() {
        return End::Unread;
    }
    loop {
        let event = match events.wait() {
            Ok(Some(event)) => event,
            Ok(None) => return End::Away("the gateway has ended the stream of events".to_owned().into()),
            Err(error) => return End::Away(format!("no events from the gateway: {error}").into()),
        };
        // An event tells what changed; the whole is asked for anew.
        if event.name != "split" && view.needs_status() {
            match Status::ask(remote) {
                Ok(fresh) => status = fresh,
                Err(failure) => return End::Away(failure),
            }
        }
        if view.event(&event, &status).is_err() {
            return End::Unread;
        }
    }
}

/// How it is shown.
enum View {
    /// Redrawn in place.
    Screen(Box<Drawn>),
    /// A line for each change.
    Lines { news: News, away: Option<String> },
    /// Each event as a line of JSON.
    Json,
}

/// What is on a terminal.
#[derive(Default)]
struct Drawn {
    screen: Screen,
    split: Split,
    news: News,
    latest: VecDeque<String>,
}

impl View {
    fn needs_status(&self) -> bool {
        matches!(self, View::Screen(_))
    }

    fn begin(&mut self, status: &Status) -> std::io::Result<()> {
        match self {
            View::Screen(drawn) => drawn.draw(status),
            View::Lines { news: _, away } => {
                *away = None;
                let problems = status.problems.iter().map(crate::cli::flags::words::problem);
                let revision = crate::cli::output::text::plain(&status.revision);
                let mut text = format!("{} revision {revision} is live\n", clock());
                problems.for_each(|problem| text.push_str(&format!("{} problem: {problem}\n", clock())));
                try_print(&text)
            }
            View::Json => Ok(()),
        }
    }

    fn event(&mut self, event: &Event, status: &Status) -> std::io::Result<()> {
        match self {
            View::Screen(drawn) => {
                if event.name == "split" {
                    drawn.split = serde_json::from_str(&event.data).unwrap_or_default();
                } else {
                    drawn.latest.extend(drawn.news.lines(event, &clock()));
                    while drawn.latest.len() > LATEST {
                        drawn.latest.pop_front();
                    }
                }
                drawn.draw(status)
            }
            View::Lines { news, .. } => {
                let lines = news.lines(event, &clock());
                try_print(&lines.into_iter().map(|line| line + "\n").collect::<String>())
            }
            View::Json => try_print(&(json(&event.data.replace('\n', " ")) + "\n")),
        }
    }

    /// Says so; in lines, once.
    fn away(&mut self, failure: &Failure) -> std::io::Result<()> {
        let Failure::Message(message) = failure else { return Ok(()) };
        let line = format!("{}: {message}\n", paint(BAD.bold(), "error"));
        match self {
            View::Screen(drawn) => drawn.screen.draw(&line),
            View::Lines { away, .. } if away.is_none() => {
                *away = Some(message.clone());
                try_print(&line)
            }
            View::Lines { .. } | View::Json => Ok(()),
        }
    }
}

impl Drawn {
    fn draw(&mut self, status: &Status) -> std::io::Result<()> {
        let mut text = render(status, &self.split, LAST_SECOND, now());
        if !self.latest.is_empty() {
            text.push('\n');
        }
        for line in &self.latest {
            text.push_str(&format!("{}\n", paint(FAINT, cut(line, WIDTH))));
        }
        self.screen.draw(&text)
    }
}

fn clock() -> String {
    rfc3339(now()).to_string()
}
