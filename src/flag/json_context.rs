//! A context given as a JSON object, as OpenFeature clients and tests have it.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{Context, Slot, Value};

/// Attributes in an object; a dotted path goes into it.
#[derive(Debug, Clone, Copy)]
pub struct JsonContext<'a> {
    /// [`super::FlagSet::paths`] of the set that is asked.
    pub paths: &'a [Arc<str>],
    /// `targetingKey` and everything else.
    pub attributes: &'a Json,
    /// Unix seconds.
    pub timestamp: i64,
}

impl Context for JsonContext<'_> {
    fn targeting_key(&self) -> Option<&str> {
        self.attributes.get("targetingKey").and_then(Json::as_str).filter(|key| !key.is_empty())
    }

    fn attribute(&self, slot: Slot) -> Value<'_> {
        self.paths.get(slot.0 as usize).map_or(Value::Null, |path| Value::at(self.attributes, path))
    }

    fn computed(&self, path: &str) -> Value<'_> {
        Value::at(self.attributes, path)
    }

    fn whole(&self) -> Json {
        self.attributes.clone()
    }

    fn timestamp(&self) -> i64 {
        self.timestamp
    }
}
