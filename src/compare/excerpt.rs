//! A value in short, as it is shown on terminals and pages: cut to a bound, and nothing in it moves a cursor or turns a line around.

/// Bytes of an excerpt at most, its mark of a cut included.
pub(super) const VALUE: usize = 256;

/// Stands for what was cut.
const CUT: char = '…';

/// A text that grows up to a bound.
#[derive(Debug)]
pub(super) struct Excerpt {
    text: String,
    /// Bytes.
    max: usize,
    cut: bool,
}

impl Excerpt {
    /// An empty one with room for `max` bytes.
    pub(super) fn new(max: usize) -> Excerpt {
        Excerpt { text: String::new(), max, cut: false }
    }

    /// A text in short.
    pub(super) fn of(text: &str, max: usize) -> String {
        let mut excerpt = Excerpt::new(max);
        excerpt.push_str(text);
        excerpt.finish()
    }

    /// Whether more would be cut.
    pub(super) fn is_full(&self) -> bool {
        self.cut
    }

    /// Adds a text, with escapes for all that is not seen.
    pub(super) fn push_str(&mut self, text: &str) {
        for c in text.chars() {
            if self.cut {
                return;
            }
            self.push(c);
        }
    }

    /// Adds a character, or its escape.
    pub(super) fn push(&mut self, c: char) {
        let escaped;
        let mut buffer = [0; 4];
        let shown: &str = match c {
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            c if is_unseen(c) => {
                escaped = format!("\\u{:04x}", u32::from(c));
                &escaped
            }
            c => c.encode_utf8(&mut buffer),
        };
        if self.cut || self.text.len() + shown.len() > self.max - CUT.len_utf8() {
            self.cut = true;
        } else {
            self.text.push_str(shown);
        }
    }

    /// The text, with a mark if it was cut.
    pub(super) fn finish(mut self) -> String {
        if self.cut {
            self.text.push(CUT);
        }
        self.text
    }
}

/// Controls, and what has no width or changes the direction of a line; all of it in the basic plane.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
