//! One flag as written, checked: state, variants, default variant, targeting with its references put in, metadata.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::VariantId;
use crate::config::Place;

/// A checked definition.
#[derive(Debug, Clone)]
pub struct Definition {
    pub key: Arc<str>,
    pub state: FlagState,
    /// At least one; names are unique and not empty.
    pub variants: Vec<(Arc<str>, serde_json::Value)>,
    pub default_variant: Option<VariantId>,
    /// With every `$ref` put in; none for absent, null or `{}`. It is known to compile.
    pub targeting: Option<serde_json::Value>,
    /// The set's metadata overlaid by the flag's own; booleans, strings and numbers.
    pub metadata: BTreeMap<String, serde_json::Value>,
    /// Where the flag's key stands.
    pub place: Option<Place>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagState {
    Enabled,
    Disabled,
}

/// What is known of a key after merging: a definition, or only that there never was a good one.
#[derive(Debug, Clone)]
pub enum Entry {
    Good(Arc<Definition>),
    /// Answers PARSE_ERROR, with this message.
    Broken(Arc<str>),
}

impl Definition {
    /// The definition as JSON with sorted keys: equal definitions have equal text.
    pub fn canonical(&self) -> String {
        todo!()
    }
}
