//! OpenFeature Remote Evaluation (OFREP 0.3): request in, answer out.
//!
//! Served by the admin listener and by routes of the gateway. It opens no socket and asks no clock: who may ask, how often, and from
//! which page is for those who serve it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::config::route::{Shown, Valueless};
use crate::context::RequestContext;
use crate::flag::{FlagId, Resolution};
use crate::snapshot::Snapshot;

/// What one door answers from one snapshot: every flag that it shows, with the parts of its answers written in advance.
#[derive(Debug)]
pub struct Catalog {
    snapshot: Arc<Snapshot>,
}

/// What a door shows, and how.
#[derive(Debug, Clone)]
pub struct Door {
    /// Flags that can be asked.
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
    /// 200, 304, 400, 404, 405, 413 or 415.
    pub status: StatusCode,
    /// Without Content-Length and what belongs to the door (CORS).
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// JSON, or nothing.
    pub body: Bytes,
}

impl Catalog {
    /// Writes down in advance what can be.
    pub fn new(_snapshot: Arc<Snapshot>, _door: &Door) -> Catalog {
        todo!()
    }

    /// Answers. `edge` is what the gateway itself knows of the request, where a door enriches contexts; `now` is in Unix seconds.
    /// `evaluated` hears of every evaluation.
    pub fn answer(
        &self,
        _request: &Request<'_>,
        _edge: Option<&RequestContext<'_>>,
        _now: i64,
        _evaluated: impl FnMut(FlagId, &Resolution),
    ) -> Answer {
        let _ = &self.snapshot;
        todo!()
    }
}
