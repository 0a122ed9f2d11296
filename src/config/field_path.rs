//! Names of what can differ between two answers: `status`, `latency`, `body`, `header:<name>`, or a field of a JSON body as an
//! RFC 6901 pointer, in which `*` stands for any one name or index.

use std::fmt;

use http::HeaderName;

/// A name of one field, or of several.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FieldPath {
    /// The status.
    Status,
    /// How long it took to the first byte.
    Latency,
    /// A body that is no JSON, or all of one that is.
    Body,
    /// A header.
    Header(HeaderName),
    /// A field of a JSON body; at least one token.
    Json(Vec<Token>),
}

/// One step into a JSON value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Token {
    /// `*`: any name or index.
    Any,
    /// A name or an index, unescaped.
    Name(Box<str>),
}

impl FieldPath {
    /// Reads one; none: it is no such name.
    pub fn parse(text: &str) -> Option<FieldPath> {
        match text {
            "status" => return Some(FieldPath::Status),
            "latency" => return Some(FieldPath::Latency),
            "body" => return Some(FieldPath::Body),
            _ => {}
        }
        if let Some(name) = text.strip_prefix("header:") {
            return HeaderName::from_bytes(name.as_bytes()).ok().map(FieldPath::Header);
        }
        text.strip_prefix('/')?.split('/').map(Token::parse).collect::<Option<_>>().map(FieldPath::Json)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldPath::Status => f.write_str("status"),
            FieldPath::Latency => f.write_str("latency"),
            FieldPath::Body => f.write_str("body"),
            FieldPath::Header(name) => write!(f, "header:{name}"),
            FieldPath::Json(tokens) => tokens.iter().try_for_each(|token| match token {
                Token::Any => f.write_str("/*"),
                Token::Name(name) => write!(f, "/{}", escape(name)),
            }),
        }
    }
}

impl Token {
    /// Reads one as it stands between two slashes: `~0` is `~`, `~1` is `/`, and any other `~` is wrong.
    fn parse(text: &str) -> Option<Token> {
        if text == "*" {
            return Some(Token::Any);
        }
        let mut name = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            name.push(match c {
                '~' => match chars.next()? {
                    '0' => '~',
                    '1' => '/',
                    _ => return None,
                },
                c => c,
            });
        }
        Some(Token::Name(name.into()))
    }

    /// Whether it names this name or index.
    pub fn is(&self, name: &str) -> bool {
        match self {
            Token::Any => true,
            Token::Name(own) => **own == *name,
        }
    }
}

/// A name as it stands in a pointer.
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_it_is_written() {
        for text in
            ["status", "latency", "body", "header:content-type", "/a", "/a/*/b~1c", "/", "/~0/0", "/a//b"]
        {
            assert_eq!(FieldPath::parse(text).map(|path| path.to_string()).as_deref(), Some(text));
        }
        for wrong in ["", "a", "/~", "/~2", "header:", "header:a b", "Status"] {
            assert_eq!(FieldPath::parse(wrong), None, "{wrong}");
        }
        assert_eq!(FieldPath::parse("header:Location").unwrap().to_string(), "header:location");
    }
}
