//! A second evaluator, to hold the first one against: it walks the JSON of a definition as it stands, for clarity and not for speed.
//!
//! Written from the format's description alone. It shares no line with `src/flag`, compiles nothing, and knows no limit but
//! a generous [`Meter`] that keeps a bomb from eating the machine.

mod cbor;
mod compare;
mod definition;
mod fractional;
mod number;
mod rule;
mod sem_ver;
mod text;
mod value;

use serde_json::{Map, Value as Json};

use definition::Flag;
pub use rule::OPERATORS;
use rule::Rule;
use value::Value;

/// Which of flagd's hashes assigns buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    V2,
    V3,
}

/// What a flag resolved to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Name and value.
    pub variant: Option<(String, Json)>,
    /// As OpenFeature writes it.
    pub reason: &'static str,
    /// As OpenFeature writes it; with the reason `ERROR` alone.
    pub error: Option<&'static str>,
}

impl Outcome {
    fn error(code: &'static str) -> Outcome {
        Outcome { variant: None, reason: "ERROR", error: Some(code) }
    }
}

/// What an evaluation used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Meter {
    /// Expressions and items.
    pub steps: u64,
    /// Text and lists that the rule made, roughly.
    pub bytes: u64,
}

/// The evaluation is a bomb: it is over what this evaluator is ready to spend.
#[derive(Debug, Clone, Copy)]
pub struct TooMuch;

impl Meter {
    const STEPS: u64 = 400_000;
    const BYTES: u64 = 16 << 20;

    fn step(&mut self) -> Result<(), TooMuch> {
        self.steps += 1;
        if self.steps > Meter::STEPS { Err(TooMuch) } else { Ok(()) }
    }

    fn make(&mut self, bytes: usize) -> Result<(), TooMuch> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.bytes > Meter::BYTES { Err(TooMuch) } else { Ok(()) }
    }
}

/// Who asks, and when.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// An object; `targetingKey` stands at its root.
    pub context: &'q Json,
    /// Unix seconds.
    pub now: i64,
    pub hash: Hash,
}

/// Resolves one flag of a document. The outcome is `Err` for a bomb, with what it had used by then.
pub fn resolve(document: &Json, key: &str, question: Question) -> (Result<Outcome, TooMuch>, Meter) {
    let mut meter = Meter::default();
    let outcome = resolve_counting(document, key, question, &mut meter);
    (outcome, meter)
}

/// What `cat` would write of a rule's value, for a flag of this key; `None` for a bomb, and for what is no rule.
pub fn written(rule: &Json, key: &str, question: Question) -> Option<String> {
    definition::check(rule).ok()?;
    let mut meter = Meter::default();
    let mut running = Rule { flag_key: key, hash: question.hash, meter: &mut meter };
    running.run(rule, &facts(key, question)).ok().map(|value| value.text())
}

fn resolve_counting(
    document: &Json,
    key: &str,
    question: Question,
    meter: &mut Meter,
) -> Result<Outcome, TooMuch> {
    let Some(found) = definition::find(document, key) else { return Ok(Outcome::error("FLAG_NOT_FOUND")) };
    let Ok(flag) = Flag::read(document, found) else { return Ok(Outcome::error("PARSE_ERROR")) };
    if !flag.enabled {
        return Ok(Outcome { variant: None, reason: "DISABLED", error: None });
    }
    let default = flag.default.clone().and_then(|name| flag.named(&name));
    let Some(targeting) = &flag.targeting else {
        let reason = if default.is_some() { "STATIC" } else { "DEFAULT" };
        return Ok(Outcome { variant: default, reason, error: None });
    };
    let mut rule = Rule { flag_key: key, hash: question.hash, meter };
    let result = rule.run(targeting, &facts(key, question))?;
    if result.is_nothing() {
        return Ok(Outcome { variant: default, reason: "DEFAULT", error: None });
    }
    let name = match result {
        Value::Text(name) => Some(name),
        Value::Bool(_) | Value::Number(_) => Some(result.text()),
        Value::Null | Value::List(_) | Value::Object(_) => None,
    };
    Ok(match name.and_then(|name| flag.named(&name)) {
        Some(variant) => Outcome { variant: Some(variant), reason: "TARGETING_MATCH", error: None },
        None => Outcome::error("GENERAL"),
    })
}

/// The metadata of a flag: its set's, overlaid by its own.
pub fn metadata(document: &Json, key: &str) -> Map<String, Json> {
    definition::find(document, key).map(|found| definition::metadata(document, found)).unwrap_or_default()
}

/// The context with flagd's own attributes, which nobody else can set.
fn facts(key: &str, question: Question) -> Value {
    let mut facts = question.context.as_object().cloned().unwrap_or_default();
    let own = serde_json::json!({"flagKey": key, "timestamp": question.now});
    facts.insert("$flagd".to_owned(), own);
    Value::from(&Json::Object(facts))
}
