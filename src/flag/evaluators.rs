//! Putting `$evaluators` in where a rule refers to them: `{"$ref": "name"}`, structurally.
//!
//! References may nest; cycles are refused. What comes out is bounded in depth and size, counted while it grows, so that
//! doubling references cost no more than the bound.

use serde_json::{Map, Value as Json};

use super::fault::{Fault, Step, did_you_mean, join, quoted};
use crate::config::FlagLimits;

/// Nesting that is refused whatever the limits say: an evaluation recurses as deep as its rule.
const DEEPEST: usize = 128;

/// The evaluators of a document.
#[derive(Debug)]
pub struct Evaluators<'d> {
    by_name: &'d Map<String, Json>,
    max_depth: usize,
    max_values: usize,
    /// Values that all rules of the document may still have.
    left: usize,
}

/// One rule's resolution under way.
struct Resolver<'s, 'd> {
    evaluators: &'s Evaluators<'d>,
    path: &'s str,
    values: usize,
    /// Where in the rule itself we are; inside an evaluator it stays at the reference.
    trail: Vec<Step<'d>>,
    /// Names of the evaluators being put in.
    inside: Vec<&'d str>,
}

impl<'d> Evaluators<'d> {
    /// Evaluators by name.
    pub fn new(by_name: &'d Map<String, Json>, limits: &FlagLimits) -> Self {
        let max_depth = limits.rule_depth.min(DEEPEST);
        Evaluators { by_name, max_depth, max_values: limits.rule_nodes, left: limits.values }
    }

    /// A rule with every reference put in. `path` is the rule's path, for the fault.
    pub fn resolve(&mut self, rule: &'d Json, path: &str) -> Result<Json, Fault> {
        let mut resolver =
            Resolver { evaluators: self, path, values: 0, trail: Vec::new(), inside: Vec::new() };
        let resolved = resolver.copy(rule, 1);
        let values = resolver.values;
        self.left = self.left.saturating_sub(values);
        resolved
    }
}

impl<'d> Resolver<'_, 'd> {
    /// Copies and counts at once: nothing grows that was not counted. An operator with its arguments is one level.
    fn copy(&mut self, json: &'d Json, depth: usize) -> Result<Json, Fault> {
        self.count(depth)?;
        match json {
            Json::Object(map) if map.len() == 1 && map.contains_key("$ref") => {
                self.within(Step::Key("$ref"), |this| this.put_in(&map["$ref"], depth))
            }
            Json::Object(map) => {
                let copy = map.iter().map(|(key, value)| {
                    let value = self.within(Step::Key(key), |this| match value {
                        Json::Array(items) => this.list(items, depth),
                        other => this.copy(other, depth + 1),
                    });
                    value.map(|value| (key.clone(), value))
                });
                copy.collect::<Result<_, _>>().map(Json::Object)
            }
            Json::Array(items) => self.list(items, depth),
            scalar => Ok(scalar.clone()),
        }
    }

    fn list(&mut self, items: &'d [Json], depth: usize) -> Result<Json, Fault> {
        self.count(depth)?;
        let copy = items.iter().enumerate();
        let copy = copy.map(|(at, item)| self.within(Step::Index(at), |this| this.copy(item, depth + 1)));
        copy.collect::<Result<_, _>>().map(Json::Array)
    }

    fn within<T>(&mut self, step: Step<'d>, work: impl FnOnce(&mut Self) -> T) -> T {
        if self.inside.is_empty() {
            self.trail.push(step);
            let done = work(self);
            self.trail.pop();
            done
        } else {
            work(self)
        }
    }

    fn fault(&self, found: impl Into<String>) -> Fault {
        Fault::error(join(self.path, &self.trail), found)
    }

    fn put_in(&mut self, name: &Json, depth: usize) -> Result<Json, Fault> {
        let Some(name) = name.as_str() else {
            return Err(self.fault("a `$ref` that is no text").expected("the name of an evaluator"));
        };
        let Some((name, evaluator)) = self.evaluators.by_name.get_key_value(name) else {
            let fix = did_you_mean(name, self.evaluators.by_name.keys().map(String::as_str));
            let found = format!("there is no evaluator {}", quoted(name));
            return Err(self.fault(found).expected("a name under `$evaluators`").maybe_fix(fix));
        };
        if self.inside.contains(&name.as_str()) {
            let chain: Vec<_> = self.inside.iter().copied().chain([name.as_str()]).map(quoted).collect();
            let found = format!("evaluators refer to each other in a circle: {}", chain.join(" → "));
            return Err(self.fault(found));
        }
        self.inside.push(name);
        let copy = self.copy(evaluator, depth);
        self.inside.pop();
        copy
    }

    fn count(&mut self, depth: usize) -> Result<(), Fault> {
        let Evaluators { max_depth, max_values, left, .. } = *self.evaluators;
        self.values += 1;
        if depth > max_depth + 1 {
            let found = format!("the rule is nested more than {max_depth} operators deep");
            return Err(self
                .fault(found)
                .expected("fewer levels, or a greater `limits.rule_depth` (at most 128)"));
        }
        if self.values > max_values {
            let found = format!("the rule has more than {max_values} values with its `$ref`s put in");
            return Err(self.fault(found).expected("a smaller rule, or a greater `limits.rule_nodes`"));
        }
        if self.values > left {
            return Err(self
                .fault("all rules of this document together are too large with their `$ref`s put in")
                .expected("fewer or smaller rules, or a greater `limits.values`"));
        }
        Ok(())
    }
}
