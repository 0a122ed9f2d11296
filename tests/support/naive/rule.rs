//! JSON Logic, read off the JSON: an object of one member is an operation, everything else is itself.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::compare::{chained, loosely_equal, strictly_equal};
use super::fractional::fractional;
use super::number::Number;
use super::sem_ver::sem_ver;
use super::text::{affix, contains, substr};
use super::value::Value;
use super::{Hash, Meter, TooMuch};

/// Every operator there is.
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

/// One rule being run.
pub struct Rule<'r> {
    pub flag_key: &'r str,
    pub hash: Hash,
    pub meter: &'r mut Meter,
}

/// What an expression sees.
struct Scope<'s> {
    data: &'s Value,
    kind: Kind,
}

#[derive(PartialEq)]
enum Kind {
    /// The context.
    Context,
    /// Inside the body of `map` and its like: the element alone.
    Element,
    /// Inside the body of `reduce`: `current` and `accumulator`.
    Pair,
}

impl Scope<'_> {
    /// What a path leads to. The pair itself is nothing: no rule needs it, and it would have to be made for each item.
    fn at(&self, path: &str) -> Value {
        if path.is_empty() && self.kind == Kind::Pair { Value::Null } else { self.data.at(path) }
    }
}

impl Rule<'_> {
    pub fn run(&mut self, rule: &Json, context: &Value) -> Result<Value, TooMuch> {
        self.value(rule, &Scope { data: context, kind: Kind::Context })
    }

    fn value(&mut self, json: &Json, scope: &Scope) -> Result<Value, TooMuch> {
        self.meter.step()?;
        match json {
            Json::Object(members) if members.len() == 1 => {
                let (name, args) = members.iter().next().expect("it has one member");
                let value = self.operation(name, args, scope)?;
                self.meter.make(value.size())?;
                Ok(value)
            }
            Json::Array(items) => Ok(Value::List(self.values(items, scope)?)),
            literal => {
                self.meter.make(literal.as_str().map_or(0, str::len))?;
                Ok(Value::from(literal))
            }
        }
    }

    fn values(&mut self, items: &[Json], scope: &Scope) -> Result<Vec<Value>, TooMuch> {
        items.iter().map(|item| self.value(item, scope)).collect()
    }

    fn operation(&mut self, name: &str, json: &Json, scope: &Scope) -> Result<Value, TooMuch> {
        let args = match json {
            Json::Array(args) => args.as_slice(),
            one => std::slice::from_ref(one),
        };
        match name {
            "if" | "?:" => return self.branch(args, scope),
            "and" => return self.deciding(args, scope, false),
            "or" => return self.deciding(args, scope, true),
            "map" | "filter" | "all" | "none" | "some" => return self.each(name, args, scope),
            "reduce" => return self.reduce(args, scope),
            _ => {}
        }
        let values = self.values(args, scope)?;
        let nth = |index: usize| values.get(index).cloned().unwrap_or(Value::Null);
        let numbers = || values.iter().map(Value::number);
        Ok(match name {
            "var" => var(&nth(0), &nth(1), scope),
            "missing" => Value::List(missing(names(&values), scope)),
            "missing_some" => missing_some(&nth(0), &nth(1), scope),
            "==" => Value::Bool(two(&values, loosely_equal)),
            "!=" => Value::Bool(!two(&values, loosely_equal)),
            "===" => Value::Bool(two(&values, strictly_equal)),
            "!==" => Value::Bool(!two(&values, strictly_equal)),
            "!" => Value::Bool(!nth(0).truthy()),
            "!!" => Value::Bool(nth(0).truthy()),
            "<" => Value::Bool(chained(&values, Ordering::is_lt)),
            "<=" => Value::Bool(chained(&values, Ordering::is_le)),
            ">" => Value::Bool(chained(&values, Ordering::is_gt)),
            ">=" => Value::Bool(chained(&values, Ordering::is_ge)),
            "max" => Value::Number(extreme(numbers(), Ordering::Greater)),
            "min" => Value::Number(extreme(numbers(), Ordering::Less)),
            "+" => Value::Number(numbers().fold(Number::whole(0), Number::plus)),
            "*" => Value::Number(numbers().fold(Number::whole(1), Number::times)),
            "-" if values.len() == 1 => Value::Number(Number::whole(0).minus(nth(0).number())),
            "-" => Value::Number(numbers().reduce(Number::minus).unwrap_or(Number::whole(0))),
            "/" | "%" if values.len() < 2 => Value::Number(Number::None),
            "/" => Value::Number(numbers().reduce(Number::over).unwrap_or(Number::None)),
            "%" => Value::Number(nth(0).number().modulo(nth(1).number())),
            "merge" => Value::List(merge(values)),
            "in" => Value::Bool(contains(&nth(0), &nth(1))),
            "cat" => Value::Text(values.iter().map(Value::text).collect()),
            "substr" if values.is_empty() => Value::Null,
            "substr" => substr(&nth(0), &nth(1), &nth(2)),
            "starts_with" => affix(&values, |text, affix| text.starts_with(affix)),
            "ends_with" => affix(&values, |text, affix| text.ends_with(affix)),
            "sem_ver" => sem_ver(&values),
            "fractional" => fractional(self.hash, &values, self.flag_key, targeting_key(scope).as_deref()),
            _ => unreachable!("{name} was refused when the flag was read"),
        })
    }

    /// Condition, result, condition, result, else.
    fn branch(&mut self, args: &[Json], scope: &Scope) -> Result<Value, TooMuch> {
        for pair in args.chunks(2) {
            match pair {
                [condition, result] => {
                    if self.value(condition, scope)?.truthy() {
                        return self.value(result, scope);
                    }
                }
                [otherwise] => return self.value(otherwise, scope),
                _ => unreachable!("a chunk of two has one or two"),
            }
        }
        Ok(Value::Null)
    }

    /// `and` and `or`: the value that decides, else the last one.
    fn deciding(&mut self, args: &[Json], scope: &Scope, decides: bool) -> Result<Value, TooMuch> {
        let mut last = Value::Null;
        for arg in args {
            last = self.value(arg, scope)?;
            if last.truthy() == decides {
                break;
            }
        }
        Ok(last)
    }

    fn each(&mut self, name: &str, args: &[Json], scope: &Scope) -> Result<Value, TooMuch> {
        let items = self.items(args, scope)?;
        let empty = items.is_empty();
        let body = args.get(1).unwrap_or(&Json::Null);
        let mut results = Vec::new();
        for item in items {
            let result = self.value(body, &Scope { data: &item, kind: Kind::Element })?;
            results.push((item, result));
        }
        let mut truths = results.iter().map(|(_, result)| result.truthy());
        Ok(match name {
            "all" => Value::Bool(!empty && truths.all(|truth| truth)),
            "none" => Value::Bool(!truths.any(|truth| truth)),
            "some" => Value::Bool(truths.any(|truth| truth)),
            "map" => Value::List(results.into_iter().map(|(_, result)| result).collect()),
            _ => Value::List(
                results.into_iter().filter(|(_, result)| result.truthy()).map(|(item, _)| item).collect(),
            ),
        })
    }

    fn reduce(&mut self, args: &[Json], scope: &Scope) -> Result<Value, TooMuch> {
        let items = self.items(args, scope)?;
        let body = args.get(1).unwrap_or(&Json::Null);
        let mut accumulator = self.value(args.get(2).unwrap_or(&Json::Null), scope)?;
        for item in items {
            let pair = [("current", item), ("accumulator", accumulator)];
            let pair: BTreeMap<_, _> =
                pair.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            accumulator = self.value(body, &Scope { data: &Value::Object(pair), kind: Kind::Pair })?;
        }
        Ok(accumulator)
    }

    /// What the first argument lists; whatever is no list has no items.
    fn items(&mut self, args: &[Json], scope: &Scope) -> Result<Vec<Value>, TooMuch> {
        match args.first().map(|list| self.value(list, scope)).transpose()? {
            Some(Value::List(items)) => Ok(items),
            _ => Ok(Vec::new()),
        }
    }
}

fn var(path: &Value, default: &Value, scope: &Scope) -> Value {
    match scope.at(&path.text()) {
        Value::Null => default.clone(),
        found => found,
    }
}

/// The names may be the arguments, or all in a list that is the first.
fn names(values: &[Value]) -> &[Value] {
    match values.first() {
        Some(Value::List(names)) => names,
        _ => values,
    }
}

/// The names that lead to nothing, null or the empty text.
fn missing(names: &[Value], scope: &Scope) -> Vec<Value> {
    let is_missing = |name: &&Value| match scope.at(&name.text()) {
        Value::Null => true,
        Value::Text(text) => text.is_empty(),
        _ => false,
    };
    names.iter().filter(is_missing).cloned().collect()
}

/// Nothing when enough of the names are there, else those that are not.
fn missing_some(need: &Value, given: &Value, scope: &Scope) -> Value {
    let names = match given {
        Value::List(given) => names(given),
        one => std::slice::from_ref(one),
    };
    let missing = missing(names, scope);
    let there = Number::whole((names.len() - missing.len()) as i128);
    let enough = there.compare(need.number()).is_some_and(Ordering::is_ge);
    Value::List(if enough { Vec::new() } else { missing })
}

/// Of fewer than two nothing holds, whatever comes after them does not count.
fn two(values: &[Value], holds: impl Fn(&Value, &Value) -> bool) -> bool {
    values.len() > 1 && holds(&values[0], &values[1])
}

/// The greatest or the least; none of nothing, and none as soon as one is no number.
fn extreme(mut numbers: impl Iterator<Item = Number>, wanted: Ordering) -> Number {
    let Some(first) = numbers.next() else { return Number::None };
    numbers.fold(first, |best, number| match number.compare(best) {
        None => Number::None,
        Some(order) if order == wanted => number,
        Some(_) => best,
    })
}

fn merge(values: Vec<Value>) -> Vec<Value> {
    let spread = |value| match value {
        Value::List(items) => items,
        one => vec![one],
    };
    values.into_iter().flat_map(spread).collect()
}

/// The element of a list has no targeting key.
fn targeting_key(scope: &Scope) -> Option<String> {
    match scope.at("targetingKey") {
        Value::Text(key) if scope.kind == Kind::Context => Some(key),
        _ => None,
    }
}
