//! What is kept of an answer for comparing it: status, headers, a body within a bound, and beyond it the running hash.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Final.
    pub status: StatusCode,
    /// As the version sent them.
    pub headers: HeaderMap,
    /// As it was sent, with its content encoding.
    pub body: Body,
    /// From the request's last byte to the answer's first.
    pub waited: Duration,
}

/// A body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// All of it, in the pieces in which it came.
    Whole(Vec<Bytes>),
    /// Too long to be kept.
    Hashed {
        /// Bytes.
        length: u64,
        /// SHA-256.
        hash: [u8; 32],
    },
}

/// Takes a body as it comes.
#[derive(Debug)]
pub struct Capture {
    _todo: (),
}

impl Capture {
    /// `cap`: bytes that are kept at most; what is longer is hashed, and what was kept is let go.
    pub fn new(_cap: usize) -> Capture {
        todo!()
    }

    /// Takes the next piece without copying it.
    pub fn push(&mut self, _piece: &Bytes) {
        todo!()
    }

    /// Bytes that it holds now, each piece with its own overhead: what a budget is charged for.
    pub fn held(&self) -> usize {
        todo!()
    }

    /// Lets go of what it keeps and goes on by hash: the budget has no room.
    pub fn let_go(&mut self) {
        todo!()
    }

    /// The body, complete.
    pub fn finish(self) -> Body {
        todo!()
    }
}
