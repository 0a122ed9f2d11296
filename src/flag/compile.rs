//! From a targeting as JSON to its compiled form.
//!
//! Every operator on every branch is checked here, taken or not: an evaluation meets nothing unknown. It expects references
//! to be put in already.

mod fractional;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::fault::{Fault, Step, did_you_mean, join, quoted};
use super::rule::{Answer, Each, Expr, FORMS, Literal, Lookup, Missing, MissingNames, OPS, Op, is_operator};
use super::variants::VariantNames;
use super::{Number, Reads, Slot, Value};
use crate::config::{FractionalVersion, Severity};

/// A literal list of more texts than this is searched by halves.
const LINEAR: usize = 8;

/// Nesting that is refused whatever the limits say, so that no rule exhausts a stack; in steps of a path.
const MAX_TRAIL: usize = 400;

/// Attribute paths by [`Slot`].
#[derive(Debug, Default)]
pub struct Paths {
    slots: HashMap<Arc<str>, Slot>,
    list: Vec<Arc<str>>,
}

impl Paths {
    fn slot(&mut self, path: &str) -> Slot {
        if let Some(slot) = self.slots.get(path) {
            return *slot;
        }
        let (slot, path) = (Slot(self.list.len() as u32), Arc::<str>::from(path));
        self.slots.insert(path.clone(), slot);
        self.list.push(path);
        slot
    }

    /// All paths, in the order of their slots.
    pub fn into_list(self) -> Vec<Arc<str>> {
        self.list
    }
}

/// A compiled rule, with what it reads and what is wrong with it; an error among the faults makes the rule useless.
#[derive(Debug)]
pub struct Compiled {
    pub expr: Expr,
    pub reads: Reads,
    pub faults: Vec<Fault>,
}

/// Compiles one rule. `at` is the path of the rule in its document, for the faults.
pub fn compile(
    rule: &Json,
    at: &str,
    flag_key: &str,
    variants: &VariantNames,
    version: FractionalVersion,
    paths: &mut Paths,
) -> Compiled {
    let mut compiler = Compiler {
        at,
        flag_key,
        variants,
        version,
        paths,
        reads: Reads::default(),
        faults: Vec::new(),
        trail: Vec::new(),
        local: false,
    };
    let expr = compiler.expr(rule, true);
    let Compiler { mut reads, faults, .. } = compiler;
    reads.slots.sort_unstable();
    reads.slots.dedup();
    Compiled { expr, reads, faults }
}

struct Compiler<'r> {
    at: &'r str,
    flag_key: &'r str,
    variants: &'r VariantNames,
    version: FractionalVersion,
    paths: &'r mut Paths,
    reads: Reads,
    faults: Vec<Fault>,
    trail: Vec<Step<'r>>,
    /// Inside the body of `map` and its like, where only the element can be seen.
    local: bool,
}

impl<'r> Compiler<'r> {
    /// `tail` is whether the value becomes the result of the rule.
    fn expr(&mut self, json: &'r Json, tail: bool) -> Expr {
        if self.trail.len() > MAX_TRAIL {
            return self.refuse(|path| Fault::error(path, "the rule is nested too deeply"));
        }
        match json {
            Json::Object(map) if map.len() == 1 => match map.iter().next() {
                Some((name, args)) => self.within(Step::Key(name), |this| this.operation(name, args, tail)),
                None => self.literal(json, tail),
            },
            Json::Array(items) if !items.iter().all(constant) => {
                Expr::List(self.each(items, |this, _, item| this.expr(item, false)))
            }
            _ => self.literal(json, tail),
        }
    }

    fn operation(&mut self, name: &'r str, json: &'r Json, tail: bool) -> Expr {
        let args = match json {
            Json::Array(args) => args.as_slice(),
            one => std::slice::from_ref(one),
        };
        // What an operator does not look at is checked all the same.
        let looked_at = match name {
            "var" | "missing_some" | "in" | "map" | "filter" | "all" | "none" | "some" => 2,
            "reduce" => 3,
            "missing" if args.first().is_some_and(Json::is_array) => 1,
            _ => args.len(),
        };
        for (at, arg) in args.iter().enumerate().skip(looked_at) {
            self.within(Step::Index(at), |this| this.expr(arg, false));
        }
        match name {
            "var" => self.var(args),
            "missing" => self.missing(args),
            "missing_some" => self.missing_some(args),
            "if" | "?:" => {
                let last = args.len().saturating_sub(1);
                // Results stand at odd places, and last of an odd number.
                Expr::If(self.each(args, |this, at, arg| this.expr(arg, tail && (at % 2 == 1 || at == last))))
            }
            "and" => Expr::And(self.values(args)),
            "or" => Expr::Or(self.values(args)),
            "reduce" => self.reduce(args),
            "fractional" => self.fractional(args, tail),
            "in" => self.member(args),
            _ => match (Op::named(name), Each::named(name)) {
                (Some(op), _) => Expr::Call(op, self.values(args)),
                (_, Some(each)) => {
                    let list = self.nth(args, 0);
                    Expr::Each(each, Box::new(list), Box::new(self.body(args)))
                }
                _ => self.unknown(name),
            },
        }
    }

    fn unknown(&mut self, name: &str) -> Expr {
        let known = FORMS.iter().copied().chain(OPS.iter().map(|(known, _)| *known));
        let fix = did_you_mean(name, known);
        self.refuse(|path| {
            Fault::error(path, format!("unknown operator {}", quoted(name)))
                .expected("an operator of flagd's JSON Logic")
                .maybe_fix(fix)
        })
    }

    fn literal(&mut self, json: &'r Json, tail: bool) -> Expr {
        if let Json::Object(map) = json
            && let Some(operator) = map.keys().find(|key| is_operator(key))
        {
            let found = format!(
                "an object with {} keys is a constant, so its {} is never run",
                map.len(),
                quoted(operator)
            );
            self.warn(|path| Fault::warning(path, found).expected("one operator an object"));
        }
        Expr::Literal(self.constant(json, tail))
    }

    fn constant(&mut self, json: &Json, tail: bool) -> Literal {
        let answer = self.variants.answer(&Value::from(json));
        if tail && answer == Answer::Unknown {
            let found = match json {
                Json::String(name) => format!("{} names no variant", quoted(name)),
                other => format!("the result {} names no variant", quoted(&other.to_string())),
            };
            let fix = json.as_str().and_then(|name| did_you_mean(name, self.variants.names()));
            self.warn(|path| {
                Fault::warning(path, found)
                    .expected("the name of a variant, or null for the default")
                    .maybe_fix(fix)
            });
        }
        Literal { json: json.clone(), answer }
    }

    fn var(&mut self, args: &'r [Json]) -> Expr {
        let lookup = match args.first() {
            None | Some(Json::Null) => self.lookup(""),
            Some(Json::String(path)) => self.lookup(path),
            Some(Json::Number(number)) => self.lookup(&Number::from(number).to_string()),
            Some(other) => {
                self.reads.everything |= !self.local;
                let path = self.within(Step::Index(0), |this| this.expr(other, false));
                Lookup::Computed(Box::new(path), self.local)
            }
        };
        if let Lookup::FlagKey = lookup {
            return Expr::Literal(self.constant(&Json::String(self.flag_key.to_owned()), false));
        }
        let default = args.get(1).filter(|default| !default.is_null());
        let default =
            default.map(|json| Box::new(self.within(Step::Index(1), |this| this.expr(json, false))));
        Expr::Var(lookup, default)
    }

    fn lookup(&mut self, path: &str) -> Lookup {
        if self.local {
            return Lookup::Local(path.into());
        }
        match path {
            "targetingKey" => {
                self.reads.targeting_key = true;
                Lookup::TargetingKey
            }
            "$flagd.flagKey" => Lookup::FlagKey,
            "$flagd.timestamp" => {
                self.reads.timestamp = true;
                Lookup::Timestamp
            }
            "$flagd" => {
                self.reads.timestamp = true;
                Lookup::Whole(path.into())
            }
            "" => {
                self.reads = Reads {
                    everything: true,
                    timestamp: true,
                    targeting_key: true,
                    ..std::mem::take(&mut self.reads)
                };
                Lookup::Whole(path.into())
            }
            _ if path.starts_with("$flagd.") || path.starts_with("targetingKey.") => Lookup::Nothing,
            _ => {
                let slot = self.paths.slot(path);
                self.reads.slots.push(slot);
                Lookup::Slot(slot)
            }
        }
    }

    fn missing(&mut self, args: &'r [Json]) -> Expr {
        // The names may be the arguments, or all in a list that is the first.
        let names = match args {
            [Json::Array(names), ..] => self.within(Step::Index(0), |this| this.names(names)),
            _ => self.names(args),
        };
        Expr::Missing(Missing { need: None, names })
    }

    fn missing_some(&mut self, args: &'r [Json]) -> Expr {
        let need = Some(Box::new(self.nth(args, 0)));
        let names = match args.get(1) {
            Some(Json::Array(names)) => self.within(Step::Index(1), |this| this.names(names)),
            _ => MissingNames::Computed(Box::new([self.nth(args, 1)]), self.local),
        };
        Expr::Missing(Missing { need, names })
    }

    fn names(&mut self, names: &'r [Json]) -> MissingNames {
        let path = |json: &'r Json| match json {
            Json::String(path) => Some((json, Cow::Borrowed(&**path))),
            Json::Number(number) => Some((json, Cow::Owned(Number::from(number).to_string()))),
            _ => None,
        };
        if let Some(known) = names.iter().map(path).collect::<Option<Vec<_>>>() {
            let known = known.into_iter().map(|(json, path)| (json.clone(), self.lookup(&path)));
            return MissingNames::Known(known.collect());
        }
        self.reads.everything |= !self.local;
        MissingNames::Computed(self.values(names), self.local)
    }

    fn member(&mut self, args: &'r [Json]) -> Expr {
        if let [needle, Json::Array(items), ..] = args
            && items.len() > LINEAR
            && items.iter().all(Json::is_string)
        {
            let mut texts: Vec<Box<str>> = items.iter().filter_map(Json::as_str).map(Box::from).collect();
            texts.sort_unstable();
            let needle = self.within(Step::Index(0), |this| this.expr(needle, false));
            return Expr::Among(Box::new(needle), texts.into());
        }
        // More arguments are nobody's.
        Expr::Call(Op::In, self.values(args.get(..2).unwrap_or(args)))
    }

    fn reduce(&mut self, args: &'r [Json]) -> Expr {
        let (list, body) = (self.nth(args, 0), self.body(args));
        Expr::Reduce(Box::new([list, body, self.nth(args, 2)]))
    }

    /// The second argument, which sees the element alone.
    fn body(&mut self, args: &'r [Json]) -> Expr {
        let outer = std::mem::replace(&mut self.local, true);
        let body = self.nth(args, 1);
        self.local = outer;
        body
    }

    fn values(&mut self, args: &'r [Json]) -> Box<[Expr]> {
        self.each(args, |this, _, arg| this.expr(arg, false))
    }

    /// The argument at a position; null when there is none.
    fn nth(&mut self, args: &'r [Json], index: usize) -> Expr {
        match args.get(index) {
            Some(json) => self.within(Step::Index(index), |this| this.expr(json, false)),
            None => Expr::Literal(Literal { json: Json::Null, answer: Answer::Default }),
        }
    }

    fn each<T>(
        &mut self,
        items: &'r [Json],
        mut compile: impl FnMut(&mut Self, usize, &'r Json) -> T,
    ) -> Box<[T]> {
        let items = items.iter().enumerate();
        items.map(|(at, item)| self.within(Step::Index(at), |this| compile(this, at, item))).collect()
    }

    fn within<T>(&mut self, step: Step<'r>, work: impl FnOnce(&mut Self) -> T) -> T {
        self.trail.push(step);
        let done = work(self);
        self.trail.pop();
        done
    }

    fn refuse(&mut self, fault: impl FnOnce(String) -> Fault) -> Expr {
        self.warn(fault);
        Expr::Literal(Literal { json: Json::Null, answer: Answer::Default })
    }

    fn warn(&mut self, fault: impl FnOnce(String) -> Fault) {
        let fault = fault(join(self.at, &self.trail));
        // More than a few help nobody, but an error is never lost among warnings.
        const FAULTS: usize = 20;
        let first_error = fault.severity == Severity::Error
            && self.faults.iter().all(|known| known.severity != Severity::Error);
        if self.faults.len() < FAULTS || first_error {
            self.faults.push(fault);
        }
    }
}

/// Whether a value has nothing to evaluate in it.
fn constant(json: &Json) -> bool {
    match json {
        Json::Array(items) => items.iter().all(constant),
        Json::Object(map) => map.len() != 1,
        _ => true,
    }
}
