//! How each attribute path that a rule reads is answered from a request.

use std::sync::Arc;

use http::HeaderName;

use super::facts::RequestFacts;
use crate::config::Problem;
use crate::config::context::Context as ContextConfig;
use crate::flag::{Slot, Value};

/// One reader a slot.
#[derive(Debug)]
pub struct Readers {
    // private
}

/// What an answer depends on, as a shared cache can express it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    Header(HeaderName),
    Cookie,
    /// Method, path, query, host and scheme are part of a cache's key anyway.
    CacheKey,
    /// Address, listener, time, anything a cache cannot see.
    Unseen,
}

impl Readers {
    /// Compiles a reader for each path. A path that nothing provides is a problem and reads as null.
    pub fn compile(_paths: &[Arc<str>], _config: &ContextConfig) -> (Readers, Vec<Problem>) {
        todo!()
    }

    /// What the attribute at a slot depends on.
    pub fn input(&self, _slot: Slot) -> Input {
        todo!()
    }
}

/// A request as a flag's rules see it.
pub struct RequestContext<'a> {
    pub facts: &'a RequestFacts<'a>,
    pub readers: &'a Readers,
    pub key: Option<&'a str>,
    pub route: &'a str,
    /// Unix seconds.
    pub now: i64,
}

impl crate::flag::Context for RequestContext<'_> {
    fn targeting_key(&self) -> Option<&str> {
        self.key
    }

    fn attribute(&self, _slot: Slot) -> Value<'_> {
        todo!()
    }

    fn computed(&self, _path: &str) -> Value<'_> {
        todo!()
    }

    fn whole(&self) -> serde_json::Value {
        todo!()
    }

    fn timestamp(&self) -> i64 {
        self.now
    }
}
