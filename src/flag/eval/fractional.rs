//! Running `fractional`: the unit is hashed, the buckets are laid out, one of them wins.

use smallvec::SmallVec;

use super::{Glance, Machine, Result, Scope};
use crate::config::FractionalVersion;
use crate::flag::fault::quoted;
use crate::flag::murmur3::Murmur3;
use crate::flag::operators::fractional;
use crate::flag::rule::{Expr, Fractional, Literal, Split};
use crate::flag::trace::{Witness, show};
use crate::flag::{Context, Value};

/// A bucket: its variant and weight.
type Part<'e> = (Value<'e>, u64);

/// What a `fractional` chose.
pub enum Pick<'e> {
    /// A bucket that is a constant.
    Literal(&'e Literal),
    /// A computed bucket, or null.
    Value(Value<'e>),
}

impl<'e, C: Context, W: Witness> Machine<'e, C, W> {
    /// What a `fractional` gives.
    pub fn pick(&mut self, split: &'e Fractional, scope: Option<&Scope<'e>>) -> Result<Pick<'e>> {
        let null = Pick::Value(Value::Null);
        // What nearly every split is: of a text at hand, into buckets that are constants.
        if !W::WATCHES
            && let (Some(unit), Split::Fixed(table)) = (&split.unit, &split.split)
            && let Some(Glance { content: Some(unit), searched }) = self.glance(unit)
        {
            self.meter.step(1)?;
            self.meter.search(searched)?;
            let hasher = fractional::text(split.version, unit);
            self.meter.read(hasher.length())?;
            return Ok(self.among(table, hasher.finish()));
        }
        let mut unit = Value::Null;
        let mut first = None;
        if let Some(expr) = &split.unit {
            unit = self.eval(expr, scope)?;
            if unit.len().is_some() {
                first = fractional::part(std::mem::take(&mut unit));
                if first.is_none() {
                    return Ok(null);
                }
            } else if matches!(unit, Value::Null) && split.version == FractionalVersion::V3 {
                self.witness.note(|| "the unit is null".to_owned());
                return Ok(null);
            }
        }
        let Some(hash) = self.hash(split, &unit, scope)? else { return Ok(null) };
        match &split.split {
            Split::Fixed(table) if first.is_none() => Ok(self.among(table, hash)),
            _ => self.lay_out(&split.split, first, hash, scope),
        }
    }

    /// The bucket of a table that a hash falls into.
    fn among(&mut self, table: &'e [(u32, Literal)], hash: u32) -> Pick<'e> {
        let sum = table.last().map_or(0, |(end, _)| *end);
        let bucket = fractional::bucket(hash, sum);
        let at = table.partition_point(|(end, _)| *end <= bucket);
        // None when all weights are 0.
        let Some((_, literal)) = table.get(at) else { return Pick::Value(Value::Null) };
        self.witness.note(|| told(bucket, sum, at, table.len()));
        Pick::Literal(literal)
    }

    /// The same where parts of buckets are computed, or the first argument turned out to be one.
    #[inline(never)]
    fn lay_out(
        &mut self,
        split: &'e Split,
        first: Option<Part<'e>>,
        hash: u32,
        scope: Option<&Scope<'e>>,
    ) -> Result<Pick<'e>> {
        let null = Pick::Value(Value::Null);
        let mut parts: SmallVec<[Part<'e>; 8]> = first.into_iter().collect();
        match split {
            Split::Nothing => return Ok(null),
            Split::Fixed(table) => {
                let mut start = 0;
                for (end, literal) in table {
                    parts.push((Value::from(&literal.json), u64::from(end - start)));
                    start = *end;
                }
            }
            Split::Computed(buckets) => {
                for bucket in buckets {
                    let Some(part) = self.part(bucket, scope)? else { return Ok(null) };
                    parts.push(part);
                }
            }
        }
        let sum = parts.iter().fold(0_u64, |sum, (_, weight)| sum.saturating_add(*weight));
        if sum == 0 || sum > fractional::MAX_SUM {
            self.witness.note(|| format!("the weights add up to {sum}"));
            return Ok(null);
        }
        // The sum was just bounded by 2^31 - 1.
        let bucket = u64::from(fractional::bucket(hash, sum as u32));
        let mut end = 0;
        for (at, (_, weight)) in parts.iter().enumerate() {
            end += weight;
            if bucket < end {
                self.witness.note(|| told(bucket as u32, sum as u32, at, parts.len()));
                return Ok(Pick::Value(parts.swap_remove(at).0));
            }
        }
        Ok(null)
    }

    /// The hash of what is split; none without a targeting key, or when the unit cannot be one.
    fn hash(
        &mut self,
        split: &'e Fractional,
        unit: &Value<'e>,
        scope: Option<&Scope<'e>>,
    ) -> Result<Option<u32>> {
        let hasher = if !matches!(unit, Value::Null) {
            self.witness.note(|| format!("unit {}", show(unit)));
            fractional::explicit(split.version, unit)
        } else {
            // The body of `map` and its like sees no targeting key.
            let key = if scope.is_none() { self.context.targeting_key() } else { None };
            let key = key.filter(|key| !key.is_empty());
            self.witness.note(|| match key {
                Some(key) => format!("unit: flag key and targeting key {}", quoted(key)),
                None => "no targeting key".to_owned(),
            });
            key.map(|key| fractional::implicit(split.version, split.prefix, key))
        };
        self.meter.read(hasher.map_or(0, Murmur3::length))?;
        Ok(hasher.map(Murmur3::finish))
    }

    /// One computed bucket; none makes the whole `fractional` null.
    fn part(&mut self, bucket: &'e Expr, scope: Option<&Scope<'e>>) -> Result<Option<Part<'e>>> {
        let Expr::List(parts) = bucket else {
            let bucket = self.eval(bucket, scope)?;
            return Ok(fractional::part(bucket));
        };
        let [variant, weight @ ..] = &**parts else { return Ok(None) };
        let variant = self.eval(variant, scope)?;
        let weight = match weight {
            [] => Some(1),
            [weight] => fractional::weight(&self.eval(weight, scope)?),
            _ => None,
        };
        Ok(weight.filter(|_| fractional::nameable(&variant)).map(|weight| (variant, weight)))
    }
}

fn told(bucket: u32, sum: u32, at: usize, count: usize) -> String {
    format!("bucket {bucket} of {sum}, part {} of {count}", at + 1)
}
