//! A value while a rule runs: borrowed from the request or the rule wherever that is possible.

use std::borrow::Cow;

/// A JSON value. Numbers are `f64`, as in every JSON Logic.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    List(Cow<'a, [Value<'a>]>),
    /// An object, from a variant-like literal or an OFREP context.
    Object(&'a serde_json::Map<String, serde_json::Value>),
}
