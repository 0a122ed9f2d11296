//! What an operator can do to a flag by hand, and its JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value as Json};

use super::entry::Invalid;
use super::refusal::{Refusal, Why};
use super::share::Share;
use crate::config::suggest;
use crate::flag::{Definition, FlagState};

/// Longest flag key or variant name, in bytes; as in definitions.
const LONGEST_NAME: usize = 256;

/// One change of one flag.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A whole definition, as flagd writes it.
    Set(Json),
    /// Enabled or disabled.
    State(FlagState),
    /// What share of everyone some variants get; the default variant gives it, or takes it back.
    Weight(BTreeMap<String, Share>),
    /// Everyone gets one variant, with the value that it had then.
    Kill {
        /// Its name.
        variant: String,
        /// Stands even if the source drops the variant, or the flag.
        value: Json,
    },
}

/// What sort of change it is, in the order in which changes apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// [`Change::Set`]
    Set,
    /// [`Change::State`]
    State,
    /// [`Change::Weight`]
    Weight,
    /// [`Change::Kill`]
    Kill,
}

impl Change {
    /// The kill that sends everyone to a variant of this definition, the one that runs.
    pub fn kill(key: &str, definition: Option<&Definition>, variant: &str) -> Result<Change, Refusal> {
        let refuse = |why| Refusal { flag: key.to_owned(), why };
        let Some(definition) = definition else { return Err(refuse(Why::NoDefinition)) };
        match definition.variants.iter().find(|(name, _)| **name == *variant) {
            Some((_, value)) => Ok(Change::Kill { variant: variant.to_owned(), value: value.clone() }),
            None => Err(refuse(Why::no_variant(variant, definition))),
        }
    }

    /// What sort it is.
    pub fn kind(&self) -> Kind {
        match self {
            Change::Set(_) => Kind::Set,
            Change::State(_) => Kind::State,
            Change::Weight(_) => Kind::Weight,
            Change::Kill { .. } => Kind::Kill,
        }
    }

    /// Takes `kind` and what belongs to it out of an object and checks it; everything else stays in.
    pub fn take(fields: &mut Map<String, Json>) -> Result<Change, Invalid> {
        match take_text(fields, "kind")?.as_str() {
            "kill" => {
                let variant = take_text(fields, "variant")?;
                check_name("variant", &variant)?;
                let value = fields.remove("value");
                let value = value.ok_or_else(|| Invalid::new("a kill has no `value`: the variant's own"))?;
                Ok(Change::Kill { variant, value })
            }
            "weight" => match fields.remove("shares") {
                Some(Json::Object(shares)) if !shares.is_empty() => {
                    let shares = shares.into_iter().map(|(variant, share)| {
                        check_name("shares", &variant)?;
                        let share =
                            share.as_str().map_or_else(|| Err(share.to_string()), |text| Ok(text.parse()));
                        match share {
                            Ok(share) => Ok((
                                variant,
                                share.map_err(|error| Invalid::new(format!("`shares`: {error}")))?,
                            )),
                            Err(other) => Err(Invalid::new(format!(
                                "`shares`: the share {other} is no text such as \"5%\""
                            ))),
                        }
                    });
                    Ok(Change::Weight(shares.collect::<Result<_, _>>()?))
                }
                _ => Err(Invalid::new("a weight needs `shares`, such as {\"canary\": \"5%\"}")),
            },
            "state" => match take_text(fields, "state")?.as_str() {
                "ENABLED" => Ok(Change::State(FlagState::Enabled)),
                "DISABLED" => Ok(Change::State(FlagState::Disabled)),
                other => {
                    Err(Invalid::new(format!("`state` is {other:?}, neither \"ENABLED\" nor \"DISABLED\"")))
                }
            },
            "set" => match fields.remove("definition") {
                Some(definition @ Json::Object(_)) => Ok(Change::Set(definition)),
                _ => Err(Invalid::new("a set needs `definition`, an object as flagd writes a flag")),
            },
            other => {
                let near = suggest(other, ["kill", "weight", "state", "set"]);
                let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
                Err(Invalid::new(format!("`kind` is {other:?}, none of kill, weight, state, set{near}")))
            }
        }
    }

    /// What [`Change::take`] takes, in the order to show it.
    pub fn fields(&self) -> Vec<(&'static str, Json)> {
        let mut fields = vec![("kind", Json::from(self.kind().as_str()))];
        match self {
            Change::Set(definition) => fields.push(("definition", definition.clone())),
            Change::State(state) => fields.push(("state", state.as_str().into())),
            Change::Weight(shares) => {
                let shares =
                    shares.iter().map(|(variant, share)| (variant.clone(), share.to_string().into()));
                fields.push(("shares", Json::Object(shares.collect())));
            }
            Change::Kill { variant, value } => {
                fields.push(("variant", variant.as_str().into()));
                fields.push(("value", value.clone()));
            }
        }
        fields
    }
}

impl Kind {
    /// Every kind, in the order in which they apply.
    pub const ALL: [Kind; 4] = [Kind::Set, Kind::State, Kind::Weight, Kind::Kill];

    /// As JSON has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Set => "set",
            Kind::State => "state",
            Kind::Weight => "weight",
            Kind::Kill => "kill",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Takes a text out of an object.
pub fn take_text(fields: &mut Map<String, Json>, name: &str) -> Result<String, Invalid> {
    match fields.remove(name) {
        Some(Json::String(text)) => Ok(text),
        Some(_) => Err(Invalid::new(format!("`{name}` is no text"))),
        None => Err(Invalid::new(format!("there is no `{name}`"))),
    }
}

/// Names become header fields, labels and log lines: nothing in them may break one.
pub fn check_name(field: &str, name: &str) -> Result<(), Invalid> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
        let found =
            format!("`{field}` has a name that is not 1 to {LONGEST_NAME} bytes without control characters");
        return Err(Invalid::new(found));
    }
    Ok(())
}
