//! Compiling `fractional`: literal weights become a table, whatever can be known of the unit is known.

use serde_json::Value as Json;

use super::{Compiler, constant};
use crate::config::FractionalVersion;
use crate::flag::fault::{Fault, Step, quoted};
use crate::flag::operators::fractional;
use crate::flag::rule::{Expr, Fractional, Split};

impl<'r> Compiler<'r> {
    /// `fractional` with its arguments.
    pub fn fractional(&mut self, args: &'r [Json], tail: bool) -> Expr {
        let explicit = args.first().filter(|first| !first.is_array());
        let unit = explicit.map(|unit| self.within(Step::Index(0), |this| this.expr(unit, false)));
        // Without a unit the targeting key is split. In v2 also when the unit is null, in both when it turns out a bucket.
        let certain = match (&unit, self.version) {
            (None, _) => false,
            (Some(Expr::Literal(unit)), FractionalVersion::V2) => !unit.json.is_null(),
            (Some(_), FractionalVersion::V2) => false,
            (Some(unit), FractionalVersion::V3) => !unit.may_be_list(),
        };
        self.reads.targeting_key |= !certain && !self.local;
        let skip = usize::from(unit.is_some());
        let split = self.split(&args[skip..], skip, tail);
        Expr::Fractional(Box::new(Fractional {
            version: self.version,
            unit,
            prefix: fractional::prefix(self.version, self.flag_key),
            split,
        }))
    }

    /// The table of the buckets, when all are literals.
    fn split(&mut self, buckets: &'r [Json], skip: usize, tail: bool) -> Split {
        let mut table = Vec::with_capacity(buckets.len());
        let mut sum = 0_u64;
        if !buckets.iter().all(constant) {
            return Split::Computed(self.buckets(buckets, skip, tail));
        }
        for (at, bucket) in buckets.iter().enumerate() {
            let Some((variant, weight)) = fractional::literal_part(bucket) else {
                self.within(Step::Index(at + skip), |this| this.bad_bucket(bucket));
                return Split::Nothing;
            };
            sum = sum.saturating_add(weight);
            table.push((sum, variant));
        }
        let too_large = sum > fractional::MAX_SUM;
        // With a unit that may turn out to be a bucket, nothing may still become something.
        if too_large || (sum == 0 && skip == 0) {
            let found = format!("the weights add up to {sum}, so nobody falls into any bucket");
            self.warn(|path| Fault::warning(path, found).expected("a sum from 1 to 2147483647"));
        }
        if too_large {
            return Split::Nothing;
        }
        let fixed = table.into_iter().enumerate().map(|(at, (end, variant))| {
            let place = Step::Index(at + skip);
            (
                end as u32,
                self.within(place, |this| this.within(Step::Index(0), |this| this.constant(variant, tail))),
            )
        });
        Split::Fixed(fixed.collect())
    }

    /// Buckets as expressions; a bucket's first part stands where the rule's result stands.
    fn buckets(&mut self, buckets: &'r [Json], skip: usize, tail: bool) -> Box<[Expr]> {
        let compile = |(at, json): (usize, &'r Json)| {
            self.within(Step::Index(at + skip), |this| match json {
                Json::Array(parts) => {
                    Expr::List(this.each(parts, |this, at, part| this.expr(part, tail && at == 0)))
                }
                other => this.expr(other, false),
            })
        };
        buckets.iter().enumerate().map(compile).collect()
    }

    fn bad_bucket(&mut self, bucket: &Json) {
        let found = format!("{} is no bucket, so nobody falls into any", quoted(&bucket.to_string()));
        self.warn(|path| {
            Fault::warning(path, found).expected("[variant] or [variant, weight], the weight a whole number")
        });
    }
}
