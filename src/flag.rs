//! Flags: definitions in flagd's format, compiled targeting, evaluation.
//!
//! Pure, and knows nothing of HTTP: a rule reads attributes through [`Context`], by [`Slot`]. What can be done when
//! definitions load is done then; while a request waits, nothing is parsed, looked up by name or interpreted from JSON.

mod cbor;
mod compile;
pub mod definition;
pub mod document;
mod eval;
mod evaluators;
mod fault;
pub mod flag_map;
pub mod identity;
pub mod json_context;
mod locate;
mod meter;
mod murmur3;
mod number;
mod operators;
mod reading;
pub mod resolution;
mod rule;
pub mod selector;
pub mod set;
mod trace;
pub mod value;
mod variants;
mod yaml;

pub use definition::{Definition, Entry, FlagState};
pub use document::{Document, Format};
pub use flag_map::{FlagMap, Stated};
pub use identity::Identity;
pub use json_context::JsonContext;
pub use number::Number;
pub use resolution::{ErrorCode, Limit, Reason, Resolution};
pub use selector::Selector;
pub use set::{Flag, FlagSet, Reads, Step};
pub use value::Value;

/// What is known of flags.
pub type Definitions = FlagMap<Entry>;

/// Index of a flag in its [`FlagSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlagId(pub u32);

/// Index of a variant in its flag, in the order of [`Definition::variants`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VariantId(pub u32);

/// Index of an attribute path in [`FlagSet::paths`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u32);

/// What a rule can see of the world. Implementations answer lazily: an attribute that no rule reads costs nothing.
pub trait Context {
    /// The targeting key, if there is one; never empty.
    fn targeting_key(&self) -> Option<&str>;

    /// The attribute at a slot; `Value::Null` when absent. `targetingKey` and `$flagd.*` never come here.
    fn attribute(&self, slot: Slot) -> Value<'_>;

    /// Bytes that are looked through to find the attribute at a slot, or any computed one; 0 where it is found at once. It counts for the
    /// steps of an evaluation.
    fn search(&self, slot: Option<Slot>) -> usize {
        let _ = slot;
        0
    }

    /// An attribute whose path is known only while the rule runs (`{"var": {"cat": [..]}}`). Slow path.
    fn computed(&self, path: &str) -> Value<'_>;

    /// The whole context as an object, for `{"var": ""}`. Slow path.
    fn whole(&self) -> serde_json::Value;

    /// `$flagd.timestamp`: Unix time in seconds.
    fn timestamp(&self) -> i64;
}

#[cfg(test)]
mod tests;
