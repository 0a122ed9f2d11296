//! Cases in, answers out: a JSON object a line, in order, for as long as there are lines.
//!
//! A line that asks nothing that can be answered gets an answer that says so; nothing that a line holds ends the batch.

use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};

use super::Terms;
use super::answer::{Answer, Asked, Flags};
use super::question::Question;
use crate::config::Problem;
use crate::flag::{ErrorCode, Format};

/// Bytes of buffers for input and output.
const BUFFER: usize = 256 << 10;

/// Answers until the input ends, or nobody reads any more. `Err`: the input cannot be read.
pub fn run(input: impl Read, output: impl Write, terms: &Terms) -> io::Result<()> {
    // A document at its limit, with as much again for context and key.
    let longest = terms.limits.document_bytes.saturating_mul(2);
    let mut input = BufReader::with_capacity(BUFFER, input);
    let mut output = BufWriter::with_capacity(BUFFER, output);
    let mut line = Vec::new();
    let mut kept = Kept { text: String::new(), flags: Err(Vec::new()) };
    loop {
        // Whoever sends the next case only after an answer must get it.
        if memchr::memchr(b'\n', input.buffer()).is_none() && stopped(output.flush())? {
            return Ok(());
        }
        line.clear();
        if input.by_ref().take(longest as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let whole = line.len() < longest || line.ends_with(b"\n");
        if !whole {
            input.skip_until(b'\n')?;
        }
        let written = match std::str::from_utf8(&line) {
            _ if !whole => write(&mut output, &unasked(format!("the line has more than {longest} bytes"))),
            Err(_) => write(&mut output, &unasked("the line is no UTF-8".to_owned())),
            Ok(line) => match Question::read(line) {
                Err(why) => write(&mut output, &unasked(why)),
                Ok(question) => write(&mut output, &kept.answer(&question, terms)),
            },
        };
        if stopped(written)? {
            return Ok(());
        }
    }
}

fn unasked(why: String) -> Answer<'static> {
    Answer::error(ErrorCode::InvalidContext, why)
}

fn write(output: &mut impl Write, answer: &Answer<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *output, answer)?;
    output.write_all(b"\n")
}

/// Whether the reader of our answers has gone away, which is no error.
fn stopped(written: io::Result<()>) -> io::Result<bool> {
    match written {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(true),
        Err(error) => Err(error),
    }
}

/// The document of the line before: many cases in a row ask the same one.
struct Kept {
    text: String,
    flags: Result<Flags, Vec<Problem>>,
}

impl Kept {
    fn answer(&mut self, question: &Question<'_>, terms: &Terms) -> Answer<'_> {
        let text = question.document.text();
        if self.text != text {
            self.flags = Flags::parse("flags", &text, Format::Json, terms);
            self.text = text.into_owned();
        }
        let Question { key, as_type, context, now, .. } = question;
        let now = now.unwrap_or_else(|| terms.now());
        match &self.flags {
            Ok(flags) => flags.answer(&Asked { key, as_type: *as_type, context, now }).bare(),
            Err(problems) => Answer::refused(problems).bare(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FlagLimits, FractionalVersion};

    fn terms() -> Terms {
        let limits = FlagLimits { document_bytes: 500, ..FlagLimits::default() };
        Terms { fractional: FractionalVersion::V3, limits, now: Some(5) }
    }

    fn answers(input: &[u8]) -> String {
        let mut output = Vec::new();
        run(input, &mut output, &terms()).unwrap();
        String::from_utf8(output).unwrap()
    }

    const ON: &str = r#"{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}"#;

    #[test]
    fn every_line_gets_one_answer_in_order() {
        let on = format!(r#"{{"flags":{{"a":{ON}}},"flagKey":"a"}}"#);
        let input = format!("{on}\n\nnonsense\n{on}\n{{\"flagKey\":\"a\"}}\r\n{on}");
        let found = answers(input.as_bytes());
        let told: Vec<_> = found.lines().map(|line| line.split_at(18.min(line.len())).0).collect();
        let on = r#"{"value":true,"var"#;
        let error = r#"{"reason":"ERROR","#;
        assert_eq!(told, [on, error, error, on, error, on], "{found}");
    }

    #[test]
    fn lines_that_are_too_long_or_no_text_are_told_and_passed_over() {
        let long = format!("{{\"flagKey\":\"{}\"}}", "a".repeat(2000));
        let mut input = format!("{long}\n").into_bytes();
        input.extend(b"\xff\n{\"flagKey\":\"a\",\"flags\":{}}\n");
        input.extend(long.as_bytes());
        let found = answers(&input);
        let told: Vec<_> = found.lines().collect();
        assert!(told[0].contains("more than 1000 bytes") && told[3] == told[0], "{found}");
        assert!(told[1].contains("UTF-8"), "{found}");
        assert_eq!(told[2], r#"{"reason":"ERROR","errorCode":"FLAG_NOT_FOUND"}"#);
    }

    /// Hands out one line a read, and checks before each that all earlier ones were answered.
    struct Patient<'a> {
        lines: Vec<&'a str>,
        given: usize,
        answered: std::rc::Rc<std::cell::Cell<usize>>,
    }

    impl Read for Patient<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            assert_eq!(self.answered.get(), self.given, "the next line comes only after an answer");
            let Some(line) = self.lines.pop() else { return Ok(0) };
            into[..line.len()].copy_from_slice(line.as_bytes());
            self.given += 1;
            Ok(line.len())
        }
    }

    struct Counting(std::rc::Rc<std::cell::Cell<usize>>);

    impl Write for Counting {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.set(self.0.get() + bytes.iter().filter(|byte| **byte == b'\n').count());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_answer_is_sent_before_the_next_line_is_waited_for() {
        let answered = std::rc::Rc::default();
        let lines = vec!["{\"flagKey\":\"a\"}\n"; 3];
        let input = Patient { lines, given: 0, answered: std::rc::Rc::clone(&answered) };
        run(input, Counting(answered.clone()), &terms()).unwrap();
        assert_eq!(answered.get(), 3);
    }

    #[test]
    fn a_reader_that_goes_away_ends_the_batch_quietly() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        run(&b"{}\n{}\n"[..], Closed, &terms()).unwrap();
    }
}
