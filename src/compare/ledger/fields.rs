//! Fields that differ: how often against the shadow and against the twin, when, and some examples.
//!
//! Bounded: the first `max` fields are told apart, all later ones are one more field without a name, [`OTHER`], which is
//! judged as any field. So answers with ever new names (a map by id) are noise when the twin has them as often, and a
//! difference that hides among them shows in the count of the others.

use std::collections::HashMap;
use std::time::SystemTime;

use smallvec::SmallVec;

use super::Observation;
use super::examples::{Examples, cut};
use crate::compare::significance::Counts;
use crate::compare::{Difference, Kind};

/// A field: its index.
pub(super) type Id = u16;

/// All fields beyond the bound.
pub(super) const OTHER: Id = Id::MAX;

/// Fields in which two answers differ: ascending, none twice.
pub(super) type Set = SmallVec<[Id; 8]>;

#[derive(Debug)]
pub(super) struct Fields {
    max: usize,
    /// Examples of each field.
    examples: usize,
    ids: HashMap<String, SmallVec<[(Kind, Id); 2]>>,
    named: Vec<Field>,
    other: Counts,
    /// Differences against the shadow in fields beyond the bound; several of one request count each.
    pub(super) beyond: u64,
    /// Examples of all fields.
    recorded: usize,
}

/// One path and kind.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) counts: Counts,
    /// Against shadow or twin.
    pub(super) first: SystemTime,
    pub(super) last: SystemTime,
    pub(super) examples: Examples,
}

impl Fields {
    pub(super) fn new(max: usize, examples: usize) -> Fields {
        Fields {
            max: max.min(usize::from(OTHER)),
            examples,
            ids: HashMap::new(),
            named: Vec::new(),
            other: Counts::default(),
            beyond: 0,
            recorded: 0,
        }
    }

    /// Counts all differences of a request; those against the shadow are the answer.
    pub(super) fn take(&mut self, observation: &Observation) -> Set {
        let mut shadow = Set::new();
        for difference in &observation.shadow.differences {
            let id = self.id(difference, observation.at);
            self.beyond += u64::from(id == OTHER);
            if !shadow.contains(&id) {
                shadow.push(id);
                self.counts_mut(id).shadow += 1;
                self.record(id, difference, observation);
            }
        }
        let mut twin = Set::new();
        for difference in observation.twin.iter().flat_map(|twin| &twin.differences) {
            let id = self.id(difference, observation.at);
            if !twin.contains(&id) {
                twin.push(id);
                self.counts_mut(id).twin += 1;
            }
        }
        shadow.sort_unstable();
        shadow
    }

    /// Every field with its name.
    pub(super) fn named(&self) -> &[Field] {
        &self.named
    }

    /// What is to be judged: fields that differ from the shadow's. [`OTHER`] is one of them.
    pub(super) fn judged(&self) -> usize {
        let named = self.named.iter().map(|field| field.counts);
        named.chain([self.other]).filter(|counts| counts.shadow > 0).count()
    }

    pub(super) fn counts(&self, id: Id) -> Counts {
        self.named.get(usize::from(id)).map_or(self.other, |field| field.counts)
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        *self = Fields::new(self.max, self.examples);
    }

    /// The field of a difference, as seen now; a new one if there is room.
    fn id(&mut self, difference: &Difference, at: SystemTime) -> Id {
        let path = cut(&difference.path);
        let kinds = self.ids.get(path.as_ref()).map_or(&[][..], |kinds| kinds);
        if let Some((_, id)) = kinds.iter().find(|(kind, _)| *kind == difference.kind) {
            let field = &mut self.named[usize::from(*id)];
            (field.first, field.last) = (field.first.min(at), field.last.max(at));
            return *id;
        }
        if self.named.len() >= self.max {
            return OTHER;
        }
        // `max` is no more than OTHER, so an index always fits and is never OTHER.
        let id = self.named.len() as Id;
        self.ids.entry(path.clone().into_owned()).or_default().push((difference.kind, id));
        self.named.push(Field {
            path: path.into_owned(),
            kind: difference.kind,
            counts: Counts::default(),
            first: at,
            last: at,
            examples: Examples::default(),
        });
        id
    }

    fn counts_mut(&mut self, id: Id) -> &mut Counts {
        self.named.get_mut(usize::from(id)).map_or(&mut self.other, |field| &mut field.counts)
    }

    fn record(&mut self, id: Id, difference: &Difference, observation: &Observation) {
        let room = self.recorded < EXAMPLES;
        if let Some(field) = self.named.get_mut(usize::from(id)) {
            let limit = if room { self.examples } else { self.examples.min(field.examples.len()) };
            let before = field.examples.len();
            field.examples.take(limit, difference, observation);
            self.recorded += field.examples.len() - before;
        }
    }
}

/// Examples of all fields together.
const EXAMPLES: usize = 5000;
