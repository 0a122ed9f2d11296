//! From a tree to types, with every problem found on the way.
//!
//! An [`Item`] is a node with the type that its table demands; a reader makes a value of it or reports why not. Readers go on
//! after a problem, so that all are told at once; what they return then no longer matters, as a problem refuses the whole file.

pub mod compare;
pub mod context;
pub mod fields;
pub mod file;
pub mod flags;
pub mod headers;
mod health;
pub mod injection;
pub mod jwt;
pub mod limits;
mod listener;
pub mod matches;
pub mod ofrep;
mod outliers;
pub mod protection;
pub mod rate_limit;
pub mod route;
pub mod scalar;
pub mod service;
pub mod shadow;
mod tls;
pub mod version;

use std::path::Path;

use super::jwt::Jwt;
use super::reference::Type;
use super::tree::{Content, Node};
use super::{Place, Problem, ProblemKind};
use crate::config::problem::{index_key, map_key};

/// Collects problems.
pub struct Decoder<'a> {
    /// What relative paths are relative to.
    pub folder: &'a Path,
    pub problems: Vec<Problem>,
    /// Problems if something is absent that stands elsewhere in the file.
    pub unless: Vec<(Elsewhere, Problem)>,
    /// Tokens that were described where a key is taken from one, each with what is wrong if it may not be.
    pub tokens: Vec<(Jwt, Problem)>,
}

/// What a value can need elsewhere in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere {
    /// `context.trusted_proxies` names one.
    TrustedProxies,
    /// A client can speak TLS: to a listener, or to a trusted proxy.
    Tls,
    /// A token is described.
    Token,
}

/// A node, the type it must have, and where it stands.
#[derive(Clone)]
pub struct Item<'a> {
    pub node: &'a Node,
    pub is: &'static Type,
    /// The path of its key: `routes[0].match`.
    pub key: String,
    /// Where its key stands, or it itself in a list.
    pub place: Place,
    /// Whether it is a key itself: then plain `1` and `true` are names.
    pub is_key: bool,
}

impl<'a> Item<'a> {
    /// The root of a file.
    pub fn root(node: &'a Node, is: &'static Type) -> Item<'a> {
        Item { node, is, key: String::new(), place: node.place.clone(), is_key: false }
    }

    /// Of a value in two forms, the one that is written.
    pub fn form(&self) -> Item<'a> {
        match self.is {
            Type::Either(short, long) => {
                let is_long = match long {
                    Type::List(_) => self.node.list().is_some(),
                    Type::Integer { .. } => scalar::is_number(self),
                    _ => self.node.map().is_some(),
                };
                Item { is: if is_long { long } else { short }, ..self.clone() }
            }
            _ => self.clone(),
        }
    }

    /// Where a problem with its value is shown: a scalar itself, of anything larger its key.
    pub fn value_place(&self) -> Place {
        match self.node.content {
            Content::Scalar(_) if !self.node.text().is_empty() => self.node.place.clone(),
            _ => self.place.clone(),
        }
    }

    /// A problem with it.
    pub fn problem(&self, found: impl Into<String>) -> Problem {
        Problem::error(ProblemKind::Config, self.key.clone(), found).at(self.value_place())
    }
}

impl<'a> Decoder<'a> {
    pub fn new(folder: &'a Path) -> Decoder<'a> {
        Decoder { folder, problems: Vec::new(), unless: Vec::new(), tokens: Vec::new() }
    }

    pub fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Reports that an item is of the wrong kind.
    pub fn wrong<T>(&mut self, item: &Item<'_>) -> Option<T> {
        let name = if item.key.is_empty() { "the file" } else { &format!("`{}`", item.key) };
        let what = match item.node.what() {
            "nothing" if item.key.is_empty() => "empty",
            what => what,
        };
        let mut problem = item.problem(format!("{name} is {what}")).with_expected(item.is.describe());
        if let Some(fix) = self::scalar::fix_of_kind(item) {
            problem = problem.with_fix(fix);
        }
        self.report(problem);
        None
    }

    /// Reads each item of a list.
    pub fn list<T>(
        &mut self,
        item: &Item<'_>,
        mut read: impl FnMut(&Item<'_>, &mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let (Type::List(inner) | Type::OneOrMany(inner)) = item.is else {
            debug_assert!(false, "{} is no list in its table", item.key);
            return None;
        };
        let Some(nodes) = item.node.list() else {
            if matches!(item.is, Type::OneOrMany(_)) {
                return Some(read(&Item { is: inner, ..item.clone() }, self).into_iter().collect());
            }
            return self.wrong(item);
        };
        let mut out = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let key = index_key(&item.key, index);
            out.extend(read(&Item { node, is: inner, key, place: node.place.clone(), is_key: false }, self));
        }
        Some(out)
    }

    /// Reads each pair of a map whose keys are the author's own.
    pub fn map<T>(
        &mut self,
        item: &Item<'_>,
        mut read: impl FnMut(&Item<'_>, &Item<'_>, &mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Type::Map(name, inner) = item.is else {
            debug_assert!(false, "{} is no map in its table", item.key);
            return None;
        };
        let Some(entries) = item.node.map() else { return self.wrong(item) };
        let mut out = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = map_key(&item.key, entry.key.text());
            let place = entry.key.place.clone();
            let value = Item { node: &entry.value, is: inner, key, place, is_key: false };
            let name = Item { node: &entry.key, is: name, is_key: true, ..value.clone() };
            out.extend(read(&name, &value, self));
        }
        Some(out)
    }
}
