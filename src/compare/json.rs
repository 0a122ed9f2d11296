//! Two JSON values, field by field.
//!
//! Names have no order, numbers are equal by value, arrays are paired by what their elements hold ([`pairing`]). It is symmetric: the
//! other way round the same fields differ, with what is missing as added. Equal parts are told by a hash, so that the work is
//! about linear in the size of the texts.

mod found;
mod likeness;
mod node;
mod number;
mod pairing;
mod scope;
pub(super) mod steps;

pub(super) use node::Node;
pub(super) use scope::Scope;

use found::{Found, Step};
use node::{Fields, Value};
use pairing::{Arrays, Pairing, is_alike};

use super::{Difference, Kind};

/// How two values differ, by path and kind.
pub(super) fn compare(original: &Node<'_>, other: &Node<'_>, scope: &Scope<'_>) -> Vec<Difference> {
    let mut found = Found::default();
    walk(original, other, scope, &mut found);
    found.finish()
}

fn walk<'n>(original: &'n Node<'_>, other: &'n Node<'_>, scope: &Scope<'_>, found: &mut Found<'n>) {
    steps::add(1);
    if is_alike(original, other, scope) {
        return;
    }
    let kind = match (&original.value, &other.value) {
        (Value::Object(one), Value::Object(two)) => return walk_fields(one, two, scope, found),
        (Value::Array(one), Value::Array(two)) => {
            let arrays = Arrays { original: one, other: two, scope };
            let pairing = arrays.pair();
            if pairing.reordered {
                found.note(Kind::Order, None, || (original.excerpt(scope), other.excerpt(scope)));
            }
            return walk_elements(&arrays, pairing, found);
        }
        (Value::Number(one), Value::Number(two)) => match scope.tolerance {
            Some(tolerance) if one.is_within(*two, tolerance) => return,
            _ => Kind::Changed,
        },
        (Value::Text(one), Value::Text(two)) if !shape(one).eq(shape(two)) => Kind::Format,
        (one, two) if std::mem::discriminant(one) == std::mem::discriminant(two) => Kind::Changed,
        _ => Kind::Type,
    };
    found.note(kind, None, || (original.excerpt(scope), other.excerpt(scope)));
}

/// Walks names in their order, on both sides at once.
fn walk_fields<'n>(
    original: &'n Fields<'_>,
    other: &'n Fields<'_>,
    scope: &Scope<'_>,
    found: &mut Found<'n>,
) {
    let (mut left, mut right) = (original.iter().peekable(), other.iter().peekable());
    loop {
        let (one, two) = match (left.peek(), right.peek()) {
            (None, None) => return,
            (Some((one, _)), Some((two, _))) => (one <= two, one >= two),
            (one, two) => (one.is_some(), two.is_some()),
        };
        let (one, two) = (left.next_if(|_| one), right.next_if(|_| two));
        let Some((name, _)) = one.or(two) else { return };
        let scope = scope.field(name);
        found.enter(Step::Field(name));
        match (one, two) {
            (Some((_, one)), Some((_, two))) => walk(one, two, &scope, found),
            (Some((_, one)), None) => found.note(Kind::Missing, None, || (one.excerpt(&scope), None)),
            (None, Some((_, two))) => found.note(Kind::Added, None, || (None, two.excerpt(&scope))),
            (None, None) => {}
        }
        found.leave();
    }
}

fn walk_elements<'n>(arrays: &Arrays<'n, '_, '_, '_>, pairing: Pairing, found: &mut Found<'n>) {
    for (i, j) in pairing.unequal {
        found.enter(Step::Element(i));
        walk(&arrays.original[i], &arrays.other[j], &arrays.scope.element(i, j), found);
        found.leave();
    }
    if let Some(&i) = pairing.only_original.iter().min() {
        let excerpt = || arrays.original[i].excerpt(&arrays.scope.element(i, i));
        found.note(Kind::Shorter, Some(i), || (excerpt(), None));
    }
    if let Some(&j) = pairing.only_other.iter().min() {
        let excerpt = || arrays.other[j].excerpt(&arrays.scope.element(j, j));
        found.note(Kind::Longer, Some(j), || (None, excerpt()));
    }
}

/// The form of a text: runs of digits are `9`, runs of letters `a`, all else stays.
fn shape(text: &str) -> impl Iterator<Item = char> {
    let mut last = None;
    let class = |c: char| match c {
        c if c.is_numeric() => '9',
        c if c.is_alphabetic() => 'a',
        c => c,
    };
    text.chars()
        .map(class)
        .filter(move |class| last.replace(*class) != Some(*class) || !matches!(class, '9' | 'a'))
}
