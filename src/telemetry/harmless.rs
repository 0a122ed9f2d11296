//! Lines of JSON that fool no terminal and no reader of lines, whoever wrote the texts in them.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

/// A value as one line, with its line break; `room` is what most of them fit into, in bytes. The value's maps have texts as keys.
pub fn line(value: &impl Serialize, room: usize) -> Vec<u8> {
    let mut line = Vec::with_capacity(room);
    let mut json = serde_json::Serializer::with_formatter(&mut line, Harmless);
    // Neither a `Vec` nor a map with text keys can fail.
    let _ = value.serialize(&mut json);
    line.push(b'\n');
    line
}

/// Compact JSON that also escapes DEL and the control characters U+0080 to U+009F, which terminals obey.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // 0xC2 begins each of U+0080 to U+00BF.
        if !fragment.bytes().any(|byte| byte == 0x7f || byte == 0xc2) {
            return CompactFormatter.write_string_fragment(writer, fragment);
        }
        for part in fragment.split_inclusive(char::is_control) {
            match part.char_indices().next_back().filter(|(_, last)| last.is_control()) {
                Some((end, last)) => write!(writer, "{}\\u{:04x}", &part[..end], u32::from(last))?,
                None => writer.write_all(part.as_bytes())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_line_has_no_control_character_and_the_same_value(text in "(?s)[\u{0}-\u{a0}\u{2028}a-c]{0,20}") {
            let line = String::from_utf8(line(&text, 0)).unwrap();
            let (json, end) = line.split_at(line.len() - 1);
            prop_assert!(!json.contains(char::is_control), "{json:?}");
            prop_assert_eq!(end, "\n");
            prop_assert_eq!(serde_json::from_str::<String>(json).unwrap(), text);
        }
    }
}
