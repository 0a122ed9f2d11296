//! Decodes `Content-Encoding`, within a bound on what comes out and on the memory that it takes.

use std::io::{self, BufRead, BufReader, Read};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::{Body, Capture};

/// Codings of one body at most.
const MAX_CODINGS: usize = 4;

/// Any one coding may make so many times `max_body` of a body: beyond `max_body` it is only hashed, beyond this nothing is read.
const MAX_INFLATION: u64 = 64;

/// Base 2 logarithm of the window that a zstd body may ask for: 8 MiB, the bound of RFC 9659.
const MAX_ZSTD_WINDOW: u32 = 23;

/// How a body is encoded, in the order in which its codings were applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codings(Vec<Coding>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
    Unknown(Box<str>),
}

impl Codings {
    /// As the headers tell it. `identity` is none.
    pub fn of(headers: &HeaderMap) -> Codings {
        let lines =
            headers.get_all(CONTENT_ENCODING).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
        let mut codings = Vec::new();
        for line in lines {
            let names = line.split(',').map(|name| name.trim().to_ascii_lowercase());
            codings.extend(names.filter_map(|name| match &*name {
                "" | "identity" => None,
                "gzip" | "x-gzip" => Some(Coding::Gzip),
                "deflate" => Some(Coding::Deflate),
                "br" => Some(Coding::Brotli),
                "zstd" => Some(Coding::Zstd),
                _ => Some(Coding::Unknown(name.into())),
            }));
        }
        Codings(codings)
    }

    /// Whether a body stands as it is.
    pub fn is_identity(&self) -> bool {
        self.0.is_empty()
    }

    /// Decodes a body; what comes out longer than `max_body` is hashed.
    ///
    /// # Errors
    ///
    /// Unknown or too many codings, a broken or unfinished body, one that inflates too much.
    pub fn decode(&self, encoded: &[u8], max_body: usize) -> io::Result<Body> {
        if self.0.len() > MAX_CODINGS {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut reader: Box<dyn BufRead + '_> = Box::new(encoded);
        // What has no body (an answer to HEAD, 304) still tells how it would be encoded.
        for coding in self.0.iter().rev().filter(|_| !encoded.is_empty()) {
            let decoder = coding.decoder(reader)?;
            let left = MAX_INFLATION.saturating_mul(max_body as u64);
            reader = Box::new(BufReader::new(Bounded { decoder, left }));
        }
        let mut capture = Capture::new(max_body);
        loop {
            let piece = Bytes::copy_from_slice(reader.fill_buf()?);
            if piece.is_empty() {
                return Ok(capture.finish());
            }
            reader.consume(piece.len());
            capture.push(&piece);
        }
    }
}

impl Coding {
    fn decoder<'a>(&self, mut source: Box<dyn BufRead + 'a>) -> io::Result<Box<dyn Read + 'a>> {
        let first = source.fill_buf()?.first().copied();
        Ok(match self {
            Coding::Gzip => Box::new(MultiGzDecoder::new(source)),
            Coding::Deflate => {
                // Some send it without the zlib wrapper that the standard asks for. With 8 in its low bits a raw stream would begin
                // with a stored block after a bit that should be zero.
                let wrapped = first.is_some_and(|byte| byte & 0x0f == 8);
                Box::new(Inflate { source, state: Decompress::new(wrapped), done: false })
            }
            // A "large window" stream, which is no `br`: it may ask for a GiB.
            Coding::Brotli if first.is_some_and(|byte| byte & 0x7f == 0x11) => {
                return Err(io::ErrorKind::InvalidData.into());
            }
            Coding::Brotli => Box::new(brotli::Decompressor::new(source, 4096)),
            Coding::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(source)?;
                decoder.window_log_max(MAX_ZSTD_WINDOW)?;
                Box::new(decoder)
            }
            Coding::Unknown(_) => return Err(io::ErrorKind::Unsupported.into()),
        })
    }
}

/// Reads no more than so many bytes.
struct Bounded<R> {
    decoder: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(read)
    }
}

/// Deflate that minds an unfinished stream; flate2's readers take it for the end.
struct Inflate<R> {
    source: R,
    state: Decompress,
    done: bool,
}

impl<R: BufRead> Read for Inflate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.done && !buffer.is_empty() {
            let input = self.source.fill_buf()?;
            let (last, before) = (input.is_empty(), (self.state.total_in(), self.state.total_out()));
            let status = self.state.decompress(input, buffer, FlushDecompress::None)?;
            // Differences of two counters that a buffer bounds.
            let read = (self.state.total_in() - before.0) as usize;
            let written = (self.state.total_out() - before.1) as usize;
            self.source.consume(read);
            self.done = status == Status::StreamEnd;
            if written > 0 {
                return Ok(written);
            }
            if read == 0 && !self.done {
                let kind = if last { io::ErrorKind::UnexpectedEof } else { io::ErrorKind::InvalidData };
                return Err(kind.into());
            }
        }
        Ok(0)
    }
}
