//! One flag as written, checked: state, variants, default variant, targeting with its references put in, metadata.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::compile::{Paths, compile};
use super::evaluators::Evaluators;
use super::fault::{Fault, did_you_mean, push_key, quoted};
use super::identity::FLAG_SET_ID;
use super::variants::VariantNames;
use super::{Identity, VariantId};
use crate::config::{FractionalVersion, Place, Severity};

/// Longest flag key or variant name, in bytes: both become header fields and labels.
const LONGEST_NAME: usize = 256;

/// Up to here, either way, a double has every whole number: 2^53 - 1.
const WHOLE_IN_A_DOUBLE: u64 = (1 << 53) - 1;

/// A checked definition.
#[derive(Debug, Clone)]
pub struct Definition {
    /// No control characters, at most 256 bytes, not empty.
    pub key: Arc<str>,
    /// Whether it decides anything.
    pub state: FlagState,
    /// At least one, in the order of their names; names are unique, not empty, without control characters.
    pub variants: Vec<(Arc<str>, Json)>,
    /// What serves without a rule, or when the rule gives null; none: the caller's own default.
    pub default_variant: Option<VariantId>,
    /// With every `$ref` put in; none for absent, null or `{}`. It is known to compile.
    pub targeting: Option<Json>,
    /// The set's metadata overlaid by the flag's own; booleans, strings and numbers.
    pub metadata: BTreeMap<String, Json>,
    /// Where the flag's key stands.
    pub place: Option<Place>,
}

/// Whether a flag decides anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagState {
    /// It does.
    Enabled,
    /// No value: the caller's default serves.
    Disabled,
}

/// What is known of a flag after merging: a definition, or only that there never was a good one.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A definition that compiles.
    Good(Arc<Definition>),
    /// Answers PARSE_ERROR, with this message.
    Broken(Arc<str>),
}

impl Definition {
    /// Who it is: its metadata names its flag set.
    pub fn identity(&self) -> Identity {
        let set = self.metadata.get(FLAG_SET_ID).and_then(Json::as_str).unwrap_or_default();
        Identity { set: set.into(), key: self.key.clone() }
    }

    /// The flag as flagd writes it, without its key: what a document has under `flags.<key>`.
    pub fn to_json(&self) -> Json {
        let mut json = Map::new();
        json.insert("state".to_owned(), self.state.as_str().into());
        let variants = self.variants.iter().map(|(name, value)| (name.to_string(), value.clone()));
        json.insert("variants".to_owned(), Json::Object(variants.collect()));
        let default = self.default_variant.and_then(|id| self.variants.get(id.0 as usize));
        if let Some((name, _)) = default {
            json.insert("defaultVariant".to_owned(), (&**name).into());
        }
        if let Some(targeting) = &self.targeting {
            json.insert("targeting".to_owned(), targeting.clone());
        }
        if !self.metadata.is_empty() {
            let metadata = self.metadata.iter().map(|(key, value)| (key.clone(), value.clone()));
            json.insert("metadata".to_owned(), Json::Object(metadata.collect()));
        }
        Json::Object(json)
    }

    /// The whole definition as JSON text with sorted keys: equal texts decide equally, whatever document they came from.
    pub fn canonical(&self) -> String {
        let mut json = self.to_json();
        json.sort_all_objects();
        format!("{{{}:{json}}}", Json::from(&*self.key))
    }
}

impl FlagState {
    /// As flagd writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            FlagState::Enabled => "ENABLED",
            FlagState::Disabled => "DISABLED",
        }
    }
}

/// Reads the definitions of one document.
pub struct Reader<'d> {
    /// What `$ref`s name.
    pub evaluators: Evaluators<'d>,
    /// The set's metadata.
    pub metadata: BTreeMap<String, Json>,
    /// Attribute paths, which only have to go somewhere while a rule is checked.
    pub paths: Paths,
}

impl<'d> Reader<'d> {
    /// Checks one flag. Any error among the faults means that there is no definition.
    pub fn read(
        &mut self,
        key: &str,
        json: &'d Json,
        path: &str,
        faults: &mut Vec<Fault>,
    ) -> Option<Definition> {
        let before = faults.len();
        check_name("a flag key", key, path, faults);
        let Json::Object(flag) = json else {
            faults.push(Fault::error(path, format!("the flag is {}", kind(json))).expected("an object"));
            return None;
        };
        let state = state(flag, path, faults);
        let variants = variants(flag, path, faults);
        let default_variant = default_variant(flag, &variants, path, faults);
        let metadata = self.metadata(flag, path, faults);
        let mut definition = Definition {
            key: key.into(),
            state: state.unwrap_or(FlagState::Disabled),
            variants,
            default_variant,
            targeting: None,
            metadata,
            place: None,
        };
        match flag.get("targeting") {
            None | Some(Json::Null) => {}
            Some(Json::Object(rule)) if rule.is_empty() => {}
            Some(rule) => definition.targeting = self.targeting(rule, &definition, path, faults),
        }
        let good = faults[before..].iter().all(|fault| fault.severity == Severity::Warning);
        good.then_some(definition)
    }

    fn targeting(
        &mut self,
        rule: &'d Json,
        definition: &Definition,
        path: &str,
        faults: &mut Vec<Fault>,
    ) -> Option<Json> {
        let path = member(path, "targeting");
        match self.evaluators.resolve(rule, &path) {
            Err(fault) => {
                faults.push(fault);
                None
            }
            Ok(rule) => {
                // Which hash it will be makes no difference to whether it compiles.
                let version = FractionalVersion::default();
                let names = VariantNames::of(definition);
                faults
                    .extend(compile(&rule, &path, &definition.key, &names, version, &mut self.paths).faults);
                Some(rule)
            }
        }
    }

    fn metadata(
        &self,
        flag: &Map<String, Json>,
        path: &str,
        faults: &mut Vec<Fault>,
    ) -> BTreeMap<String, Json> {
        let mut merged = self.metadata.clone();
        merged.extend(metadata(flag.get("metadata"), &member(path, "metadata"), faults));
        merged
    }
}

/// Metadata of a flag or a set: what is neither boolean, string nor number is left out and told.
pub fn metadata(json: Option<&Json>, path: &str, faults: &mut Vec<Fault>) -> BTreeMap<String, Json> {
    let mut metadata = BTreeMap::new();
    match json {
        None | Some(Json::Null) => {}
        Some(Json::Object(map)) => {
            for (key, value) in map {
                if key == FLAG_SET_ID && (value.is_boolean() || value.is_number()) {
                    let found = format!("a `{FLAG_SET_ID}` that is {}, which names no flag set", kind(value));
                    faults.push(Fault::warning(member(path, key), found).expected("a string"));
                }
                match value {
                    Json::Null => {}
                    Json::Bool(_) | Json::String(_) | Json::Number(_) => {
                        metadata.insert(key.clone(), value.clone());
                    }
                    Json::Array(_) | Json::Object(_) => faults.push(
                        Fault::warning(
                            member(path, key),
                            format!("metadata that is {}, left out", kind(value)),
                        )
                        .expected("a boolean, a string or a number"),
                    ),
                }
            }
        }
        Some(other) => {
            let found = format!("metadata that is {}, left out", kind(other));
            faults.push(Fault::warning(path, found).expected("an object"));
        }
    }
    metadata
}

fn state(flag: &Map<String, Json>, path: &str, faults: &mut Vec<Fault>) -> Option<FlagState> {
    let path_of_state = member(path, "state");
    let fault = match flag.get("state") {
        Some(Json::String(state)) if state == "ENABLED" => return Some(FlagState::Enabled),
        Some(Json::String(state)) if state == "DISABLED" => return Some(FlagState::Disabled),
        Some(Json::String(state)) => Fault::error(path_of_state, format!("the state {}", quoted(state)))
            .maybe_fix(did_you_mean(state, ["ENABLED", "DISABLED"])),
        Some(Json::Bool(on)) => Fault::error(path_of_state, format!("a state that is {on}"))
            .fix(format!("did you mean {:?}?", if *on { "ENABLED" } else { "DISABLED" })),
        Some(other) => Fault::error(path_of_state, format!("a state that is {}", kind(other))),
        None => Fault::error(path, "the flag has no `state`"),
    };
    faults.push(fault.expected("\"ENABLED\" or \"DISABLED\""));
    None
}

fn variants(flag: &Map<String, Json>, path: &str, faults: &mut Vec<Fault>) -> Vec<(Arc<str>, Json)> {
    let path_of_variants = member(path, "variants");
    let variants = match flag.get("variants") {
        Some(Json::Object(variants)) if !variants.is_empty() => variants,
        other => {
            let fault = match other {
                None => Fault::error(path, "the flag has no `variants`"),
                Some(Json::Object(_)) => Fault::error(path_of_variants, "no variants"),
                Some(other) => Fault::error(path_of_variants, format!("variants that are {}", kind(other))),
            };
            faults.push(fault.expected("an object of at least one variant: {\"on\": true, \"off\": false}"));
            return Vec::new();
        }
    };
    for (name, value) in variants {
        let path = member(&path_of_variants, name);
        check_name("a variant's name", name, &path, faults);
        if whole(value).is_some_and(|number| number > WHOLE_IN_A_DOUBLE) {
            let found = format!("the whole number {value}, which clients that read numbers as doubles round");
            faults.push(
                Fault::warning(path, found).expected("at most 9007199254740991 either way, or a string"),
            );
        }
    }
    let mut kinds = variants.values().map(kind);
    let first = kinds.next().unwrap_or_default();
    if let Some(other) = kinds.find(|other| *other != first) {
        let found = format!("variants of different types: {first}, and {other}");
        faults.push(Fault::warning(path_of_variants, found).expected("values of one type"));
    }
    variants.iter().map(|(name, value)| (name.as_str().into(), value.clone())).collect()
}

fn default_variant(
    flag: &Map<String, Json>,
    variants: &[(Arc<str>, Json)],
    path: &str,
    faults: &mut Vec<Fault>,
) -> Option<VariantId> {
    let path = member(path, "defaultVariant");
    match flag.get("defaultVariant") {
        None | Some(Json::Null) => None,
        Some(Json::String(name)) if name.is_empty() => None,
        Some(Json::String(name)) => {
            let found = variants.iter().position(|(known, _)| **known == **name);
            if found.is_none() && !variants.is_empty() {
                let names: Vec<_> = variants.iter().take(10).map(|(name, _)| quoted(name)).collect();
                faults.push(
                    Fault::error(path, format!("the default variant {} does not exist", quoted(name)))
                        .expected(format!("one of the variants: {}", names.join(", ")))
                        .maybe_fix(did_you_mean(name, variants.iter().map(|(name, _)| &**name))),
                );
            }
            found.map(|at| VariantId(at as u32))
        }
        Some(other) => {
            let text = Some(other).filter(|other| other.is_boolean() || other.is_number());
            faults.push(
                Fault::error(path, format!("a default variant that is {}", kind(other)))
                    .expected("the name of a variant, as a string")
                    .maybe_fix(text.map(|value| format!("write \"{value}\""))),
            );
            None
        }
    }
}

/// How great a whole number is, either way; none: it is something else.
fn whole(json: &Json) -> Option<u64> {
    json.as_u64().or_else(|| json.as_i64().map(i64::unsigned_abs))
}

/// Names become header fields, labels and log lines: nothing in them may break one.
fn check_name(what: &str, name: &str, path: &str, faults: &mut Vec<Fault>) {
    let fault = if name.is_empty() {
        Fault::error(path, format!("{what} that is empty"))
    } else if name.len() > LONGEST_NAME {
        Fault::error(path, format!("{what} of {} bytes: {}", name.len(), quoted(name)))
    } else if name.chars().any(char::is_control) {
        Fault::error(path, format!("{what} with a control character: {}", quoted(name)))
    } else {
        return;
    };
    faults.push(fault.expected(format!("1 to {LONGEST_NAME} bytes, no control characters")));
}

/// The path of a member.
pub fn member(path: &str, key: &str) -> String {
    let mut path = path.to_owned();
    push_key(&mut path, key);
    path
}

/// What sort of value it is, with its article.
pub fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}
