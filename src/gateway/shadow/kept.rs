//! An answer that is kept for comparing, within the budget of all shadows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::budget::{Budget, Charge};
use crate::compare::{Answer, Capture, Uncompared};
use crate::config::shadow::ShadowRule;

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
    /// Bytes of the body that may still come.
    left: u64,
}

/// What is kept of an answer's head, and how much of its body.
#[derive(Debug, Default)]
pub struct Wish {
    names: Vec<HeaderName>,
    /// Bytes of the body that are kept; of a longer one the hash is.
    max_body: usize,
    /// Bytes of the body from where on not even that is of use.
    max_answer: u64,
}

impl Wish {
    /// Wishes also for what a shadow compares.
    pub fn add(&mut self, rule: &ShadowRule) {
        let rules = &rule.compare;
        // What a body is compared by is needed in any case.
        for name in [CONTENT_TYPE, CONTENT_ENCODING].iter().chain(&rules.headers) {
            if !self.names.contains(name) {
                self.names.push(name.clone());
            }
        }
        self.max_body = self.max_body.max(rules.max_body);
        self.max_answer = self.max_answer.max(rule.max_answer);
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
        Keeping { status, headers, waited, capture, charge, head, left: wish.max_answer }
    }

    /// Takes the next piece of the body without copying it.
    pub fn push(&mut self, piece: &Bytes) {
        let Some(capture) = &mut self.capture else { return };
        let left = self.left.checked_sub(piece.len() as u64);
        self.left = left.unwrap_or_default();
        capture.push(piece);
        if left.is_none() || !self.charge.resize(self.head + capture.held()) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Body;

    fn keeping(budget: &Arc<Budget>, fields: &[(&'static str, &'static str)]) -> Keeping {
        let wish = Wish { names: vec![CONTENT_TYPE], max_body: 10_000, max_answer: 100_000 };
        let fields = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Keeping::new(&wish, StatusCode::OK, &fields.collect(), Duration::ZERO, budget)
    }

    const PIECE: Bytes = Bytes::from_static(&[b'x'; 2000]);
    const LIMIT: usize = 20_000;

    /// Whether nothing of it is used.
    fn unused(budget: &Arc<Budget>, limit: usize) -> bool {
        budget.open().resize(limit)
    }

    #[test]
    fn what_is_kept_is_charged_until_it_is_dropped() {
        let budget = Budget::new(LIMIT, None);
        let mut keeping = keeping(&budget, &[("content-type", "text/plain"), ("server", "x")]);
        keeping.push(&PIECE);
        assert!(!unused(&budget, LIMIT - 2000));
        let kept = keeping.finish().unwrap();
        assert_eq!(kept.answer.headers.len(), 1);
        assert_eq!(kept.answer.body, Body::Whole(vec![PIECE]));
        assert!(!unused(&budget, LIMIT - 2000));
        drop(kept);
        assert!(unused(&budget, LIMIT));
    }

    #[test]
    fn without_room_nothing_is_kept_and_everything_given_back() {
        let fields = [("content-type", "text/plain")];
        let budget = Budget::new(3000, None);
        let mut first = keeping(&budget, &fields);
        first.push(&PIECE);
        first.push(&PIECE);
        assert!(unused(&budget, 3000));
        first.push(&Bytes::from_static(b"abc"));
        assert_eq!(first.finish().err(), Some(Uncompared::Memory));
        assert_eq!(keeping(&Budget::new(10, None), &fields).finish().err(), Some(Uncompared::Memory));
    }

    #[test]
    fn what_is_too_long_to_be_kept_is_hashed_and_what_never_ends_is_neither() {
        let budget = Budget::new(LIMIT, None);
        let mut keeping = keeping(&budget, &[]);
        (0..50).for_each(|_| keeping.push(&PIECE));
        assert!(unused(&budget, LIMIT));
        let Keeping { capture, .. } = &keeping;
        assert!(capture.is_some(), "100,000 bytes are not too many");
        keeping.push(&Bytes::from_static(b"x"));
        assert_eq!(keeping.finish().err(), Some(Uncompared::Memory));
    }
}
