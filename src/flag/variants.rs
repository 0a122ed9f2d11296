//! The names of a flag's variants, sorted, and what a rule's result means among them.

use std::sync::Arc;

use super::fault::quoted;
use super::rule::Answer;
use super::{Definition, Value, VariantId};

/// Variant names in order, each with its index in the definition.
#[derive(Debug, Default)]
pub struct VariantNames(Box<[(Arc<str>, VariantId)]>);

impl VariantNames {
    /// The names of a definition's variants.
    pub fn of(definition: &Definition) -> VariantNames {
        let names = definition.variants.iter().enumerate();
        let mut names: Vec<_> = names.map(|(at, (name, _))| (name.clone(), VariantId(at as u32))).collect();
        names.sort();
        VariantNames(names.into())
    }

    /// The variant of that name.
    pub fn find(&self, name: &str) -> Option<VariantId> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(name)).ok().map(|at| self.0[at].1)
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// What a rule's result means: null is the default; a text, boolean or number names a variant.
    pub fn answer(&self, result: &Value) -> Answer {
        let found = match result {
            Value::Null => return Answer::Default,
            Value::Number(number) if number.is_none() => return Answer::Default,
            Value::Text(name) => self.find(name),
            Value::Bool(true) => self.find("true"),
            Value::Bool(false) => self.find("false"),
            Value::Number(number) => self.find(&number.to_string()),
            Value::Array(_) | Value::List(_) | Value::Object(_) => None,
        };
        found.map_or(Answer::Unknown, Answer::Variant)
    }

    /// An answer in words.
    pub fn describe(&self, answer: Answer) -> String {
        match answer {
            Answer::Variant(id) => match self.0.iter().find(|(_, known)| *known == id) {
                Some((name, _)) => format!("variant {}", quoted(name)),
                None => "a variant".to_owned(),
            },
            Answer::Default => "null".to_owned(),
            Answer::Unknown => "names no variant".to_owned(),
        }
    }
}
