//! From a tree to types, with every problem found on the way.
//!
//! An [`Item`] is a node with the type that its table demands; a reader makes a value of it or reports why not. Readers go on
//! after a problem, so that all are told at once; what they return then no longer matters, as a problem refuses the whole file.

pub mod context;
pub mod file;
pub mod flags;
pub mod headers;
pub mod injection;
pub mod listener;
pub mod matches;
pub mod route;
pub mod scalar;
pub mod service;

use std::path::Path;

use super::reference::{Object, Presence, Rule, Type, one_of};
use super::tree::{self, Content, Limits, Node};
use super::{Place, Problem, ProblemKind};

/// Collects problems.
pub struct Decoder<'a> {
    /// What relative paths are relative to.
    pub folder: &'a Path,
    pub problems: Vec<Problem>,
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

/// A map whose keys are those of an [`Object`].
pub struct Fields<'a> {
    item: Item<'a>,
    object: &'static Object,
    #[cfg(test)]
    unread: Vec<&'static str>,
}

impl<'a> Item<'a> {
    /// The root of a file.
    pub fn root(node: &'a Node, is: &'static Type) -> Item<'a> {
        Item { node, is, key: String::new(), place: node.place.clone(), is_key: false }
    }

    /// Of a value in two forms, the one that is written.
    pub fn form(&self) -> Item<'a> {
        match self.is {
            Type::Either(_, long) if self.node.map().is_some() => Item { is: long, ..self.clone() },
            Type::Either(short, _) => Item { is: short, ..self.clone() },
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
        Decoder { folder, problems: Vec::new() }
    }

    pub fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Reports that an item is of the wrong kind.
    pub fn wrong<T>(&mut self, item: &Item<'_>) -> Option<T> {
        let name = if item.key.is_empty() { "the file" } else { &format!("`{}`", item.key) };
        let what = item.node.what();
        let mut problem = item.problem(format!("{name} is {what}")).with_expected(item.is.describe());
        if let Some(fix) = self::scalar::fix_of_kind(item) {
            problem = problem.with_fix(fix);
        }
        self.report(problem);
        None
    }

    /// Opens a map: reports unknown keys, missing keys, and keys that do not go together.
    pub fn fields<'n>(&mut self, item: &Item<'n>) -> Option<Fields<'n>> {
        let Type::Object(object) = item.is else {
            debug_assert!(false, "{} is no object in its table", item.key);
            return None;
        };
        let Some(entries) = item.node.map() else { return self.wrong(item) };
        for entry in entries.iter().filter(|entry| object.key(entry.key.text()).is_none()) {
            self.unknown(object, &entry.key, map_key(&item.key, entry.key.text()));
        }
        for key in object.keys.iter().filter(|key| key.presence == Presence::Required) {
            if item.node.entry(key.name).is_none() {
                let owner = if item.key.is_empty() { "the file".into() } else { format!("`{}`", item.key) };
                self.report(
                    Problem::error(
                        ProblemKind::Config,
                        map_key(&item.key, key.name),
                        format!("{owner} has no `{}`", key.name),
                    )
                    .at(item.place.clone())
                    .with_expected(key.is.describe())
                    .with_fix(format!("add `{}`: {}", key.name, first_clause(key.doc))),
                );
            }
        }
        for rule in object.rules {
            self.check(rule, item);
        }
        #[cfg(test)]
        let unread = object.names().collect();
        Some(Fields {
            item: item.clone(),
            object,
            #[cfg(test)]
            unread,
        })
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

    fn unknown(&mut self, object: &Object, key: &Node, path: String) {
        let text = key.text();
        let names: Vec<&str> = object.names().collect();
        let problem = if object.later.contains(&text) {
            Problem::error(ProblemKind::Config, path, format!("`{text}` is not in this release"))
                .with_fix("remove it")
        } else {
            let problem = Problem::error(ProblemKind::Config, path, format!("unknown key `{text}`"));
            match suggest(text, names.iter().copied()) {
                Some(meant) => problem.with_fix(format!("write `{meant}`")),
                None => problem,
            }
        };
        self.report(problem.at(key.place.clone()).with_expected(one_of(&names)));
    }

    fn check(&mut self, rule: &Rule, item: &Item<'_>) {
        let present = |names: &[&'static str]| -> Vec<&'static str> {
            names.iter().copied().filter(|name| item.node.entry(name).is_some()).collect()
        };
        let (found, expected) = match rule {
            Rule::ExactlyOne(names) | Rule::AtLeastOne(names) if present(names).is_empty() => {
                (format!("none of {} is there", one_of(names)), format!("one of {}", one_of(names)))
            }
            Rule::ExactlyOne(names) | Rule::AtMostOne(names) if present(names).len() > 1 => {
                let present: Vec<String> = present(names).iter().map(|name| format!("`{name}`")).collect();
                (
                    format!("{} stand side by side", present.join(" and ")),
                    format!("only one of {}", one_of(names)),
                )
            }
            Rule::Only(names, beside) if !present(&[beside]).is_empty() || present(names).is_empty() => {
                return;
            }
            Rule::Only(names, beside) => {
                let present: Vec<String> = present(names).iter().map(|name| format!("`{name}`")).collect();
                (format!("{} without `{beside}`", present.join(", ")), format!("`{beside}` beside it"))
            }
            _ => return,
        };
        self.report(
            Problem::error(ProblemKind::Config, item.key.clone(), found)
                .at(item.place.clone())
                .with_expected(expected),
        );
    }
}

impl<'a> Fields<'a> {
    /// Reads the value of a key, or its default. None: absent, or a problem was reported.
    pub fn get<T>(
        &mut self,
        name: &'static str,
        decoder: &mut Decoder<'_>,
        read: impl FnOnce(&Item<'_>, &mut Decoder<'_>) -> Option<T>,
    ) -> Option<T> {
        if let Some(item) = self.given(name) {
            return read(&item, decoder);
        }
        let Presence::Default(text) = self.key(name).presence else { return None };
        // Defaults are ours, and a test decodes each of them.
        let mut node = tree::parse("", text, ProblemKind::Config, &Limits::CONFIG).ok()?.root;
        node.place = self.item.place.clone();
        let item = Item {
            node: &node,
            is: &self.key(name).is,
            key: map_key(&self.item.key, name),
            place: node.place.clone(),
            is_key: false,
        };
        read(&item, decoder)
    }

    /// The value of a key as it is written, if it is.
    pub fn given(&mut self, name: &'static str) -> Option<Item<'a>> {
        #[cfg(test)]
        self.unread.retain(|unread| *unread != name);
        let is = &self.key(name).is;
        let entry = self.item.node.entry(name)?;
        let key = map_key(&self.item.key, name);
        Some(Item { node: &entry.value, is, key, place: entry.key.place.clone(), is_key: false })
    }

    fn key(&self, name: &str) -> &'static super::reference::Key {
        self.object
            .key(name)
            .unwrap_or_else(|| unreachable!("the table {} has no key {name}", self.object.title))
    }
}

/// A key that a table has and no decoder reads is one that an operator writes in vain.
#[cfg(test)]
impl Drop for Fields<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(
                self.unread.is_empty(),
                "{} are in the table {} only",
                self.unread.join(", "),
                self.object.title
            );
        }
    }
}

/// `routes[0]` and `match`: `routes[0].match`.
pub fn map_key(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

/// `routes` and 0: `routes[0]`.
pub fn index_key(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}

/// The word that was probably meant.
pub fn suggest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let folded = word.to_lowercase().replace('-', "_");
    let distance =
        |other: &str| strsim::damerau_levenshtein(&folded, &other.to_lowercase().replace('-', "_"));
    let closest =
        known.into_iter().map(|other| (distance(other), other)).min_by_key(|(distance, _)| *distance)?;
    (closest.0 <= (word.chars().count() / 3).max(1)).then_some(closest.1)
}

/// A line of documentation up to its first stop.
fn first_clause(doc: &str) -> &str {
    doc.split(['.', ';']).next().unwrap_or(doc)
}
