//! How each attribute path that a rule reads is answered from a request.
//!
//! Paths are compiled once, when flags load; a request pays for what its rules read, and borrows it. A mapped attribute
//! shadows a built-in one of the same path.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use http::HeaderName;
use serde_json::{Map, Value as Json};

use super::cookies::{cookie_bytes, cookies, parameters};
use super::facts::RequestFacts;
use super::headers::header;
use super::reader::{Reader, SINGLE};
use super::unknown::unknown;
use crate::config::context::Context as ContextConfig;
use crate::config::{Name, Problem};
use crate::flag::{Slot, Value};

/// One reader a slot.
#[derive(Debug)]
pub struct Readers {
    slots: Vec<Reader>,
    mapped: Mapped,
}

/// What an answer depends on, as a shared cache can express it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// A field that `Vary` can name.
    Header(HeaderName),
    /// The `Cookie` field.
    Cookie,
    /// Method, path, query, host and scheme are part of a cache's key anyway.
    CacheKey,
    /// Address, listener, time, anything a cache cannot see.
    Unseen,
}

impl Readers {
    /// Compiles a reader for each path. A path that nothing provides is a problem and reads as null.
    ///
    /// Problems come in the order of the paths; [`Readers::provides`] tells which slots they are about.
    pub fn compile(paths: &[Arc<str>], config: &ContextConfig) -> (Readers, Vec<Problem>) {
        let mapped = Mapped::new(config);
        let mut problems = Vec::new();
        let slots = paths.iter().map(|path| {
            mapped.reader(path).unwrap_or_else(|| {
                problems.push(unknown(path, config));
                Reader::Nothing
            })
        });
        let slots = slots.collect();
        (Readers { slots, mapped }, problems)
    }

    /// What the attribute at a slot depends on.
    pub fn input(&self, slot: Slot) -> Input {
        self.reader(slot).input()
    }

    /// Whether anything answers the path at a slot.
    pub fn provides(&self, slot: Slot) -> bool {
        *self.reader(slot) != Reader::Nothing
    }

    fn reader(&self, slot: Slot) -> &Reader {
        self.slots.get(slot.0 as usize).unwrap_or(&Reader::Nothing)
    }
}

/// The mapped attributes, by name.
#[derive(Debug)]
struct Mapped(Vec<(Name, Reader)>);

impl Mapped {
    fn new(config: &ContextConfig) -> Mapped {
        let mapped = config.attributes.iter().map(|mapped| (mapped.name.clone(), Reader::mapped(mapped)));
        Mapped(mapped.collect())
    }

    fn reader(&self, path: &str) -> Option<Reader> {
        let mapped = self.0.iter().find(|(name, _)| &**name == path).map(|(_, reader)| reader.clone());
        mapped.or_else(|| Reader::built_in(path))
    }
}

/// A request as a flag's rules see it.
pub struct RequestContext<'a> {
    /// The request.
    pub facts: &'a RequestFacts<'a>,
    /// Compiled for the flags that are evaluated.
    pub readers: &'a Readers,
    /// The targeting key, never empty.
    pub key: Option<&'a str>,
    /// The name of the route taken.
    pub route: &'a str,
    /// Unix seconds.
    pub now: i64,
    remembered: [Cell<Remembered<'a>>; REMEMBERED],
}

/// A borrowed answer, or that there is none: rules of one route ask the same few questions again and again.
#[derive(Debug, Clone, Copy)]
struct Remembered<'a> {
    slot: Option<Slot>,
    text: Option<&'a str>,
}

/// Answers that are remembered, found by the last bits of their slot.
const REMEMBERED: usize = 4;

impl<'a> RequestContext<'a> {
    /// The context of one request on one route.
    pub fn new(
        facts: &'a RequestFacts<'a>,
        readers: &'a Readers,
        key: Option<&'a str>,
        route: &'a str,
        now: i64,
    ) -> RequestContext<'a> {
        RequestContext {
            facts,
            readers,
            key,
            route,
            now,
            remembered: [const { Cell::new(Remembered { slot: None, text: None }) }; REMEMBERED],
        }
    }
}

impl crate::flag::Context for RequestContext<'_> {
    fn targeting_key(&self) -> Option<&str> {
        self.key
    }

    fn attribute(&self, slot: Slot) -> Value<'_> {
        let cell = &self.remembered[slot.0 as usize % REMEMBERED];
        let Remembered { slot: known, text } = cell.get();
        if known == Some(slot) {
            return text.map_or(Value::Null, |text| Value::Text(Cow::Borrowed(text)));
        }
        let value = self.readers.reader(slot).read(self);
        match &value {
            Value::Text(Cow::Borrowed(text)) => cell.set(Remembered { slot: Some(slot), text: Some(text) }),
            Value::Null => cell.set(Remembered { slot: Some(slot), text: None }),
            _ => {}
        }
        value
    }

    fn search(&self, slot: Option<Slot>) -> usize {
        match slot {
            Some(slot) => self.readers.reader(slot).search(self.facts),
            None => cookie_bytes(self.facts.headers) + self.facts.query.map_or(0, str::len),
        }
    }

    fn computed(&self, path: &str) -> Value<'_> {
        match path {
            "targetingKey" => self.key.map_or(Value::Null, |key| Value::Text(Cow::Borrowed(key))),
            "$flagd.timestamp" => Value::Number(self.now.into()),
            path => self.readers.mapped.reader(path).map_or(Value::Null, |reader| reader.read(self)),
        }
    }

    /// Absent attributes have no member; a mapped name stands as it is written, dots and all.
    fn whole(&self) -> Json {
        let built_in = SINGLE.iter().filter_map(|path| Some((*path, Reader::built_in(path)?)));
        let mapped = self.readers.mapped.0.iter().map(|(name, reader)| (&**name, reader.clone()));
        let objects = [("header", self.headers()), ("cookie", self.cookies()), ("query", self.query())];
        let mut whole: Map<String, Json> =
            objects.into_iter().map(|(name, members)| (name.to_owned(), Json::Object(members))).collect();
        for (name, reader) in built_in.chain(mapped) {
            if let Some(value) = json(reader.read(self)) {
                whole.insert(name.to_owned(), value);
            }
        }
        if let Some(secured) = self.facts.secured {
            whole.insert("tls".to_owned(), secured.whole());
        }
        if let Some(key) = self.key {
            whole.insert("targetingKey".to_owned(), key.into());
        }
        Json::Object(whole)
    }

    fn timestamp(&self) -> i64 {
        self.now
    }
}

impl RequestContext<'_> {
    fn headers(&self) -> Map<String, Json> {
        let headers = self.facts.headers;
        let names = headers.keys();
        names.filter_map(|name| Some((name.to_string(), header(headers, name)?.into()))).collect()
    }

    fn cookies(&self) -> Map<String, Json> {
        first_of_each(cookies(self.facts.headers).map(|(name, value)| (Cow::Borrowed(name), value)))
    }

    fn query(&self) -> Map<String, Json> {
        first_of_each(parameters(self.facts.query))
    }
}

fn first_of_each<'a>(pairs: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Map<String, Json> {
    let mut members = Map::new();
    for (name, value) in pairs {
        members.entry(name).or_insert_with(|| value.into());
    }
    members
}

fn json(value: Value<'_>) -> Option<Json> {
    match value {
        Value::Text(text) => Some(text.into()),
        Value::Number(number) => Some(number.into()),
        Value::Bool(truth) => Some(truth.into()),
        Value::Array(list) => Some(list.into()),
        Value::Object(map) => Some(Json::Object(map.clone())),
        // Null; readers make nothing else.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::config::Place;
    use crate::config::context::{Attribute, AttributeSource, AttributeType};
    use crate::context::Scheme;
    use crate::flag::Context;

    fn config() -> ContextConfig {
        let place = Place { file: "f".into(), line: 1, column: 1, text: "".into(), width: 1 };
        let header = |name, trusted| AttributeSource::Header { name: HeaderName::from_static(name), trusted };
        let attributes = [
            ("country", header("cf-ipcountry", false), AttributeType::String),
            ("staff", header("x-staff", true), AttributeType::Boolean),
            ("build", AttributeSource::Cookie("app_build".into()), AttributeType::Number),
            ("connect.sid", AttributeSource::Cookie("connect.sid".into()), AttributeType::String),
            ("method", AttributeSource::Query("_method".into()), AttributeType::String),
        ];
        let attribute = |(name, from, kind): (&str, _, _)| Attribute {
            name: name.into(),
            from,
            kind,
            place: place.clone(),
        };
        ContextConfig {
            attributes: attributes.into_iter().map(attribute).collect(),
            ..ContextConfig::default()
        }
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        HeaderMap::from_iter(lines.iter().map(line))
    }

    fn facts(headers: &HeaderMap) -> RequestFacts<'_> {
        RequestFacts {
            method: &Method::PUT,
            scheme: Scheme::Https,
            host: "shop.example".into(),
            path: "/a".into(),
            query: Some("q=x+y&q=z&_method=patch"),
            headers,
            client_ip: [192, 0, 2, 1].into(),
            trusted: false,
            secured: None,
            listener: "main",
            token: crate::context::Token::default(),
        }
    }

    const LINES: [(&str, &str); 8] = [
        ("user-agent", "curl/8"),
        ("x-a", "1"),
        ("x-a", "2"),
        ("cf-ipcountry", "CH"),
        ("x-staff", "true"),
        ("cookie", "app_build=42; a=b%20c; connect.sid=s"),
        ("cookie", "a=d"),
        ("x-b", "plain"),
    ];

    #[test]
    fn attributes_read_what_was_sent() {
        let headers = headers(&LINES);
        let facts = facts(&headers);
        let text = |text: &'static str| Value::Text(Cow::Borrowed(text));
        let table = [
            ("scheme", text("https"), Input::CacheKey),
            ("host", text("shop.example"), Input::CacheKey),
            ("path", text("/a"), Input::CacheKey),
            ("client_ip", text("192.0.2.1"), Input::Unseen),
            ("route", text("shop"), Input::Unseen),
            ("listener", text("main"), Input::Unseen),
            ("user_agent", text("curl/8"), Input::Header(http::header::USER_AGENT)),
            ("header.X-A", text("1, 2"), Input::Header(HeaderName::from_static("x-a"))),
            ("header.x-none", Value::Null, Input::Header(HeaderName::from_static("x-none"))),
            ("cookie.a", text("b c"), Input::Cookie),
            ("query.q", text("x y"), Input::CacheKey),
            ("country", text("CH"), Input::Header(HeaderName::from_static("cf-ipcountry"))),
            // Sent by a peer that is no trusted proxy.
            ("staff", Value::Null, Input::Header(HeaderName::from_static("x-staff"))),
            ("build", Value::Number(42_i64.into()), Input::Cookie),
            ("connect.sid", text("s"), Input::Cookie),
            // Mapped, so not PUT.
            ("method", text("patch"), Input::CacheKey),
        ];
        let paths: Vec<Arc<str>> = table.iter().map(|(path, ..)| (*path).into()).collect();
        let (readers, problems) = Readers::compile(&paths, &config());
        assert_eq!(problems, []);
        let context = RequestContext::new(&facts, &readers, None, "shop", 7);
        for (slot, (path, value, input)) in table.into_iter().enumerate() {
            let slot = Slot(slot as u32);
            assert_eq!(context.attribute(slot), value, "{path}");
            assert_eq!(context.computed(path), value, "{path}, computed");
            assert_eq!(readers.input(slot), input, "{path}");
            assert!(readers.provides(slot), "{path}");
        }
        assert_eq!(context.attribute(Slot(99)), Value::Null);
    }

    #[test]
    fn plain_values_are_borrowed() {
        let headers = headers(&[("x-b", "plain"), ("cookie", "a=b"), ("cookie", "c=d")]);
        let facts = RequestFacts { query: Some("x=1&q=2"), ..facts(&headers) };
        let paths = ["header.x-b", "cookie.c", "query.q", "host", "path"].map(Arc::from);
        let (readers, _) = Readers::compile(&paths, &config());
        let context = RequestContext::new(&facts, &readers, None, "r", 0);
        for (slot, path) in paths.iter().enumerate() {
            let value = context.attribute(Slot(slot as u32));
            assert!(matches!(value, Value::Text(Cow::Borrowed(_))), "{path}: {value:?}");
        }
    }

    #[test]
    fn computed_paths_reach_the_key_and_the_time_and_never_fail() {
        let headers = headers(&LINES);
        let facts = facts(&headers);
        let (readers, _) = Readers::compile(&[], &config());
        let context = RequestContext::new(&facts, &readers, Some("k"), "r", 7);
        assert_eq!(context.computed("tls.sni"), Value::Null, "in the clear");
        assert_eq!(context.computed("targetingKey"), Value::Text("k".into()));
        assert_eq!(context.computed("$flagd.timestamp"), Value::Number(7_i64.into()));
        for path in ["", "header", "header.a.b", "nobody"] {
            assert_eq!(context.computed(path), Value::Null, "{path}");
        }
    }

    #[test]
    fn cookies_and_parameters_are_found_by_looking_through_all_of_them() {
        let headers = headers(&[("x-b", "plain"), ("cookie", "a=b"), ("cookie", "c=dd")]);
        let facts = RequestFacts { query: Some("x=1&q=2"), ..facts(&headers) };
        let paths = ["header.x-b", "cookie.c", "cookie.none", "query.q", "host", "nobody"].map(Arc::from);
        let (readers, _) = Readers::compile(&paths, &config());
        let context = RequestContext::new(&facts, &readers, None, "r", 0);
        let searched = (0..paths.len()).map(|slot| context.search(Some(Slot(slot as u32))));
        assert_eq!(searched.collect::<Vec<_>>(), [0, 7, 7, 7, 0, 0]);
        assert_eq!(context.search(None), 14);
    }

    #[test]
    fn the_whole_context_is_an_object() {
        let headers = headers(&LINES);
        let facts = facts(&headers);
        let (readers, _) = Readers::compile(&[], &config());
        let context = RequestContext::new(&facts, &readers, Some("k"), "shop", 7);
        let expected = json!({
            "targetingKey": "k", "scheme": "https", "host": "shop.example", "path": "/a", "client_ip": "192.0.2.1",
            "route": "shop", "listener": "main", "user_agent": "curl/8",
            "header": {
                "user-agent": "curl/8", "x-a": "1, 2", "cf-ipcountry": "CH", "x-staff": "true", "x-b": "plain",
                "cookie": "app_build=42; a=b%20c; connect.sid=s; a=d",
            },
            "cookie": {"app_build": "42", "a": "b c", "connect.sid": "s"},
            "query": {"q": "x y", "_method": "patch"},
            "country": "CH", "build": 42, "connect.sid": "s", "method": "patch",
        });
        assert_eq!(context.whole(), expected);
    }

    proptest! {
        #[test]
        fn unrelated_fields_change_no_attribute(
            extra in prop::collection::vec((prop::sample::select(&["x-b", "x-c", "accept"][..]), "[a-z]{1,3}"), 0..8),
            at in 0usize..8,
        ) {
            let mut lines: Vec<(&str, &str)> = extra.iter().map(|(name, value)| (*name, &**value)).collect();
            lines.insert(at.min(lines.len()), ("x-a", "1"));
            lines.insert(at.min(lines.len()), ("cookie", "a=1"));
            let headers = headers(&lines);
            let facts = facts(&headers);
            let (readers, _) = Readers::compile(&["header.x-a".into(), "cookie.a".into()], &config());
            let context = RequestContext::new(&facts, &readers, None, "r", 0);
            prop_assert_eq!(context.attribute(Slot(0)), Value::Text("1".into()));
            prop_assert_eq!(context.attribute(Slot(1)), Value::Text("1".into()));
        }
    }
}
