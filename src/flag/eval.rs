//! Running a compiled rule.
//!
//! Generic over the context, so that reading an attribute is a direct call, and over a [`Witness`], so that an evaluation
//! nobody traces pays nothing for tracing. What it walks and makes is metered: no rule and no context can hold a request up.

mod fractional;

use std::borrow::Cow;
use std::cell::OnceCell;

use serde_json::Value as Json;
use smallvec::SmallVec;

use super::meter::Meter;
use super::operators;
use super::rule::{Answer, Each, Expr, Literal, Lookup, Missing, MissingNames};
use super::trace::Witness;
use super::value::Items;
use super::variants::VariantNames;
use super::{Context, Limit, Number, Value};
use fractional::Pick;

type Result<T> = std::result::Result<T, Limit>;

/// What the body of `map`, `reduce` and their like can see.
pub enum Scope<'e> {
    Element(Value<'e>),
    Pair { current: Value<'e>, accumulator: Value<'e> },
}

/// A text or null at hand, and the bytes looked through to find it.
pub struct Glance<'e> {
    pub content: Option<&'e str>,
    pub searched: usize,
}

/// One evaluation under way.
pub struct Machine<'e, C, W> {
    pub context: &'e C,
    pub flag_key: &'e str,
    pub variants: &'e VariantNames,
    /// The context as an object, made when first asked for.
    pub whole: &'e OnceCell<Json>,
    pub witness: W,
    pub meter: Meter,
}

impl<'e, C: Context, W: Witness> Machine<'e, C, W> {
    /// Runs a rule.
    pub fn run(&mut self, rule: &'e Expr) -> Result<Answer> {
        let full = self.meter;
        let answer = self.resolve(rule);
        if let Err(limit) = answer {
            // It stands with the innermost expression under way.
            self.witness.note(|| full.tell(limit));
        }
        answer
    }

    /// Runs an expression whose value is the rule's result.
    fn resolve(&mut self, expr: &'e Expr) -> Result<Answer> {
        match expr {
            Expr::Literal(literal) => Ok(literal.answer),
            Expr::If(arms) => {
                self.meter.step(1)?;
                let step = self.witness.enter(expr);
                let answer = match self.branch(arms, None)? {
                    Some(branch) => self.resolve(branch)?,
                    None => Answer::Default,
                };
                self.witness.leave(step, || self.variants.describe(answer));
                Ok(answer)
            }
            Expr::Fractional(split) => {
                self.meter.step(1)?;
                let step = self.witness.enter(expr);
                let answer = match self.pick(split, None)? {
                    Pick::Literal(literal) => literal.answer,
                    Pick::Value(value) => self.variants.answer(&value),
                };
                self.witness.leave(step, || self.variants.describe(answer));
                Ok(answer)
            }
            _ => {
                let value = self.eval(expr, None)?;
                Ok(self.variants.answer(&value))
            }
        }
    }

    #[inline]
    fn eval(&mut self, expr: &'e Expr, scope: Option<&Scope<'e>>) -> Result<Value<'e>> {
        self.meter.step(1)?;
        match expr {
            // Leaves are most of every rule, and need nothing of what follows.
            Expr::Literal(literal) => Ok(Value::from(&literal.json)),
            Expr::Var(lookup @ Lookup::Slot(_), None) if !W::WATCHES => self.read(lookup, scope),
            _ => self.work(expr, scope),
        }
    }

    #[inline(never)]
    fn work(&mut self, expr: &'e Expr, scope: Option<&Scope<'e>>) -> Result<Value<'e>> {
        let step = self.witness.enter(expr);
        let value = match expr {
            Expr::Literal(literal) => Value::from(&literal.json),
            Expr::List(items) => {
                let mut list = self.meter.list(items.len())?;
                for item in items {
                    list.push(self.eval(item, scope)?);
                }
                Value::List(list)
            }
            Expr::Var(lookup, default) => match (self.read(lookup, scope)?, default) {
                (Value::Null, Some(default)) => self.eval(default, scope)?,
                (value, _) => value,
            },
            Expr::If(arms) => match self.branch(arms, scope)? {
                Some(branch) => self.eval(branch, scope)?,
                None => Value::Null,
            },
            Expr::And(args) => self.first(args, scope, false)?,
            Expr::Or(args) => self.first(args, scope, true)?,
            // Most calls are these: an array on the stack needs no bookkeeping.
            Expr::Call(op, args) if args.len() == 2 => {
                let mut values = [self.argument(&args[0], scope)?, self.argument(&args[1], scope)?];
                operators::apply(*op, &mut values, &mut self.meter)?
            }
            Expr::Call(op, args) => {
                let mut values: SmallVec<[Value<'e>; 4]> = SmallVec::new();
                for arg in args {
                    values.push(self.argument(arg, scope)?);
                }
                operators::apply(*op, &mut values, &mut self.meter)?
            }
            Expr::Among(needle, texts) => match self.eval(needle, scope)? {
                Value::Text(text) => {
                    let compared = texts.len().ilog2() as usize + 1;
                    self.meter.read(text.len().saturating_mul(compared))?;
                    texts.binary_search_by(|known| (**known).cmp(&*text)).is_ok().into()
                }
                _ => false.into(),
            },
            Expr::Missing(missing) => self.missing(missing, scope)?,
            Expr::Each(each, list, body) => self.each(*each, list, body, scope)?,
            Expr::Reduce(parts) => self.reduce(parts, scope)?,
            Expr::Fractional(split) => match self.pick(split, scope)? {
                Pick::Literal(literal) => Value::from(&literal.json),
                Pick::Value(value) => value,
            },
        };
        self.witness.leave(step, || super::trace::show(&value));
        Ok(value)
    }

    /// The value of an operator's argument, which the operator will read.
    #[inline]
    fn argument(&mut self, arg: &'e Expr, scope: Option<&Scope<'e>>) -> Result<Value<'e>> {
        let value = self.eval(arg, scope)?;
        if let Value::Text(text) = &value {
            self.meter.read(text.len())?;
        }
        Ok(value)
    }

    /// The branch of an `if` that holds, or its else.
    fn branch(&mut self, arms: &'e [Expr], scope: Option<&Scope<'e>>) -> Result<Option<&'e Expr>> {
        let (pairs, rest) = arms.as_chunks::<2>();
        for (at, [condition, branch]) in pairs.iter().enumerate() {
            if self.holds(condition, scope)? {
                self.witness.note(|| format!("condition {} of {} holds", at + 1, pairs.len()));
                return Ok(Some(branch));
            }
        }
        self.witness.note(|| if rest.is_empty() { "no condition holds" } else { "else" }.to_owned());
        Ok(rest.first())
    }

    /// Whether a condition holds.
    fn holds(&mut self, condition: &'e Expr, scope: Option<&Scope<'e>>) -> Result<bool> {
        // The commonest of all, texts at hand, without the detour over values.
        if !W::WATCHES
            && let Expr::Call(op, args) = condition
            && let [left, right] = &**args
            && let Some(compare) = operators::on_texts(*op)
            && let (Some(left), Some(right)) = (self.glance(left), self.glance(right))
        {
            // It costs what the detour costs.
            self.meter.step(3)?;
            for text in [&left, &right] {
                self.meter.search(text.searched)?;
                self.meter.read(text.content.map_or(0, str::len))?;
            }
            return Ok(compare(left.content, right.content));
        }
        Ok(self.eval(condition, scope)?.truthy())
    }

    /// The text or null that an expression is without any work; nothing is charged for it yet.
    #[inline]
    pub fn glance(&self, expr: &'e Expr) -> Option<Glance<'e>> {
        match expr {
            Expr::Literal(Literal { json: Json::String(text), .. }) => {
                Some(Glance { content: Some(text), searched: 0 })
            }
            Expr::Var(Lookup::Slot(slot), None) => {
                let content = match self.context.attribute(*slot) {
                    Value::Text(Cow::Borrowed(text)) => Some(text),
                    Value::Null => None,
                    _ => return None,
                };
                Some(Glance { content, searched: self.context.search(Some(*slot)) })
            }
            _ => None,
        }
    }

    /// The first argument that is truthy (`or`) or not (`and`), else the last.
    fn first(&mut self, args: &'e [Expr], scope: Option<&Scope<'e>>, truthy: bool) -> Result<Value<'e>> {
        let mut last = Value::Null;
        for arg in args {
            last = self.eval(arg, scope)?;
            if last.truthy() == truthy {
                break;
            }
        }
        Ok(last)
    }

    fn read(&mut self, lookup: &'e Lookup, scope: Option<&Scope<'e>>) -> Result<Value<'e>> {
        match lookup {
            Lookup::Slot(slot) => {
                self.meter.search(self.context.search(Some(*slot)))?;
                self.meter.given(self.context.attribute(*slot))
            }
            Lookup::TargetingKey => self.targeting_key(),
            Lookup::FlagKey => Ok(self.flag_key.into()),
            Lookup::Timestamp => Ok(Number::from(self.context.timestamp()).into()),
            Lookup::Nothing => Ok(Value::Null),
            Lookup::Whole(path) => Ok(Value::at(self.whole(), path)),
            Lookup::Local(path) => self.meter.copy(&local(scope, path)),
            Lookup::Computed(path, is_local) => {
                let path = self.eval(path, scope)?;
                let path = self.meter.text(&path)?;
                self.named(&path, *is_local, scope)
            }
        }
    }

    /// What a path names that is known only now.
    fn named(&mut self, path: &str, is_local: bool, scope: Option<&Scope<'e>>) -> Result<Value<'e>> {
        self.meter.read(path.len())?;
        match path {
            _ if is_local => self.meter.copy(&local(scope, path)),
            "targetingKey" => self.targeting_key(),
            "" => Ok(Value::at(self.whole(), path)),
            _ if path.starts_with("$flagd") => Ok(Value::at(self.whole(), path)),
            _ => {
                self.meter.search(self.context.search(None))?;
                self.meter.given(self.context.computed(path))
            }
        }
    }

    /// What is no key to split by can still be read: the empty text, a number.
    fn targeting_key(&mut self) -> Result<Value<'e>> {
        match self.context.targeting_key() {
            Some(key) => Ok(key.into()),
            None => self.meter.given(self.context.computed("targetingKey")),
        }
    }

    fn whole(&self) -> &'e Json {
        let whole = self.whole;
        whole.get_or_init(|| {
            let mut whole = match self.context.whole() {
                Json::Object(map) => map,
                _ => serde_json::Map::new(),
            };
            if let Some(key) = self.context.targeting_key() {
                whole.insert("targetingKey".to_owned(), key.into());
            }
            let flagd = serde_json::json!({"flagKey": self.flag_key, "timestamp": self.context.timestamp()});
            whole.insert("$flagd".to_owned(), flagd);
            Json::Object(whole)
        })
    }

    /// Null and the empty text are missing.
    fn missing(&mut self, missing: &'e Missing, scope: Option<&Scope<'e>>) -> Result<Value<'e>> {
        let is_missing = |value: &Value| {
            matches!(value, Value::Null) || matches!(value, Value::Text(text) if text.is_empty())
        };
        let mut absent = Vec::new();
        let mut names = 0;
        match &missing.names {
            MissingNames::Known(known) => {
                names = known.len();
                for (name, lookup) in known {
                    self.meter.step(1)?;
                    if is_missing(&self.read(lookup, scope)?) {
                        self.meter.push(&mut absent, Value::from(name))?;
                    }
                }
            }
            MissingNames::Computed(args, is_local) => {
                for (at, arg) in args.iter().enumerate() {
                    let value = self.eval(arg, scope)?;
                    // A list is the list of names when it is the first argument.
                    let is_list = at == 0 && value.len().is_some();
                    for name in if is_list { value.into_items() } else { Items::One(Some(value)) } {
                        self.meter.step(1)?;
                        names += 1;
                        let path = self.meter.text(&name)?;
                        if is_missing(&self.named(&path, *is_local, scope)?) {
                            drop(path);
                            self.meter.push(&mut absent, name)?;
                        }
                    }
                    if is_list {
                        break;
                    }
                }
            }
        }
        if let Some(need) = &missing.need {
            let need = self.argument(need, scope)?.number();
            if Number::from((names - absent.len()) as u64) >= need {
                absent.clear();
            }
        }
        Ok(Value::List(absent))
    }

    fn each(
        &mut self,
        each: Each,
        list: &'e Expr,
        body: &'e Expr,
        scope: Option<&Scope<'e>>,
    ) -> Result<Value<'e>> {
        let list = self.list(list, scope)?;
        let mut made = Vec::new();
        let mut count = 0;
        for item in list {
            self.meter.step(1)?;
            count += 1;
            let scope = Scope::Element(item);
            let result = self.eval(body, Some(&scope))?;
            let Scope::Element(item) = scope else { break };
            match each {
                Each::Map => self.meter.push(&mut made, result)?,
                Each::Filter if result.truthy() => self.meter.push(&mut made, item)?,
                Each::All if !result.truthy() => return Ok(false.into()),
                Each::Some if result.truthy() => return Ok(true.into()),
                Each::None if result.truthy() => return Ok(false.into()),
                _ => {}
            }
        }
        Ok(match each {
            Each::Map | Each::Filter => Value::List(made),
            Each::All => (count > 0).into(),
            Each::Some => false.into(),
            Each::None => true.into(),
        })
    }

    fn reduce(
        &mut self,
        [list, body, initial]: &'e [Expr; 3],
        scope: Option<&Scope<'e>>,
    ) -> Result<Value<'e>> {
        let list = self.list(list, scope)?;
        let mut accumulator = self.eval(initial, scope)?;
        for current in list {
            self.meter.step(1)?;
            accumulator = self.eval(body, Some(&Scope::Pair { current, accumulator }))?;
        }
        Ok(accumulator)
    }

    /// The items that a body runs on: none of what is no list.
    fn list(&mut self, list: &'e Expr, scope: Option<&Scope<'e>>) -> Result<Items<'e>> {
        let list = self.eval(list, scope)?;
        Ok(if list.len().is_some() { list.into_items() } else { Items::One(None) })
    }
}

/// A path into what the body of `map` and its like can see.
fn local<'s, 'e>(scope: Option<&'s Scope<'e>>, path: &str) -> Cow<'s, Value<'e>> {
    match scope {
        Some(Scope::Element(element)) => element.path(path),
        Some(Scope::Pair { current, accumulator }) => {
            let mut parts = path.split('.');
            match parts.next() {
                Some("current") => current.parts(parts),
                Some("accumulator") => accumulator.parts(parts),
                _ => Cow::Owned(Value::Null),
            }
        }
        None => Cow::Owned(Value::Null),
    }
}
