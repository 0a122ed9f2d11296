//! Readers of single values: each knows one type of the tables, and what is usually meant when it is wrong.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::{Method, StatusCode};
use ipnet::IpNet;
use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::{Decoder, Item};
use crate::config::reference::Type;
use crate::config::secret::Secret;
use crate::config::shadow::Share;
use crate::config::suggest;
use crate::config::tree::Scalar;
use crate::config::{Name, Problem};

/// Longest duration: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Bytes that a compiled regular expression may take.
const REGEX_BYTES: usize = 1 << 20;

/// Any text; a number or boolean must be quoted.
pub fn text(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Name> {
    let Some(scalar) = item.node.scalar() else { return decoder.wrong(item) };
    let is_text = scalar.written.is_some() || matches!(scalar.value(), Value::String(_));
    let is_key = item.is_key && !scalar.text.is_empty();
    if is_text || is_key { Some(scalar.text.clone()) } else { decoder.wrong(item) }
}

/// Text that passes a test; the item's type says which.
fn text_where(item: &Item<'_>, decoder: &mut Decoder<'_>, good: impl FnOnce(&str) -> bool) -> Option<Name> {
    let text = text(item, decoder)?;
    if good(&text) { Some(text) } else { bad(item, decoder, None) }
}

/// Of a service, a version, a route, a listener.
pub fn name(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Name> {
    text_where(item, decoder, |text| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (1..=128).contains(&text.len()) && text.bytes().all(good)
    })
}

/// Text that is not empty and has no control characters.
pub fn words(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Name> {
    text_where(item, decoder, |text| !text.is_empty() && !text.chars().any(char::is_control))
}

/// A bearer token.
pub fn token(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<String> {
    hidden(item, decoder, 16).map(|text| text.to_string())
}

/// What signatures are made with.
pub fn secret(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Secret> {
    hidden(item, decoder, 32).map(Secret::new)
}

/// At least so many characters that nobody guesses.
fn hidden(item: &Item<'_>, decoder: &mut Decoder<'_>, least: usize) -> Option<Name> {
    let text = text(item, decoder)?;
    if text.len() >= least && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(text);
    }
    // The value itself is a secret.
    let problem = item.problem(format!("`{}` is no good secret", item.key)).with_expected(item.is.describe());
    decoder.report(problem.with_fix("take one from `openssl rand -hex 32`"));
    None
}

pub fn boolean(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<bool> {
    match retyped(item) {
        Some(Value::Bool(value)) => Some(value),
        _ => decoder.wrong(item),
    }
}

/// A whole number within the bounds of its table.
pub fn integer<T: TryFrom<i64>>(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<T> {
    let Type::Integer { min, max } = item.is else { return not_its_type(item) };
    let Some(Value::Number(number)) = retyped(item) else { return decoder.wrong(item) };
    let inside = number.as_i64().filter(|number| (*min..=*max).contains(number));
    match inside.and_then(|number| T::try_from(number).ok()) {
        Some(number) => Some(number),
        None if number.is_f64() => bad(item, decoder, None),
        None => outside(item, decoder),
    }
}

pub fn duration(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Duration> {
    let Type::Duration { zero } = item.is else { return not_its_type(item) };
    if let Some(Value::Number(number)) = retyped(item) {
        return bad(item, decoder, Some(format!("add a unit: `{number}s`")));
    }
    let text = text(item, decoder)?;
    match humantime::parse_duration(text.trim()) {
        Ok(duration) if duration <= LONGEST && (*zero || !duration.is_zero()) => Some(duration),
        Ok(_) => outside(item, decoder),
        Err(_) => bad(item, decoder, None),
    }
}

/// Bytes; a number alone is bytes.
pub fn size<T: TryFrom<u64>>(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<T> {
    let Type::Size { min, max } = item.is else { return not_its_type(item) };
    let bytes = match retyped(item) {
        Some(Value::Number(number)) => number.as_u64(),
        _ => text(item, decoder)?.parse::<bytesize::ByteSize>().ok().map(|size| size.as_u64()),
    };
    let Some(bytes) = bytes else { return bad(item, decoder, None) };
    match T::try_from(bytes) {
        Ok(size) if (*min..=*max).contains(&bytes) => Some(size),
        _ => outside(item, decoder),
    }
}

/// A part of all: a number with a percent sign.
pub fn share(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Share> {
    if let Some(Value::Number(number)) = retyped(item) {
        return bad(item, decoder, as_written(item).then(|| format!("add the percent sign: `{number}%`")));
    }
    let text = text(item, decoder)?;
    // Rust's own numbers may also begin with a sign or a dot, or be infinite.
    let number = text.strip_suffix('%').filter(|number| {
        let part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        number.split_once('.').map_or_else(|| part(number), |(whole, rest)| part(whole) && part(rest))
    });
    // Shifted in the text, so that it is the nearest number there is.
    match number.and_then(|number| format!("{number}e-2").parse::<f64>().ok()) {
        Some(share) if share <= 1.0 => Some(Share(share)),
        Some(_) => outside(item, decoder),
        None => bad(item, decoder, None),
    }
}

/// A number that is not negative.
pub fn number(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<f64> {
    let Some(Value::Number(number)) = retyped(item) else { return decoder.wrong(item) };
    match number.as_f64().filter(|number| *number >= 0.0) {
        Some(number) => Some(number),
        None => outside(item, decoder),
    }
}

/// An address to listen on.
pub fn bind(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<SocketAddr> {
    if let Some(Value::Number(port)) = retyped(item) {
        return bad(
            item,
            decoder,
            Some(format!("write `0.0.0.0:{port}` for every network, `127.0.0.1:{port}` for this machine")),
        );
    }
    let text = text(item, decoder)?;
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let fix = match text.rsplit_once(':') {
        Some(("localhost", port)) => Some(format!("write `127.0.0.1:{port}`")),
        Some(("" | "*", port)) => Some(format!("write `0.0.0.0:{port}`, or `[::]:{port}` for IPv6 too")),
        Some((host, port)) if host.contains(':') && !host.contains('[') => {
            Some(format!("write `[{host}]:{port}`"))
        }
        _ if text.parse::<IpAddr>().is_ok() => Some("add a port".into()),
        _ => None,
    };
    let fix = fix.filter(|_| as_written(item));
    bad(item, decoder, fix)
}

/// One network, or one address as a network of its own.
pub fn network(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<IpNet> {
    let text = text(item, decoder)?;
    match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
        Ok(network) => Some(network.trunc()),
        Err(_) => bad(item, decoder, None),
    }
}

/// A path, joined to the folder of the file when it is relative.
pub fn path(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<PathBuf> {
    let text = text(item, decoder)?;
    path_of(item, decoder, &text)
}

/// The path that a text is, where it may be something else as well.
pub fn path_of(item: &Item<'_>, decoder: &mut Decoder<'_>, text: &str) -> Option<PathBuf> {
    if text.is_empty() || text.contains('\0') {
        return bad(item, decoder, None);
    }
    Some(decoder.folder.join(text))
}

/// A regular expression that must match the whole text.
pub fn regex(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Regex> {
    let text = text(item, decoder)?;
    let build = |pattern: &str| RegexBuilder::new(pattern).size_limit(REGEX_BYTES).build();
    // Alone first: it must not close our group, nor may its error speak of it.
    match build(&text).and_then(|_| build(&format!("^(?:{text})$"))) {
        Ok(regex) => Some(regex),
        Err(error) => {
            let reason = match error {
                regex::Error::CompiledTooBig(limit) => format!("it compiles to more than {limit} bytes"),
                // The last line is the reason; those before repeat the pattern.
                error => {
                    error.to_string().lines().last().unwrap_or("").trim_start_matches("error: ").to_owned()
                }
            };
            let problem = item.problem(format!("{} is no regular expression: {reason}", shown(item)));
            decoder.report(problem.with_expected(item.is.describe()));
            None
        }
    }
}

pub fn method(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Method> {
    let text = text(item, decoder)?;
    let upper = text.to_ascii_uppercase();
    match Method::from_bytes(text.as_bytes()) {
        Ok(method) if upper == *text => Some(method),
        Ok(_) => bad(item, decoder, Some(format!("write `{upper}`"))),
        Err(_) => bad(item, decoder, None),
    }
}

pub fn status(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<StatusCode> {
    let Type::Status(allowed) = item.is else { return not_its_type(item) };
    let Some(Value::Number(number)) = retyped(item) else { return decoder.wrong(item) };
    let number = number.as_u64().and_then(|number| u16::try_from(number).ok());
    let good = |number: &u16| {
        if allowed.is_empty() { (200..=599).contains(number) } else { allowed.contains(number) }
    };
    match number.filter(good).and_then(|number| StatusCode::from_u16(number).ok()) {
        Some(status) => Some(status),
        None => bad(item, decoder, None),
    }
}

/// One of the words of its table, as what it stands for.
pub fn choice<T: Copy, const N: usize>(
    item: &Item<'_>,
    decoder: &mut Decoder<'_>,
    words: [(&'static str, T); N],
) -> Option<T> {
    let Type::Choice(known) = item.is else { return not_its_type(item) };
    debug_assert!(words.iter().map(|(word, _)| word).eq(known.iter()), "{} and its table differ", item.key);
    let text = text(item, decoder)?;
    match words.iter().find(|(word, _)| *word == &*text) {
        Some((_, meaning)) => Some(*meaning),
        None => {
            let meant = suggest(&text, words.iter().map(|(word, _)| *word));
            bad(item, decoder, meant.map(|meant| format!("write `{meant}`")))
        }
    }
}

/// Whether it is the one word that may stand in place of more; anything else is reported.
pub fn word(item: &Item<'_>, decoder: &mut Decoder<'_>, word: &str, fix: Option<String>) -> bool {
    let Some(written) = text(item, decoder) else { return false };
    let is_word = &*written == word;
    if !is_word {
        let problem = item.problem(format!("{} is no value of `{}`", shown(item), item.key));
        decoder.report(Problem { fix, ..problem.with_expected(item.is.describe()) });
    }
    is_word
}

/// A flag's value: a boolean, a number or text.
pub fn value(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Value> {
    match item.node.scalar().map(|scalar| scalar.value()) {
        None | Some(Value::Null) => decoder.wrong(item),
        value => value,
    }
}

/// Reports that a scalar is none of its type.
pub fn bad<T>(item: &Item<'_>, decoder: &mut Decoder<'_>, fix: Option<String>) -> Option<T> {
    let label = item.is.label();
    let found = match item.is {
        Type::Choice(_) | Type::Status([_, ..]) => format!("is no value of `{}`", item.key),
        // What follows the comma are bounds.
        _ => format!("is no {}", label.split(',').next().unwrap_or(&label)),
    };
    let problem = item.problem(format!("{} {found}", shown(item))).with_expected(item.is.describe());
    decoder.report(Problem { fix, ..problem });
    None
}

/// Reports that a number, a duration or a size is too small or too large.
fn outside<T>(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<T> {
    let problem = item.problem(format!("{} is out of range", shown(item)));
    decoder.report(problem.with_expected(item.is.describe()));
    None
}

/// A scalar for a message: as written, at most 60 characters of it.
pub fn shown(item: &Item<'_>) -> String {
    let Some(scalar) = item.node.scalar() else { return item.node.what().to_owned() };
    let text = scalar.shown();
    let cut: String = text.chars().take(60).collect();
    let dots = if cut.len() < text.len() { ".." } else { "" };
    let environment = if scalar.written.is_some() { ", with its value put in," } else { "" };
    format!("`{cut}{dots}`{environment}")
}

/// Whether a fix may repeat it: what the environment put in may be a secret.
pub fn as_written(item: &Item<'_>) -> bool {
    item.node.scalar().is_some_and(|scalar| scalar.written.is_none())
}

/// What mends a value of the wrong kind.
pub fn fix_of_kind(item: &Item<'_>) -> Option<String> {
    let Some(scalar) = item.node.scalar() else {
        let one = item.node.list().is_some_and(|items| items.len() == 1) && !item.key.is_empty();
        return one.then(|| "write its one item without `[ ]` or `-`".to_owned());
    };
    match (item.is, scalar.value()) {
        (_, Value::Null) if item.key.is_empty() => None,
        (_, Value::Null) => Some("give it a value, or remove the key".into()),
        (Type::Choice(words), _) => {
            suggest(scalar.shown(), words.iter().copied()).map(|meant| format!("write `{meant}`"))
        }
        (Type::List(_), _) => Some(format!("write `[{}]`", scalar.shown())),
        (Type::Object(_) | Type::Map(..), _) => None,
        (Type::Bool | Type::Integer { .. } | Type::Number | Type::Status(_), Value::String(_))
            if !unquoted(scalar).is_string() =>
        {
            Some("remove the quotes".into())
        }
        (Type::Bool, Value::String(text)) => match &*text.to_lowercase() {
            "yes" | "on" => Some("write `true`".into()),
            "no" | "off" => Some("write `false`".into()),
            _ => None,
        },
        (Type::Bool | Type::Integer { .. } | Type::Number | Type::Status(_), _) => None,
        (_, Value::Bool(_) | Value::Number(_)) => {
            Some(format!("put quotes around it: \"{}\"", scalar.shown()))
        }
        _ => None,
    }
}

/// Whether it is a number, as far as can be told.
pub fn is_number(item: &Item<'_>) -> bool {
    matches!(retyped(item), Some(Value::Number(_)))
}

/// A scalar's value; what the environment was put into is typed even inside quotes, as `{ }` and `[ ]` demand quotes around it.
fn retyped(item: &Item<'_>) -> Option<Value> {
    let scalar = item.node.scalar()?;
    Some(if scalar.written.is_some() { unquoted(scalar) } else { scalar.value() })
}

/// What a scalar would be without its quotes.
fn unquoted(scalar: &Scalar) -> Value {
    Scalar { plain: true, ..scalar.clone() }.value()
}

fn not_its_type<T>(item: &Item<'_>) -> Option<T> {
    debug_assert!(false, "{} is read as what its table does not say: {:?}", item.key, item.is);
    None
}
