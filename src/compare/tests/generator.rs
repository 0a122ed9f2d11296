//! JSON values to compare: any value, the many ways to write it, and one change of it.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Number, Value, json};

use crate::config::field_path::escape;

/// Any value, of few names and few different leaves, so that much of it is equal by chance.
pub(super) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2i64..3).prop_map(Value::from),
        prop_oneof![any::<i64>().prop_map(Value::from), any::<u64>().prop_map(Value::from)],
        prop_oneof![(-4i32..4).prop_map(|n| f64::from(n) / 2.0), any::<f64>()]
            .prop_filter_map("finite", |n| Number::from_f64(n).map(Value::from)),
        prop_oneof!["[ab]?", "[0-9]{1,3}", "\\PC{0,5}", any::<String>()].prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            fields(inner.clone()),
            // A list of things that are much alike, as services answer.
            prop::collection::vec(fields(inner), 1..6).prop_map(Value::from),
        ]
    })
}

fn fields(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let name = prop_oneof![4 => "[abc]", 2 => Just("id".to_owned()), 1 => "[~/*\"\n€]{0,2}"];
    prop::collection::vec((name, inner), 0..5).prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

/// A value as text: its names in any order, blanks anywhere, numbers and texts in any form that means the same.
pub(super) fn written(value: &Value, dice: &mut Dice) -> String {
    let mut out = String::new();
    write(value, dice, &mut out);
    out
}

fn write(value: &Value, dice: &mut Dice, out: &mut String) {
    blank(dice, out);
    match value {
        Value::Number(number) => out.push_str(&match (number.as_i64(), dice.roll(3)) {
            (Some(integer), 0) if integer.unsigned_abs() < 1 << 53 => format!("{integer}.0"),
            (Some(integer), 1) if integer.unsigned_abs() < 1 << 53 => format!("{integer}E+0"),
            _ => number.to_string(),
        }),
        Value::String(text) => write_text(text, dice, out),
        Value::Array(list) => {
            out.push('[');
            for (at, value) in list.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write(value, dice, out);
            }
            blank(dice, out);
            out.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            dice.shuffle(&mut fields);
            out.push('{');
            for (at, (name, value)) in fields.into_iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                blank(dice, out);
                write_text(name, dice, out);
                blank(dice, out);
                out.push(':');
                write(value, dice, out);
            }
            blank(dice, out);
            out.push('}');
        }
        value => out.push_str(&value.to_string()),
    }
    blank(dice, out);
}

fn write_text(text: &str, dice: &mut Dice, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if dice.roll(4) == 0 {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04X}")));
        } else {
            let quoted = Value::from(c.to_string()).to_string();
            out.push_str(&quoted[1..quoted.len() - 1]);
        }
    }
    out.push('"');
}

fn blank(dice: &mut Dice, out: &mut String) {
    out.push_str(["", "", "", " ", "\n\t", "\r "][dice.roll(6)]);
}

/// Changes one place of a value; gives back what is to be told of it, or nothing where nothing could be changed in this way.
pub(super) fn mutate(value: &mut Value, place: Index, way: usize) -> Option<String> {
    let mut pointers = Vec::new();
    list("", "", value, &mut pointers);
    let (pointer, path) = pointers.swap_remove(place.index(pointers.len()));
    let path = if path.is_empty() { "body".to_owned() } else { path };
    let kind = match value.pointer_mut(&pointer)? {
        node @ Value::Null => {
            *node = json!(1);
            "type"
        }
        Value::Bool(bool) => {
            *bool = !*bool;
            "changed"
        }
        node @ Value::Number(_) if way.is_multiple_of(2) => {
            *node = Value::from(node.to_string());
            "type"
        }
        node @ Value::Number(_) => {
            let before = std::mem::replace(node, json!(77));
            if before.as_f64() == Some(77.0) {
                return None;
            }
            "changed"
        }
        Value::String(text) if way.is_multiple_of(2) => {
            text.push('!');
            "format"
        }
        Value::String(text) if text.ends_with(|c: char| c.is_alphabetic() && !c.is_numeric()) => {
            text.push('x');
            "changed"
        }
        node @ Value::String(_) => {
            *node = Value::Null;
            "type"
        }
        Value::Array(list) => return mutate_list(list, way).map(|kind| format!("{path} {kind}")),
        Value::Object(fields) => return mutate_fields(fields, way, &pointer_path(&path)),
    };
    Some(format!("{path} {kind}"))
}

fn mutate_list(list: &mut Vec<Value>, way: usize) -> Option<&'static str> {
    let at = way % list.len().max(1);
    match way % 3 {
        _ if list.is_empty() => {
            list.push(json!({"x": 1}));
            Some("longer")
        }
        0 => {
            list.insert(way / 3 % list.len(), list[at].clone());
            Some("longer")
        }
        1 => {
            list.remove(at);
            Some("shorter")
        }
        _ => {
            // Numbers of one value may be written in two ways: only lists without them are sure to differ.
            list.iter().find(|node| **node != list[at] && node.is_string() && list[at].is_string())?;
            let other = list.iter().position(|node| *node != list[at] && node.is_string())?;
            list.swap(at, other);
            Some("order")
        }
    }
}

fn mutate_fields(fields: &mut Map<String, Value>, way: usize, path: &str) -> Option<String> {
    let name = fields.keys().nth(way / 2 % fields.len().max(1)).cloned();
    match name.filter(|_| way.is_multiple_of(2)) {
        Some(name) => {
            fields.remove(&name);
            Some(format!("{path}/{} missing", shown(&name)))
        }
        None => {
            fields.insert("new".to_owned(), Value::Null);
            Some(format!("{path}/new added"))
        }
    }
}

/// All nodes: their pointers and their paths.
fn list(pointer: &str, path: &str, value: &Value, out: &mut Vec<(String, String)>) {
    out.push((pointer.to_owned(), path.to_owned()));
    match value {
        Value::Array(elements) => {
            for (at, value) in elements.iter().enumerate() {
                list(&format!("{pointer}/{at}"), &format!("{path}/*"), value, out);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                list(&format!("{pointer}/{}", escape(name)), &format!("{path}/{}", shown(name)), value, out);
            }
        }
        _ => {}
    }
}

/// A name in a path.
fn shown(name: &str) -> String {
    escape(name).replace('\n', "\\n")
}

fn pointer_path(path: &str) -> String {
    if path == "body" { String::new() } else { path.to_owned() }
}

/// Puts the elements of every list into another order.
pub(super) fn shuffle(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Array(list) => {
            dice.shuffle(list);
            list.iter_mut().for_each(|value| shuffle(value, dice));
        }
        Value::Object(fields) => fields.values_mut().for_each(|value| shuffle(value, dice)),
        _ => {}
    }
}

/// Chance, the same for the same seed: xorshift64 by Marsaglia.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 |= 1;
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.roll(at + 1));
        }
    }
}
