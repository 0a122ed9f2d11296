//! Splits by chance: `fractional` in every shape it has.

use serde_json::{Value as Json, json};

use crate::rules::Maker;

impl Maker<'_> {
    /// A split, by the targeting key or by a unit of its own.
    pub fn fractional(&mut self, depth: usize) -> Json {
        let mut args = Vec::new();
        match self.dice.below(10) {
            0 => args.push(json!({"var": "email"})),
            1 => args.push(json!({"cat": [{"var": "$flagd.flagKey"}, {"var": "email"}]})),
            2 => args.push(json!({"var": self.dice.pick(&["country", "tier", "version"])})),
            3 if self.wild => args.push(self.scalar()),
            4 if self.wild => {
                args.push(json!({"var": self.dice.pick(&["age", "profile", "beta", "price", "absent"])}))
            }
            5 if self.large => args.push(self.plain_number()),
            _ => {}
        }
        for _ in 0..self.dice.between(1, 3) {
            args.push(self.bucket(depth));
        }
        json!({"fractional": args})
    }

    fn bucket(&mut self, depth: usize) -> Json {
        let variant = match self.dice.below(12) {
            0 if depth > 0 => self.fractional(depth - 1),
            1 if depth > 0 => json!({"if": [self.truth(0), self.name(), self.name()]}),
            2 => Json::Null,
            3 if self.wild => self.anything(0),
            _ => json!(self.name()),
        };
        let start = self.dice.between(1_699_999_990, 1_700_000_010);
        match self.dice.below(12) {
            0 | 1 => json!([variant]),
            2 => json!([variant, {"-": [{"var": "$flagd.timestamp"}, start]}]),
            3 => json!([variant, {"-": [start, {"var": "$flagd.timestamp"}]}]),
            4 => json!([variant, {"if": [self.truth(0), 10, 0]}]),
            5 if self.wild => json!([variant, self.dice.pick(&[&50.0, &1.5, &0.0])]),
            6 if self.wild => json!([variant, self.scalar()]),
            7 if self.wild => match self.dice.below(4) {
                0 => json!([variant, 1, 1]),
                1 => json!([]),
                2 => json!([variant, 2_147_483_647]),
                _ => json!(variant),
            },
            _ => json!([variant, self.dice.between(0, 100)]),
        }
    }
}
