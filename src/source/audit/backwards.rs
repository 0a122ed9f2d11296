//! The lines of a file, the last one first, read in blocks from its end.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes that are read at a time.
pub(super) const BLOCK: usize = 64 << 10;

/// Bytes of a line that are held at most: no record is as long.
const LINE: usize = 2 << 20;

/// The lines. The first one is what stands behind the last line break: nothing, unless it is torn.
#[derive(Debug)]
pub(super) struct Backwards {
    file: File,
    /// Where the bytes begin that have been read.
    start: u64,
    /// Bytes from `start` on that have not been told.
    held: Vec<u8>,
    /// Whether the end of the line that is looked for was too long to hold.
    overlong: bool,
    done: bool,
}

/// One line, without its break.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Where it begins in the file.
    pub(super) start: u64,
    /// Nothing, where it is too long to be held.
    pub(super) text: Vec<u8>,
}

impl Backwards {
    pub(super) fn new(file: File) -> io::Result<Backwards> {
        let end = file.metadata()?.len();
        Ok(Backwards { file, start: end, held: Vec::new(), overlong: false, done: false })
    }
}

impl Backwards {
    fn line(&mut self) -> io::Result<Line> {
        let mut unsearched = self.held.len();
        loop {
            if let Some(at) = memchr::memrchr(b'\n', &self.held[..unsearched]) {
                let text = self.held.split_off(at + 1);
                let line = self.told(at as u64 + 1, text);
                // The break ends the line before.
                self.held.truncate(at);
                return Ok(line);
            }
            if self.start == 0 {
                self.done = true;
                let text = std::mem::take(&mut self.held);
                return Ok(self.told(0, text));
            }
            if self.held.len() > LINE {
                self.overlong = true;
                self.held.clear();
            }
            unsearched = self.read()?;
        }
    }

    fn told(&mut self, from: u64, text: Vec<u8>) -> Line {
        let overlong = std::mem::take(&mut self.overlong);
        Line { start: self.start + from, text: if overlong { Vec::new() } else { text } }
    }

    /// Puts the block before `start` in front of what is held; its length.
    fn read(&mut self) -> io::Result<usize> {
        let count = self.start.min(BLOCK as u64);
        self.start -= count;
        // No more than a block.
        let mut block = vec![0; count as usize];
        self.file.read_exact_at(&mut block, self.start)?;
        block.append(&mut self.held);
        self.held = block;
        Ok(count as usize)
    }
}

impl Iterator for Backwards {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<io::Result<Line>> {
        if self.done {
            return None;
        }
        let line = self.line();
        self.done |= line.is_err();
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Vec<Line> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Backwards::new(file).unwrap().collect::<io::Result<_>>().unwrap()
    }

    #[test]
    fn lines_come_last_first_with_the_torn_one_before_them() {
        let line = |start, text: &str| Line { start, text: text.as_bytes().to_vec() };
        assert_eq!(read(b""), [line(0, "")]);
        assert_eq!(read(b"ab"), [line(0, "ab")]);
        assert_eq!(read(b"\n"), [line(1, ""), line(0, "")]);
        assert_eq!(read(b"ab\n\ncd\ne"), [line(7, "e"), line(4, "cd"), line(3, ""), line(0, "ab")]);
    }

    #[test]
    fn a_line_that_no_one_wrote_is_not_held() {
        let mut bytes = b"first\n".to_vec();
        bytes.resize(bytes.len() + LINE + 2 * BLOCK, b'x');
        bytes.extend(b"\nlast\n");
        let lines = read(&bytes);
        let texts: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(&line.text)).collect();
        assert_eq!(texts, ["", "last", "", "first"]);
        assert_eq!((lines[2].start, lines[3].start), (6, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn blocks_break_no_line(lengths in prop::collection::vec(
            prop_oneof![0..50_usize, BLOCK - 3..BLOCK + 3, 2 * BLOCK - 2..2 * BLOCK + 2], 0..6)
        ) {
            let texts: Vec<Vec<u8>> =
                lengths.iter().enumerate().map(|(at, length)| vec![b'a' + at as u8; *length]).collect();
            let bytes = texts.join(&b'\n');
            let mut lines = read(&bytes);
            for line in &lines {
                prop_assert_eq!(&bytes[line.start as usize..][..line.text.len()], &line.text[..]);
            }
            lines.reverse();
            let read: Vec<Vec<u8>> = lines.into_iter().map(|line| line.text).collect();
            prop_assert_eq!(read, if texts.is_empty() { vec![Vec::new()] } else { texts });
        }
    }
}
