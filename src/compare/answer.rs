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

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(sizes: &[usize]) -> Vec<Bytes> {
        sizes.iter().zip((0..=u8::MAX).cycle()).map(|(size, byte)| Bytes::from(vec![byte; *size])).collect()
    }

    fn captured(cap: usize, pieces: &[Bytes]) -> Capture {
        let mut capture = Capture::new(cap);
        pieces.iter().for_each(|piece| capture.push(piece));
        capture
    }

    #[test]
    fn a_body_within_the_bound_is_kept_and_its_large_pieces_are_not_copied() {
        let pieces = pieces(&[2000, 3, 0, 5, 3000, 7]);
        let capture = captured(5015, &pieces);
        assert!((5015..6000).contains(&capture.held()), "{}", capture.held());
        let body = capture.finish();
        assert_eq!(body.bytes().unwrap(), pieces.concat());
        let Body::Whole(kept) = body else { panic!("it is not whole") };
        assert_eq!((kept[0].as_ptr(), kept[2].as_ptr()), (pieces[0].as_ptr(), pieces[4].as_ptr()));
    }

    #[test]
    fn a_body_beyond_the_bound_is_hashed_from_its_first_byte_and_nothing_is_kept() {
        for sizes in [&[2000, 3, 0, 5, 3000, 7][..], &[6000], &[1; 5015]] {
            let pieces = pieces(sizes);
            let all = pieces.concat();
            let expected = Body::Hashed { length: all.len() as u64, hash: Sha256::digest(&all).into() };
            let capture = captured(all.len() - 1, &pieces);
            assert_eq!(capture.held(), 0);
            assert_eq!(capture.finish(), expected);
            assert_eq!(captured(all.len(), &pieces).finish().hash(), expected.hash());

            let mut capture = captured(usize::MAX, &pieces[..1]);
            capture.let_go();
            assert_eq!(capture.held(), 0);
            pieces[1..].iter().for_each(|piece| capture.push(piece));
            assert_eq!(capture.finish(), expected);
        }
    }

    #[test]
    fn what_is_held_tells_the_overhead_of_pieces_and_pieces_of_a_byte_have_none() {
        let cap = 64 << 10;
        for (size, overhead) in [(1, 2.0), (1023, 2.0), (1024, 1.07), (4096, 1.02)] {
            let piece = Bytes::from(vec![1; size]);
            let capture = captured(cap, &vec![piece; cap / size]);
            let bytes = (cap / size * size) as f64;
            let held = capture.held() as f64;
            assert!(bytes <= held && held <= overhead * bytes, "pieces of {size}: {held} for {bytes}");
        }
        assert_eq!(captured(cap, &[]).finish(), Body::Whole(Vec::new()));
    }
}
