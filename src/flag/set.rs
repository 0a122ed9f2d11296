//! All flags of a snapshot, compiled, found by key or index.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Context, Definition, Entry, FlagId, Resolution, Slot, VariantId};
use crate::config::FractionalVersion;

/// The compiled flags.
#[derive(Debug)]
pub struct FlagSet {
    flags: Vec<Flag>,
    by_key: BTreeMap<Arc<str>, FlagId>,
    paths: Vec<Arc<str>>,
}

/// One compiled flag.
#[derive(Debug)]
pub struct Flag {
    pub key: Arc<str>,
    /// None: there never was a good definition.
    pub definition: Option<Arc<Definition>>,
    /// Everything the rule can read on any branch, a static set.
    pub reads: Reads,
    // compiled rule: private
}

/// What a flag's rule can read, on any branch.
#[derive(Debug, Clone, Default)]
pub struct Reads {
    pub slots: Vec<Slot>,
    pub targeting_key: bool,
    pub timestamp: bool,
    /// `{"var": ""}` or a computed path: anything at all.
    pub everything: bool,
}

/// A step-by-step account of one evaluation, for `explain`.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Depth in the rule, from 0.
    pub depth: usize,
    /// What was evaluated: `{"==": [var header.x-canary, "always"]}` in short form.
    pub what: String,
    /// What came out, and for `fractional` the bucket: `"canary" (bucket 17 of 100, unit ..)`.
    pub result: String,
}

impl FlagSet {
    /// Compiles definitions. It cannot fail: what does not compile never becomes a [`Definition`].
    pub fn compile(_entries: &BTreeMap<Arc<str>, Entry>, _fractional: FractionalVersion) -> FlagSet {
        todo!()
    }

    pub fn find(&self, key: &str) -> Option<FlagId> {
        self.by_key.get(key).copied()
    }

    pub fn get(&self, id: FlagId) -> &Flag {
        &self.flags[id.0 as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = (FlagId, &Flag)> {
        self.flags.iter().enumerate().map(|(index, flag)| (FlagId(index as u32), flag))
    }

    pub fn len(&self) -> usize {
        self.flags.len()
    }

    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// The attribute paths that any rule reads, by [`Slot`]: `header.x-canary`, `country`. Without `targetingKey` and `$flagd.*`.
    pub fn paths(&self) -> &[Arc<str>] {
        &self.paths
    }

    /// Evaluates one flag. Never panics, never allocates for `if`, comparison, logic, `in`, `fractional`.
    pub fn evaluate<C: Context>(&self, _id: FlagId, _context: &C) -> Resolution {
        todo!()
    }

    /// Evaluates one flag and tells every step.
    pub fn trace<C: Context>(&self, _id: FlagId, _context: &C) -> (Resolution, Vec<Step>) {
        todo!()
    }
}

impl Flag {
    /// The value of a variant.
    pub fn value(&self, _variant: VariantId) -> Option<&serde_json::Value> {
        todo!()
    }

    /// The name of a variant.
    pub fn variant_name(&self, _variant: VariantId) -> Option<&Arc<str>> {
        todo!()
    }
}
