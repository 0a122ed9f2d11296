//! A JSON service in two versions, made from a seed: the new one has a dozen bugs, and both are full of noise.
//!
//! The seed chooses endpoints, names, nesting, and where each bug and each noise is. What an answer says follows from seed
//! and target alone, but for the noise.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::upstream::Answer;

/// How long the slow path of the new version takes.
const SLOW: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Old,
    New,
}

/// What a field holds.
#[derive(Debug, Clone)]
enum Shape {
    Number,
    Text,
    Switch,
    Object(Vec<Field>),
    /// A list of objects, each with a number of its own.
    Rows(Vec<Field>),
    /// The same in an order of its own each time: bugs sit in the midst of noise.
    ShuffledRows(Vec<Field>),
    Bug(Bug),
    Noise(Noise),
}

/// A field in which the new version is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    Gone,
    NumberAsText,
    Rounded,
    Reordered,
    Truncated,
    Misencoded,
    /// In a time that stands still, or in one that is noise anyway.
    OtherZone {
        now: bool,
    },
    NullForAbsent,
    Duplicated,
}

/// A field that says something else each time.
#[derive(Debug, Clone, Copy)]
enum Noise {
    Now,
    RequestId,
    Shuffled,
}

#[derive(Debug, Clone)]
struct Field {
    name: String,
    shape: Shape,
}

#[derive(Debug)]
struct Endpoint {
    name: String,
    fields: Vec<Field>,
    /// A header as each version sends it.
    header: Option<[(&'static str, Option<&'static str>); 2]>,
    /// What the new version answers with instead of 200.
    status: Option<u16>,
    slow: bool,
}

/// Where a report has to show a bug, and as what.
#[derive(Debug)]
struct Sign {
    path: String,
    kinds: &'static [&'static str],
}

#[derive(Debug)]
pub struct Service {
    seed: u64,
    endpoints: Vec<Endpoint>,
    signs: Vec<Sign>,
}

impl Service {
    pub fn new(seed: u64) -> Service {
        let mut dice = Dice::new(&[seed]);
        let mut names = Names::default();
        let count = 5 + dice.below(3);
        let mut endpoints: Vec<Endpoint> =
            (0..count).map(|number| Endpoint::new(number, &mut dice, &mut names)).collect();

        for kind in [Noise::Now, Noise::RequestId, Noise::Shuffled] {
            for _ in 0..2 + dice.below(3) {
                let field = Field { name: names.fresh(&mut dice), shape: Shape::Noise(kind) };
                plant(&mut dice.pick(&mut endpoints).fields, field, &mut dice.fork());
            }
        }

        let mut signs = Vec::new();
        let bugs: [(Bug, &[&str]); 9] = [
            (Bug::Gone, &["missing"]),
            (Bug::NumberAsText, &["type"]),
            (Bug::Rounded, &["changed"]),
            (Bug::Reordered, &["order"]),
            (Bug::Truncated, &["shorter"]),
            (Bug::Misencoded, &["changed", "format"]),
            (Bug::OtherZone { now: dice.below(2) == 0 }, &["format"]),
            (Bug::NullForAbsent, &["added"]),
            (Bug::Duplicated, &["longer"]),
        ];
        for (bug, kinds) in bugs {
            let field = Field { name: names.fresh(&mut dice), shape: Shape::Bug(bug) };
            let path = plant(&mut dice.pick(&mut endpoints).fields, field, &mut dice.fork());
            signs.push(Sign { path, kinds });
        }

        let (name, old, new, kinds) = HEADERS[dice.below(HEADERS.len())];
        dice.pick(&mut endpoints).header = Some([(name, old), (name, new)]);
        signs.push(Sign { path: format!("header:{name}"), kinds });
        dice.pick(&mut endpoints).status = Some([201, 202, 404, 410, 500, 503][dice.below(6)]);
        signs.push(Sign { path: "status".to_owned(), kinds: &["changed"] });
        dice.pick(&mut endpoints).slow = true;
        signs.push(Sign { path: "latency".to_owned(), kinds: &["slower"] });
        Service { seed, endpoints, signs }
    }

    /// A target below `/<seed>/` for each of `count` requests: every endpoint gets about as many.
    pub fn targets(&self, count: usize) -> Vec<String> {
        let mut dice = Dice::new(&[self.seed, 1]);
        let target = |number: usize| {
            let endpoint = &self.endpoints[number % self.endpoints.len()];
            format!("/{}/{}/{}", self.seed, endpoint.name, dice.below(100_000))
        };
        (0..count).map(target).collect()
    }

    /// What a version answers. `target` is one of [`Service::targets`].
    pub fn answer(&self, side: Side, target: &str) -> Answer {
        let mut parts = target.split('/').skip(2);
        let name = parts.next().unwrap_or_default();
        let id: u64 = parts.next().and_then(|id| id.parse().ok()).unwrap_or_default();
        let Some((number, endpoint)) =
            self.endpoints.iter().enumerate().find(|(_, endpoint)| endpoint.name == name)
        else {
            return Answer::new(404, "");
        };
        let new = side == Side::New;
        let body = object(&endpoint.fields, side, &Dice::new(&[self.seed, number as u64, id]));
        let status = endpoint.status.filter(|_| new).unwrap_or(200);
        let mut answer = Answer::new(status, body.to_string());
        let (header, value) = match endpoint.header {
            Some(headers) => headers[usize::from(new)],
            None => ("vary", None),
        };
        if header != "content-type" {
            answer = answer.header("content-type", "application/json");
        }
        if let Some(value) = value {
            answer = answer.header(header, value);
        }
        if new && endpoint.slow { answer.after(SLOW) } else { answer }
    }

    /// What is wrong with a report: bugs that it does not name, and what it names that is none.
    pub fn judge(&self, report: &Value) -> Vec<String> {
        let named: Vec<(&str, &str)> = report["differences"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|field| Some((field["path"].as_str()?, field["kind"].as_str()?)))
            .collect();
        let shows = |sign: &Sign, (path, kind): (&str, &str)| sign.path == path && sign.kinds.contains(&kind);
        let missed = self.signs.iter().filter(|sign| !named.iter().any(|found| shows(sign, *found)));
        let missed = missed.map(|sign| format!("missed: {} {:?}", sign.path, sign.kinds));
        let wrong = named.iter().filter(|found| !self.signs.iter().any(|sign| shows(sign, **found)));
        missed.chain(wrong.map(|(path, kind)| format!("no bug: {path} {kind}"))).collect()
    }
}

/// Headers that can go wrong: the name, what each version sends, how that shows.
type Header = (&'static str, Option<&'static str>, Option<&'static str>, &'static [&'static str]);
const HEADERS: [Header; 5] = [
    ("cache-control", Some("private, max-age=60"), Some("public, max-age=60"), &["changed"]),
    ("cache-control", Some("no-store"), None, &["missing"]),
    ("location", Some("/orders/1"), Some("http://localhost:8080/orders/1"), &["changed"]),
    ("content-encoding", None, Some("identity"), &["added"]),
    ("content-type", Some("application/json"), Some("application/vnd.shop+json"), &["changed"]),
];

impl Endpoint {
    fn new(number: usize, dice: &mut Dice, names: &mut Names) -> Endpoint {
        let name = format!("{}-{number}", WORDS[dice.below(WORDS.len())]);
        Endpoint { name, fields: fields(dice, names, 0), header: None, status: None, slow: false }
    }
}

/// Honest fields, some of them with others inside.
fn fields(dice: &mut Dice, names: &mut Names, depth: usize) -> Vec<Field> {
    let field = |dice: &mut Dice, names: &mut Names| {
        let shape = match dice.below(8) {
            0 | 1 => Shape::Number,
            2 | 3 => Shape::Text,
            4 => Shape::Switch,
            5 if depth < 3 => Shape::Object(fields(dice, names, depth + 1)),
            6 if depth < 2 => Shape::Rows(fields(dice, names, depth + 2)),
            7 if depth < 2 => Shape::ShuffledRows(fields(dice, names, depth + 2)),
            _ => Shape::Text,
        };
        Field { name: names.fresh(dice), shape }
    };
    (0..2 + dice.below(4)).map(|_| field(dice, names)).collect()
}

/// Puts a field somewhere among others or inside one of them, and tells its path.
fn plant(fields: &mut Vec<Field>, field: Field, dice: &mut Dice) -> String {
    let nested = |field: &&mut Field| {
        matches!(field.shape, Shape::Object(_) | Shape::Rows(_) | Shape::ShuffledRows(_))
    };
    let mut inner: Vec<&mut Field> = fields.iter_mut().filter(nested).collect();
    if !inner.is_empty() && dice.below(3) > 0 {
        let at = dice.below(inner.len());
        let Field { name, shape } = &mut *inner[at];
        let name = escaped(name);
        return match shape {
            Shape::Object(fields) => format!("/{name}{}", plant(fields, field, dice)),
            Shape::Rows(fields) | Shape::ShuffledRows(fields) => {
                format!("/{name}/*{}", plant(fields, field, dice))
            }
            _ => unreachable!("nothing else has fields"),
        };
    }
    let path = format!("/{}", escaped(&field.name));
    fields.insert(dice.below(fields.len() + 1), field);
    path
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What a version says in these fields. `dice` depends on seed and target, not on the version.
fn object(fields: &[Field], side: Side, dice: &Dice) -> Value {
    let mut said = Map::new();
    for (number, field) in fields.iter().enumerate() {
        let mut dice = dice.at(number as u64);
        let value = match &field.shape {
            Shape::Number => Some(json!(dice.below(1_000_000))),
            Shape::Text => Some(json!(words(&mut dice).join(" "))),
            Shape::Switch => Some(json!(dice.below(2) == 0)),
            Shape::Object(fields) => Some(object(fields, side, &dice)),
            Shape::Rows(fields) => Some(json!(rows(fields, side, &mut dice))),
            Shape::ShuffledRows(fields) => Some(json!(shuffled(rows(fields, side, &mut dice)))),
            Shape::Bug(bug) => bug.value(side, &mut dice),
            Shape::Noise(noise) => Some(noise.value(&mut dice)),
        };
        said.extend(value.map(|value| (field.name.clone(), value)));
    }
    Value::Object(said)
}

fn rows(fields: &[Field], side: Side, dice: &mut Dice) -> Vec<Value> {
    let row = |number: usize| {
        let mut row = object(fields, side, &dice.at(1 + number as u64));
        row["id"] = json!(1_000 + number * 37);
        row
    };
    (0..2 + dice.clone().below(4)).map(row).collect()
}

/// In any order, another one each time.
fn shuffled<T>(mut list: Vec<T>) -> Vec<T> {
    Dice::new(&[rand::random()]).shuffle(&mut list);
    list
}

/// Three to six words, no two of them equal.
fn words(dice: &mut Dice) -> Vec<&'static str> {
    let mut words = WORDS.to_vec();
    dice.shuffle(&mut words);
    words.truncate(3 + dice.below(4));
    words
}

impl Bug {
    /// What is there; none: nothing is.
    fn value(self, side: Side, dice: &mut Dice) -> Option<Value> {
        let new = side == Side::New;
        // Most bugs show in some answers only. Drawn first, as both versions have to draw alike.
        let shows = dice.below(4) > 0 && new;
        match self {
            Bug::Gone => (!shows).then(|| json!(dice.below(1_000))),
            Bug::NumberAsText => {
                let number = json!(dice.below(100_000) as f64 / 100.0);
                Some(if shows { json!(number.to_string()) } else { number })
            }
            Bug::Rounded => {
                // The last digit is never 0, so that it is missed.
                let thousandths = dice.below(100_000) * 10 + 1 + dice.below(9);
                let exact = thousandths as f64 / 1000.0;
                Some(json!(if new { (exact * 100.0).round() / 100.0 } else { exact }))
            }
            Bug::Reordered => {
                let mut words = words(dice);
                if shows {
                    words.reverse();
                }
                Some(json!(words))
            }
            Bug::Truncated => {
                let mut words = words(dice);
                words.truncate(words.len() - usize::from(shows));
                Some(json!(words))
            }
            Bug::Duplicated => {
                let mut words = words(dice);
                words.extend(words.get(dice.below(words.len())).filter(|_| shows).copied());
                Some(json!(words))
            }
            Bug::Misencoded => {
                let name = ["Zoë", "Jürgen & Söhne", "François", "Łódź", "東京"][dice.below(5)];
                // UTF-8 read as Latin-1.
                let misread: String = name.bytes().map(char::from).collect();
                Some(json!(if shows { &misread } else { name }))
            }
            Bug::OtherZone { now } => {
                let seconds =
                    if now { unix().as_secs() } else { 1_700_000_000 + dice.below(90_000_000) as u64 };
                Some(json!(moment(seconds, new)))
            }
            Bug::NullForAbsent => match dice.below(2) {
                0 => Some(json!(words(dice)[0])),
                _ => new.then_some(Value::Null),
            },
        }
    }
}

impl Noise {
    fn value(self, dice: &mut Dice) -> Value {
        match self {
            Noise::Now => json!(unix().as_nanos() as u64),
            Noise::RequestId => json!(format!("{:032x}", rand::random::<u128>())),
            Noise::Shuffled => json!(shuffled(words(dice))),
        }
    }
}

fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970")
}

/// A time of day, in UTC or two hours east of it.
fn moment(seconds: u64, east: bool) -> String {
    let time = |seconds: u64| {
        let text = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string();
        text.trim_end_matches('Z').to_owned()
    };
    if east { time(seconds + 7_200) + "+02:00" } else { time(seconds) + "Z" }
}

const WORDS: [&str; 24] = [
    "order", "total", "line", "tax", "customer", "street", "city", "phone", "weight", "colour", "size",
    "stock", "price", "status", "batch", "parcel", "label", "coupon", "reason", "region", "rating", "review",
    "brand", "unit",
];

/// Names of fields, no two alike.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    fn fresh(&mut self, dice: &mut Dice) -> String {
        loop {
            let (one, other) = (WORDS[dice.below(WORDS.len())], WORDS[dice.below(WORDS.len())]);
            let between = ["_", "-", ".", "/", "~", " ", "é"][dice.below(7)];
            let name = format!("{one}{between}{other}");
            if self.0.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// Numbers that follow from where they are drawn (splitmix64).
#[derive(Debug, Clone)]
struct Dice(u64);

impl Dice {
    fn new(place: &[u64]) -> Dice {
        place.iter().fold(Dice(0x5eed), |dice, part| dice.at(*part))
    }

    /// Others, for a place below this one.
    fn at(&self, part: u64) -> Dice {
        let mut dice = Dice(self.0 ^ part.wrapping_mul(0xff51_afd7_ed55_8ccd));
        Dice(dice.next())
    }

    fn fork(&mut self) -> Dice {
        Dice(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a mut [T]) -> &'a mut T {
        let at = self.below(of.len());
        &mut of[at]
    }

    fn shuffle<T>(&mut self, of: &mut [T]) {
        for last in (1..of.len()).rev() {
            of.swap(last, self.below(last + 1));
        }
    }
}
