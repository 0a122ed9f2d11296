//! Which version each variant of a route's version flag names.

use crate::config::route::VersionRule;
use crate::config::service::{Service, VersionId};
use crate::config::{Problem, ProblemKind, Severity, suggest};
use crate::flag::{Flag, VariantId};

/// How the version flag's variants name versions. The flag is the first of [`super::Plan::flags`].
#[derive(Debug)]
pub struct VersionPlan {
    /// By variant.
    pub by_variant: Vec<Result<VersionId, Unusable>>,
    /// Whether the flag's rule can read the targeting key.
    pub reads_key: bool,
}

/// Why a variant's value names no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// It is no text, and the route maps no values.
    WrongType,
    /// It names no version of the service, or is not mapped.
    UnknownVersion,
}

impl VersionPlan {
    /// Looks every variant up; one that names no version is pushed onto `problems`.
    pub fn build(
        route: &str,
        rule: &VersionRule,
        flag: Option<&Flag>,
        service: &Service,
        problems: &mut Vec<Problem>,
    ) -> VersionPlan {
        let Some(definition) = flag.and_then(|flag| flag.definition.as_ref()) else {
            return VersionPlan { by_variant: Vec::new(), reads_key: false };
        };
        let by_variant: Vec<_> =
            definition.variants.iter().map(|(_, value)| version_of(value, rule, service)).collect();
        for ((variant, value), version) in definition.variants.iter().zip(&by_variant) {
            if version.is_ok() {
                continue;
            }
            let versions: Vec<&str> = service.versions.iter().map(|version| &*version.name).collect();
            problems.push(Problem {
                kind: ProblemKind::MissingVersion,
                severity: Severity::Warning,
                place: definition.place.clone().or_else(|| Some(rule.flag.place.clone())),
                key: format!("flags.{}.variants.{variant}", definition.key),
                found: format!(
                    "the variant `{variant}` has the value {value}, which names no version of the service `{}`, as the route `{route}` asks",
                    service.name
                ),
                expected: Some(match &rule.values {
                    None => format!("one of {}", versions.join(", ")),
                    Some(_) => "a value that the route's `version.values` maps".to_owned(),
                }),
                fix: value
                    .as_str()
                    .and_then(|value| suggest(value, versions.iter().copied()))
                    .map(|known| format!("did you mean `{known}`?")),
            });
        }
        let reads_key = flag.is_some_and(|flag| flag.reads.targeting_key || flag.reads.everything);
        VersionPlan { by_variant, reads_key }
    }

    /// The version that a variant names.
    pub fn of(&self, variant: VariantId) -> Result<VersionId, Unusable> {
        self.by_variant.get(variant.0 as usize).copied().unwrap_or(Err(Unusable::UnknownVersion))
    }
}

/// The version that a flag's value names.
fn version_of(
    value: &serde_json::Value,
    rule: &VersionRule,
    service: &Service,
) -> Result<VersionId, Unusable> {
    match (&rule.values, value) {
        (None, serde_json::Value::String(name)) => service.find(name).ok_or(Unusable::UnknownVersion),
        (None, _) => Err(Unusable::WrongType),
        (Some(values), value) => values
            .iter()
            .find(|(mapped, _)| same(mapped, value))
            .map(|(_, version)| *version)
            .ok_or(Unusable::UnknownVersion),
    }
}

/// Equality of JSON values in which 1 and 1.0 are the same number.
fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}
