//! Targetings by chance, as operators write them; wild ones also as nobody should.

use serde_json::{Value as Json, json};

use crate::dice::Dice;

/// What a rule may hold, `$ref` among it.
pub const OPERATORS: [&str; 38] = [
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
];

/// What an expression gives when all goes well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Truth,
    Number,
    Text,
    List,
}

/// Makes rules.
pub struct Maker<'a> {
    pub dice: &'a mut Dice,
    /// The flag's variants.
    pub names: &'a [&'static str],
    /// Arguments of any type, odd texts and numbers.
    pub wild: bool,
    /// Whole numbers beyond 2^53 as well.
    pub large: bool,
}

const TEXTS: [&str; 12] =
    ["red", "de", "flagway", "user-1", "a", "", "42", "1.0", "1e3", "example.com", "größer", "日本🙂"];
const ODD_TEXTS: [&str; 9] = [" ", "abc", "true", "null", " 7 ", "0x10", "-", "1_0", "Infinity"];
const VERSIONS: [&str; 12] = [
    "1.2.3",
    "v1.2.3",
    "V2.0.0",
    "1.2",
    "2",
    "2.0.0-alpha.1",
    "2.0.0-alpha.beta",
    "1.0.0+build.5",
    "1.10.0",
    "0.9.9",
    "2.0.0-rc.1+exp",
    "10.0.0",
];
const ODD_VERSIONS: [&str; 8] = ["01.2.3", "1.2.3.4", "x", "", "1.2-alpha", " 1.2.3", "vv1.0.0", "1.x"];

impl Maker<'_> {
    /// A rule in which this operator matters: whether a condition holds, or the very result.
    pub fn rule(&mut self, operator: &str) -> Json {
        if operator == "fractional" && self.dice.percent(60) {
            return self.fractional(2);
        }
        let (kind, expression) = self.call(operator, 2);
        // Its result may name the variant by itself.
        if kind != Kind::List && self.dice.percent(8) {
            return expression;
        }
        let mut condition = self.decisive(kind, expression);
        if self.dice.percent(25) {
            let other = self.truth(1);
            let both = if self.dice.percent(50) { [condition, other] } else { [other, condition] };
            condition = json!({ self.dice.pick(&["and", "or"]): both });
        }
        let mut arms = vec![condition, self.result()];
        if self.dice.percent(20) {
            arms.extend([self.truth(2), self.result()]);
        }
        if self.dice.percent(70) {
            arms.push(self.result());
        }
        json!({ self.dice.pick(&["if", "if", "if", "?:"]): arms })
    }

    /// What a branch leads to: most often a variant by its name.
    fn result(&mut self) -> Json {
        match self.dice.below(20) {
            0 => Json::Null,
            1 => json!({"var": "tier"}),
            2 | 3 => self.fractional(1),
            4 => json!({"cat": [self.name(), ""]}),
            _ => json!(self.name()),
        }
    }

    /// The name of a variant.
    pub fn name(&mut self) -> &'static str {
        self.names[self.dice.below(self.names.len())]
    }

    /// A condition on what an expression gives.
    fn decisive(&mut self, kind: Kind, expression: Json) -> Json {
        match (kind, self.dice.below(4)) {
            (Kind::Truth, _) => expression,
            (Kind::Number, 0) => json!({"==": [expression, self.dice.between(0, 9)]}),
            (Kind::Number, 1) => json!({"<": [expression, self.dice.between(0, 60)]}),
            (Kind::Number, _) => json!({">=": [expression, self.dice.between(-3, 20)]}),
            (Kind::Text, 0) => json!({"==": [expression, self.plain_text()]}),
            (Kind::Text, 1) => json!({"in": [self.plain_text(), expression]}),
            (Kind::Text, 2) => json!({"<": [expression, self.plain_text()]}),
            (Kind::Text, _) => json!({"!!": [expression]}),
            (Kind::List, 0) => json!({"in": [self.scalar(), expression]}),
            (Kind::List, 1) => json!({"!": [expression]}),
            (Kind::List, 2) => json!({"some": [expression, {"!!": [{"var": ""}]}]}),
            (Kind::List, _) => json!({"==": [{"cat": [expression]}, self.plain_text()]}),
        }
    }

    /// A condition.
    pub fn truth(&mut self, depth: usize) -> Json {
        let operator = match depth {
            0 => self.dice.pick(&["var", "==", "===", "in", "<", ">="]),
            _ => self.dice.pick(&[
                "==",
                "!=",
                "===",
                "!==",
                "<",
                ">",
                "<=",
                ">=",
                "!",
                "!!",
                "and",
                "or",
                "in",
                "starts_with",
                "ends_with",
                "sem_ver",
                "all",
                "some",
                "none",
            ]),
        };
        self.call(operator, depth).1
    }

    fn number(&mut self, depth: usize) -> Json {
        if self.wild && self.dice.percent(25) {
            return self.anything(depth);
        }
        match self.dice.below(if depth == 0 { 5 } else { 10 }) {
            0 | 1 => self.plain_number(),
            2 => json!({"var": "age"}),
            3 => json!({"var": self.dice.pick(&["price", "score", "id", "profile.level", "scores.0"])}),
            4 => json!({"var": [self.dice.pick(&["age", "absent"]), self.dice.between(0, 9)]}),
            _ => {
                let operator = self.dice.pick(&["+", "-", "*", "/", "%", "min", "max", "reduce", "if"]);
                self.call(operator, depth - 1).1
            }
        }
    }

    /// A number, as it is written.
    pub fn plain_number(&mut self) -> Json {
        if self.large && self.dice.percent(40) {
            let edge =
                self.dice.pick(&[&i64::MAX, &i64::MIN, &9_007_199_254_740_993, &-9_007_199_254_740_993]);
            return if self.dice.percent(20) { json!(u64::MAX) } else { json!(*edge) };
        }
        match self.dice.below(12) {
            0 => json!(self.dice.between(-1000, 1000) as f64 / 8.0),
            1 => json!(self.dice.between(0, 100) as f64 / 10.0),
            2 if self.wild => {
                json!(self.dice.pick(&[&1e21, &1e-7, &123_456_789.123, &1e16, &0.000_001, &-0.5]))
            }
            3 if self.wild => json!(self.dice.between(-5, 50) as f64),
            _ => json!(self.dice.between(-5, 60)),
        }
    }

    fn text(&mut self, depth: usize) -> Json {
        if self.wild && self.dice.percent(25) {
            return self.anything(depth);
        }
        match self.dice.below(if depth == 0 { 6 } else { 8 }) {
            0 | 1 => self.plain_text(),
            2 => json!({"var": "email"}),
            3 => json!({"var": "country"}),
            4 => {
                json!({"var": self.dice.pick(&["targetingKey", "$flagd.flagKey", "profile.city", "groups.0", "tier"])})
            }
            5 => json!({"var": [self.dice.pick(&["country", "absent"]), "de"]}),
            _ => {
                let operator = self.dice.pick(&["cat", "substr", "if"]);
                self.call(operator, depth - 1).1
            }
        }
    }

    fn plain_text(&mut self) -> Json {
        if self.wild && self.dice.percent(30) {
            return json!(self.dice.pick(&ODD_TEXTS));
        }
        json!(self.dice.pick(&TEXTS))
    }

    /// A value that is neither list nor object.
    pub fn scalar(&mut self) -> Json {
        match self.dice.below(if self.wild { 6 } else { 2 }) {
            0 => self.plain_text(),
            1 => self.plain_number(),
            2 => Json::Null,
            3 => json!(true),
            4 => json!(false),
            _ => json!(self.dice.pick(&[&0, &1])),
        }
    }

    fn list(&mut self, depth: usize) -> Json {
        if self.wild && self.dice.percent(15) {
            return self.anything(depth);
        }
        match self.dice.below(if depth == 0 { 5 } else { 8 }) {
            0 => json!({"var": "groups"}),
            1 | 2 => json!({"var": "scores"}),
            3 => json!({"var": self.dice.pick(&["profile.tags", "absent", "people"])}),
            4 => Json::Array((0..self.dice.below(4)).map(|_| self.scalar()).collect()),
            _ => {
                let operator = self.dice.pick(&["map", "filter", "merge", "missing"]);
                self.call(operator, depth - 1).1
            }
        }
    }

    /// An argument of any type.
    pub fn anything(&mut self, depth: usize) -> Json {
        match self.dice.below(14) {
            0 => json!([]),
            1 => json!([self.scalar()]),
            2 => json!({}),
            3 => json!({"var": "profile"}),
            4 => json!({"var": self.dice.pick(&["groups", "nothing", "empty", "absent", "beta"])}),
            5 => {
                json!({"var": self.dice.pick(&["email.length", "groups.length", "email.0", "scores.9", "age.x"])})
            }
            6 if depth > 0 => self.truth(depth - 1),
            7 if depth > 0 => {
                let wild = std::mem::replace(&mut self.wild, false);
                let list = self.list(depth - 1);
                self.wild = wild;
                list
            }
            _ => self.scalar(),
        }
    }

    /// What an iterating operator says of each element.
    fn body(&mut self) -> Json {
        let element = if self.dice.percent(15) { json!({"var": "age"}) } else { json!({"var": ""}) };
        match self.dice.below(6) {
            0 => json!({"in": [element, [self.scalar(), self.scalar(), 3]]}),
            1 => json!({"!!": [element]}),
            2 => json!({"==": [element, self.scalar()]}),
            _ => {
                let operator = self.dice.pick(&["<", ">", "<=", ">="]);
                json!({ operator: [element, self.dice.between(0, 9)] })
            }
        }
    }

    /// An expression of this operator, and what it gives.
    pub fn call(&mut self, operator: &str, depth: usize) -> (Kind, Json) {
        let below = depth.saturating_sub(1);
        let (kind, args) = match operator {
            "var" => match self.dice.below(5) {
                0 => (Kind::Truth, json!("beta")),
                1 => (Kind::Text, json!(["country", "de"])),
                2 => (
                    Kind::Number,
                    json!(self.dice.pick(&["age", "profile.level", "scores.1", "$flagd.timestamp"])),
                ),
                3 => (Kind::Text, json!({"cat": ["profile.", self.dice.pick(&["city", "level"])]})),
                _ => (Kind::List, json!(self.dice.pick(&["groups", "scores", "people"]))),
            },
            "missing" => (Kind::List, json!(self.attributes(1))),
            "missing_some" => {
                let need = self.dice.between(1, 2);
                (Kind::List, json!([need, self.attributes(2)]))
            }
            "if" | "?:" => {
                let (kind, yes, no) = match self.dice.percent(50) {
                    true => (Kind::Number, self.number(below), self.number(below)),
                    false => (Kind::Text, self.text(below), self.text(below)),
                };
                let mut args = vec![self.truth(below), yes];
                args.extend(self.dice.percent(80).then_some(no));
                (kind, Json::Array(args))
            }
            "==" | "!=" | "===" | "!==" => (Kind::Truth, Json::Array(self.pair(below))),
            "<" | ">" | "<=" | ">=" => {
                let mut args = self.pair(below);
                if self.dice.percent(20) {
                    args.push(self.number(below));
                }
                (Kind::Truth, Json::Array(args))
            }
            "!" | "!!" => {
                let arg = if self.dice.percent(60) { self.truth(below) } else { self.anything(below) };
                let unwrapped = arg.is_object() && self.dice.percent(30);
                (Kind::Truth, if unwrapped { arg } else { json!([arg]) })
            }
            "and" | "or" => {
                let count = self.dice.between(1, 3);
                let args = (0..count).map(|_| match self.wild && self.dice.percent(30) {
                    true => self.anything(below),
                    false => self.truth(below),
                });
                (Kind::Truth, args.collect())
            }
            "+" | "*" | "max" | "min" | "-" => {
                let least = if operator == "-" { 2 } else { 1 };
                let count = self.dice.between(least, 3);
                let args: Vec<Json> = (0..count).map(|_| self.number(below)).collect();
                (Kind::Number, Json::Array(args))
            }
            "/" | "%" => (Kind::Number, json!([self.number(below), self.number(below)])),
            "map" => {
                let by = self.dice.between(1, 3);
                let body = match self.dice.below(3) {
                    0 => json!({"*": [{"var": ""}, by]}),
                    1 => json!({"+": [{"var": ""}, by]}),
                    _ => self.body(),
                };
                (Kind::List, json!([self.list(below), body]))
            }
            "filter" => (Kind::List, json!([self.list(below), self.body()])),
            "all" | "some" | "none" => (Kind::Truth, json!([self.list(below), self.body()])),
            "reduce" => {
                let fold = self.dice.pick(&["+", "+", "max", "*", "-"]);
                let start = self.dice.between(0, 2);
                let start = if self.dice.percent(15) { json!({"+": [start, 1]}) } else { json!(start) };
                let body = json!({ fold: [{"var": "accumulator"}, {"var": "current"}] });
                (Kind::Number, json!([self.list(below), body, start]))
            }
            "merge" => {
                let count = self.dice.between(1, 3);
                let parts = (0..count).map(|_| match self.dice.percent(60) {
                    true => self.list(below),
                    false => self.scalar(),
                });
                (Kind::List, parts.collect())
            }
            "in" => match self.dice.below(3) {
                0 => (Kind::Truth, json!([self.text(below), self.text(below)])),
                1 => (Kind::Truth, json!([self.text(below), ["de", "fr", "user-1", "42", "red"]])),
                _ => (Kind::Truth, json!([self.number(below), self.list(below)])),
            },
            "cat" => {
                let count = self.dice.between(1, 3);
                let parts = (0..count).map(|_| match self.dice.below(5) {
                    0 => self.number(below),
                    1 => self.anything(below),
                    _ => self.text(below),
                });
                (Kind::Text, parts.collect())
            }
            "substr" => {
                let mut args = vec![self.text(below), json!(self.dice.between(-4, 6))];
                if self.dice.percent(60) {
                    args.push(json!(self.dice.between(-3, 5)));
                }
                (Kind::Text, Json::Array(args))
            }
            "starts_with" | "ends_with" => {
                let edge = json!(self.dice.pick(&["user", ".com", "d", "", "1", "@", "日本"]));
                let edge = if self.wild && self.dice.percent(20) { self.anything(below) } else { edge };
                (Kind::Truth, json!([self.text(below), edge]))
            }
            "sem_ver" => {
                let operator = match self.wild && self.dice.percent(15) {
                    true => self.dice.pick(&["==", "~>", ""]),
                    false => self.dice.pick(&["=", "!=", "<", "<=", ">", ">=", "^", "~"]),
                };
                let left = if self.dice.percent(70) { json!({"var": "version"}) } else { self.version() };
                (Kind::Truth, json!([left, operator, self.version()]))
            }
            "fractional" => return (Kind::Text, self.fractional(below)),
            _ => panic!("{operator} is not in the table of operators"),
        };
        (kind, json!({ operator: args }))
    }

    fn version(&mut self) -> Json {
        match self.dice.below(10) {
            0 => json!(self.dice.between(0, 3)),
            1 => json!(1.5),
            2 if self.wild => self.scalar(),
            3 if self.wild => json!(self.dice.pick(&ODD_VERSIONS)),
            _ => json!(self.dice.pick(&VERSIONS)),
        }
    }

    fn pair(&mut self, depth: usize) -> Vec<Json> {
        match self.dice.below(if self.wild { 5 } else { 3 }) {
            0 | 1 => vec![self.number(depth), self.number(depth)],
            2 => vec![self.text(depth), self.text(depth)],
            3 => vec![self.text(depth), self.number(depth)],
            4 if self.dice.percent(20) => {
                let twice = self.anything(0);
                vec![twice.clone(), twice]
            }
            _ => vec![self.anything(depth), self.anything(depth)],
        }
    }

    fn attributes(&mut self, least: usize) -> Vec<&'static str> {
        let known =
            ["age", "email", "absent", "country", "nothing", "empty", "profile.city", "profile.absent"];
        (0..least + self.dice.below(3)).map(|_| self.dice.pick(&known)).collect()
    }
}
