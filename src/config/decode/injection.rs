//! Decodes how decisions travel, and guards the names they travel under.

use super::scalar::{as_written, bad, boolean, choice, integer, size, text};
use super::{Decoder, Elsewhere, Item};
use crate::config::reference::{Object, Type, default};
use crate::config::{Injection, Problem, Severity};

pub static INJECTION: Object = Object {
    title: "Injection",
    doc: "How decisions travel to the services behind the door.",
    keys: &[
        default(
            "as",
            Type::List(&Type::Choice(&["headers", "dictionary", "baggage"])),
            "[headers]",
            "One header a flag, one RFC 9651 dictionary for all, W3C baggage members; any of them.",
        ),
        default(
            "prefix",
            Type::Prefix,
            "x-flag-",
            "What the name of a flag's header begins with. Nothing else may use it.",
        ),
        default(
            "max_bytes",
            Type::Size { min: 64, max: 64 << 10 },
            "4KiB",
            "Bytes of all decision headers of a request.",
        ),
        default(
            "max_fields",
            Type::Integer { min: 1, max: 200 },
            "32",
            "Number of decision headers of a request.",
        ),
        default(
            "accept_from",
            Type::Choice(&["nobody", "trusted_proxies"]),
            "nobody",
            "Whose decision headers are kept instead of dropped.",
        ),
        default("client_version", Type::Bool, "false", "Whether the client is told `x-flagway-version`."),
    ],
    rules: &[],
    later: &[],
};

/// Names that a prefix must leave alone: without them, no request can be served as it was meant.
const NEEDED: [&str; 16] = [
    "accept",
    "authorization",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "sec-fetch-mode",
    "set-cookie",
    "traceparent",
    "transfer-encoding",
    "user-agent",
    "x-forwarded-for",
    "x-request-id",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Headers,
    Dictionary,
    Baggage,
}

pub fn injection(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Injection> {
    let mut fields = decoder.fields(item)?;
    let forms = fields.get("as", decoder, |item, decoder| decoder.list(item, form));
    let prefix = fields.get("prefix", decoder, prefix);
    let max_bytes = fields.get("max_bytes", decoder, size);
    let max_fields = fields.get("max_fields", decoder, integer);
    let accept_from_trusted_proxies = fields.get("accept_from", decoder, |item, decoder| {
        choice(item, decoder, [("nobody", false), ("trusted_proxies", true)])
    });
    if accept_from_trusted_proxies == Some(true)
        && let Some(item) = fields.given("accept_from")
    {
        let problem = item.problem("no decision is ever accepted: no proxy is trusted");
        let problem = problem.with_expected("a network in `context.trusted_proxies`");
        decoder.unless.push((Elsewhere::TrustedProxies, Problem { severity: Severity::Warning, ..problem }));
    }
    let client_version = fields.get("client_version", decoder, boolean);
    let forms = forms?;
    Some(Injection {
        headers: forms.contains(&Form::Headers),
        dictionary: forms.contains(&Form::Dictionary),
        baggage: forms.contains(&Form::Baggage),
        prefix: prefix?,
        max_bytes: max_bytes?,
        max_fields: max_fields?,
        accept_from_trusted_proxies: accept_from_trusted_proxies?,
        client_version: client_version?,
    })
}

fn form(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Form> {
    let forms = [("headers", Form::Headers), ("dictionary", Form::Dictionary), ("baggage", Form::Baggage)];
    choice(item, decoder, forms)
}

fn prefix(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<String> {
    let text = text(item, decoder)?;
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !text.bytes().all(good) || !text.ends_with('-') || text.starts_with('-') || text.len() > 64 {
        let folded = format!("{}-", Injection::fold(&text).trim_matches('-'));
        return bad(item, decoder, as_written(item).then(|| format!("write `{folded}`")));
    }
    if let Some(name) = NEEDED.iter().find(|name| name.starts_with(&*text)) {
        let problem = item.problem(format!("the prefix `{text}` would take `{name}` from every request"));
        decoder
            .report(problem.with_expected("a prefix that only decisions have").with_fix("write `x-flag-`"));
        return None;
    }
    Some(text.to_string())
}
