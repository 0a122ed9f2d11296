//! Text that others wrote, made fit for a terminal: it moves no cursor, hides nothing, and keeps to its columns.

/// Characters that would move a cursor, break the line, turn its direction or not be seen are written out: `\u{1b}`.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_shown(c) { out.push(c) } else { out.extend(c.escape_debug()) }
    }
    out
}

/// JSON with the same characters escaped as JSON does it; blanks and ends of lines between its values stay.
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_shown(c) || c == '\n' {
            out.push(c);
        } else {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}

/// [`plain`], and of a text that takes more than `width` columns only its beginning.
pub fn cut(text: &str, width: usize) -> String {
    let plain = plain(text);
    if columns(&plain) <= width {
        plain
    } else {
        beginning(&plain, width.saturating_sub(1)).to_owned() + "…"
    }
}

/// [`cut`], and filled with blanks up to `width`.
pub fn padded(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let gap = width.saturating_sub(columns(&text));
    text + &" ".repeat(gap)
}

/// [`plain`], in lines of at most `width` columns, broken between words where it can be. At least one line.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in plain(text).split(' ') {
        let mut rest = word;
        // Never empty: it starts with one line, and only grows.
        while let Some(line) = lines.last_mut() {
            let gap = usize::from(!line.is_empty());
            if columns(line) + gap + columns(rest) <= width {
                line.push_str(&" "[..gap]);
                line.push_str(rest);
                break;
            }
            if line.is_empty() {
                let part = beginning(rest, width.max(2));
                line.push_str(part);
                rest = &rest[part.len()..];
            }
            lines.push(String::new());
        }
    }
    lines
}

/// Columns that a text takes at most. Beyond the alphabets of Europe and the Near East a character may take two.
pub fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

fn column(c: char) -> usize {
    if c < '\u{1100}' || c == '…' { 1 } else { 2 }
}

/// What of a text fits into `width` columns.
fn beginning(text: &str, width: usize) -> &str {
    let mut left = width;
    let end = text.char_indices().find(|(_, c)| {
        let fits = left.checked_sub(column(*c));
        left = fits.unwrap_or(0);
        fits.is_none()
    });
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

fn is_shown(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_moves_a_cursor_or_hides_is_written_out() {
        let cases = [
            ("a \"b\" 'c' \\ é 漢", "a \"b\" 'c' \\ é 漢"),
            ("\x1b[2J\r\n\t", "\\u{1b}[2J\\r\\n\\t"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("a\u{202e}b\u{200b}\u{2028}\u{feff}", "a\\u{202e}b\\u{200b}\\u{2028}\\u{feff}"),
        ];
        for (text, shown) in cases {
            assert_eq!(plain(text), shown);
        }
    }

    #[test]
    fn lines_break_between_words_and_long_words_anywhere() {
        assert_eq!(wrap("aa bb  cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("a bbbbbbb c", 3), ["a", "bbb", "bbb", "b c"]);
        assert_eq!(wrap("漢漢漢", 4), ["漢漢", "漢"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!((cut("abcdef", 4), cut("abcd", 4)), ("abc…".to_owned(), "abcd".to_owned()));
    }

    proptest! {
        #[test]
        fn nothing_leaves_its_columns(text in ".{0,60}", width in 2_usize..30) {
            prop_assert!(columns(&cut(&text, width)) <= width);
            for line in wrap(&text, width) {
                prop_assert!(columns(&line) <= width, "{line:?}");
                prop_assert!(!line.chars().any(char::is_control));
            }
        }

        #[test]
        fn json_stays_the_same_value(text in "(?s).{0,40}") {
            let value = serde_json::json!({"a": [text]});
            let escaped = json(&format!("{value:#}"));
            prop_assert!(!escaped.chars().any(|c| c.is_control() && c != '\n'));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
        }
    }
}
