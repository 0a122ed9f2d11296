//! Documents made to break what reads and evaluates them, a different one for every seed.
//!
//! Bombs that double, nest, refer to themselves or search for long; and texts that are hardly documents. Each is small enough to be
//! sent by anyone who may write flags at all.

mod rules;
mod texts;

use serde_json::{Value as Json, json};

/// A document with what may be asked of it.
#[derive(Debug)]
pub struct Hostile {
    /// Which kind of malice.
    pub kind: &'static str,
    pub text: String,
    pub yaml: bool,
}

/// The document of a seed: the same one each time.
pub fn document(seed: u64) -> Hostile {
    let mut dice = Dice(seed);
    let kinds = rules::KINDS.len() + texts::KINDS.len();
    let kind = seed as usize % kinds;
    match rules::KINDS.get(kind) {
        Some((kind, rule)) => {
            let (rule, evaluators) = rule(&mut dice);
            Hostile { kind, text: around(rule, evaluators).to_string(), yaml: false }
        }
        None => {
            let (kind, text, yaml) = texts::KINDS[kind - rules::KINDS.len()];
            Hostile { kind, text: text(&mut dice), yaml }
        }
    }
}

/// Contexts that make the most of a rule: a plain one, and one of long texts and lists.
pub fn contexts() -> [Json; 2] {
    let list: Vec<Json> = (0..2_000).map(Json::from).collect();
    let deep = (0..100).fold(json!("deep"), |inner, _| json!({"a": inner, "b": [1, 2, 3]}));
    let long = "a".repeat(60_000);
    [
        json!({"targetingKey": "user-1", "text": "hello", "list": [1, 2, 3], "deep": {"a": 1}, "number": 7}),
        json!({
            "targetingKey": "k".repeat(5_000), "text": long, "needle": format!("{}b", "a".repeat(30_000)), "list": list,
            "texts": vec!["a".repeat(200); 300], "deep": deep, "number": 1e300, "version": format!("1.2.{}", "9".repeat(50_000)),
        }),
    ]
}

/// A flag `flag` with this rule, read both as a condition and as the rule's result.
fn around(rule: Json, evaluators: Json) -> Json {
    let flag = |targeting: Json| json!({"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off", "targeting": targeting});
    json!({"$evaluators": evaluators, "flags": {"flag": flag(json!({"if": [rule, "on", "off"]})), "bare": flag(rule)}})
}

/// Splitmix64: small, and every seed a good one.
pub struct Dice(u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `least` to `most`, small ones as likely as great ones.
    pub fn size(&mut self, least: usize, most: usize) -> usize {
        let doublings = self.roll() % 64;
        let range = ((most - least) as u64 >> (doublings % 10)) + 1;
        least + (self.roll() % range) as usize
    }

    pub fn pick<'p, T>(&mut self, from: &'p [T]) -> &'p T {
        &from[self.roll() as usize % from.len()]
    }
}
