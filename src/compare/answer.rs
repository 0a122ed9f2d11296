//! What is kept of an answer for comparing it: status, headers, a body within a bound, and beyond it the running hash.
//!
//! It refuses to hold more than its bound, in however many pieces a body comes.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};

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

impl Body {
    /// Bytes.
    pub fn length(&self) -> u64 {
        match self {
            Body::Whole(pieces) => pieces.iter().map(|piece| piece.len() as u64).sum(),
            Body::Hashed { length, .. } => *length,
        }
    }

    /// SHA-256.
    pub fn hash(&self) -> [u8; 32] {
        match self {
            Body::Whole(pieces) => hashed(pieces).finalize().into(),
            Body::Hashed { hash, .. } => *hash,
        }
    }

    /// All bytes, if they were kept; copied only where they came in several pieces.
    pub fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Body::Whole(pieces) => Some(match pieces.as_slice() {
                [piece] => Cow::Borrowed(piece),
                pieces => Cow::Owned(pieces.concat()),
            }),
            Body::Hashed { .. } => None,
        }
    }
}

/// Takes a body as it comes.
#[derive(Debug)]
pub struct Capture {
    cap: usize,
    /// Bytes that came.
    length: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// `tail`: small pieces, put together; they stand after all pieces.
    Keeping {
        pieces: Vec<Bytes>,
        tail: Vec<u8>,
    },
    Hashing(Sha256),
}

impl Capture {
    /// What a kept piece costs beside its bytes.
    const PIECE: usize = 64;
    /// A shorter piece is copied: to keep it would cost more, and pin the whole buffer in which it came.
    const SMALL: usize = 1024;

    /// `cap`: bytes that are kept at most; what is longer is hashed, and what was kept is let go.
    pub fn new(cap: usize) -> Capture {
        Capture { cap, length: 0, state: State::Keeping { pieces: Vec::new(), tail: Vec::new() } }
    }

    /// Takes the next piece, without copying it unless it is small.
    pub fn push(&mut self, piece: &Bytes) {
        self.length += piece.len() as u64;
        if self.length > self.cap as u64 {
            self.let_go();
        }
        match &mut self.state {
            State::Keeping { tail, .. } if piece.len() < Self::SMALL => tail.extend_from_slice(piece),
            State::Keeping { pieces, tail } => {
                flush(pieces, tail);
                pieces.push(piece.clone());
            }
            State::Hashing(hash) => hash.update(piece),
        }
    }

    /// Bytes that it holds now, each piece with its own overhead: what a budget is charged for.
    pub fn held(&self) -> usize {
        match &self.state {
            State::Keeping { pieces, tail } => {
                let bytes: usize = pieces.iter().map(Bytes::len).sum();
                bytes + pieces.len() * Self::PIECE + tail.capacity()
            }
            State::Hashing(_) => 0,
        }
    }

    /// Lets go of what it keeps and goes on by hash: the budget has no room.
    pub fn let_go(&mut self) {
        if let State::Keeping { pieces, tail } = &self.state {
            self.state = State::Hashing(hashed(pieces).chain_update(tail));
        }
    }

    /// The body, complete.
    pub fn finish(self) -> Body {
        match self.state {
            State::Keeping { mut pieces, mut tail } => {
                flush(&mut pieces, &mut tail);
                Body::Whole(pieces)
            }
            State::Hashing(hash) => Body::Hashed { length: self.length, hash: hash.finalize().into() },
        }
    }
}

/// Small pieces become one.
fn flush(pieces: &mut Vec<Bytes>, tail: &mut Vec<u8>) {
    if !tail.is_empty() {
        tail.shrink_to_fit();
        pieces.push(Bytes::from(std::mem::take(tail)));
    }
}

fn hashed(pieces: &[Bytes]) -> Sha256 {
    pieces.iter().fold(Sha256::new(), |hash, piece| hash.chain_update(piece))
}
