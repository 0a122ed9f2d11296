//! All that was compared, and what it says by now.

use std::cmp::Reverse;
use std::time::SystemTime;

use super::Observation;
use super::examples::rfc3339;
use super::fields::{Field, Fields, OTHER};
use super::latencies::Latencies;
use super::sets::{Sets, Tally};
use crate::compare::report::{FieldReport, Latency};
use crate::compare::significance::{Class, Counts, Test, interval};
use crate::config::shadow::CompareRules;

#[derive(Debug)]
pub(super) struct Seen {
    since: SystemTime,
    /// Whether twins are sent at all.
    learns: bool,
    compared: u64,
    twins: u64,
    fields: Fields,
    sets: Sets,
    latencies: Latencies,
}

/// What it says: the parts of a report that come from comparisons.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) since: String,
    pub(super) compared: u64,
    pub(super) twins: u64,
    pub(super) tally: Tally,
    pub(super) latency: Option<Latency>,
    pub(super) differences: Vec<FieldReport>,
    pub(super) noisy: Vec<FieldReport>,
    pub(super) unsettled: Vec<FieldReport>,
    pub(super) other: u64,
}

impl Seen {
    pub(super) fn new(rules: &CompareRules, max_fields: usize, now: SystemTime) -> Seen {
        Seen {
            since: now,
            learns: rules.noise.0 > 0.0,
            compared: 0,
            twins: 0,
            fields: Fields::new(max_fields, rules.examples),
            sets: Sets::default(),
            latencies: Latencies::new(rules.slower_by),
        }
    }

    pub(super) fn observe(&mut self, observation: &Observation) {
        self.compared += 1;
        self.twins += u64::from(observation.twin.is_some());
        self.latencies.take(observation.waited);
        let set = self.fields.take(observation);
        let (test, fields) = (self.test(), &self.fields);
        self.sets.count(set, |id| test.class(fields.counts(id)));
    }

    pub(super) fn reset(&mut self, now: SystemTime) {
        self.since = now;
        self.compared = 0;
        self.twins = 0;
        self.fields.reset();
        self.sets = Sets::default();
        self.latencies.reset();
    }

    /// What it says by now.
    pub(super) fn said(&self) -> Said {
        let test = self.test();
        let classes: Vec<Class> = self.fields.named().iter().map(|field| test.class(field.counts)).collect();
        let other = test.class(self.fields.counts(OTHER));
        let of = |class| self.of(class, &classes);
        Said {
            since: rfc3339(self.since),
            compared: self.compared,
            twins: self.twins,
            tally: self.sets.tally(|id| classes.get(usize::from(id)).copied().unwrap_or(other)),
            latency: self.latencies.tell(),
            differences: of(Class::Difference),
            noisy: of(Class::Noise),
            unsettled: of(Class::Unsettled),
            other: self.fields.beyond,
        }
    }

    fn test(&self) -> Test {
        let Seen { compared, twins, learns, .. } = *self;
        Test { compared, twins, learns, fields: self.fields.judged() }
    }

    /// Fields of one class, the most frequent first, then by path and kind.
    fn of(&self, class: Class, classes: &[Class]) -> Vec<FieldReport> {
        let fields = self.fields.named().iter().zip(classes).filter(|(_, its)| **its == class);
        let mut fields: Vec<&Field> = fields.map(|(field, _)| field).collect();
        fields.sort_by_key(|field| (Reverse(field.counts.shadow), &field.path, field.kind));
        fields.into_iter().map(|field| self.tell(field)).collect()
    }

    fn tell(&self, field: &Field) -> FieldReport {
        let Counts { shadow, twin } = field.counts;
        FieldReport {
            path: field.path.clone(),
            kind: field.kind.label().to_owned(),
            count: shadow,
            rate: shadow as f64 / self.compared as f64,
            interval: interval(shadow, self.compared),
            twin_count: twin,
            twin_rate: (self.twins > 0).then(|| twin as f64 / self.twins as f64),
            first_seen: rfc3339(field.first),
            last_seen: rfc3339(field.last),
            examples: field.examples.to_vec(),
        }
    }
}
