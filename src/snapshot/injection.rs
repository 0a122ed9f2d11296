//! Which of a route's flags travel as headers, with every value made ready, within the budget.

use std::collections::BTreeMap;

use http::HeaderName;

use super::named::NamedFlag;
use super::version::VersionPlan;
use super::wire::{Wire, serialize_text};
use crate::config::route::{Forward, Route};
use crate::config::service::VersionId;
use crate::config::{Config, Injection, Name, Place, Problem, ProblemKind, Severity};
use crate::flag::{Flag, FlagSet, VariantId};
use crate::route::RouteId;

/// The flags of a route that travel, in the order written.
#[derive(Debug, Default)]
pub struct Injections {
    /// At most as many as the budget holds.
    pub flags: Vec<InjectedFlag>,
}

/// One flag that travels.
#[derive(Debug)]
pub struct InjectedFlag {
    /// Index into the plan's flags.
    pub flag: usize,
    /// Of its own field; none when a value cannot stand in one, or none are asked for.
    pub name: Option<HeaderName>,
    /// By variant.
    pub variants: Vec<InjectedVariant>,
    /// Only of the route's version flag: by version, what tells that this version serves.
    pub versions: Vec<Wire>,
}

/// What a variant becomes.
#[derive(Debug)]
pub struct InjectedVariant {
    /// Its value in each form.
    pub wire: Wire,
    /// The dictionary's parameter: `;v="on"`.
    pub parameter: Box<str>,
}

/// Parameters that the dictionary adds at run time at most: `;r=targeting_match;served="..";why=..`.
const RUN_TIME_PARAMETERS: usize = 80;

impl Injections {
    /// Makes a route's injections; what does not travel is pushed onto `problems`.
    #[expect(clippy::too_many_arguments, reason = "one caller, and each is a different part of the house")]
    pub fn build(
        config: &Config,
        id: RouteId,
        route: &Route,
        forward: &Forward,
        version: Option<&VersionPlan>,
        planned: &[NamedFlag],
        flags: &FlagSet,
        problems: &mut Vec<Problem>,
    ) -> Injections {
        let mut built: Vec<InjectedFlag> = Vec::new();
        let mut budget = Budget::new(&config.injection);
        let mut folded_by: BTreeMap<String, Name> = BTreeMap::new();
        for (index, name) in forward.inject.iter().enumerate() {
            let mut report = |kind, found: String, fix: &str| {
                problems.push(Problem {
                    kind,
                    severity: Severity::Warning,
                    place: Some(Place::clone(&name.place)),
                    key: format!("routes[{}].inject[{index}]", id.0),
                    found,
                    expected: None,
                    fix: Some(fix.to_owned()),
                });
            };
            let Some(position) = planned.iter().position(|flag| flag.key == name.key) else { continue };
            let folded = Injection::fold(&name.key);
            if let Some(other) = folded_by.get(&folded).filter(|other| **other != name.key) {
                let found = format!(
                    "`{}` and `{other}` fold to one header name: {}{folded}",
                    name.key, config.injection.prefix
                );
                report(
                    ProblemKind::HeaderCollision,
                    found,
                    "rename one of them, or inject only one on this route",
                );
                continue;
            }
            if folded_by.insert(folded.clone(), name.key.clone()).is_some() {
                continue;
            }
            let decides_version = position == 0 && version.is_some();
            let flag = planned[position].id.map(|id| flags.get(id));
            let mut injected = InjectedFlag {
                flag: position,
                name: if config.injection.headers {
                    HeaderName::try_from(format!("{}{folded}", config.injection.prefix)).ok()
                } else {
                    None
                },
                variants: variants(&folded, flag),
                versions: Vec::new(),
            };
            if let Some(version) = version.filter(|_| decides_version) {
                injected.versions = versions(config, forward, version, &folded, flag);
            }
            if injected.name.is_some() && injected.wires().any(|wire| wire.field.is_none()) {
                let found = format!(
                    "a value of `{}` cannot stand in a header field: it has control characters, characters beyond ASCII, or a blank at an end",
                    name.key
                );
                report(
                    ProblemKind::Unsendable,
                    found,
                    "use plain ASCII values, or take the flag out of `inject`",
                );
                injected.name = None;
            }
            if let Err(over) = budget.take(&injected) {
                let found = format!(
                    "`{}` does not fit: {over}; it is not injected on route `{}`",
                    name.key, route.name
                );
                report(
                    ProblemKind::OverBudget,
                    found,
                    "shorten the values, inject fewer flags, or raise the limit under `injection`",
                );
                continue;
            }
            built.push(injected);
        }
        Injections { flags: built }
    }
}

impl InjectedFlag {
    fn wires(&self) -> impl Iterator<Item = &Wire> {
        self.variants.iter().map(|variant| &variant.wire).chain(&self.versions)
    }
}

/// Every variant of a flag made ready; a missing flag has none.
fn variants(folded: &str, flag: Option<&Flag>) -> Vec<InjectedVariant> {
    let Some(definition) = flag.and_then(|flag| flag.definition.as_ref()) else { return Vec::new() };
    let ready = |(variant, value): &(Name, serde_json::Value)| InjectedVariant {
        wire: Wire::new(folded, variant, value),
        parameter: format!(";v={}", serialize_text(variant)).into(),
    };
    definition.variants.iter().map(ready).collect()
}

/// What tells each version of the service: the value of the first variant that names it, else its own name.
fn versions(
    config: &Config,
    forward: &Forward,
    plan: &VersionPlan,
    folded: &str,
    flag: Option<&Flag>,
) -> Vec<Wire> {
    let service = config.service(forward.service);
    let wire = |(index, version): (usize, &crate::config::service::Version)| {
        let variant = plan.by_variant.iter().position(|named| *named == Ok(VersionId(index)));
        let variant = variant.map(|variant| VariantId(variant as u32));
        let told = flag.zip(variant).and_then(|(flag, variant)| {
            Some((flag.variant_name(variant)?.clone(), flag.value(variant)?.clone()))
        });
        let (name, value) = told.unwrap_or_else(|| (version.name.clone(), (*version.name).into()));
        Wire::new(folded, &name, &value)
    };
    service.versions.iter().enumerate().map(wire).collect()
}

/// What is left of `max_bytes` and `max_fields`.
struct Budget<'a> {
    injection: &'a Injection,
    bytes: usize,
    fields: usize,
}

impl Budget<'_> {
    fn new(injection: &Injection) -> Budget<'_> {
        let shared = usize::from(injection.dictionary);
        Budget { injection, bytes: 0, fields: shared }
    }

    /// Takes a flag's longest forms, or says what they exceed.
    fn take(&mut self, flag: &InjectedFlag) -> Result<(), String> {
        let parameters = flag.variants.iter().map(|variant| variant.parameter.len()).max().unwrap_or(0);
        let longest = |of: fn(&Wire) -> usize| flag.wires().map(of).max().unwrap_or(0);
        let mut bytes = 0;
        if let Some(name) = &flag.name {
            let value = longest(|wire| wire.field.as_ref().map_or(0, |field| field.len()));
            bytes += name.as_str().len() + value + ": \r\n".len();
        }
        if self.injection.dictionary {
            let member = longest(|wire| wire.member.as_ref().map_or(0, |member| member.len()));
            bytes += member + parameters + RUN_TIME_PARAMETERS;
        }
        if self.injection.baggage {
            bytes += longest(|wire| wire.baggage.len()) + 1;
        }
        let fields = usize::from(flag.name.is_some());
        if self.bytes + bytes > self.injection.max_bytes {
            return Err(format!("`injection.max_bytes` is {}", self.injection.max_bytes));
        }
        if self.fields + fields > self.injection.max_fields {
            return Err(format!("`injection.max_fields` is {}", self.injection.max_fields));
        }
        self.bytes += bytes;
        self.fields += fields;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::ProblemKind;
    use crate::snapshot::fixture::snapshot;

    fn injected(extra: &str, inject: &str, flags: &[(&str, &str)]) -> (Vec<String>, Vec<ProblemKind>) {
        let flags: Vec<String> = flags
            .iter()
            .map(|(key, value)| {
                format!(r#""{key}":{{"state":"ENABLED","variants":{{"on":{value}}},"defaultVariant":"on"}}"#)
            })
            .collect();
        let snapshot = snapshot(
            extra,
            &format!("    inject: [{inject}]"),
            &format!(r#"{{"flags":{{{}}}}}"#, flags.join(",")),
        );
        let forward = snapshot.plans[0].forward.as_ref().unwrap();
        let names = forward
            .injections
            .flags
            .iter()
            .filter_map(|flag| Some(flag.name.as_ref()?.to_string()))
            .collect();
        (names, snapshot.problems.iter().map(|problem| problem.kind).collect())
    }

    #[test]
    fn two_flags_that_fold_to_one_name_are_reported_and_the_first_travels() {
        let (names, problems) = injected("", "a.b, A_b", &[("a.b", "1"), ("A_b", "2")]);
        assert_eq!(names, ["x-flag-a-b"]);
        assert_eq!(problems, [ProblemKind::HeaderCollision]);
    }

    #[test]
    fn what_cannot_stand_in_a_field_does_not_travel() {
        for value in [r#""a\r\nx-evil: 1""#, r#""grün""#, r#"" a""#, r#""\u0001""#] {
            let (names, problems) = injected("", "a, b", &[("a", value), ("b", "true")]);
            assert_eq!(names, ["x-flag-b"], "{value}");
            assert_eq!(problems, [ProblemKind::Unsendable], "{value}");
        }
    }

    #[test]
    fn the_budget_is_taken_in_the_order_written() {
        let long = format!("\"{}\"", "v".repeat(100));
        let flags = [("a", "true"), ("b", long.as_str()), ("c", "true")];
        let (names, problems) = injected("injection: {max_bytes: 64}", "a, b, c", &flags);
        assert_eq!(names, ["x-flag-a", "x-flag-c"]);
        assert_eq!(problems, [ProblemKind::OverBudget]);
        let (names, problems) = injected("injection: {max_fields: 2}", "a, b, c", &flags);
        assert_eq!(names, ["x-flag-a", "x-flag-b"]);
        assert_eq!(problems, [ProblemKind::OverBudget]);
    }

    #[test]
    fn a_flag_that_is_missing_is_reported_and_the_others_travel() {
        let (names, problems) = injected("", "a, gone", &[("a", "true")]);
        assert_eq!(names, ["x-flag-a", "x-flag-gone"]);
        assert_eq!(problems, [ProblemKind::MissingFlag]);
    }
}
