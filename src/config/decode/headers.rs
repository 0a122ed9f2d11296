//! Names, values and edits of headers; hosts, addresses and paths as HTTP has them.

use std::net::IpAddr;

use http::{HeaderName, HeaderValue};

use super::scalar::{as_written, bad, shown, text};
use super::{Decoder, Item};
use crate::config::reference::{Object, Rule, Type, optional};
use crate::config::route::HeaderEdits;
use crate::config::service::EndpointHost;
use crate::config::{Injection, Name};

/// Fields that say where a message ends or what a connection does: an edit of them can split requests in two.
const FRAMING: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub static EDITS: Object = Object {
    title: "Header edits",
    doc: "What is done to the headers of a request or response. Applied in this order: rename, remove, set, add. Headers \
          that frame a message (`host`, `content-length`, `connection`, ..) and those of decisions cannot be edited.",
    keys: &[
        optional(
            "rename",
            Type::Map(&Type::HeaderName, &Type::HeaderName),
            "New names by old ones. What had the new name before is gone, even where nothing has the old one.",
        ),
        optional(
            "set",
            Type::Map(&Type::HeaderName, &Type::HeaderValue),
            "Replaces every field of that name.",
        ),
        optional(
            "add",
            Type::Map(&Type::HeaderName, &Type::HeaderValue),
            "Adds one more field of that name.",
        ),
        optional("remove", Type::List(&Type::HeaderName), "Removes every field of that name."),
    ],
    rules: &[Rule::AtLeastOne(&["rename", "set", "add", "remove"])],
    later: &[],
};

/// Edits that leave framing and decisions alone.
pub fn edits(item: &Item<'_>, decoder: &mut Decoder<'_>, injection: &Injection) -> Option<HeaderEdits> {
    let mut fields = decoder.fields(item)?;
    let name = |item: &Item<'_>, decoder: &mut Decoder<'_>| editable(item, decoder, injection);
    let rename = fields.get("rename", decoder, |item, decoder| renames(item, decoder, injection));
    let set = fields.get("set", decoder, |item, decoder| pairs(item, decoder, injection));
    let add = fields.get("add", decoder, |item, decoder| pairs(item, decoder, injection));
    let remove = fields.get("remove", decoder, |item, decoder| decoder.list(item, name));
    Some(HeaderEdits {
        rename: rename.unwrap_or_default(),
        remove: remove.unwrap_or_default(),
        set: set.unwrap_or_default(),
        add: add.unwrap_or_default(),
    })
}

/// Old names and new ones. Each name stands once: else it would matter which is renamed first.
fn renames(
    item: &Item<'_>,
    decoder: &mut Decoder<'_>,
    injection: &Injection,
) -> Option<Vec<(HeaderName, HeaderName)>> {
    let mut seen: Vec<HeaderName> = Vec::new();
    let mut name = |item: &Item<'_>, decoder: &mut Decoder<'_>| {
        let name = editable(item, decoder, injection)?;
        if seen.contains(&name) {
            let problem = item.problem(format!("the header `{name}` is renamed twice"));
            let problem = problem.with_expected("each header once, as an old name or as a new one");
            decoder.report(problem.with_fix("leave out one of the two"));
        }
        seen.push(name.clone());
        Some(name)
    };
    decoder.map(item, |old, new, decoder| {
        let (old, new) = (name(old, decoder), name(new, decoder));
        Some((old?, new?))
    })
}

/// Header fields to send.
pub fn pairs(
    item: &Item<'_>,
    decoder: &mut Decoder<'_>,
    injection: &Injection,
) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let mut seen: Vec<HeaderName> = Vec::new();
    decoder.map(item, |key, value, decoder| {
        let name = editable(key, decoder, injection);
        let value = header_value(value, decoder);
        let name = name?;
        if seen.contains(&name) {
            decoder.report(
                key.problem(format!("the header `{name}` stands twice")).with_expected("each header once"),
            );
        }
        seen.push(name.clone());
        Some((name, value?))
    })
}

pub fn editable(item: &Item<'_>, decoder: &mut Decoder<'_>, injection: &Injection) -> Option<HeaderName> {
    let name = header_name(item, decoder)?;
    let (reason, fix) = if injection.reserves(name.as_str()) {
        (
            "carries decisions, which nothing else may write",
            "choose another name, or another `injection.prefix`",
        )
    } else if name.as_str() == "host" {
        ("is not edited as a header", "use `rewrite: {host: ..}`, for a copy its own `host`")
    } else if FRAMING.contains(&name.as_str()) {
        ("frames the message", "leave it to the gateway")
    } else {
        return Some(name);
    };
    let problem = item.problem(format!("the header `{name}` {reason}"));
    decoder.report(problem.with_expected("a header that is yours to edit").with_fix(fix));
    None
}

pub fn header_name(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<HeaderName> {
    let text = text(item, decoder)?;
    match HeaderName::from_bytes(text.as_bytes()) {
        Ok(name) => Some(name),
        Err(_) if text.ends_with(':') => bad(item, decoder, Some("leave out the `:`".into())),
        Err(_) => bad(item, decoder, None),
    }
}

/// Visible ASCII: what every peer reads alike.
pub fn header_value(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<HeaderValue> {
    let text = text(item, decoder)?;
    let ascii = text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
    match HeaderValue::from_str(&text) {
        Ok(value) if ascii && text.trim() == &*text => Some(value),
        _ => bad(item, decoder, None),
    }
}

pub fn cookie_name(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Name> {
    let name = text(item, decoder)?;
    // A cookie's name is a token, as a header's is.
    if HeaderName::from_bytes(name.as_bytes()).is_ok() { Some(name) } else { bad(item, decoder, None) }
}

/// A host without port, in lower case; an IPv6 address in brackets.
pub fn host(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Name> {
    let text = text(item, decoder)?;
    if let Some((host, port)) = text.rsplit_once(':')
        && port.parse::<u16>().is_ok()
        && is_host(host)
    {
        return bad(item, decoder, Some("leave out the port".into()));
    }
    if is_host(&text) { Some(Name::from(text.to_ascii_lowercase())) } else { bad(item, decoder, None) }
}

/// A host, with or without a port.
pub fn authority(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Name> {
    let text = text(item, decoder)?;
    let host = match text.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok_and(|port| port > 0) => host,
        _ => &text,
    };
    if is_host(host) {
        return Some(Name::from(text.to_ascii_lowercase()));
    }
    let bare = text.split_once("://").map(|(_, rest)| rest.trim_end_matches('/'));
    let fix = bare.filter(|_| as_written(item)).map(|bare| format!("write `{bare}`"));
    bad(item, decoder, fix)
}

/// A host and a port to connect to.
pub fn address(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<(EndpointHost, u16)> {
    let text = text(item, decoder)?;
    let Some((host, port)) = text.rsplit_once(':') else {
        let fix = is_host(&text).then(|| "add a port".into());
        return bad(item, decoder, fix);
    };
    if let Some(rest) = text.split_once("://").map(|(_, rest)| rest) {
        let fix = format!("write `{}`; TLS has its own key `tls`", rest.trim_end_matches('/'));
        return bad(item, decoder, as_written(item).then_some(fix));
    }
    let Some(port) = port.parse::<u16>().ok().filter(|port| *port > 0) else {
        return bad(item, decoder, None);
    };
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>()
        && address.is_ipv6() == host.starts_with('[')
    {
        return Some((EndpointHost::Address(address), port));
    }
    if is_host(host) && !host.starts_with('[') {
        return Some((EndpointHost::Name(Name::from(host.to_ascii_lowercase())), port));
    }
    bad(item, decoder, None)
}

/// A path for a URL, without query: what is sent or matched as it is written.
pub fn http_path(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Name> {
    let text = text(item, decoder)?;
    if !text.starts_with('/') {
        return bad(item, decoder, as_written(item).then(|| format!("write `/{text}`")));
    }
    if let Some(wrong) = text.chars().find(|c| !c.is_ascii_graphic() || "?#\\\"<>".contains(*c)) {
        let mut bytes = [0; 4];
        let coded: String =
            wrong.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")).collect();
        let problem = item.problem(format!("{} has a character that no path has: `{wrong}`", shown(item)));
        decoder.report(
            problem.with_expected(item.is.describe()).with_fix(format!("percent-encode it: `{coded}`")),
        );
        return None;
    }
    Some(text)
}

/// A host name of letters, digits, `-` and `_` in labels of 1 to 63; an IPv4 address; an IPv6 address in brackets.
pub fn is_host(text: &str) -> bool {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let named = text.len() <= 253 && text.split('.').all(label);
    // Four numbers that are no address are a mistake.
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    named && (!numeric || text.parse::<std::net::Ipv4Addr>().is_ok())
}
