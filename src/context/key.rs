//! The targeting key: the first configured source that is present once and holds 1 to 256 bytes.

use std::borrow::Cow;

use super::facts::RequestFacts;
use super::visitor::VisitorChange;
use crate::config::context::KeySource;

/// A compiled list of sources.
#[derive(Debug, Clone)]
pub struct KeyRules {
    sources: Vec<KeySource>,
}

/// Who a decision sticks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetingKey<'a> {
    pub value: Cow<'a, str>,
    /// A visitor cookie to set: newly minted, or due for renewal.
    pub visitor: Option<VisitorChange>,
}

impl KeyRules {
    pub fn new(sources: &[KeySource]) -> KeyRules {
        KeyRules { sources: sources.to_vec() }
    }

    /// The key of a request, if any. `may_mint` is whether a flag of the route reads the key; `fresh` are 128 random bits, `now` Unix seconds.
    pub fn resolve<'a>(
        &self,
        _facts: &RequestFacts<'a>,
        _may_mint: bool,
        _now: i64,
        _fresh: u128,
    ) -> Option<TargetingKey<'a>> {
        let _ = &self.sources;
        todo!()
    }

    /// What the key depends on, for `Vary`: header and cookie names.
    pub fn inputs(&self) -> impl Iterator<Item = super::Input> + '_ {
        std::iter::empty()
    }
}
