//! What operators are shown of flags, sources, problems and the snapshot: plain data, written as JSON by the API and by `check --json`.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value;

use crate::config::{Config, FractionalVersion, Problem, Severity};
use crate::flag::{Definition, Flag, FlagId, FlagState};
use crate::gateway::Live;
use crate::overlay::{Entry, Overlay};
use crate::snapshot::Snapshot;
use crate::source::Hand;
use crate::source::{SourceState, Status};

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProblemView {
    /// The label `kind` of `flagway_problems`.
    pub kind: &'static str,
    /// `error` or `warning`
    pub severity: &'static str,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// From 1, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The path of the key: `routes[0].version.flag`.
    pub key: String,
    /// One sentence.
    pub found: String,
    /// What was expected instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The likely fix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl From<&Problem> for ProblemView {
    fn from(problem: &Problem) -> ProblemView {
        let place = problem.place.as_ref();
        ProblemView {
            kind: problem.kind.label(),
            severity: match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            file: place.map(|place| place.file.to_string()),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            key: problem.key.clone(),
            found: problem.found.clone(),
            expected: problem.expected.clone(),
            fix: problem.fix.clone(),
        }
    }
}

/// A source and how it is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceView {
    /// `file:flags.json`
    pub name: String,
    /// `ready`, `stale` (its last good flags serve) or `missing` (it never gave any).
    pub state: &'static str,
    /// Seconds since its content was last read and found good; none: it never was.
    pub age_seconds: Option<f64>,
    /// Flags that it gives.
    pub flags: usize,
}

/// Every source, in the order configured.
pub fn sources(status: &Status, now: SystemTime) -> Vec<SourceView> {
    let sources = status.sources.load();
    let view = |source: &crate::source::SourceStatus| SourceView {
        name: source.name.clone(),
        state: match source.state {
            SourceState::Ready => "ready",
            SourceState::Stale => "stale",
            SourceState::Missing => "missing",
        },
        age_seconds: source.fresh.map(|fresh| now.duration_since(fresh).unwrap_or_default().as_secs_f64()),
        flags: source.flags,
    };
    sources.iter().map(view).collect()
}

/// A snapshot, and what it was made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SnapshotView {
    /// Flagway's own.
    pub flagway: &'static str,
    /// Of all that can change a decision.
    pub revision: String,
    /// Of the configuration file.
    pub config_hash: String,
    /// The hash that assigns buckets: `v2` or `v3`.
    pub fractional: &'static str,
    /// How many.
    pub flags: usize,
    /// How many.
    pub routes: usize,
    /// In the order configured.
    pub sources: Vec<SourceView>,
    /// All that is wrong now.
    pub problems: Vec<ProblemView>,
}

impl SnapshotView {
    /// What is live at `now`.
    pub fn new(live: &Live, status: &Status, now: SystemTime) -> SnapshotView {
        let snapshot = &live.snapshot;
        let state = status.problems.load();
        let passing = live.passing_problems();
        SnapshotView {
            flagway: env!("CARGO_PKG_VERSION"),
            revision: snapshot.revision.to_string(),
            config_hash: snapshot.config.hash.clone(),
            fractional: fractional(&snapshot.config),
            flags: snapshot.flags.len(),
            routes: snapshot.config.routes.len(),
            sources: sources(status, now),
            problems: state.iter().chain(live.problems()).chain(&passing).map(ProblemView::from).collect(),
        }
    }
}

/// The hash that assigns buckets.
pub fn fractional(config: &Config) -> &'static str {
    match config.flags.fractional {
        FractionalVersion::V2 => "v2",
        FractionalVersion::V3 => "v3",
    }
}

/// A flag in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FlagView {
    /// The flag.
    pub key: String,
    /// `ENABLED`, `DISABLED`, or `BROKEN`: no definition of it was ever good.
    pub state: &'static str,
    /// Values by variant.
    pub variants: serde_json::Map<String, Value>,
    /// Where no rule picks one.
    pub default_variant: Option<String>,
    /// Whether a rule picks the variant.
    pub targeting: bool,
    /// As defined, the set's included.
    pub metadata: serde_json::Map<String, Value>,
    /// Names of the routes that ask it.
    pub routes: Vec<String>,
    /// The file it comes from.
    pub source: Option<String>,
    /// Its `flagSetId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag_set: Option<String>,
    /// What was done to it by hand, in the order in which it applies.
    pub entries: Vec<Entry>,
}

impl FlagView {
    /// A flag of a snapshot.
    pub fn new(snapshot: &Snapshot, overlay: &Overlay, id: FlagId, flag: &Flag) -> FlagView {
        let definition = flag.definition.as_deref();
        FlagView {
            key: flag.key.to_string(),
            state: match definition.map(|definition| definition.state) {
                Some(FlagState::Enabled) => "ENABLED",
                Some(FlagState::Disabled) => "DISABLED",
                None => "BROKEN",
            },
            variants: definition
                .map(|definition| &definition.variants[..])
                .unwrap_or_default()
                .iter()
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect(),
            default_variant: definition
                .and_then(|definition| definition.default_variant)
                .and_then(|variant| flag.variant_name(variant))
                .map(|name| name.to_string()),
            targeting: definition.is_some_and(|definition| definition.targeting.is_some()),
            metadata: definition
                .map(|definition| definition.metadata.clone().into_iter().collect())
                .unwrap_or_default(),
            routes: routes(snapshot, id),
            source: definition
                .and_then(|definition| definition.place.as_ref())
                .map(|place| place.file.to_string()),
            flag_set: flag.set_id().map(str::to_owned),
            entries: overlay.of(&flag.key).to_vec(),
        }
    }
}

/// A flag alone: what the list says, its whole definition, and what its rule can read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FlagDetail {
    /// What the list says.
    #[serde(flatten)]
    pub flag: FlagView,
    /// What runs, in flagd's format, references put in.
    pub definition: Option<Value>,
    /// What its sources say, where that is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_definition: Option<Value>,
    /// What a write's `If-Match` has to be, without quotes.
    pub etag: String,
    /// What its rule can read.
    pub reads: ReadsView,
    /// Flags of this key in other flag sets: no route asks them, and of what is done by hand only a kill reaches them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherFlag>,
    /// What is wrong with it, as far as is known now.
    pub problems: Vec<ProblemView>,
}

/// A flag that does not count for its key.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OtherFlag {
    /// Its `flagSetId`; none: it stands in no set.
    pub flag_set: Option<String>,
    /// What runs; none: it never was good.
    pub definition: Option<Value>,
}

/// What a flag's rule can read on any branch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReadsView {
    /// Paths: `header.x-canary`.
    pub attributes: Vec<String>,
    /// Whether it splits or asks for the key.
    pub targeting_key: bool,
    /// Whether it depends on the time.
    pub timestamp: bool,
    /// Anything at all: a path that is computed, or the whole context.
    pub everything: bool,
}

impl FlagDetail {
    /// A flag of a snapshot.
    pub fn new(live: &Live, status: &Status, hand: &Hand, etag: String, id: FlagId) -> FlagDetail {
        let snapshot = &live.snapshot;
        let flag = snapshot.flags.get(id);
        let (prefix, paths) = (format!("flags.{}", flag.key), snapshot.flags.paths());
        let about = |problem: &&Problem| {
            problem.key.strip_prefix(&prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let state = status.problems.load();
        let sorted = |definition: &Definition| {
            let mut json = definition.to_json();
            json.sort_all_objects();
            json
        };
        let definition = flag.definition.as_deref().map(sorted);
        let source = hand.source(&flag.key).as_deref().map(sorted);
        let others = snapshot.flags.of(&flag.key).filter(|(other, _)| *other != id);
        let others = others.map(|(_, other)| OtherFlag {
            flag_set: other.set_id().map(str::to_owned),
            definition: other.definition.as_deref().map(sorted),
        });
        FlagDetail {
            flag: FlagView::new(snapshot, &hand.overlay(), id, flag),
            source_definition: source.filter(|source| definition.as_ref() != Some(source)),
            etag,
            others: others.collect(),
            definition,
            reads: ReadsView {
                attributes: flag
                    .reads
                    .slots
                    .iter()
                    .filter_map(|slot| paths.get(slot.0 as usize))
                    .map(|path| path.to_string())
                    .collect(),
                targeting_key: flag.reads.targeting_key,
                timestamp: flag.reads.timestamp,
                everything: flag.reads.everything,
            },
            problems: state.iter().chain(live.problems()).filter(about).map(ProblemView::from).collect(),
        }
    }
}

/// The routes that ask a flag, for themselves or for a shadow, in the order in which they are tried.
fn routes(snapshot: &Snapshot, flag: FlagId) -> Vec<String> {
    let asks = |route: &&crate::route::RouteId| {
        let plan = snapshot.plan(**route);
        let shadows = plan.shadows.iter().map(|shadow| &shadow.flag);
        plan.flags.iter().chain(shadows).any(|planned| planned.id == Some(flag))
    };
    let order = snapshot.routes.order().iter().filter(asks);
    order.map(|route| snapshot.config.routes[route.0].name.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::fixture::snapshot;

    #[test]
    fn a_flag_lists_the_routes_that_ask_it_for_a_shadow_too() {
        let flag = r#"{"state":"ENABLED","variants":{"canary":"canary"},"defaultVariant":"canary"}"#;
        let flags = format!(r#"{{"flags":{{"copy":{flag},"told":{flag},"unused":{flag}}}}}"#);
        let snapshot = snapshot("", "    inject: [told]\n    shadows: [{flag: copy}]", &flags);
        let routes = |key| {
            let id = snapshot.flags.find(key).unwrap();
            FlagView::new(&snapshot, &Overlay::default(), id, snapshot.flags.get(id)).routes
        };
        assert_eq!(routes("copy"), ["shop"]);
        assert_eq!(routes("told"), ["shop"]);
        assert_eq!(routes("unused"), [""; 0]);
    }
}
