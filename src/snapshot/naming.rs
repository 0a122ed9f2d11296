//! How a flag's values name versions of a service: by their names, or as the configuration maps them.
//!
//! Every variant is looked up when a snapshot is built; a request only picks.

use serde_json::Value;

use crate::config::route::FlagName;
use crate::config::service::{Service, VersionId};
use crate::config::{Name, Problem, ProblemKind, Severity, suggest};
use crate::flag::{Definition, Flag};

/// Why a variant's value names no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// It is no text, and the route maps no values.
    WrongType,
    /// It names no version of the service, or is not mapped.
    UnknownVersion,
}

/// What a flag's values are taken for; `V` is what one of them stands for.
pub(super) struct Naming<'a, V> {
    /// In words: ``the route `shop` ``.
    pub asker: String,
    /// The flag.
    pub flag: &'a FlagName,
    /// Whose versions are named.
    pub service: &'a Service,
    /// What texts stand for, unless values are mapped.
    pub names: Vec<(&'a str, V)>,
    /// Any value, mapped.
    pub values: Option<&'a [(Value, V)]>,
    /// In words, what maps them: ``the route's `version.values` ``.
    pub values_key: &'static str,
}

impl<V: Copy> Naming<'_, V> {
    /// Looks every variant up; one that names nothing is pushed onto `problems`.
    pub(super) fn by_variant(
        &self,
        flag: Option<&Flag>,
        problems: &mut Vec<Problem>,
    ) -> Vec<Result<V, Unusable>> {
        let Some(definition) = flag.and_then(|flag| flag.definition.as_ref()) else { return Vec::new() };
        let look_up = |(variant, value): &(Name, Value)| {
            self.of(value).inspect_err(|_| problems.push(self.problem(definition, variant, value)))
        };
        definition.variants.iter().map(look_up).collect()
    }

    fn of(&self, value: &Value) -> Result<V, Unusable> {
        let found = match (self.values, value) {
            (None, Value::String(text)) => self.names.iter().find(|(name, _)| name == text).map(|(_, v)| *v),
            (None, _) => return Err(Unusable::WrongType),
            (Some(values), value) => values.iter().find(|(mapped, _)| same(mapped, value)).map(|(_, v)| *v),
        };
        found.ok_or(Unusable::UnknownVersion)
    }

    fn problem(&self, definition: &Definition, variant: &str, value: &Value) -> Problem {
        let Naming { asker, flag, service, values_key, .. } = self;
        let names = || self.names.iter().map(|(name, _)| *name);
        let known = value.as_str().and_then(|value| suggest(value, names()));
        Problem {
            kind: ProblemKind::MissingVersion,
            severity: Severity::Warning,
            place: definition.place.clone().or_else(|| Some(flag.place.clone())),
            key: format!("flags.{}.variants.{variant}", definition.key),
            found: format!(
                "the variant `{variant}` has the value {value}, which names no version of the service `{}`, as {asker} asks",
                service.name
            ),
            expected: Some(match self.values {
                None => format!("one of {}", names().collect::<Vec<_>>().join(", ")),
                Some(_) => format!("a value that {values_key} maps"),
            }),
            fix: known.map(|known| format!("did you mean `{known}`?")),
        }
    }
}

/// A service's versions by name.
pub(super) fn versions(service: &Service) -> impl Iterator<Item = (&str, VersionId)> {
    service.versions.iter().enumerate().map(|(index, version)| (&*version.name, VersionId(index)))
}

/// Equality of JSON values in which 1 and 1.0 are the same number.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}
