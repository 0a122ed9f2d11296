//! A flag as written: found in its document, its references put in, refused when it is none.

use serde_json::{Map, Value as Json};

use super::rule::OPERATORS;

/// A flag that is one.
#[derive(Debug)]
pub struct Flag {
    pub enabled: bool,
    pub variants: Map<String, Json>,
    pub default: Option<String>,
    /// With every reference put in.
    pub targeting: Option<Json>,
}

/// The flag is none: PARSE_ERROR.
#[derive(Debug)]
pub struct Broken;

/// The definition of a key; in a list the last one of that key counts.
pub fn find<'d>(document: &'d Json, key: &str) -> Option<&'d Json> {
    match document.get("flags")? {
        Json::Object(flags) => flags.get(key),
        Json::Array(flags) => flags.iter().rfind(|flag| flag["key"] == key),
        _ => None,
    }
}

/// Booleans, texts and numbers; the flag's own count more than its set's.
pub fn metadata(document: &Json, flag: &Json) -> Map<String, Json> {
    let scalar = |value: &Json| value.is_boolean() || value.is_string() || value.is_number();
    let both = [&document["metadata"], &flag["metadata"]];
    let members = both.into_iter().filter_map(Json::as_object).flatten();
    members.filter(|(_, value)| scalar(value)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

impl Flag {
    pub fn read(document: &Json, flag: &Json) -> Result<Flag, Broken> {
        let enabled = match flag["state"].as_str() {
            Some("ENABLED") => true,
            Some("DISABLED") => false,
            _ => return Err(Broken),
        };
        let variants = flag["variants"].as_object().ok_or(Broken)?.clone();
        if variants.is_empty() || variants.contains_key("") {
            return Err(Broken);
        }
        let default = match &flag["defaultVariant"] {
            Json::Null => None,
            Json::String(name) if name.is_empty() => None,
            Json::String(name) if variants.contains_key(name) => Some(name.clone()),
            _ => return Err(Broken),
        };
        let targeting = match &flag["targeting"] {
            Json::Null => None,
            Json::Object(rule) if rule.is_empty() => None,
            rule => Some(put_in(rule, &document["$evaluators"], &[])?),
        };
        if let Some(rule) = &targeting {
            check(rule)?;
        }
        Ok(Flag { enabled, variants, default, targeting })
    }

    /// A variant's name with its value.
    pub fn named(&self, name: &str) -> Option<(String, Json)> {
        self.variants.get_key_value(name).map(|(name, value)| (name.clone(), value.clone()))
    }
}

/// A rule with each `{"$ref": "name"}` replaced by what it names. `inside`: the names being put in, none of which may come again.
fn put_in(json: &Json, evaluators: &Json, inside: &[&str]) -> Result<Json, Broken> {
    match json {
        Json::Object(members) if members.len() == 1 && members.contains_key("$ref") => {
            let name = members["$ref"].as_str().ok_or(Broken)?;
            let evaluator = evaluators.get(name).ok_or(Broken)?;
            if inside.contains(&name) {
                return Err(Broken);
            }
            put_in(evaluator, evaluators, &[inside, &[name]].concat())
        }
        Json::Object(members) => {
            let members = members.iter();
            members
                .map(|(name, value)| Ok((name.clone(), put_in(value, evaluators, inside)?)))
                .collect::<Result<_, _>>()
                .map(Json::Object)
        }
        Json::Array(items) => items
            .iter()
            .map(|item| put_in(item, evaluators, inside))
            .collect::<Result<_, _>>()
            .map(Json::Array),
        scalar => Ok(scalar.clone()),
    }
}

/// Every operation is a known one, be it ever reached or not. An object of several members is a constant.
pub fn check(json: &Json) -> Result<(), Broken> {
    match json {
        Json::Object(members) if members.len() == 1 => members.iter().try_for_each(|(name, args)| {
            if OPERATORS.contains(&name.as_str()) { check(args) } else { Err(Broken) }
        }),
        Json::Array(items) => items.iter().try_for_each(check),
        _ => Ok(()),
    }
}
