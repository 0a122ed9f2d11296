//! Flags by who they are, in which a key alone finds the one that counts for it.
//!
//! Precedence is order: of flags of one key, which differ by their sets, the last one counts. What comes later is put in later, and nothing
//! else has to be remembered. Which flags may take whose place is for those to say who put them in.

use std::collections::{BTreeMap, btree_map};
use std::iter;
use std::ops::Index;
use std::sync::Arc;

use super::Identity;

/// Something about each of many flags.
#[derive(Debug, Clone)]
pub struct FlagMap<T> {
    /// No list is empty; each has an identity once.
    by_key: BTreeMap<Arc<str>, Vec<Stated<T>>>,
}

/// What is stated of one flag.
#[derive(Debug, Clone)]
pub struct Stated<T> {
    /// Who it is.
    pub identity: Identity,
    /// Where that comes from, as the configuration names the source; empty: no source is known.
    pub source: Arc<str>,
    /// What is stated.
    pub flag: T,
}

impl<T> FlagMap<T> {
    /// What is stated of the flag that counts for a key.
    pub fn get(&self, key: &str) -> Option<&T> {
        self.of(key).last().map(|stated| &stated.flag)
    }

    /// What is stated of one flag.
    pub fn at(&self, identity: &Identity) -> Option<&T> {
        self.of(&identity.key).iter().find(|stated| stated.identity == *identity).map(|stated| &stated.flag)
    }

    /// All flags of a key, the one that counts last.
    pub fn of(&self, key: &str) -> &[Stated<T>] {
        self.by_key.get(key).map_or(&[], Vec::as_slice)
    }

    /// Puts a flag in, in the place of whatever was stated of it before. It counts for its key.
    pub fn put(&mut self, stated: Stated<T>) {
        let same_key = self.by_key.entry(stated.identity.key.clone()).or_default();
        same_key.retain(|before| before.identity != stated.identity);
        same_key.push(stated);
    }

    /// Puts these in the place of all flags of a key, which is theirs.
    pub fn replace(&mut self, key: &Arc<str>, stated: Vec<Stated<T>>) {
        match stated.is_empty() {
            true => self.by_key.remove(key),
            false => self.by_key.insert(key.clone(), stated),
        };
    }

    /// All flags by key; of one key, the one that counts last.
    pub fn iter(&self) -> impl Iterator<Item = &Stated<T>> {
        self.by_key.values().flatten()
    }

    /// Every key once, in order.
    pub fn keys(&self) -> btree_map::Keys<'_, Arc<str>, Vec<Stated<T>>> {
        self.by_key.keys()
    }

    /// What is stated, by key.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.into_iter().map(|(_, flag)| flag)
    }

    /// How many flags there are.
    pub fn len(&self) -> usize {
        self.by_key.values().map(Vec::len).sum()
    }

    /// Whether there is no flag.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

impl<T> Default for FlagMap<T> {
    fn default() -> FlagMap<T> {
        FlagMap { by_key: BTreeMap::new() }
    }
}

impl<T> FromIterator<Stated<T>> for FlagMap<T> {
    fn from_iter<I: IntoIterator<Item = Stated<T>>>(flags: I) -> FlagMap<T> {
        let mut map = FlagMap::default();
        flags.into_iter().for_each(|stated| map.put(stated));
        map
    }
}

impl<K: Into<Identity>, T> FromIterator<(K, T)> for FlagMap<T> {
    /// Of no known source.
    fn from_iter<I: IntoIterator<Item = (K, T)>>(flags: I) -> FlagMap<T> {
        let flags = flags.into_iter();
        flags
            .map(|(identity, flag)| Stated { identity: identity.into(), source: Arc::default(), flag })
            .collect()
    }
}

impl<T> IntoIterator for FlagMap<T> {
    type Item = (Identity, T);
    type IntoIter = iter::Map<
        iter::Flatten<btree_map::IntoValues<Arc<str>, Vec<Stated<T>>>>,
        fn(Stated<T>) -> (Identity, T),
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.by_key.into_values().flatten().map(|stated| (stated.identity, stated.flag))
    }
}

impl<T> Index<&str> for FlagMap<T> {
    type Output = T;

    /// The flag that counts for a key that is known to be there.
    fn index(&self, key: &str) -> &T {
        let same_key = &self.by_key[key];
        &same_key[same_key.len() - 1].flag
    }
}
