//! Which elements of two arrays are the same thing in two states, where no two of them are equal.
//!
//! Elements are alike by the fields that they share, two levels deep. A field counts the more the better it tells elements apart:
//! by the number of its values that stand exactly once on either side. So an `id` outweighs all that is equal by chance.

use std::cmp::Reverse;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::node::{Node, Value};
use super::steps;

/// Elements of either side up to which each is compared with each.
const MAX_EACH: usize = 64;

/// Fields by which more elements are tried to be paired.
const MAX_TRIED: usize = 4;

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

impl Seeker {
    /// The value of a field, if it tells it apart.
    fn telling(&self, path: u64) -> Option<u64> {
        let at = self.fields.binary_search_by_key(&path, |field| field.path).ok()?;
        Some(&self.fields[at]).filter(|field| field.telling).map(|field| field.value)
    }
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
    // What tells an element apart does so among all, those that have a partner included.
    let seekers = |nodes: &[Node<'_>]| -> Vec<Seeker> {
        nodes.iter().zip(0..).map(|(node, index)| Seeker { index, fields: fields(node) }).collect()
    };
    let (mut original, mut other) = (seekers(original), seekers(other));
    weigh(&mut original, &mut other);
    original.retain(|seeker| original_rest.binary_search(&seeker.index).is_ok());
    other.retain(|seeker| other_rest.binary_search(&seeker.index).is_ok());
    if original.len().max(other.len()) > MAX_EACH {
        pair_by_one_field(&mut original, &mut other, &mut paired);
    }
    if original.len().max(other.len()) <= MAX_EACH {
        pair_each(&mut original, &mut other, &mut paired);
    }
    // Those that share nothing: in their order, as far as there are as many.
    let indexes =
        |seekers: Vec<Seeker>| -> Vec<usize> { seekers.iter().map(|seeker| seeker.index).collect() };
    let (mut original, mut other) = (indexes(original), indexes(other));
    let both = original.len().min(other.len());
    paired.only_original = original.split_off(both);
    paired.only_other = other.split_off(both);
    paired.guessed.extend(original.into_iter().zip(other));
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

/// Pairs by one field: of those that tell most elements apart the one whose partners share most.
fn pair_by_one_field(original: &mut Vec<Seeker>, other: &mut Vec<Seeker>, paired: &mut Paired) {
    let telling = original.iter().flat_map(|seeker| &seeker.fields).filter(|field| field.telling);
    let mut paths: Vec<_> = telling.map(|field| (Reverse(field.weight), field.path)).collect();
    paths.sort_unstable();
    paths.dedup();
    let tried = paths.into_iter().take(MAX_TRIED).map(|(_, path)| {
        // A telling value stands once on either side: both lists have the same ones.
        let pairs: Vec<_> = by_value_of(path, original).into_iter().zip(by_value_of(path, other)).collect();
        let shares = |((_, i), (_, j)): &((u64, usize), (u64, usize))| {
            shared(&original[*i].fields, &other[*j].fields).count
        };
        (pairs.iter().map(shares).sum::<u64>(), path, pairs)
    });
    let Some((_, path, pairs)) = tried.max_by_key(|(shares, path, _)| (*shares, *path)) else { return };
    paired.known.extend(pairs.into_iter().map(|((_, i), (_, j))| (original[i].index, other[j].index)));
    for seekers in [original, other] {
        seekers.retain(|seeker| seeker.telling(path).is_none());
    }
}

/// The values of a field that tell elements apart, in their order, with the place of the element.
fn by_value_of(path: u64, seekers: &[Seeker]) -> Vec<(u64, usize)> {
    let values = seekers.iter().zip(0..).filter_map(|(seeker, at)| Some((seeker.telling(path)?, at)));
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    values
}

/// Pairs those that share most, and of those that share as much the ones that stand nearest to one another.
fn pair_each(original: &mut Vec<Seeker>, other: &mut Vec<Seeker>, paired: &mut Paired) {
    let mut candidates = Vec::new();
    for (i, one) in original.iter().enumerate() {
        for (j, two) in other.iter().enumerate() {
            let shared = shared(&one.fields, &two.fields);
            if shared.weight > 0 {
                candidates.push((Reverse(shared.weight), i.abs_diff(j), i + j, i, j, shared.telling));
            }
        }
    }
    // Candidates that are equal but for `i` and `j` are mirrors of one another, so that their order makes no difference.
    candidates.sort_unstable();
    let (mut taken, mut taken_other) = ([false; MAX_EACH], [false; MAX_EACH]);
    for (_, _, _, i, j, telling) in candidates {
        if !taken[i] && !taken_other[j] {
            (taken[i], taken_other[j]) = (true, true);
            let pairs = if telling { &mut paired.known } else { &mut paired.guessed };
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

/// What two elements share.
#[derive(Debug, Default)]
struct Shared {
    /// Fields.
    count: u64,
    weight: u64,
    /// Whether one of them tells the two apart from all others.
    telling: bool,
}

fn shared(one: &[Field], other: &[Field]) -> Shared {
    steps::add(one.len() + other.len() + 1);
    let mut shared = Shared::default();
    let (mut left, mut right) = (one.iter().peekable(), other.iter().peekable());
    while let (Some(one), Some(two)) = (left.peek(), right.peek()) {
        let order = one.path.cmp(&two.path);
        if order.is_eq() && one.value == two.value {
            shared.count += 1;
            shared.weight += one.weight;
            shared.telling |= one.telling;
        }
        if order.is_le() {
            left.next();
        }
        if order.is_ge() {
            right.next();
        }
    }
    shared
}
