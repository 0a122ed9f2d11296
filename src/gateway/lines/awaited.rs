//! The head of an answer that an attempt awaits: from when on, within what time, and whether it has come.

use std::time::Duration;

use super::{Cut, Held};

/// Interim answers (100, 103) of one attempt.
const INTERIM: u8 = 16;

/// Of the current attempt.
#[derive(Debug, Default)]
pub struct Awaited {
    /// None: there is no connection yet, or one that cannot be cut.
    line: Option<Held>,
    has_come: bool,
    interim: u8,
}

impl Awaited {
    /// An attempt has its connection.
    pub fn begin(&mut self, line: Option<Held>) {
        *self = Awaited { line, ..Awaited::default() };
    }

    /// The request is there: the head has to come within this time from now on.
    pub fn asked(&self, within: Duration) {
        if let Some(line) = self.line.as_ref().filter(|_| !self.has_come) {
            line.await_head(within);
        }
    }

    /// An interim answer has come. Whether it may: each gives new time, and a version that gives them without end never answers. `asked`: the
    /// request is there; if not, the version has said that it waits for it.
    pub fn interim(&mut self, asked: bool, within: Duration) -> bool {
        self.interim = self.interim.saturating_add(1);
        match &self.line {
            Some(line) if asked => line.await_head(within),
            Some(line) => line.await_nothing(),
            None => {}
        }
        self.interim <= INTERIM
    }

    /// It is there.
    pub fn came(&mut self) {
        self.has_come = true;
        if let Some(line) = &self.line {
            line.await_nothing();
        }
    }

    pub fn has_come(&self) -> bool {
        self.has_come
    }

    /// Why the connection was cut, if it was.
    pub fn cut(&self) -> Option<Cut> {
        self.line.as_ref()?.why()
    }
}
