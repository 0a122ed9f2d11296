//! A JSON value as it is compared: without what is ignored, names in order, a hash at every node.
//!
//! It borrows its texts. What nests deeper than 128 levels, or has a number beyond a float, is not read.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::number::Number;
use super::scope::Scope;
use super::steps;
use crate::compare::excerpt::{Excerpt, VALUE};

/// A value.
#[derive(Debug)]
pub(in crate::compare) struct Node<'a> {
    /// Nodes that are alike under the rules have the same one.
    pub(super) hash: u64,
    pub(super) value: Value<'a>,
}

#[derive(Debug)]
pub(super) enum Value<'a> {
    /// An element that is not compared; it holds the place of its index.
    Ignored,
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Fields<'a>),
}

/// By name, each once; of repeated ones the last counts.
pub(super) type Fields<'a> = Vec<(Cow<'a, str>, Node<'a>)>;

impl<'a> Node<'a> {
    /// Reads a document; none: it is no JSON.
    pub(in crate::compare) fn parse(text: &'a [u8], scope: &Scope<'_>) -> Option<Node<'a>> {
        // Readers of JSON skip a byte order mark.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut reader = serde_json::Deserializer::from_slice(text);
        let node = Reading { scope }.deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        Some(node)
    }

    fn new(value: Value<'a>, scope: &Scope<'_>) -> Node<'a> {
        let mut hash = DefaultHasher::new();
        std::mem::discriminant(&value).hash(&mut hash);
        match &value {
            Value::Ignored | Value::Null => {}
            Value::Bool(value) => value.hash(&mut hash),
            // Within a tolerance numbers that differ may be alike.
            Value::Number(_) if scope.tolerance.is_some() => {}
            Value::Number(number) => number.bits().hash(&mut hash),
            Value::Text(text) => text.hash(&mut hash),
            // Without an order: a sum.
            Value::Array(list) if scope.key.is_some() => {
                list.iter().fold(0u64, |sum, node| sum.wrapping_add(node.hash)).hash(&mut hash);
            }
            Value::Array(list) => list.iter().for_each(|node| node.hash.hash(&mut hash)),
            Value::Object(fields) => {
                fields.iter().for_each(|(name, node)| (name, node.hash).hash(&mut hash));
            }
        }
        Node { hash: hash.finish(), value }
    }

    /// A field of an object.
    pub(super) fn field(&self, name: &str) -> Option<&Node<'a>> {
        let Value::Object(fields) = &self.value else { return None };
        fields.binary_search_by(|(own, _)| (**own).cmp(name)).ok().map(|at| &fields[at].1)
    }

    /// An order in which nodes of one hash that are alike stand near each other: by their numbers.
    pub(super) fn order(&self, other: &Node<'_>) -> Ordering {
        steps::add(1);
        match (&self.value, &other.value) {
            (Value::Number(one), Value::Number(other)) => one.float().total_cmp(&other.float()),
            (Value::Array(one), Value::Array(other)) => {
                let orders = one.iter().zip(other).map(|(one, other)| one.order(other));
                orders.fold(Ordering::Equal, Ordering::then)
            }
            (Value::Object(one), Value::Object(other)) => {
                let orders = one.iter().zip(other).map(|((_, one), (_, other))| one.order(other));
                orders.fold(Ordering::Equal, Ordering::then)
            }
            _ => Ordering::Equal,
        }
    }

    /// As compact JSON in short; none: it is not to be recorded.
    pub(in crate::compare) fn excerpt(&self, scope: &Scope<'_>) -> Option<String> {
        if scope.redacted {
            return None;
        }
        let mut excerpt = Excerpt::new(VALUE);
        self.write(scope, &mut excerpt);
        Some(excerpt.finish())
    }

    fn write(&self, scope: &Scope<'_>, out: &mut Excerpt) {
        match &self.value {
            _ if scope.redacted => out.push('*'),
            Value::Ignored => out.push('*'),
            Value::Null => out.push_str("null"),
            Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Number(number) => out.push_str(&number.to_string()),
            Value::Text(text) => write_text(text, out),
            Value::Array(list) => {
                out.push('[');
                for (index, node) in list.iter().enumerate() {
                    if out.is_full() {
                        return;
                    }
                    if index > 0 {
                        out.push(',');
                    }
                    node.write(&scope.element(index, index), out);
                }
                out.push(']');
            }
            Value::Object(fields) => {
                out.push('{');
                for (at, (name, node)) in fields.iter().enumerate() {
                    if out.is_full() {
                        return;
                    }
                    if at > 0 {
                        out.push(',');
                    }
                    write_text(name, out);
                    out.push(':');
                    node.write(&scope.field(name), out);
                }
                out.push('}');
            }
        }
    }
}

fn write_text(text: &str, out: &mut Excerpt) {
    out.push('"');
    for c in text.chars() {
        if out.is_full() {
            return;
        }
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// Reads one value under its rules.
struct Reading<'s, 'r> {
    scope: &'s Scope<'r>,
}

impl<'a> DeserializeSeed<'a> for Reading<'_, '_> {
    type Value = Node<'a>;

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<Node<'a>, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Reading<'_, '_> {
    type Value = Node<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node<'a>, E> {
        Ok(Node::new(Value::Null, self.scope))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'a>, E> {
        Ok(Node::new(Value::Bool(value), self.scope))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'a>, E> {
        Ok(Node::new(Value::Number(value.into()), self.scope))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'a>, E> {
        Ok(Node::new(Value::Number(value.into()), self.scope))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'a>, E> {
        Ok(Node::new(Value::Number(value.into()), self.scope))
    }

    fn visit_borrowed_str<E>(self, value: &'a str) -> Result<Node<'a>, E> {
        Ok(Node::new(Value::Text(Cow::Borrowed(value)), self.scope))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node<'a>, E> {
        Ok(Node::new(Value::Text(Cow::Owned(value.to_owned())), self.scope))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut elements: A) -> Result<Node<'a>, A::Error> {
        let mut list = Vec::new();
        loop {
            let scope = self.scope.element(list.len(), list.len());
            let node = if scope.ignored {
                let element = elements.next_element::<IgnoredAny>()?;
                element.map(|_| Node::new(Value::Ignored, &scope))
            } else {
                elements.next_element_seed(Reading { scope: &scope })?
            };
            let Some(node) = node else { break };
            list.push(node);
        }
        list.shrink_to_fit();
        Ok(Node::new(Value::Array(list), self.scope))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut entries: A) -> Result<Node<'a>, A::Error> {
        let mut fields = Fields::new();
        while let Some(name) = entries.next_key_seed(Key)? {
            let scope = self.scope.field(&name);
            if scope.ignored {
                entries.next_value::<IgnoredAny>()?;
            } else {
                let node = entries.next_value_seed(Reading { scope: &scope })?;
                fields.push((name, node));
            }
        }
        // The sort is stable and `dedup` keeps the first: the last one read.
        fields.reverse();
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        fields.dedup_by(|(one, _), (other, _)| one == other);
        fields.shrink_to_fit();
        Ok(Node::new(Value::Object(fields), self.scope))
    }
}

/// Reads a name.
struct Key;

impl<'a> DeserializeSeed<'a> for Key {
    type Value = Cow<'a, str>;

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<Cow<'a, str>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Key {
    type Value = Cow<'a, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, value: &'a str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}
