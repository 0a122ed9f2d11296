//! The three evaluations that flagd publishes figures for, as flags and contexts.
//!
//! Shared by the benchmark and by the test that counts allocations, so that both measure the same work.
#![allow(dead_code, reason = "neither of the two uses all of it")]

use flagway::config::{FlagLimits, FractionalVersion};
use flagway::flag::{Definitions, Document, Entry, FlagSet, Format, JsonContext};
use serde_json::{Value as Json, json};

/// One flag, what it is asked with and what it answers.
pub struct Case {
    /// As flagd names it; also the flag's key.
    pub name: &'static str,
    /// The flag's rule; null for none.
    pub targeting: Json,
    /// The context's attributes.
    pub attributes: Json,
    /// The variant, by either hash.
    pub variant: &'static str,
    /// Its value.
    pub value: &'static str,
}

/// Without a rule, with a condition, and with a condition and a split.
pub fn cases() -> [Case; 3] {
    let fractional = json!({"if": [
        {"in": ["@faas.com", {"var": ["email"]}]},
        {"fractional": [{"var": "email"}, ["red", 25], ["blue", 25], ["green", 25], ["yellow", 25]]},
        null,
    ]});
    [
        Case {
            name: "static",
            targeting: Json::Null,
            attributes: json!({}),
            variant: "red",
            value: "#ff0000",
        },
        Case {
            name: "targeting",
            targeting: json!({"if": [{"==": [{"var": ["color"]}, "yellow"]}, "yellow", null]}),
            attributes: json!({"color": "yellow"}),
            variant: "yellow",
            value: "#ffff00",
        },
        Case {
            name: "fractional",
            targeting: fractional,
            attributes: json!({"email": "test_h@faas.com", "targetingKey": "user-4711"}),
            variant: "yellow",
            value: "#ffff00",
        },
    ]
}

/// The flags of these cases, compiled.
pub fn flags(cases: &[Case], fractional: FractionalVersion) -> FlagSet {
    let flag = |case: &Case| {
        json!({"state": "ENABLED", "defaultVariant": "red", "targeting": case.targeting,
               "variants": {"red": "#ff0000", "blue": "#0000ff", "green": "#00ff00", "yellow": "#ffff00"}})
    };
    let flags: serde_json::Map<_, _> = cases.iter().map(|case| (case.name.to_owned(), flag(case))).collect();
    let (text, limits) = (json!({"flags": flags}).to_string(), FlagLimits::default());
    let document = Document::parse("flags.json", &text, Format::Json, &limits).expect("a document");
    let definitions: Definitions = document
        .flags
        .into_iter()
        .map(|(key, flag)| (key, Entry::Good(flag.expect("a good flag"))))
        .collect();
    FlagSet::compile(&definitions, fractional, &limits)
}

/// All that a caller who has a key wants: the flag is found, evaluated, and its value read.
pub fn answer<'s>(set: &'s FlagSet, key: &str, context: &JsonContext) -> Option<&'s Json> {
    let id = set.find(key)?;
    let resolution = set.evaluate(id, context);
    set.get(id).value(resolution.variant?)
}

/// A case's context for a set.
pub fn context<'a>(set: &'a FlagSet, case: &'a Case) -> JsonContext<'a> {
    JsonContext { paths: set.paths(), attributes: &case.attributes, timestamp: 1_790_000_000 }
}
