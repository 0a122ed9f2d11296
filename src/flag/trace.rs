//! What an evaluation tells of itself, for `explain`.

use std::fmt::Write;
use std::sync::Arc;

use super::fault::quoted;
use super::rule::{Expr, Lookup, MissingNames, Split};
use super::{Step, Value};

/// Longest account of one expression or value, in characters.
const LONGEST: usize = 200;

/// Watches an evaluation. For `()` every call is nothing at all.
pub trait Witness {
    /// Whether anybody looks: only then is every step taken as it is written.
    const WATCHES: bool;
    /// An expression's evaluation begins; the answer goes back to [`Witness::leave`].
    fn enter(&mut self, expr: &Expr) -> usize;
    /// It ended so.
    fn leave(&mut self, step: usize, result: impl FnOnce() -> String);
    /// Something worth knowing about the innermost expression under way.
    fn note(&mut self, note: impl FnOnce() -> String);
}

impl Witness for () {
    const WATCHES: bool = false;
    fn enter(&mut self, _: &Expr) -> usize {
        0
    }
    fn leave(&mut self, _: usize, _: impl FnOnce() -> String) {}
    fn note(&mut self, _: impl FnOnce() -> String) {}
}

/// Writes every step down.
pub struct Recorder<'a> {
    paths: &'a [Arc<str>],
    steps: Vec<Step>,
    open: Vec<(usize, Vec<String>)>,
}

impl<'a> Recorder<'a> {
    /// A recorder that names slots by these paths.
    pub fn new(paths: &'a [Arc<str>]) -> Self {
        Recorder { paths, steps: Vec::new(), open: Vec::new() }
    }

    /// All steps, in the order in which they began.
    pub fn into_steps(mut self) -> Vec<Step> {
        // What is still open never ended: the budget was used up inside.
        while let Some((step, _)) = self.open.last() {
            self.close(*step, "not finished".to_owned());
        }
        self.steps
    }
}

impl Recorder<'_> {
    fn close(&mut self, step: usize, result: String) {
        let notes = self.open.pop().map(|(_, notes)| notes).unwrap_or_default();
        if let Some(step) = self.steps.get_mut(step) {
            step.result = cut(result);
            if !notes.is_empty() {
                step.result = format!("{} ({})", step.result, notes.join("; "));
            }
        }
    }
}

impl Witness for &mut Recorder<'_> {
    const WATCHES: bool = true;

    fn enter(&mut self, expr: &Expr) -> usize {
        // A rule that burns its budget would fill the memory with steps.
        const STEPS: usize = 10_000;
        let step = self.steps.len();
        self.open.push((step, Vec::new()));
        if step < STEPS {
            let mut what = String::new();
            tell(&mut what, expr, self.paths);
            self.steps.push(Step { depth: self.open.len() - 1, what: cut(what), result: String::new() });
        }
        step
    }

    fn leave(&mut self, step: usize, result: impl FnOnce() -> String) {
        self.close(step, result());
    }

    fn note(&mut self, note: impl FnOnce() -> String) {
        if let Some((_, notes)) = self.open.last_mut() {
            notes.push(note());
        }
    }
}

/// A value in short.
pub fn show(value: &Value) -> String {
    let mut shown = String::new();
    write_value(&mut shown, value);
    shown
}

fn write_value(out: &mut String, value: &Value) {
    // Writing to a String cannot fail.
    let _ = match value {
        Value::Null => write!(out, "null"),
        Value::Bool(value) => write!(out, "{value}"),
        Value::Number(number) if number.is_none() => write!(out, "no number"),
        Value::Number(number) => write!(out, "{number}"),
        Value::Text(text) => write!(out, "{}", quoted(text)),
        Value::Array(list) => return write_list(out, list, |out, item| write_value(out, &item.into())),
        Value::List(list) => return write_list(out, list, write_value),
        Value::Object(map) => write!(out, "an object with {} keys", map.len()),
    };
}

/// A long list ends early, and so does what is nested in it.
fn write_list<T>(out: &mut String, items: &[T], write: impl Fn(&mut String, &T)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if out.len() > LONGEST {
            out.push('…');
            break;
        }
        out.push_str(if at == 0 { "" } else { ", " });
        write(out, item);
    }
    out.push(']');
}

/// An expression in short: as it is written, but attributes without their braces.
fn tell(out: &mut String, expr: &Expr, paths: &[Arc<str>]) {
    if out.len() > LONGEST {
        return;
    }
    match expr {
        Expr::Literal(literal) => out.push_str(&show(&Value::from(&literal.json))),
        Expr::List(items) => list(out, items, paths),
        Expr::Var(lookup, default) => {
            read(out, lookup, paths);
            if let Some(default) = default {
                out.push_str(" or ");
                tell(out, default, paths);
            }
        }
        Expr::If(args) => call(out, "if", args, paths),
        Expr::And(args) => call(out, "and", args, paths),
        Expr::Or(args) => call(out, "or", args, paths),
        Expr::Call(op, args) => call(out, op.name(), args, paths),
        Expr::Among(needle, texts) => {
            out.push_str("{\"in\": [");
            tell(out, needle, paths);
            // Writing to a String cannot fail.
            let _ = write!(out, ", a list of {} texts]}}", texts.len());
        }
        Expr::Missing(missing) => {
            let count = match &missing.names {
                MissingNames::Known(names) => names.len(),
                MissingNames::Computed(names, _) => names.len(),
            };
            let _ = write!(out, "{{\"missing\": {count} names}}");
        }
        Expr::Each(each, list, body) => {
            let _ = write!(out, "{{\"{}\": [", each.name());
            tell(out, list, paths);
            out.push_str(", ");
            tell(out, body, paths);
            out.push_str("]}");
        }
        Expr::Reduce(parts) => call(out, "reduce", &**parts, paths),
        Expr::Fractional(split) => {
            out.push_str("{\"fractional\": [");
            if let Some(unit) = &split.unit {
                tell(out, unit, paths);
                out.push_str(", ");
            }
            match &split.split {
                Split::Fixed(table) => {
                    let mut start = 0;
                    for (at, (end, literal)) in table.iter().enumerate().take(20) {
                        let comma = if at == 0 { "" } else { ", " };
                        let _ =
                            write!(out, "{comma}[{}, {}]", show(&Value::from(&literal.json)), end - start);
                        start = *end;
                    }
                }
                Split::Nothing => out.push_str("buckets that cannot be used"),
                Split::Computed(buckets) => items(out, buckets, paths),
            }
            out.push_str("]}");
        }
    }
}

fn call(out: &mut String, name: &str, args: &[Expr], paths: &[Arc<str>]) {
    let _ = write!(out, "{{\"{name}\": ");
    list(out, args, paths);
    out.push('}');
}

fn list(out: &mut String, args: &[Expr], paths: &[Arc<str>]) {
    out.push('[');
    items(out, args, paths);
    out.push(']');
}

fn items(out: &mut String, args: &[Expr], paths: &[Arc<str>]) {
    for (at, arg) in args.iter().enumerate().take(20) {
        if at > 0 {
            out.push_str(", ");
        }
        tell(out, arg, paths);
    }
}

fn read(out: &mut String, lookup: &Lookup, paths: &[Arc<str>]) {
    let path = match lookup {
        Lookup::Slot(slot) => paths.get(slot.0 as usize).map_or("?", |path| path),
        Lookup::TargetingKey => "targetingKey",
        Lookup::FlagKey => "$flagd.flagKey",
        Lookup::Timestamp => "$flagd.timestamp",
        Lookup::Nothing => "(nothing)",
        Lookup::Whole(path) if path.is_empty() => "(the whole context)",
        Lookup::Whole(path) => path,
        Lookup::Local(path) if path.is_empty() => "(the element)",
        Lookup::Local(path) => path,
        Lookup::Computed(path, _) => {
            out.push_str("var ");
            return tell(out, path, paths);
        }
    };
    out.push_str("var ");
    out.push_str(path);
}

/// At most so many characters.
fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
