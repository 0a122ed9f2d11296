//! What would have to change for another variant: the conditions on the way that were not met, the one that was, the bucket.
//!
//! Read off the steps of the evaluation beside the rule as written; where both do not lie side by side, it says nothing
//! rather than something wrong.

use serde_json::Value;

use super::Key;
use crate::decide::Resolved;
use crate::flag::set::Step;
use crate::flag::{Flag, Reason};

/// One sentence for each thing that would have to change; none that would be empty words.
pub fn otherwise(flag: Option<&Flag>, resolved: &Resolved, steps: &[Step], key: Option<&Key>) -> Vec<String> {
    let Some(flag) = flag else { return vec!["define the flag in a source".to_owned()] };
    let Some(definition) = &flag.definition else {
        return vec!["mend its definition: none was ever good".to_owned()];
    };
    let variant = resolved.variant.and_then(|variant| flag.variant_name(variant));
    let mut walk = Walk { steps, variant: variant.map(|name| &**name), told: Vec::new() };
    match (resolved.reason, &definition.targeting) {
        (Reason::Disabled, _) => walk.told.push("set its state to ENABLED".to_owned()),
        (_, None) => walk.told.push("change its defaultVariant, or give it a targeting".to_owned()),
        (_, Some(rule)) => walk.rule(rule, 0),
    }
    if flag.reads.targeting_key
        && resolved.reason != Reason::Disabled
        && let Some(key) = key.filter(|key| key.source.is_none())
    {
        walk.told.push(match key.sources.is_empty() {
            true => "configure `context.targeting_key`: nobody has a key".to_owned(),
            false => format!("send a targeting key: {}", key.sources.join(", or ")),
        });
    }
    walk.told
}

/// Follows the branches that were taken, and tells what would have led off them.
struct Walk<'a> {
    steps: &'a [Step],
    /// What came out: a way to the same is no change.
    variant: Option<&'a str>,
    told: Vec<String>,
}

impl Walk<'_> {
    /// `at` is the rule's own step.
    fn rule(&mut self, rule: &Value, at: usize) {
        match operation(rule) {
            Some(("if" | "?:", Value::Array(arguments))) => self.branches(arguments, at),
            Some(("fractional", Value::Array(arguments))) => self.split(arguments, at),
            _ => {}
        }
    }

    fn branches(&mut self, arguments: &[Value], at: usize) {
        let steps = self.steps;
        let mut children = children(steps, at);
        let mut pairs = arguments.chunks_exact(2);
        for pair in pairs.by_ref() {
            let [condition, then] = pair else { return };
            // A constant condition takes no step, and nothing about a request can change it.
            let Some(step) = operation(condition).and_then(|_| children.next()) else { return };
            if !is_falsy(&steps[step].result) {
                self.told.push(format!("`{}` would have to be false", steps[step].what));
                return self.rule(then, children.next().unwrap_or(usize::MAX));
            }
            if then.as_str().is_none_or(|then| Some(then) != self.variant) {
                let outcome = outcome(then);
                self.told.push(format!("for {outcome}: `{}` would have to be true", steps[step].what));
            }
        }
        if let [last] = pairs.remainder() {
            self.rule(last, children.next().unwrap_or(usize::MAX));
        }
    }

    fn split(&mut self, arguments: &[Value], at: usize) {
        let Some((_, bucket)) = self.steps.get(at).and_then(|step| step.result.split_once("bucket ")) else {
            return;
        };
        let bucket = bucket.split([';', ',', ')']).next().unwrap_or(bucket);
        self.told.push(match shares(arguments) {
            Some(shares) => format!(
                "another targeting key, or other weights: this one is in bucket {bucket}, and {shares}"
            ),
            None => format!("another targeting key, or other weights: this one is in bucket {bucket}"),
        });
    }
}

/// `` `canary` has 0 to 9, `stable` has 10 to 99 ``, when all weights are constants.
fn shares(arguments: &[Value]) -> Option<String> {
    let mut start = 0u64;
    let mut told = Vec::new();
    for part in arguments.iter().filter_map(Value::as_array) {
        let end = start.checked_add(part.get(1).map_or(Some(1), Value::as_u64)?)?;
        let name = part.first()?.as_str().unwrap_or("the default variant");
        if end > start {
            told.push(format!("`{name}` has {start} to {}", end - 1));
        }
        start = end;
    }
    (!told.is_empty()).then(|| told.join(", "))
}

/// The steps right under a step.
fn children(steps: &[Step], at: usize) -> impl Iterator<Item = usize> + '_ {
    let depth = steps.get(at).map_or(usize::MAX, |step| step.depth);
    let under =
        steps.iter().enumerate().skip(at.saturating_add(1)).take_while(move |(_, step)| step.depth > depth);
    under.filter(move |(_, step)| step.depth == depth + 1).map(|(index, _)| index)
}

/// An object with one key is an operation.
fn operation(rule: &Value) -> Option<(&str, &Value)> {
    let object = rule.as_object().filter(|object| object.len() == 1)?;
    object.iter().next().map(|(operator, arguments)| (operator.as_str(), arguments))
}

fn outcome(then: &Value) -> String {
    match (then, operation(then)) {
        (Value::String(variant), _) => format!("`{variant}`"),
        (Value::Null, _) => "the default variant".to_owned(),
        (_, Some(("fractional", _))) => "the split".to_owned(),
        (other, None) => format!("`{other}`"),
        (_, Some(_)) => "the branch behind it".to_owned(),
    }
}

/// A step's result without its notes, as JSON Logic sees it.
fn is_falsy(result: &str) -> bool {
    let bare = result.split(" (").next().unwrap_or(result);
    matches!(bare, "false" | "null" | "0" | "-0" | "\"\"" | "[]")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(depth: usize, what: &str, result: &str) -> Step {
        Step { depth, what: what.to_owned(), result: result.to_owned() }
    }

    fn walked(rule: &Value, steps: &[Step]) -> Vec<String> {
        let mut walk = Walk { steps, variant: Some("stable"), told: Vec::new() };
        walk.rule(rule, 0);
        walk.told
    }

    #[test]
    fn conditions_on_the_way_and_the_bucket_are_told() {
        let rule = json!({"if": [
            {"==": [{"var": "header.x-canary"}, "always"]}, "canary",
            {"==": [{"var": "header.x-canary"}, "never"]}, "stable",
            {"==": [{"var": "header.x-canary"}, "no"]}, null,
            {"fractional": [["canary", 1], ["stable", 99]]}]});
        let steps = [
            step(0, "if", "\"stable\""),
            step(1, "header.x-canary == \"always\"", "false"),
            step(2, "header.x-canary", "null"),
            step(1, "header.x-canary == \"never\"", "false (absent)"),
            step(2, "header.x-canary", "null"),
            step(1, "header.x-canary == \"no\"", "false"),
            step(1, "fractional", "variant \"stable\" (unit: a; bucket 17 of 100, part 2 of 2)"),
        ];
        assert_eq!(
            walked(&rule, &steps),
            [
                "for `canary`: `header.x-canary == \"always\"` would have to be true",
                "for the default variant: `header.x-canary == \"no\"` would have to be true",
                "another targeting key, or other weights: this one is in bucket 17 of 100, and `canary` has 0 to 0, `stable` has 1 to 99",
            ]
        );
    }

    #[test]
    fn a_condition_that_held_would_have_to_fail() {
        let rule = json!({"if": [{"var": "cookie.beta"}, {"if": [{"var": "x"}, "a", "b"]}, "stable"]});
        let steps = [
            step(0, "if", "\"b\""),
            step(1, "cookie.beta", "\"1\""),
            step(1, "if", "\"b\""),
            step(2, "x", "null"),
        ];
        assert_eq!(
            walked(&rule, &steps),
            ["`cookie.beta` would have to be false", "for `a`: `x` would have to be true"]
        );
    }

    #[test]
    fn shares_are_told_when_they_are_constants() {
        let told = |rule: Value| shares(rule.as_array().unwrap());
        assert_eq!(
            told(json!([{"var": "x"}, ["a"], ["b", 0], ["c", 2]])).unwrap(),
            "`a` has 0 to 0, `c` has 1 to 2"
        );
        assert_eq!(told(json!([["a", {"var": "x"}], ["b", 1]])), None);
        assert_eq!(told(json!([["a", u64::MAX], ["b", 1]])), None);
    }

    #[test]
    fn steps_that_do_not_fit_the_rule_say_nothing() {
        let rule = json!({"if": [{"var": "a"}, "x", {"fractional": [["a", 1]]}]});
        assert!(walked(&rule, &[]).is_empty());
        assert!(walked(&json!("canary"), &[step(0, "x", "y")]).is_empty());
    }
}
