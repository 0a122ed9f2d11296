//! OpenFeature Remote Evaluation (OFREP 0.3): request in, answer out.
//!
//! Served by the admin listener and by routes of the gateway. It opens no socket and asks no clock: who may ask, how often, and from
//! which page is for those who serve it. What a client is told never holds a rule, nor whether a flag exists that it may not see.

pub mod asked;
mod claims;
mod enriched;
mod tag;
mod told;
mod written;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use smallvec::SmallVec;

use crate::config::route::{Shown, Valueless};
use crate::context::RequestContext;
use crate::flag::{Context, ErrorCode, FlagId, Resolution, Selector};
use crate::snapshot::Snapshot;

use asked::Asked;
use claims::Claims;
use enriched::{Enriched, Owners};
use tag::{Basis, Tag};
use written::Written;

/// What one door answers from one snapshot: every flag that it shows, with the parts of its answers written in advance.
#[derive(Debug)]
pub struct Catalog {
    snapshot: Arc<Snapshot>,
    valueless: Valueless,
    /// What stands behind the flags where nothing is selected.
    rest: Vec<u8>,
    streams: Option<Box<str>>,
    /// By flag set, then key: the order of an answer.
    entries: Vec<Entry>,
    positions: HashMap<FlagId, usize>,
    written: Written,
    basis: Basis,
    owners: Owners,
}

/// A flag that is shown; its parts are at the same position in [`Written`].
#[derive(Debug)]
struct Entry {
    id: FlagId,
    /// Whether it is the one that counts for its key: an answer has no other, since clients keep one flag a key.
    counts: bool,
}

/// What a door shows, and how.
#[derive(Debug, Clone)]
pub struct Door {
    /// Flags that can be asked. A key shows the flags of that key in every flag set.
    pub flags: Shown,
    /// How flags without a value are told.
    pub valueless: Valueless,
    /// Where event streams are found, as a path from the root; none: there are none.
    pub streams: Option<Box<str>>,
}

/// A request, read.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// GET is answered only for event streams, which are not answered here.
    pub method: &'a Method,
    /// As received, from the root.
    pub path: &'a str,
    /// Without `?`.
    pub query: Option<&'a str>,
    /// `Flagd-Selector`, `If-None-Match`, `Content-Type`.
    pub headers: &'a HeaderMap,
    /// Whole; whoever read it kept to its bound.
    pub body: &'a [u8],
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 200, 304, 400, 404, 405 or 415.
    pub status: StatusCode,
    /// Without Content-Length and what belongs to the door (CORS).
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// JSON, or nothing.
    pub body: Bytes,
}

impl Catalog {
    /// Writes down in advance what can be.
    pub fn new(snapshot: Arc<Snapshot>, door: &Door) -> Catalog {
        let flags = &snapshot.flags;
        let named: Option<HashSet<&str>> = match &door.flags {
            Shown::All => None,
            Shown::Only(named) => Some(named.iter().map(|name| &*name.key).collect()),
        };
        let is_shown = |key: &str| named.as_ref().is_none_or(|named| named.contains(key));
        let shown = flags.select(&Selector::All).filter(|(_, flag)| is_shown(&flag.key));
        let mut written = Written::default();
        let entries: Vec<Entry> = shown
            .map(|(id, flag)| {
                written.push(flag);
                Entry { id, counts: flags.find(&flag.key) == Some(id) }
            })
            .collect();
        Catalog {
            valueless: door.valueless,
            rest: told::rest(&Selector::All, door.streams.as_deref()),
            streams: door.streams.clone(),
            positions: entries.iter().enumerate().map(|(at, entry)| (entry.id, at)).collect(),
            entries,
            basis: Basis::of(&written),
            owners: Owners::new(&snapshot.config.context.attributes, flags.paths()),
            written,
            snapshot,
        }
    }

    /// Answers. `edge` is what the gateway itself knows of the request, where a door enriches contexts, read by this catalog's own snapshot;
    /// `now` is in Unix seconds. `evaluated` hears of every evaluation.
    pub fn answer(
        &self,
        request: &Request<'_>,
        edge: Option<&RequestContext<'_>>,
        now: i64,
        evaluated: impl FnMut(FlagId, &Resolution),
    ) -> Answer {
        let asked = match Asked::parse(request.path) {
            Some(Asked::Stream) if self.streams.is_some() => {
                return Answer::told(StatusCode::METHOD_NOT_ALLOWED, "event streams are asked with GET")
                    .with(header::ALLOW, HeaderValue::from_static("GET"));
            }
            Some(asked @ (Asked::Flag(_) | Asked::Bulk)) => asked,
            Some(Asked::Stream) | None => return Answer::told(StatusCode::NOT_FOUND, "nothing is here"),
        };
        if request.method != Method::POST {
            return Answer::told(StatusCode::METHOD_NOT_ALLOWED, "flags are asked with POST")
                .with(header::ALLOW, HeaderValue::from_static("POST"));
        }
        if !asked::is_json(request.headers) {
            return Answer::told(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is no application/json");
        }
        let key = match &asked {
            Asked::Flag(key) => Some(&**key),
            _ => None,
        };
        let selector = match asked::selector(request.headers) {
            Ok(selector) => selector,
            Err(why) => return Answer::refused(key, ErrorCode::General, &why),
        };
        let mut claims = match Claims::read(request.body) {
            Ok(claims) => claims,
            Err(why) => return Answer::refused(key, ErrorCode::InvalidContext, &why),
        };
        if edge.is_some() {
            self.owners.strip(&mut claims.attributes);
        }
        let edge = edge.map(|edge| (edge, &self.owners));
        let context = Enriched::new(&claims, edge, self.snapshot.flags.paths(), now);
        match key {
            Some(key) => self.one(key, &selector, &context, evaluated),
            None => self.all(request, &selector, &context, evaluated),
        }
    }

    fn one(
        &self,
        key: &str,
        selector: &Selector,
        context: &impl Context,
        mut evaluated: impl FnMut(FlagId, &Resolution),
    ) -> Answer {
        let flags = &self.snapshot.flags;
        let shown = flags.find_by(selector, key).and_then(|id| Some((id, *self.positions.get(&id)?)));
        let Some((id, at)) = shown else { return Answer::not_found(key, selector) };
        let resolution = flags.evaluate(id, context);
        evaluated(id, &resolution);
        let is_valueless = resolution.error.is_none() && resolution.variant.is_none();
        if is_valueless && self.valueless == Valueless::NotFound {
            return Answer::not_found(key, selector);
        }
        let status = match resolution.error {
            Some(_) => StatusCode::BAD_REQUEST,
            None => StatusCode::OK,
        };
        let parts = self.written.parts(at, &resolution);
        Answer::json(status, told::one(parts, flags.get(id), selector))
    }

    fn all(
        &self,
        request: &Request<'_>,
        selector: &Selector,
        context: &impl Context,
        mut evaluated: impl FnMut(FlagId, &Resolution),
    ) -> Answer {
        let flags = &self.snapshot.flags;
        let mut resolved: SmallVec<[(usize, Resolution); 128]> = SmallVec::new();
        for (at, entry) in self.entries.iter().enumerate() {
            let is_asked = match selector {
                Selector::All => entry.counts,
                selector => {
                    let flag = flags.get(entry.id);
                    selector.selects(flag) && flags.find_by(selector, &flag.key) == Some(entry.id)
                }
            };
            if is_asked {
                let resolution = flags.evaluate(entry.id, context);
                evaluated(entry.id, &resolution);
                resolved.push((at, resolution));
            }
        }
        let rest = match selector {
            Selector::All => Cow::Borrowed(&self.rest),
            selector => Cow::Owned(told::rest(selector, self.streams.as_deref())),
        };
        let tag = self.basis.tag(&resolved, &rest);
        if self.is_known(request, &tag) {
            return Answer {
                status: StatusCode::NOT_MODIFIED,
                headers: tag.headers().into(),
                body: Bytes::new(),
            };
        }
        let body = self.written.list(&resolved, &rest);
        let mut answer = Answer::json(StatusCode::OK, body);
        answer.headers.extend(tag.headers());
        answer
    }

    /// Whether the client has this very answer. One that was told of another revision gets an answer whatever it has.
    fn is_known(&self, request: &Request<'_>, tag: &Tag) -> bool {
        let revision = self.snapshot.revision.as_str();
        asked::revision(request.query).is_none_or(|told| told == revision) && tag.is_among(request.headers)
    }
}

impl Answer {
    /// An answer to no flag's question, with a sentence for whoever wrote the client: `{"errorDetails": ".."}`.
    pub fn told(status: StatusCode, details: &str) -> Answer {
        Answer::json(status, told::details(details))
    }

    /// With one field more.
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Answer {
        self.headers.push((name, value));
        self
    }

    fn refused(key: Option<&str>, code: ErrorCode, details: &str) -> Answer {
        Answer::json(StatusCode::BAD_REQUEST, told::error(key, code, details, None))
    }

    /// The same for a flag that nobody defined as for one that is not shown.
    fn not_found(key: &str, selector: &Selector) -> Answer {
        let body = told::error(Some(key), ErrorCode::FlagNotFound, "there is no such flag", Some(selector));
        Answer::json(StatusCode::NOT_FOUND, body)
    }

    fn json(status: StatusCode, body: Vec<u8>) -> Answer {
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Answer { status, headers: vec![kind], body: body.into() }
    }
}

#[cfg(test)]
mod tests;
