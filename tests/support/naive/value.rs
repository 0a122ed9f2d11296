//! Values while a rule runs, and what JSON Logic makes of them: truth, number, text.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::number::Number;

#[derive(Debug, Clone)]
pub enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

impl Value {
    /// Null, or no number: the result of a rule that has none.
    pub fn is_nothing(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Number(number) => number.is_none(),
            _ => false,
        }
    }

    /// Empty is false, of every type; `"0"` and `[0]` are not empty.
    pub fn truthy(&self) -> bool {
        match self {
            Value::Null => false,
            Value::Bool(value) => *value,
            Value::Number(number) => !matches!(number, Number::None | Number::Whole(0)),
            Value::Text(text) => !text.is_empty(),
            Value::List(items) => !items.is_empty(),
            Value::Object(members) => !members.is_empty(),
        }
    }

    pub fn number(&self) -> Number {
        match self {
            Value::Null => Number::whole(0),
            Value::Bool(value) => Number::whole(i128::from(*value)),
            Value::Number(number) => *number,
            Value::Text(text) => Number::of_text(text),
            Value::List(_) | Value::Object(_) => Number::None,
        }
    }

    /// As `cat` writes it.
    pub fn text(&self) -> String {
        match self {
            Value::Null => String::new(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.text(),
            Value::Text(text) => text.clone(),
            Value::List(items) => items.iter().map(Value::text).collect::<Vec<_>>().join(","),
            Value::Object(_) => self.json(),
        }
    }

    /// As compact JSON, members in the order of their names.
    fn json(&self) -> String {
        match self {
            value if value.is_nothing() => "null".to_owned(),
            Value::Text(text) => Json::from(text.as_str()).to_string(),
            Value::List(items) => {
                format!("[{}]", items.iter().map(Value::json).collect::<Vec<_>>().join(","))
            }
            Value::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| format!("{}:{}", Json::from(name.as_str()), value.json()));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
            scalar => scalar.text(),
        }
    }

    /// What a dotted path leads to; the empty one leads nowhere else.
    pub fn at(&self, path: &str) -> Value {
        let mut here = self;
        for part in path.split('.').filter(|_| !path.is_empty()) {
            let next = match here {
                Value::Object(members) => members.get(part),
                Value::List(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => None,
            };
            match next {
                Some(next) => here = next,
                None => return Value::Null,
            }
        }
        here.clone()
    }

    /// How many bytes it takes, roughly.
    pub fn size(&self) -> usize {
        match self {
            Value::Null | Value::Bool(_) | Value::Number(_) => 8,
            Value::Text(text) => text.len(),
            Value::List(items) => items.iter().map(|item| 8 + item.size()).sum(),
            Value::Object(members) => members.iter().map(|(name, value)| 8 + name.len() + value.size()).sum(),
        }
    }
}

impl From<&Json> for Value {
    fn from(json: &Json) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => Value::Number(Number::of_json(number)),
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(items) => Value::List(items.iter().map(Value::from).collect()),
            Json::Object(members) => Value::Object(
                members.iter().map(|(name, value)| (name.clone(), Value::from(value))).collect(),
            ),
        }
    }
}
