//! The head of an HTTP/1 request, read strictly (RFC 9112): what it frames, or why it is refused.
//!
//! Whatever two readers could understand differently is refused here, so that nothing ambiguous reaches an upstream. It knows no
//! socket and no deadline, and it changes nothing but leaving whole fields out.

use std::ops::Range;

use smallvec::SmallVec;

use super::authority;
use super::refusal::Refusal::{self, *};
use crate::config::limits::{ClientLimits, Underscores};

/// A head that nobody can misread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// How many bytes it has, with an empty line in front of it.
    pub length: usize,
    /// What follows.
    pub body: Body,
    /// Whether it asks to leave HTTP on this connection.
    pub upgrade: bool,
    /// Whether the body comes only after a 100.
    pub expects: bool,
    /// Whether no other request follows.
    pub closes: bool,
    /// What is not shown to anybody, in order: field lines with their line ends; of an absolute target, what is no path.
    left_out: SmallVec<[Range<usize>; 4]>,
}

/// How a request's body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    None,
    /// So many bytes; not 0.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// Looks for the end of a head as its bytes come, and refuses early what can never become one.
#[derive(Debug, Default)]
pub struct Scan {
    /// Bytes that were looked at.
    seen: usize,
    /// Where the line under way begins.
    line: usize,
    /// Whether an empty line came before the request line: clients of old send one after a body (RFC 9112, 2.2).
    skipped: bool,
    lines: usize,
}

impl Scan {
    /// Looks at what came since the last call. The number of the head's bytes, once all of them are there.
    pub fn look(&mut self, bytes: &[u8], limits: &ClientLimits) -> Result<Option<usize>, Refusal> {
        while let Some(at) = memchr::memchr(b'\n', &bytes[self.seen..]) {
            let end = self.seen + at;
            // A line that ends in LF alone, some take for a line and others do not.
            let line = bytes[self.line..end].strip_suffix(b"\r").ok_or(LineEnd)?;
            self.seen = end + 1;
            let first = self.lines == 0;
            if first && line.is_empty() {
                if std::mem::replace(&mut self.skipped, true) {
                    return Err(EmptyLine);
                }
            } else if line.is_empty() {
                return if self.seen > limits.head_bytes { Err(HeadTooLarge) } else { Ok(Some(self.seen)) };
            } else {
                if first && target_of(line).len() > limits.target_bytes {
                    return Err(TargetTooLong);
                }
                self.lines += 1;
                if self.lines > limits.fields + 1 {
                    return Err(TooManyFields);
                }
            }
            self.line = self.seen;
        }
        self.seen = bytes.len();
        if self.seen > limits.head_bytes {
            let first = self.lines == 0 && target_of(&bytes[self.line..]).len() > limits.target_bytes;
            return Err(if first { TargetTooLong } else { HeadTooLarge });
        }
        Ok(None)
    }
}

/// What stands behind the method, as far as it is there.
fn target_of(line: &[u8]) -> &[u8] {
    let rest = memchr::memchr(b' ', line).map_or(&[][..], |at| &line[at + 1..]);
    memchr::memchr(b' ', rest).map_or(rest, |end| &rest[..end])
}

impl Head {
    /// Reads a whole head, as [`Scan`] found it. `ours` tells the names that only the gateway may say.
    pub fn read(bytes: &[u8], limits: &ClientLimits, ours: impl Fn(&[u8]) -> bool) -> Result<Head, Refusal> {
        let start = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
        let mut lines = Lines { bytes, at: start };
        let request = bytes.get(lines.next().ok_or(RequestLine)?).ok_or(RequestLine)?;
        let (method, target, version) = request_line(request)?;
        if target.len() > limits.target_bytes {
            return Err(TargetTooLong);
        }
        let form = form(method, target)?;
        let mut fields = Fields::default();
        let mut left_out = SmallVec::new();
        let mut count = 0;
        for range in lines {
            let line = &bytes[range.clone()];
            if line.is_empty() {
                break;
            }
            count += 1;
            if count > limits.fields {
                return Err(TooManyFields);
            }
            let (name, value) = field(line)?;
            let whole = range.start..range.end + 2;
            if name.contains(&b'_') && limits.underscores != Underscores::Allow {
                if limits.underscores == Underscores::Reject {
                    return Err(Underscore);
                }
                left_out.push(whole);
            } else if ours(name) || leads_to_h2(name, value) {
                left_out.push(whole);
            } else {
                fields.take(name, value)?;
            }
        }
        let body = fields.body(version)?;
        match (fields.host, version) {
            (None, Minor::One) => return Err(HostMissing),
            (Some(host), _) if !authority::is_valid(host) => return Err(HostInvalid),
            _ => {}
        }
        if let (Form::Absolute(authority), Some(host)) = (form, fields.host) {
            if !host.eq_ignore_ascii_case(&target[authority.clone()]) {
                return Err(HostMismatch);
            }
            // The `Host` says it all: what reads on has one form of target less to understand.
            left_out.insert_many(0, but_the_path(target, authority, start + method.len() + 1));
        }
        Ok(Head {
            length: bytes.len(),
            body,
            upgrade: version == Minor::One && fields.upgrade && body == Body::None,
            expects: version == Minor::One && fields.expects,
            closes: fields.closes,
            left_out,
        })
    }

    /// What is shown of it: all but the fields that were left out and an empty line in front. `bytes` are those it was read from.
    pub fn shown<'b>(&self, bytes: &'b [u8]) -> impl Iterator<Item = &'b [u8]> {
        let start = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
        let starts = std::iter::once(start).chain(self.left_out.iter().map(|range| range.end));
        let ends = self.left_out.iter().map(|range| range.start).chain(std::iter::once(self.length));
        starts
            .zip(ends)
            .collect::<SmallVec<[_; 5]>>()
            .into_iter()
            .filter_map(|(start, end)| bytes.get(start..end))
    }

    /// Whether [`Head::shown`] is all of the bytes it was read from.
    pub fn is_whole(&self, bytes: &[u8]) -> bool {
        self.left_out.is_empty() && !bytes.starts_with(b"\r\n")
    }
}

/// The lines of a head, without their ends.
struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Iterator for Lines<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let rest = self.bytes.get(self.at..)?;
        let end = self.at + memchr::memmem::find(rest, b"\r\n")?;
        let line = self.at..end;
        self.at = end + 2;
        Some(line)
    }
}

/// HTTP/1.0 or HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Minor {
    Zero,
    One,
}

enum Form {
    /// `/path?query`, or `*`.
    Origin,
    /// `http://authority/path`; where its authority is.
    Absolute(Range<usize>),
}

/// Of an absolute target that begins `at`, all but path and query; where there is no path, one of the slashes is it.
fn but_the_path(target: &[u8], authority: Range<usize>, at: usize) -> impl Iterator<Item = Range<usize>> {
    let has_path = target.get(authority.end) == Some(&b'/');
    let slash = authority.start - 1;
    let first = at..at + if has_path { authority.end } else { slash };
    let second = (!has_path).then(|| at + slash + 1..at + authority.end);
    std::iter::once(first).chain(second)
}

fn request_line(line: &[u8]) -> Result<(&[u8], &[u8], Minor), Refusal> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target)) = (parts.next(), parts.next()) else { return Err(RequestLine) };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return Err(Method);
    }
    // A request line of two parts is HTTP/0.9.
    let version = parts.next().ok_or(RequestLine)?;
    if parts.next().is_some() {
        return Err(RequestLine);
    }
    let minor = match version {
        b"HTTP/1.1" => Minor::One,
        b"HTTP/1.0" => Minor::Zero,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return Err(Version);
        }
        _ => return Err(RequestLine),
    };
    Ok((method, target, minor))
}

fn form(method: &[u8], target: &[u8]) -> Result<Form, Refusal> {
    // A tunnel through the gateway is nobody's business.
    if method == b"CONNECT" {
        return Err(Connect);
    }
    // `#` never leaves a client; everything else outside of VCHAR is the work of somebody who tries.
    if !target.iter().all(|byte| matches!(byte, 0x21..=0x7e) && *byte != b'#') {
        return Err(Target);
    }
    if target == b"*" {
        return if method == b"OPTIONS" { Ok(Form::Origin) } else { Err(Target) };
    }
    if target.starts_with(b"/") {
        return Ok(Form::Origin);
    }
    let scheme = memchr::memmem::find(target, b"://").ok_or(Target)?;
    if !(target[..scheme].eq_ignore_ascii_case(b"http") || target[..scheme].eq_ignore_ascii_case(b"https")) {
        return Err(Target);
    }
    let begin = scheme + 3;
    let rest = &target[begin..];
    let end = begin + rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    if authority::is_valid(&target[begin..end]) { Ok(Form::Absolute(begin..end)) } else { Err(Target) }
}

fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        return Err(Folded);
    }
    let colon = memchr::memchr(b':', line).ok_or(FieldName)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err(FieldName);
    }
    if !value.iter().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e | 0x80..)) {
        return Err(FieldValue);
    }
    Ok((name, value.trim_ascii()))
}

/// Whether a field asks to go on in HTTP/2 on this connection: an upstream that does would be spoken to past every check. Whoever may be asked
/// may also go on in HTTP/1.1 (RFC 9110, 7.8).
fn leads_to_h2(name: &[u8], value: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"http2-settings")
        || name.eq_ignore_ascii_case(b"upgrade")
            && list(value).any(|token| token.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"h2")))
}

/// RFC 9110, 5.6.2.
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What the fields say of framing and of where the request goes.
#[derive(Default)]
struct Fields<'b> {
    host: Option<&'b [u8]>,
    length: Option<u64>,
    encoding: Option<&'b [u8]>,
    asks_upgrade: bool,
    nominates_upgrade: bool,
    upgrade: bool,
    expects: bool,
    closes: bool,
}

impl<'b> Fields<'b> {
    fn take(&mut self, name: &[u8], value: &'b [u8]) -> Result<(), Refusal> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        if is(b"host") {
            if self.host.replace(value).is_some() {
                return Err(HostRepeated);
            }
        } else if is(b"content-length") {
            let length = digits(value).ok_or(Length)?;
            if self.length.replace(length).is_some() {
                return Err(LengthRepeated);
            }
        } else if is(b"transfer-encoding") {
            if self.encoding.replace(value).is_some() {
                return Err(Encoding);
            }
        } else if is(b"upgrade") {
            self.asks_upgrade = true;
        } else if is(b"connection") {
            // Pingora looks at the first of several lines only.
            for token in list(value) {
                self.nominates_upgrade |= token.eq_ignore_ascii_case(b"upgrade");
                self.closes |= token.eq_ignore_ascii_case(b"close");
            }
        } else if is(b"expect") {
            if !value.eq_ignore_ascii_case(b"100-continue") {
                return Err(Expectation);
            }
            self.expects = true;
        }
        self.upgrade = self.asks_upgrade && self.nominates_upgrade;
        Ok(())
    }

    fn body(&self, version: Minor) -> Result<Body, Refusal> {
        match (self.encoding, self.length) {
            (None, None | Some(0)) => Ok(Body::None),
            (None, Some(length)) => Ok(Body::Length(length)),
            // Whoever sends both lets two readers find two ends.
            (Some(_), Some(_)) => Err(LengthAndEncoding),
            (Some(_), None) if version == Minor::Zero => Err(Encoding),
            (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Body::Chunked),
            (Some(codings), None) => Err(unsupported(codings)),
        }
    }
}

/// A list of codings that ends in `chunked` is framed, but not by us (501); any other list frames nothing (400).
fn unsupported(codings: &[u8]) -> Refusal {
    let mut chunked = list(codings).map(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    let last = chunked.next_back().unwrap_or(false);
    let known = list(codings).all(|coding| !coding.is_empty() && coding.iter().all(|byte| is_token(*byte)));
    if last && known && !chunked.any(|is| is) { Coding } else { Encoding }
}

fn list(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Digits alone, below 2^63.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    let number = text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })?;
    (number <= i64::MAX as u64).then_some(number)
}

#[cfg(test)]
mod tests;
