//! JSON text to values within bounds.
//!
//! A flag that is too deep or too large is cut off while it is read and told by name; the document goes on. Repeated flag
//! keys, which plain JSON readers swallow, are told too.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

use super::fault::{push_index, push_key};
use crate::config::tree::Node;

/// Lists and objects within each other; `serde_json` gives up at 128.
pub const MAX_LEVELS: usize = 120;

/// What was read.
#[derive(Debug)]
pub struct Reading {
    pub json: Json,
    /// Keys of `flags` that stand there more than once; the last one counts.
    pub repeated: Vec<String>,
    /// Paths of flags that were cut off, with what they are too much of.
    pub oversized: BTreeMap<String, String>,
    /// Of YAML: where everything stands.
    pub tree: Option<Node>,
}

/// Why a text cannot be read; line and column count from 1, both 0 when unknown.
#[derive(Debug)]
pub struct Unreadable {
    pub line: u32,
    pub column: u32,
    pub message: String,
}

/// Reads a JSON document of at most so many values; `flag_values` is how many one flag may have.
pub fn read(text: &str, values: usize, flag_values: usize) -> Result<Reading, Unreadable> {
    let mut state = State {
        values,
        left: values,
        flag_values,
        left_in_flag: usize::MAX,
        over: None,
        repeated: Vec::new(),
        oversized: BTreeMap::new(),
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    let seed = Seed { state: &mut state, level: 0, place: Place::Root };
    let json =
        seed.deserialize(&mut reader).and_then(|json| reader.end().map(|()| json)).map_err(|error| {
            let message = error.to_string();
            let message =
                message.rsplit_once(" at line ").map_or(&*message, |(message, _)| message).to_owned();
            Unreadable { line: error.line() as u32, column: error.column() as u32, message }
        })?;
    Ok(Reading { json, repeated: state.repeated, oversized: state.oversized, tree: None })
}

struct State {
    values: usize,
    left: usize,
    flag_values: usize,
    left_in_flag: usize,
    /// Why the flag being read is cut off.
    over: Option<String>,
    repeated: Vec<String>,
    oversized: BTreeMap<String, String>,
}

/// What is special about the children of a value.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    Flags,
    Flag,
    Inside,
}

/// The members that say who a flag is: they are read of one that is cut off, too.
const WHO: [&str; 2] = ["key", "metadata"];

struct Seed<'s> {
    state: &'s mut State,
    level: usize,
    place: Place,
}

impl Seed<'_> {
    fn child(&mut self, place: Place) -> Seed<'_> {
        Seed { state: self.state, level: self.level + 1, place }
    }

    /// Each flag has its own share.
    fn begin_flag(&mut self) {
        self.state.left_in_flag = self.state.flag_values;
        self.state.over = None;
    }

    fn end_flag(&mut self, path: impl FnOnce(&mut String)) {
        self.state.left_in_flag = usize::MAX;
        if let Some(over) = self.state.over.take() {
            let mut name = "flags".to_owned();
            path(&mut name);
            self.state.oversized.insert(name, over);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Json;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        let Some(left) = self.state.left.checked_sub(1) else {
            return Err(D::Error::custom(format!(
                "more than {} values in one document (`limits.values`)",
                self.state.values
            )));
        };
        self.state.left = left;
        let over = match self.state.left_in_flag.checked_sub(1) {
            _ if self.level > MAX_LEVELS => {
                Some(format!("nested more than {MAX_LEVELS} lists and objects deep"))
            }
            None => Some(format!("larger than {} values", self.state.flag_values)),
            Some(left) => {
                self.state.left_in_flag = left;
                None
            }
        };
        if over.is_some() {
            self.state.over = over;
            return deserializer.deserialize_ignored_any(IgnoredAny).map(|_| Json::Null);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Json;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<Json, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = match self.place {
                Place::Root if key == "flags" => access.next_value_seed(self.child(Place::Flags))?,
                Place::Flag if WHO.contains(&&*key) => {
                    let left = std::mem::replace(&mut self.state.left_in_flag, self.state.flag_values);
                    let value = access.next_value_seed(self.child(Place::Inside))?;
                    self.state.left_in_flag = left;
                    value
                }
                Place::Root | Place::Flag | Place::Inside => {
                    access.next_value_seed(self.child(Place::Inside))?
                }
                Place::Flags => {
                    self.begin_flag();
                    let value = access.next_value_seed(self.child(Place::Flag))?;
                    self.end_flag(|path| push_key(path, &key));
                    if map.contains_key(&key) {
                        self.state.repeated.push(key.clone());
                    }
                    value
                }
            };
            map.insert(key, value);
        }
        Ok(Json::Object(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        let flags = self.place == Place::Flags;
        loop {
            if flags {
                self.begin_flag();
            }
            let item =
                access.next_element_seed(self.child(if flags { Place::Flag } else { Place::Inside }))?;
            if flags {
                self.end_flag(|path| push_index(path, list.len()));
            }
            match item {
                Some(item) => list.push(item),
                None => return Ok(Json::Array(list)),
            }
        }
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(text.into())
    }
}
