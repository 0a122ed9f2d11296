//! The words of the file: every key with its type, its default and one line of documentation.
//!
//! A table is read by the decoder (a key that no table has cannot be read, one that no decoder reads fails a test), by the JSON
//! schema and by `docs/config.md`; so the three cannot part. The tables stand beside the decoders of their objects.

/// An object of the file.
#[derive(Debug)]
pub struct Object {
    /// What it is called in the documentation.
    pub title: &'static str,
    pub doc: &'static str,
    pub keys: &'static [Key],
    pub rules: &'static [Rule],
    /// Keys that are known, but not in this release.
    pub later: &'static [&'static str],
}

/// One key of an [`Object`].
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub is: Type,
    pub presence: Presence,
    pub doc: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Required,
    /// Its documentation says what its absence means.
    Optional,
    /// YAML that is decoded in its place.
    Default(&'static str),
}

/// What must hold between the keys of one object.
#[derive(Debug)]
pub enum Rule {
    /// One of these keys, and no other of them.
    ExactlyOne(&'static [&'static str]),
    /// One of these keys or none.
    AtMostOne(&'static [&'static str]),
    /// At least one of these keys.
    AtLeastOne(&'static [&'static str]),
    /// These keys mean something only beside one of those.
    Only(&'static [&'static str], &'static [&'static str]),
}

/// What a value must be.
#[derive(Debug)]
pub enum Type {
    Bool,
    /// A whole number within both ends.
    Integer {
        min: i64,
        max: i64,
    },
    /// A number with units; `zero` is whether nothing is long enough.
    Duration {
        zero: bool,
    },
    /// Bytes, within both ends.
    Size {
        min: u64,
        max: u64,
    },
    /// Of all there is: a number with a percent sign.
    Share,
    /// Not negative.
    Number,
    Text,
    /// Of a service, version, route, listener: letters, digits, `.`, `_`, `-`; at most 128.
    Name,
    FlagKey,
    /// A path in a flag's `var`.
    Attribute,
    /// IP address and port to listen on.
    Bind,
    /// Host and port to connect to.
    Address,
    Network,
    Path,
    Regex,
    HeaderName,
    HeaderValue,
    CookieName,
    Method,
    /// One of these, or any final status if none is named.
    Status(&'static [u16]),
    /// What can differ between two answers.
    FieldPath,
    /// A field of a JSON body.
    Pointer,
    /// Host name or IP address, without port.
    Host,
    /// Host with or without a port.
    Authority,
    /// Host, or `*.` and a suffix.
    HostPattern,
    /// Scheme, host and port of a web page.
    Origin,
    /// A path in a URL.
    HttpPath,
    /// What decision headers begin with.
    Prefix,
    Token,
    /// A key of signatures.
    Secret,
    /// A boolean, a number or text: a flag's value.
    Value,
    Choice(&'static [&'static str]),
    Object(&'static Object),
    List(&'static Type),
    OneOrMany(&'static Type),
    /// Names of the author's own, and what each has.
    Map(&'static Type, &'static Type),
    /// The short form, or the long one: a map, a list or a whole number, which the short one is not.
    Either(&'static Type, &'static Type),
}

/// A key that must be there.
pub const fn required(name: &'static str, is: Type, doc: &'static str) -> Key {
    Key { name, is, presence: Presence::Required, doc }
}

/// A key that may be left out.
pub const fn optional(name: &'static str, is: Type, doc: &'static str) -> Key {
    Key { name, is, presence: Presence::Optional, doc }
}

/// A key with a default, written in YAML.
pub const fn default(name: &'static str, is: Type, default: &'static str, doc: &'static str) -> Key {
    Key { name, is, presence: Presence::Default(default), doc }
}

impl Object {
    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The names of all keys, in the order of the documentation.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.keys.iter().map(|key| key.name)
    }
}

impl Type {
    /// A word or two for the documentation, which tells once what they mean.
    pub fn label(&self) -> String {
        let label = match self {
            Type::Bool => "boolean",
            Type::Integer { min, max } => return format!("integer, {min} to {max}"),
            Type::Duration { zero: false } => "duration above zero",
            Type::Duration { zero: true } => "duration",
            Type::Size { min, max } => return format!("size, {} to {}", size(*min), size(*max)),
            Type::Share => "share",
            Type::Number => "number from 0",
            Type::Text => "text",
            Type::Name => "name",
            Type::FlagKey => "flag key",
            Type::Attribute => "attribute name",
            Type::Bind => "IP address and port",
            Type::Address => "host and port",
            Type::Network => "network",
            Type::Path => "path",
            Type::Regex => "regular expression",
            Type::HeaderName => "header name",
            Type::HeaderValue => "header value",
            Type::CookieName => "cookie name",
            Type::Method => "method",
            Type::Status([]) => "status",
            Type::FieldPath => "field path",
            Type::Pointer => "JSON pointer",
            Type::Host => "host",
            Type::Authority => "host with or without port",
            Type::HostPattern => "host pattern",
            Type::Origin => "origin",
            Type::HttpPath => "URL path",
            Type::Prefix => "header prefix",
            Type::Token => "secret",
            Type::Secret => "long secret",
            Type::Value => "flag value",
            other => return other.describe(),
        };
        label.to_owned()
    }

    /// What was expected, for messages and the documentation.
    pub fn describe(&self) -> String {
        match self {
            Type::Bool => "`true` or `false`".into(),
            Type::Integer { min, max: i64::MAX } => format!("a whole number from {min}"),
            Type::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Type::Duration { zero: false } => {
                "a duration above zero, such as `500ms`, `5s` or `90d`, up to ten years".into()
            }
            Type::Duration { zero: true } => {
                "a duration, such as `0s`, `500ms` or `90d`, up to ten years".into()
            }
            Type::Size { min, max } => {
                format!("a size such as `512B`, `4KiB` or `16MiB`, from {} to {}", size(*min), size(*max))
            }
            Type::Share => "a share such as `10%` or `0.5%`, from 0% to 100%".into(),
            Type::Number => "a number from 0, such as `0.01`".into(),
            Type::Text => "text".into(),
            Type::Name => "a name: letters, digits, `.`, `_` and `-`, at most 128".into(),
            Type::FlagKey => "the key of a flag".into(),
            Type::Attribute => "the name of an attribute, as a flag's `var` has it".into(),
            Type::Bind => "an IP address and a port, such as `127.0.0.1:8080` or `[::]:8080`".into(),
            Type::Address => "a host and a port, such as `10.0.0.1:9001` or `shop.internal:9001`".into(),
            Type::Network => "a network or an address, such as `10.0.0.0/8` or `::1`".into(),
            Type::Path => "a path of a file or folder".into(),
            Type::Regex => "a regular expression in the syntax of Rust's `regex`, without look-around".into(),
            Type::HeaderName => "the name of a header".into(),
            Type::HeaderValue => "the value of a header: visible ASCII, spaces and tabs inside".into(),
            Type::CookieName => "the name of a cookie: no spaces, no `=`, `;` or `,`".into(),
            Type::Method => "a method, in upper case: `GET`, `POST`, ..".into(),
            Type::Status([]) => "a status from 200 to 599".into(),
            Type::Status(allowed) => one_of(&allowed.iter().map(u16::to_string).collect::<Vec<_>>()),
            Type::FieldPath => {
                "`status`, `latency`, `body`, `header:<name>`, or a JSON pointer such as `/items/*/price`"
                    .into()
            }
            Type::Pointer => {
                "a JSON pointer such as `/items/*/price`, where `*` stands for any one name or index".into()
            }
            Type::Host => "a host name or IP address, without port".into(),
            Type::Authority => "a host name or IP address, with or without a port".into(),
            Type::HostPattern => {
                "a host name such as `shop.example.org`, or `*.example.org`, without port".into()
            }
            Type::Origin => {
                "an origin as browsers send it: `https://shop.example.org` or `http://localhost:3000`".into()
            }
            Type::HttpPath => "a path that starts with `/`, without query".into(),
            Type::Prefix => "lower case letters, digits and `-`, a `-` at the end, such as `x-flag-`".into(),
            Type::Token => "a secret of at least 16 visible ASCII characters".into(),
            Type::Secret => "a secret of at least 32 visible ASCII characters".into(),
            Type::Value => "a value of a flag: `true`, `false`, a number or text".into(),
            Type::Choice(words) => one_of(words),
            Type::Object(object) => {
                let required = object.keys.iter().filter(|key| key.presence == Presence::Required);
                let names: Vec<String> = required.map(|key| format!("`{}`", key.name)).collect();
                let with = if names.is_empty() { "" } else { " with " };
                format!("a map{with}{}", names.join(", "))
            }
            Type::List(inner) => format!("a list, each item {}", inner.describe()),
            Type::OneOrMany(inner) => format!("{}; or a list of such", inner.describe()),
            Type::Map(..) => "a map".into(),
            Type::Either(short, long) => format!("{}; or {}", short.describe(), long.describe()),
        }
    }
}

/// Words, each in backticks, joined by commas and `or`.
pub fn one_of<T: AsRef<str>>(words: &[T]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn size(bytes: u64) -> String {
    bytesize::ByteSize::b(bytes).display().iec().to_string()
}

/// Its title as a link has it: `Header edits` is `header-edits`.
pub fn anchor(object: &Object) -> String {
    object.title.to_lowercase().replace(' ', "-")
}

/// Calls back for each object below a type, once, in the order of the file.
pub fn visit(is: &'static Type, each: &mut dyn FnMut(&'static Object)) {
    let mut seen: Vec<&'static str> = Vec::new();
    let mut queue = std::collections::VecDeque::from([is]);
    while let Some(is) = queue.pop_front() {
        match is {
            Type::Object(object) if !seen.contains(&object.title) => {
                seen.push(object.title);
                each(object);
                // What belongs to an object is told before what stands beside it.
                for key in object.keys.iter().rev() {
                    queue.push_front(&key.is);
                }
            }
            Type::List(inner) | Type::OneOrMany(inner) => queue.push_front(inner),
            Type::Map(name, inner) | Type::Either(name, inner) => {
                queue.push_front(inner);
                queue.push_front(name);
            }
            _ => {}
        }
    }
}
