//! Which rules reach a node of a JSON value: a cursor that goes down with whoever walks it.

use smallvec::SmallVec;

use crate::config::field_path::{FieldPath, Token};
use crate::config::shadow::CompareRules;

/// The rules at one node.
#[derive(Debug, Clone, Default)]
pub(in crate::compare) struct Scope<'r> {
    /// Not compared, with everything below.
    pub(super) ignored: bool,
    /// Not recorded, with everything below.
    pub(super) redacted: bool,
    /// How far numbers may lie apart, here and below; of several rules the deepest counts.
    pub(super) tolerance: Option<f64>,
    /// The field by which the elements of this array are matched.
    pub(super) key: Option<&'r str>,
    /// Rules that reach only below this node.
    below: SmallVec<[Rule<'r>; 4]>,
}

/// One rule, and the way that is left to its node.
#[derive(Debug, Clone, Copy)]
struct Rule<'r> {
    way: &'r [Token],
    effect: Effect<'r>,
}

#[derive(Debug, Clone, Copy)]
enum Effect<'r> {
    Ignore,
    Redact,
    Tolerance(f64),
    Key(&'r str),
}

impl<'r> Scope<'r> {
    /// At the root of a body.
    pub(in crate::compare) fn root(rules: &'r CompareRules) -> Scope<'r> {
        let ignored = rules.ignore.iter().map(|path| (path, Effect::Ignore));
        let redacted = rules.redact.iter().map(|path| (path, Effect::Redact));
        let tolerance = rules.tolerance.iter().map(|(path, far)| (path, Effect::Tolerance(*far)));
        let keys = rules.arrays.iter().map(|(path, key)| (path, Effect::Key(key)));
        let mut scope = Scope::default();
        for (path, effect) in ignored.chain(redacted).chain(tolerance).chain(keys) {
            match path {
                FieldPath::Body => scope.take(Rule { way: &[], effect }),
                FieldPath::Json(way) => scope.take(Rule { way, effect }),
                FieldPath::Status | FieldPath::Latency | FieldPath::Header(_) => {}
            }
        }
        scope
    }

    /// At a field of this object.
    pub(super) fn field(&self, name: &str) -> Scope<'r> {
        self.step(|token| token.is(name))
    }

    /// At an element of this array that stands at one index in one answer and at another in the other.
    pub(super) fn element(&self, index: usize, other: usize) -> Scope<'r> {
        if self.below.is_empty() {
            return self.step(|_| false);
        }
        let (index, other) = (index.to_string(), other.to_string());
        self.step(|token| token.is(&index) || token.is(&other))
    }

    fn step(&self, leads: impl Fn(&Token) -> bool) -> Scope<'r> {
        let mut scope = Scope {
            ignored: self.ignored,
            redacted: self.redacted,
            tolerance: self.tolerance,
            key: None,
            below: SmallVec::new(),
        };
        for rule in &self.below {
            if let Some((first, way)) = rule.way.split_first()
                && leads(first)
            {
                scope.take(Rule { way, effect: rule.effect });
            }
        }
        scope
    }

    fn take(&mut self, rule: Rule<'r>) {
        match rule.effect {
            _ if !rule.way.is_empty() => self.below.push(rule),
            Effect::Ignore => self.ignored = true,
            Effect::Redact => self.redacted = true,
            Effect::Tolerance(far) => self.tolerance = Some(far),
            Effect::Key(key) => self.key = Some(key),
        }
    }
}
