//! Why a change does not apply to a flag, each with what to do instead.

use std::fmt;

use super::share::Share;
use crate::config::{Problem, suggest};
use crate::flag::Definition;

/// A change that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The key of the flag.
    pub flag: String,
    /// What stands in the way.
    pub why: Why,
}

/// What stands in the way of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// No source has the flag, or none a definition that compiles.
    NoDefinition,
    /// The flag has no such variant.
    NoVariant {
        /// The one asked for.
        variant: String,
        /// A name that was probably meant.
        near: Option<String>,
        /// The first ones that there are.
        known: Vec<String>,
    },
    /// A share of a flag that has no targeting.
    NoRule,
    /// The rule has no `fractional`.
    NoSplit,
    /// The rule has that many.
    Splits(usize),
    /// A part of the split is not `[name, whole number]`.
    Computed,
    /// The weights add up to nothing, or to more than a split can have.
    Sum(u64),
    /// The split has no part for the variant.
    NoPart(String),
    /// The split has several parts for the variant.
    Parts(String),
    /// The share of the default variant was asked for.
    IsDefault(String),
    /// There is no default variant to take the share from.
    NoDefault,
    /// The split has not exactly one part for the default variant.
    DefaultPart(String),
    /// The shares and the parts that stay are more than everyone.
    NotEnough {
        /// The shares asked for, together, `55%`; more than 100% is possible.
        asked: String,
        /// What parts that were not named keep, and the sum.
        kept: (u64, u64),
    },
    /// The share would need a greater sum of weights than a split can have.
    TooFine(Share),
    /// The definition is wrong, and how; at least one.
    Definition(Vec<Problem>),
}

impl Refusal {
    /// What was found, as a sentence without its full stop.
    pub fn found(&self) -> String {
        let flag = &self.flag;
        match &self.why {
            Why::NoDefinition => format!("there is no usable definition of `{flag}`"),
            Why::NoVariant { variant, .. } => format!("`{flag}` has no variant `{variant}`"),
            Why::NoRule => format!("`{flag}` has no rule, so there is no split to change"),
            Why::NoSplit => format!("the rule of `{flag}` has no split (`fractional`)"),
            Why::Splits(2) => format!("the rule of `{flag}` has two splits"),
            Why::Splits(count) => format!("the rule of `{flag}` has {count} splits"),
            Why::Computed => {
                format!("the split of `{flag}` is computed: not all its parts are [variant, whole number]")
            }
            Why::Sum(0) => format!("the weights of `{flag}` add up to 0, so nobody falls into any part"),
            Why::Sum(sum) => {
                format!(
                    "the weights of `{flag}` add up to {sum}, which is too much, so nobody falls into any part"
                )
            }
            Why::NoPart(variant) => format!("the split of `{flag}` has no part for `{variant}`"),
            Why::Parts(variant) => format!("the split of `{flag}` has several parts for `{variant}`"),
            Why::IsDefault(variant) => {
                format!("`{variant}` is the default variant of `{flag}`: it gets what the others leave")
            }
            Why::NoDefault => format!("`{flag}` has no default variant that could give the share"),
            Why::DefaultPart(variant) => {
                format!(
                    "the split of `{flag}` has not one part for its default variant `{variant}`, which should give the share"
                )
            }
            Why::NotEnough { asked, kept: (0, _) } => format!("{asked} is more than all of `{flag}`"),
            Why::NotEnough { asked, kept: (kept, sum) } => {
                format!(
                    "{asked} and the {kept} of {sum} that other variants keep are more than all of `{flag}`"
                )
            }
            Why::TooFine(share) => format!("{share} is too fine for the weights of `{flag}`"),
            Why::Definition(problems) => {
                let first = problems.first().map_or("", |problem| &problem.found);
                let more = match problems.len() {
                    0 | 1 => String::new(),
                    count => format!(" (and {} more)", count - 1),
                };
                format!("the definition of `{flag}` is wrong: {first}{more}")
            }
        }
    }

    /// What to do instead.
    pub fn fix(&self) -> String {
        let fix = match &self.why {
            Why::NoDefinition => "mend the flag in its source, or give it a definition with `flags set`",
            Why::NoVariant { near: Some(near), .. } => return format!("did you mean `{near}`?"),
            Why::NoVariant { known, .. } => {
                let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
                return format!("use one of its variants: {}", known.join(", "));
            }
            Why::NoRule | Why::NoSplit => {
                "give it a rule with a `fractional` by `flags set`, or use `flags kill` to send everyone to one variant"
            }
            Why::Splits(_) | Why::Computed => {
                "use `flags set`, or `flags kill` to send everyone to one variant"
            }
            Why::Sum(_) => "give it other weights with `flags set`",
            Why::NoPart(_) => "name a variant that has a part, or add a part with `flags set`",
            Why::Parts(_) | Why::DefaultPart(_) => "give it one part a variant with `flags set`",
            Why::IsDefault(_) => "give the shares of the others",
            Why::NoDefault => "give it a default variant with `flags set`",
            Why::NotEnough { .. } => "ask for less, or lower the others in the same command",
            Why::TooFine(_) => "use fewer decimals, or give it other weights with `flags set`",
            Why::Definition(problems) => {
                let first = problems.first();
                let fix = first.and_then(|first| {
                    first.fix.clone().or_else(|| Some(format!("expected {}", first.expected.as_ref()?)))
                });
                return fix.unwrap_or_else(|| "mend the definition".to_owned());
            }
        };
        fix.to_owned()
    }
}

impl Why {
    /// The definition has no such variant.
    pub fn no_variant(variant: &str, definition: &Definition) -> Why {
        let names = || definition.variants.iter().map(|(name, _)| &**name);
        Why::NoVariant {
            variant: variant.to_owned(),
            near: suggest(variant, names()).map(str::to_owned),
            known: names().take(10).map(str::to_owned).collect(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.found(), self.fix())
    }
}

impl std::error::Error for Refusal {}
