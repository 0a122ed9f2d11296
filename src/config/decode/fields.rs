//! Reads a map whose keys a table knows.

use super::{Decoder, Item};
use crate::config::problem::map_key;
use crate::config::reference::{Key, Object, Presence, Rule, Type, one_of};
use crate::config::suggest;
use crate::config::tree::{self, Limits, Node};
use crate::config::{Problem, ProblemKind};

/// A map whose keys are those of an [`Object`].
pub struct Fields<'a> {
    item: Item<'a>,
    object: &'static Object,
    #[cfg(test)]
    unread: Vec<&'static str>,
}

impl Decoder<'_> {
    /// Opens a map: reports unknown keys, missing keys, and keys that do not go together.
    pub fn fields<'n>(&mut self, item: &Item<'n>) -> Option<Fields<'n>> {
        let Type::Object(object) = item.is else {
            debug_assert!(false, "{} is no object in its table", item.key);
            return None;
        };
        let Some(entries) = item.node.map() else { return self.wrong(item) };
        // Keys that an unknown one was meant to be are not missed as well.
        let mut meant = Vec::new();
        for entry in entries.iter().filter(|entry| object.key(entry.key.text()).is_none()) {
            meant.extend(self.unknown(object, &entry.key, map_key(&item.key, entry.key.text())));
        }
        for key in object.keys.iter().filter(|key| key.presence == Presence::Required) {
            if item.node.entry(key.name).is_none() && !meant.contains(&key.name) {
                self.report(missing(key, item));
            }
        }
        if let Some(broken) = object.rules.iter().find_map(|rule| broken(rule, item, &meant)) {
            self.report(broken);
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

    /// Reports an unknown key; answers what it was meant to be, as far as that can be told.
    fn unknown(&mut self, object: &Object, key: &Node, path: String) -> Vec<&'static str> {
        let text = key.text();
        let names: Vec<&'static str> = object.names().collect();
        let meant = suggest(text, names.iter().copied());
        let later = object.later.contains(&text);
        let found =
            if later { format!("`{text}` is not in this release") } else { format!("unknown key `{text}`") };
        let fix =
            if later { Some("remove it".into()) } else { meant.map(|meant| format!("write `{meant}`")) };
        let problem = Problem::error(ProblemKind::Config, path, found).at(key.place.clone());
        self.report(Problem { fix, ..problem.with_expected(one_of(&names)) });
        // What will be known later may stand for any of them.
        if later { names } else { meant.into_iter().collect() }
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
        let key = self.key(name);
        let Presence::Default(text) = key.presence else { return None };
        // Defaults are ours, and a test decodes each of them.
        let mut node = tree::parse("", text, ProblemKind::Config, &Limits::CONFIG).ok()?.root;
        let place = self.item.place.clone();
        node.place = place.clone();
        read(
            &Item { node: &node, is: &key.is, key: map_key(&self.item.key, name), place, is_key: false },
            decoder,
        )
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

    /// The key of that name. A decoder that asks for another panics at its first object, in any test.
    fn key(&self, name: &str) -> &'static Key {
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

fn missing(key: &Key, item: &Item<'_>) -> Problem {
    let owner = if item.key.is_empty() { "the file".into() } else { format!("`{}`", item.key) };
    let found = format!("{owner} has no `{}`", key.name);
    // The documentation's first clause, as part of a sentence.
    let clause = key.doc.split(['.', ';']).next().unwrap_or(key.doc);
    let (first, rest) = clause.split_at(clause.chars().next().map_or(0, char::len_utf8));
    Problem::error(ProblemKind::Config, map_key(&item.key, key.name), found)
        .at(item.place.clone())
        .with_expected(key.is.describe())
        .with_fix(format!("add `{}`, {}{rest}", key.name, first.to_lowercase()))
}

/// What a rule says of an object's keys, if it is broken.
fn broken(rule: &Rule, item: &Item<'_>, meant: &[&'static str]) -> Option<Problem> {
    let present = |names: &[&'static str]| -> Vec<&Node> {
        let entries = names.iter().filter_map(|name| item.node.entry(name));
        entries.map(|entry| &entry.key).collect()
    };
    let list = |keys: &[&Node]| -> String {
        keys.iter().map(|key| format!("`{}`", key.text())).collect::<Vec<_>>().join(" and ")
    };
    let (found, expected, at) = match rule {
        Rule::ExactlyOne(names) | Rule::AtLeastOne(names)
            if present(names).is_empty() && !names.iter().any(|name| meant.contains(name)) =>
        {
            (format!("none of {} is there", one_of(names)), one_of(names), None)
        }
        Rule::ExactlyOne(names) | Rule::AtMostOne(names) if present(names).len() > 1 => {
            let keys = present(names);
            let found = format!("{} stand side by side", list(&keys));
            (found, format!("only one of {}", one_of(names)), keys.iter().map(|key| &key.place).max())
        }
        Rule::Only(names, beside)
            if present(beside).is_empty() && !beside.iter().any(|name| meant.contains(name)) =>
        {
            let keys = present(names);
            let first = keys.iter().map(|key| &key.place).min()?;
            let beside = one_of(beside);
            (format!("{} without {beside}", list(&keys)), format!("{beside} beside it"), Some(first))
        }
        _ => return None,
    };
    let place = at.unwrap_or(&item.place).clone();
    Some(Problem::error(ProblemKind::Config, item.key.clone(), found).at(place).with_expected(expected))
}
