//! One change put onto one definition.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::change::Change;
use super::refusal::{Refusal, Why};
use super::weight::reweigh;
use crate::config::{FlagLimits, Problem};
use crate::flag::{Definition, Document, FlagState, Format, VariantId};

/// What came of a change.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The flag as it is now.
    pub definition: Definition,
    /// What is odd about the definition that was set, without stopping it; keys begin with `flags.`, places are none.
    pub warnings: Vec<Problem>,
}

/// Puts a change onto the definition that stands below it; none: there is no usable one.
///
/// A kill never fails. A set replaces all but metadata, which it overlays, as a flag's own overlays that of its document.
pub fn apply(
    change: &Change,
    key: &str,
    definition: Option<&Definition>,
    limits: &FlagLimits,
) -> Result<Applied, Refusal> {
    let refuse = |why| Refusal { flag: key.to_owned(), why };
    let below = || definition.ok_or_else(|| refuse(Why::NoDefinition));
    let (definition, warnings) = match change {
        Change::Set(json) => set(key, json, definition, limits).map_err(refuse)?,
        Change::State(state) => (Definition { state: *state, ..below()?.clone() }, Vec::new()),
        Change::Weight(shares) => (reweigh(below()?, shares).map_err(refuse)?, Vec::new()),
        Change::Kill { variant, value } => (kill(key, variant, value, definition), Vec::new()),
    };
    Ok(Applied { definition, warnings })
}

/// Everyone gets the variant, with this value; all that a kill does not concern stays to be seen.
pub(super) fn kill(key: &str, variant: &str, value: &Json, below: Option<&Definition>) -> Definition {
    let mut variants = below.map_or_else(Vec::new, |below| below.variants.clone());
    // They stand in the order of their names.
    let at = variants.binary_search_by(|(name, _)| (**name).cmp(variant));
    let at = match at {
        Ok(at) => {
            variants[at].1 = value.clone();
            at
        }
        Err(at) => {
            variants.insert(at, (variant.into(), value.clone()));
            at
        }
    };
    Definition {
        key: below.map_or_else(|| Arc::from(key), |below| below.key.clone()),
        state: FlagState::Enabled,
        variants,
        default_variant: Some(VariantId(at as u32)),
        targeting: None,
        metadata: below.map(|below| below.metadata.clone()).unwrap_or_default(),
        place: below.and_then(|below| below.place.clone()),
    }
}

/// Read by the reader that reads documents: what would be refused there is refused here.
fn set(
    key: &str,
    json: &Json,
    below: Option<&Definition>,
    limits: &FlagLimits,
) -> Result<(Definition, Vec<Problem>), Why> {
    let text = json!({"flags": {key: json}}).to_string();
    // Places in this text would be places in nothing that anybody wrote.
    let placeless = |problems: Vec<Problem>| -> Vec<Problem> {
        problems.into_iter().map(|problem| Problem { place: None, ..problem }).collect()
    };
    let document = Document::parse("overlay", &text, Format::Json, limits);
    let document = document.map_err(|problems| Why::Definition(placeless(problems)))?;
    match document.flags.into_values().next() {
        Some(Ok(own)) => {
            let mut metadata = below.map(|below| below.metadata.clone()).unwrap_or_default();
            metadata.extend(own.metadata.clone());
            Ok((
                Definition { metadata, place: None, ..Definition::clone(&own) },
                placeless(document.warnings),
            ))
        }
        Some(Err(problems)) => Err(Why::Definition(placeless(problems))),
        // The document has this one flag.
        None => Err(Why::Definition(Vec::new())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{definition, flag};
    use super::*;

    const LIMITS: FlagLimits = FlagLimits {
        document_bytes: 10_000,
        flags: 10,
        values: 1_000,
        rule_depth: 8,
        rule_nodes: 100,
        steps: 1_000,
        produced_bytes: 1_000,
    };

    fn killed(variant: &str, value: Json, below: Option<Json>) -> Json {
        let below = below.map(|below| definition("f", &below));
        let change = Change::Kill { variant: variant.to_owned(), value };
        apply(&change, "f", below.as_ref(), &LIMITS).expect("a kill never fails").definition.to_json()
    }

    #[test]
    fn a_kill_stands_above_rule_and_state_and_whatever_the_source_drops() {
        let rule = json!({"fractional": [["canary", 1], ["stable", 99]]});
        let two = json!({"stable": "stable", "canary": "canary"});
        let split = flag(json!({"targeting": rule}));
        let killed_split = json!({"state": "ENABLED", "variants": two, "defaultVariant": "stable"});
        assert_eq!(killed("stable", json!("stable"), Some(split)), killed_split);
        assert_eq!(killed("stable", json!("stable"), Some(flag(json!({"state": "DISABLED"})))), killed_split);
        assert_eq!(
            killed(
                "stable",
                json!("stable"),
                Some(flag(json!({"variants": {"canary": 1, "v2": 2}, "defaultVariant": "v2"})))
            ),
            json!({"state": "ENABLED", "variants": {"canary": 1, "stable": "stable", "v2": 2}, "defaultVariant": "stable"}),
            "a variant that went is put back"
        );
        assert_eq!(
            killed("stable", json!("old"), Some(flag(json!({"metadata": {"owner": "ann"}})))),
            json!({"state": "ENABLED", "variants": {"stable": "old", "canary": "canary"}, "defaultVariant": "stable", "metadata": {"owner": "ann"}}),
            "the value that it had stands"
        );
        assert_eq!(
            killed("stable", json!("stable"), None),
            json!({"state": "ENABLED", "variants": {"stable": "stable"}, "defaultVariant": "stable"}),
            "a flag that went is put back"
        );
    }

    #[test]
    fn a_kill_takes_the_value_that_runs() {
        let running = definition("f", &flag(json!({})));
        assert_eq!(
            Change::kill("f", Some(&running), "stable"),
            Ok(Change::Kill { variant: "stable".to_owned(), value: json!("stable") })
        );
        for (running, variant, told) in [
            (Some(&running), "stabel", "`f` has no variant `stabel`; did you mean `stable`?"),
            (
                Some(&running),
                "beta",
                "`f` has no variant `beta`; use one of its variants: `canary`, `stable`",
            ),
            (
                None,
                "stable",
                "there is no usable definition of `f`; mend the flag in its source, or give it a definition with `flags set`",
            ),
        ] {
            assert_eq!(Change::kill("f", running, variant).expect_err("it is refused").to_string(), told);
        }
    }

    #[test]
    fn a_state_changes_nothing_else() {
        let below = definition("f", &flag(json!({"metadata": {"owner": "ann"}})));
        let disabled =
            apply(&Change::State(FlagState::Disabled), "f", Some(&below), &LIMITS).expect("it applies");
        assert_eq!(
            disabled.definition.to_json(),
            flag(json!({"metadata": {"owner": "ann"}, "state": "DISABLED"}))
        );
        let refused =
            apply(&Change::State(FlagState::Disabled), "f", None, &LIMITS).expect_err("there is no flag");
        assert_eq!(refused.why, Why::NoDefinition);
    }

    #[test]
    fn a_set_replaces_all_but_metadata_and_is_checked_like_a_document() {
        let below = definition("f", &flag(json!({"metadata": {"owner": "ann", "type": "release"}})));
        let set = |json: Json, below| apply(&Change::Set(json), "f", below, &LIMITS);
        let new = json!({"state": "DISABLED", "variants": {"a": 1}, "metadata": {"type": "ops"}});
        let applied = set(new.clone(), Some(&below)).expect("it applies");
        let kept =
            json!({"state": "DISABLED", "variants": {"a": 1}, "metadata": {"owner": "ann", "type": "ops"}});
        assert_eq!(applied.definition.to_json(), kept);
        assert_eq!(
            set(new.clone(), None).expect("it applies").definition.to_json(),
            new,
            "a flag of its own"
        );

        let odd = set(json!({"state": "ENABLED", "variants": {"a": 1, "b": "2"}}), None).expect("it applies");
        let warned: Vec<_> = odd.warnings.iter().map(|warning| (&*warning.key, &*warning.found)).collect();
        assert_eq!(warned, [("flags.f.variants", "variants of different types: a number, and a string")]);

        for (json, told) in [
            (
                json!({"state": "ON", "variants": {"a": 1}}),
                "the definition of `f` is wrong: the state \"ON\"; expected \"ENABLED\" or \"DISABLED\"",
            ),
            (
                json!({"variants": {"a": 1}, "defaultVariant": "b"}),
                "the definition of `f` is wrong: the flag has no `state` (and 1 more); expected \"ENABLED\" or \"DISABLED\"",
            ),
            (
                json!({"state": "ENABLED", "variants": {"on": true}, "targeting": {"iff": [true, "on"]}}),
                "the definition of `f` is wrong: unknown operator \"iff\"; did you mean \"if\"?",
            ),
            (
                json!({"state": "ENABLED", "variants": {"on": true}, "targeting": {"$ref": "shared"}}),
                "the definition of `f` is wrong: there is no evaluator \"shared\"; expected a name under `$evaluators`",
            ),
            (
                json!({"state": "ENABLED", "variants": {"on": "x".repeat(10_000)}}),
                "the definition of `f` is wrong: the document has 10056 bytes; expected at most 10000 (`limits.document`)",
            ),
        ] {
            let refused = set(json.clone(), Some(&below)).expect_err("it is refused");
            assert_eq!(refused.to_string(), told, "{json}");
            let Why::Definition(problems) = refused.why else { panic!("{json}") };
            assert!(problems.iter().all(|problem| problem.place.is_none()));
        }
    }
}
