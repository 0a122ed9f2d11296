//! Any rule and any context: an evaluation never panics, is repeatable by either hash, and its trace tells the same result.
//!
//! An input is read as a list of choices, from which a rule of known operators and then a context grow; so nearly every
//! input is a flag that loads.

#![no_main]

use flagway::config::FlagLimits;
use flagway::flag::Format;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value as Json, json};

mod support;

fuzz_target!(|input: &[u8]| {
    let mut choices = Choices(input);
    let rule = choices.rule(0);
    let segment = choices.rule(0);
    let attributes = choices.constant(0);
    let flag = json!({"state": "ENABLED", "variants": {"on": true, "off": false, "1": 1, "": null}, "defaultVariant": "off",
                      "targeting": rule});
    let document = json!({"$evaluators": {"segment": segment}, "flags": {"flag": flag}}).to_string();
    for limits in [FlagLimits::default(), support::tight()] {
        let Ok((entries, _)) = support::load(&document, Format::Json, &limits) else { return };
        for attributes in [
            &attributes,
            &json!({"targetingKey": "user-4711", "a": attributes, "list": [1, "on", attributes]}),
        ] {
            support::ask(&entries, &limits, attributes);
        }
    }
});

const OPERATORS: [&str; 40] = [
    "var",
    "missing",
    "missing_some",
    "if",
    "?:",
    "==",
    "===",
    "!=",
    "!==",
    "!",
    "!!",
    "or",
    "and",
    ">",
    ">=",
    "<",
    "<=",
    "max",
    "min",
    "+",
    "-",
    "*",
    "/",
    "%",
    "map",
    "filter",
    "reduce",
    "all",
    "none",
    "some",
    "merge",
    "in",
    "cat",
    "substr",
    "fractional",
    "starts_with",
    "ends_with",
    "sem_ver",
    "$ref",
    "frob",
];

const TEXTS: [&str; 32] = [
    "on",
    "off",
    "",
    "a",
    "a.0",
    "list",
    "list.2.a",
    "current",
    "accumulator",
    "targetingKey",
    "$flagd.timestamp",
    "$flagd.flagKey",
    "$flagd",
    "segment",
    "1",
    "1.0",
    "1e3",
    "-0",
    " 5 ",
    "0x10",
    "18446744073709551615",
    "-9223372036854775809",
    "1e400",
    "v1.2.3",
    "1.2",
    "=",
    "^",
    "true",
    "null",
    "\u{1f600}",
    "\u{0}",
    "é",
];

const NUMBERS: [f64; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    2.0,
    25.0,
    50.5,
    1e300,
    -1e300,
    5e-324,
    9_007_199_254_740_993.0,
    9_223_372_036_854_775_808.0,
    18_446_744_073_709_551_615.0,
    2_147_483_647.0,
    1e21,
];

/// Deeper than the limit, so that it is passed now and then.
const DEEPEST: usize = 80;

/// What is left of the input; when it is used up, every choice is the first one.
struct Choices<'i>(&'i [u8]);

impl Choices<'_> {
    fn next(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    fn rule(&mut self, depth: usize) -> Json {
        match self.next() {
            choice @ 0..64 => self.scalar(choice),
            choice @ 64..224 if depth < DEEPEST => {
                let args = match choice % 8 {
                    0 => self.rule(depth + 1),
                    count => (0..count % 5).map(|_| self.rule(depth + 1)).collect(),
                };
                object(OPERATORS[choice % OPERATORS.len()], args)
            }
            choice @ 224..248 if depth < DEEPEST => (0..choice % 4).map(|_| self.rule(depth + 1)).collect(),
            _ => self.constant(depth),
        }
    }

    fn constant(&mut self, depth: usize) -> Json {
        match self.next() {
            choice @ 192..224 if depth < DEEPEST => {
                (0..choice % 6).map(|_| self.constant(depth + 1)).collect()
            }
            choice @ 224.. if depth < DEEPEST => {
                let members = (0..choice % 4).map(|_| (self.text(), self.constant(depth + 1)));
                Json::Object(members.collect::<Map<_, _>>())
            }
            choice => self.scalar(choice),
        }
    }

    fn scalar(&mut self, choice: usize) -> Json {
        match choice % 8 {
            0 => Json::Null,
            1 => true.into(),
            2 => false.into(),
            3 => json!(NUMBERS[self.next() % NUMBERS.len()]),
            4 => json!(self.next()),
            5 => {
                let bytes = std::array::from_fn(|_| self.next() as u8);
                if choice < 32 { json!(u64::from_le_bytes(bytes)) } else { json!(i64::from_le_bytes(bytes)) }
            }
            6 => self.text().into(),
            _ => object("var", self.text().into()),
        }
    }

    fn text(&mut self) -> String {
        match self.next() {
            choice @ 0..200 => TEXTS[choice % TEXTS.len()].to_owned(),
            choice => (0..choice - 200).map(|_| char::from(self.next() as u8)).collect(),
        }
    }
}

fn object(key: &str, value: Json) -> Json {
    Json::Object(Map::from_iter([(key.to_owned(), value)]))
}
