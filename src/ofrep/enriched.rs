//! The context of an evaluation: what the body claims, and above it what the gateway itself knows of the request.
//!
//! What is the edge's is the edge's alone, also where it has nothing there: else whoever asks could claim what only a trusted proxy may
//! say. But this request is not the page: of method, path, query, route and listener only the body can tell the page's.

use std::cell::Cell;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::claims::Claims;
use crate::config::context::{Attribute, AttributeSource};
use crate::context::RequestContext;
use crate::flag::{Context, Slot, Value};

/// Built-in attributes that are the same for a page and for what it asks.
const EDGE: [&str; 7] = ["scheme", "host", "client_ip", "user_agent", "header", "cookie", "tls"];

/// Who answers which path, worked out when a snapshot is built.
#[derive(Debug)]
pub struct Owners {
    /// Mapped attributes, and whether the edge answers: what is mapped from the query is the page's.
    mapped: Vec<(Box<str>, bool)>,
    /// By [`Slot`]: whether the edge answers.
    slots: Box<[bool]>,
}

/// A context of both; without an edge, of the body alone.
pub struct Enriched<'a, 'e> {
    claims: &'a Claims,
    edge: Option<(&'a RequestContext<'e>, &'a Owners)>,
    paths: &'a [Arc<str>],
    now: i64,
    remembered: [Cell<Remembered<'a>>; REMEMBERED],
}

/// A path's answer: the rules of a hundred flags ask the same few questions.
type Remembered<'a> = Option<(Slot, Option<&'a Json>)>;

/// Answers that are remembered, found by the last bits of their slot.
const REMEMBERED: usize = 16;

impl Owners {
    /// Of the mapped attributes and the paths that rules read.
    pub fn new(mapped: &[Attribute], paths: &[Arc<str>]) -> Owners {
        let is_edges = |attribute: &Attribute| !matches!(attribute.from, AttributeSource::Query(_));
        let mapped = mapped.iter().map(|attribute| (attribute.name.as_ref().into(), is_edges(attribute)));
        let mut owners = Owners { mapped: mapped.collect(), slots: Box::default() };
        owners.slots = paths.iter().map(|path| owners.is_edges(path)).collect();
        owners
    }

    /// Takes out of what a body claims all that is the edge's.
    pub fn strip(&self, claimed: &mut Map<String, Json>) {
        let built_in = EDGE.into_iter().filter(|path| self.is_edges(path));
        let mapped = self.mapped.iter().filter(|(_, edges)| *edges).map(|(name, _)| &**name);
        built_in.chain(mapped).for_each(|path| forget(claimed, path));
    }

    /// A mapped attribute shadows a built-in one of the same path.
    fn is_edges(&self, path: &str) -> bool {
        let first = path.split_once('.').map_or(path, |(first, _)| first);
        match self.mapped.iter().find(|(name, _)| **name == *path) {
            Some((_, edges)) => *edges,
            None => EDGE.contains(&first),
        }
    }
}

/// Takes out what a path can reach.
fn forget(claimed: &mut Map<String, Json>, path: &str) {
    claimed.remove(path);
    if let Some((first, rest)) = path.split_once('.')
        && let Some(Json::Object(inner)) = claimed.get_mut(first)
    {
        forget(inner, rest);
    }
}

impl<'a, 'e> Enriched<'a, 'e> {
    /// `claims` have been stripped if there is an edge. `paths` are those of the flags that are asked.
    pub fn new(
        claims: &'a Claims,
        edge: Option<(&'a RequestContext<'e>, &'a Owners)>,
        paths: &'a [Arc<str>],
        now: i64,
    ) -> Enriched<'a, 'e> {
        Enriched { claims, edge, paths, now, remembered: [const { Cell::new(None) }; REMEMBERED] }
    }

    fn claimed(&self, path: &str) -> Option<&'a Json> {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let mut here = self.claims.attributes.get(first)?;
        for part in rest.into_iter().flat_map(|rest| rest.split('.')) {
            here = match here {
                Json::Object(map) => map.get(part)?,
                Json::Array(list) => list.get(part.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(here)
    }
}

impl Context for Enriched<'_, '_> {
    fn targeting_key(&self) -> Option<&str> {
        self.edge.and_then(|(edge, _)| edge.key).or(self.claims.key.as_deref())
    }

    fn attribute(&self, slot: Slot) -> Value<'_> {
        let at = slot.0 as usize;
        if let Some((edge, owners)) = self.edge
            && owners.slots.get(at).is_some_and(|edges| *edges)
        {
            return edge.attribute(slot);
        }
        let cell = &self.remembered[at % REMEMBERED];
        let json = match cell.get() {
            Some((known, json)) if known == slot => json,
            _ => {
                let json = self.paths.get(at).and_then(|path| self.claimed(path));
                cell.set(Some((slot, json)));
                json
            }
        };
        json.map_or(Value::Null, Value::from)
    }

    fn computed(&self, path: &str) -> Value<'_> {
        match self.edge {
            Some((edge, owners)) if owners.is_edges(path) => edge.computed(path),
            _ => self.claimed(path).map_or(Value::Null, Value::from),
        }
    }

    fn whole(&self) -> Json {
        let mut whole = self.claims.attributes.clone();
        if let Some((edge, owners)) = self.edge
            && let Json::Object(known) = edge.whole()
        {
            whole.extend(known.into_iter().filter(|(name, _)| owners.is_edges(name)));
        }
        Json::Object(whole)
    }

    fn timestamp(&self) -> i64 {
        self.now
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::snapshot::fixture::{facts, headers, snapshot};

    const ATTRIBUTES: &str = "  attributes:
    country: {header: cf-ipcountry}
    staff: {header: {name: x-staff, trusted: true}}
    connect.sid: {cookie: connect.sid}
    campaign: {query: utm}";

    const PATHS: [&str; 14] = [
        "country",
        "staff",
        "staff.x",
        "connect.sid",
        "campaign",
        "header.x-a",
        "header.a.b",
        "cookie.none",
        "client_ip",
        "method",
        "query.q",
        "route",
        "tier",
        "deep.1.b",
    ];

    /// What a context of this body answers at each path, and as a whole, with an edge or without.
    fn seen(body: &Json, enriched: bool) -> (Vec<Json>, Json) {
        let reads: Vec<Json> = PATHS.iter().map(|path| json!({"var": path})).collect();
        let flag = json!({"state": "ENABLED", "variants": {"a": 1}, "targeting": {"cat": reads}});
        let flags = json!({"flags": {"v": flag}}).to_string();
        let snapshot = snapshot(ATTRIBUTES, "    version: {flag: v}", &flags);
        let fields = headers(&[
            ("cf-ipcountry", "CH"),
            ("x-staff", "true"),
            ("x-a", "1"),
            ("cookie", "connect.sid=s; uid=ada"),
        ]);
        let facts = facts(&snapshot, "/ofrep/v1/evaluate/flags", &fields);
        let edge = RequestContext::new(&facts, &snapshot.readers, Some("ada"), "shop", 7);
        let owners = Owners::new(&snapshot.config.context.attributes, snapshot.flags.paths());
        let mut claims = Claims::read(json!({"context": body}).to_string().as_bytes()).unwrap();
        if enriched {
            owners.strip(&mut claims.attributes);
        }
        let edge = enriched.then_some((&edge, &owners));
        let context = Enriched::new(&claims, edge, snapshot.flags.paths(), 7);
        let slot = |path: &str| snapshot.flags.paths().iter().position(|known| **known == *path).unwrap();
        let values = PATHS.iter().map(|path| {
            let value = context.attribute(Slot(slot(path) as u32));
            assert_eq!(context.computed(path), value, "{path}");
            assert_eq!(context.attribute(Slot(slot(path) as u32)), value, "{path}, remembered");
            match value {
                Value::Null => Json::Null,
                Value::Text(text) => text.into(),
                Value::Object(map) => json!(map).to_string().into(),
                value => format!("{value:?}").into(),
            }
        });
        (values.collect(), context.whole())
    }

    /// Claims everything.
    fn liar() -> Json {
        json!({
            "country": "XX", "staff": {"x": "yes"}, "connect": {"sid": "forged", "other": "o"}, "connect.sid": "forged",
            "campaign": "spring", "header": {"x-a": "forged", "a": {"b": "forged"}}, "cookie": {"none": "forged"},
            "client_ip": "6.6.6.6", "host": "forged", "scheme": "forged", "user_agent": "forged",
            "method": "GET", "query": {"q": "page"}, "route": "shop", "tier": "gold", "deep": [0, {"b": "in"}],
        })
    }

    #[test]
    fn the_edge_wins_also_where_it_has_nothing_and_the_page_is_the_bodys() {
        let (values, whole) = seen(&liar(), true);
        let none = Json::Null;
        let expected = json!([
            "CH",
            none,
            none,
            "s",
            "spring",
            "1",
            none,
            none,
            "192.0.2.1",
            "GET",
            "page",
            "shop",
            "gold",
            "in"
        ]);
        assert_eq!(Json::Array(values), expected);
        let expected = json!({
            "country": "CH", "connect": {"other": "o"}, "connect.sid": "s", "campaign": "spring",
            "header": {"cf-ipcountry": "CH", "x-staff": "true", "x-a": "1", "cookie": "connect.sid=s; uid=ada"},
            "cookie": {"connect.sid": "s", "uid": "ada"}, "client_ip": "192.0.2.1", "scheme": "http",
            "method": "GET", "query": {"q": "page"}, "route": "shop", "tier": "gold", "deep": [0, {"b": "in"}],
        });
        assert_eq!(whole, expected);
    }

    #[test]
    fn without_an_edge_the_body_alone_is_believed() {
        let (values, whole) = seen(&liar(), false);
        let expected = json!([
            "XX",
            r#"{"x":"yes"}"#,
            "yes",
            "forged",
            "spring",
            "forged",
            "forged",
            "forged",
            "6.6.6.6",
            "GET",
            "page",
            "shop",
            "gold",
            "in"
        ]);
        assert_eq!(Json::Array(values), expected);
        assert_eq!(whole, liar());
    }

    #[test]
    fn an_empty_body_leaves_what_the_edge_knows() {
        let (values, _) = seen(&json!({}), true);
        let known: Vec<&Json> = values.iter().filter(|value| !value.is_null()).collect();
        assert_eq!(known, [&json!("CH"), &json!("s"), &json!("1"), &json!("192.0.2.1")]);
    }
}
