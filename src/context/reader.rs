//! One attribute path, compiled: where its answer is read and as what type.
//!
//! A path names one value. Whole objects (`header`) and deeper paths (`header.a.b`) have no reader: a name that has a dot
//! itself needs a name under `context.attributes`.

use std::borrow::Cow;

use http::{HeaderName, header};

use super::cookies::{cookie, cookie_bytes, parameter};
use super::headers::header;
use super::token::text_of;
use super::{Fact, Input, RequestContext, RequestFacts};
use crate::config::context::{Attribute, AttributeSource, AttributeType};
use crate::flag::Value;

/// The built-in attributes that are no prefix.
pub(super) const SINGLE: [&str; 8] =
    ["method", "scheme", "host", "path", "client_ip", "user_agent", "route", "listener"];

/// The built-in prefixes: `header.<name>`.
pub(super) const PREFIXES: [&str; 3] = ["header", "cookie", "query"];

/// How one attribute is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reader {
    Method,
    Scheme,
    Host,
    Path,
    ClientIp,
    Route,
    Listener,
    Secured(Fact),
    Field {
        from: AttributeSource,
        kind: AttributeType,
    },
    /// Nothing provides it: always null.
    Nothing,
}

impl Reader {
    /// The reader of a mapped attribute.
    pub fn mapped(attribute: &Attribute) -> Reader {
        Reader::Field { from: attribute.from.clone(), kind: attribute.kind }
    }

    /// The reader of a built-in path; none when there is no such attribute.
    pub fn built_in(path: &str) -> Option<Reader> {
        match path {
            "method" => return Some(Reader::Method),
            "scheme" => return Some(Reader::Scheme),
            "host" => return Some(Reader::Host),
            "path" => return Some(Reader::Path),
            "client_ip" => return Some(Reader::ClientIp),
            "route" => return Some(Reader::Route),
            "listener" => return Some(Reader::Listener),
            "user_agent" => return Some(Reader::text(untrusted(header::USER_AGENT))),
            _ => {}
        }
        if let Some(fact) = Fact::of(path) {
            return Some(Reader::Secured(fact));
        }
        let (prefix, name) = path.split_once('.')?;
        if name.is_empty() || name.contains('.') {
            return None;
        }
        Some(Reader::text(match prefix {
            "header" => untrusted(HeaderName::try_from(name).ok()?),
            "cookie" => AttributeSource::Cookie(name.into()),
            "query" => AttributeSource::Query(name.into()),
            _ => return None,
        }))
    }

    fn text(from: AttributeSource) -> Reader {
        Reader::Field { from, kind: AttributeType::String }
    }

    /// Reads it from a request; `Value::Null` when it is absent or not of the configured type.
    pub fn read<'a>(&self, context: &RequestContext<'a>) -> Value<'a> {
        let facts = context.facts;
        let text = |text: &'a str| Value::Text(Cow::Borrowed(text));
        match self {
            Reader::Method => text(facts.method.as_str()),
            Reader::Scheme => text(facts.scheme.as_str()),
            Reader::Host if facts.host.is_empty() => Value::Null,
            Reader::Host => text(&facts.host),
            Reader::Path => text(&facts.path),
            Reader::ClientIp => Value::Text(Cow::Owned(facts.client_ip.to_string())),
            Reader::Route => text(context.route),
            Reader::Listener => text(facts.listener),
            Reader::Secured(fact) => fact.read(facts.secured),
            Reader::Field { from, kind } => {
                let sent = match from {
                    AttributeSource::Header { trusted: true, .. } if !facts.trusted => None,
                    AttributeSource::Header { name, .. } => header(facts.headers, name),
                    AttributeSource::Cookie(name) => cookie(facts.headers, name),
                    AttributeSource::Query(name) => parameter(facts.query, name),
                    AttributeSource::Jwt { claim, typed } => {
                        let claims = facts.token.claims(facts.headers, context.now).ok();
                        let claim = claims.and_then(|claims| claims.get(claim));
                        if !typed {
                            return claim.map_or(Value::Null, Value::from);
                        }
                        claim.and_then(text_of)
                    }
                };
                sent.and_then(|sent| typed(sent, *kind)).unwrap_or(Value::Null)
            }
            Reader::Nothing => Value::Null,
        }
    }

    /// Bytes of a request that reading it looks through.
    pub fn search(&self, facts: &RequestFacts<'_>) -> usize {
        match self {
            Reader::Field { from: AttributeSource::Cookie(_), .. } => cookie_bytes(facts.headers),
            Reader::Field { from: AttributeSource::Query(_), .. } => facts.query.map_or(0, str::len),
            _ => 0,
        }
    }

    /// What the answer depends on. A cache in front knows host and scheme as its own client sent them; of a route's
    /// choice, which may hang on headers, it knows nothing.
    pub fn input(&self) -> Input {
        match self {
            Reader::Method | Reader::Scheme | Reader::Host | Reader::Path => Input::CacheKey,
            Reader::ClientIp | Reader::Route | Reader::Listener | Reader::Secured(_) => Input::Unseen,
            Reader::Field { from: AttributeSource::Header { name, .. }, .. } => Input::Header(name.clone()),
            Reader::Field { from: AttributeSource::Cookie(_), .. } => Input::Cookie,
            Reader::Field { from: AttributeSource::Query(_), .. } => Input::CacheKey,
            // Whether a token counts is a matter of time, too.
            Reader::Field { from: AttributeSource::Jwt { .. }, .. } => Input::Unseen,
            // Null for everybody.
            Reader::Nothing => Input::CacheKey,
        }
    }
}

fn untrusted(name: HeaderName) -> AttributeSource {
    AttributeSource::Header { name, trusted: false }
}

/// Numbers are finite decimals; booleans are `true` or `1`, `false` or `0`.
fn typed(sent: Cow<'_, str>, kind: AttributeType) -> Option<Value<'_>> {
    match kind {
        AttributeType::String => Some(Value::Text(sent)),
        AttributeType::Number => crate::flag::Number::parse(&sent).map(Value::Number),
        AttributeType::Boolean => match &*sent {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_typed_or_absent() {
        use AttributeType::{Boolean, Number, String};
        for (sent, kind, value) in [
            ("", String, Some(Value::Text("".into()))),
            ("1e3", Number, Some(Value::Number(1000.0.into()))),
            ("-0.5", Number, Some(Value::Number((-0.5).into()))),
            ("", Number, None),
            ("1 ", Number, None),
            ("0x10", Number, None),
            ("inf", Number, None),
            ("NaN", Number, None),
            ("1e999", Number, None),
            ("true", Boolean, Some(Value::Bool(true))),
            ("1", Boolean, Some(Value::Bool(true))),
            ("false", Boolean, Some(Value::Bool(false))),
            ("0", Boolean, Some(Value::Bool(false))),
            ("yes", Boolean, None),
            ("TRUE", Boolean, None),
        ] {
            assert_eq!(typed(sent.into(), kind), value, "{sent:?} as {kind:?}");
        }
    }

    #[test]
    fn every_built_in_has_a_reader_and_whole_objects_have_none() {
        for name in SINGLE {
            assert!(Reader::built_in(name).is_some(), "{name}");
        }
        for prefix in PREFIXES {
            assert!(Reader::built_in(&format!("{prefix}.x")).is_some(), "{prefix}");
            for path in
                [prefix.to_owned(), format!("{prefix}."), format!("{prefix}.x.y"), format!("{prefix}.x.")]
            {
                assert_eq!(Reader::built_in(&path), None, "{path}");
            }
        }
        for path in ["", ".", "header.a b", "path.x", "Header.x", "$flagd.timestamp"] {
            assert_eq!(Reader::built_in(path), None, "{path}");
        }
    }

    #[test]
    fn header_names_are_lower_cased() {
        assert_eq!(Reader::built_in("header.X-Canary"), Reader::built_in("header.x-canary"));
        assert_ne!(Reader::built_in("cookie.A"), Reader::built_in("cookie.a"));
    }
}
