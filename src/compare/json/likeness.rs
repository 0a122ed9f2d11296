//! Which elements of two arrays are the same thing in two states, where no two of them are equal.
//!
//! Elements are alike by the fields that they share, two levels deep. A field counts the more the better it tells elements apart:
//! by the number of its values that stand exactly once on either side. So an `id` outweighs all that is equal by chance.

use std::cmp::Reverse;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::node::{Node, Value};

/// Elements of either side up to which each is compared with each.
const MAX_EACH: usize = 64;

/// Fields of an element that are looked at.
const MAX_FIELDS: usize = 64;

/// Who was paired with whom, by index.
#[derive(Debug, Default)]
pub(super) struct Paired {
    /// By a value that only they have.
    pub(super) known: Vec<(usize, usize)>,
    /// By less.
    pub(super) guessed: Vec<(usize, usize)>,
    pub(super) only_original: Vec<usize>,
    pub(super) only_other: Vec<usize>,
}

/// A field of an element.
#[derive(Debug, Clone, Copy)]
struct Field {
    /// Hash of its path within the element.
    path: u64,
    /// Hash of its value.
    value: u64,
    weight: u64,
    /// Whether its value stands once on either side.
    telling: bool,
}

/// An element that seeks a partner.
#[derive(Debug)]
struct Seeker {
    index: usize,
    /// By path.
    fields: Vec<Field>,
}

/// Pairs elements, given by their indexes in order.
pub(super) fn pair(
    original: &[Node<'_>],
    other: &[Node<'_>],
    (original_rest, other_rest): (Vec<usize>, Vec<usize>),
) -> Paired {
    let mut paired = Paired::default();
    if original_rest.is_empty() || other_rest.is_empty() {
        paired.only_original = original_rest;
        paired.only_other = other_rest;
        return paired;
    }
    let seekers = |nodes: &[Node<'_>], rest: Vec<usize>| -> Vec<Seeker> {
        rest.into_iter().map(|index| Seeker { index, fields: fields(&nodes[index]) }).collect()
    };
    let (mut original, mut other) = (seekers(original, original_rest), seekers(other, other_rest));
    if original.len().max(other.len()) > MAX_EACH {
        weigh(&mut original, &mut other);
        pair_by_best_field(&mut original, &mut other, &mut paired);
    }
    if original.len().max(other.len()) <= MAX_EACH {
        weigh(&mut original, &mut other);
        pair_each(&mut original, &mut other, &mut paired);
    }
    let (mut left, mut right) =
        (original.into_iter().map(|seeker| seeker.index), other.into_iter().map(|seeker| seeker.index));
    paired.guessed.extend(left.by_ref().zip(right.by_ref()));
    paired.only_original.extend(left);
    paired.only_other.extend(right);
    paired
}

/// The fields of an element, by path.
fn fields(node: &Node<'_>) -> Vec<Field> {
    let field = |path: u64, node: &Node<'_>| Field { path, value: node.hash, weight: 1, telling: false };
    let mut fields = Vec::new();
    match &node.value {
        Value::Array(list) => {
            fields.extend(list.iter().take(MAX_FIELDS).zip(0..).map(|(node, at)| field(at, node)));
        }
        Value::Object(own) => {
            fields.extend(own.iter().map(|(name, node)| field(hashed(name), node)).take(MAX_FIELDS));
            for (name, node) in own {
                if let Value::Object(below) = &node.value {
                    let room = MAX_FIELDS - fields.len();
                    let below = below.iter().map(|(inner, node)| field(hashed(&(name, inner)), node));
                    fields.extend(below.take(room));
                }
            }
        }
        _ => {}
    }
    fields.sort_unstable_by_key(|field| field.path);
    fields
}

fn hashed(value: &impl Hash) -> u64 {
    let mut hash = DefaultHasher::new();
    value.hash(&mut hash);
    hash.finish()
}

/// Finds out how well each field tells elements apart.
fn weigh(original: &mut [Seeker], other: &mut [Seeker]) {
    let mut all: Vec<(u64, u64, bool, &mut Field)> = Vec::new();
    for (seekers, is_other) in [(original, false), (other, true)] {
        let fields = seekers.iter_mut().flat_map(|seeker| &mut seeker.fields);
        all.extend(fields.map(|field| (field.path, field.value, is_other, field)));
    }
    all.sort_unstable_by_key(|(path, value, is_other, _)| (*path, *value, *is_other));
    for of_path in all.chunk_by_mut(|one, other| one.0 == other.0) {
        let mut weight = 1;
        for of_value in of_path.chunk_by_mut(|one, other| one.1 == other.1) {
            let telling = matches!(of_value, [(_, _, false, _), (_, _, true, _)]);
            of_value.iter_mut().for_each(|(.., field)| field.telling = telling);
            weight += u64::from(telling);
        }
        of_path.iter_mut().for_each(|(.., field)| field.weight = weight);
    }
}

/// Pairs by the one field that tells most of them apart.
fn pair_by_best_field(original: &mut Vec<Seeker>, other: &mut Vec<Seeker>, paired: &mut Paired) {
    let best = original.iter().flat_map(|seeker| &seeker.fields).filter(|field| field.telling);
    let Some(best) = best.max_by_key(|field| (field.weight, field.path)).map(|field| field.path) else {
        return;
    };
    let telling = |seekers: &mut Vec<Seeker>| -> Vec<(u64, usize)> {
        let value = |seeker: &Seeker| {
            let field = seeker.fields.iter().find(|field| field.path == best && field.telling)?;
            Some((field.value, seeker.index))
        };
        let mut values: Vec<_> = seekers.iter().filter_map(value).collect();
        values.sort_unstable();
        seekers.retain(|seeker| value(seeker).is_none());
        values
    };
    // A telling value stands once on either side: both lists have the same ones.
    let pairs = telling(original).into_iter().zip(telling(other)).map(|((_, one), (_, other))| (one, other));
    paired.known.extend(pairs);
}

/// Pairs those that share most, and of those that share as much the ones that stand nearest to one another.
fn pair_each(original: &mut Vec<Seeker>, other: &mut Vec<Seeker>, paired: &mut Paired) {
    let mut candidates = Vec::new();
    for (i, one) in original.iter().enumerate() {
        for (j, two) in other.iter().enumerate() {
            let (score, known) = shared(&one.fields, &two.fields);
            if score > 0 {
                candidates.push((Reverse(score), i.abs_diff(j), i + j, i, j, known));
            }
        }
    }
    // Candidates that are equal but for `i` and `j` are mirrors of one another, so that their order makes no difference.
    candidates.sort_unstable();
    let (mut taken, mut taken_other) = ([false; MAX_EACH], [false; MAX_EACH]);
    for (_, _, _, i, j, known) in candidates {
        if !taken[i] && !taken_other[j] {
            (taken[i], taken_other[j]) = (true, true);
            let pairs = if known { &mut paired.known } else { &mut paired.guessed };
            pairs.push((original[i].index, other[j].index));
        }
    }
    let free = |seekers: &mut Vec<Seeker>, taken: &[bool]| {
        let mut taken = taken.iter();
        seekers.retain(|_| !*taken.next().unwrap_or(&false));
    };
    free(original, &taken);
    free(other, &taken_other);
}

/// The weight of the fields that two elements share, and whether one of them tells them apart from all others.
fn shared(one: &[Field], other: &[Field]) -> (u64, bool) {
    let (mut score, mut known) = (0, false);
    let (mut left, mut right) = (one.iter().peekable(), other.iter().peekable());
    while let (Some(one), Some(two)) = (left.peek(), right.peek()) {
        if one.path == two.path && one.value == two.value {
            score += one.weight;
            known |= one.telling;
        }
        let order = one.path.cmp(&two.path);
        if order.is_le() {
            left.next();
        }
        if order.is_ge() {
            right.next();
        }
    }
    (score, known)
}
