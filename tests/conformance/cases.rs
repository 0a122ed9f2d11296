//! The questions: a document, a flag, a type, a context and a time each, all by chance from one seed.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use crate::dice::Dice;
use crate::rules::{Maker, OPERATORS};

/// One question.
#[derive(Debug)]
pub struct Case {
    /// As `flagway eval --batch` reads it.
    pub line: Json,
    /// What its rules use.
    pub operators: BTreeSet<String>,
    /// It has whole numbers that a double cannot tell apart, and is a question for engines that can.
    pub large: bool,
    /// Its rule is meant to go over our limits.
    pub over_limits: bool,
}

/// The types of flags: what is asked for, and variants of it.
const TYPES: [(&str, &[&str]); 4] = [
    ("boolean", &["on", "off", "true", "false"]),
    ("string", &["red", "blue", "de", "true", "1"]),
    ("number", &["one", "1", "2", "7.5", "red"]),
    ("object", &["a", "b", "red"]),
];

fn value(kind: &str, at: usize) -> Json {
    match kind {
        "boolean" => json!(at.is_multiple_of(2)),
        "string" => json!(["#f00", "größer", "", "true", "one"][at % 5]),
        "number" => {
            [json!(1), json!(2.5), json!(0), json!(-7), json!(9_007_199_254_740_991_i64)][at % 5].clone()
        }
        _ => [json!({"x": 1, "y": ["z", null]}), json!({}), json!({"deep": {"er": 1.5}})][at % 3].clone(),
    }
}

/// The first `count` questions, always the same.
pub fn cases(count: usize) -> Vec<Case> {
    let mut dice = Dice::new(20_261_122);
    (0..count).map(|at| case(&mut dice, at)).collect()
}

fn case(dice: &mut Dice, at: usize) -> Case {
    let (kind, names) = TYPES[dice.below(TYPES.len())];
    let (wild, large) = (dice.percent(25), dice.percent(4));
    let key = dice.pick(&["new-checkout", "a", "flag.with.dots", "farbe-größe"]);
    let variants: Map<String, Json> =
        names.iter().enumerate().map(|(at, name)| ((*name).to_owned(), value(kind, at))).collect();
    let mut flag = json!({"state": "ENABLED", "variants": variants});
    if dice.percent(75) {
        flag["defaultVariant"] = json!(names[dice.below(names.len())]);
    } else if dice.percent(50) {
        flag["defaultVariant"] = dice.pick(&[&Json::Null, &json!("")]).clone();
    }
    let mut asked = (key, kind);
    let mut evaluators = Map::new();
    let mut over_limits = false;
    // In turn, so that each has its share.
    let mut make = Maker { dice, names, wild, large };
    flag["targeting"] = match at % 100 {
        0..4 => make.dice.pick(&[&json!({}), &Json::Null]).clone(),
        4..7 => {
            flag["state"] = json!("DISABLED");
            make.rule("if")
        }
        7..10 => {
            asked.0 = "nobody's";
            make.rule("==")
        }
        10..14 => {
            asked.1 = TYPES[make.dice.below(TYPES.len())].0;
            make.rule("in")
        }
        14..18 => match make.dice.below(5) {
            // One in floats; it names a variant of some flags.
            4 => json!({"/": [{"var": "id"}, {"var": "id"}]}),
            0 => json!({"if": [true, "nobody's"]}),
            1 => json!({"cat": ["no", {"var": "country"}]}),
            2 => json!({"var": "scores"}),
            _ => json!({"+": [{"var": "age"}, 1000]}),
        },
        18..22 => {
            let mut rule = make.rule("if");
            match make.dice.below(8) {
                0 | 1 => rule = json!({"if": [{"unknown_operator": [1]}, names[0], names[0]]}),
                2 => rule = json!({"if": [false, {"matches": ["a", "b"]}, rule]}),
                3 | 4 => rule = json!({"if": [{"$ref": "nobody's"}, names[0], names[0]]}),
                5 => flag["defaultVariant"] = json!("nobody's"),
                6 => flag["state"] = json!(make.dice.pick(&["enabled", "ON", ""])),
                _ => rule = json!({"if": [{"$ref": "round"}, names[0]]}),
            }
            evaluators.insert("round".into(), json!({"!": [{"$ref": "again"}]}));
            evaluators.insert("again".into(), json!({"and": [{"$ref": "round"}]}));
            rule
        }
        22..25 => json!({"if": [make.rule("and"), Json::Null, Json::Null]}),
        25 => {
            over_limits = true;
            let doubled = json!({"cat": [{"var": "accumulator"}, {"var": "accumulator"}]});
            let list = vec![1; 18];
            json!({"if": [{"==": [{"reduce": [list, doubled, "ab"]}, "ab"]}, names[0], names[0]]})
        }
        26..30 => segments(&mut make, &mut evaluators),
        _ => {
            // Each hundred has more of these than there are operators.
            let operator = OPERATORS[(at % 100 - 30 + at / 100 * 70) % OPERATORS.len()];
            make.rule(operator)
        }
    };
    let mut flags = Map::new();
    if dice.percent(3) {
        flag["owner"] = json!("team");
    }
    if dice.percent(10) {
        flag["metadata"] = json!({"version": "7", "beta": true, "weight": 2.5});
    }
    let mut operators = BTreeSet::new();
    operators_of(&flag["targeting"], &mut operators);
    evaluators.values().for_each(|rule| operators_of(rule, &mut operators));
    flags.insert(key.to_owned(), flag);
    if dice.percent(10) {
        flags.insert("other".to_owned(), other(dice));
    }
    let mut document = json!({ "flags": flags });
    if !evaluators.is_empty() {
        document["$evaluators"] = Json::Object(evaluators);
    }
    if dice.percent(15) {
        document["metadata"] = json!({"flagSetId": "shop", "version": "1"});
    }
    let line = json!({
        "flags": document, "flagKey": asked.0, "type": asked.1, "context": context(dice, names, wild, large),
        "now": 1_700_000_000 + dice.between(-20, 20),
    });
    Case { line, operators, large, over_limits }
}

/// A rule over `$evaluators`, some of which name others.
fn segments(make: &mut Maker, evaluators: &mut Map<String, Json>) -> Json {
    evaluators.insert("german".to_owned(), json!({"==": [{"var": "country"}, "de"]}));
    evaluators.insert("adult".to_owned(), json!({">=": [{"var": "age"}, 18]}));
    evaluators.insert("staff".to_owned(), json!({"in": ["@flagway", {"var": "email"}]}));
    if make.dice.percent(50) {
        // One of them comes before what it names, the other after.
        let mixed = json!({"or": [{"$ref": "staff"}, {"$ref": "adult"}]});
        evaluators.insert(make.dice.pick(&["both", "zone"]).to_owned(), mixed);
    }
    let names: Vec<&str> = evaluators.keys().map(String::as_str).collect();
    let segment = json!({"$ref": make.dice.pick(&names)});
    json!({"if": [segment, make.names[0], make.fractional(1)]})
}

/// A flag beside the one that is asked for; some cannot be used.
fn other(dice: &mut Dice) -> Json {
    let mut flag = json!({"state": "ENABLED", "variants": {"x": 1}, "defaultVariant": "x"});
    match dice.below(5) {
        0 => flag["defaultVariant"] = json!("y"),
        1 => flag["state"] = json!("OFF"),
        2 => flag["targeting"] = json!({"nobody's": []}),
        _ => {}
    }
    flag
}

fn operators_of(rule: &Json, into: &mut BTreeSet<String>) {
    match rule {
        Json::Array(items) => items.iter().for_each(|item| operators_of(item, into)),
        Json::Object(map) => {
            for (name, args) in map {
                into.insert(name.clone());
                operators_of(args, into);
            }
        }
        _ => {}
    }
}

fn context(dice: &mut Dice, names: &[&str], wild: bool, large: bool) -> Json {
    let mut context = Map::new();
    let mut set = |dice: &mut Dice, name: &str, value: Json| {
        let odd =
            [json!(null), json!(""), json!("7"), json!(true), json!([]), json!([1]), json!({}), json!(3.0)];
        let value = if wild && dice.percent(20) { odd[dice.below(odd.len())].clone() } else { value };
        if dice.percent(90) {
            context.insert(name.to_owned(), value);
        }
    };
    let user = dice.below(100_000);
    let age = match dice.below(12) {
        0 => json!(format!("{}", user % 90)),
        1 if large => json!(9_007_199_254_740_000_u64 + user as u64 * 2 + 1),
        _ => json!(user % 90),
    };
    set(dice, "age", age);
    let domain = dice.pick(&["flagway.dev", "example.com", "例え.jp", "größer.de"]);
    set(dice, "email", json!(format!("user-{user}@{domain}")));
    set(dice, "country", json!(["de", "fr", "jp", "us", "de"][user % 5]));
    set(dice, "beta", json!(user.is_multiple_of(2)));
    set(dice, "price", json!((user % 1000) as f64 / 10.0));
    set(dice, "score", json!((user % 77) as f64 / 8.0));
    set(dice, "id", json!(user));
    set(dice, "tier", json!(names[user % names.len()]));
    let versions = [
        "1.2.3",
        "v2.0.0",
        "2.0.0-alpha.1",
        "1.2",
        "0.9.9",
        "1.10.0",
        "2",
        "not one",
        "1.2-alpha",
        "vv1.0.0",
    ];
    set(dice, "version", json!(versions[user % versions.len()]));
    set(dice, "groups", json!(["a", "user-1", "42"][user % 3..]));
    set(dice, "scores", json!(&[json!(3), json!(0), json!(7), json!(2.5), json!(-1)][user % 5..]));
    set(dice, "people", json!([{"age": 20}, {"age": user % 9}]));
    set(dice, "profile", json!({"city": "Köln", "level": user % 9, "tags": ["x", 1]}));
    if dice.percent(3) {
        set(dice, "$flagd", json!({"flagKey": "mine", "timestamp": 1}));
    }
    set(dice, "empty", json!(""));
    set(dice, "nothing", Json::Null);
    if dice.percent(93) {
        let keys =
            [format!("user-{user}"), format!("{user:032x}"), format!("benutzer-ü-{user}"), String::new()];
        let key = &keys[if dice.percent(85) { user % 2 } else { 2 + user % 2 }];
        context.insert("targetingKey".to_owned(), json!(key));
    }
    Json::Object(context)
}
