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
    let mut told = Vec::new();
    match (resolved.reason, &definition.targeting) {
        (Reason::Disabled, _) => told.push("set its state to ENABLED".to_owned()),
        (_, None) => told.push("change its defaultVariant, or give it a targeting".to_owned()),
        (_, Some(rule)) => walk(rule, steps, 0, &mut told),
    }
    if flag.reads.targeting_key
        && resolved.reason != Reason::Disabled
        && let Some(key) = key.filter(|key| key.source.is_none())
    {
        told.push(match key.sources.is_empty() {
            true => "configure `context.targeting_key`: nobody has a key".to_owned(),
            false => format!("send a targeting key: {}", key.sources.join(", or ")),
        });
    }
    told
}

/// Follows the branch that was taken, and tells what would have led off it. `at` is the rule's own step.
fn walk(rule: &Value, steps: &[Step], at: usize, told: &mut Vec<String>) {
    let Some((operator, arguments)) = operation(rule) else { return };
    match (operator, arguments) {
        ("if" | "?:", Value::Array(arguments)) => branches(arguments, steps, at, told),
        ("fractional", _) => {
            if let Some(step) = steps.get(at).filter(|step| step.result.contains("bucket")) {
                told.push(format!("another targeting key, or other weights: this one got {}", step.result));
            }
        }
        _ => {}
    }
}

fn branches(arguments: &[Value], steps: &[Step], at: usize, told: &mut Vec<String>) {
    let mut children = children(steps, at);
    let mut pairs = arguments.chunks_exact(2);
    for pair in pairs.by_ref() {
        let [condition, then] = pair else { return };
        // A constant condition takes no step, and nothing about a request can change it.
        if operation(condition).is_none() {
            return;
        }
        let Some(step) = children.next() else { return };
        if !is_falsy(&steps[step].result) {
            told.push(format!("`{}` would have to be false", steps[step].what));
            return walk(then, steps, children.next().unwrap_or(usize::MAX), told);
        }
        told.push(format!("for {}: `{}` would have to be true", outcome(then), steps[step].what));
    }
    if let [last] = pairs.remainder() {
        walk(last, steps, children.next().unwrap_or(usize::MAX), told);
    }
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
        let mut told = Vec::new();
        walk(rule, steps, 0, &mut told);
        told
    }

    #[test]
    fn conditions_on_the_way_and_the_bucket_are_told() {
        let rule = json!({"if": [
            {"==": [{"var": "header.x-canary"}, "always"]}, "canary",
            {"==": [{"var": "header.x-canary"}, "never"]}, null,
            {"fractional": [["canary", 1], ["stable", 99]]}]});
        let steps = [
            step(0, "if", "\"stable\""),
            step(1, "header.x-canary == \"always\"", "false"),
            step(2, "header.x-canary", "null"),
            step(1, "header.x-canary == \"never\"", "false (absent)"),
            step(2, "header.x-canary", "null"),
            step(1, "fractional", "\"stable\" (bucket 17 of 100)"),
        ];
        assert_eq!(
            walked(&rule, &steps),
            [
                "for `canary`: `header.x-canary == \"always\"` would have to be true",
                "for the default variant: `header.x-canary == \"never\"` would have to be true",
                "another targeting key, or other weights: this one got \"stable\" (bucket 17 of 100)",
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
    fn steps_that_do_not_fit_the_rule_say_nothing() {
        let rule = json!({"if": [{"var": "a"}, "x", {"fractional": [["a", 1]]}]});
        assert!(walked(&rule, &[]).is_empty());
        assert!(walked(&json!("canary"), &[step(0, "x", "y")]).is_empty());
    }
}
