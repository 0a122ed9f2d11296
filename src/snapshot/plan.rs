//! What flags decide about one route, worked out when a snapshot is built.

use http::HeaderName;

use super::caching::CachePlan;
use super::injection::Injections;
use crate::config::route::{Action, Forward, Route, VersionRule};
use crate::config::service::{Service, ServiceId, VersionId};
use crate::config::{Config, Name, Problem, ProblemKind, Severity};
use crate::context::{KeyRules, Readers};
use crate::flag::{Flag, FlagId, FlagSet, VariantId};
use crate::route::RouteId;

/// The plan of a route.
#[derive(Debug)]
pub struct Plan {
    /// Where the targeting key comes from.
    pub key_rules: KeyRules,
    /// Whether any flag of the route reads the targeting key: only then is a visitor minted.
    pub reads_key: bool,
    /// The route's flags, each once: the version's first, then the injected ones in the order written.
    pub flags: Vec<PlannedFlag>,
    /// None: the route answers by itself.
    pub forward: Option<ForwardPlan>,
    /// What is done to answers for the sake of shared caches.
    pub caching: CachePlan,
}

/// A flag that a route names.
#[derive(Debug)]
pub struct PlannedFlag {
    /// As the route names it.
    pub key: Name,
    /// None: no such flag, which is reported and answers FLAG_NOT_FOUND.
    pub id: Option<FlagId>,
}

/// Where a route forwards to.
#[derive(Debug)]
pub struct ForwardPlan {
    /// The route's service.
    pub service: ServiceId,
    /// Serves when the flag says nothing usable.
    pub default: VersionId,
    /// None: always the default version.
    pub version: Option<VersionPlan>,
    /// What travels behind the door.
    pub injections: Injections,
}

/// How the version flag's variants name versions. The flag is the first of [`Plan::flags`].
#[derive(Debug)]
pub struct VersionPlan {
    /// By variant.
    pub by_variant: Vec<Result<VersionId, Unusable>>,
}

/// Why a variant's value names no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// It is no text, and the route maps no values.
    WrongType,
    /// It names no version of the service, or is not mapped.
    UnknownVersion,
}

impl Plan {
    /// Works out a route's plan; what does not fit together is pushed onto `problems`.
    pub fn build(
        config: &Config,
        id: RouteId,
        route: &Route,
        flags: &FlagSet,
        readers: &Readers,
        problems: &mut Vec<Problem>,
    ) -> Plan {
        let key_rules =
            KeyRules::new(route.targeting_key.as_deref().unwrap_or(&config.context.targeting_key));
        let Action::Forward(forward) = &route.action else {
            return Plan {
                key_rules,
                reads_key: false,
                flags: Vec::new(),
                forward: None,
                caching: CachePlan::none(),
            };
        };
        let planned = named_flags(id, forward, flags, problems);
        let known = || planned.iter().filter_map(|flag| flag.id).map(|id| flags.get(id));
        let reads_key = known().any(|flag| flag.reads.targeting_key || flag.reads.everything);
        let service = config.service(forward.service);
        let version = forward.version.as_ref().map(|rule| {
            let flag = planned.first().and_then(|flag| flag.id).map(|id| flags.get(id));
            VersionPlan::build(&route.name, rule, flag, service, problems)
        });
        let injections =
            Injections::build(config, id, route, forward, version.as_ref(), &planned, flags, problems);
        let caching = CachePlan::build(route.caching, known(), readers, reads_key.then_some(&key_rules));
        let forward =
            Some(ForwardPlan { service: forward.service, default: service.default, version, injections });
        Plan { key_rules, reads_key, flags: planned, forward, caching }
    }
}

/// Each flag once, the version's first.
fn named_flags(
    id: RouteId,
    forward: &Forward,
    flags: &FlagSet,
    problems: &mut Vec<Problem>,
) -> Vec<PlannedFlag> {
    let mut planned: Vec<PlannedFlag> = Vec::with_capacity(forward.inject.len() + 1);
    let version = forward.version.iter().map(|rule| (&rule.flag, "version.flag".to_owned()));
    let injected = forward.inject.iter().enumerate().map(|(index, flag)| (flag, format!("inject[{index}]")));
    for (name, key) in version.chain(injected) {
        if planned.iter().any(|flag| flag.key == name.key) {
            continue;
        }
        let found = flags.find(&name.key);
        if found.is_none() {
            problems.push(Problem {
                kind: ProblemKind::MissingFlag,
                severity: Severity::Warning,
                place: Some(name.place.clone()),
                key: format!("routes[{}].{key}", id.0),
                found: format!("no source defines the flag `{}`", name.key),
                expected: Some("a flag that is defined; until then the default version serves".to_owned()),
                fix: nearest(&name.key, flags.iter().map(|(_, flag)| &*flag.key)),
            });
        }
        planned.push(PlannedFlag { key: name.key.clone(), id: found });
    }
    planned
}

impl VersionPlan {
    fn build(
        route: &str,
        rule: &VersionRule,
        flag: Option<&Flag>,
        service: &Service,
        problems: &mut Vec<Problem>,
    ) -> VersionPlan {
        let Some(definition) = flag.and_then(|flag| flag.definition.as_ref()) else {
            return VersionPlan { by_variant: Vec::new() };
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
                fix: value.as_str().and_then(|value| nearest(value, versions.iter().copied())),
            });
        }
        VersionPlan { by_variant }
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

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    crate::config::suggest(name, known).map(|known| format!("did you mean `{known}`?"))
}

/// The field name under which a flag is injected.
pub fn field_name(prefix: &str, key: &str) -> Option<HeaderName> {
    HeaderName::try_from(format!("{prefix}{}", fold(key))).ok()
}

/// Lower case, and everything that is not a letter or digit becomes `-`.
pub fn fold(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}
