//! An answer that is kept for comparing, within the budget of all shadows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::budget::{Budget, Charge};
use crate::compare::{Answer, Capture, Uncompared};
use crate::config::shadow::CompareRules;

/// An answer, complete.
#[derive(Debug)]
pub struct Kept {
    pub answer: Answer,
    _charge: Charge,
}

/// An answer while it comes.
#[derive(Debug)]
pub struct Keeping {
    status: StatusCode,
    headers: HeaderMap,
    waited: Duration,
    /// None: there was no room.
    capture: Option<Capture>,
    charge: Charge,
    /// Bytes of the headers.
    head: usize,
}

/// What is kept of an answer's head, and how much of its body.
#[derive(Debug, Default)]
pub struct Wish {
    names: Vec<HeaderName>,
    max_body: usize,
}

impl Wish {
    /// Wishes also for what these rules compare.
    pub fn add(&mut self, rules: &CompareRules) {
        // What a body is compared by is needed in any case.
        for name in [CONTENT_TYPE, CONTENT_ENCODING].iter().chain(&rules.headers) {
            if !self.names.contains(name) {
                self.names.push(name.clone());
            }
        }
        self.max_body = self.max_body.max(rules.max_body);
    }
}

impl Keeping {
    /// Begins with an answer's head. `waited`: from the request's last byte to the answer's first.
    pub fn new(
        wish: &Wish,
        status: StatusCode,
        fields: &HeaderMap,
        waited: Duration,
        bytes: &Arc<Budget>,
    ) -> Keeping {
        let mut headers = HeaderMap::new();
        for name in &wish.names {
            for value in fields.get_all(name) {
                // A value as it came holds on to all of the head's bytes.
                let copied = HeaderValue::from_bytes(value.as_bytes());
                headers.append(name, copied.unwrap_or_else(|_| value.clone()));
            }
        }
        let mut charge = bytes.open();
        let head = head_bytes(&headers);
        let capture = charge.resize(head).then(|| Capture::new(wish.max_body));
        Keeping { status, headers, waited, capture, charge, head }
    }

    /// Takes the next piece of the body without copying it.
    pub fn push(&mut self, piece: &Bytes) {
        let Some(capture) = &mut self.capture else { return };
        capture.push(piece);
        if !self.charge.resize(self.head + capture.held()) {
            self.capture = None;
            self.headers = HeaderMap::new();
            self.charge.clear();
        }
    }

    /// The answer, complete; or there was no room for it.
    pub fn finish(self) -> Result<Kept, Uncompared> {
        let Keeping { status, headers, waited, capture, charge, .. } = self;
        let body = capture.ok_or(Uncompared::Memory)?.finish();
        Ok(Kept { answer: Answer { status, headers, body, waited }, _charge: charge })
    }
}

/// What the fields of a head take, about.
pub fn head_bytes(fields: &HeaderMap) -> usize {
    /// An entry of the map, its place in the index and the spelling of its name.
    const ENTRY: usize = 128;
    fields.iter().map(|(name, value)| ENTRY + name.as_str().len() + value.len()).sum()
}
