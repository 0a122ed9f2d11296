//! Decodes how a flag names a version.

use serde_json::Value;

use super::scalar::{value, words};
use super::service::{Names, version_named};
use super::{Decoder, Item};
use crate::config::reference::{Object, Type, optional, required};
use crate::config::route::{FlagName, VersionRule};
use crate::config::service::ServiceId;

pub static VERSION_RULE: Object = Object {
    title: "Version by flag",
    doc: "Which version a flag's value names.",
    keys: &[
        required(
            "flag",
            Type::FlagKey,
            "The flag; without `values`, its string value is the version's name.",
        ),
        optional(
            "values",
            Type::Map(&Type::Value, &Type::Name),
            "Versions by the flag's value: `{true: canary, false: stable}`.",
        ),
    ],
    rules: &[],
    later: &[],
};

pub fn version_rule(
    item: &Item<'_>,
    decoder: &mut Decoder<'_>,
    names: &Names,
    service: Option<ServiceId>,
) -> Option<VersionRule> {
    let mut fields = decoder.fields(item)?;
    let flag = fields.get("flag", decoder, flag_name);
    let (service, versions) = names.of(service);
    let values = fields.get("values", decoder, |item, decoder| {
        values(item, decoder, |version, decoder| version_named(version, decoder, versions, service))
    });
    Some(VersionRule { flag: flag?, values })
}

pub fn flag_name(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<FlagName> {
    Some(FlagName { key: words(item, decoder)?, place: item.value_place() })
}

/// What each value of a flag stands for.
pub fn values<T>(
    item: &Item<'_>,
    decoder: &mut Decoder<'_>,
    mut read: impl FnMut(&Item<'_>, &mut Decoder<'_>) -> Option<T>,
) -> Option<Vec<(Value, T)>> {
    if item.node.map().is_some_and(<[_]>::is_empty) {
        let problem = item.problem("no value names a version").with_expected("at least one value");
        decoder.report(problem.with_fix("remove `values`: then the flag's string value names the version"));
    }
    let mut seen: Vec<Value> = Vec::new();
    decoder.map(item, |key, meaning, decoder| {
        let flag_value = value(key, decoder);
        let meaning = read(meaning, decoder);
        let flag_value = flag_value?;
        // `1` and `1.0` are one value to a flag.
        let same = |other: &Value| {
            *other == flag_value || (other.is_number() && other.as_f64() == flag_value.as_f64())
        };
        if seen.iter().any(same) {
            decoder.report(
                key.problem(format!("the value `{flag_value}` stands twice"))
                    .with_expected("each value once"),
            );
        }
        seen.push(flag_value.clone());
        Some((flag_value, meaning?))
    })
}
