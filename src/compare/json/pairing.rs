//! Which element of one array answers to which of another.
//!
//! Equal elements first, wherever they stand; then those that are most like one another; what is left over has no partner. All
//! of it is symmetric: the other way round the same elements are paired.

use std::cmp::Ordering;

use super::likeness;
use super::node::{Node, Value};
use super::scope::Scope;
use super::steps;

/// How the elements of two arrays are paired, by their indexes.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    /// Partners that may differ.
    pub(super) unequal: Vec<(usize, usize)>,
    /// Whether partners that are known by what they hold stand in another order.
    pub(super) reordered: bool,
    /// The original's without a partner.
    pub(super) only_original: Vec<usize>,
    /// The other's without a partner.
    pub(super) only_other: Vec<usize>,
}

/// Two arrays, and the rules at them.
pub(super) struct Arrays<'n, 'a, 's, 'r> {
    pub(super) original: &'n [Node<'a>],
    pub(super) other: &'n [Node<'a>],
    pub(super) scope: &'s Scope<'r>,
}

/// Indexes of either array.
type Sides = (Vec<usize>, Vec<usize>);

impl Arrays<'_, '_, '_, '_> {
    /// Pairs their elements.
    pub(super) fn pair(&self) -> Pairing {
        let mut pairing = Pairing::default();
        let mut rest = (compared(self.original), compared(self.other));
        if let Some(key) = self.scope.key {
            rest = self.pair_by_key(key, rest, &mut pairing);
        }
        let (mut known, rest) = self.pair_equal(rest);
        let paired = likeness::pair(self.original, self.other, rest);
        known.extend(&paired.known);
        known.sort_unstable();
        pairing.reordered = self.scope.key.is_none() && !known.is_sorted_by_key(|(_, other)| *other);
        pairing.unequal.extend(paired.known.into_iter().chain(paired.guessed));
        pairing.only_original.extend(paired.only_original);
        pairing.only_other.extend(paired.only_other);
        pairing
    }

    /// Pairs elements whose key no other element of their array has; gives back those without a key, or with a repeated one.
    fn pair_by_key(&self, key: &str, (original, other): Sides, pairing: &mut Pairing) -> Sides {
        let keyed = |nodes: &[Node<'_>], indexes: Vec<usize>| {
            let (mut keyed, mut rest) = (Vec::new(), Vec::new());
            for index in indexes {
                match nodes[index].field(key) {
                    Some(key) => keyed.push((key.hash, index)),
                    None => rest.push(index),
                }
            }
            keyed.sort_unstable();
            (keyed, rest)
        };
        let ((original, mut rest_original), (other, mut rest_other)) =
            (keyed(self.original, original), keyed(self.other, other));
        let (mut original, mut other) = (original.as_slice(), other.as_slice());
        while let Some(key) = original.first().into_iter().chain(other.first()).map(|(key, _)| *key).min() {
            steps::add(1);
            match (take_run(&mut original, key), take_run(&mut other, key)) {
                ([(_, one)], [(_, other)]) => pairing.unequal.push((*one, *other)),
                ([(_, one)], []) => pairing.only_original.push(*one),
                ([], [(_, other)]) => pairing.only_other.push(*other),
                (one, other) => {
                    rest_original.extend(one.iter().map(|(_, index)| *index));
                    rest_other.extend(other.iter().map(|(_, index)| *index));
                }
            }
        }
        rest_original.sort_unstable();
        rest_other.sort_unstable();
        (rest_original, rest_other)
    }

    /// Pairs equal elements; gives back the rest, by index.
    ///
    /// What the arrays begin and end with alike stays where it is, so that one change never looks like another order. Of several
    /// equal ones between, the first is paired with the first.
    fn pair_equal(&self, (mut original, mut other): Sides) -> (Vec<(usize, usize)>, Sides) {
        let is_alike = |one: usize, two: usize| {
            is_alike(&self.original[one], &self.other[two], &self.scope.element(one, two))
        };
        let both_alike = |(one, two): &(&usize, &usize)| is_alike(**one, **two);
        let front = original.iter().zip(&other).take_while(both_alike).count();
        let mut pairs: Vec<_> = original.drain(..front).zip(other.drain(..front)).collect();
        let back = original.iter().rev().zip(other.iter().rev()).take_while(both_alike).count();
        let (original_back, other_back) = (original.len() - back, other.len() - back);
        pairs.extend(original.drain(original_back..).zip(other.drain(other_back..)));

        original.sort_by(|one, two| by_value(&self.original[*one], &self.original[*two]));
        other.sort_by(|one, two| by_value(&self.other[*one], &self.other[*two]));
        let (mut rest, mut other_rest) = (Vec::new(), Vec::new());
        let (mut left, mut right) = (original.into_iter().peekable(), other.into_iter().peekable());
        while let (Some(&one), Some(&two)) = (left.peek(), right.peek()) {
            if is_alike(one, two) {
                pairs.push((one, two));
                left.next();
                right.next();
                continue;
            }
            let order = by_value(&self.original[one], &self.other[two]);
            if order != Ordering::Greater {
                rest.extend(left.next());
            }
            if order != Ordering::Less {
                other_rest.extend(right.next());
            }
        }
        rest.extend(left);
        other_rest.extend(right);
        rest.sort_unstable();
        other_rest.sort_unstable();
        (pairs, (rest, other_rest))
    }
}

/// Whether two values are equal under the rules.
pub(super) fn is_alike(original: &Node<'_>, other: &Node<'_>, scope: &Scope<'_>) -> bool {
    steps::add(1);
    original.hash == other.hash
        && match (&original.value, &other.value) {
            (Value::Ignored, Value::Ignored) | (Value::Null, Value::Null) => true,
            (Value::Bool(one), Value::Bool(other)) => one == other,
            (Value::Text(one), Value::Text(other)) => one == other,
            (Value::Number(one), Value::Number(other)) => match scope.tolerance {
                Some(tolerance) => one.is_within(*other, tolerance),
                None => one == other,
            },
            (Value::Array(one), Value::Array(other)) if scope.key.is_some() => {
                let pairing = Arrays { original: one, other, scope }.pair();
                let is_alike =
                    |(i, j): &(usize, usize)| is_alike(&one[*i], &other[*j], &scope.element(*i, *j));
                pairing.only_original.is_empty()
                    && pairing.only_other.is_empty()
                    && pairing.unequal.iter().all(is_alike)
            }
            (Value::Array(one), Value::Array(other)) => {
                let mut pairs = one.iter().zip(other).enumerate();
                one.len() == other.len()
                    && pairs.all(|(at, (one, other))| is_alike(one, other, &scope.element(at, at)))
            }
            (Value::Object(one), Value::Object(other)) => {
                let mut pairs = one.iter().zip(other);
                one.len() == other.len()
                    && pairs.all(|((name, one), (same, other))| {
                        name == same && is_alike(one, other, &scope.field(name))
                    })
            }
            _ => false,
        }
}

/// Indexes of the elements that are not ignored.
fn compared(nodes: &[Node<'_>]) -> Vec<usize> {
    (0..nodes.len()).filter(|index| !matches!(nodes[*index].value, Value::Ignored)).collect()
}

/// Brings equal values together.
fn by_value(one: &Node<'_>, other: &Node<'_>) -> Ordering {
    one.hash.cmp(&other.hash).then_with(|| one.order(other))
}

/// Takes the entries of a key from the front of a sorted list.
fn take_run<'l>(list: &mut &'l [(u64, usize)], key: u64) -> &'l [(u64, usize)] {
    let (run, rest) = list.split_at(list.partition_point(|(own, _)| *own <= key));
    *list = rest;
    run
}
