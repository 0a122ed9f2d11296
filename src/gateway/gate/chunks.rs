//! A chunked body, checked byte by byte as it passes (RFC 9112, 7.1): where it ends, or that it is not written as chunks are.
//!
//! It changes nothing and keeps nothing. What is legal and used by nobody but those who try (space around a size, line ends of LF alone, endless
//! extensions) is refused.

use super::head::is_token;
use super::refusal::Refusal;

/// Bytes of the extensions of all chunks of one body.
const EXTENSIONS: usize = 4 << 10;
/// Bytes of the trailer section.
const TRAILERS: usize = 8 << 10;
/// Digits of a size: below 2^60, and any zeros in front.
const DIGITS: u8 = 15;

/// A body under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunks {
    state: State,
    extensions: usize,
    trailers: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a size, with so many digits.
    Size {
        size: u64,
        digits: u8,
    },
    /// Behind `;`, up to CR.
    Extension {
        size: u64,
    },
    /// CR was read behind a size; LF must follow.
    SizeEnd {
        size: u64,
    },
    /// So many bytes of data follow; not 0.
    Data {
        left: u64,
    },
    /// CR must follow the data, then LF.
    DataEnd {
        cr: bool,
    },
    /// At the begin of a line of the trailer section, or of the line that ends it.
    Line,
    /// In a trailer's name, which has begun.
    Name,
    /// In its value.
    Value,
    /// CR was read behind a value.
    ValueEnd,
    /// CR was read at the begin of a line: LF is the end of all.
    LastEnd,
    Done,
}

impl Default for Chunks {
    fn default() -> Chunks {
        Chunks { state: State::Size { size: 0, digits: 0 }, extensions: 0, trailers: 0 }
    }
}

impl Chunks {
    /// Whether the body has ended.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Looks at the next bytes. How many of them are the body's: all, or those up to its end.
    pub fn look(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        let mut at = 0;
        while at < bytes.len() && self.state != State::Done {
            if let State::Data { left } = self.state {
                let here = left.min((bytes.len() - at) as u64);
                at += here as usize;
                self.state = if here == left {
                    State::DataEnd { cr: false }
                } else {
                    State::Data { left: left - here }
                };
            } else {
                self.state = self.step(bytes[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    fn step(&mut self, byte: u8) -> Result<State, Refusal> {
        if matches!(self.state, State::Name | State::Value | State::ValueEnd | State::Line) {
            self.trailers += 1;
            if self.trailers > TRAILERS {
                return Err(Refusal::TrailersTooLarge);
            }
        }
        Ok(match (self.state, byte) {
            (State::Size { size, digits }, _) if byte.is_ascii_hexdigit() => {
                let digit = (byte as char).to_digit(16).map_or(0, u64::from);
                if digits == DIGITS {
                    return Err(Refusal::Chunk);
                }
                State::Size { size: size * 16 + digit, digits: digits + 1 }
            }
            (State::Size { digits: 0, .. }, _) => return Err(Refusal::Chunk),
            (State::Size { size, .. }, b'\r') | (State::Extension { size }, b'\r') => State::SizeEnd { size },
            (State::Size { size, .. }, b';') => State::Extension { size },
            (State::Extension { size }, b'\t' | 0x20..=0x7e) => {
                self.extensions += 1;
                if self.extensions > EXTENSIONS {
                    return Err(Refusal::Chunk);
                }
                State::Extension { size }
            }
            (State::SizeEnd { size: 0 }, b'\n') => State::Line,
            (State::SizeEnd { size }, b'\n') => State::Data { left: size },
            (State::DataEnd { cr: false }, b'\r') => State::DataEnd { cr: true },
            (State::DataEnd { cr: true }, b'\n') => State::Size { size: 0, digits: 0 },
            (State::Line, b'\r') => State::LastEnd,
            (State::Line | State::Name, _) if is_token(byte) => State::Name,
            (State::Name, b':') => State::Value,
            (State::Value, b'\r') => State::ValueEnd,
            (State::Value, b'\t' | 0x20..=0x7e | 0x80..) => State::Value,
            (State::ValueEnd, b'\n') => State::Line,
            (State::LastEnd, b'\n') => State::Done,
            _ => return Err(Refusal::Chunk),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn look(bytes: &[u8]) -> Result<(usize, bool), Refusal> {
        let mut chunks = Chunks::default();
        chunks.look(bytes).map(|used| (used, chunks.is_done()))
    }

    #[test]
    fn a_body_ends_behind_its_last_chunk_and_its_trailers() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "A\r\n0123456789\r\n00\r\n\r\n",
            "1;a=b;c=\"d e\"\r\nx\r\n0;last\r\n\r\n",
            "1\r\n\r\r\n0\r\n\r\n",
            "0\r\nX-Sum: 1\r\nEmpty:\r\n\r\n",
        ] {
            assert_eq!(look(body.as_bytes()), Ok((body.len(), true)), "{body:?}");
            let more = format!("{body}GET / HTTP/1.1\r\n");
            assert_eq!(look(more.as_bytes()), Ok((body.len(), true)), "{body:?}");
            let half = &body.as_bytes()[..body.len() - 1];
            assert_eq!(look(half), Ok((half.len(), false)), "{body:?}");
        }
    }

    #[test]
    fn what_readers_could_understand_differently_is_refused() {
        for body in [
            "\r\n",
            "5\nhello\r\n",
            "5\r\nhello\n",
            "5\r\nhello0\r\n",
            "5\r\nhell\r\n",
            "5 \r\nhello\r\n",
            " 5\r\n",
            "+5\r\n",
            "-1\r\n",
            "0x5\r\n",
            "5;a\nhello",
            "5;a\r\r\n",
            "5;a\0\r\n",
            "5\r5",
            "g\r\n",
            ";a\r\n",
            "1000000000000000\r\n",
            "0\r\n\n",
            "0\r\nx: 1\n\r\n",
            "0\r\n x: 1\r\n\r\n",
            "0\r\nx : 1\r\n\r\n",
            "0\r\nx\r\n\r\n",
            "0\r\n: 1\r\n\r\n",
            "0\r\nx: \0\r\n\r\n",
            "0\r\nx: 1\r2\r\n\r\n",
            "0\r\n\rx",
        ] {
            assert_eq!(look(body.as_bytes()), Err(Refusal::Chunk), "{body:?}");
        }
    }

    #[test]
    fn extensions_and_trailers_have_their_limits() {
        let chunk = format!("1;{}\r\nx\r\n", "e".repeat(EXTENSIONS / 2));
        assert_eq!(look(chunk.repeat(2).as_bytes()).map(|(_, done)| done), Ok(false));
        assert_eq!(look(chunk.repeat(3).as_bytes()), Err(Refusal::Chunk));
        let trailer = format!("0\r\nx: {}\r\n\r\n", "y".repeat(TRAILERS));
        assert_eq!(look(trailer.as_bytes()), Err(Refusal::TrailersTooLarge));
    }

    /// The end of a whole body, found the simple way; none: it is wrong or not whole.
    fn naive(mut rest: &[u8]) -> Option<usize> {
        let all = rest.len();
        let line = |rest: &mut &[u8]| -> Option<Vec<u8>> {
            let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
            let line = rest[..end].to_vec();
            *rest = &rest[end + 2..];
            (!line.contains(&b'\r') && !line.contains(&b'\n')).then_some(line)
        };
        loop {
            let head = line(&mut rest)?;
            let text = std::str::from_utf8(&head).ok()?;
            let size = text.split(';').next()?;
            if size.is_empty() || size.len() > 15 || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return None;
            }
            if text.bytes().any(|byte| byte != b'\t' && byte.is_ascii_control()) || !text.is_ascii() {
                return None;
            }
            let size = usize::from_str_radix(size, 16).ok()?;
            if size == 0 {
                break;
            }
            rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
        }
        loop {
            let field = line(&mut rest)?;
            if field.is_empty() {
                return Some(all - rest.len());
            }
            let colon = field.iter().position(|byte| *byte == b':')?;
            let good = |byte: &u8| matches!(byte, b'\t' | 0x20..=0x7e | 0x80..);
            if colon == 0
                || !field[..colon].iter().all(|byte| is_token(*byte))
                || !field[colon..].iter().all(good)
            {
                return None;
            }
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_simple_reader_however_the_bytes_come(
            parts in prop::collection::vec(prop::sample::select(vec![
                "0", "1", "5", "a", ";", "x=y", "\r\n", "\r\n", "\r\n", "\n", "\r", "hello", "x", ": ", "X-A", " ", "\0", "é",
            ]), 0..14),
            pieces in prop::collection::vec(1..5usize, 0..40),
        ) {
            let bytes = parts.concat().into_bytes();
            let (mut chunks, mut at, mut failed) = (Chunks::default(), 0, false);
            let mut pieces = pieces.into_iter();
            while at < bytes.len() && !chunks.is_done() && !failed {
                let end = (at + pieces.next().unwrap_or(usize::MAX / 2)).min(bytes.len());
                match chunks.look(&bytes[at..end]) {
                    Ok(used) => at += used,
                    Err(_) => failed = true,
                }
            }
            prop_assert_eq!(chunks.is_done().then_some(at).filter(|_| !failed), naive(&bytes));
        }
    }
}
